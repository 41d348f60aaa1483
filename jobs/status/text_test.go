package status

import (
	"testing"

	"backfill/internal/kafka"
	"backfill/internal/publish"
)

func TestText(t *testing.T) {
	day := kafka.Day(20517)
	r := &Result{
		Dataset: "payroll_events", Target: "payroll.events",
		Verified: &publish.Watermark{From: 0, Through: 86_400_000_000, Also: []kafka.Window{{From: 2 * 86_400_000_000, To: 3 * 86_400_000_000}}},
		Plans: []Plan{
			{Seq: 3, Window: "[a, b)", State: "half replaced: 1 of 2 slices loaded", Next: "backfill load --plan s3://p/3", Parts: []Slice{
				{Slice: 1, Days: "2026-03-01 to 2026-03-07", State: "loaded", Rows: 94, Committed: 3_600_000_000}, {Slice: 2, Days: "2026-03-08", State: "open"}}},
			{Seq: 2, Window: "[a, b)", State: "loaded", Report: &Report{URI: "s3://r", Verdict: "RECONCILED"}, Behind: &Behind{Added: 2, Days: []Day{{day, 7}}},
				Kept: &publish.Kept{Table: "payroll.events__backfill_replaced_2", Rows: 5}, Next: "backfill run --dataset f.yaml --from a --to b"},
		},
		Stale: []Day{{day, 3}},
	}
	want := `payroll_events → payroll.events
  verified from 1970-01-01T00:00:00Z through 1970-01-02T00:00:00Z
  verified, too, but beyond a gap: [1970-01-03T00:00:00Z, 1970-01-04T00:00:00Z)
  plan 3  [a, b)  half replaced: 1 of 2 slices loaded
    slice 1  2026-03-01 to 2026-03-07  loaded at 1970-01-01T01:00:00Z, 94 rows
    slice 2  2026-03-08  NOT loaded: the table has the rows of before
    go on with: backfill load --plan s3://p/3
  plan 2  [a, b)  loaded
    last report, before this load: RECONCILED (s3://r)
    STALE: since it was sealed 2 objects came to the archive, 0 were rewritten or went
      2026-03-05: up to 7 records in new objects
    can be undone: 5 replaced rows are kept since 1970-01-01T00:00:00Z in payroll.events__backfill_replaced_2
    go on with: backfill run --dataset f.yaml --from a --to b
  2026-03-05 holds 3 rows of which other days have newer versions: run it again, --from 2026-03-05 --to 2026-03-06
`
	if got := r.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := r.Short(); s.Plans[0].Parts != nil || r.Plans[0].Parts == nil || (*Result)(nil).Short() != nil {
		t.Error("the short form changes the long one")
	}
}
