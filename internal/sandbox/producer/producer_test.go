package producer

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestJavaDouble compares with what Double.toString is documented to print.
func TestJavaDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", 12.5: "12.5", -1234.56: "-1234.56", 0.01: "0.01", 0.001: "0.001", 0.0001: "1.0E-4", 9999999: "9999999.0",
		9999999.99: "9999999.99", 1e7: "1.0E7", 12345678.9: "1.23456789E7", 3947954590422668.12: "3.947954590422668E15",
	} {
		if got := javaDouble(f); got != want {
			t.Errorf("%g: %s, want %s", f, got, want)
		}
	}
}

func TestDamaged(t *testing.T) {
	for amount, want := range map[string]bool{
		`"1234.50"`: false, `1.2345e3`: false, `"-0.00"`: false, `"9999999999999.99"`: false, `"99999999999999.99"`: true, `"-3947954590422668.12"`: true,
		`"9000000000000000.00"`: false, `null`: false,
	} {
		got, err := damaged(Event{JSON: []byte(`{"gross_amount":` + amount + `,"tax_amount":"1.00"}`)})
		if err != nil || got != want {
			t.Errorf("%s: %t, %v", amount, got, err)
		}
	}
	if _, err := damaged(Event{JSON: []byte(`{"gross_amount":"much"}`)}); err == nil || err.Error() != "gross_amount: much is no amount" {
		t.Errorf("%v", err)
	}
}

const payment = `{"event_id":"00000000-0000-4000-8000-000000000001","type":"payment.settled","occurred_at":"2026-03-01T01:00:00.123456-08:00","version":2,` +
	`"updated_at":"2026-03-01T09:00:00.123456Z","company_id":7,"pay_run_id":null,"employee":{"id":5,"name":"a b","department":"Legal"},"currency":"USD",` +
	`"gross_amount":"100.00","tax_amount":12.5,"net_amount":"8.75e1","bank_account":"XX1","details":{"method":"wire","lines":[]}}`

// TestChangeEvents shows an event as Debezium's connector tells it: created, changed, deleted.
func TestChangeEvents(t *testing.T) {
	p, err := Open("debezium", nil, Config{Topic: "pay", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for op, e := range map[string]Event{"c": {Offset: 1}, "u": {Offset: 1, Update: true}, "d": {Offset: 1, Delete: true}, "r": {Offset: 3}} {
		e.JSON, e.Committed = []byte(payment), 1772355600123
		v, err := p.Value(e)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Op            string
			Before, After map[string]any
			Source        struct {
				TsMs     int64 `json:"ts_ms"`
				Snapshot string
			}
		}
		if err := json.Unmarshal(v.Bytes, &got); err != nil {
			t.Fatal(err)
		}
		row := got.After
		if op == "d" {
			row = got.Before
		}
		if got.Op != op || (op == "d") != (got.After == nil) || (op != "d") != (got.Before == nil) || got.Source.TsMs != e.Committed || (op == "r") != (got.Source.Snapshot == "true") {
			t.Errorf("%s: %s", op, v.Bytes)
		}
		if row["gross_amount"] != "JxA=" || row["tax_amount"] != "BOI=" || row["net_amount"] != "Ii4=" || row["employee_id"] != 5.0 || row["details"] != `{"lines":[],"method":"wire"}` ||
			row["occurred_at"] != "2026-03-01T09:00:00.123456Z" || string(v.Key) != `{"event_id":"00000000-0000-4000-8000-000000000001"}` {
			t.Errorf("%s: the row is %v, the key %s", op, row, v.Key)
		}
	}
}

// TestSchemasOfOneRegistry gives schemas of other topics and formats other ids, so that their exports can lie together.
func TestSchemasOfOneRegistry(t *testing.T) {
	ids := map[float64]string{}
	for _, shape := range []string{"confluent-avro", "confluent-json", "confluent-protobuf"} {
		for _, topic := range []string{"pay", "hours"} {
			p, err := Open(shape, nil, Config{Topic: topic, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range p.Facts().Schemas {
				var answer map[string]any
				if err := json.Unmarshal(f.Body, &answer); err != nil {
					t.Fatal(err)
				}
				id, _ := answer["id"].(float64)
				if before := ids[id]; before != "" || id <= leastID || answer["subject"] != topic+"-value" || answer["version"] != float64(i+1) || !strings.HasPrefix(f.Name, topic+"-value/") {
					t.Errorf("%s: %v, the id is that of %q, too", f.Name, answer, before)
				}
				ids[id] = shape + " " + f.Name
			}
		}
	}
	if len(ids) != 12 {
		t.Errorf("%d schemas", len(ids))
	}
}

// TestWhatSchemasCannotHold names the field.
func TestWhatSchemasCannotHold(t *testing.T) {
	for _, test := range []struct{ shape, from, to, want string }{
		{"debezium", `"100.00"`, `"100.005"`, `gross_amount: "100.005" is not exact at 2 decimals`},
		{"debezium", `"2026-03-01T01:00:00.123456-08:00"`, `"soon"`, "occurred_at: reading an instant"},
		{"connect", `"100.00"`, `true`, `gross_amount: "true" is no decimal`},
		{"confluent-avro", `"currency"`, `"cur"`, "has other fields, too"},
		{"confluent-protobuf", `"USD"`, `1`, "currency: json.Number is no string"},
		{"confluent-protobuf", `"currency"`, `"cur"`, "fields [bank_account company_id cur "},
		{"glue", `"2026-03-01T01:00:00.123456-08:00"`, `7`, "occurred_at: json.Number is no instant"},
	} {
		p, err := Open(test.shape, nil, Config{Topic: "pay", Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Value(Event{JSON: []byte(strings.Replace(payment, test.from, test.to, 1))}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.shape, err, test.want)
		}
	}
}
