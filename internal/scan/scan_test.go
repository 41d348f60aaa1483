package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

func TestBrokenObjects(t *testing.T) {
	text := joined(events(0, 3000))
	packed := gzipped(t, text)
	network := fail.New(fail.Network, "the connection was reset")
	tests := []struct {
		name  string
		body  []byte
		fault func(key string, r io.Reader) (io.Reader, error)
		code  fail.Code
		parts []string // of the message
	}{
		{"cut off gzip", packed[:len(packed)-9], nil, fail.Damaged, []string{"B after record ", "(first offset 3)", "can't be read to its end", "cut off"}},
		{"corrupt gzip", append(bytes.Clone(packed[:len(packed)-6]), 0, 0, 0, 0, 0, 0), nil, fail.Damaged, []string{"B after record 3000", "corrupt"}},
		{"garbage behind gzip", append(bytes.Clone(packed), "more"...), nil, fail.Damaged, []string{"B after record 3000", "garbage"}},
		{"a format that is not read", []byte("ORC............................"), nil, fail.BadLayout, []string{"scanning B: ", "ORC"}},
		{"a lost connection is no damage", text, func(key string, r io.Reader) (io.Reader, error) {
			return io.MultiReader(io.LimitReader(r, 40000), failing{network}), nil
		}, fail.Network, []string{"scanning B: ", "reset"}},
		{"an object that changed", text, func(string, io.Reader) (io.Reader, error) {
			return nil, fail.New(fail.ArchiveChanged, "the object changed").At("B")
		}, fail.ArchiveChanged, []string{"B: the object changed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newArchive().add("A", 0, joined(events(0, 3))).add("B", 3, test.body)
			a.fault = func(key string, r io.Reader) (io.Reader, error) {
				if key == "A" || test.fault == nil {
					return r, nil
				}
				return test.fault(key, r)
			}
			s := newScanner(t, compile(t, derivedOffsets, 1), a)
			counts, err := s.Chunk(context.Background(), a.cut(0)[0], &recorder{})
			if counts != nil || !fail.Is(err, test.code) {
				t.Fatalf("counts %v, code %s, want %s: %v", counts, fail.CodeOf(err), test.code, err)
			}
			for _, part := range test.parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not name %q", err, part)
				}
			}
			if a.closed < 1 || test.code != fail.ArchiveChanged && a.closed != 2 {
				t.Errorf("%d bodies were closed", a.closed)
			}
			// The scanner is as good as new.
			a.fault, a.bodies["B"] = nil, joined(events(3, 1))
			sink := &recorder{}
			if counts, err = s.Chunk(context.Background(), a.cut(0)[0], sink); err != nil || counts.Tally[account.Row] != 4 {
				t.Errorf("after the failure: %v", err)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Damage in an object that is only compared is named by that object's records.
func TestDamageInFollowingObject(t *testing.T) {
	packed := gzipped(t, joined(events(1, 2000)))
	a := newArchive().add("A", 0, joined(events(0, 3))).add("B", 1, packed[:len(packed)-1])
	_, err := newScanner(t, compile(t, derivedOffsets, 1), a).Chunk(context.Background(), a.cut(1)[0], &recorder{})
	if !fail.Is(err, fail.Damaged) || !strings.Contains(err.Error(), "B after record 2000 (first offset 1)") {
		t.Errorf("error %v", err)
	}
}

func TestSinkErrorsPassThrough(t *testing.T) {
	for i, call := range []string{"rows", "reject", "restart", "rows", "reject", "restart"} {
		a := newArchive().add("A", 0, lines(event("a"), "{", event("b"))).add("B", 9, lines(event("c")))
		s := newScanner(t, compile(t, derivedOffsets, 1), a)
		s.ReadAhead(i >= 3)
		counts, err := s.Chunk(context.Background(), a.cut(0)[0], &recorder{fail: call})
		if counts != nil || !errors.Is(err, errSink) {
			t.Errorf("%s: %v", call, err)
		}
		sink := &recorder{}
		if _, err := s.Chunk(context.Background(), a.cut(0)[0], sink); err != nil || sink.ids() != "a b c@9" {
			t.Errorf("%s: the scanner can't be used again: %s, %v", call, sink.ids(), err)
		}
	}
}

// TestReadAhead reads a long object both ways, whole and broken; only the time
// may differ.
func TestReadAhead(t *testing.T) {
	a := newArchive().add("A", 0, joined(events(0, 20000)))
	s := newScanner(t, compile(t, derivedOffsets, 1), a)
	var sinks [2]recorder
	var failures [2]string
	for i := range sinks {
		s.ReadAhead(i == 1)
		if _, err := s.Chunk(context.Background(), a.cut(0)[0], &sinks[i]); err != nil {
			t.Fatal(err)
		}
		left := 500_000
		a.fault = func(_ string, r io.Reader) (io.Reader, error) {
			return readerFunc(func(p []byte) (int, error) {
				if left <= 0 {
					return 0, fail.New(fail.Network, "the connection was reset")
				}
				n, err := r.Read(p[:min(len(p), left)])
				left -= n
				return n, err
			}), nil
		}
		_, err := s.Chunk(context.Background(), a.cut(0)[0], &recorder{})
		a.fault = nil
		if !fail.Is(err, fail.Network) {
			t.Fatal(err)
		}
		failures[i] = err.Error()
	}
	if len(sinks[0].rows) != 20000 || !slices.Equal(sinks[0].rows, sinks[1].rows) || failures[0] != failures[1] {
		t.Errorf("%d and %d rows; %q and %q", len(sinks[0].rows), len(sinks[1].rows), failures[0], failures[1])
	}
}

func TestCancelled(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		testCancelled(t, ahead)
	}
}

func testCancelled(t *testing.T, ahead bool) {
	reason := errors.New("the pod is stopped")
	ctx, cancel := context.WithCancelCause(context.Background())
	a := newArchive().add("A", 0, joined(events(0, 5000))).add("B", 5000, joined(events(5000, 1)))
	reads := 0
	a.fault = func(key string, r io.Reader) (io.Reader, error) {
		return readerFunc(func(p []byte) (int, error) {
			if reads++; reads == 3 {
				cancel(reason)
				return 0, fmt.Errorf("getting bytes: %w", context.Canceled)
			}
			return io.LimitReader(r, 1<<10).Read(p)
		}), nil
	}
	s := newScanner(t, compile(t, derivedOffsets, 1), a)
	s.ReadAhead(ahead)
	_, err := s.Chunk(ctx, a.cut(0)[0], &recorder{})
	if !errors.Is(err, reason) || fail.Is(err, fail.Damaged) {
		t.Errorf("error %v", err)
	}
	a.fault = nil
	sink := &recorder{}
	if _, err = newScanner(t, compile(t, derivedOffsets, 1), a).Chunk(ctx, a.cut(0)[0], sink); !errors.Is(err, reason) || len(sink.rows) > 0 {
		t.Errorf("with a context that has ended: %d rows, %v", len(sink.rows), err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Nothing of a pass that was thrown away is in the rows, rejects or counts.
func TestRestartForgets(t *testing.T) {
	text := lines(event("a"), "{", `{"type":"other","at":"2026-03-05T10:00:00Z"}`, `{"type":"paid","at":"2027-03-05T10:00:00Z"}`, "{}", "null")
	a := newArchive().add("A", 0, text).add("B", 9, lines(event("c")))
	ds := compile(t, derivedOffsets, 4)
	got := scanAll(t, ds, a, a.cut(0))
	if got.restarts != 1 || len(got.rows) != 2 || len(got.rejects) != 1 {
		t.Fatalf("%d restarts, %d rows, %d rejects", got.restarts, len(got.rows), len(got.rejects))
	}
	c := got.counts[0]
	want := account.Tally{account.Unreadable: 1, account.Tombstone: 1, account.Undatable: 1, account.OutOfWindow: 1, account.Filtered: 1, account.Row: 2}
	if c.Tally != want || len(c.Objects) != 2 || c.Dropped["other"] != 1 || c.Undatable["A"] != 1 || c.Reasons["malformed_json"] != 1 || len(c.OutOfWindow) != 1 {
		t.Errorf("counts of more than one pass: %+v", c)
	}
	total, err := c.Cells.Total(2)
	if err != nil || total.Rows != 2 || total.Offsets != 1 || total.OffsetSum != account.FromInt64(9) {
		t.Errorf("cells %+v, %v", total, err)
	}
}

func TestTechnicalColumns(t *testing.T) {
	a := newArchive().add("A", 5, lines(event("a"))).add("B", 7, lines(event("b")))
	got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(0))
	for i, want := range []string{`|"pay"|3|NULL|`, `|"pay"|3|7|`} {
		if !strings.HasSuffix(got.rows[i].text, want) {
			t.Errorf("row %s does not end in %s", got.rows[i].text, want)
		}
	}
}

// cellSink counts rows again, slowly, from copies of what it is given.
type cellSink struct {
	recorder
	t     *testing.T
	ds    *dataset.Dataset
	cells account.Cells
}

func (s *cellSink) Rows(b *columns.Batch) error {
	all, err := RowText(s.ds)
	if err != nil {
		return err
	}
	key, err := KeyText(s.ds)
	if err != nil {
		return err
	}
	for i := range b.N {
		var buf canon.Buffer
		currency := &b.Cols[s.ds.ColumnIndex("currency")]
		group := account.Group("\x00")
		if !currency.Null[i] {
			group = account.Group(strings.TrimRight(string(currency.S[i]), " "))
		}
		c := s.cells.At(account.Place{
			Topic: partition.Topic, Partition: partition.Partition,
			Day:    kafka.NewCalendar(s.ds.Calendar).DayOf(b.EventTime[i]),
			Bucket: key.Bucket(b, i, s.ds.Reconcile.Buckets, &buf), Group: group,
		}, 2)
		lane1, lane2 := all.Lanes(b, i, &buf)
		one := &account.Cell{Rows: 1, Lane1: account.FromInt64(lane1), Lane2: account.FromInt64(lane2), Sums: make([]account.Int128, 2), Counts: make([]int64, 2)}
		if b.Offset[i] != kafka.NoOffset {
			one.Offsets, one.OffsetSum = 1, account.FromInt64(int64(b.Offset[i]))
		}
		for n, name := range []string{"amount", "wide"} {
			v := &b.Cols[s.ds.ColumnIndex(name)]
			if v.Null[i] {
				continue
			}
			one.Counts[n] = 1
			if v.Shape == schema.Int {
				one.Sums[n] = account.FromInt64(v.I[i])
			} else if one.Sums[n], err = account.FromBytes(v.S[i]); err != nil {
				return err
			}
		}
		if err := c.Add(one); err != nil {
			return err
		}
	}
	return s.recorder.Rows(b)
}

func TestCellsAreTheSumOfRows(t *testing.T) {
	var list []string
	for i := range 4000 {
		currency := []string{`"USD"`, `"EUR"`, `null`, `"X "`, `"X"`}[i%5]
		amount := []string{`"1.25"`, `-7`, `null`, `"92233720368547758.07"`}[i%4]
		wide := []string{`"99999999999999999999999999.9999"`, `"-0.0001"`, `null`}[i%3]
		list = append(list, fmt.Sprintf(`{"id":"e%d","type":"void","at":"2026-03-%02dT%02d:30:00-07:00","amount":%s,"wide":%s,"currency":%s}`,
			i, 2+i%29, i%24, amount, wide, currency))
	}
	for _, buckets := range []int{1, 16} {
		a := newArchive().add("A", 0, gzipped(t, lines(list[:2500]...))).add("B", 2500, lines(list[2500:2600]...)).add("C", 2700, zipped(t, lines(list[2600:]...)))
		ds := compile(t, derivedOffsets, buckets)
		sink := &cellSink{t: t, ds: ds, cells: account.Cells{}}
		s := newScanner(t, ds, a)
		first := runplan.Chunk{Partition: kafka.TopicPartition{Topic: "other", Partition: 1}, Objects: a.cut(1)[0].Objects}
		if _, err := s.Chunk(context.Background(), first, &recorder{}); err != nil { // its cells must not show up
			t.Fatal(err)
		}
		a.inputs[2].First = 2600 // a gap would restart
		chunk := a.cut(0)[0]
		counts, err := s.Chunk(context.Background(), chunk, sink)
		if err != nil {
			t.Fatal(err)
		}
		if len(counts.Cells) != len(sink.cells) || sink.restarts > 0 {
			t.Fatalf("%d cells, want %d; %d restarts", len(counts.Cells), len(sink.cells), sink.restarts)
		}
		for p, want := range sink.cells {
			if got := counts.Cells[p]; got == nil || !got.Equal(want) {
				t.Errorf("cell %+v is %+v, want %+v", p, got, want)
			}
		}
	}
}
