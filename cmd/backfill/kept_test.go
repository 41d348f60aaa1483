package main

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/publish"
	"backfill/internal/redshift"
)

// inText runs the worker with output for people and returns its standard output.
func inText(t *testing.T, h *harness, args ...string) string {
	t.Helper()
	cmd := exec.Command(h.binary, args...)
	cmd.Env, cmd.Dir = h.env(), t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// TestRetainKeptRows: rows that were put aside for undo go with the next load
// when they are older than the dataset allows, and not before.
func TestRetainKeptRows(t *testing.T) {
	b := newBook(t, "retained", "replace_window", "87600h")
	tables := func() int {
		return len(b.h.rows(t, "SELECT table_name FROM svv_tables WHERE table_name LIKE 'retained\\_\\_backfill\\_replaced%'"))
	}
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 6, 1, "2.00", false})
	b.insert(entry{"a", 5, 0, "0.50", false})
	b.run(0, 5, 6, "--keep-replaced")
	b.run(0, 6, 7, "--set", "retain.kept_rows=1h")
	if tables() != 1 {
		t.Fatalf("%d tables of kept rows, before their time is over", tables())
	}
	b.put(0, 2, entry{"c", 6, 1, "3.00", false})
	o := b.run(0, 6, 7, "--set", "retain.kept_rows=1ms", "--keep-replaced")
	if tables() != 1 || !strings.Contains(o.stderr, "dropped 1 rows that plan 1 had replaced") {
		t.Errorf("%d tables of kept rows:\n%s", tables(), o.stderr)
	}
	if rows := b.h.rows(t, "SELECT seq, kind, rows_put_aside, reason FROM payroll.retained__backfill_ledger WHERE kind = 'forget'"); len(rows) != 1 || rows[0] != "1|forget|1|retain.kept_rows is 1ms|" {
		t.Errorf("ledger %q", rows)
	}
	if o := b.h.run(t, 4, "load", "--undo", "1", "--dataset", b.file); o.result.Code != "undo_impossible" || !strings.Contains(o.result.Error, "the kept rows were dropped") {
		t.Errorf("%s: %s", o.result.Code, o.result.Error)
	}

	// What was dropped is said on the terminal, too.
	seq := strconv.FormatInt(o.result.Seq, 10)
	if out := inText(t, b.h, "load", "--forget-older", "720h", "--dataset", b.file); out != "no rows of payroll.retained have been kept for longer than 720h0m0s\n" {
		t.Errorf("nothing to drop: %q", out)
	}
	if out := inText(t, b.h, "load", "--forget", seq, "--dataset", b.file); out != "dropped 1 rows that plan "+seq+" had replaced: payroll.retained__backfill_replaced_"+seq+"\n" {
		t.Errorf("dropped: %q", out)
	}
	if tables() != 0 {
		t.Errorf("%d tables of kept rows are left", tables())
	}
}

// TestAppendKeepsOnlyProvenRows: without offsets that are proven, undo could not
// find the rows, and the load says so before it commits.
func TestAppendKeepsOnlyProvenRows(t *testing.T) {
	b := newBook(t, "append_unproven", "append", "0h")
	day := func(id string) entry { return entry{id, 5, 1, "1.00", false} }
	b.put(0, 0, day("a"), day("b"))
	b.put(0, 1, day("c")) // the first object's name and rows disagree with it
	o := b.run(4, 0, 0, "--keep-replaced")
	if o.result.Code != "undo_impossible" || !strings.Contains(o.result.Error, "appended rows have no proven offset, and undo would find them by nothing else; nothing was changed") ||
		!strings.Contains(o.result.Hint, "load without --keep-replaced, or give records.offset") {
		t.Errorf("%s: %s (%s)", o.result.Code, o.result.Error, o.result.Hint)
	}
	if rows := b.rows(); len(rows) != 0 {
		t.Errorf("the table holds %q", rows)
	}
	b.run(6, 0, 0) // two records claim one offset

	bare := newBook(t, "append_bare", "append", "0h")
	bare.flags = []string{"--set", "table.provenance=false"}
	bare.h.sql(t, "DROP TABLE payroll.append_bare",
		"CREATE TABLE payroll.append_bare (id varchar(20) NOT NULL, at timestamp NOT NULL, v integer, amount decimal(18,2), currency char(3) NOT NULL, gone boolean, body super)")
	bare.put(0, 0, day("a"))
	if o := bare.run(2, 0, 0, "--keep-replaced"); !strings.Contains(o.result.Error, "--keep-replaced of an append needs table.provenance and proven offsets") {
		t.Errorf("%s: %s", o.result.Code, o.result.Error)
	}
}

// TestAppendNothingLeft: an unfinished plan of which another one has loaded
// every object is done, when there is nothing else.
func TestAppendNothingLeft(t *testing.T) {
	b := newBook(t, "append_left", "append", "0h")
	b.put(0, 0, entry{"a", 5, 1, "1.00", false})
	first := b.do("plan", 0, 0, 0).result
	second := b.do("plan", 0, 0, 0, "--replan").result
	if first.Seq != 1 || second.Seq != 2 {
		t.Fatalf("plans %d and %d", first.Seq, second.Seq)
	}
	b.h.run(t, 0, "convert", "--plan", first.Plan)
	b.h.run(t, 0, "load", "--plan", first.Plan)
	o := b.run(0, 0, 0)
	if !o.result.Done || o.result.Inserted != 0 || !strings.Contains(notes(o), "another plan has appended 1 of its objects: nothing is left to load") {
		t.Errorf("done %v: %s", o.result.Done, notes(o))
	}
	b.want("a|05 00|1|1.00|f|0|")
	b.put(0, 1, entry{"b", 5, 1, "2.00", false})
	if o := b.run(0, 0, 0); o.result.Inserted != 1 {
		t.Errorf("%+v", o.result)
	}
}

// TestTiesAreUnknown: which of two versions is true that nothing orders is not
// known, whatever the mode; equal ones are no question.
func TestTiesAreUnknown(t *testing.T) {
	for _, mode := range []string{"replace_window", "insert_missing"} {
		b := newBook(t, "ties_"+mode, mode, "87600h")
		b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 5, 1, "2.00", false})
		b.put(1, 0, entry{"b", 5, 1, "2.00", false})
		b.run(0, 5, 6)
		b.put(1, 1, entry{"a", 6, 1, "1.10", false}) // of another day
		b.put(1, 2, entry{"c", 5, 1, "3.00", false})
		b.run(6, 5, 7)
		o := b.run(6, 5, 7)
		if !strings.Contains(o.result.Error, "1 keys have equal versions in several partitions or without proven offsets, on 2026-03-05") {
			t.Errorf("%s: %s", mode, o.result.Error)
		}
	}
}

// TestUnplacedTiesAreUnknown: of equal versions of one partition the later offset
// is true; where nothing proves offsets, which is true is not known.
func TestUnplacedTiesAreUnknown(t *testing.T) {
	for _, mode := range []string{"replace_window", "upsert", "insert_missing"} {
		placed := newBook(t, "placed_"+mode, mode, "87600h")
		placed.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"a", 5, 1, "1.10", false})
		placed.run(0, 5, 6)
		placed.want("a|05 00|1|1.10|f|1|")

		unplaced := newBook(t, "unplaced_"+mode, mode, "87600h")
		lines := ""
		for _, e := range []entry{{"a", 5, 1, "1.00", false}, {"a", 5, 1, "1.10", false}, {"b", 5, 1, "2.00", false}, {"b", 5, 1, "2.00", false}} {
			lines += e.line() + "\n"
		}
		unplaced.write("book/currency=USD/book+0+0000000000.json", lines)
		o := unplaced.run(6, 5, 6)
		if !strings.Contains(o.result.Error, "1 keys have equal versions in several partitions or without proven offsets, on 2026-03-05") {
			t.Errorf("%s: %s", mode, o.result.Error)
		}
	}
}

// realDisks is a real session to which a table answers in the place of the
// view that only superusers of provisioned clusters read.
type realDisks struct{ publish.Session }

func (r realDisks) Query(ctx context.Context, sql string, scan func(redshift.Scanner) error, args ...any) error {
	return r.Session.Query(ctx, strings.Replace(sql, "stv_node_storage_capacity", "payroll.disks", 1), scan, args...)
}

// TestHeadroomOverTheWire asks over a real session: the stand-in refuses the
// view as a cluster refuses it to plain users, which is no error; and the sums
// of two nodes arrive as numbers.
func TestHeadroomOverTheWire(t *testing.T) {
	h := shared
	host, port, err := net.SplitHostPort(h.warehouse.Addr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := redshift.Connect(t.Context(), redshift.Config{TLS: redshift.TLS{Off: true}, Login: func(context.Context) (redshift.Login, error) {
		return redshift.Login{Host: host, Port: uint16(number), Database: "analytics", User: "backfill", Password: password}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if disks, told, err := publish.ReadHeadroom(t.Context(), conn); err != nil || told {
		t.Errorf("refused: %+v, told %v, %v", disks, told, err)
	}
	h.sql(t, "CREATE TABLE payroll.disks (node INTEGER, used INTEGER, capacity INTEGER)")
	if _, told, err := publish.ReadHeadroom(t.Context(), realDisks{conn}); err != nil || told {
		t.Errorf("without nodes: told %v, %v", told, err)
	}
	h.sql(t, "INSERT INTO payroll.disks VALUES (0, 2000000000, 2100000000), (1, 2000000000, 2100000000)")
	disks, told, err := publish.ReadHeadroom(t.Context(), realDisks{conn})
	if want := (publish.Headroom{Used: 4_000_000_000 << 20, Capacity: 4_200_000_000 << 20}); err != nil || !told || disks != want {
		t.Errorf("%+v, told %v, %v; want %+v", disks, told, err, want)
	}
	if _, err := disks.Check(1 << 50); !fail.Is(err, fail.Disk) {
		t.Errorf("a load that can't fit: %v", err)
	}
}

// TestAppendAgainIsSaid: without offsets in the records, the rows of a
// partition's newest object are known by its name and ETag only. Archived again
// in another object they are loaded again, and the offsets that stand twice make the result INCOMPLETE.
func TestAppendAgainIsSaid(t *testing.T) {
	b := newBook(t, "append_again", "append", "0h")
	day := func(id string) entry { return entry{id, 5, 1, "1.00", false} }
	b.put(0, 0, day("a"), day("b"))
	b.run(0, 0, 0)
	b.put(0, 1, day("b"), day("c"))
	o := b.run(6, 0, 0)
	if r := o.result; r.Inserted != 2 || r.Doubled != 1 || r.Verdict != "INCOMPLETE" ||
		!strings.Contains(r.Error, "1 offsets of appended rows stood more than once after their load: their records were archived again in another object") {
		t.Errorf("%+v", r)
	}
	b.want("a|05 00|1|1.00|f|0|", "b|05 00|1|1.00|f|1|", "b|05 00|1|1.00|f|1|", "c|05 00|1|1.00|f|2|")
	b.same(6, 0, 0)
}
