package columns_test

import (
	"testing"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// TestNewBatch: every vector has the slice of its shape, and only that, with
// room for a whole batch.
func TestNewBatch(t *testing.T) {
	cols := []schema.Column{
		{Name: "i", Type: schema.Type{Kind: schema.Bigint}},
		{Name: "s", Type: schema.Type{Kind: schema.Varchar, Length: 10}},
		{Name: "w", Type: schema.Type{Kind: schema.Decimal, Precision: 38, Scale: 2}},
	}
	b := columns.NewBatch(cols)
	if b.N != 0 || len(b.Cols) != len(cols) {
		t.Errorf("%d rows in %d columns", b.N, len(b.Cols))
	}
	for name, n := range map[string]int{"event times": len(b.EventTime), "offsets": len(b.Offset), "row numbers": len(b.Row)} {
		if n != columns.BatchRows {
			t.Errorf("room for %d %s", n, name)
		}
	}
	for i, want := range []struct {
		shape      schema.Shape
		ints, text int
	}{{schema.Int, columns.BatchRows, 0}, {schema.Bytes, 0, columns.BatchRows}, {schema.Wide, 0, columns.BatchRows}} {
		v := b.Cols[i]
		if v.Shape != want.shape || len(v.I) != want.ints || len(v.S) != want.text || len(v.Null) != columns.BatchRows {
			t.Errorf("column %s: shape %d with room for %d, %d, %d", cols[i].Name, v.Shape, len(v.I), len(v.S), len(v.Null))
		}
	}
	if empty := columns.NewBatch(nil); len(empty.Cols) != 0 || len(empty.Row) != columns.BatchRows {
		t.Error("a batch without columns still counts rows")
	}
}

// TestCopy: a copy shares nothing with its batch and can be made again and again.
func TestCopy(t *testing.T) {
	cols := []schema.Column{
		{Name: "i", Type: schema.Type{Kind: schema.Bigint}},
		{Name: "s", Type: schema.Type{Kind: schema.Varchar, Length: 10}},
	}
	from, to := columns.NewBatch(cols), columns.NewBatch(cols)
	for round := range 3 {
		text := []byte("abcdef")
		from.N = 3
		for i := range from.N {
			from.Cols[0].I[i], from.Cols[0].Null[i] = int64(round+i), i == 1
			from.Cols[1].S[i], from.Cols[1].Null[i] = text[2*i:2*i+2], i == 2
			from.EventTime[i], from.Offset[i], from.Row[i] = 7, 8, int64(round)
		}
		to.Copy(from)
		copy(text, "......")
		from.Cols[0].I[0], from.Row[0] = -1, -1
		i, s := to.Cols[0], to.Cols[1]
		if to.N != 3 || i.I[0] != int64(round) || !i.Null[1] || i.Null[2] || string(s.S[0]) != "ab" || string(s.S[1]) != "cd" || !s.Null[2] {
			t.Errorf("round %d: %d rows, %v %v, %q %v", round, to.N, i.I[:3], i.Null[:3], s.S[:3], s.Null[:3])
		}
		if to.EventTime[0] != 7 || to.Offset[0] != 8 || to.Row[0] != int64(round) {
			t.Errorf("round %d: %d %d %d", round, to.EventTime[0], to.Offset[0], to.Row[0])
		}
	}
}
