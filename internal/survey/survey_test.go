package survey_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"backfill/internal/dataset"
	"backfill/internal/survey"
)

// propose surveys the lines and returns the proposal and its text.
func propose(lines ...string) (*survey.Proposal, string) {
	s := survey.New()
	for _, l := range lines {
		s.Add([]byte(l))
	}
	p := s.Propose()
	return p, p.YAML(survey.Source{URI: "s3://archive/topics/pay", Layout: "confluent", LayoutWhy: "why", Format: "auto", Sampled: "Sample.",
		Idle: time.Hour, IdleWhy: "idle", Name: "pay", Table: "payroll.pay", Calendar: "UTC"})
}

// compile checks a text as the program will; masked columns get a key's id.
func compile(text string) (*dataset.Dataset, error) {
	env := map[string]string{"BACKFILL_MASK_KEY_ID": "0123456789abcdef"}
	return dataset.Compile("inferred.yaml", []byte(text), nil, func(name string) string { return env[name] })
}

// payroll is an ordinary archive: copies, corrections, a few broken records.
func payroll() []string {
	var lines []string
	for i := range 400 {
		amount := fmt.Sprintf(`"%d.%02d"`, 1000+i, i%100)
		switch i % 100 {
		case 7:
			amount = `"1.2345e3"`
		case 8:
			amount = `1234.5`
		}
		lines = append(lines, fmt.Sprintf(`{"eventId":"00000000-0000-4000-8000-%012d","type":%q,"occurredAt":"2026-03-%02dT10:00:00.123Z","version":%d,`+
			`"employee":{"id":%d,"email":"p%d@example.com","workPhone":"+49 30 %d"},"grossAmount":%s,"currency":"EUR","paidAt":%d,"details":{"lines":[1,2],"k%d":%d},"active":true,"memo":null,"cents":%d}`,
			i/2*2, []string{"payment.settled", "payment.reversed"}[i%2], i%28+1, i%2+1, 100000+i, i, i, amount, 1772359200000+i, i%40, i, i*100))
	}
	return append(lines, `not JSON`, `[1,2]`)
}

// TestProposal looks at what is proposed for an ordinary archive, choice by choice.
func TestProposal(t *testing.T) {
	p, text := propose(payroll()...)
	types := map[string]string{}
	for _, c := range p.Columns {
		types[c.Name] = c.Type
	}
	for name, want := range map[string]string{
		"event_id": "varchar(36)", "type": "varchar(32)", "occurred_at": "timestamp", "version": "integer", "employee_id": "bigint", "employee_email": "varchar(64)",
		"employee_work_phone": "varchar(64)", "gross_amount": "decimal(18,2)", "currency": "char(3)", "paid_at": "timestamp", "details": "super", "active": "boolean", "cents": "bigint",
	} {
		if types[name] != want {
			t.Errorf("column %s is %q, want %q", name, types[name], want)
		}
	}
	if p.Key == nil || p.Key.Name != "event_id" || p.LatestBy == nil || p.LatestBy.Name != "version" || p.EventTime == nil || p.EventTime.Name != "occurred_at" ||
		p.Currency == nil || p.Currency.Name != "currency" {
		t.Errorf("roles: key %+v, latest %+v, event time %+v, currency %+v", p.Key, p.LatestBy, p.EventTime, p.Currency)
	}
	if want := []string{"employee_email", "employee_work_phone"}; !slices.Equal(p.Personal, want) {
		t.Errorf("masked %q, want %q", p.Personal, want)
	}
	if p.Broken != 2 || len(p.LeftOut) != 1 || !strings.Contains(p.LeftOut[0], "value.memo: null in every record") {
		t.Errorf("broken %d, left out %q", p.Broken, p.LeftOut)
	}
	ds, err := compile(text)
	if err != nil {
		t.Fatalf("the proposal does not compile: %v\n%s", err, text)
	}
	if len(ds.Reconcile.Totals) != 1 || ds.Columns[ds.Reconcile.Totals[0]].Name != "gross_amount" {
		t.Errorf("totals %v", ds.Reconcile.Totals)
	}
	golden(t, "payroll.yaml", text)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (UPDATE_GOLDEN=1 writes it):\n%s", file, got)
	}
}

// TestShapes gives fields one at a time and looks at the column's line.
func TestShapes(t *testing.T) {
	repeat := func(n int, format string) []string {
		var lines []string
		for i := range n {
			lines = append(lines, fmt.Sprintf(format, i))
		}
		return lines
	}
	cases := []struct {
		name  string
		lines []string
		says  []string
	}{
		{"no zone", repeat(300, `{"id":%[1]d,"occurred_at":"2026-03-01 10:00:00"}`), []string{"zone: UTC", "LOOK: 300 of 300 have no zone", "event_time_zone: UTC"}},
		{"nanoseconds", repeat(300, `{"id":%[1]d,"occurred_at":"2026-03-01T10:00:00.123456789Z"}`), []string{"fraction: floor", "9 digits of a second"}},
		{"leading zeros stay texts", repeat(300, `{"id":%[1]d,"code":"00%03[1]d"}`), []string{"{name: code, type: varchar(16)"}},
		{"floats", repeat(300, `{"id":%[1]d,"net_amount":0.30000000000000004}`), []string{"LOOK: 300 of 300 have 10 or more digits behind the point", "amounts were found, but no currency"}},
		{"wide amounts", repeat(300, `{"id":%[1]d,"net_amount":"12345678901234567890.123"}`), []string{`"decimal(38,3)"`}},
		{"a few misfits", append(repeat(300, `{"id":%[1]d,"net_amount":"1.50"}`), `{"id":1,"net_amount":"n/a"}`), []string{"LOOK: 1 of 301 are no numbers and will be rejected", "max_rate: 0.0100"}},
		{"mixed", append(repeat(300, `{"id":%[1]d,"x":"a"}`), repeat(300, `{"id":%[1]d,"x":1}`)...), []string{"{name: x, type: super", "mixed"}},
		{"IBAN by shape", repeat(300, `{"id":%[1]d,"target":"DE8937040044%010[1]d"}`), []string{"mask: hmac_sha256", "may be a bank account: masked"}},
		{"social security number by shape", repeat(300, `{"id":%[1]d,"ref":"123-45-6%03[1]d"}`), []string{"may be a national identity number: masked"}},
		{"personal inside", repeat(300, `{"id":%[1]d,"more":{"tags":[{"x":1}],"k%[1]d":1,"person":{"ssn":"x"}}}`), []string{"{name: more, type: super", "LOOK: inside, person.ssn may be a national identity number"}},
		{"names that paths can't have", repeat(300, `{"id":%[1]d,"a.b":1,"a b":2,"Größe":3}`), []string{"left out: value.a.b:", "left out: value.a b:", "{name: gre, type: bigint, from: \"value.Größe\""}},
		{"same name twice", repeat(300, `{"id":%[1]d,"user_id":1,"user":{"id":2}}`), []string{"{name: user_id,", "{name: user_id_2,"}},
		{"lenses", repeat(300, `{"key":"k","value":{"id":%[1]d,"at":"2026-03-01T10:00:00Z"},"headers":{},"metadata":{"timestamp":1,"topic":"t","partition":0,"offset":%[1]d}}`), []string{"envelope: lenses", `from: "value.id"`, "event_time: value.at"}},
		{"debezium in connect", repeat(300, `{"schema":{},"payload":{"before":null,"after":{"id":%[1]d},"source":{},"op":"c","ts_ms":1}}`), []string{"envelope: [connect, debezium]", `from: "value.id"`}},
		{"cloudevents", repeat(300, `{"specversion":"1.0","id":"a%[1]d","source":"s","type":"t","data":{"id":%[1]d}}`), []string{"envelope: cloudevents"}},
		{"no event time", repeat(300, `{"id":%[1]d}`), []string{"event_time: none", "mode: append"}},
		{"no key", repeat(300, `{"at":"2026-03-01T10:00:00Z","n":%[1]d}`), []string{"no field tells records apart"}},
		{"line ends in names", repeat(300, `{"id":%[1]d,"x\nversion: 2":1}`), []string{"left out: value.x version: 2"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, text := propose(c.lines...)
			for _, s := range c.says {
				if !strings.Contains(text, s) {
					t.Errorf("the file does not say %q:\n%s", s, text)
				}
			}
			if _, err := compile(text); err != nil {
				t.Errorf("it does not compile: %v\n%s", err, text)
			}
		})
	}
}

// TestAnyRecordsGiveAFileThatCompiles: whatever names and values the records have.
func TestAnyRecordsGiveAFileThatCompiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.StringMatching(`[a-zA-Z_\- .]{1,12}`), rapid.SampledFrom([]string{"id", "at", "amount", "email", "currency", "value", "payload", "#", "}", "'", "\u2028", "ключ", "9"}))
		value := rapid.OneOf(rapid.SampledFrom([]string{"null", "true", "1", "-0", "1.5e300", "12345678901234567890123456789012345678901234567890", `"2026-03-01T10:00:00Z"`, `"2026-03-01"`, `"EUR"`, `"{\"a\":1}"`, `[]`, `{}`, `{"a":{"b":{"c":{"d":1}}}}`, `"1.25E-3"`}),
			rapid.Map(rapid.String(), func(s string) string { return fmt.Sprintf("%q", strings.ToValidUTF8(s, "")) }))
		var lines []string
		for range rapid.IntRange(1, 30).Draw(t, "records") {
			var fields []string
			for range rapid.IntRange(0, 6).Draw(t, "fields") {
				fields = append(fields, fmt.Sprintf("%q:%s", name.Draw(t, "name"), value.Draw(t, "value")))
			}
			lines = append(lines, "{"+strings.Join(fields, ",")+"}")
		}
		p, text := propose(lines...)
		if len(p.Columns) == 0 {
			return // a file without columns is the caller's to refuse
		}
		if _, err := compile(text); err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, strings.Join(lines, "\n"))
		}
	})
}

// FuzzAdd: no record makes the survey panic or hang.
func FuzzAdd(f *testing.F) {
	for _, l := range payroll()[:3] {
		f.Add([]byte(l))
	}
	f.Add([]byte(strings.Repeat(`{"a":`, 200)))
	f.Add([]byte(`{"a":1e999999999999}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		s := survey.New()
		s.Add(record)
		s.Add(record)
		if all, broken := s.Records(); all != 2 || broken != 0 && broken != 2 {
			t.Fatalf("%d records, %d broken", all, broken)
		}
		s.Propose().YAML(survey.Source{})
	})
}
