package status

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/report"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
)

// readers is how many receipts are read at a time.
const readers = 16

// plan describes one plan. Newer are the plans sealed after it.
func (l *look) plan(ctx context.Context, h *runplan.Head, newer []*runplan.Head) (Plan, error) {
	p := Plan{Seq: h.Seq, Run: string(h.Run), Window: h.Window.String(), URI: l.w.Runs.URI(runstore.KeyOf(h)), Chunks: h.Chunks, Slices: len(h.Slices)}
	for _, row := range l.history {
		if row.Seq == h.Seq && row.Kind == publish.KindUndo {
			p.Undone++
		}
	}
	preliminary := false
	for _, row := range l.holding {
		if row.Seq == h.Seq {
			p.Loaded++
			preliminary = preliminary || row.Has(publish.FlagPreliminary)
		}
	}
	for i := range l.kept {
		if l.kept[i].Seq == h.Seq && p.Loaded > 0 {
			p.Kept = &l.kept[i]
		}
	}
	stopped, err := l.stopped(ctx, h)
	if err != nil {
		return p, err
	}
	overtaken := l.overtaken(h, newer)
	switch {
	case p.Undone > 0 && p.Loaded > 0:
		p.State, p.Next = fmt.Sprintf("half undone: %d of %d loaded slices are taken back", p.Undone, p.Undone+p.Loaded), l.command("load --undo %d", h.Seq)
	case p.Undone > 0:
		p.State = stopped
	case stopped != "" && p.Loaded < p.Slices:
		p.State = fmt.Sprintf("aborted with %d of %d slices loaded, %s", p.Loaded, p.Slices, strings.TrimPrefix(stopped, "aborted "))
		if overtaken == "" {
			p.Next = l.again(h)
		}
	case overtaken != "" && p.Loaded == p.Slices:
		p.State = "loaded; " + overtaken
	case overtaken != "":
		p.State = overtaken
	case p.Loaded == p.Slices && preliminary:
		p.State, p.Next = "loaded as preliminary: records may still come", l.run(h, "")
	case p.Loaded == p.Slices:
		p.State = "loaded"
	default:
		if err := l.unfinished(ctx, h, &p); err != nil {
			return p, err
		}
	}
	if p.Loaded == p.Slices || p.Undone > 0 || stopped != "" {
		if p.Removed, err = l.removed(ctx, h); err != nil {
			return p, err
		}
	}
	if p.Loaded > 0 && p.Loaded < p.Slices || p.Undone > 0 && p.Loaded > 0 {
		p.Parts = l.parts(h)
	}
	if p.Loaded > 0 && overtaken == "" {
		if p.Behind, err = l.behind(ctx, h, newer); err != nil {
			return p, err
		}
		if l.listing != nil {
			p.Quiet = l.w.Quiet(h.Window, l.listing.Written)
		}
		if p.Report, err = l.report(ctx, h); err != nil {
			return p, err
		}
	}
	if p.Behind != nil && p.Next == "" {
		p.Next = l.run(h, "")
	}
	return p, nil
}

// stopped says who aborted or undid the plan and why, "" when nobody did. The mark in
// staging counts, too: whoever wrote it may have died before the ledger's row.
func (l *look) stopped(ctx context.Context, h *runplan.Head) (string, error) {
	err := publish.StoppedBy(l.history, h.Seq)
	if err == nil {
		err = l.w.Stopped(ctx, h)
	}
	if fail.Is(err, fail.Stopped) {
		_, text, _ := strings.Cut(err.Error(), " was ")
		return text, nil
	}
	return "", err
}

// overtaken says which newer plan has the last word on rows of this one.
func (l *look) overtaken(h *runplan.Head, newer []*runplan.Head) string {
	if h.Window.IsAll() {
		return ""
	}
	loaded := false
	for _, row := range l.holding {
		if row.Seq > h.Seq && row.Window.Overlaps(h.Window) {
			return fmt.Sprintf("plan %d changed rows of it later", row.Seq)
		}
		loaded = loaded || row.Seq == h.Seq
	}
	for _, n := range newer {
		if n.Run == h.Run && !loaded {
			return fmt.Sprintf("superseded by plan %d", n.Seq)
		}
	}
	return ""
}

// unfinished says how far the plan is and what goes on.
func (l *look) unfinished(ctx context.Context, h *runplan.Head, p *Plan) error {
	receipts, err := l.receipts(ctx, h)
	if err != nil {
		return err
	}
	for _, r := range receipts {
		if r.receipt != nil {
			p.Converted++
		}
	}
	switch {
	case p.Converted < p.Chunks && p.Loaded == 0:
		p.State, p.Next = fmt.Sprintf("%d of %d chunks converted", p.Converted, p.Chunks), "backfill convert --plan "+p.URI
	case p.Converted < p.Chunks:
		p.State, p.Next = fmt.Sprintf("half replaced: %d of %d slices loaded, and %d receipts are gone", p.Loaded, p.Slices, p.Chunks-p.Converted), "backfill convert --plan "+p.URI
	case p.Loaded > 0:
		p.State, p.Next = fmt.Sprintf("half replaced: %d of %d slices loaded", p.Loaded, p.Slices), "backfill load --plan "+p.URI
	default:
		p.State, p.Next = "converted, not loaded", "backfill load --plan "+p.URI
	}
	if p.Converted == 0 {
		return nil
	}
	chunks := make([]runplan.Chunk, len(receipts))
	for i := range receipts {
		chunks[i] = receipts[i].chunk
	}
	if p.Removed, err = l.w.ParquetGone(ctx, h, chunks); err == nil && p.Removed != "" {
		p.Next = l.again(h)
	}
	return err
}

// removed says that Parquet of a plan that needs it no more was removed, "" when
// it was not.
func (l *look) removed(ctx context.Context, h *runplan.Head) (string, error) {
	word, err := l.w.Runs.Swept(ctx, h.Basis())
	if err != nil || word == nil {
		return "", err
	}
	return fmt.Sprintf("gc removed its Parquet on %s (%s)", word.At.Format(time.DateOnly), word.Reason), nil
}

type converted struct {
	chunk   runplan.Chunk
	receipt *runplan.ChunkReceipt // nil: not converted
}

func (l *look) receipts(ctx context.Context, h *runplan.Head) ([]converted, error) {
	chunks, err := l.w.Runs.Chunks(ctx, h)
	if err != nil {
		return nil, err
	}
	list := make([]converted, len(chunks))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, c := range chunks {
		group.Go(func() (err error) {
			list[i].chunk = c
			list[i].receipt, err = l.w.Runs.ChunkReceipt(ctx, c.ID)
			return err
		})
	}
	return list, group.Wait()
}

// parts says of every slice whether it is done.
func (l *look) parts(h *runplan.Head) []Slice {
	list := make([]Slice, len(h.Slices))
	for i, s := range h.Slices {
		list[i] = Slice{Slice: i + 1, Days: s.String(), State: "open"}
	}
	set := func(state string, row publish.LedgerRow) {
		if row.SliceIndex >= 0 && row.SliceIndex < len(list) {
			part := &list[row.SliceIndex]
			part.State, part.Rows, part.Committed = state, row.RowsInserted, row.Committed
		}
	}
	for _, row := range l.history {
		if row.Seq == h.Seq && row.Kind == publish.KindUndo {
			set("undone", row)
		}
	}
	for _, row := range l.holding {
		if row.Seq == h.Seq {
			set("loaded", row)
		}
	}
	return list
}

// report reads the newest report of the plan's run.
func (l *look) report(ctx context.Context, h *runplan.Head) (*Report, error) {
	folders, err := l.w.Runs.Reports(ctx, h.Target, h.Run)
	if err != nil || len(folders) == 0 {
		return nil, err
	}
	folder := folders[len(folders)-1]
	key := folder + "/" + runstore.ReportName
	body, err := l.w.Runs.ReadReport(ctx, folder, runstore.ReportName)
	if err != nil {
		return nil, err
	}
	var doc report.Report
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fail.Wrap(err, fail.Corrupt, "the report can't be read").At("%s", l.w.Runs.URI(key))
	}
	return &Report{URI: l.w.Runs.URI(key), Verdict: doc.Verdict, Sentence: doc.Sentence, Current: report.Covers(body, int64(h.Seq))}, nil
}

// behind compares the plan's objects with the archive now; nil when they are
// the same. Datasets without event time load what is new by their next plan.
func (l *look) behind(ctx context.Context, h *runplan.Head, newer []*runplan.Head) (*Behind, error) {
	if h.Window.IsAll() {
		return nil, nil
	}
	if l.listing == nil || l.w.ByWindow() && l.listed != h.Window {
		var err error
		if l.listing, err = l.w.List(ctx, h.Window); err != nil {
			return nil, err
		}
		l.listed = h.Window
	}
	if l.listing.ID == h.ListingID {
		return nil, nil
	}
	chunks, err := l.w.Runs.Chunks(ctx, h)
	if err != nil {
		return nil, err
	}
	mine := map[string]bool{}
	for _, o := range h.Damaged {
		mine[o.Key+"\x00"+o.ETag] = true
	}
	for _, c := range chunks {
		for _, o := range c.Objects {
			mine[o.Key+"\x00"+o.ETag] = true
		}
	}
	b := &Behind{}
	there := 0
	for _, o := range l.listing.Objects {
		if mine[o.Key+"\x00"+o.ETag] {
			there++
		} else {
			b.Added++
		}
	}
	b.Changed = len(mine) - there
	b.Days, err = l.lateDays(ctx, h, newer, mine)
	return b, err
}

// lateDays are the plan's days of which newer plans saw records out of their
// own windows, in chunks with objects that this plan did not have.
func (l *look) lateDays(ctx context.Context, h *runplan.Head, newer []*runplan.Head, mine map[string]bool) ([]Day, error) {
	from, to := h.Slices[0].DayFrom, h.Slices[len(h.Slices)-1].DayTo
	rows := map[kafka.Day]int64{}
	for _, n := range newer {
		list, err := l.receipts(ctx, n)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			fresh := false
			for _, o := range c.chunk.Objects {
				fresh = fresh || !mine[o.Key+"\x00"+o.ETag]
			}
			if !fresh || c.receipt == nil {
				continue
			}
			for d, records := range c.receipt.Counts.OutOfWindow {
				if d >= from && d < to {
					rows[d] = max(rows[d], records)
				}
			}
		}
	}
	var days []Day
	for d := from; d < to; d++ {
		if rows[d] > 0 {
			days = append(days, Day{Day: d, Rows: rows[d]})
		}
	}
	return days, nil
}

// command is a command line that needs the dataset file.
func (l *look) command(format string, args ...any) string {
	file := l.o.File
	if file == "" {
		file = "…"
	}
	return "backfill " + fmt.Sprintf(format, args...) + " --dataset " + file
}

// run is the main job's command for the plan's window.
func (l *look) run(h *runplan.Head, flags string) string {
	if h.Window.IsAll() {
		return l.command("run") + flags
	}
	zone := l.w.Dataset.Calendar
	const form = "2006-01-02T15:04:05.999999Z07:00"
	return l.command("run") + fmt.Sprintf(" --from %s --to %s", h.Window.From.Time().In(zone).Format(form), h.Window.To.Time().In(zone).Format(form)) + flags
}

// again loads a stopped plan's window anew.
func (l *look) again(h *runplan.Head) string { return l.run(h, " --replan") }
