// Package status says what stands where: the newest plans of a dataset, how
// far each one is, and the command that goes on. It changes nothing.
package status

import (
	"context"
	"fmt"
	"strings"

	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/reconcile"
	"backfill/jobs/workspace"
)

// maxPlans bounds how many plans are looked at.
const maxPlans = 10

// Plan is one plan's state.
type Plan struct {
	Seq       runplan.Seq `json:"seq"`
	Run       string      `json:"run"`
	Window    string      `json:"window"`
	URI       string      `json:"plan"`
	Chunks    int         `json:"chunks"`
	Converted int         `json:"converted"`
	Slices    int         `json:"slices"`
	Loaded    int         `json:"loaded"`
	State     string      `json:"state"`
	Next      string      `json:"next,omitempty"` // the command that goes on; "": nothing is left
}

// Result lists plans, newest first.
type Result struct {
	Dataset string `json:"dataset"`
	Target  string `json:"target"`
	Plans   []Plan `json:"plans"`
	Stale   []Day  `json:"stale_days,omitempty"`
}

// Day is a day of the table that holds older versions of keys, whose newer ones
// came to other days.
type Day struct {
	Day  kafka.Day `json:"day"`
	Rows int64     `json:"rows"`
}

// Status looks at the newest plans of the dataset.
func Status(ctx context.Context, w *workspace.Workspace, s publish.Session) (*Result, error) {
	r := &Result{Dataset: w.Dataset.Name, Target: w.TargetName(), Plans: []Plan{}}
	var heads []*runplan.Head
	_, err := w.Runs.Newest(ctx, w.TargetName(), func(h *runplan.Head) bool {
		if h.Dataset.Name == w.Dataset.Name {
			heads = append(heads, h)
		}
		return len(heads) == maxPlans
	})
	if err != nil {
		return nil, err
	}
	rows, err := publish.Ledger(ctx, s, w.Target(), kafka.Window{})
	if err != nil {
		return nil, err
	}
	stale, err := reconcile.FindStale(ctx, w, s, rows, kafka.Window{})
	if err != nil {
		return nil, err
	}
	for _, p := range stale.Older.Places() {
		if n := len(r.Stale); n > 0 && r.Stale[n-1].Day == p.Day {
			r.Stale[n-1].Rows += stale.Older[p].Rows
			continue
		}
		r.Stale = append(r.Stale, Day{Day: p.Day, Rows: stale.Older[p].Rows})
	}
	for i, h := range heads {
		p, err := describe(ctx, w, h, heads[:i], rows)
		if err != nil {
			return nil, err
		}
		r.Plans = append(r.Plans, p)
	}
	return r, nil
}

func describe(ctx context.Context, w *workspace.Workspace, h *runplan.Head, newer []*runplan.Head, rows []publish.LedgerRow) (Plan, error) {
	p := Plan{Seq: h.Seq, Run: string(h.Run), Window: h.Window.String(), URI: w.Runs.URI(runstore.KeyOf(h)), Chunks: h.Chunks, Slices: len(h.Slices)}
	for _, row := range rows {
		if row.Seq == h.Seq {
			p.Loaded++
		}
	}
	for _, n := range newer {
		if n.Window.Overlaps(h.Window) && h.Window != (kafka.Window{}) {
			p.State = fmt.Sprintf("superseded by plan %d", n.Seq)
			if p.Loaded == p.Slices {
				p.State = fmt.Sprintf("loaded; plan %d changed rows of it later", n.Seq)
			}
			return p, nil
		}
	}
	chunks, err := w.Runs.Chunks(ctx, h)
	if err != nil {
		return p, err
	}
	for _, c := range chunks {
		receipt, err := w.Runs.ChunkReceipt(ctx, c.ID)
		if err != nil {
			return p, err
		}
		if receipt != nil {
			p.Converted++
		}
	}
	p.State, p.Next = next(p)
	return p, nil
}

// next says where a plan stands and what goes on.
func next(p Plan) (state, command string) {
	switch {
	case p.Loaded == p.Slices:
		return "loaded", ""
	case p.Converted < p.Chunks:
		return fmt.Sprintf("%d of %d chunks converted", p.Converted, p.Chunks), "backfill convert --plan " + p.URI
	case p.Loaded > 0:
		return fmt.Sprintf("half replaced: %d of %d slices loaded", p.Loaded, p.Slices), "backfill load --plan " + p.URI
	}
	return "converted, not loaded", "backfill load --plan " + p.URI
}

// Text writes the result for people.
func (r *Result) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s → %s\n", r.Dataset, r.Target)
	if len(r.Plans) == 0 {
		b.WriteString("  no plan yet: backfill run --dataset … --from … --to …\n")
	}
	for _, p := range r.Plans {
		fmt.Fprintf(&b, "  plan %d  %s  %s\n", p.Seq, p.Window, p.State)
		if p.Next != "" {
			fmt.Fprintf(&b, "    go on with: %s\n", p.Next)
		}
	}
	for _, d := range r.Stale {
		fmt.Fprintf(&b, "  %s holds %d rows of which other days have newer versions: run it again, --from %s --to %s\n", d.Day, d.Rows, d.Day, d.Day+1)
	}
	return b.String()
}
