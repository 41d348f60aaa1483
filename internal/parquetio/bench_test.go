package parquetio

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// payroll returns columns and batches shaped like payroll events: unique ids,
// amounts, few currencies and types, a raw JSON text.
func payroll(batchCount int) ([]schema.Column, []*columns.Batch) {
	decimal := schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}
	varchar := func(n int) schema.Type { return schema.Type{Kind: schema.Varchar, Length: n} }
	cols := append([]schema.Column{
		{Name: "event_id", Type: varchar(36), Required: true},
		{Name: "type", Type: varchar(32)},
		{Name: "employee_id", Type: schema.Type{Kind: schema.Bigint}, Required: true},
		{Name: "company_id", Type: schema.Type{Kind: schema.Bigint}},
		{Name: "gross", Type: decimal},
		{Name: "net", Type: decimal},
		{Name: "tax", Type: decimal},
		{Name: "bonus", Type: schema.Type{Kind: schema.Decimal, Precision: 30, Scale: 2}},
		{Name: "currency", Type: schema.Type{Kind: schema.Char, Length: 3}},
		{Name: "occurred_at", Type: schema.Type{Kind: schema.Timestamp}, Required: true},
		{Name: "pay_day", Type: schema.Type{Kind: schema.Date}},
		{Name: "final", Type: schema.Type{Kind: schema.Boolean}},
		{Name: "note", Type: varchar(500)},
		{Name: "details", Type: schema.Type{Kind: schema.Super}},
	}, schema.Technical()...)
	r := rand.New(rand.NewPCG(1, 2))
	types := []string{"payment.settled", "payment.reversed", "payment.created", "employee.changed"}
	currencies := []string{"EUR", "USD", "GBP", "CHF"}
	list := make([]*columns.Batch, batchCount)
	for n := range list {
		b := columns.NewBatch(cols)
		b.N = columns.BatchRows
		for row := range b.N {
			id := fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.Uint32N(1<<16), r.Uint32N(1<<12), r.Uint32N(1<<12), r.Uint64N(1<<48))
			details := fmt.Sprintf(`{"source":"hr","batch":%d,"trace":"%x","tags":["a","b"]}`, n, r.Uint64())
			cells := []any{[]byte(id), []byte(types[r.IntN(4)]), r.Int64N(1 << 40), int64(r.IntN(20) * r.IntN(20)),
				r.Int64N(1e6), r.Int64N(1e6), r.Int64N(1e5), wide64(r.Int64N(1e4)), []byte(currencies[r.IntN(4)]),
				int64(1.7e15) + int64(n*columns.BatchRows+row)*1000 + r.Int64N(999), int64(19800 + r.IntN(30)), int64(r.IntN(2)),
				[]byte("regular run " + id[:8]), []byte(details), []byte("payroll.events"), int64(7), int64(n*columns.BatchRows + row)}
			if r.IntN(3) == 0 {
				cells[12] = nil
			}
			for i, c := range cells {
				fill(&b.Cols[i], row, c)
			}
		}
		list[n] = b
	}
	return cols, list
}

func wide64(n int64) []byte {
	b := make([]byte, 16)
	for i := range 8 {
		b[15-i] = byte(n >> (8 * i))
	}
	return b
}

// BenchmarkWrite writes files of 64 batches with one Writer.
func BenchmarkWrite(b *testing.B) {
	cols, list := payroll(64)
	w, err := NewWriter(io.Discard, cols, Options{})
	if err != nil {
		b.Fatal(err)
	}
	var s Summary
	b.ReportAllocs()
	for b.Loop() {
		w.Reset(io.Discard)
		for _, batch := range list {
			if err := w.Write(batch); err != nil {
				b.Fatal(err)
			}
		}
		if s, err = w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	rows := float64(s.Rows) * float64(b.N)
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/rows, "ns/row")
	b.ReportMetric(float64(s.Bytes)/float64(s.Rows), "B/row")
}
