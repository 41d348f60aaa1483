package redshiftd

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// appendTable runs ALTER TABLE … APPEND FROM: all rows of the source move to the target, columns by name. Both tables are
// permanent and laid out alike.
func (s *session) appendTable(ctx context.Context, st *alterTable) error {
	target, err := s.ownTable(ctx, st.table)
	if err != nil {
		return err
	}
	source, err := s.ownTable(ctx, st.from)
	if err != nil {
		return err
	}
	switch {
	case target.temp || source.temp:
		return strict("ALTER TABLE APPEND of a temporary table is not supported")
	case target.oid == source.oid:
		return strict("ALTER TABLE APPEND of a table to itself is not supported")
	}
	if err := s.sameLayout(ctx, target, source); err != nil {
		return err
	}
	b := s.newBinder(ctx, nil)
	var cells []string
	for _, c := range target.columns {
		from, ok := source.column(c.name)
		switch {
		case ok && (from.t != c.t || from.notNull != c.notNull || (from.sequence != "") != (c.sequence != "")):
			return strict("ALTER TABLE APPEND: column %q of the source differs from the target's", c.name)
		case ok:
			cells = append(cells, quoteIdent(c.name))
		case st.extra != "filltarget":
			return strict("ALTER TABLE APPEND: the source has no column %q; use FILLTARGET", c.name)
		default:
			d, err := b.columnDefault(c)
			if err != nil {
				return err
			}
			cells = append(cells, d)
		}
	}
	extra := slices.IndexFunc(source.columns, func(c columnInfo) bool { _, ok := target.column(c.name); return !ok })
	if extra >= 0 && st.extra != "ignoreextra" {
		return strict("ALTER TABLE APPEND: the target has no column %q; use IGNOREEXTRA", source.columns[extra].name)
	}
	return s.exec(ctx, "INSERT INTO "+target.sql+" ("+columnNames(target)+") SELECT "+strings.Join(cells, ",")+" FROM "+source.sql,
		"DELETE FROM "+source.sql)
}

// sameLayout refuses tables that differ in distribution, sort keys or the encoding of a column that both have.
func (s *session) sameLayout(ctx context.Context, a, b *relation) error {
	n, err := count(ctx, s.db, fmt.Sprintf(`SELECT count(*) FROM rs_internal.tables a, rs_internal.tables b
		WHERE a.oid = %d AND b.oid = %d AND (a.diststyle <> b.diststyle OR a.sortkey <> b.sortkey)`, a.oid, b.oid))
	if err != nil {
		return err
	}
	m, err := count(ctx, s.db, fmt.Sprintf(`SELECT count(*) FROM rs_internal.columns a JOIN rs_internal.columns b ON a.name = b.name
		WHERE a.oid = %d AND b.oid = %d AND (a.distkey <> b.distkey OR a.sortkey <> b.sortkey OR a.encode <> b.encode)`, a.oid, b.oid))
	if err != nil {
		return err
	}
	if n+m > 0 {
		return strict("ALTER TABLE APPEND: the tables differ in distribution, sort keys or encoding")
	}
	return nil
}
