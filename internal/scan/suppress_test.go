package scan

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/suppression"
)

// TestSuppressed: erased people's records come after where, and before anything that keeps bytes; bytes of records of which
// nobody knows whose they are stay in the archive.
func TestSuppressed(t *testing.T) {
	list, err := suppression.Parse("list", []byte("backfill-suppressions 1\nversion: 1\nform: plain\n\nanna\n7\n"))
	if err != nil {
		t.Fatal(err)
	}
	of := func(note, amount, kind, at string) string {
		return fmt.Sprintf(`{"id":"e","type":%q,"at":%q,"amount":%q,"currency":"USD","note":%s}`, kind, at, amount, note)
	}
	const in, out = "2026-03-05T10:00:00Z", "2027-03-05T10:00:00Z"
	records := []string{
		of(`"anna"`, "1.00", "paid", in), of(`"anna"`, "no number", "paid", in), of(`"7"`, "1.00", "paid", in), // suppressed
		of(`"anna"`, "1.00", "draft", in), of(`"anna"`, "1.00", "paid", out), // decided before
		of(`"ben"`, "1.00", "paid", in), of(`null`, "1.00", "paid", in), of(`"anna "`, "1.00", "paid", in), // rows
		of(`"ben"`, "no number", "paid", in), of(`null`, "no number", "paid", in), of(`{"anna": 1`, "1.00", "paid", in), `{"note":"anna`,
	}
	ds := compile(t, "  suppress: {uri: s3://lists/erased.txt, column: note}\n", 1)
	if ds, err = ds.Suppressing(list.SHA256); err != nil {
		t.Fatal(err)
	}
	set, err := list.Set(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	src := newArchive().add("o", 0, lines(records...))
	s, err := New(Options{Dataset: ds, Window: window, Source: src, BlockBytes: 1 << 16, Suppressed: set})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sink := &recorder{}
	counts, err := s.Chunk(context.Background(), src.cut(0)[0], sink)
	if err != nil {
		t.Fatal(err)
	}
	want := account.Tally{}
	want[account.Suppressed], want[account.Filtered], want[account.OutOfWindow], want[account.Row] = 3, 1, 1, 3
	want[account.Rejected], want[account.Unreadable] = 2, 2
	if counts.Tally != want || counts.Tally.Read() != int64(len(records)) {
		t.Errorf("%v, want %v", counts.Tally, want)
	}
	told := 0
	for _, r := range sink.rejects {
		if strings.Contains(string(r.Raw)+r.Detail, "anna") {
			t.Errorf("bytes of an erased person: %q %q", r.Raw, r.Detail)
		}
		if len(r.Raw) > 0 {
			told++
		} else if !r.Withheld {
			t.Errorf("bytes are gone, and nothing says so: %+v", r)
		}
	}
	if told != 1 || len(sink.rejects) != 4 {
		t.Errorf("%d rejected records, of %d the bytes", len(sink.rejects), told)
	}
	if _, err := New(Options{Dataset: ds, Window: window, Source: src}); err == nil || !strings.Contains(err.Error(), "suppression list was not given") {
		t.Errorf("without the list: %v", err)
	}
}
