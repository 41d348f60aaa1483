package decode

import (
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/schema"
)

// TestConversions gives each value to a column of the type; want is the cell,
// or "!" and the reason.
func TestConversions(t *testing.T) {
	long := strings.Repeat("x", 65535)
	tests := []struct{ typ, value, want string }{
		{"smallint", `32767`, "32767"},
		{"smallint", `-32768`, "-32768"},
		{"smallint", `32768`, "!out_of_range"},
		{"integer", `2147483647`, "2147483647"},
		{"integer", `-2147483649`, "!out_of_range"},
		{"bigint", `9223372036854775807`, "9223372036854775807"},
		{"bigint", `-9223372036854775808`, "-9223372036854775808"},
		{"bigint", `9223372036854775808`, "!out_of_range"},
		{"bigint", `-9223372036854775809`, "!out_of_range"},
		{"bigint", `99999999999999999999999999`, "!out_of_range"},
		{"bigint", `"42"`, "42"},
		{"bigint", `"\u0034\u0032"`, "42"},
		{"bigint", `"+42"`, "42"},
		{"bigint", `"007"`, "7"},
		{"bigint", `-0`, "0"},
		{"bigint", `1.0`, "1"},
		{"bigint", `1.50`, "!inexact"},
		{"bigint", `12e2`, "1200"},
		{"bigint", `1200E-2`, "12"},
		{"bigint", `120e-2`, "!inexact"},
		{"bigint", `1e999999999`, "!out_of_range"},
		{"bigint", `1e-999999999`, "!inexact"},
		{"bigint", `0e999999999999999999999999`, "0"},
		{"bigint", `""`, "!not_a_number"},
		{"bigint", `" 1"`, "!not_a_number"},
		{"bigint", `"1,000"`, "!not_a_number"},
		{"bigint", `"0x10"`, "!not_a_number"},
		{"bigint", `"NaN"`, "!not_a_number"},
		{"bigint", `"."`, "!not_a_number"},
		{"bigint", `"1e"`, "!not_a_number"},
		{"bigint", `"--1"`, "!not_a_number"},
		{"bigint", `true`, "!wrong_type"},
		{"bigint", `{}`, "!wrong_type"},
		{"bigint", `[1]`, "!wrong_type"},
		{"bigint", `null`, "NULL"},

		{"decimal(18,2)", `1234567890123456.78`, "123456789012345678"},
		{"decimal(18,2)", `"1234567890123456.78"`, "123456789012345678"},
		{"decimal(18,2)", `"-0.01"`, "-1"},
		{"decimal(18,2)", `12345678901234567.00`, "!out_of_range"},
		{"decimal(18,2)", `1.005`, "!inexact"},
		{"decimal(18,2)", `1.500`, "150"},
		{"decimal(18,2)", `15e-1`, "150"},
		{"decimal(18,2)", `1.5e3`, "150000"},
		{"decimal(18,2)", `-0`, "0"},
		{"decimal(18,2)", `-0.00`, "0"},
		{"decimal(18,2)", `".5"`, "50"},
		{"decimal(18,2)", `"5."`, "500"},
		{"decimal(18,2)", `"$5"`, "!not_a_number"},
		{"decimal(18,2)", `false`, "!wrong_type"},
		{"decimal(4,2)", `99.99`, "9999"},
		{"decimal(4,2)", `100`, "!out_of_range"},
		{"decimal(4,2)", `-100.00`, "!out_of_range"},
		{"decimal(4,4)", `0.1234`, "1234"},
		{"decimal(4,4)", `1`, "!out_of_range"},
		{"decimal(18,0)", `999999999999999999`, "999999999999999999"},
		{"decimal(18,0)", `1000000000000000000`, "!out_of_range"},
		{"decimal(19,0)", `1000000000000000000`, "1000000000000000000"},
		{"decimal(19,2)", `92233720368547758.07`, "9223372036854775807"},
		{"decimal(19,2)", `92233720368547758.08`, "!out_of_range"},
		{"decimal(19,2)", `-92233720368547758.08`, "!out_of_range"},
		{"decimal(20,2)", `92233720368547758.08`, "9223372036854775808"},
		{"decimal(38,2)", `-0.01`, "-1"},
		{"decimal(38,0)", `99999999999999999999999999999999999999`, "99999999999999999999999999999999999999"},
		{"decimal(38,0)", `"-99999999999999999999999999999999999999"`, "-99999999999999999999999999999999999999"},
		{"decimal(38,0)", `100000000000000000000000000000000000000`, "!out_of_range"},
		{"decimal(38,37)", `1.5`, "15000000000000000000000000000000000000"},
		{"decimal(38,10)", `1e-10`, "1"},
		{"decimal(38,10)", `1e-11`, "!inexact"},
		{"decimal(38,10)", `1e2147483648`, "!out_of_range"},
		{"decimal(38,10)", `[]`, "!wrong_type"},

		{"boolean", `true`, "1"},
		{"boolean", `"false"`, "0"},
		{"boolean", `"TRUE"`, "!wrong_type"},
		{"boolean", `1`, "!wrong_type"},

		{"date", `"1970-01-02"`, "1"},
		{"date", `"2024-02-29"`, "19782"},
		{"date", `"2023-02-29"`, "!bad_date"},
		{"date", `"1900-02-29"`, "!bad_date"},
		{"date", `"0001-01-01"`, "-719162"},
		{"date", `"9999-12-31"`, "2932896"},
		{"date", `"0000-12-31"`, "!out_of_range"},
		{"date", `"2024-13-01"`, "!bad_date"},
		{"date", `"2024-04-31"`, "!bad_date"},
		{"date", `"2024-1-01"`, "!bad_date"},
		{"date", `"2024-01-01T00:00:00Z"`, "!bad_date"},
		{"date", `"+024-01-01"`, "!bad_date"},
		{"date", `19782`, "!wrong_type"},

		{"varchar(5)", `"hello"`, "hello"},
		{"varchar(5)", `"hellos"`, "!too_long_value"},
		{"varchar(5)", `"h\u00e9llo"`, "!too_long_value"},
		{"varchar(6)", `"h\u00e9llo"`, "héllo"},
		{"varchar(6)", `"h\u00E9llo"`, "héllo"},
		{"varchar(6)", `"héllo"`, "héllo"},
		{"varchar(9)", `"\"\\\/\b\f\n\r\tA"`, "\"\\/\b\f\n\r\tA"},
		{"varchar(4)", `"\ud83d\ude00"`, "😀"},
		{"varchar(9)", `"\ud83d"`, "!invalid_unicode"},
		{"varchar(9)", `"\ude00\ud83d"`, "!invalid_unicode"},
		{"varchar(9)", `"\ud83dx"`, "!invalid_unicode"},
		{"varchar(9)", `"\ud83d\u0041"`, "!invalid_unicode"},
		{"varchar(9)", `"a\u0000"`, "!nul_character"},
		{"varchar(9)", `1.50`, "1.50"},
		{"varchar(9)", `1E+2`, "1E+2"},
		{"varchar(9)", `true`, "!wrong_type"},
		{"varchar(9)", `{"a":1}`, "!wrong_type"},
		{"varchar(9)", `""`, ""},
		{"varchar(9)", `null`, "NULL"},
		{"varchar(65535)", `"` + long + `"`, long},
		{"varchar(65535)", `"` + long + `x"`, "!too_long_value"},
		{"char(3)", `"EUR"`, "EUR"},
		{"char(3)", `"EURO"`, "!too_long_value"},
		{"char(9)", `"é"`, "!not_ascii"},
		{"char(9)", `"\u00e9"`, "!not_ascii"},
		{"char(9)", `"\u0000"`, "!nul_character"},
		{"char(9)", `12`, "!wrong_type"},

		{"super", `{"a" : [1, 2.50,"\u0041"], "b":{}}`, `{"a" : [1, 2.50,"\u0041"], "b":{}}`},
		{"super", `"text"`, `"text"`},
		{"super", `1.0e2`, `1.0e2`},
		{"super", `true`, `true`},
		{"super", `null`, `NULL`},
		{"super", `{"a":null}`, `{"a":null}`},
		{"super", `"` + long[:65533] + `"`, `"` + long[:65533] + `"`},
		{"super", `"` + long[:65534] + `"`, "!too_long_value"},
		{"super", `{"a":"\\u0000 \ud83d\ude00"}`, `{"a":"\\u0000 \ud83d\ude00"}`},
		{"super", `{"a":"\u0000"}`, "!nul_character"},
		{"super", `{"a":["\ud83d"]}`, "!invalid_unicode"},
	}
	for _, test := range tests {
		spec := Spec{Columns: []schema.Column{column("c", test.typ, "v")}}
		check := func(input string) {
			t.Helper()
			got, err := scanAll(t, spec, Limits{}, strings.NewReader(input))
			if err != nil || len(got) != 1 || got[0].Kind != Value {
				t.Fatalf("%.80s: %+v, %v", input, got, err)
			}
			if reason, ok := strings.CutPrefix(test.want, "!"); ok {
				if !strings.HasPrefix(got[0].Reject, "0: "+reason+", ") {
					t.Errorf("%s into %s: %.80q rejected as %q, want %s", input[:min(60, len(input))], test.typ, got[0].Cells, got[0].Reject, reason)
				}
			} else if got[0].Reject != "" || got[0].Cells != test.want {
				t.Errorf("%s into %s: %.80q, rejected as %q, want %.80q", input[:min(60, len(input))], test.typ, got[0].Cells, got[0].Reject, test.want)
			}
		}
		check(`{"v":` + test.value + `}`)
		check(`{"v" : ` + test.value + ` , "other":1}`)
		check(`{"v":"overwritten","v":` + test.value + `}`)
		check(`{"v":{"v":1},"\u0076":` + test.value + `}`)
	}
}

func TestTimestamps(t *testing.T) {
	tests := []struct {
		value, zone string
		fraction    schema.Fraction
		unit        Unit
		want        string // RFC 3339 or reason
	}{
		{value: `"2024-02-29T12:34:56.123456Z"`, want: "2024-02-29T12:34:56.123456Z"},
		{value: `"2024-02-29t12:34:56z"`, want: "2024-02-29T12:34:56Z"},
		{value: `"2024-02-29 12:34:56.5+02:00"`, want: "2024-02-29T10:34:56.5Z"},
		{value: `"2024-02-29 12:34:56 +0200"`, want: "2024-02-29T10:34:56Z"},
		{value: `"2024-02-29 12:34:56-08"`, want: "2024-02-29T20:34:56Z"},
		{value: `"2024-02-29 12:34:56 UTC"`, want: "2024-02-29T12:34:56Z"},
		{value: `"2024-02-29T12:34Z"`, want: "2024-02-29T12:34:00Z"},
		{value: `"2024-02-29T12:34+05:30"`, want: "2024-02-29T07:04:00Z"},
		{value: `"2024-02-29T12:34:56-00:00"`, want: "2024-02-29T12:34:56Z"},
		{value: `"1969-12-31T23:59:59.999999Z"`, want: "1969-12-31T23:59:59.999999Z"},
		{value: `"0001-01-01T00:00:00Z"`, want: "0001-01-01T00:00:00Z"},
		{value: `"9999-12-31T23:59:59.999999Z"`, want: "9999-12-31T23:59:59.999999Z"},
		{value: `"9999-12-31T23:59:59-01:00"`, want: "out_of_range"},
		{value: `"0001-01-01T00:00:00+01:00"`, want: "out_of_range"},
		{value: `"0000-01-01T00:00:00Z"`, want: "out_of_range"},
		{value: `"2024-02-30T00:00:00Z"`, want: "bad_timestamp"},
		{value: `"2024-02-29T24:00:00Z"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:60:00Z"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:61Z"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:60Z"`, want: "leap_second"},
		{value: `"2024-02-29T12:00:00."`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:00.Z"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:0"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12Z"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:00+1"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:00+24:00"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:00+01:60"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:00+01:00[Europe/Paris]"`, want: "bad_timestamp"},
		{value: `"2024-02-29T12:00:00 "`, want: "bad_timestamp"},
		{value: `"2024-02-29"`, want: "bad_timestamp"},
		{value: `"yesterday"`, want: "bad_timestamp"},
		{value: `"1700000000000"`, want: "bad_timestamp"},
		{value: `"\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000T12:00:00Z"`, want: "bad_timestamp"},
		{value: `""`, want: "bad_timestamp"},
		{value: `true`, want: "wrong_type"},
		{value: `{}`, want: "wrong_type"},

		{value: `"2024-02-29T12:00:00.123456000Z"`, want: "2024-02-29T12:00:00.123456Z"},
		{value: `"2024-02-29T12:00:00.1234560001Z"`, want: "fraction"},
		{value: `"2024-02-29T12:00:00.123456789Z"`, fraction: schema.FloorFraction, want: "2024-02-29T12:00:00.123456Z"},
		{value: `"1969-12-31T23:59:59.9999999Z"`, fraction: schema.FloorFraction, want: "1969-12-31T23:59:59.999999Z"},

		{value: `"2024-02-29T12:00:00"`, want: "zone_missing"},
		{value: `"2024-02-29T12:00:00"`, zone: "UTC", want: "2024-02-29T12:00:00Z"},
		{value: `"2024-01-15T12:00:00"`, zone: "America/Los_Angeles", want: "2024-01-15T20:00:00Z"},
		{value: `"2024-07-15T12:00:00"`, zone: "America/Los_Angeles", want: "2024-07-15T19:00:00Z"},
		{value: `"2024-07-15T12:00:00Z"`, zone: "America/Los_Angeles", want: "2024-07-15T12:00:00Z"},
		{value: `"2024-03-10T01:59:59.999999"`, zone: "America/Los_Angeles", want: "2024-03-10T09:59:59.999999Z"},
		{value: `"2024-03-10T02:00:00"`, zone: "America/Los_Angeles", want: "nonexistent_time"},
		{value: `"2024-03-10T02:59:59"`, zone: "America/Los_Angeles", want: "nonexistent_time"},
		{value: `"2024-03-10T03:00:00"`, zone: "America/Los_Angeles", want: "2024-03-10T10:00:00Z"},
		{value: `"2024-11-03T00:59:59"`, zone: "America/Los_Angeles", want: "2024-11-03T07:59:59Z"},
		{value: `"2024-11-03T01:00:00"`, zone: "America/Los_Angeles", want: "ambiguous_time"},
		{value: `"2024-11-03T01:59:59"`, zone: "America/Los_Angeles", want: "ambiguous_time"},
		{value: `"2024-11-03T02:00:00"`, zone: "America/Los_Angeles", want: "2024-11-03T10:00:00Z"},
		{value: `"2011-12-30T12:00:00"`, zone: "Pacific/Apia", want: "nonexistent_time"},
		{value: `"9999-12-31T23:59:59"`, zone: "Asia/Tokyo", want: "9999-12-31T14:59:59Z"},

		{value: `1709210096123`, want: "2024-02-29T12:34:56.123Z"},
		{value: `1709210096123.5`, want: "2024-02-29T12:34:56.1235Z"},
		{value: `1709210096123.0005`, want: "fraction"},
		{value: `1709210096123.0005`, fraction: schema.FloorFraction, want: "2024-02-29T12:34:56.123Z"},
		{value: `-0.0005`, fraction: schema.FloorFraction, want: "1969-12-31T23:59:59.999999Z"},
		{value: `-1`, want: "1969-12-31T23:59:59.999Z"},
		{value: `0`, want: "1970-01-01T00:00:00Z"},
		{value: `1.709210096123e12`, want: "2024-02-29T12:34:56.123Z"},
		{value: `1709210096.25`, unit: Seconds, want: "2024-02-29T12:34:56.25Z"},
		{value: `1709210096123456`, unit: Micros, want: "2024-02-29T12:34:56.123456Z"},
		{value: `1709210096123456000`, unit: Nanos, want: "2024-02-29T12:34:56.123456Z"},
		{value: `1709210096123456789`, unit: Nanos, want: "fraction"},
		{value: `1709210096123456789`, unit: Nanos, fraction: schema.FloorFraction, want: "2024-02-29T12:34:56.123456Z"},
		{value: `-1`, unit: Nanos, fraction: schema.FloorFraction, want: "1969-12-31T23:59:59.999999Z"},
		{value: `253402300799999`, want: "9999-12-31T23:59:59.999Z"},
		{value: `253402300800000`, want: "out_of_range"},
		{value: `-62135596800001`, want: "out_of_range"},
		{value: `1e99999999999`, want: "out_of_range"},
	}
	for _, test := range tests {
		c := column("c", "timestamp", "at")
		c.Zone, c.Fraction = test.zone, test.fraction
		field := &TimeField{Path: []string{"at"}, Zone: test.zone, Fraction: test.fraction, Unit: test.unit}
		spec := Spec{Columns: []schema.Column{c}, EventTime: field, Timestamp: field}
		got, err := scanAll(t, spec, Limits{}, strings.NewReader(`{"at":`+test.value+`}`))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %v, %v", test.value, got, err)
		}
		want := test.want
		if !strings.HasSuffix(want, "Z") {
			want = "bad"
		}
		if got[0].EventTime != want || got[0].Timestamp != want {
			t.Errorf("%s in %q: event time %s, timestamp %s, want %s", test.value, test.zone, got[0].EventTime, got[0].Timestamp, want)
		}
		if test.unit == Millis && want == "bad" && !strings.HasPrefix(got[0].Reject, "0: "+test.want+", ") {
			t.Errorf("%s in %q: rejected as %q, want %s", test.value, test.zone, got[0].Reject, test.want)
		}
	}
}

func TestRejectNamesTheFirstColumnAndItsValue(t *testing.T) {
	spec := Spec{Columns: []schema.Column{
		column("a", "bigint", "a"), column("b", "decimal(18,2)", "b"), column("c", "varchar(3)", "c"),
	}}
	spec.Columns[0].Required = true
	tests := []struct{ input, want string }{
		{`{"c":"long enough","b":1.005,"a":1}`, `1: inexact, 1.005 for decimal(18,2)`},
		{`{"b":"1.005","a":1}`, `1: inexact, "1.005" for decimal(18,2)`},
		{`{"b":1}`, `0: required, absent for bigint`},
		{`{"a":null}`, `0: required, null for bigint`},
		{`{"a":1,"a":null}`, `0: required, null for bigint`},
		{`{"a":null,"a":1}`, ``},
		{`{"a":1,"c":"` + strings.Repeat("é", 30) + `"}`, `2: too_long_value, "` + strings.Repeat("é", 19) + `… for varchar(3)`},
	}
	for _, test := range tests {
		got, err := scanAll(t, spec, Limits{}, strings.NewReader(test.input+"\n"+`{"a":1}{"a":1,"c":[]}`))
		if err != nil || len(got) != 3 || got[0].Reject != test.want {
			t.Fatalf("%s: %+v, %v, want %s", test.input, got, err, test.want)
		}
		if got[1].Reject != "" || got[1].Cells != "1|NULL|NULL" || got[2].Reject != "2: wrong_type, [] for varchar(3)" {
			t.Errorf("the records after %s: %+v", test.input, got[1:])
		}
	}
}

func TestConstants(t *testing.T) {
	constant := func(typ, text string) schema.Column {
		c := column("c", typ)
		c.Path, c.Const = nil, &text
		return c
	}
	spec := Spec{Columns: []schema.Column{
		constant("varchar(9)", "payroll"), constant("decimal(18,2)", "1.5"), constant("decimal(38,2)", "-1.5"),
		constant("boolean", "true"), constant("date", "1970-01-03"), constant("timestamp", "1970-01-01T00:00:01Z"),
		constant("super", `{"a":1}`), column("v", "bigint", "v"),
	}}
	got, err := scanAll(t, spec, Limits{}, strings.NewReader(`{"v":7}{"v":8}`))
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if want := `payroll|150|-150|1|2|1000000|{"a":1}|8`; got[1].Cells != want {
		t.Errorf("%s, want %s", got[1].Cells, want)
	}
}

func TestCompileRefuses(t *testing.T) {
	text := "x"
	tests := []struct {
		spec Spec
		want string
	}{
		{Spec{Columns: []schema.Column{{Name: "c"}}}, "column c has an unknown type"},
		{Spec{Columns: []schema.Column{{Name: "c", Type: schema.Type{Kind: schema.Decimal, Precision: 39}}}}, "column c has an unknown type"},
		{Spec{Columns: []schema.Column{{Name: "c", Type: typeOf("bigint"), Const: &text}}},
			"the constant of column c does not fit: x for bigint"},
		{Spec{Columns: []schema.Column{{Name: "c", Type: typeOf("timestamp"), Zone: "Mars/Olympus"}}},
			`column c: unknown zone "Mars/Olympus": unknown time zone Mars/Olympus`},
		{Spec{EventTime: &TimeField{Path: []string{"a"}, Zone: "Local"}}, "the zone Local depends on the machine"},
		{Spec{EventTime: &TimeField{}}, "a time field has no path"},
		{Spec{Where: [][]string{{"a\xff"}}}, `the path ["a\xff"] is not valid UTF-8`},
	}
	for _, test := range tests {
		_, err := Compile(test.spec)
		if err == nil || err.Error() != test.want || !fail.Is(err, fail.BadDataset) {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}

func TestReasonsHaveSentences(t *testing.T) {
	for r, sentence := range sentences {
		if r.Sentence() != sentence || !strings.HasSuffix(sentence, ".") {
			t.Errorf("%s: %s", r, sentence)
		}
	}
	if got := Reason("else").Sentence(); got != "Unknown reason else." {
		t.Error(got)
	}
}
