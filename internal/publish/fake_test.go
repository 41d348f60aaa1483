package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
)

// warehouse is a model of what the statements of this package do, at the level
// of cells: COPY fills the stage, DELETE takes days away, INSERT adds the
// source's days, ROLLBACK brings the last commit back. It answers queries by
// their source and their days and understands no SQL beyond that.
type warehouse struct {
	t        *testing.T
	target   *target
	parquet  account.Cells // what COPY loads, places with topic and partition
	winners  account.Cells // what is left of it when older versions are gone
	vanish   account.Cells // rows of the table that no winner explains, until they are deleted
	table    account.Cells
	ledger   []LedgerRow
	objects  [][]any // uri, etag, topic, partition, first, last, scope, seq
	tables   map[string]bool
	columns  []redshift.LiveColumn
	added    []string   // columns that were added to it
	first    bool       // the ledger is of the first form
	saved    *warehouse // as of BEGIN
	stage    account.Cells
	hasWins  bool
	mislaid  int64         // rows that are lost when the newest are put back
	inserted account.Cells // what INSERT really brings; nil: the source's rows

	log      []string
	failAt   int   // number of the statement that fails, from 1; 0: none
	failErr  error // with this error
	late     bool  // after it was executed, not before
	lost     bool  // from the failure on, the session is gone
	dead     bool
	queries  []string
	onKind   func(kind string) error // may fail a statement by kind
	miscount string                  // kind of statement whose row count is one too high
	truncate bool                    // COPY loads one row less than the manifest has
}

func (w *warehouse) snapshot() *warehouse {
	table := account.Cells{}
	for p, c := range w.table {
		table[p] = c.Clone()
	}
	return &warehouse{table: table, ledger: append([]LedgerRow(nil), w.ledger...),
		objects: append([][]any(nil), w.objects...), vanish: maps.Clone(w.vanish)}
}

func (w *warehouse) restore() {
	if w.saved != nil {
		w.table, w.ledger, w.objects, w.vanish = w.saved.table, w.saved.ledger, w.saved.objects, w.saved.vanish
		w.saved = nil
	}
}

// reconnect is a new session on the same warehouse.
func (w *warehouse) reconnect() {
	w.restore()
	w.stage, w.hasWins, w.dead, w.failAt, w.log = nil, false, false, 0, nil
}

// step logs a statement and injects the failure.
func (w *warehouse) step(kind string, run func() error) error {
	if w.dead {
		return fail.New(fail.Network, "the session is gone")
	}
	w.log = append(w.log, kind)
	if w.onKind != nil {
		if err := w.onKind(kind); err != nil {
			return err
		}
	}
	fails := len(w.log) == w.failAt
	if fails && !w.late {
		return w.broken(kind)
	}
	if err := run(); err != nil {
		return err
	}
	if fails {
		return w.broken(kind)
	}
	return nil
}

func (w *warehouse) broken(kind string) error {
	if w.lost {
		w.dead = true
		if kind == "commit" {
			if !w.late {
				w.restore()
			}
			return fail.New(fail.Lost, "injected")
		}
		w.restore()
	}
	return w.failErr
}

func (w *warehouse) Begin(context.Context) error {
	return w.step("begin", func() error { w.saved = w.snapshot(); return nil })
}

func (w *warehouse) Commit(context.Context) error {
	return w.step("commit", func() error { w.saved = nil; return nil })
}

func (w *warehouse) Rollback(context.Context) error {
	return w.step("rollback", func() error { w.restore(); return nil })
}

func (w *warehouse) Copy(_ context.Context, s redshift.CopyStatement) (int64, error) {
	rows := sumRows(w.parquet)
	if w.truncate {
		rows--
	}
	return rows, w.step("copy", func() error {
		if _, err := redshift.CopySQL(s); err != nil {
			return err
		}
		w.stage = w.parquet
		return nil
	})
}

func (w *warehouse) Columns(_ context.Context, _, table string) ([]redshift.LiveColumn, error) {
	var cols []redshift.LiveColumn
	err := w.step("columns", func() error {
		if table == "events" && w.columns != nil {
			cols = w.columns
			return nil
		}
		if !w.tables[table] {
			return fail.New(fail.TableMissing, "no table %s", table)
		}
		for _, c := range ledgerColumns() {
			if !w.first || !strings.Contains(c.definition, "DEFAULT ") || c.name == "committed_at" {
				cols = append(cols, redshift.LiveColumn{Name: c.name})
			}
		}
		return nil
	})
	return cols, err
}

// kindOf names a statement of this package.
func kindOf(sql string) string {
	for _, k := range []struct{ prefix, kind string }{
		{"CREATE TEMP TABLE \"_backfill_stage", "create stage"}, {"CREATE TEMP TABLE \"_backfill_twice", "find twice"},
		{"CREATE TEMP TABLE \"_backfill_outside", "meet outside"},
		{"CREATE TEMP TABLE \"_backfill_newest", "pick newest"}, {"DELETE FROM \"_backfill_stage", "drop twice"},
		{"INSERT INTO \"_backfill_stage", "put newest"},
		{"CREATE TABLE IF NOT EXISTS \"payroll\".\"events__backfill_ledger\"", "create ledger"},
		{"CREATE TABLE IF NOT EXISTS \"payroll\".\"events__backfill_objects\"", "create objects"},
		{"ALTER TABLE \"payroll\".\"events__backfill_ledger\" ADD COLUMN", "add column"},
		{"LOCK TABLE \"payroll\".\"events__backfill_ledger\"", "lock"},
		{"DELETE FROM \"payroll\".\"events\"", "delete"}, {"INSERT INTO \"payroll\".\"events\" ", "insert"},
		{"INSERT INTO \"payroll\".\"events__backfill_ledger\"", "insert ledger"},
		{"INSERT INTO \"payroll\".\"events__backfill_objects\"", "insert objects"}, {"DROP TABLE \"_backfill_", "drop"},
	} {
		if strings.HasPrefix(sql, k.prefix) {
			return k.kind
		}
	}
	switch {
	case strings.HasPrefix(sql, "SELECT uri"):
		return "read objects"
	case strings.HasPrefix(sql, "SELECT COALESCE(MAX(change_number), 0)"):
		return "last change"
	case strings.Contains(sql, "FROM \"payroll\".\"events__backfill_ledger\""):
		return "read ledger"
	case strings.Contains(sql, "AS _doubled"):
		return "count doubled"
	case strings.Contains(sql, "AS _again"):
		return "count again"
	case strings.Contains(sql, "FROM \"_backfill_outside"):
		return "count outside"
	case strings.Contains(sql, "AS _gone"):
		return "guard"
	case strings.HasPrefix(sql, "SELECT COUNT(*)\nFROM \"payroll\".\"events\""):
		return "count"
	case !strings.Contains(sql, "_lane1") && strings.Contains(sql, "FROM \"payroll\".\"events\""):
		return "guard"
	case strings.Contains(sql, "FROM \"_backfill_newest"):
		return "read ties"
	case strings.Contains(sql, "FROM \"_backfill_twice"):
		return "count twice"
	case strings.Contains(sql, "FROM \"_backfill_stage") && strings.Contains(sql, "JSON_PARSE"):
		return "read rows"
	case strings.Contains(sql, "FROM \"_backfill_stage"):
		return "read stage"
	case strings.Contains(sql, "FROM \"payroll\".\"events\""):
		return "read table"
	}
	return "unknown: " + sql
}

var literalTime = regexp.MustCompile(`"occurred_at" >= TIMESTAMP '([^']+)' AND "occurred_at" < TIMESTAMP '([^']+)'`)

// windowOf finds the days of a statement's predicate.
func (w *warehouse) windowOf(sql string) func(kafka.Day) bool {
	var ranges [][2]kafka.Day
	for _, m := range literalTime.FindAllStringSubmatch(sql, -1) {
		ranges = append(ranges, [2]kafka.Day{w.day(m[1]), w.day(m[2])})
	}
	return func(d kafka.Day) bool {
		for _, r := range ranges {
			if d >= r[0] && d < r[1] {
				return true
			}
		}
		return len(ranges) == 0
	}
}

func (w *warehouse) day(text string) kafka.Day {
	at, err := time.Parse("2006-01-02 15:04:05.000000", text)
	if err != nil {
		w.t.Fatal(err)
	}
	return kafka.Day(at.Unix() / 86400)
}

func pick(cells account.Cells, in func(kafka.Day) bool) account.Cells {
	out := account.Cells{}
	for p, c := range cells {
		if in(p.Day) {
			out[p] = c
		}
	}
	return out
}

// twice is how many keys stand more than once: all of them twice.
func (w *warehouse) twice() int64 { return sumRows(w.parquet) - sumRows(w.winners) - w.mislaid }

func (w *warehouse) source() account.Cells {
	if w.hasWins {
		return w.winners
	}
	return w.stage
}

func (w *warehouse) Exec(_ context.Context, sql string, args ...any) (int64, error) {
	kind := kindOf(sql)
	rows := int64(0)
	err := w.step(kind, func() error {
		in := w.windowOf(sql)
		switch kind {
		case "create ledger", "create objects":
			w.tables["events"+map[string]string{"create ledger": LedgerSuffix, "create objects": ObjectsSuffix}[kind]] = true
		case "find twice", "pick newest", "meet outside":
		case "drop twice":
			rows = 2 * w.twice()
		case "put newest":
			w.hasWins = true
			rows = w.twice()
		case "delete":
			gone := pick(w.table, in)
			rows = sumRows(gone)
			for p := range gone {
				delete(w.table, p)
			}
			for p := range pick(w.vanish, in) {
				delete(w.vanish, p)
			}
		case "insert":
			come := pick(w.source(), in)
			rows = sumRows(come)
			if w.inserted != nil {
				come = w.inserted
			}
			return w.table.Merge(w.fold(come))
		case "insert ledger":
			w.ledger = append(w.ledger, ledgerRow(w.t, args))
			rows = 1
		case "insert objects":
			n := (len(args) - 3) / 6
			for i := range n {
				w.objects = append(w.objects, append(slices.Clone(args[6*i:6*i+6]), args[6*n], args[6*n+1]))
			}
			rows = int64(n)
		case "add column":
			w.added = append(w.added, strings.Fields(sql)[5])
			w.first = len(w.added) < added()
		case "create stage", "drop", "lock":
		default:
			return fmt.Errorf("unexpected statement: %s", kind)
		}
		return nil
	})
	if kind == w.miscount {
		rows++
	}
	return rows, err
}

// fold forgets what a table without provenance does not know.
func (w *warehouse) fold(cells account.Cells) account.Cells {
	if w.target.Provenance {
		return cells
	}
	out, err := cells.Fold(func(p account.Place) account.Place { p.Topic, p.Partition = "", NoPartition; return p })
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range out {
		c.Offsets, c.OffsetSum = 0, account.Int128{}
	}
	return out
}

func (w *warehouse) Query(_ context.Context, sql string, scan func(redshift.Scanner) error, args ...any) error {
	kind := kindOf(sql)
	w.queries = append(w.queries, sql)
	var rows [][]any
	err := w.step(kind, func() error {
		in := w.windowOf(sql)
		switch kind {
		case "read stage":
			rows = w.cellRows(sql, w.stage)
		case "count outside":
			rows = [][]any{{int64(0)}}
		case "read ties": // none
		case "count again":
			rows = [][]any{{int64(0)}}
		case "count twice":
			rows = [][]any{{w.twice()}}
		case "read rows":
			rows = w.cellRows(sql, w.source())
		case "read table":
			rows = w.cellRows(sql, pick(w.table, in))
		case "guard":
			if strings.Contains(sql, "AS _gone") {
				rows = w.cellRows(sql, pick(w.vanish, in))
			} else {
				rows = w.cellRows(sql, pick(w.table, in))
			}
		case "count":
			rows = [][]any{{sumRows(pick(w.table, in))}}
		case "read ledger":
			rows = w.ledgerRows()
		case "last change":
			last := int64(0)
			for _, r := range w.ledger {
				last = max(last, r.Change)
			}
			rows = [][]any{{last}}
		case "read objects":
			for _, o := range w.objects {
				row := []any{o[0], o[1], o[6], nil, o[2]}
				for i, at := range []int{7, 3, 4, 5} {
					var n any
					if o[at] != nil {
						var v int64
						fmt.Sscan(o[at].(string), &v)
						n = v
					}
					if i == 0 {
						row[3] = n
						continue
					}
					row = append(row, n)
				}
				rows = append(rows, row)
			}
		default:
			return fmt.Errorf("unexpected query: %s", kind)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := scan(scanRow(row)); err != nil {
			return err
		}
	}
	return nil
}

// cellRows answers a cell query over the cells, in the order of its columns.
func (w *warehouse) cellRows(sql string, cells account.Cells) [][]any {
	located := strings.Contains(sql, `"_kafka_topic" AS _key1`)
	content := strings.Contains(sql, "_lane1")
	folded, err := cells.Fold(func(p account.Place) account.Place {
		if !located {
			p.Topic, p.Partition = "", NoPartition
		}
		if !content {
			p.Bucket = 0
		}
		return p
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var rows [][]any
	for _, p := range folded.Places() {
		c := folded[p]
		var row []any
		switch {
		case located && p.Topic == "":
			row = append(row, nil, nil)
		case located:
			row = append(row, p.Topic, int64(p.Partition))
		}
		if strings.Contains(sql, "CASE WHEN \"occurred_at\" <") {
			row = append(row, int64(p.Day))
		}
		if content && w.target.bucket != nil {
			row = append(row, int64(p.Bucket))
		}
		for _, v := range p.Group.Values(len(w.target.By)) {
			if v == nil {
				row = append(row, nil)
			} else {
				row = append(row, *v+".")
			}
		}
		row = append(row, c.Rows)
		if located && content {
			row = append(row, c.Offsets, c.OffsetSum.String())
		}
		if content {
			row = append(row, c.Lane1.String(), c.Lane2.String())
		}
		for i, at := range w.target.Totals {
			row = append(row, c.Sums[i].Decimal(decimals(w.target.Columns[at])), c.Counts[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// added is how many columns the first form of the ledger lacks.
func added() int {
	n := 0
	for _, c := range ledgerColumns() {
		if strings.Contains(c.definition, "DEFAULT ") && c.name != "committed_at" {
			n++
		}
	}
	return n
}

// ledgerRows gives the ledger as a query reads it: times and days as numbers.
func (w *warehouse) ledgerRows() [][]any {
	var rows [][]any
	for _, r := range w.ledger {
		var row []any
		for _, c := range ledgerColumns() {
			var value any
			switch {
			case c.name == "committed_at":
				value = fmt.Sprint(int64(r.Committed))
			case c.text(&r) == nil:
			case c.name == "slice_from":
				value = fmt.Sprint(int64(r.Window.From))
			case c.name == "slice_to":
				value = fmt.Sprint(int64(r.Window.To))
			case c.name == "stale_from":
				value = fmt.Sprint(int64(r.Stale.From))
			case c.name == "stale_to":
				value = fmt.Sprint(int64(r.Stale.To))
			case c.name == "taken_from":
				value = fmt.Sprint(int64(r.Taken.From))
			case c.name == "taken_to":
				value = fmt.Sprint(int64(r.Taken.To))
			case c.name == "day_from":
				value = fmt.Sprint(int64(r.DayFrom))
			case c.name == "day_to":
				value = fmt.Sprint(int64(r.DayTo))
			case c.name == "kind" && r.Kind == "":
				value = KindLoad
			default:
				value = c.text(&r)
			}
			row = append(row, value)
		}
		rows = append(rows, row)
	}
	return rows
}

// ledgerRow reads the parameters of the ledger's INSERT.
func ledgerRow(t *testing.T, args []any) LedgerRow {
	if len(args) != len(ledgerColumns())-1 {
		t.Fatalf("%d ledger parameters for %d columns", len(args), len(ledgerColumns())-1)
	}
	instant := func(text string) kafka.Instant {
		at, err := time.Parse("2006-01-02 15:04:05.000000", text)
		if err != nil {
			t.Fatal(err)
		}
		return kafka.InstantOf(at)
	}
	r := LedgerRow{DayFrom: kafka.NoDay, DayTo: kafka.NoDay}
	next := 0
	for _, c := range ledgerColumns() {
		if c.text == nil {
			continue
		}
		arg := args[next]
		next++
		if arg == nil {
			continue
		}
		var err error
		switch text := arg.(string); c.name {
		case "slice_from":
			r.Window.From = instant(text)
		case "slice_to":
			r.Window.To = instant(text)
		case "stale_from":
			r.Stale.From = instant(text)
		case "stale_to":
			r.Stale.To = instant(text)
		case "taken_from":
			r.Taken.From = instant(text)
		case "taken_to":
			r.Taken.To = instant(text)
		case "day_from":
			err = r.DayFrom.UnmarshalText([]byte(text))
		case "day_to":
			err = r.DayTo.UnmarshalText([]byte(text))
		default:
			err = c.set(&r, text)
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	return r
}

// scanRow is one row of an answer.
type scanRow []any

func (r scanRow) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("%d columns for %d destinations", len(r), len(dest))
	}
	for i, d := range dest {
		var ok bool
		switch d := d.(type) {
		case *string:
			*d, ok = r[i].(string)
		case *int64:
			*d, ok = r[i].(int64)
		case **string:
			ok = scanNullable(d, r[i])
		case **int64:
			ok = scanNullable(d, r[i])
		}
		if !ok {
			return fmt.Errorf("column %d: %T does not fit %T", i, r[i], d)
		}
	}
	return nil
}

func scanNullable[T any](dest **T, v any) bool {
	*dest = nil
	if v == nil {
		return true
	}
	value, ok := v.(T)
	if ok {
		*dest = &value
	}
	return ok
}

// receipts keeps what PutSlice got, and logs into the warehouse's log.
type receipts struct {
	w    *warehouse
	list []*runplan.SliceReceipt
	err  error
}

func (r *receipts) PutSlice(_ context.Context, s *runplan.SliceReceipt) (string, string, error) {
	r.w.log = append(r.w.log, "receipt")
	if r.err != nil {
		return "", "", r.err
	}
	r.list = append(r.list, s)
	return fmt.Sprintf("receipts/%d", s.Slice.Index), strings.Repeat("a", 64), nil
}

var errInjected = errors.New("injected")
