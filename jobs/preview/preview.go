// Package preview tells before anything is done what a run of the window would
// meet, take and cost. It lists the archive, reads a bounded sample of its
// objects, reads receipts of earlier runs and, if asked, the table. It writes
// nothing: no plan is sealed.
package preview

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/forecast"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/jobs/convert"
	"backfill/jobs/workspace"
)

// Options say what to look at, and how closely.
type Options struct {
	Window      kafka.Window
	ChunkBytes  int64 // compressed archive bytes of a chunk
	SliceDays   int   // load days of a slice
	Objects     int   // of the sample, at most; 0: nothing of the archive is read
	SampleBytes int64 // of the sample, at most
	Convert     convert.Options
}

// Codec is the archived objects whose names end alike.
type Codec struct {
	Name    string `json:"name"` // the last extension; the bytes decide when they are read
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// Result is what a run would meet. All figures are of the moment.
type Result struct {
	Target  string  `json:"target"`
	Window  string  `json:"window"`
	Objects int     `json:"objects"`
	Bytes   int64   `json:"bytes"`
	Cold    int     `json:"objects_in_archive_classes,omitempty"` // that may have to be restored first
	Codecs  []Codec `json:"codecs"`

	Sample  Sample             `json:"sample"`
	Records *forecast.Estimate `json:"records,omitempty"` // that will be read; nil: nothing was sampled
	Rows    *forecast.Estimate `json:"rows,omitempty"`    // that will be staged: in the window, chosen and valid
	Gaps    forecast.Gaps      `json:"gaps"`

	Slices   int     `json:"slices"`
	Table    []Slice `json:"table,omitempty"`           // what stands in each slice, at most mostSlices
	NotAsked string  `json:"table_not_asked,omitempty"` // why there is no Table; "": it was asked

	Requests forecast.Requests `json:"requests"`
	Workers  int               `json:"workers"` // of one pod
	Memory   int64             `json:"memory_bytes"`
	NoFit    string            `json:"memory_problem,omitempty"` // the limit is too low for one worker
	Staging  Span              `json:"staging_bytes"`
	Convert  Span              `json:"convert_seconds"` // of one pod
	Load     *Span             `json:"load_seconds,omitempty"`
	LoadWhy  string            `json:"load_unknown,omitempty"`
	Chunks   int               `json:"chunks"`
	Pods     int               `json:"pods"` // that are worth their start
	Notes    []string          `json:"notes,omitempty"`
}

// Span is an expected value with its range, and where it comes from.
type Span struct {
	Low      int64  `json:"low"`
	Expected int64  `json:"expected"`
	High     int64  `json:"high"`
	Basis    string `json:"basis"`
}

// Preview looks at what a run of the window would do. s is nil when the
// warehouse is not to be asked. An object of the sample, a receipt or a table
// that can't be read is said in the result; a listing that can't is an error.
func Preview(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options) (*Result, error) {
	w.Pulse.Step("preview: listing the archive")
	now, err := w.List(ctx, o.Window)
	if err != nil {
		return nil, err
	}
	chunks := runplan.Cut(now.Objects, o.ChunkBytes, runplan.Basis{ConvertDigest: w.Dataset.ConvertDigest, Archive: w.Dataset.Archive.URI, Window: o.Window, Converter: runplan.Converter})
	cut := runplan.CutSlices(o.Window, w.Calendar(), o.SliceDays)
	p := &preview{w: w, s: s, o: o, now: now, chunks: chunks, slices: cut, r: &Result{
		Target: w.TargetName(), Window: o.Window.String(), Objects: len(now.Objects), Bytes: now.Bytes, Cold: len(now.Cold),
		Codecs: codecs(now.Objects), Gaps: forecast.FindGaps(now.Objects), Slices: len(cut), Chunks: len(chunks),
	}}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{{"reading a sample", p.sample}, {"asking the table", p.table}, {"reading earlier receipts", p.rates}} {
		w.Pulse.Step("preview: %s", step.name)
		if err := w.Halt.Cause(); err != nil {
			return nil, err
		}
		if err := step.do(ctx); err != nil {
			return nil, err
		}
	}
	return p.r, p.needs()
}

type preview struct {
	w      *workspace.Workspace
	s      publish.Session
	o      Options
	now    *workspace.Listing
	chunks []runplan.Chunk
	slices []runplan.Slice
	r      *Result
}

// codecs sums objects by stratum.
func codecs(objects []runplan.Input) []Codec {
	of, names := forecast.Strata(objects)
	list := make([]Codec, len(names))
	for i, o := range objects {
		c := &list[of[i]]
		c.Name = names[of[i]]
		c.Objects++
		c.Bytes += o.Size
	}
	slices.SortFunc(list, func(a, b Codec) int { return strings.Compare(a.Name, b.Name) })
	return list
}

const (
	partBytes  = 5 << 20 // of an upload to staging
	perUpload  = 2       // requests that begin and end one
	perPlan    = 4       // head twice, segment, manifest
	perReport  = 8       // report, page, evidence, seal
	listed     = 1000    // keys of a listing's answer
	aPod       = 600     // seconds of work that are worth a pod's start
	mostPods   = 64
	perWorker  = 2   // chunks that keep a worker busy to the end
	leastChunk = 0.3 // staged bytes for an archived byte, at least
	mostChunk  = 1.5
)

// needs fills in what follows from the rest: memory, requests, pods.
func (p *preview) needs() error {
	need, err := convert.NeedOf(p.w, p.chunks, len(p.now.Objects), p.o.Convert)
	switch {
	case fail.Is(err, fail.Memory):
		p.r.NoFit = err.Error()
		need = convert.Need{Workers: 1, PieceBytes: partBytes}
	case err != nil:
		return err
	}
	p.r.Workers, p.r.Memory = need.Workers, need.Bytes
	q := forecast.Requests{BytesRead: p.now.Bytes, Lists: int64(len(p.now.Objects)/listed + 1 + p.now.Folders.Listed)}
	for _, o := range p.now.Objects {
		q.Gets += max(1, (o.Size+need.PieceBytes-1)/need.PieceBytes)
	}
	q.Puts = p.r.Staging.Expected/partBytes + int64(len(p.chunks))*(perUpload+2) + int64(len(p.slices)) + perPlan + perReport
	p.r.Requests = q.Priced()
	p.r.expect(need.Workers)
	p.r.Pods = pods(p.r.Convert.Expected, len(p.chunks), need.Workers)
	return nil
}

// pods is how many pods are worth their start for so much work of one.
func pods(seconds int64, chunks, workers int) int {
	most := max(1, min(mostPods, chunks/(perWorker*workers)))
	return int(max(1, min(int64(most), (seconds+aPod-1)/aPod)))
}

// note adds a sentence for people.
func (p *preview) note(format string, args ...any) {
	p.r.Notes = append(p.r.Notes, fmt.Sprintf(format, args...))
}
