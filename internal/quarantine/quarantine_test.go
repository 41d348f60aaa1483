package quarantine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

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

// Strip leaves where each record is and why it was rejected, and nothing of what it held.
func TestStrip(t *testing.T) {
	var whole, left bytes.Buffer
	zip, err := zstd.NewWriter(&whole)
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewEncoder(zip)
	want := []quarantine.Record{
		{Object: "a/b", Row: 7, Offset: 107, Disposition: "rejected", Reason: "too_long_value", Column: "note", Detail: "secret value", Raw: []byte("secret"), Truncated: true},
		{Object: "a/c", Row: 0, Offset: -1, Disposition: "unreadable", Reason: "bad_json", Raw: []byte("{secret"), Withheld: false},
	}
	for _, r := range want {
		if err := lines.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	broken := bytes.Clone(whole.Bytes())
	if err := quarantine.Strip(&whole, &left, at, "retain.quarantine is 90d"); err != nil {
		t.Fatal(err)
	}
	plain, err := zstd.NewReader(bytes.NewReader(left.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if text, err := io.ReadAll(plain); err != nil || bytes.Contains(text, []byte("secret")) || bytes.Contains(text, []byte("c2VjcmV0")) {
		t.Errorf("%v, left is %s", err, text)
	}
	n := 0
	err = quarantine.Read(&left, func(r *quarantine.Record) error {
		w := want[n]
		w.Raw, w.Detail, w.Removed, w.Why = nil, "", at, "retain.quarantine is 90d"
		if n++; !reflect.DeepEqual(*r, w) {
			t.Errorf("%+v, want %+v", *r, w)
		}
		return nil
	})
	if err != nil || n != len(want) {
		t.Errorf("%d records, %v", n, err)
	}
	if err := quarantine.Strip(bytes.NewReader(broken[:len(broken)-3]), io.Discard, at, ""); fail.CodeOf(err) != fail.Corrupt {
		t.Errorf("a file that is cut off: %v", err)
	}
}
