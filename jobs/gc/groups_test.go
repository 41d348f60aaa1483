package gc

import (
	"testing"
	"time"

	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/publish"
	"backfill/internal/runstore"
)

// What a person reads, before and after, and when there is nothing to do.
func TestText(t *testing.T) {
	var goes, stays groups
	at := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	add := func(g *groups, kind runstore.Kind, why string, size int64, age int) {
		g.add(runstore.Item{Object: objstore.Object{Size: size, Modified: at.AddDate(0, 0, -age)}, Kind: kind}, why)
	}
	for i := range 3 {
		add(&goes, runstore.KindParquet, whyTied, 20<<30, 10+i)
	}
	add(&goes, runstore.KindParquet, whyAttempt, 11<<20, 3)
	add(&goes, runstore.KindQuarantine, whyRaw, 20<<10, 91)
	add(&goes, runstore.KindPlan, whyAbandoned, 900, 40)
	add(&stays, runstore.KindReport, stayReport, 5000, 400)
	r := &Result{Retain: "parquet 30d", Goes: goes.list(), Stays: stays.list(), Notes: []string{"uploads were not looked at"},
		Kept: []publish.Kept{{Seq: 7, Rows: 12, Since: kafka.InstantOf(at), Table: "a.b__backfill_replaced_7"}}}
	const table = `objects  size       oldest      kind        why
3        60 GiB     2026-02-17  Parquet     loaded and reconciled
1        11 MiB     2026-02-26  Parquet     another attempt at the chunk left the receipt
1        20 KiB     2025-11-30  quarantine  raw bytes; where the records are, and why they were rejected, stays
1        900 bytes  2026-01-20  plan        nothing was loaded by its plan, and nobody uses it
12 rows that plan 7 had replaced, kept since 2026-03-01T02:03:04Z: a.b__backfill_replaced_7
note: uploads were not looked at
by the dataset's retain: parquet 30d
`
	for _, c := range []struct {
		name, want string
		change     func(*Result)
	}{
		{"dry run", table + "6 objects of 60 GiB would go, 1 of 5000 bytes stay; nothing was changed. To remove them, say --apply\n", func(*Result) {}},
		{"applied", table + "removed 6 objects of 60 GiB; 1 of 5000 bytes stay\n", func(r *Result) { r.Applied = true }},
		{"nothing", "by the dataset's retain: parquet 30d\nnothing goes; 1 object of 5000 bytes stay\n", func(r *Result) { r.Goes, r.Kept, r.Notes = nil, nil, nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := *r
			c.change(&changed)
			if got := changed.Text(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
