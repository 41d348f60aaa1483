package scan

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/decode"
	"backfill/internal/kafka"
)

const payrollText = `version: 1
name: payroll_events
archive: {uri: "file:///srv/archive", layout: confluent}
records:
  where: 'value.type in ["payment.settled", "payment.reversed"]'
  event_time: value.occurred_at
calendar: America/Los_Angeles
columns:
  - {name: event_id,     type: varchar(36),     from: value.event_id, required: true}
  - {name: type,         type: varchar(32),     from: value.type, required: true}
  - {name: employee_id,  type: bigint,          from: value.employee.id, required: true}
  - {name: company_id,   type: bigint,          from: value.company_id}
  - {name: gross_amount, type: "decimal(18,2)", from: value.gross_amount}
  - {name: tax_amount,   type: "decimal(18,2)", from: value.tax_amount}
  - {name: net_amount,   type: "decimal(18,2)", from: value.net_amount}
  - {name: currency,     type: char(3),         from: value.currency}
  - {name: pay_run_id,   type: varchar(36),     from: value.pay_run_id}
  - {name: occurred_at,  type: timestamp,       from: value.occurred_at, required: true, fraction: reject}
  - {name: version,      type: integer,         from: value.version, required: true}
  - {name: bank_account, type: varchar(64),     from: value.bank_account}
  - {name: details,      type: super,           from: value.details}
  - {name: source,       type: varchar(16),     const: payroll}
table: {name: payroll.events, mode: replace_window, scope: "source = 'payroll'", window_column: occurred_at, key: [event_id], latest_by: [version]}
reconcile: {totals: [gross_amount, tax_amount, net_amount], by: [currency], buckets: 64}
`

// payrollEvent gives an event of about 700 bytes.
func payrollEvent(i int) string {
	kind := "payment.settled"
	if i%10 == 9 {
		kind = "profile.viewed"
	}
	h := uint64(i) * 0x9e3779b97f4a7c15
	gross := 100000 + h%900000
	tax := gross / 5
	return fmt.Sprintf(`{"event_id":"%08x-%04x-4%03x-8%03x-%012x","type":%q,"schema":"payroll.events/3","company_id":%d,"employee":{"id":%d,"name":"Employee %d","locale":"en_US","department":"Department %d"},`+
		`"gross_amount":"%d.%02d","tax_amount":"%d.%02d","net_amount":"%d.%02d","currency":%q,"pay_run_id":"run-2026-03-%02d-%06d","occurred_at":"2026-03-%02dT%02d:%02d:%02d.%06dZ","version":%d,`+
		`"bank_account":"DE%020d","details":{"lines":[{"code":"BASE","amount":"%d.00","unit":"month"},{"code":"BONUS","amount":"%d.00","unit":"once"}],"note":"paid by transfer to the account on file","checked":true,"source":{"system":"engine","build":"%d"}}}`,
		h>>32, h&0xffff, h>>16&0xfff, h>>24&0xfff, h>>8&0xffffffffffff, kind, i%500, i%20000, i%20000, i%40,
		gross/100, gross%100, tax/100, tax%100, (gross-tax)/100, (gross-tax)%100, []string{"USD", "EUR", "GBP"}[i%3], 1+i%28, i%500,
		1+i%28, i%24, i%60, i/60%60, h%1000000, i%3, h%100000000000, gross/100, h%5000, i%1000)
}

// discard is a Sink that only looks at how many rows come.
type discard struct{ rows int }

func (s *discard) Rows(b *columns.Batch) error { s.rows += b.N; return nil }
func (s *discard) Reject(*Rejected) error      { return nil }
func (s *discard) Restart() error              { s.rows = 0; return nil }

// BenchmarkChunk reads a chunk of 100,000 events in ten gzip objects.
func BenchmarkChunk(b *testing.B) {
	const objects, each = 10, 10_000
	ds, err := dataset.Compile("payroll.yaml", []byte(payrollText), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	a, plain := newArchive(), 0
	for o := range objects {
		var text bytes.Buffer
		for i := range each {
			text.WriteString(payrollEvent(o*each + i))
			text.WriteByte('\n')
		}
		plain += text.Len()
		a.add(fmt.Sprintf("%010d.json.gz", o*each), kafka.Offset(o*each), gzipped(b, text.Bytes()))
	}
	s, err := New(Options{Dataset: ds, Window: window, Source: a, BlockBytes: 1 << 20, RecordBytes: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	chunk := a.cut(0)[0]
	b.SetBytes(int64(plain))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		sink := &discard{}
		counts, err := s.Chunk(context.Background(), chunk, sink)
		if err != nil || sink.rows != objects*each*9/10 || counts.Tally[account.Filtered] != objects*each/10 {
			b.Fatalf("%d rows, %v, %v", sink.rows, counts, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*objects*each), "ns/record")
	b.ReportMetric(float64(plain)/(objects*each), "B/record")
}

// BenchmarkAccounting counts batches that are decoded already: lanes, digests,
// cells, money and offsets. cpu-ns/row is the processor's time, which a loaded
// machine changes less than the clock's.
func BenchmarkAccounting(b *testing.B) {
	ds, err := dataset.Compile("payroll.yaml", []byte(payrollText), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	var text bytes.Buffer
	for i := range 2 * columns.BatchRows {
		text.WriteString(payrollEvent(i) + "\n")
	}
	s, err := New(Options{Dataset: ds, Window: window, Source: newArchive(), BlockBytes: 4 << 20})
	if err != nil {
		b.Fatal(err)
	}
	s.decoder.Reset(bytes.NewReader(text.Bytes()))
	if err := s.decoder.Scan(s.batch, func(*decode.Record) bool { return true }); err != nil || s.batch.N != columns.BatchRows {
		b.Fatalf("%d rows, %v", s.batch.N, err)
	}
	s.counter.start(partition, account.NewChunk())
	b.ReportAllocs()
	rows, before := 0, processorTime(b)
	for b.Loop() {
		if err := s.counter.rows(s.batch); err != nil {
			b.Fatal(err)
		}
		rows += s.batch.N
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(rows), "cpu-ns/row")
}

func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
