package outside_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"backfill/internal/outside"
)

// TestNamed reads both ways to say what an exception is about.
func TestNamed(t *testing.T) {
	got, err := outside.Named(&outside.File{Path: "named.yaml", Body: []byte(`version: 1
exceptions:
  - {id: PAY-1, class: missing, keys: [e-1, [US1, 007]], max_rows: 2, reason: paid by cheque, owner: anna, expires: 2026-06-30}
  - id: PAY-2
    class: changed
    bucket: {leg: stage→table, topic: pay, partition: 0, day: 2026-03-08, bucket: 3, group: [EUR, null]}
    reason: by hand
    owner: ben
    expires: 2026-06-30T12:00:00+02:00
`)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("%d exceptions", len(got))
	}
	first, second := got[0], got[1]
	if first.ID != "PAY-1" || first.Class != "missing" || fmt.Sprintf("%q", first.Keys) != `[["e-1"] ["US1" "007"]]` || first.MaxRows != 2 || first.Bucket != nil || first.Reason != "paid by cheque" || first.Owner != "anna" {
		t.Errorf("%+v", first)
	}
	if want := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC); !first.Expires.Equal(want) {
		t.Errorf("a date holds until %s, not %s", first.Expires, want)
	}
	if want := time.Date(2026, 6, 30, 10, 0, 0, 0, time.UTC); !second.Expires.Equal(want) {
		t.Errorf("an instant is %s, not %s", second.Expires, want)
	}
	b := second.Bucket
	if b == nil || b.Leg != "stage→table" || b.Topic != "pay" || *b.Partition != 0 || b.Day != "2026-03-08" || *b.Bucket != 3 || len(b.Group) != 2 || *b.Group[0] != "EUR" || b.Group[1] != nil {
		t.Errorf("%+v", b)
	}
}

// TestNamedRefused names the line of what grants too much, or nobody answers for.
func TestNamedRefused(t *testing.T) {
	const whole = "id: PAY-1, class: missing, keys: [e-1], reason: r, owner: o, expires: 2026-06-30"
	item := func(old, with string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("%q is not in the exception", old)
		}
		return "version: 1\nexceptions:\n  - {" + strings.Replace(whole, old, with, 1) + "}\n"
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "named.yaml:1: the named exceptions can't be read"},
		{"no YAML", "version: [", "named.yaml:1: the named exceptions can't be read"},
		{"another version", "version: 2\n", "named.yaml:1: version is 2, not 1"},
		{"an unknown key", "version: 1\nexception: []\n", "named.yaml:1: the named exceptions can't be read"},
		{"two documents", "version: 1\n---\nversion: 1\n", "named.yaml:1: there is more than one document"},
		{"no id", item("id: PAY-1, ", ""), "named.yaml:3: the exception  has no id"},
		{"no class", item("class: missing, ", ""), "named.yaml:3: the exception PAY-1 has no class"},
		{"no reason", item("reason: r, ", ""), "named.yaml:3: the exception PAY-1 has no reason"},
		{"no owner", item("owner: o, ", ""), "named.yaml:3: the exception PAY-1 has no owner"},
		{"no expiry", item(", expires: 2026-06-30", ""), "named.yaml:3: the exception PAY-1 has no expires"},
		{"no date", item("2026-06-30", "never"), `named.yaml:3: expires "never" of exception PAY-1 is no date`},
		{"neither keys nor bucket", item("keys: [e-1], ", ""), "named.yaml:3: the exception PAY-1 needs either keys or a bucket"},
		{"keys and bucket", item("keys: [e-1]", "keys: [e-1], bucket: {day: 2026-03-08}"), "named.yaml:3: the exception PAY-1 needs either keys or a bucket"},
		{"a bucket that holds everything", item("keys: [e-1]", "bucket: {leg: stage→table}"), "named.yaml:3: the bucket of exception PAY-1 would hold everything"},
		{"a negative limit", item("keys: [e-1]", "keys: [e-1], max_rows: -1"), "named.yaml:3: max_rows of exception PAY-1 is negative"},
		{"an unknown key of an exception", item("owner: o", "owner: o, tolerance: 5"), "named.yaml:1: the named exceptions can't be read: line 3: unknown key tolerance"},
		{"an unknown key of a bucket", item("keys: [e-1]", "bucket: {days: 2026-03-08}"), "named.yaml:1: the named exceptions can't be read: line 3: unknown key days"},
		{"a key that is none", item("keys: [e-1]", "keys: [{a: b}]"), "named.yaml:1: the named exceptions can't be read: line 3: a key is a value, or a list of values where table.key has several columns"},
		{"an id twice", "version: 1\nexceptions:\n  - {" + whole + "}\n  - {" + whole + "}\n", "named.yaml:4: the exception PAY-1 stands twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := outside.Named(&outside.File{Path: "named.yaml", Body: []byte(c.text)})
			refused(t, err, c.want)
		})
	}
}
