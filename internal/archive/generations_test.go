package archive_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"backfill/internal/archive"
	"backfill/internal/objstore"
)

// Objects of a topic that was made anew follow those of the topic before, and
// names with the last offset begin again.
func TestGenerations(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC) }
	l := &lister{root: objstore.URI{Scheme: "s3", Bucket: "b"}}
	for key, day := range map[string]int{
		"pay/0/000000000099_1_2.json": 1, "pay/0/000000000199_3_4.json": 2, "pay/0/000000000049_5_6.json": 10, "pay/0/000000000149_7_8.json": 11,
	} {
		l.objects = append(l.objects, objstore.Object{Key: key, Size: 1, Modified: at(day)})
	}
	firsts := func(w archive.Wanted) string {
		found, err := archive.List(context.Background(), l, archive.Lenses(), w, archive.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for o := range found.All() {
			list = append(list, fmt.Sprintf("%d/%s@%d", o.Generation, o.Key[len("pay/0/000000000"):len("pay/0/000000000")+3], o.Name.FirstOffset))
		}
		return strings.Join(list, " ")
	}
	if got, want := firsts(archive.Wanted{}), "0/049@0 0/099@50 0/149@100 0/199@150"; got != want {
		t.Errorf("as one topic: %s, want %s", got, want)
	}
	// The new topic begins with the second that is named.
	if got, want := firsts(archive.Wanted{Recreated: []time.Time{at(10)}}), "0/099@0 0/199@100 1/049@0 1/149@50"; got != want {
		t.Errorf("as two: %s, want %s", got, want)
	}
	if got, want := firsts(archive.Wanted{Recreated: []time.Time{at(2), at(11)}}), "0/099@0 1/049@0 1/199@50 2/149@0"; got != want {
		t.Errorf("as three: %s, want %s", got, want)
	}
}
