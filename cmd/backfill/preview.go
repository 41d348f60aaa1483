package main

import (
	"context"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
	"backfill/internal/publish"
	"backfill/jobs/preview"
)

// looks says how a preview looks.
type looks struct {
	preview      bool
	objects      int
	bytes        size
	withoutTable bool
}

func previewFlags(f *flags, s *pflag.FlagSet) {
	s.BoolVar(&f.looks.preview, "preview", false, "seal no plan: say what a run would meet, take and cost")
	s.IntVar(&f.looks.objects, "sample-objects", 20, "with --preview: archived objects that are read to estimate records; 0: none")
	f.looks.bytes = 64 << 20
	s.Var(&f.looks.bytes, "sample-bytes", "with --preview: archived bytes that are read for it, at most")
	s.BoolVar(&f.looks.withoutTable, "without-table", false, "with --preview: don't ask the warehouse")
	s.Var(&f.memory, "memory", "with --preview: memory that convert may use, such as 512MiB (default: the pod's limit)")
}

func planOrPreview(ctx context.Context, p *program) error {
	if p.flags.looks.preview {
		return runPreview(ctx, p)
	}
	return runPlan(ctx, p)
}

// runPreview tells what a run would do, and changes nothing.
func runPreview(ctx context.Context, p *program) error {
	switch {
	case p.flags.looks.objects < 0 || p.flags.looks.objects > 1000:
		return fail.New(fail.Usage, "--sample-objects must be from 0 to 1000")
	case p.flags.createTable || p.flags.restore:
		return fail.New(fail.Usage, "--preview changes nothing, so it goes with neither --create-table nor --restore").Try("leave one of them out")
	case p.flags.output == "shards":
		return fail.New(fail.Usage, "--preview seals no plan, so there are no shards to print").Try("leave --preview out, or print text or json")
	}
	w, o, err := p.planned(ctx)
	if err != nil {
		return err
	}
	var s publish.Session
	if !p.flags.looks.withoutTable {
		session, done, err := connector(w)(ctx)
		if err != nil {
			return err
		}
		defer done()
		s = session
	}
	r, err := preview.Preview(ctx, w, s, preview.Options{Window: o.Window, ChunkBytes: o.ChunkBytes, SliceDays: o.SliceDays,
		Objects: p.flags.looks.objects, SampleBytes: int64(p.flags.looks.bytes), Convert: p.convertOptions()})
	if err != nil {
		return err
	}
	p.result.Target, p.result.Window, p.result.Preview = r.Target, r.Window, r
	if p.flags.output != "text" {
		return nil
	}
	if err := r.Text(p.stdout); err != nil {
		return fail.Wrap(err, fail.Internal, "printing the preview")
	}
	return nil
}
