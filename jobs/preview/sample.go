package preview

import (
	"context"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/forecast"
	"backfill/internal/runplan"
	"backfill/internal/scan"
)

// Sample is what was read of the archive.
type Sample struct {
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
	Skipped int    `json:"unreadable,omitempty"` // objects that were chosen and can't be read, or not before a restore
	Method  string `json:"method"`
}

// nowhere takes rows and rejected records: only their counts matter.
type nowhere struct{}

func (nowhere) Rows(*columns.Batch) error   { return nil }
func (nowhere) Reject(*scan.Rejected) error { return nil }
func (nowhere) Restart() error              { return nil }

const method = "objects by chance, of each ending, read whole; records in proportion to bytes; error: 99 % by Student's t, at least 1 %"

// sample reads some objects whole and estimates the rest from them.
func (p *preview) sample(ctx context.Context) error {
	if p.o.Objects == 0 {
		p.r.Sample.Method = "none: --sample-objects is 0"
		return nil
	}
	p.r.Sample.Method = method
	schemas, err := p.w.Schemas(ctx, p.now.Objects)
	if err != nil {
		return err
	}
	suppressed, err := p.w.Suppressed()
	if err != nil {
		return err
	}
	s, err := scan.New(scan.Options{Dataset: p.w.Dataset, Window: p.o.Window, Source: p.w, BlockBytes: 1 << 20, MaskKey: p.w.MaskKey, Suppressed: suppressed, Schemas: schemas})
	if err != nil {
		return err
	}
	defer s.Close() // frees memory only
	of, names := forecast.Strata(p.now.Objects)
	records, rows := make([]forecast.Stratum, len(names)), make([]forecast.Stratum, len(names))
	for i, o := range p.now.Objects {
		records[of[i]].Objects++
		records[of[i]].Bytes += o.Size
	}
	copy(rows, records)
	for _, i := range forecast.Choose(p.now.Objects, of, p.o.Objects, p.o.SampleBytes) {
		o, n := p.now.Objects[i], of[i]
		tally, err := p.count(ctx, s, o)
		if err != nil {
			return err
		}
		if tally != nil {
			records[n].Sample = append(records[n].Sample, forecast.Observed{Bytes: o.Size, Count: tally.Read()})
			rows[n].Sample = append(rows[n].Sample, forecast.Observed{Bytes: o.Size, Count: tally[account.Row]})
		}
	}
	all, staged := forecast.Total(records), forecast.Total(rows)
	p.r.Records, p.r.Rows = &all, &staged
	return nil
}

// count reads an object; nil: it can't be read.
func (p *preview) count(ctx context.Context, s *scan.Scanner, o runplan.Input) (*account.Tally, error) {
	if _, cold := p.now.Cold[o.Key]; cold {
		p.r.Sample.Skipped++
		return nil, nil
	}
	counts, err := s.Chunk(ctx, runplan.Chunk{Partition: o.Partition, Objects: []runplan.ObjectRef{o.ObjectRef}, Bytes: o.Size}, nowhere{})
	if err != nil && (ctx.Err() != nil || fail.ExitOf(err) == fail.ExitEnvironment) {
		return nil, err
	}
	if err != nil {
		if p.r.Sample.Skipped++; p.r.Sample.Skipped == 1 {
			p.note("an object of the sample can't be read: %v", err)
		}
		return nil, nil
	}
	p.r.Sample.Objects++
	p.r.Sample.Bytes += o.Size
	return &counts.Tally, nil
}
