package suppression_test

import (
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/mask"
	"backfill/internal/suppression"
)

// The HMAC of 42 with this key, as openssl gives it:
//
//	printf 42 | openssl dgst -sha256 -hmac 'a-mask-key-of-32-bytes-or-longer'
const (
	secret = "a-mask-key-of-32-bytes-or-longer"
	of42   = "d007064aabf969d0918425ec167e5da198bb001109a79ebf9e309a1fecca8754"
)

func key(t *testing.T, secret string) *mask.Key {
	t.Helper()
	k, err := mask.ReadKey(func(name string) string {
		if name == "BACKFILL_MASK_KEY" {
			return secret
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parse(t *testing.T, text string) *suppression.List {
	t.Helper()
	l, err := suppression.Parse("list", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func plain(values ...string) string {
	return "backfill-suppressions 1\nversion: v7\nform: plain\n\n" + strings.Join(values, "\n") + "\n"
}

func hashed(id string, values ...string) string {
	return "backfill-suppressions 1\nversion: v7\nform: hmac_sha256\nkey_id: " + id + "\n\n" + strings.Join(values, "\n")
}

// TestFormsAndColumns asks each form of list of each form of column.
func TestFormsAndColumns(t *testing.T) {
	k, other := key(t, secret), key(t, strings.Repeat("x", 32))
	for _, c := range []struct {
		name, list string
		key        *mask.Key
		masked     bool
		on, off    string
		fails      string
	}{
		{name: "plain, plain", list: plain("42", "Zoë"), on: "42", off: "4"},
		{name: "plain, text", list: plain("42", "Zoë"), on: "Zoë", off: "zoë"},
		{name: "plain, masked", list: plain("42"), key: k, masked: true, on: of42, off: "42"},
		{name: "HMAC, plain", list: hashed(k.ID(), of42), key: k, on: "42", off: of42},
		{name: "HMAC, masked", list: hashed(k.ID(), of42), key: k, masked: true, on: of42, off: "42"},
		{name: "HMAC, masked, no key", list: hashed(k.ID(), of42), masked: true, on: of42, off: "42"},
		{name: "empty", list: plain()[:len(plain())-1], off: ""},
		{name: "plain, masked, no key", list: plain("42"), masked: true, fails: "without the mask key"},
		{name: "HMAC, no key", list: hashed(k.ID(), of42), fails: "without the mask key"},
		{name: "HMAC, another key", list: hashed(k.ID(), of42), key: other, fails: "was made with the mask key " + k.ID()},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := parse(t, c.list)
			set, err := l.Set(c.key, c.masked)
			if c.fails != "" {
				if !fail.Is(err, fail.Credentials) || !strings.Contains(err.Error(), c.fails) || fail.HintOf(err) == "" {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			m := set.Matcher()
			for range 2 {
				if c.on != "" && !m.Has([]byte(c.on)) || m.Has([]byte(c.off)) {
					t.Errorf("on: %v, off: %v", m.Has([]byte(c.on)), m.Has([]byte(c.off)))
				}
			}
			value := []byte(c.on)
			if n := testing.AllocsPerRun(50, func() { m.Has(value) }); n != 0 {
				t.Errorf("%v allocations a value", n)
			}
		})
	}
}

// TestIdentity: any other byte is another list.
func TestIdentity(t *testing.T) {
	a, b := parse(t, plain("42")), parse(t, strings.Replace(plain("42"), "v7", "v8", 1))
	if a.SHA256 == b.SHA256 || a.Version != "v7" || a.Len() != 1 || len(a.SHA256) != 64 {
		t.Errorf("%+v %+v", a, b)
	}
}

// TestRefused names the line, and never a value.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "list:0: the list's head is not complete"},
		{"another file", "employee\n1\n", "list:1: this is no list"},
		{"no end of the head", "backfill-suppressions 1\nversion: a\nform: plain", "list:3: the list's head is not complete"},
		{"no version", "backfill-suppressions 1\nform: plain\n\n1\n", "the list's head is not complete"},
		{"another form", "backfill-suppressions 1\nversion: a\nform: sha1\n\n", "list:3: the form is neither"},
		{"an unknown line", "backfill-suppressions 1\nversion: a\nkey: b\n\n", "list:3: the head has a line that is not known"},
		{"HMAC without key", "backfill-suppressions 1\nversion: a\nform: hmac_sha256\n\n" + of42, "the list's head is not complete"},
		{"plain with key", "backfill-suppressions 1\nversion: a\nform: plain\nkey_id: b\n\n1\n", "the list's head is not complete"},
		{"no HMAC", hashed("0123456789abcdef", "hunter2"), "list:6: the value is no HMAC"},
		{"upper case", hashed("0123456789abcdef", strings.ToUpper(of42)), "list:6: the value is no HMAC"},
		{"an empty line", plain("1", "", "2"), "list:6: a line is empty"},
		{"carriage returns", strings.ReplaceAll(plain("1"), "\n", "\r\n"), "list:1: the line is no UTF-8 text"},
		{"no UTF-8", plain("hunter2\xff"), "list:5: the line is no UTF-8 text"},
		{"too long", plain(strings.Repeat("hunter2", 200)), "list:5: the value is too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := suppression.Parse("list", []byte(c.text))
			if !fail.Is(err, fail.BadDataset) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(plain("42")))
	f.Add([]byte(hashed("0123456789abcdef", of42)))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := suppression.Parse("list", body)
		if err != nil {
			return
		}
		set, err := l.Set(key(t, secret), l.Form == suppression.HMAC && l.KeyID == key(t, secret).ID())
		if err == nil && l.Len() > 0 && l.Form == suppression.Plain && !set.Matcher().Has(lastLine(body)) {
			t.Errorf("the last value is not on the list")
		}
	})
}

func lastLine(body []byte) []byte {
	text := strings.TrimSuffix(string(body), "\n")
	return []byte(text[strings.LastIndexByte(text, '\n')+1:])
}
