package preview

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"backfill/internal/publish"
	"backfill/internal/runplan"
)

// The bounds of what is read of earlier runs.
const (
	mostPlans    = 3
	mostReceipts = 40 // of each, the first ones
	leastLoad    = 1  // seconds: what is shorter is lost in the difference of two machines' clocks
)

// The rate where no earlier run tells: archived bytes a second of one processor.
const (
	builtIn     = 40 << 20
	builtInText = "no earlier run; 40 MiB/s a core, as measured of gzip JSON on an AMD EPYC with the store beside it"
)

// measured is what earlier runs of the dataset took.
type measured struct {
	plans        int
	slow, fast   float64 // archived bytes a second; 0: not known
	read, staged int64   // archived bytes, and Parquet bytes that came of them
	loaded       int     // plans whose load is known
	slowLoad     float64 // rows a second
	fastLoad     float64
}

// rates reads receipts of the newest plans of the dataset, and fills in what
// they say of time and bytes.
func (p *preview) rates(ctx context.Context) error {
	heads, err := p.w.Runs.NewestFew(ctx, p.w.TargetName(), mostPlans, func(m runplan.Mark) bool { return m.Dataset == p.w.Dataset.Name })
	if err != nil {
		return err
	}
	m := &measured{slow: math.Inf(1), slowLoad: math.Inf(1)}
	for _, head := range heads {
		if err := p.measure(ctx, head, m); err != nil {
			return err
		}
	}
	p.r.Staging = m.staging(p.now.Bytes)
	p.r.Convert = m.convert(p.now.Bytes)
	p.r.Load, p.r.LoadWhy = m.load(p.r)
	return nil
}

// measure adds what converting and loading a plan took.
func (p *preview) measure(ctx context.Context, head *runplan.Head, m *measured) error {
	chunks, err := p.w.Runs.Chunks(ctx, head)
	if err != nil {
		return err
	}
	type done struct {
		at    time.Time
		bytes int64
	}
	var list []done
	for _, c := range chunks[:min(len(chunks), mostReceipts)] {
		r, err := p.w.Runs.ChunkReceipt(ctx, c.ID)
		if err != nil {
			return err
		}
		if r == nil || r.Done.Before(head.Sealed) { // of an earlier plan
			continue
		}
		list = append(list, done{r.Done, c.Bytes})
		m.read += c.Bytes
		for _, f := range r.Parquet {
			m.staged += f.Size
		}
	}
	if len(list) == 0 {
		return nil
	}
	m.plans++
	slices.SortFunc(list, func(a, b done) int { return a.at.Compare(b.at) })
	var bytes int64
	for _, d := range list {
		bytes += d.bytes
	}
	if took := list[len(list)-1].at.Sub(head.Sealed).Seconds(); took > 0 { // with what came before the first chunk
		rate := float64(bytes) / took
		m.slow, m.fast = min(m.slow, rate), max(m.fast, rate)
	}
	if p.s == nil || len(chunks) > mostReceipts {
		return nil
	}
	return p.measureLoad(ctx, head, list[len(list)-1].at, m)
}

// measureLoad adds what the load took: from the last chunk to the last commit.
func (p *preview) measureLoad(ctx context.Context, head *runplan.Head, converted time.Time, m *measured) error {
	if p.r.NotAsked != "" {
		return nil
	}
	rows, err := publish.History(ctx, p.s, p.w.Target(), head.Window)
	if err != nil {
		return err
	}
	staged, last := int64(0), converted
	for _, row := range rows {
		if row.Seq != head.Seq {
			continue
		}
		staged += row.RowsStage
		if at := row.Committed.Time(); at.After(last) {
			last = at
		}
	}
	if took := last.Sub(converted).Seconds(); took >= leastLoad && staged > 0 {
		rate := float64(staged) / took
		m.loaded++
		m.slowLoad, m.fastLoad = min(m.slowLoad, rate), max(m.fastLoad, rate)
	}
	return nil
}

func (m *measured) staging(bytes int64) Span {
	if m.read == 0 {
		return Span{int64(leastChunk * float64(bytes)), bytes, int64(mostChunk * float64(bytes)), "no earlier run; 0.3 to 1.5 times the archive's bytes"}
	}
	ratio := float64(m.staged) / float64(m.read)
	return spread(ratio*float64(bytes), 0.7, 1.4, fmt.Sprintf("Parquet of %d earlier plans: %.2f of the archive's bytes", m.plans, ratio))
}

// convert is in seconds of one pod like the earlier one; without one, of a
// single processor until expect knows the workers.
func (m *measured) convert(bytes int64) Span {
	if m.fast == 0 {
		return Span{Expected: seconds(float64(bytes) / builtIn), Basis: builtInText}
	}
	s := spread(float64(bytes)/((m.slow+m.fast)/2), 1, 1, fmt.Sprintf("receipts of %d earlier plans", m.plans))
	s.Low, s.High = seconds(float64(bytes)/m.fast*0.5), seconds(float64(bytes)/m.slow*2)
	return s
}

func (m *measured) load(r *Result) (*Span, string) {
	switch {
	case m.loaded == 0:
		return nil, "no earlier load of a second or more; a cluster's rate is not known"
	case r.Rows == nil || r.Rows.Unbounded:
		return nil, "the rows are not known: nothing or too little was sampled"
	}
	s := spread(float64(r.Rows.Count)/((m.slowLoad+m.fastLoad)/2), 1, 1, fmt.Sprintf("ledger and receipts of %d earlier plans", m.loaded))
	s.Low, s.High = seconds(float64(r.Rows.Low)/m.fastLoad*0.5), seconds(float64(r.Rows.High)/m.slowLoad*2)
	return &s, ""
}

// expect shares the time without an earlier run among the workers.
func (r *Result) expect(workers int) {
	if r.Convert.Basis == builtInText {
		all := float64(r.Convert.Expected)
		r.Convert = spread(all/float64(workers), 0.5, 4, builtInText)
	}
}

func spread(expected, low, high float64, basis string) Span {
	return Span{Low: seconds(expected * low), Expected: seconds(expected), High: seconds(expected * high), Basis: basis}
}

// seconds rounds up; bytes are rounded so, too.
func seconds(n float64) int64 { return int64(math.Ceil(n)) }
