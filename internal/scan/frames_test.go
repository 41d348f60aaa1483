package scan

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/fail"
)

// TestSchemaVersions tells the versions that a chunk's values have, each with
// where it begins.
func TestSchemaVersions(t *testing.T) {
	_, counts, err := scanFile(t, compileWith(t, framedBytes, framed), madeFile(t, "../frames/avro.bin"), "")
	if err != nil {
		t.Fatal(err)
	}
	want := []account.SchemaCount{
		{ID: "1", Subject: "pay-value", Version: 1, Kind: "AVRO", Records: 10, Rows: 7, Object: "A", Offset: 100},
		{ID: "2", Subject: "pay-value", Version: 2, Kind: "AVRO", Records: 10, Rows: 7, Object: "A", Row: 10, Offset: 110},
	}
	if !slices.Equal(counts.Schemas, want) {
		t.Errorf("%+v", counts.Schemas)
	}
}

// TestUnknownSchemas quarantines what can't be opened, each with its reason, and
// counts the schemas that are not known.
func TestUnknownSchemas(t *testing.T) {
	values := bytes.Split(madeFile(t, "../frames/avro.bin"), []byte("\r\n--\r\n"))[:20]
	values[2][4], values[7][4] = 99, 99      // another id
	values[5] = []byte(`{"id":"x"}`)         // no frame
	values[9] = values[9][:len(values[9])-1] // cut
	body := append(bytes.Join(values, []byte("\r\n--\r\n")), "\r\n--\r\n"...)
	sink, counts, err := scanFile(t, compileWith(t, framedBytes, framed), body, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range sink.rejects {
		if len(r.Raw) == 0 || r.Detail == "" {
			t.Errorf("%+v", r)
		}
	}
	if counts.Tally[account.Unreadable] != 4 || counts.Tally.Read() != 20 {
		t.Errorf("%+v", counts.Tally)
	}
	for reason, n := range map[string]int64{"unknown_schema": 2, "not_framed": 1, "bad_body": 1} {
		if counts.Reasons[reason] != n {
			t.Errorf("%s: %d of %d", reason, counts.Reasons[reason], n)
		}
	}
	unknown := account.SchemaCount{ID: "99", Records: 2, Object: "A", Row: 2, Offset: 102}
	if !slices.Contains(counts.Schemas, unknown) || len(counts.Schemas) != 3 {
		t.Errorf("%+v", counts.Schemas)
	}
}

func TestSchemasMustBeGiven(t *testing.T) {
	_, err := New(Options{Dataset: compileWith(t, framedBytes, framed), Source: newArchive()})
	if !fail.Is(err, fail.Internal) || !strings.Contains(err.Error(), "no schemas are given") {
		t.Error(err)
	}
}

// TestFloatDamage: amounts that went through a float are rejected by that name,
// and the chunk says how many there are.
func TestFloatDamage(t *testing.T) {
	body := lines(event("a"), strings.Replace(event("b"), `"12.50"`, "0.30000000000000004", 1), strings.Replace(event("c"), `"12.50"`, "0.305", 1),
		strings.Replace(event("d"), `"12.50"`, "2.0000000000000004", 1))
	sink, counts, err := scanFile(t, compileWith(t, "auto", ""), body, "")
	if err != nil {
		t.Fatal(err)
	}
	if counts.Reasons["amount: float_damage"] != 2 || counts.Reasons["amount: inexact"] != 1 || len(sink.rejects) != 3 {
		t.Errorf("%v", counts.Reasons)
	}
	want := account.Finding{Class: account.FloatDamage, Object: "A", Offset: 101, Text: "2 records have amounts with the noise of 64-bit floats, the first in row 1, column amount"}
	if !slices.Equal(counts.Findings, []account.Finding{want}) {
		t.Errorf("%+v", counts.Findings)
	}
}

// TestJSONInStrings reads a path through a string that holds JSON.
func TestJSONInStrings(t *testing.T) {
	ds := compileWith(t, "auto", "  envelope: {value: body.event}\n  json_in: [envelope.body]\n")
	quoted := strings.ReplaceAll(`{"event":`+event("a")+`}`, `"`, `\"`)
	sink, counts, err := scanFile(t, ds, lines(`{"body":"`+quoted+`"}`, `{"body":"{"}`, `{"body":{"event":`+event("b")+`}}`), "")
	if err != nil || sink.ids() != "a@100" || counts.Reasons["not_packed"] != 2 {
		t.Errorf("%s, %v, %v", sink.ids(), counts.Reasons, err)
	}
}
