package redshiftd

import (
	"fmt"
	"strconv"
	"strings"
)

// sessionFunction binds functions whose value the session knows.
func (b *binder) sessionFunction(c *call, sc *scope) (bound, bool, error) {
	text := func(s string) bound { return bound{sql: quoteText(s), t: varchar(max(1, len(s)))} }
	number := func(n int64, t typ) bound { return bound{sql: castSQL(fmt.Sprint(n), t), t: t} }
	var x bound
	switch c.name {
	case "getdate":
		x = bound{sql: b.clock(b.env.now.Truncate(1e9)), t: tStamp}
	case "sysdate":
		x = bound{sql: b.clock(b.env.began), t: tStamp}
	case "current_date":
		x = bound{sql: castSQL(b.clock(b.env.now), typ{kind: kDate}), t: typ{kind: kDate}}
	case "now":
		b.leader(c.name)
		x = bound{sql: castSQL(timestampSQL(b.env.began), typ{kind: kTimestamptz}), t: typ{kind: kTimestamptz}}
	case "current_schema":
		b.leader(c.name)
		x = text(b.env.schema)
	case "version":
		x = text(b.env.version)
	case "current_user":
		x = text(b.env.user)
	case "current_database":
		x = text(b.env.database)
	case "pg_backend_pid":
		x = number(int64(b.env.pid), tInt4)
	case "pg_last_copy_count":
		x = number(b.env.lastCopyCount, tInt8)
	case "pg_last_copy_id":
		x = number(b.env.lastCopyID, tInt4)
	case "pg_last_query_id":
		x = number(b.env.lastQueryID, tInt8)
	case "pg_cancel_backend", "pg_terminate_backend":
		x, err := b.signal(c, sc)
		return x, true, err
	default:
		return x, false, nil
	}
	if len(c.args) > 0 {
		return x, true, errFunction(c.name, make([]bound, len(c.args)))
	}
	return x, true, nil
}

// signal binds the functions that act on another session. They act once the statement is bound, and give 1 for done.
func (b *binder) signal(c *call, sc *scope) (bound, error) {
	if b.leader(c.name); b.tables {
		return bound{}, b.finish()
	}
	args, err := b.exprs(c.args, sc)
	if err != nil {
		return bound{}, err
	}
	if len(args) != 1 || !args[0].t.isInt() && !args[0].untyped() {
		return bound{}, errFunction(c.name, args)
	}
	x := bound{sql: castSQL("1", tInt4), t: tInt4}
	if b.act == nil { // it is only described
		b.infer(args[0], tInt4)
		return x, nil
	}
	n, ok := c.args[0].(*literal)
	text := ""
	if ok && n.kind != "null" {
		text = n.text
	} else if args[0].text != nil {
		text = *args[0].text
	}
	pid, err := strconv.Atoi(text)
	if err != nil {
		return x, strict("%s takes a constant process id", strings.ToUpper(c.name))
	}
	done, err := b.act(c.name, pid)
	if !done {
		x.sql = castSQL("0", tInt4)
	}
	return x, err
}
