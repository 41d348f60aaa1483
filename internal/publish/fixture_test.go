package publish

import (
	"context"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

const manifest = "s3://lake/backfill/manifest.json"
const role = "arn:aws:iam::123456789012:role/redshift-copy"

func payroll() Target {
	source := "payroll"
	return Target{
		Schema: "payroll", Table: "events",
		Columns: []schema.Column{
			{Name: "event_id", Type: schema.Type{Kind: schema.Varchar, Length: 36}, Required: true},
			{Name: "gross_amount", Type: schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}},
			{Name: "currency", Type: schema.Type{Kind: schema.Char, Length: 3}},
			{Name: "occurred_at", Type: schema.Type{Kind: schema.Timestamp}, Required: true},
			{Name: "details", Type: schema.Type{Kind: schema.Super}},
			{Name: "source", Type: schema.Type{Kind: schema.Varchar, Length: 16}, Const: &source},
		},
		Scope: "source = 'payroll'", WindowColumn: "occurred_at",
		Key: []int{0}, LatestBy: []int{3}, NotLoaded: []string{"loaded_at"}, Provenance: true,
		Totals: []int{1}, By: []int{2}, Buckets: 4, Mode: ReplaceWindow,
	}
}

// adjustments is a target without event time, without a key, without groups.
func adjustments() Target {
	t := payroll()
	t.WindowColumn, t.Key, t.LatestBy, t.By, t.Totals = "", nil, nil, nil, nil
	t.Scope, t.Mode, t.NotLoaded, t.Provenance = "", Append, nil, false
	return t
}

func mustCompile(t testing.TB, target Target) *compiled {
	t.Helper()
	c, err := compile(target)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// compiled lets tests name both the exported and the compiled target.
type compiled = target

func utc() *kafka.Calendar { return kafka.NewCalendar(time.UTC) }

func dayOf(t testing.TB, text string) kafka.Day {
	t.Helper()
	var d kafka.Day
	if err := d.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return d
}

func window(t testing.TB, from, to string) kafka.Window {
	return kafka.Window{From: utc().Start(dayOf(t, from)), To: utc().Start(dayOf(t, to))}
}

// cell holds n rows of the given money in cents; offsets and lanes follow from them.
func cell(n, cents int64) *account.Cell {
	return &account.Cell{
		Rows: n, Offsets: n, OffsetSum: account.FromInt64(100 * n), Lane1: account.FromInt64(7*n + cents), Lane2: account.FromInt64(-n - cents),
		Sums: []account.Int128{account.FromInt64(cents)}, Counts: []int64{n},
	}
}

func at(t testing.TB, partition kafka.Partition, day string, bucket int32, group account.Group) account.Place {
	return account.Place{Topic: "payroll.events", Partition: partition, Day: dayOf(t, day), Bucket: bucket, Group: group}
}

// scene is one plan of three days in three slices, over a table that holds an
// older state of them.
type scene struct {
	w    *warehouse
	r    *receipts
	t    Target
	load Load
	log  []Event
}

func newScene(t *testing.T) *scene {
	target := payroll()
	w := &warehouse{
		t: t, target: mustCompile(t, target), tables: map[string]bool{}, failErr: errInjected,
		parquet: account.Cells{
			at(t, 0, "2024-01-30", 1, "USD"): cell(3, 300), at(t, 1, "2024-01-30", -2, "EUR"): cell(2, 250),
			at(t, 0, "2024-01-31", 0, "USD"): cell(5, 1000), at(t, 0, "2024-02-01", 0, "\x00"): cell(1, -50),
		},
		winners: account.Cells{
			at(t, 0, "2024-01-30", 1, "USD"): cell(2, 200), at(t, 1, "2024-01-30", -2, "EUR"): cell(2, 250),
			at(t, 0, "2024-01-31", 0, "USD"): cell(5, 1000), at(t, 0, "2024-02-01", 0, "\x00"): cell(1, -50),
		},
		table: account.Cells{
			at(t, 0, "2024-01-29", 3, "USD"): cell(9, 900), // outside of the window
			at(t, 0, "2024-01-30", 1, "USD"): cell(1, 100), at(t, 0, "2024-01-31", 0, "USD"): cell(4, 800),
		},
	}
	s := &scene{w: w, r: &receipts{w: w}, t: target}
	all := window(t, "2024-01-30", "2024-02-02")
	s.load = Load{
		Head: &runplan.Head{
			Format: runplan.Format, Run: "run1", Seq: 7, Attempt: "attempt1", Target: "payroll.events",
			Dataset: runplan.Dataset{Name: "payroll_events", Digest: "d1"}, Window: all, Slices: runplan.CutSlices(all, utc(), 1),
		},
		Calendar: utc(), PlanKey: "plans/7", ManifestURI: manifest, IAMRole: role, Expected: w.parquet, Rows: 11,
		Actor: Actor{Reason: "late files", RequestedBy: "finance", Image: "backfill:1", Version: "1.2.3",
			Airflow: Airflow{DAG: "payday", Task: "load", Run: "manual__1", MapIndex: -1, Try: 2}},
		Flags: []string{"replan"}, Evidence: s.r,
		Observe: func(e Event) { e.Took = 0; s.log = append(s.log, e) },
	}
	return s
}

// publish runs without waiting.
func (s *scene) publish() (*Result, error) { return s.publishIn(context.Background()) }

func (s *scene) publishIn(ctx context.Context) (*Result, error) {
	p, err := newPublisher(s.w, s.t, s.load)
	if err != nil {
		return nil, err
	}
	p.attempt = func() string { return "try" }
	p.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return p.publish(ctx)
}

// want is the table after the whole plan.
func (s *scene) want(t *testing.T) account.Cells {
	cells := account.Cells{}
	if s.t.Mode == Append {
		cells = newAppend(t).w.table
		if err := cells.Merge(s.w.fold(s.w.parquet)); err != nil {
			t.Fatal(err)
		}
		return cells
	}
	cells[at(t, 0, "2024-01-29", 3, "USD")] = cell(9, 900)
	if err := cells.Merge(s.w.winners); err != nil {
		t.Fatal(err)
	}
	return cells
}
