package parquetio

import (
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

func TestProbe(t *testing.T) {
	var cols []schema.Column
	for range 3 {
		cols = append(cols, everyType()...)
	}
	for i := range cols {
		cols[i].Name += string(rune('a' + i/20))
		cols[i].Const = nil
	}
	o := Options{}
	r := rand.New(rand.NewPCG(1, 2))
	b := columns.NewBatch(cols)
	b.N = columns.BatchRows
	w, err := NewWriter(io.Discard, cols, o)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	for n := range 400 {
		for i := range cols {
			for row := range b.N {
				v := &b.Cols[i]
				if n == 0 {
					fill(v, row, extremes(cols[i])[0])
					continue
				}
				switch {
				case v.Shape == schema.Int:
					v.I[row] = r.Int64N(w.cols[i].high)
				case v.Shape == schema.Wide:
					v.S[row] = wide64(r.Int64())
				default:
					s := make([]byte, min(cols[i].Type.Length, 60))
					for j := range s {
						s[j] = byte(r.Uint32())
					}
					v.S[row] = s
				}
			}
		}
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if n%10 == 9 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			peak = max(peak, after.HeapAlloc-before.HeapAlloc)
		}
	}
	t.Logf("peak %d MB, bound %d MB, %d cols groups %d", peak>>20, MemoryBound(cols, o)>>20, len(cols), w.groups)
}
