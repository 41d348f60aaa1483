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
