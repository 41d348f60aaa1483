package quarantine_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
	"backfill/internal/quarantine"
)

func packed(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const lines = `{"object":"a.json","row":7,"offset":1007,"disposition":"rejected","reason":"out_of_range","column":"amount","detail":"x","raw":"eyJhIjoxfQ=="}
{"object":"a.json","row":8,"offset":-1,"disposition":"unreadable","reason":"malformed_json","raw":"","withheld":true}
`

func TestRead(t *testing.T) {
	var got []quarantine.Record
	if err := quarantine.Read(bytes.NewReader(packed(t, lines)), func(r *quarantine.Record) error { got = append(got, *r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || string(got[0].Raw) != `{"a":1}` || got[0].Row != 7 || got[0].Column != "amount" || got[1].Offset != -1 || !got[1].Withheld {
		t.Errorf("%+v", got)
	}
	stop := errors.New("stop")
	if err := quarantine.Read(bytes.NewReader(packed(t, lines)), func(*quarantine.Record) error { return stop }); err != stop {
		t.Errorf("the reader's own error became %v", err)
	}
}

// TestReadDamage cuts a file at every byte, and puts in a line that is none.
func TestReadDamage(t *testing.T) {
	whole := packed(t, lines)
	for n := 1; n < len(whole); n++ {
		if err := quarantine.Read(bytes.NewReader(whole[:n]), func(*quarantine.Record) error { return nil }); !fail.Is(err, fail.Corrupt) || fail.HintOf(err) == "" {
			t.Fatalf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
	err := quarantine.Read(bytes.NewReader(packed(t, lines+"nonsense\n")), func(*quarantine.Record) error { return nil })
	if !fail.Is(err, fail.Corrupt) || !strings.HasPrefix(err.Error(), "line 3: a quarantine file can't be read") {
		t.Errorf("%v", err)
	}
}

func TestShown(t *testing.T) {
	paths := map[string]bool{"id": true, "person.team": true}
	for raw, want := range map[string]string{
		`{"id":"e1","person":{"name":"Zoë","team":7,"pay":12.50},"tags":["x",null,true]}`: `{"id": "e1", "person": {"name": ‹text of 3 characters›, "team": 7, "pay": ‹number of 5 characters›}, "tags": [‹text of 1 characters›, null, true]}`,
		`{"id":`:                 `‹6 bytes, no JSON›`,
		"":                       `‹0 bytes, no JSON›`,
		strings.Repeat("[", 200): `‹200 bytes, no JSON›`,
		`{"a":"` + "\x1b[2J\"}":  `‹12 bytes, no JSON›`,
		`{"a\u001b[2J":1}`:       `{"a\x1b[2J": ‹number of 1 characters›}`,
	} {
		if got := quarantine.Shown([]byte(raw), paths); got != want {
			t.Errorf("%q is shown as\n%s, want\n%s", raw, got, want)
		}
	}
}

// FuzzShown: whatever a record holds, no control character reaches a terminal.
func FuzzShown(f *testing.F) {
	f.Add([]byte(`{"a":"SECRETSECRET","b":["SECRETSECRET",{"c":"SECRETSECRET"}]}`))
	f.Add([]byte("\"SECRETSECRET"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := quarantine.Shown(raw, nil)
		for _, r := range got {
			if r < ' ' || r == 0x7f {
				t.Fatalf("control character in %q", got)
			}
		}
	})
}
