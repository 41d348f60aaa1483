package redshiftd

import (
	"context"
	"strings"
)

// merge binds MERGE: a query that counts target rows with several matches, and the statements that do the work.
func (b *binder) merge(s *mergeStmt) (check string, stmts []string, err error) {
	rel, err := b.target(s.table)
	if err != nil {
		return "", nil, err
	}
	target := &scope{}
	if err := target.add(s.table.name, rel.schema, rel); err != nil {
		return "", nil, err
	}
	source := &scope{}
	from, err := b.from([]fromItem{s.source}, source)
	if err != nil {
		return "", nil, err
	}
	from = strings.TrimPrefix(from, " FROM ")
	both := &scope{}
	for _, x := range append(target.sources, source.sources...) {
		if err := both.add(x.alias, x.schema, x.rel); err != nil {
			return "", nil, err
		}
	}
	on, err := b.boolean(s.on, both, "MERGE/ON")
	if err != nil {
		return "", nil, err
	}
	alias := quoteIdent(s.table.name)
	into := rel.sql + " AS " + alias
	check = "SELECT count(*) FROM (SELECT 1 FROM " + into + " JOIN " + from + " ON " + on + " GROUP BY " + alias + ".rowid HAVING count(*) > 1 LIMIT 1)"
	if s.duplicates {
		stmts, err = b.mergeDuplicates(rel, source, into, from, on)
		return check, stmts, err
	}
	matched := "DELETE"
	if s.set != nil {
		sets, err := b.assignments(rel, s.set, both)
		if err != nil {
			return "", nil, err
		}
		matched = "UPDATE SET " + sets
	}
	cols, err := targetColumns(rel, s.columns)
	if err != nil {
		return "", nil, err
	}
	values, err := b.insertRows(rel, cols, [][]expr{s.values}, source)
	if err != nil {
		return "", nil, err
	}
	return check, []string{"MERGE INTO " + into + " USING " + from + " ON " + on + " WHEN MATCHED THEN " + matched +
		" WHEN NOT MATCHED THEN INSERT (" + columnNames(rel) + ") " + values}, nil
}

// mergeDuplicates writes REMOVE DUPLICATES: matched rows of the target make way for the source's rows, column by column.
func (b *binder) mergeDuplicates(rel *relation, source *scope, into, from, on string) ([]string, error) {
	src := source.sources[0]
	if len(src.rel.columns) != len(rel.columns) {
		return nil, errorf("42601", "MERGE with REMOVE DUPLICATES requires source and target to have the same number of columns")
	}
	var cells []string
	for i, c := range rel.columns {
		x, err := b.assign(bound{sql: quoteIdent(src.alias) + "." + quoteIdent(src.rel.columns[i].name), t: src.rel.columns[i].t}, c)
		if err != nil {
			return nil, err
		}
		cells = append(cells, x.sql)
	}
	return []string{"DELETE FROM " + into + " USING " + from + " WHERE " + on,
		"INSERT INTO " + rel.sql + " (" + columnNames(rel) + ") SELECT " + strings.Join(cells, ",") + " FROM " + from}, nil
}

// runMerge runs MERGE. Source rows without a match are all inserted, duplicates among them, too.
func (s *session) runMerge(ctx context.Context, r *running, st *mergeStmt) (*answer, error) {
	writes, err := s.lockAll(ctx, []tableName{st.table}, lockWrite)
	if err != nil {
		return nil, err
	}
	reads, err := s.lockAll(ctx, r.p.reads, lockRead)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if err := s.checkMergeSource(ctx, r, st); err != nil {
		return nil, err
	}
	for _, k := range reads {
		s.tx.reads[k] = true
	}
	b := s.newBinder(ctx, r.values)
	check, stmts, err := b.merge(st)
	if err == nil {
		err = b.finish()
	}
	if err != nil {
		return nil, err
	}
	if err := s.noteWrites(ctx, st.table, writes, true); err != nil {
		return nil, err
	}
	n, err := count(ctx, s.db, check)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		return nil, errorf("XX000", "Found multiple matches to update the same tuple.")
	}
	return &answer{tag: r.p.tag}, s.exec(ctx, stmts...)
}

// checkMergeSource refuses a source that is the target or reads it.
func (s *session) checkMergeSource(ctx context.Context, r *running, st *mergeStmt) error {
	target, err := s.lookup(ctx, st.table)
	if err != nil {
		return err
	}
	for _, n := range r.p.reads {
		rel, err := s.lookup(ctx, n)
		if err != nil {
			return err
		}
		if rel.system || rel.sql != target.sql {
			continue
		}
		if _, ok := st.source.(*tableRef); ok {
			return strict("MERGE with its target as source is not supported")
		}
		return errorf("0A000", "Source view/subquery in Merge statement cannot reference target table.")
	}
	return nil
}
