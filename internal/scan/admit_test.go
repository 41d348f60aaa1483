package scan

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

func TestDispositionsInOrder(t *testing.T) {
	const body = `"k":{"o":%d,"p":%s,"t":%s}`
	record := func(rest string, args ...any) string {
		return "{" + fmt.Sprintf(body, args...) + "," + rest + "}"
	}
	const inside, outside = "1772700000000", "1700000000000" // Kafka times
	tests := []struct {
		name   string
		line   string
		want   account.Disposition
		reason string
	}{
		{"row", record(`"id":"a","type":"paid","at":"2026-03-05T10:00:00Z"`, 0, "3", inside), account.Row, ""},
		{"not JSON, and looks like much else", `{"id":"a","type":"other","at":"2020-01-01T00:00:00Z"`, account.Unreadable, "cut_off"},
		{"tombstone", `null`, account.Tombstone, ""},
		{"no time at all, and no id", `{"type":"other"}`, account.Undatable, ""},
		{"text that is no time, and no Kafka time", `{"id":"a","type":"paid","at":"soon"}`, account.Undatable, ""},
		{"outside, other type, rejected", record(`"type":"other","at":"2026-02-28T23:59:59.999999Z"`, 1, "3", inside), account.OutOfWindow, ""},
		{"at the window's end", record(`"id":"a","type":"paid","at":"2026-04-01T00:00:00Z"`, 2, "3", inside), account.OutOfWindow, ""},
		{"at the window's start", record(`"id":"a","type":"paid","at":"2026-03-01T00:00:00Z"`, 3, "3", outside), account.Row, ""},
		{"outside by Kafka time only, rejected", record(`"type":"paid"`, 4, "3", outside), account.OutOfWindow, ""},
		{"other type, rejected", record(`"type":"other","at":"2026-03-05T10:00:00Z"`, 5, "4", inside), account.Filtered, ""},
		{"no type", record(`"id":"a","at":"2026-03-05T10:00:00Z"`, 6, "3", inside), account.Filtered, ""},
		{"value does not fit, and wrong partition", record(`"id":"a","type":"paid","at":"2026-03-05T10:00:00Z","amount":"1.005"`, 7, "4", inside), account.Rejected, "inexact"},
		{"required is missing, dated by Kafka", record(`"id":"a","type":"paid"`, 8, "3", inside), account.Rejected, "required"},
		{"digits past microseconds", record(`"id":"a","type":"paid","at":"2026-03-05T10:00:00.1234567Z"`, 9, "3", inside), account.Rejected, "fraction"},
		{"wrong partition", record(`"id":"a","type":"paid","at":"2026-03-05T10:00:00Z"`, 10, "4", inside), account.Rejected, "partition_mismatch"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newArchive().add("one", 0, lines(test.line))
			got := scanAll(t, compile(t, bodyOffsets, 1), a, a.cut(0))
			var want account.Tally
			want[test.want] = 1
			if got.tally != want {
				t.Errorf("tally %v, want one %s", got.tally, test.want)
			}
			reason := ""
			if len(got.rejects) == 1 {
				reason = got.rejects[0].Reason
				if got.rejects[0].Disposition != test.want || string(got.rejects[0].Raw) != test.line {
					t.Errorf("rejected %+v", got.rejects[0])
				}
			}
			if reason != test.reason {
				t.Errorf("reason %q, want %q", reason, test.reason)
			}
		})
	}
}

// A copy is a duplicate only where nothing decided earlier.
func TestDuplicatesComeLast(t *testing.T) {
	late := `{"id":"late","type":"paid","at":"2026-05-01T00:00:00Z"}`
	bad := `{"id":"bad","type":"paid","at":"2026-03-05T10:00:00Z","amount":"x"}`
	all := []string{event("a"), "null", late, bad, "{", `{"type":"other","at":"2026-03-05T10:00:00Z"}`, `{}`}
	a := newArchive().add("1", 0, lines(all...)).add("2", 0, lines(all...))
	got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(0))
	want := account.Tally{account.Unreadable: 2, account.Tombstone: 2, account.Undatable: 2, account.OutOfWindow: 2,
		account.Filtered: 2, account.Rejected: 2, account.DuplicateOffset: 1, account.Row: 1}
	if got.tally != want {
		t.Errorf("tally %v, want %v", got.tally, want)
	}
	if got.ids() != "a@0" || len(got.rejects) != 4 {
		t.Errorf("rows %s, %d rejects", got.ids(), len(got.rejects))
	}
}

func TestWhatIsCountedByName(t *testing.T) {
	a := newArchive().add("one", 0, lines(
		event("a"),
		`{"type":"other","at":"2026-03-05T10:00:00Z"}`,
		`{"type":"other","at":"2026-03-06T10:00:00Z"}`,
		`{"type":7,"at":"2026-03-05T10:00:00Z"}`,
		`{"at":"2026-03-05T10:00:00Z"}`,
		`{"id":"x","at":"2026-04-01T06:59:59Z"}`, // 31 March in Los Angeles
		`{"id":"x","at":"2026-04-01T07:00:00Z"}`,
		`{"id":"x","type":"paid","at":"2026-03-05T10:00:00Z","currency":"EURO"}`,
		`{"id":"y","type":"paid","at":"2026-03-05T10:00:00Z","currency":"EURO"}`,
		`[1`,
		`{"id":"z"}`,
	))
	got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(0)).counts[0]
	same := func(what string, got, want map[string]int64) {
		if !maps.Equal(got, want) {
			t.Errorf("%s %v, want %v", what, got, want)
		}
	}
	same("dropped", got.Dropped, map[string]int64{"other": 2, "7": 1, "(absent)": 1})
	same("reasons", got.Reasons, map[string]int64{"currency: too_long_value": 2, "malformed_json": 1})
	same("undatable", got.Undatable, map[string]int64{"one": 1})
	days := map[kafka.Day]int64{20543: 1, 20544: 1}
	if !maps.Equal(got.OutOfWindow, days) {
		t.Errorf("out of window %v, want %v", got.OutOfWindow, days)
	}
	if got.LastRecord.String() != "2026-04-01T07:00:00Z" {
		t.Errorf("last record %s", got.LastRecord)
	}
}

func TestTooLongLine(t *testing.T) {
	long := `{"id":"` + strings.Repeat("x", 300<<10) + `"}`
	a := newArchive().add("one", 10, gzipped(t, lines(event("a"), long, event("b"))))
	got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(0))
	if got.ids() != "a@10 b@12" || len(got.rejects) != 1 {
		t.Fatalf("rows %s, %d rejects", got.ids(), len(got.rejects))
	}
	r := got.rejects[0]
	if r.Reason != "too_long" || r.Row != 1 || r.Offset != 11 || r.Object != "one" || !r.Truncated ||
		len(r.Raw) != rawBytes || !bytes.HasPrefix([]byte(long), r.Raw) {
		t.Errorf("rejected row %d at %d: %s, %d raw bytes, truncated %v", r.Row, r.Offset, r.Reason, len(r.Raw), r.Truncated)
	}
}

// Records whose bodies hold no offset fill what is free between others, if it
// is exactly as much.
func TestRecordsWithoutOffsetFillGaps(t *testing.T) {
	tests := []struct {
		name   string
		lines  []string
		ranges string
	}{
		{"between two", []string{at(10, "a"), "null", "{", at(13, "b")}, "[{10 14} {20 21}]"},
		{"more free than records", []string{at(10, "a"), "null", at(13, "b")}, "[{10 11} {13 14} {20 21}]"},
		{"at the object's begin", []string{"null", at(11, "a")}, "[{10 12} {20 21}]"},
		{"at the object's end", []string{at(10, "a"), at(18, "b"), "null"}, "[{10 11} {18 21}]"},
		{"nothing else", []string{"null", "null"}, "[{20 21}]"},
		{"a record of another partition fills nothing", []string{at(10, "a"), strings.Replace(at(11, "b"), `"p":3`, `"p":9`, 1), at(12, "c")}, "[{10 11} {12 13} {20 21}]"},
		{"no order", []string{at(12, "b"), "null", at(10, "a")}, "[{10 11} {12 13} {20 21}]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, bytes := range []int64{0, 1} {
				a := newArchive().add("A", 10, lines(test.lines...)).add("B", 20, lines(at(20, "z")))
				got := scanAll(t, compile(t, bodyOffsets, 1), a, a.cut(bytes))
				var ranges []account.Range
				for _, c := range got.counts {
					ranges = append(ranges, c.Ranges...)
				}
				if merged := account.MergeRanges(ranges); fmt.Sprint(merged) != test.ranges {
					t.Errorf("ranges %v, want %s", merged, test.ranges)
				}
			}
		})
	}
}
