package decode

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/mask"
	"backfill/internal/schema"
)

const maskSecret = "a-mask-key-of-32-bytes-or-longer"

func maskKey(t testing.TB) *mask.Key {
	t.Helper()
	k, err := mask.ReadKey(func(name string) string { return map[string]string{"BACKFILL_MASK_KEY": maskSecret}[name] })
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func masked(text string) string {
	h := hmac.New(sha256.New, []byte(maskSecret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

func maskSpec(t testing.TB) Spec {
	t.Helper()
	c := column("account", "varchar(64)", "account")
	c.Mask = schema.HMACMask
	return Spec{Columns: []schema.Column{column("id", "integer", "id"), c}, MaskKey: maskKey(t)}
}

// TestMask: the column holds the HMAC of the value's text, however the record
// spells it and however long it is; no message tells the value.
func TestMask(t *testing.T) {
	long := strings.Repeat("IBAN", 20_000)
	tests := []struct{ record, want string }{
		{`{"id":1,"account":"DE89 3704"}`, "1|" + masked("DE89 3704")},
		{`{"id":2,"account":"DE89\u00203704"}`, "2|" + masked("DE89 3704")},
		{`{"account":"Zoë \"x\"","id":3}`, `3|` + masked(`Zoë "x"`)},
		{`{"id":4,"account":""}`, "4|" + masked("")},
		{`{"id":5,"account":120}`, "5|" + masked("120")},
		{`{"id":6,"account":"a\u0000b"}`, "6|" + masked("a\x00b")},
		{`{"id":7,"account":"` + long + `"}`, "7|" + masked(long)},
		{`{"id":8,"account":null}`, "8|NULL"},
		{`{"id":9}`, "9|NULL"},
		{`{"id":10,"account":"first","account":"last"}`, "10|" + masked("last")},
		{`{"id":11,"account":{"iban":"secret"}}`, "1: wrong_type, a masked value for varchar(64)"},
		{`{"id":12,"account":true}`, "1: wrong_type, a masked value for varchar(64)"},
		{`{"id":13,"account":"secret\ud800"}`, "1: invalid_unicode, a masked value for varchar(64)"},
	}
	var input strings.Builder
	for _, test := range tests {
		input.WriteString(test.record + "\n")
	}
	got, err := scanAll(t, maskSpec(t), Limits{}, strings.NewReader(input.String()))
	if err != nil || len(got) != len(tests) {
		t.Fatalf("%d records: %v", len(got), err)
	}
	for i, test := range tests {
		if text := got[i].Cells + got[i].Reject; text != test.want {
			t.Errorf("record %d: %s, want %s", i, text, test.want)
		}
	}
}

// TestMaskAvro: the same value of an Avro file is masked alike.
func TestMaskAvro(t *testing.T) {
	spec := Spec{Columns: []schema.Column{column("station", "varchar(64)", "station"), column("time", "varchar(64)", "time")}, MaskKey: maskKey(t)}
	for i := range spec.Columns {
		spec.Columns[i].Mask = schema.HMACMask
	}
	got, err := scanAll(t, spec, Limits{}, bytes.NewReader(avroFile(t, "weather.avro")))
	if err != nil || len(got) == 0 {
		t.Fatalf("%d records: %v", len(got), err)
	}
	if want := masked("011990-99999") + "|" + masked("-619524000000"); got[0].Cells != want {
		t.Errorf("%s, want %s", got[0].Cells, want)
	}
}

func TestMaskNeedsKey(t *testing.T) {
	for _, change := range []func(*Spec){
		func(s *Spec) { s.MaskKey = nil },
		func(s *Spec) { s.Columns[1].Type.Length = 63 },
		func(s *Spec) { text := "x"; s.Columns[1].Const = &text },
	} {
		spec := maskSpec(t)
		change(&spec)
		if _, err := Compile(spec); !fail.Is(err, fail.BadDataset) || !strings.Contains(err.Error(), "account can't be masked") {
			t.Errorf("compiled: %v", err)
		}
	}
}

func TestMaskAllocatesNothingPerRow(t *testing.T) {
	var input bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&input, `{"id":%d,"account":"DE8937040044053201300%d"}`+"\n", i, i)
	}
	spec := maskSpec(t)
	p, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	s, batch, r := p.NewScanner(Limits{}), columns.NewBatch(spec.Columns), bytes.NewReader(nil)
	rows := 0
	allocs := testing.AllocsPerRun(20, func() {
		r.Reset(input.Bytes())
		s.Reset(r)
		for err = nil; err == nil; {
			err = s.Scan(batch, func(*Record) bool { return true })
			rows += batch.N
			batch.N = 0
		}
	})
	if rows != 21*2000 || allocs > 0 {
		t.Errorf("%d rows, %v allocations a run", rows, allocs)
	}
}
