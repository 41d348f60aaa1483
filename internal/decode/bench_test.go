package decode

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// payrollEvents returns n lines of about 700 bytes: some fields absent, some
// null, every 20th with an unknown key.
func payrollEvents(n int) []byte {
	var out bytes.Buffer
	for i := range n {
		unknown, note := "", `null`
		if i%20 == 0 {
			unknown = `"trace":{"span":"abc","sampled":true},`
		}
		switch i % 10 {
		case 0, 1, 2, 3, 4:
			note = fmt.Sprintf(`"correction for week %d"`, i%52)
		case 5:
			note = `"caf\u00e9 \"bonus\""`
		}
		fmt.Fprintf(&out, `{"event_id":"%08x-4b1d-4c6e-9f2a-%012x","type":"payment.settled","occurred_at":"2026-01-%02dT%02d:%02d:%02d.%06dZ",`+
			`"company_id":%d,"employee":{"id":%d,"name":"Employee Number %d","email":"employee.%d@example.com","country":"DE"},%s`+
			`"pay_run_id":"run-2026-01-%06d","currency":"EUR","gross_amount":"%d.%02d","tax_amount":"%d.%02d","net_amount":%d.%02d,`+
			`"period":{"from":"2026-01-01","to":"2026-01-31"},"is_correction":%t,"note":%s,`+
			`"details":{"method":"sepa","iban_suffix":"%04d","lines":[{"code":"BASE","amount":"2500.00"},{"code":"BONUS","amount":"120.50"}],"approved_by":["a17","b22"]},`+
			`"sent_at":%d,"_partition":3,"_offset":%d}`+"\n",
			i*7919, i*104729, i%28+1, i%24, i%60, (i*7)%60, i%1000000, i%500, 100000+i, i, i, unknown, i%9999,
			2500+i%1000, i%100, 500+i%300, i%100, 2000+i%700, i%100, i%10 == 0, note, i%10000, 1768000000000+i, 1000000+i)
	}
	return out.Bytes()
}

func payrollSpec() Spec {
	at := column("occurred_at", "timestamp", "occurred_at")
	id := column("event_id", "varchar(36)", "event_id")
	at.Required, id.Required = true, true
	return Spec{
		Columns: []schema.Column{
			id, column("type", "varchar(32)", "type"), at, column("company_id", "bigint", "company_id"),
			column("employee_id", "bigint", "employee", "id"), column("country", "char(2)", "employee", "country"),
			column("pay_run_id", "varchar(36)", "pay_run_id"), column("currency", "char(3)", "currency"),
			column("gross_amount", "decimal(18,2)", "gross_amount"), column("tax_amount", "decimal(18,2)", "tax_amount"),
			column("net_amount", "decimal(38,2)", "net_amount"), column("period_from", "date", "period", "from"),
			column("is_correction", "boolean", "is_correction"), column("note", "varchar(256)", "note"),
			column("details", "super", "details"),
		},
		EventTime: &TimeField{Path: []string{"occurred_at"}},
		Timestamp: &TimeField{Path: []string{"sent_at"}},
		Partition: []string{"_partition"}, Offset: []string{"_offset"},
		Where: [][]string{{"type"}},
	}
}

// TestNoAllocationPerRow scans 2000 rows again and again.
func TestNoAllocationPerRow(t *testing.T) {
	input := payrollEvents(2000)
	p, err := Compile(payrollSpec())
	if err != nil {
		t.Fatal(err)
	}
	s, batch, r := p.NewScanner(Limits{}), columns.NewBatch(payrollSpec().Columns), bytes.NewReader(nil)
	rows := 0
	allocs := testing.AllocsPerRun(20, func() {
		r.Reset(input)
		s.Reset(r)
		for err = nil; err == nil; {
			err = s.Scan(batch, func(r *Record) bool { return r.Reject == nil })
			rows += batch.N
			batch.N = 0
		}
	})
	if err != io.EOF || rows != 21*2000 || allocs > 0 {
		t.Errorf("%v after %d rows, %.1f allocations a run", err, rows, allocs)
	}
	if cap(s.arena) > 128<<10 {
		t.Errorf("the arena has %d bytes", cap(s.arena))
	}
}

func BenchmarkScan(b *testing.B) {
	const rows = 20000
	input := payrollEvents(rows)
	p, err := Compile(payrollSpec())
	if err != nil {
		b.Fatal(err)
	}
	s, batch := p.NewScanner(Limits{}), columns.NewBatch(payrollSpec().Columns)
	r := bytes.NewReader(nil)
	admit := func(r *Record) bool {
		if r.Reject != nil || r.EventTimeState != OK {
			b.Errorf("%+v: %s", r.Reject, r.Raw)
		}
		return true
	}
	kept := 0
	pass := func() {
		r.Reset(input)
		s.Reset(r)
		for {
			err := s.Scan(batch, admit)
			kept += batch.N
			batch.N = 0
			if err == io.EOF {
				return
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	pass()
	kept = 0
	b.SetBytes(int64(len(input) / rows))
	b.ReportAllocs()
	b.ResetTimer()
	for kept < b.N {
		pass()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(kept), "ns/row")
	b.ReportMetric(float64(len(input))/rows, "bytes/row")
}
