package redshiftd

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// insertSQL writes the INSERT that loads one local file. Checks of values ride along, so that a file is read once.
func (l *loader) insertSQL(ctx context.Context, path string, cols []fileColumn) (string, error) {
	source := map[string]string{}
	var names []string
	for i, c := range l.cols {
		if i >= len(cols) { // FILLRECORD
			source[c.name] = castSQL("NULL", c.t)
			continue
		}
		n := quoteIdent("c" + strconv.Itoa(i))
		names = append(names, n)
		source[c.name] = loadExpr(n, cols[i], c)
	}
	b := l.s.newBinder(ctx, nil)
	var cells []string
	for _, c := range l.rel.columns {
		x, ok := source[c.name]
		if !ok {
			var err error
			if x, err = b.columnDefault(c); err != nil {
				return "", err
			}
		}
		cells = append(cells, x)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM read_parquet(%s, hive_partitioning=false) AS s(%s)", l.rel.sql, columnNames(l.rel),
		strings.Join(cells, ","), quoteText(path), strings.Join(names, ",")), nil
}

// loadExpr writes the value of one column, with the checks that Redshift's reader makes. The code COPYL is a length, COPYS
// a SUPER string that is too long.
func loadExpr(n string, f fileColumn, c columnInfo) string {
	fail := func(code, context string) string {
		return "error('rs:" + code + ":'||" + quoteText(c.name+"\x1f") + "||" + context + "||chr(3))"
	}
	tooLong := fmt.Sprintf("%s||', Data: '||strlen(%s)", quoteText(fmt.Sprintf("The length of the data column %s is longer than the length defined in the table. Table: %d", c.name, c.t.p)), n)
	switch c.t.kind {
	case kVarchar:
		return fmt.Sprintf("CASE WHEN strlen(%s)>%d THEN %s ELSE %s END", n, c.t.p, fail("COPYL", tooLong), n)
	case kChar:
		multibyte := fail("COPYL", quoteText("Multibyte characters in the CHAR column "+c.name+" (stand-in strictness)"))
		return fmt.Sprintf("CASE WHEN strlen(%s)>%d THEN %s WHEN strlen(%s)<>length(%s) THEN %s ELSE rtrim(%s,' ') END", n, c.t.p, fail("COPYL", tooLong), n, n, multibyte, n)
	case kSuper:
		if f.kind == "group" {
			return "CAST(to_json(" + n + ") AS VARCHAR)"
		}
		return fmt.Sprintf("CASE WHEN strlen(%s)>%d THEN %s ELSE CAST(to_json(%s) AS VARCHAR) END", n, maxSuperString, fail("COPYS", quoteText("Column "+c.name)), n)
	}
	return castSQL(n, c.t)
}

// record writes the load views. They are outside the session's transaction: a failed load shows, too.
func (l *loader) record(loadErr error) error {
	status, errors := "completed", 0
	if loadErr != nil {
		status, errors = "aborted", 1
	}
	now := time.Now().UTC()
	stmts := []string{fmt.Sprintf("INSERT INTO rs_internal.load_history VALUES (100,%d,%d,%d,%s,'%s',%s,%s,%s,%d,%s,'PARQUET',%d,%d,%d,%d,%d,%d,%d,0)",
		l.query, l.s.tx.id, l.s.pid, quoteText(l.s.srv.config.Database), status, quoteText(l.rel.name), timestampSQL(l.start), timestampSQL(now),
		now.Sub(l.start).Microseconds(), quoteText(l.st.from), l.rows, l.bytes, len(l.files), l.bytes, l.loaded, l.bytes, errors)}
	if loadErr != nil && l.badCode != 0 {
		message := loadErr.Error()
		if pg := engineError(l.s.srv.ctx, loadErr, l.query); pg.detail != "" {
			_, message, _ = strings.Cut(pg.detail, "context:")
			message, _, _ = strings.Cut(strings.TrimSpace(message), "\n  query:")
		}
		kindName, length := "", ""
		if c, ok := l.rel.column(l.badColumn); ok {
			kindName, length = c.t.internal()
		}
		stmts = append(stmts, fmt.Sprintf("INSERT INTO rs_internal.load_error VALUES (100,%d,%d,%d,%s,%d,%s,%s,0,%s,%s,%s,0,%d,%s)", l.query, l.s.tx.id, l.s.pid,
			quoteText(l.s.srv.config.Database), l.rel.oid, timestampSQL(l.start), quoteText(cut(l.file, 256)), quoteText(l.badColumn), quoteText(cut(kindName, 10)),
			quoteText(length), l.badCode, quoteText(cut(strings.TrimSpace(message), 512))))
	}
	return l.publish(stmts...)
}

func (l *loader) recordFile(rows, size int64) error {
	now := timestampSQL(time.Now().UTC())
	return l.publish(fmt.Sprintf("INSERT INTO rs_internal.load_detail VALUES (100,%d,%s,%d,%d,%s,1,%s,%s)", l.query,
		quoteText(cut(l.file, 256)), size, rows, now, timestampSQL(l.start), now))
}
