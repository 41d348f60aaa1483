package archive_test

import (
	"strings"
	"testing"

	"backfill/internal/archive"
	"backfill/internal/fail"
)

func joining() archive.Layout {
	return archive.ConfluentWith(archive.ConfluentOptions{Join: []archive.View{archive.Keys, archive.Headers, archive.Tombstones}})
}

// TestSideFilesStandWithTheirValues lists sets of objects: each side file goes
// with its values, tombstones are objects of their own.
func TestSideFilesStandWithTheirValues(t *testing.T) {
	got, err := archive.List(t.Context(), listerOf("topics/a/partition=0/a+0+0.json", "topics/a/partition=0/a+0+0.keys.avro", "topics/a/partition=0/a+0+0.headers.json",
		"topics/a/tombstone/a+0+5.keys.avro", "topics/a/partition=0/a+0+7.json", "topics/a/partition=0/a+0+7.keys.avro",
		"topics/b/year=2026/b+0+0.json", "topics/b/tombstone/b+0+3.keys.json"), joining(), archive.Wanted{}, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for o := range got.All() {
		text := o.Key
		if o.Name.View == archive.Tombstones {
			text += " tombstones"
		}
		if o.Name.Ordered {
			text += " ordered"
		}
		for _, s := range o.Sides {
			text += " " + string(s.View) + "=" + s.Key[strings.LastIndex(s.Key, "/")+1:]
		}
		list = append(list, text)
	}
	const want = "topics/a/partition=0/a+0+0.json ordered keys=a+0+0.keys.avro headers=a+0+0.headers.json\n" +
		"topics/a/tombstone/a+0+5.keys.avro tombstones ordered\n" +
		"topics/a/partition=0/a+0+7.json ordered keys=a+0+7.keys.avro\n" +
		"topics/b/year=2026/b+0+0.json\n" +
		"topics/b/tombstone/b+0+3.keys.json tombstones"
	if text := strings.Join(list, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// TestSideFilesThatBelongNowhere wants them refused with their names.
func TestSideFilesThatBelongNowhere(t *testing.T) {
	for want, keys := range map[string][]string{
		"the side file has no object with values beside it":            {"t/a/partition=0/a+0+0.json", "t/a/partition=0/a+0+5.keys.avro"},
		"a+0+0.keys.avro is a second .keys side file":                  {"t/a/partition=0/a+0+0.json", "t/a/partition=0/a+0+0.keys.avro", "t/a/partition=0/a+0+0.keys.json"},
		"the side file belongs to t/a/partition=0/a+0+0.avro and to t": {"t/a/partition=0/a+0+0.json", "t/a/partition=0/a+0+0.avro", "t/a/partition=0/a+0+0.keys.json"},
		"in the tombstone folder stand .keys files only":               {"t/a/tombstone/a+0+0.json"},
	} {
		_, err := archive.List(t.Context(), listerOf(keys...), joining(), archive.Wanted{}, archive.Limits{})
		if !fail.Is(err, fail.BadLayout) || !strings.Contains(err.Error(), want) || fail.HintOf(err) == "" {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
