package rowdiff

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
	"backfill/internal/scan"
	"backfill/internal/tieout"
)

const file = `version: 1
name: x
archive: {uri: "file:///x", layout: confluent}
records: {event_time: value.at}
columns:
  - {name: id, type: varchar(20), from: value.id, required: true}
  - {name: at, type: timestamp, from: value.at, required: true}
  - {name: v, type: integer, from: value.v}
  - {name: amount, type: "decimal(18,2)", from: value.amount}
  - {name: currency, type: char(3), from: value.currency}
table: {name: a.b, mode: replace_window, scope: all, window_column: at, key: [id], latest_by: [v]}
reconcile: {totals: [amount], by: [currency]}
`

// event is a row of either side.
type event struct {
	id       string
	day, v   int
	cents    int
	currency string
}

func (e event) line() string {
	return fmt.Sprintf(`{"id":%q,"at":"2026-03-%02dT10:00:00Z","v":%d,"amount":"%d.%02d","currency":%q}`+"\n", e.id, e.day, e.v, e.cents/100, e.cents%100, e.currency)
}

// objects are archived objects by key.
type objects map[string]string

func (o objects) Open(_ context.Context, ref runplan.ObjectRef) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(o[ref.Key])), nil
}

// chunksOf puts the events of each partition into one object.
func chunksOf(sides ...[]event) (objects, []runplan.Chunk) {
	o, chunks := objects{}, []runplan.Chunk{}
	for n, side := range sides {
		key, body := fmt.Sprintf("o%d", n), ""
		for _, e := range side {
			body += e.line()
		}
		o[key] = body
		chunks = append(chunks, runplan.Chunk{Partition: kafka.TopicPartition{Topic: "t", Partition: kafka.Partition(n)}, Bytes: int64(len(body)),
			Objects: []runplan.ObjectRef{{Key: key, Size: int64(len(body)), Ordered: true}}})
	}
	return o, chunks
}

// table collects rows as the warehouse would give them.
type table struct {
	c    *Comparison
	rows []tieout.TableRow
	Feeder
}

func (t *table) Rows(b *columns.Batch) error {
	for i := range b.N {
		r := tieout.TableRow{At: b.EventTime[i], Values: values(t.c.ds.Columns, b, i)}
		r.Mark.Lane1, r.Mark.Lane2 = t.c.key.Lanes(b, i, &t.buf)
		r.Lane1, r.Lane2 = t.c.row.Lanes(b, i, &t.buf)
		t.rows = append(t.rows, r)
		place := account.Place{Partition: -1, Day: t.c.dayOf(t.calendar, r.At), Bucket: t.c.bucketOf(r.Mark.Lane1), Group: account.Group(appendGroup(nil, t.c.ds.Columns, b, t.c.ds.Reconcile.By, i))}
		cell := &account.Cell{Rows: 1, Sums: []account.Int128{account.FromInt64(b.Cols[3].I[i])}, Counts: []int64{1}}
		cell.Lane1.Plus(r.Lane1)
		cell.Lane2.Plus(r.Lane2)
		if err := t.c.Take(place, cell); err != nil {
			return err
		}
	}
	return nil
}

func scanInto(t *rapid.T, ds *dataset.Dataset, o objects, chunk runplan.Chunk, sink scan.Sink, dropped func(*scan.Dropped) error) {
	s, err := scan.New(scan.Options{Dataset: ds, Window: march, Source: o, BlockBytes: 1 << 16, Dropped: dropped})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Chunk(context.Background(), chunk, sink); err != nil {
		t.Fatal(err)
	}
}

var march = kafka.Window{From: 1772323200000000, To: 1775001600000000}

// found runs the whole comparison in memory.
func found(t *rapid.T, ds *dataset.Dataset, rows []event, parts ...[]event) []string {
	o, chunks := chunksOf(parts...)
	c, err := New(Options{Dataset: ds, Window: march, Chunks: chunks})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.spool.block = 200 // so that entries go to files
	for n, chunk := range chunks {
		f := c.Feeder()
		f.Begin(n)
		scanInto(t, ds, o, chunk, f, nil)
		f.End()
	}
	if err := c.Count(); err != nil {
		t.Fatal(err)
	}
	side, list := chunksOf(rows)
	held := &table{c: c, Feeder: *c.Feeder()}
	scanInto(t, ds, side, list[0], held, nil)
	bad := c.Bad()
	if err := c.Expect(bad); err != nil {
		t.Fatal(err)
	}
	for _, r := range held.rows {
		day := c.dayOf(held.calendar, r.At)
		if slices.ContainsFunc(bad, func(b tieout.Bucket) bool { return b.Day == day && b.Number == c.bucketOf(r.Mark.Lane1) }) {
			if err := c.Fetched(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Differing()
	again, _ := c.Again()
	for _, n := range again {
		p := c.Picker(func() string { return chunks[n].Objects[0].Key })
		p.Begin(chunks[n].Partition)
		scanInto(t, ds, o, chunks[n], p, p.Dropped)
		p.End()
	}
	breaks, _ := c.Classify(&tieout.Rules{Columns: ds.Columns, Key: []int{0}, Totals: ds.Reconcile.Totals, By: ds.Reconcile.By, Show: []int{0}, Window: march, Calendar: kafka.NewCalendar(ds.Calendar), Windowed: true})
	var out []string
	for _, b := range breaks {
		out = append(out, fmt.Sprintf("%s %s", b.Class, *b.Key[0]))
	}
	slices.Sort(out)
	return out
}

// naive is the exact join by plain maps.
func naive(rows []event, parts ...[]event) []string {
	want, have := map[string]event{}, map[string][]event{}
	for _, part := range parts {
		in := map[string]event{} // the newest of the partition, the last one of equals
		for _, e := range part {
			if old, there := in[e.id]; !there || e.v >= old.v {
				in[e.id] = e
			}
		}
		for id, e := range in {
			if old, there := want[id]; !there || e.v > old.v {
				want[id] = e
			}
		}
	}
	ids := map[string]bool{}
	for _, e := range rows {
		have[e.id] = append(have[e.id], e)
		ids[e.id] = true
	}
	for id := range want {
		ids[id] = true
	}
	var out []string
	for id := range ids {
		w, wanted := want[id]
		n := len(have[id])
		switch {
		case !wanted:
			out = append(out, slices.Repeat([]string{"extra " + id}, n)...)
			continue
		case n == 0:
			out = append(out, "missing "+id)
			continue
		case !slices.Contains(have[id], w):
			class := "changed "
			if older(nearest(w, have[id]), parts) {
				class = "superseded "
			}
			out = append(out, class+id)
		}
		out = append(out, slices.Repeat([]string{"duplicate " + id}, n-1)...)
	}
	slices.Sort(out)
	return out
}

// nearest is the row of a key that differs in the fewest columns.
func nearest(w event, rows []event) (best event) {
	fewest := 5
	for _, e := range rows {
		n := 0
		for _, differs := range []bool{e.day != w.day, e.v != w.v, e.cents != w.cents, e.currency != w.currency} {
			if differs {
				n++
			}
		}
		if n < fewest {
			best, fewest = e, n
		}
	}
	return best
}

// older reports whether the archive has the row, which is not the newest of its key.
func older(row event, parts [][]event) bool {
	return slices.ContainsFunc(parts, func(part []event) bool { return slices.Contains(part, row) })
}

// TestAgainstJoin plants losses, copies, edits, moves and strangers, and finds
// what an exact join finds.
func TestAgainstJoin(t *testing.T) {
	ds, err := dataset.Compile("x.yaml", []byte(file), nil, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		var parts [2][]event
		draw := func(id int) event {
			return event{fmt.Sprint("k", id), rapid.IntRange(2, 5).Draw(t, "day"), rapid.IntRange(0, 2).Draw(t, "v"), rapid.IntRange(0, 300).Draw(t, "cents"), rapid.SampledFrom([]string{"USD", "EUR"}).Draw(t, "currency")}
		}
		for range rapid.IntRange(0, 40).Draw(t, "records") {
			id := rapid.IntRange(0, 20).Draw(t, "id")
			parts[id%2] = append(parts[id%2], draw(id))
		}
		newest := map[string]event{}
		var rows []event
		for _, part := range parts {
			for _, e := range part {
				if old, there := newest[e.id]; !there || e.v >= old.v {
					newest[e.id] = e
				}
			}
		}
		for id := range 21 {
			e, there := newest[fmt.Sprint("k", id)]
			if !there {
				continue
			}
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0: // lost
			case 1:
				rows = append(rows, e, e, e)
			case 2:
				rows = append(rows, draw(id))
			case 3:
				rows = append(rows, e, draw(30+id))
			case 4: // another row took its key, on whatever day
				rows = append(rows, e, draw(id))
			default:
				rows = append(rows, e)
			}
		}
		got, want := found(t, ds, rows, parts[:]...), naive(rows, parts[:]...)
		if !slices.Equal(got, want) {
			t.Fatalf("found %v, want %v", got, want)
		}
	})
}
