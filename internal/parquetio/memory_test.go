package parquetio

import (
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// TestMemoryStaysInsideItsBound writes what compresses worst and, in columns
// that are declared to have few values, as many as fit.
func TestMemoryStaysInsideItsBound(t *testing.T) {
	cols := everyType()
	for i := range cols {
		cols[i].Const = nil
	}
	o := Options{PageBytes: 128 << 10, RowGroupBytes: 4 << 20}
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	b := columns.NewBatch(cols)
	b.N = columns.BatchRows
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w, err := NewWriter(io.Discard, cols, o)
	if err != nil {
		t.Fatal(err)
	}
	var peak int64
	for n := range 60 {
		for i := range cols {
			v, c := &b.Cols[i], w.chunks[i]
			for row := range b.N {
				switch v.Shape {
				case schema.Int:
					v.I[row] = r.Int64N(c.high)
				case schema.Wide:
					v.S[row] = wide64(r.Int64())
				case schema.Bytes:
					from := r.IntN(len(noise) - 200)
					v.S[row] = noise[from : from+min(c.length, 200)]
				}
			}
		}
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if n%5 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, int64(now.HeapAlloc)-int64(before.HeapAlloc))
		}
	}
	if bound := MemoryBound(cols, o); peak > bound || peak < bound/20 {
		t.Errorf("%d KiB held, the bound is %d KiB", peak>>10, bound>>10)
	}
	runtime.KeepAlive(w)
}

func TestMemoryBoundGrowsWithItsParts(t *testing.T) {
	cols := everyType()
	small := MemoryBound(cols, Options{})
	if got := MemoryBound(cols, Options{PageBytes: DefaultPageBytes, RowGroupBytes: DefaultRowGroupBytes}); got != small {
		t.Errorf("the defaults hold %d, the zero options %d", got, small)
	}
	if MemoryBound(cols[1:], Options{}) >= small || MemoryBound(cols, Options{PageBytes: 1 << 20}) <= small || MemoryBound(cols, Options{RowGroupBytes: 64 << 20}) <= small {
		t.Error("columns, pages or row groups are not in the bound")
	}
}

// TestWarmWriterTakesNoMemory: once it has written a file, a writer takes only
// what names the next one's row groups, also for pages that become no smaller.
func TestWarmWriterTakesNoMemory(t *testing.T) {
	cols := []schema.Column{{Name: "noise", Type: schema.Type{Kind: schema.Bigint}, Required: true}, {Name: "text", Type: schema.Type{Kind: schema.Varchar, Length: 300}}}
	w, err := NewWriter(io.Discard, cols, Options{PageBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	b := columns.NewBatch(cols)
	b.N = columns.BatchRows
	text := []byte("some text")
	file := func() {
		w.Reset(io.Discard)
		for range 128 {
			for row := range b.N {
				b.Cols[0].I[row] = int64(r.Uint64())
				b.Cols[1].S[row], b.Cols[1].Null[row] = text[:r.IntN(9)], row%3 == 0
			}
			if err := w.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	file()
	file()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	file()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<10 {
		t.Errorf("the third file took %d bytes", took)
	}
}

// TestSqueezedTakesNoMemory: neither a block that can't be made smaller nor a
// last one of a few bytes costs the memory that the next block is made in.
func TestSqueezedTakesNoMemory(t *testing.T) {
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	page := make([]byte, 2*blockBytes+9)
	for i := range page {
		page[i] = byte(r.Uint32()) >> (i / blockBytes * 3) // noise, then digits, then few bytes
	}
	out := make([]byte, 0, 2*len(page))
	if n := testing.AllocsPerRun(5, func() { out = c.squeezed(out[:0], page) }); n != 0 {
		t.Errorf("%.0f allocations a page", n)
	}
}
