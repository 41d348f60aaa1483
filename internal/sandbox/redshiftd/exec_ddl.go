package redshiftd

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// exec runs statements of the engine one after the other.
func (s *session) exec(ctx context.Context, stmts ...string) error {
	for _, q := range stmts {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// runDDL runs CREATE, DROP, ALTER and TRUNCATE. Each takes exclusive locks on the tables it names.
func (s *session) runDDL(ctx context.Context, r *running) (*answer, error) {
	var err error
	a := &answer{tag: r.p.tag}
	s.tx.ddl = true
	s.relations.off = true
	defer s.relations.forget()
	switch st := r.p.stmt.(type) {
	case *createSchema:
		err = s.createSchema(ctx, st)
	case *dropSchema:
		err = s.dropSchema(ctx, st)
	case *createTable:
		err = s.createTable(ctx, r, st)
	case *dropTable:
		err = s.dropTables(ctx, st)
	case *alterTable:
		err = s.alterTable(ctx, st)
	case *truncateStmt:
		err = s.truncate(ctx, st)
	default:
		err = strict("statement is not supported")
	}
	return a, err
}

func (s *session) createSchema(ctx context.Context, st *createSchema) error {
	if err := s.lockTable(ctx, "schema "+st.name, lockExclusive); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	ok, err := schemaExists(ctx, s.db, st.name)
	switch {
	case err != nil:
		return err
	case ok && st.ifNotExists:
		s.notice(fmt.Sprintf("Schema %q already exists and will be skipped", st.name))
		return nil
	case ok:
		return errorf("42P06", "schema %q already exists", st.name)
	case strings.HasPrefix(st.name, "pg_"):
		return errorf("42939", "unacceptable schema name %q", st.name)
	case st.name == "main" || st.name == "rs_internal" || st.name == "information_schema" || st.name == "temp" || st.name == engineDatabase:
		return strict("schema name %q is not supported", st.name)
	}
	return s.exec(ctx, "CREATE SCHEMA "+engineDatabase+"."+quoteIdent(st.name), "INSERT INTO rs_internal.schemas VALUES ("+quoteText(st.name)+")")
}

func (s *session) dropSchema(ctx context.Context, st *dropSchema) error {
	if err := s.lockTable(ctx, "schema "+st.name, lockExclusive); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	ok, err := schemaExists(ctx, s.db, st.name)
	if err != nil {
		return err
	}
	if !ok {
		if st.ifExists {
			return nil
		}
		return errorf("3F000", "schema %q does not exist", st.name)
	}
	n, err := count(ctx, s.db, "SELECT count(*) FROM rs_internal.tables WHERE sch = "+quoteText(st.name))
	if err != nil {
		return err
	}
	if n > 0 {
		if st.cascade {
			return strict("DROP SCHEMA CASCADE of a schema with tables is not supported")
		}
		return errorf("2BP01", "cannot drop schema %s because other objects depend on it", st.name)
	}
	return s.exec(ctx, "DROP SCHEMA "+engineDatabase+"."+quoteIdent(st.name), "DELETE FROM rs_internal.schemas WHERE name = "+quoteText(st.name))
}

// ownTable looks up a table of the user's, temporary or not, after locking it exclusively.
func (s *session) ownTable(ctx context.Context, n tableName) (*relation, error) {
	keys, err := s.lockAll(ctx, []tableName{n}, lockExclusive)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	rel, err := s.lookup(ctx, n)
	if err != nil {
		return nil, err
	}
	if rel.system {
		return nil, errorf("42501", "permission denied for relation %s", n.name)
	}
	for _, k := range keys {
		s.tx.writes[k] = true
	}
	return rel, nil
}

func (s *session) dropTables(ctx context.Context, st *dropTable) error {
	for _, n := range st.tables {
		rel, err := s.ownTable(ctx, n)
		if err != nil {
			if e := engineError(ctx, err, s.lastQuery); st.ifExists && (e.code == "42P01" || e.code == "3F000") {
				s.notice(fmt.Sprintf("Table %q does not exist and will be skipped", n.name))
				continue
			}
			return err
		}
		tables, columns := catalogTables(rel.temp)
		oid := strconv.FormatInt(rel.oid, 10)
		stmts := []string{"DROP TABLE " + rel.sql, "DELETE FROM " + columns + " WHERE oid = " + oid, "DELETE FROM " + tables + " WHERE oid = " + oid}
		for _, c := range rel.columns {
			if c.sequence != "" && !rel.temp {
				stmts = append(stmts, "DROP SEQUENCE IF EXISTS "+c.sequence)
			}
		}
		if err := s.exec(ctx, stmts...); err != nil {
			return err
		}
	}
	return nil
}

// truncate empties a table and commits all that the transaction has done.
func (s *session) truncate(ctx context.Context, st *truncateStmt) error {
	rel, err := s.ownTable(ctx, st.table)
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "DELETE FROM "+rel.sql); err != nil {
		return err
	}
	block := s.tx.block
	if err := s.commit(); err != nil {
		return err
	}
	s.tx.block = block
	return nil
}

func (s *session) alterTable(ctx context.Context, st *alterTable) error {
	if st.needsNoBlock && (s.tx.block || s.tx.implicit) {
		name := st.unimplemented
		if st.action == "append" {
			name = "ALTER TABLE APPEND"
		}
		return errorf("25001", "%s cannot run inside a transaction block", name)
	}
	if st.action == "append" {
		return s.appendTable(ctx, st)
	}
	if st.unimplemented != "" {
		return strict("%s is not supported", st.unimplemented)
	}
	rel, err := s.ownTable(ctx, st.table)
	if err != nil {
		return err
	}
	tables, columns := catalogTables(rel.temp)
	oid := strconv.FormatInt(rel.oid, 10)
	switch st.action {
	case "owner":
		return nil
	case "add":
		return s.addColumn(ctx, rel, columns, st.def)
	case "rename":
		if _, err := s.lookup(ctx, tableName{rel.schema, st.to}); err == nil {
			return errorf("42P07", "relation %q already exists", st.to)
		}
		target := st.to
		if rel.temp {
			target = "t_" + st.to
		}
		return s.exec(ctx, "ALTER TABLE "+rel.sql+" RENAME TO "+quoteIdent(target), "UPDATE "+tables+" SET name = "+quoteText(st.to)+" WHERE oid = "+oid)
	}
	if _, ok := rel.column(st.column); !ok {
		return errorf("42703", "column %q of relation %q does not exist", st.column, rel.name)
	}
	where := " WHERE oid = " + oid + " AND name = " + quoteText(st.column)
	if st.action == "drop" {
		if len(rel.columns) == 1 {
			return errorf("0A000", "cannot drop the only column of table %q", rel.name)
		}
		return s.exec(ctx, "ALTER TABLE "+rel.sql+" DROP COLUMN "+quoteIdent(st.column), "DELETE FROM "+columns+where)
	}
	if _, ok := rel.column(st.to); ok {
		return errorf("42701", "column %q of relation %q already exists", st.to, rel.name)
	}
	return s.exec(ctx, "ALTER TABLE "+rel.sql+" RENAME COLUMN "+quoteIdent(st.column)+" TO "+quoteIdent(st.to),
		"UPDATE "+columns+" SET name = "+quoteText(st.to)+where)
}

func (s *session) addColumn(ctx context.Context, rel *relation, columns string, d columnDef) error {
	if _, ok := rel.column(d.name); ok {
		return errorf("42701", "column %q of relation %q already exists", d.name, rel.name)
	}
	if d.identity {
		return errorf("0A000", "cannot add an identity column")
	}
	if d.notNull && d.defaultSQL == "" {
		return errorf("42601", "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression")
	}
	if len(rel.columns) >= maxColumns {
		return errorf("54011", "tables can have at most %d columns", maxColumns)
	}
	c := columnInfo{name: d.name, t: d.t, notNull: d.notNull, defaultSQL: d.defaultSQL}
	value, err := s.newBinder(ctx, nil).columnDefault(c)
	if err != nil {
		return err
	}
	stmts := []string{"ALTER TABLE " + rel.sql + " ADD COLUMN " + quoteIdent(d.name) + " " + d.t.duck()}
	if d.defaultSQL != "" {
		stmts = append(stmts, "UPDATE "+rel.sql+" SET "+quoteIdent(d.name)+" = "+value)
	}
	if d.notNull {
		return strict("ADD COLUMN with NOT NULL is not supported")
	}
	n, err := count(ctx, s.db, "SELECT max(ord) FROM "+columns+" WHERE oid = "+strconv.FormatInt(rel.oid, 10))
	if err != nil {
		return err
	}
	return s.exec(ctx, append(stmts, insertColumn(columns, rel.oid, int(n)+1, d, ""))...)
}
