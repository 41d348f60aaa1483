package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// naive judges one line by the words of the contract, with encoding/json.
func naive(line string) (d account.Disposition, id string, offset kafka.Offset) {
	offset = kafka.NoOffset
	var v any
	if json.Unmarshal([]byte(line), &v) != nil {
		return account.Unreadable, "", offset
	}
	if v == nil {
		return account.Tombstone, "", offset
	}
	record := v.(map[string]any)
	id, _ = record["id"].(string)
	if k, ok := record["k"].(map[string]any); ok {
		offset = kafka.Offset(k["o"].(float64))
	}
	at, err := time.Parse(time.RFC3339, fmt.Sprint(record["at"]))
	switch {
	case err != nil:
		return account.Undatable, id, offset
	case at.Before(window.From.Time()) || !at.Before(window.To.Time()):
		return account.OutOfWindow, id, offset
	case record["type"] != "paid" && record["type"] != "void":
		return account.Filtered, id, offset
	case id == "":
		return account.Rejected, id, offset
	}
	if amount, given := record["amount"]; given {
		r, ok := new(big.Rat).SetString(fmt.Sprint(amount))
		if !ok || !new(big.Rat).Mul(r, big.NewRat(100, 1)).IsInt() {
			return account.Rejected, id, offset
		}
	}
	return account.Row, id, offset
}

// logRecord draws the text of one record; offsets stand in it if body is set.
func logRecord(t *rapid.T, offset int, body bool) string {
	k := ""
	if body {
		k = fmt.Sprintf(`"k":{"o":%d},`, offset)
	}
	v := func(rest string, args ...any) string { return "{" + k + fmt.Sprintf(rest, args...) + "}" }
	switch rapid.IntRange(0, 14).Draw(t, "kind") {
	case 0:
		return fmt.Sprintf(`{"broken%d`, offset)
	case 1:
		return "null"
	case 2:
		return v(`"id":"n%d","type":"paid"`, offset)
	case 3:
		return v(`"id":"o%d","type":"paid","at":"2026-04-%02dT00:00:00Z"`, offset, 1+offset%28)
	case 4:
		return v(`"id":"f%d","type":"seen","at":"2026-03-10T00:00:00Z"`, offset)
	case 5:
		return v(`"type":"paid","n":%d,"at":"2026-03-10T00:00:00Z"`, offset)
	case 6:
		return v(`"id":"r%d","type":"void","at":"2026-03-10T00:00:00Z","amount":"0.001"`, offset)
	}
	return v(`"id":"e%d","type":"void","at":"2026-03-%02dT12:00:00Z","amount":"%d.25","currency":"EUR"`, offset, 1+offset%31, offset)
}

// span is an object: records [from, to) of the log, by place.
type span struct{ from, to int }

// spans cuts a log of n records into objects: consecutive ones, some missing,
// some reaching into later ones, some copied in full or in part.
func spans(t *rapid.T, n int, faults bool) (list []span, gaps, parts bool) {
	for from := 0; from < n; {
		to := min(n, from+rapid.IntRange(1, 6).Draw(t, "length"))
		one := span{from, to}
		fault := 0
		if faults {
			fault = rapid.IntRange(0, 9).Draw(t, "fault")
		}
		switch fault {
		case 1:
			gaps = true
		case 2, 3:
			one.to = min(n, to+rapid.IntRange(1, 8).Draw(t, "over"))
			list = append(list, one)
		case 4:
			list = append(list, one, one)
		case 5:
			part := span{rapid.IntRange(from, to-1).Draw(t, "part from"), to}
			part.to = rapid.IntRange(part.from+1, to).Draw(t, "part to")
			parts = true
			list = append(list, one, part)
		default:
			list = append(list, one)
		}
		from = to
	}
	return list, gaps, parts
}

// trial is a drawn archive with what the oracle says of it.
type trial struct {
	archive  *archive
	spans    []span
	offsets  []kafka.Offset      // of the log's places
	contents map[string][]string // ids by object
	tally    account.Tally
	rows     map[string]int // id@offset
	gaps     bool           // objects are missing
	parts    bool           // objects have shorter copies
	differ   bool           // some row differs from another at its offset
}

// draw makes an archive of a log whose offsets have holes if holes is set.
func draw(t *rapid.T, body, holes, faults bool) *trial {
	n := rapid.IntRange(1, 40).Draw(t, "records")
	x := &trial{archive: newArchive(), rows: map[string]int{}, contents: map[string][]string{}}
	var log []string
	next := rapid.IntRange(0, 1000).Draw(t, "first offset")
	for range n {
		if holes && rapid.IntRange(0, 5).Draw(t, "hole") == 0 {
			next += rapid.IntRange(1, 3).Draw(t, "hole of")
		}
		x.offsets = append(x.offsets, kafka.Offset(next))
		log = append(log, logRecord(t, next, body))
		next++
	}
	x.spans, x.gaps, x.parts = spans(t, n, faults)
	texts := map[identityText]bool{}
	perOffset := map[kafka.Offset]string{}
	for i, s := range x.spans {
		list := slices.Clone(log[s.from:s.to])
		if body && faults && rapid.IntRange(0, 9).Draw(t, "changed") == 0 {
			list[0] = strings.Replace(list[0], `"currency":"EUR"`, `"currency":"USD"`, 1)
		}
		text := lines(list...)
		switch rapid.IntRange(0, 2).Draw(t, "codec") {
		case 1:
			text = zipped(t, text)
		case 2:
			text = gzipped(t, text)
		}
		key := fmt.Sprintf("%04d.%d", x.offsets[s.from], i)
		x.archive.add(key, x.offsets[s.from], text)
		for j, line := range list {
			d, id, offset := naive(line)
			x.contents[key] = append(x.contents[key], id)
			if !body {
				offset = x.offsets[s.from+j]
			}
			if same := (identityText{offset, line}); d == account.Row {
				if texts[same] {
					d = account.DuplicateOffset
				} else {
					texts[same] = true
					x.rows[fmt.Sprintf("%s@%d", id, offset)]++
					if before, there := perOffset[offset]; there && before != line {
						x.differ = true
					}
					perOffset[offset] = line
				}
			}
			x.tally[d]++
		}
	}
	return x
}

type identityText struct {
	offset kafka.Offset
	text   string
}

// scanTrial reads the chunks; refused tells that one of them reaches too far.
func scanTrial(t *rapid.T, s *Scanner, chunks []runplan.Chunk) (out *result, refused bool) {
	out = &result{}
	for _, c := range chunks {
		sink := &recorder{}
		s.ReadAhead(!s.readAhead)
		counts, err := s.Chunk(context.Background(), c, sink)
		if fail.Is(err, fail.Damaged) && strings.Contains(err.Error(), "another copy of it") && len(chunks) > 1 {
			return nil, true
		}
		if err != nil {
			t.Fatal(err)
		}
		out.rows = append(out.rows, sink.rows...)
		out.counts = append(out.counts, counts)
		out.tally.Add(counts.Tally)
	}
	return out, false
}

func rowCounts(rows []row) map[string]int {
	m := map[string]int{}
	for _, r := range rows {
		m[fmt.Sprintf("%s@%d", r.id, r.offset)]++
	}
	return m
}

// ids forgets offsets.
func ids(rows map[string]int) map[string]int {
	m := map[string]int{}
	for name, n := range rows {
		id, _, _ := strings.Cut(name, "@")
		m[id] += n
	}
	return m
}

// check compares with the oracle; exact asks for all offsets, otherwise those
// that are given must be right.
func (x *trial) check(t *rapid.T, how string, got *result, exact bool) {
	if got.tally != x.tally {
		t.Fatalf("%s: tally %v, want %v", how, got.tally, x.tally)
	}
	rows := rowCounts(got.rows)
	if exact && !maps.Equal(rows, x.rows) {
		t.Fatalf("%s: rows %v, want %v", how, rows, x.rows)
	}
	if !maps.Equal(ids(rows), ids(x.rows)) {
		t.Fatalf("%s: rows %v, want %v", how, rows, x.rows)
	}
	open := x.open(got)
	for name := range rows {
		if id, _, _ := strings.Cut(name, "@"); open[id] {
			continue
		}
		if !strings.HasSuffix(name, "@-1") && x.rows[name] == 0 {
			t.Fatalf("%s: row %s has another row's offset", how, name)
		}
	}
	if x.differ {
		for _, f := range got.findings() {
			if f.Class == account.ArchiveConflict {
				return
			}
		}
		t.Fatalf("%s: no finding names the records that differ", how)
	}
}

// open returns the ids in objects whose end nothing confirms: holes in them
// can't be seen.
func (x *trial) open(got *result) map[string]bool {
	ids := map[string]bool{}
	for _, c := range got.counts {
		for _, o := range c.Objects {
			if o.Open {
				for _, id := range x.contents[o.Key] {
					ids[id] = true
				}
			}
		}
	}
	return ids
}

// reaches reports whether some object reaches over more than two later ones,
// which a cut archive may be refused for.
func (x *trial) reaches() bool {
	list := slices.Clone(x.spans)
	slices.SortStableFunc(list, func(a, b span) int { return a.from - b.from })
	for i, s := range list {
		for _, later := range list[min(len(list), i+2):] {
			if later.from < s.to {
				return true
			}
		}
	}
	return false
}

func (x *trial) cuttings(t *rapid.T) map[string][]runplan.Chunk {
	size := rapid.Int64Range(1, 3000).Draw(t, "chunk bytes")
	return map[string][]runplan.Chunk{"one object each": x.archive.cut(1), "drawn chunks": x.archive.cut(size)}
}

// property checks all cuttings of drawn archives.
func property(t *testing.T, records string, body, holes, faults bool) {
	ds := compile(t, records, 3)
	refusals, checks := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		x := draw(t, body, holes, faults)
		s, err := New(Options{Dataset: ds, Window: window, Source: x.archive, BlockBytes: 1 << 10, RecordBytes: 4 << 10})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		// Derived offsets are all proven where nothing is missing; a short copy
		// can't be told from a gap where a cut hides the object around it.
		whole := body || !holes && !x.gaps
		if len(x.spans) > 0 {
			got, _ := scanTrial(t, s, x.archive.cut(0))
			x.check(t, "one chunk", got, whole)
		}
		for how, chunks := range x.cuttings(t) {
			got, refused := scanTrial(t, s, chunks)
			if checks++; refused {
				if refusals++; !x.reaches() {
					t.Fatalf("%s: refused, and no object reaches far", how)
				}
				continue
			}
			x.check(t, how, got, body || whole && !x.parts && !x.reaches())
		}
	})
	if refusals*3 > checks {
		t.Errorf("%d of %d cuttings were refused: the property is not looked at", refusals, checks)
	}
}

func TestAnyCuttingGivesTheSame(t *testing.T) {
	t.Run("derived offsets", func(t *testing.T) { property(t, derivedOffsets, false, false, true) })
	t.Run("derived offsets, with holes and no overlaps", func(t *testing.T) { property(t, derivedOffsets, false, true, false) })
	t.Run("offsets in bodies, with holes", func(t *testing.T) { property(t, bodyOffsets, true, true, true) })
}

// Layouts whose names give no order find copies inside a chunk, wherever they are.
func TestUnorderedLayoutInOneChunk(t *testing.T) {
	ds := compile(t, bodyOffsets, 3)
	rapid.Check(t, func(t *rapid.T) {
		x := draw(t, true, true, true)
		if len(x.spans) == 0 {
			return
		}
		keys := rapid.Permutation(slices.Sorted(maps.Keys(x.archive.bodies))).Draw(t, "order")
		bodies := map[string][]byte{}
		for i := range x.archive.inputs {
			in := &x.archive.inputs[i]
			bodies[keys[i]] = x.archive.bodies[in.Key]
			in.ObjectRef = runplan.ObjectRef{Key: keys[i], Size: in.Size, First: kafka.NoOffset}
		}
		x.archive.bodies = bodies
		s, err := New(Options{Dataset: ds, Window: window, Source: x.archive, BlockBytes: 1 << 10, RecordBytes: 4 << 10})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		got, _ := scanTrial(t, s, x.archive.cut(0))
		x.check(t, "one chunk", got, true)
	})
}
