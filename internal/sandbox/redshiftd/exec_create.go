package redshiftd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// insertColumn writes the catalog row of a column.
func insertColumn(columns string, oid int64, ord int, d columnDef, sequence string) string {
	encode := d.encode
	if encode == "" || encode == "raw" {
		encode = "none"
	}
	return fmt.Sprintf("INSERT INTO %s VALUES (%d,%d,%s,%s,%d,%d,%t,%s,%s,%t,%s,%t,%d)", columns, oid, ord, quoteText(d.name),
		quoteText(d.t.name()), d.t.p, d.t.s, d.notNull, quoteText(d.defaultSQL), quoteText(sequence), d.byDefault, quoteText(encode), d.distKey, d.sortKey)
}

func (s *session) createTable(ctx context.Context, r *running, st *createTable) error {
	schema, err := s.createTarget(ctx, st)
	if err != nil {
		return err
	}
	if _, err := s.lockAll(ctx, r.p.reads, lockRead); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	if !st.temp {
		ok, err := schemaExists(ctx, s.db, schema)
		if err != nil {
			return err
		}
		if !ok {
			return errorf("3F000", "schema %q does not exist", schema)
		}
	}
	old, err := findTable(ctx, s.db, st.temp, schema, st.table.name)
	if err != nil {
		return err
	}
	if old != nil {
		if st.ifNotExists {
			s.notice(fmt.Sprintf("Relation %q already exists and will be skipped", st.table.name))
			return nil
		}
		return errorf("42P07", "relation %q already exists", st.table.name)
	}
	defs := st.columns
	query := ""
	switch {
	case st.like != nil:
		defs, err = s.likeColumns(ctx, st)
	case st.as != nil:
		defs, query, err = s.asColumns(ctx, r, st)
	}
	if err != nil {
		return err
	}
	if err := checkColumns(st, defs); err != nil {
		return err
	}
	if !st.temp {
		s.tx.writes[schema+"."+st.table.name] = true
	}
	return s.makeTable(ctx, st, schema, defs, query)
}

// createTarget finds the schema of a new table and locks its name.
func (s *session) createTarget(ctx context.Context, st *createTable) (string, error) {
	if st.temp {
		return "pg_temp_" + strconv.Itoa(s.pid), nil
	}
	schema := st.table.schema
	if schema == "" {
		schema = s.searchPath()[0]
	}
	return schema, s.lockTable(ctx, schema+"."+st.table.name, lockExclusive)
}

// likeColumns copies another table's columns: names, types, NOT NULL, encodings, keys, and defaults if asked. IDENTITY is
// not copied.
func (s *session) likeColumns(ctx context.Context, st *createTable) ([]columnDef, error) {
	if _, err := s.lockAll(ctx, []tableName{*st.like}, lockRead); err != nil {
		return nil, err
	}
	rel, err := s.lookup(ctx, *st.like)
	if err != nil {
		return nil, err
	}
	if rel.system {
		return nil, strict("LIKE of a system view is not supported")
	}
	var defs []columnDef
	for _, c := range rel.columns {
		d := columnDef{name: c.name, t: c.t, notNull: c.notNull}
		if st.likeDefaults {
			d.defaultSQL = c.defaultSQL
		}
		defs = append(defs, d)
	}
	return defs, s.likeLayout(ctx, st, rel, defs)
}

// likeLayout copies distribution, sort keys and encodings.
func (s *session) likeLayout(ctx context.Context, st *createTable, rel *relation, defs []columnDef) error {
	tables, columns := catalogTables(rel.temp)
	rows, err := s.db.QueryContext(ctx, fmt.Sprintf("SELECT t.diststyle, t.sortkey, c.name, c.encode, c.distkey FROM %s t JOIN %s c ON c.oid = t.oid WHERE t.oid = %d", tables, columns, rel.oid))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var sortKey, name, encode string
		var distKey bool
		if err := rows.Scan(&st.distStyle, &sortKey, &name, &encode, &distKey); err != nil {
			return err
		}
		if sortKey != "" {
			st.sortKey = strings.Split(sortKey, ",")
		}
		for i := range defs {
			if defs[i].name == name {
				defs[i].encode, defs[i].distKey = encode, distKey
			}
		}
	}
	return rows.Err()
}

// asColumns binds the query of CREATE TABLE AS.
func (s *session) asColumns(ctx context.Context, r *running, st *createTable) ([]columnDef, string, error) {
	b := s.newBinder(ctx, r.values)
	query, cols, err := b.query(st.as, nil)
	if err == nil {
		err = b.finish()
	}
	if err != nil {
		return nil, "", err
	}
	if len(st.asColumns) > len(cols) {
		return nil, "", errorf("42601", "CREATE TABLE AS specifies too many column names")
	}
	var defs []columnDef
	for i, c := range cols {
		if i < len(st.asColumns) {
			c.name = st.asColumns[i]
		}
		if c.t.kind == kUnknown {
			c.t = varchar(256)
		}
		if c.t.kind == kInterval {
			return nil, "", errorf("42P16", "column %q has unsupported type \"interval\"", c.name)
		}
		defs = append(defs, columnDef{name: c.name, t: c.t})
	}
	return defs, query, nil
}

func checkColumns(st *createTable, defs []columnDef) error {
	seen := map[string]bool{}
	for i := range defs {
		d := &defs[i]
		if seen[d.name] {
			return errorf("42701", "column %q duplicated", d.name)
		}
		seen[d.name] = true
		d.notNull = d.notNull || slices.Contains(st.notNull, d.name)
		d.distKey = d.distKey || st.distKey == d.name
		if i := slices.Index(st.sortKey, d.name); i >= 0 {
			d.sortKey = i + 1
		}
		if d.t.kind == kSuper && (d.distKey || d.sortKey > 0) {
			return errorf("0A000", "SUPER column %q cannot be a distribution or sort key", d.name)
		}
	}
	keys := append(append([]string{}, st.notNull...), st.sortKey...)
	if st.distKey != "" {
		keys = append(keys, st.distKey)
	}
	for _, k := range keys {
		if !seen[k] {
			return errorf("42703", "column %q named in key does not exist", k)
		}
	}
	return nil
}

// makeTable creates the engine's table, its sequences and its catalog rows, and fills it from query if there is one.
func (s *session) makeTable(ctx context.Context, st *createTable, schema string, defs []columnDef, query string) error {
	oid, err := count(ctx, s.db, "SELECT nextval('rs_internal.oids')")
	if err != nil {
		return err
	}
	tables, columns := catalogTables(st.temp)
	name := engineName(st.temp, schema, st.table.name)
	var stmts, cols []string
	rel := &relation{oid: oid, name: st.table.name, sql: name}
	var rows []string
	for i, d := range defs {
		line := quoteIdent(d.name) + " " + d.t.duck()
		if d.notNull {
			line += " NOT NULL"
		}
		cols = append(cols, line)
		sequence := ""
		if d.identity {
			if st.temp {
				return strict("IDENTITY in a temporary table is not supported")
			}
			sequence = fmt.Sprintf("rs_internal.seq_%d_%d", oid, i)
			bounds := ""
			if d.step < 0 {
				bounds = " MINVALUE -9223372036854775808 MAXVALUE 9223372036854775806"
			} else if d.seed < 1 {
				bounds = " MINVALUE " + strconv.FormatInt(d.seed, 10)
			}
			stmts = append(stmts, fmt.Sprintf("CREATE SEQUENCE %s INCREMENT BY %d%s START WITH %d", sequence, d.step, bounds, d.seed))
		}
		c := columnInfo{name: d.name, t: d.t, notNull: d.notNull, defaultSQL: d.defaultSQL}
		if d.defaultSQL != "" { // a default that can't be bound is refused now
			if _, err := s.newBinder(ctx, nil).columnDefault(c); err != nil {
				return err
			}
		}
		rel.columns = append(rel.columns, c)
		rows = append(rows, insertColumn(columns, oid, i+1, d, sequence))
	}
	create := "CREATE TABLE "
	if st.temp {
		create = "CREATE TEMP TABLE "
	}
	stmts = append(stmts, create+name+" ("+strings.Join(cols, ", ")+")",
		fmt.Sprintf("INSERT INTO %s VALUES (%d,%s,%s,%s,%s,%s)", tables, oid, quoteText(schema), quoteText(st.table.name), quoteText(s.user),
			quoteText(st.distStyle), quoteText(strings.Join(st.sortKey, ","))))
	stmts = append(stmts, rows...)
	if query != "" {
		stmts = append(stmts, "INSERT INTO "+name+" "+query)
	}
	return s.exec(ctx, stmts...)
}
