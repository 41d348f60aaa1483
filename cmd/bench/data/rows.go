package data

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// rows writes the records of one object, one JSON line each. Equal workloads
// and objects give equal bytes.
type rows struct {
	w         Workload
	columns   []Column
	random    *rand.Rand
	companies *rand.Zipf
	object    object
	share     int64 // rows of the partition
	at        int64 // next offset
	bad       bool  // the record at hand has a value that does not fit
	dropped   int64 // records so far that must not come out
	start     time.Time
}

var monthStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func newRows(w Workload, o object) *rows {
	r := rand.New(rand.NewPCG(w.Seed, uint64(o.partition)<<40|uint64(o.first)))
	share := int64(0)
	for _, other := range w.objects(o.partition) {
		share += other.rows
	}
	return &rows{w: w, columns: columns(w), random: r, companies: rand.NewZipf(r, 1.2, 1, 19_999), object: o, share: share, at: o.first, start: monthStart}
}

// line appends the next record and its newline.
func (r *rows) line(b []byte) []byte {
	begin := len(b)
	r.bad = false
	switch r.w.Shape {
	case Wide:
		b = r.wide(b)
	case Numbers:
		b = r.numbers(b)
	default:
		b = r.event(b)
	}
	r.at++
	if r.w.RejectRate > 0 && r.random.Float64() < r.w.RejectRate/5 { // a fifth of the rejects is cut off, within a text
		b = b[:begin+bytes.LastIndex(b[begin:], []byte(`"agent":"`))+12]
		r.bad = true
	}
	if r.bad {
		r.dropped++
	}
	return append(b, '\n')
}

// when returns the event time of the next record: along the offsets, or of any day.
func (r *rows) when() time.Time {
	span := time.Duration(r.w.Days) * 24 * time.Hour
	if r.w.Shuffled {
		return r.start.Add(time.Duration(r.random.Int64N(int64(span)))).Truncate(time.Microsecond)
	}
	step := int64(span) / r.share
	return r.start.Add(time.Duration(r.at*step + r.random.Int64N(step))).Truncate(time.Microsecond)
}

// The vocabulary of payroll events.
var (
	eventTypes = [...]string{"payment.settled", "payment.reversed", "payment.failed", "payrun.opened", "payrun.approved", "payrun.closed",
		"tax.withheld", "tax.filed", "employee.onboarded", "employee.changed", "employee.left", "benefit.deducted"}
	currencies  = [...]string{"USD", "USD", "USD", "EUR", "GBP", "JPY", "MXN", "CAD"}
	departments = [...]string{"engineering", "operations", "finance", "field-service", "sales", "legal"}
	agents      = [...]string{"payroll-service/4.17.2", "ledger-bridge/2.3.0", "console/2026.2 (web)"}
	notes       = [...]string{`manual \"gross-up\" by ops`, `retro pay`, `período anterior`, `nachträglich geändert`, `line one\nline two`, `caf\u00e9 allowance`, `see ticket`, `tab\there`}
)

// event appends a payroll event. Three in a hundred have another key order,
// five a key that no column reads, forty a null note and ten none.
func (r *rows) event(b []byte) []byte {
	x := r.random
	when := r.when()
	company := int64(r.companies.Uint64()) + 1
	gross := 10_000 + x.Int64N(2_000_000)
	tax := gross * (10 + x.Int64N(30)) / 100
	id := r.uuid
	badAmount, badEmployee := false, false
	if r.w.RejectRate > 0 {
		bad := x.Float64() / r.w.RejectRate
		badAmount, badEmployee = bad < 0.4, bad >= 0.4 && bad < 0.8
		r.bad = badAmount || badEmployee
	}
	b = append(b, '{')
	if swapped := x.IntN(100) < 3; swapped {
		b = fmt.Appendf(b, `"company_id":%d,"event_type":"%s",`, company, eventTypes[x.IntN(len(eventTypes))])
		b = append(id(append(b, `"event_id":"`...)), `",`...)
	} else {
		b = append(id(append(b, `"event_id":"`...)), `",`...)
		b = fmt.Appendf(b, `"event_type":"%s","company_id":%d,`, eventTypes[x.IntN(len(eventTypes))], company)
	}
	b = fmt.Appendf(b, `"schema_version":%d,"sequence":%d,"occurred_at":"`, 1+x.IntN(4), r.at*8+int64(r.object.partition))
	b = when.AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = fmt.Appendf(b, `","ingested_at":%d,`, when.UnixMilli()+x.Int64N(90_000))
	if x.IntN(100) < 5 {
		b = fmt.Appendf(b, `"shard_hint":%d,`, x.IntN(1000))
	}
	b = append(b, `"employee":{"id":`...)
	if badEmployee {
		b = append(b, `"unknown"`...)
	} else {
		b = strconv.AppendInt(b, company*1000+x.Int64N(900), 10)
	}
	b = fmt.Appendf(b, `,"department":"%s"},"pay_run_id":"%08x-0000-4000-8000-%012x",`, departments[x.IntN(len(departments))], company, company*31+int64(when.Day()/15))
	half := 1 + when.Day()/16*15
	b = fmt.Appendf(b, `"pay_period":{"start":"%s-%02d","end":"%s-%02d"},`, when.Format("2006-01"), half, when.Format("2006-01"), half+13)
	b = append(b, `"gross_amount":"`...)
	if badAmount {
		b = append(b, `n/a`...)
	} else {
		b = cents(b, gross)
	}
	b = cents(append(b, `","tax_amount":"`...), tax)
	b = cents(append(b, `","net_amount":"`...), gross-tax)
	b = append(b, `","bonus":`...)
	if x.IntN(4) > 0 {
		b = append(b, `null`...)
	} else {
		b = cents(b, x.Int64N(500_000))
	}
	b = fmt.Appendf(b, `,"currency":"%s","hours":`, currencies[x.IntN(len(currencies))])
	if x.IntN(10) < 3 {
		b = append(b, `null`...)
	} else {
		b = fmt.Appendf(b, `%d.%d`, x.IntN(80), 25*x.IntN(4))
	}
	b = fmt.Appendf(b, `,"is_correction":%t,"batch":%d,`, x.IntN(20) == 0, r.at/500)
	switch n := x.IntN(10); {
	case n < 4:
		b = append(b, `"note":null,`...)
	case n < 9:
		b = fmt.Appendf(b, `"note":"%s #%d",`, notes[x.IntN(len(notes))], x.IntN(10_000))
	}
	return r.metadata(b, gross, tax)
}

// metadata appends the nested document, compact, and ends the record.
func (r *rows) metadata(b []byte, gross, tax int64) []byte {
	x := r.random
	b = fmt.Appendf(b, `"metadata":{"agent":"%s","ip":"10.%d.%d.%d","trace":"%016x","tags":["payroll","eu"],"lines":[{"code":"BASE","amount":"`,
		agents[x.IntN(len(agents))], x.IntN(4), x.IntN(256), x.IntN(256), x.Uint64())
	b = cents(b, gross)
	b = cents(append(b, `"},{"code":"TAX","amount":"-`...), tax)
	return append(b, `"}]}}`...)
}

// wide appends a record of the 120 columns.
func (r *rows) wide(b []byte) []byte {
	x := r.random
	when := r.when()
	b = append(r.uuid(append(b, `{"event_id":"`...)), `","occurred_at":"`...)
	b = when.AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = fmt.Appendf(b, `","currency":"%s"`, currencies[x.IntN(len(currencies))])
	for _, c := range r.columns[3:] {
		b = fmt.Appendf(b, `,"%s":`, c.Name)
		if c.Nullable && x.IntN(3) == 0 {
			b = append(b, `null`...)
			continue
		}
		switch c.Kind {
		case Int:
			b = strconv.AppendInt(b, x.Int64N(1_000_000), 10)
		case Decimal:
			b = append(cents(append(b, '"'), x.Int64N(10_000_000)), '"')
		case Text:
			b = fmt.Appendf(b, `"%s-%d"`, departments[x.IntN(len(departments))], x.IntN(500))
		case Bool:
			b = strconv.AppendBool(b, x.IntN(2) == 0)
		case Date:
			b = append(when.AddDate(0, 0, -x.IntN(400)).AppendFormat(append(b, '"'), time.DateOnly), '"')
		}
	}
	return append(b, '}')
}

// numbers appends a record of five numbers.
func (r *rows) numbers(b []byte) []byte {
	x := r.random
	b = fmt.Appendf(b, `{"id":%d,"at":%d,"amount":`, r.at*64+int64(r.object.partition), r.when().UnixMilli())
	b = cents(b, x.Int64N(100_000_000))
	return fmt.Appendf(b, `,"units":%d,"account":%d}`, x.IntN(1000), x.Int64N(1_000_000_000_000))
}

// uuid appends a random version 4 UUID.
func (r *rows) uuid(b []byte) []byte {
	hi, lo := r.random.Uint64(), r.random.Uint64()
	return fmt.Appendf(b, "%08x-%04x-4%03x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xfff, lo>>48&0x3fff|0x8000, lo&0xffffffffffff)
}

// cents appends an amount with two decimals.
func cents(b []byte, n int64) []byte {
	b = strconv.AppendInt(b, n/100, 10)
	return append(b, '.', byte('0'+n/10%10), byte('0'+n%10))
}
