package reconcile

import (
	"context"
	"fmt"
	"path"
	"strings"
	"text/tabwriter"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// closing returns the newest signed-off report on exactly the window, with its
// sign-off; nil: there is none. Rows come newest first.
func closing(rows []publish.ReportRow, dataset string, window kafka.Window) (report, by *publish.ReportRow) {
	for i := range rows {
		sign := &rows[i]
		if sign.Kind != publish.KindSignOff || sign.Dataset != dataset || sign.Window != window {
			continue
		}
		for j := range rows {
			if rows[j].Number == sign.About && rows[j].Kind == publish.KindReport {
				return &rows[j], sign
			}
		}
	}
	return nil, nil
}

// History is what was reported on a window, newest first.
type History struct {
	Target  string     `json:"target"`
	Reports []Reported `json:"reports"`
	Stale   []StaleDay `json:"stale_days"` // of which newer versions came with loads of other days
}

// Reported is one report with its sign-off.
type Reported struct {
	publish.ReportRow
	URI      string             `json:"report"`
	SignedBy string             `json:"signed_by,omitempty"`
	SignedAt kafka.Instant      `json:"signed_at,omitempty"`
	Restates int64              `json:"restates,omitempty"` // number of the signed-off report
	SignOff  *publish.ReportRow `json:"-"`
}

// StaleDay is a day that a late record made stale.
type StaleDay struct {
	Day  kafka.Day `json:"day"`
	Rows int64     `json:"rows"`
}

// ReadHistory reads the reports that overlap the window, all with the zero window.
func ReadHistory(ctx context.Context, w *workspace.Workspace, s publish.Session, window kafka.Window) (*History, error) {
	rows, err := publish.Reports(ctx, s, w.Target(), window)
	if err != nil {
		return nil, err
	}
	signs := map[int64]publish.ReportRow{}
	for _, r := range rows {
		if r.Kind == publish.KindSignOff {
			signs[r.About] = r
		}
	}
	h := &History{Target: w.TargetName(), Reports: []Reported{}, Stale: []StaleDay{}}
	for _, r := range rows {
		if r.Kind != publish.KindReport {
			continue
		}
		line := Reported{ReportRow: r, URI: w.Runs.URI(path.Join(path.Dir(r.SealKey), runstore.ReportName)), Restates: r.About}
		if sign, there := signs[r.Number]; there {
			line.SignedBy, line.SignedAt, line.SignOff = sign.RequestedBy, sign.Recorded, &sign
		}
		h.Reports = append(h.Reports, line)
	}
	return h, h.stale(ctx, w, s, window)
}

func (h *History) stale(ctx context.Context, w *workspace.Workspace, s publish.Session, window kafka.Window) error {
	held, err := publish.Ledger(ctx, s, w.Target(), window)
	if err != nil {
		return err
	}
	stale, err := FindStale(ctx, w, s, held, window)
	if err != nil {
		return err
	}
	for _, p := range stale.Older.Places() {
		if n := len(h.Stale); n > 0 && h.Stale[n-1].Day == p.Day {
			h.Stale[n-1].Rows += stale.Older[p].Rows
			continue
		}
		h.Stale = append(h.Stale, StaleDay{Day: p.Day, Rows: stale.Older[p].Rows})
	}
	return nil
}

// Text writes the history for people.
func (h *History) Text() string {
	if len(h.Reports) == 0 {
		return fmt.Sprintf("%s: no report was recorded for this window\n", h.Target)
	}
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "no.\trecorded\twindow\tverdict\trows\tasked by\tsigned off by\trestates\treport")
	for _, r := range h.Reports {
		signed, restates := "", ""
		if r.SignedBy != "" {
			signed = fmt.Sprintf("%s, %s", r.SignedBy, r.SignedAt.Time().Format("2006-01-02 15:04:05"))
		}
		if r.Restates > 0 {
			restates = fmt.Sprint(r.Restates)
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", r.Number, r.Recorded.Time().Format("2006-01-02 15:04:05"), r.Window, r.Verdict, r.Rows, r.RequestedBy, signed, restates, r.URI)
	}
	_ = tw.Flush() // a strings.Builder takes everything
	for _, d := range h.Stale {
		fmt.Fprintf(&b, "%s is stale: newer versions of %d of its rows came with loads of other days; run that day again\n", d.Day, d.Rows)
	}
	return b.String()
}

// find returns the row of the report that a person names: by its number or URI.
func find(ctx context.Context, w *workspace.Workspace, s publish.Session, name string) (*publish.ReportRow, []publish.ReportRow, string, error) {
	rows, err := publish.Reports(ctx, s, w.Target(), kafka.Window{})
	if err != nil {
		return nil, nil, "", err
	}
	folder := ""
	if strings.Contains(name, "/") {
		if folder, err = w.Runs.ReportFolder(name); err != nil {
			return nil, nil, "", err
		}
	}
	for i, r := range rows {
		if r.Kind == publish.KindReport && (fmt.Sprint(r.Number) == name || folder != "" && r.SealKey == folder+"/"+runstore.SealName) {
			return &rows[i], rows, path.Dir(r.SealKey), nil
		}
	}
	if folder == "" {
		return nil, nil, "", fail.New(fail.NotFoundInput, "there is no report %s of %s", name, w.TargetName()).Try("`backfill reconcile --dataset F --history` lists them")
	}
	return nil, rows, folder, nil
}
