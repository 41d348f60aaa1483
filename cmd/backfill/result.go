package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/timing"
	"backfill/jobs/convert"
	"backfill/jobs/doctor"
	"backfill/jobs/gc"
	"backfill/jobs/load"
	"backfill/jobs/plan"
	"backfill/jobs/preview"
	"backfill/jobs/quarantine"
	"backfill/jobs/reconcile"
	"backfill/jobs/repair"
	"backfill/jobs/status"
)

// result is what scripts and Airflow get, on success and on failure.
type result struct {
	Command string `json:"command"`
	Version string `json:"version"`
	Exit    int    `json:"exit"`
	Code    string `json:"code,omitempty"`
	Error   string `json:"error,omitempty"`
	Hint    string `json:"hint,omitempty"`

	Run      string   `json:"run,omitempty"`
	Seq      int64    `json:"seq,omitempty"`
	Plan     string   `json:"plan,omitempty"`
	Target   string   `json:"target,omitempty"`
	Window   string   `json:"window,omitempty"`
	Objects  int      `json:"objects,omitempty"`
	Bytes    int64    `json:"bytes,omitempty"`
	Chunks   int      `json:"chunks,omitempty"`
	Slices   int      `json:"slices,omitempty"`
	Replaces int64    `json:"replaces_rows,omitempty"`
	Sealed   bool     `json:"sealed,omitempty"`
	Done     bool     `json:"already_done,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	Created  string   `json:"created_table,omitempty"` // the statement that made it

	Records   int64                 `json:"records_read,omitempty"`
	Tally     *account.Tally        `json:"dispositions,omitempty"`
	Schemas   []account.SchemaCount `json:"schemas,omitempty"` // of framed values
	Converted int                   `json:"chunks_converted,omitempty"`
	Reused    int                   `json:"chunks_reused,omitempty"`
	Staged    int64                 `json:"rows_staged,omitempty"`
	Inserted  int64                 `json:"rows_inserted,omitempty"`
	Deleted   int64                 `json:"rows_deleted,omitempty"`

	Superseded  int64 `json:"rows_superseded,omitempty"`
	Outdated    int64 `json:"rows_superseded_by_table,omitempty"`
	Already     int64 `json:"rows_already,omitempty"`
	Differing   int64 `json:"rows_differing,omitempty"`
	Repeated    int64 `json:"rows_repeated,omitempty"`
	Doubled     int64 `json:"keys_doubled,omitempty"`
	Kept        int64 `json:"rows_kept,omitempty"`
	Stale       int64 `json:"rows_stale,omitempty"`
	Twins       int64 `json:"rows_twins,omitempty"`
	Preliminary bool  `json:"preliminary,omitempty"`

	Loaded    int            `json:"slices_loaded,omitempty"` // of an aborted plan
	Forgotten []publish.Kept `json:"forgotten,omitempty"`

	Preview *preview.Result `json:"preview,omitempty"` // not in XCom
	Dataset string          `json:"dataset,omitempty"` // that infer proposes
	Checks  []doctor.Check  `json:"checks,omitempty"`

	Reasons     []quarantine.Reason `json:"reasons,omitempty"`     // of quarantine ls
	Quarantined []quarantine.Shown  `json:"quarantined,omitempty"` // of quarantine show; not in XCom
	Replay      *quarantine.Replay  `json:"replay,omitempty"`

	GC *gc.Result `json:"gc,omitempty"`

	rejects map[string]int64 // by reason, of chunks converted now
	through kafka.Instant    // what the watermark reaches; 0: not known

	Timing   *timing.Snapshot `json:"timing,omitempty"`   // where the time went
	Profiles []string         `json:"profiles,omitempty"` // URIs

	Verdict  string          `json:"verdict,omitempty"`
	Sentence string          `json:"sentence,omitempty"`
	Report   string          `json:"report,omitempty"`
	Page     string          `json:"report_page,omitempty"`
	Number   int64           `json:"report_number,omitempty"` // in the ledger of reports
	Breaks   int             `json:"breaks,omitempty"`
	Repair   []repair.Action `json:"repair,omitempty"`           // what a repair does, or did
	Left     []repair.Left   `json:"left,omitempty"`             // bad rows that it leaves alone, and why
	Verified string          `json:"verified_through,omitempty"` // the dataset's watermark
	Status   *status.Result  `json:"status,omitempty"`
	Ledger   *status.Ledger  `json:"ledger,omitempty"` // not in XCom, it may be long

	History      *reconcile.History  `json:"history,omitempty"` // likewise
	Verification *reconcile.Verified `json:"verification,omitempty"`
	SignOff      *publish.ReportRow  `json:"sign_off,omitempty"`
}

func (r *result) head(h *runplan.Head, uri string) {
	r.Run, r.Seq, r.Plan, r.Target, r.Window = string(h.Run), int64(h.Seq), uri, h.Target, h.Window.String()
	r.Objects, r.Bytes, r.Chunks, r.Slices = h.Objects, h.Bytes, h.Chunks, len(h.Slices)
}

func (r *result) planned(p *plan.Result) {
	r.head(p.Head, p.URI)
	r.Sealed, r.Done, r.Notes, r.Replaces = p.Sealed, p.Done, p.Notes, p.TotalRows()
}

// maxSchemas bounds the schemas in the result, which must stay short; the report
// has all of them.
const maxSchemas = 20

func (r *result) converted(c *convert.Result) {
	r.Schemas = c.Schemas[:min(len(c.Schemas), maxSchemas)]
	r.rejects = c.Reasons
	r.Records, r.Tally, r.Converted, r.Reused = c.Tally.Read(), &c.Tally, c.Converted, c.Reused
}

func (r *result) loaded(l *load.Result) {
	r.Staged, r.Inserted, r.Deleted = l.Rows, l.Inserted, l.Deleted
	r.Superseded, r.Outdated, r.Already, r.Differing = l.Superseded, l.Outdated, l.Already, l.Differing
	r.Stale, r.Twins = l.Stale, l.Twins
	r.Repeated, r.Doubled, r.Kept, r.Preliminary = l.Repeated, l.Doubled, l.Kept, l.Preliminary
}

func (r *result) reconciled(c *reconcile.Result) {
	r.Verdict, r.Sentence, r.Report, r.Breaks = c.Report.Verdict, c.Report.Sentence, c.URI, len(c.Report.Breaks)
	r.Page, r.Number = c.Page, c.Number
	if c.Verified != nil {
		r.Verified, r.through = c.Verified.Through.String(), c.Verified.Through
	}
}

// print writes text for people; with --output json stdout gets the result only.
func (p *program) print(format string, args ...any) {
	if p.flags.output == "text" {
		fmt.Fprintf(p.stdout, format, args...)
	}
}

func (p *program) printJSON(r result) {
	enc := json.NewEncoder(p.stdout)
	enc.SetIndent("", " ")
	if err := enc.Encode(r); err != nil {
		p.log.Warn(fmt.Sprintf("writing the result: %v", err))
	}
}

func (p *program) printReport(r *reconcile.Result) error {
	if p.flags.output != "text" {
		return nil
	}
	if err := r.Report.Text(p.stdout, r.URI, p.width()); err != nil {
		return fail.Wrap(err, fail.Internal, "printing the report")
	}
	if r.Verified != nil {
		p.print("verified through %s\n", r.Verified.Through)
	}
	return nil
}

// printPlan shows what the plan will do; shards prints one line per chunk for
// schedulers that map over them.
func (p *program) printPlan(r *plan.Result) error {
	if p.flags.output == "shards" {
		enc := json.NewEncoder(p.stdout)
		for _, c := range r.Chunks {
			if err := enc.Encode(map[string]any{"chunk": c.ID, "partition": c.Partition.String(), "objects": len(c.Objects), "bytes": c.Bytes}); err != nil {
				return fail.Wrap(err, fail.Internal, "printing the shards")
			}
		}
		return nil
	}
	if p.flags.output != "text" {
		return nil
	}
	tw := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("plan", "%d of %s, run %s", r.Head.Seq, r.Head.Target, r.Head.Run)
	row("window", "%s", r.Head.Window)
	row("archive", "%d objects, %d bytes, %d chunks", r.Head.Objects, r.Head.Bytes, len(r.Chunks))
	for i, s := range r.Head.Slices {
		if i < len(r.Rows) {
			row(fmt.Sprintf("slice %d", i+1), "%s, %d rows of the table stand there", s, r.Rows[i])
		}
	}
	for _, n := range r.Notes {
		row("note", "%s", n)
	}
	row("go on with", "backfill convert --plan %s", r.URI)
	return tw.Flush()
}

func loadText(r *load.Result) string {
	return fmt.Sprintf("%d rows deleted, %d inserted in %s", r.Deleted, r.Inserted, r.Took.Round(time.Millisecond))
}

// window reads --from and --to in the dataset's calendar zone.
func window(ds *dataset.Dataset, from, to string) (kafka.Window, error) {
	if ds.Records.EventTime == nil {
		if from != "" || to != "" {
			return kafka.Window{}, fail.New(fail.BadWindow, "dataset %s has no event time, so --from and --to mean nothing", ds.Name).Try("leave them out")
		}
		return kafka.Window{}, nil
	}
	var w kafka.Window
	for _, end := range []struct {
		flag, text string
		to         *kafka.Instant
	}{{"--from", from, &w.From}, {"--to", to, &w.To}} {
		if end.text == "" {
			return w, fail.New(fail.BadWindow, "%s is missing", end.flag).Try("give a date or an RFC 3339 time")
		}
		at, err := instant(end.text, ds.Calendar)
		if err != nil {
			return w, fail.New(fail.BadWindow, "%s %q is no date and no RFC 3339 time", end.flag, end.text).Try("write it like 2026-03-01 or 2026-03-01T00:00:00-08:00")
		}
		*end.to = at
	}
	if w.To <= w.From {
		return w, fail.New(fail.BadWindow, "the window %s is empty or reversed", w).Try("--from is inclusive and --to exclusive; in Airflow use a data interval that has a length")
	}
	return w, nil
}

func instant(text string, zone *time.Location) (kafka.Instant, error) {
	if d, err := time.Parse(time.DateOnly, text); err == nil {
		return kafka.NewCalendar(zone).Start(kafka.Day(d.Unix() / 86400)), nil
	}
	t, err := time.Parse(time.RFC3339Nano, strings.Replace(text, " ", "T", 1))
	return kafka.InstantOf(t), err
}
