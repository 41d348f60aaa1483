package main

import (
	"context"

	"github.com/spf13/pflag"

	"backfill/jobs/gc"
)

func gcFlags(f *flags, s *pflag.FlagSet) {
	datasetFlags(f, s)
	s.BoolVar(&f.apply, "apply", false, "remove it; without it gc only says what would go")
}

// runGC removes from staging what finished runs of the dataset's table no longer
// need, or says what that is.
func runGC(ctx context.Context, p *program) error {
	w, err := p.openDataset(ctx)
	if err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	r, err := gc.Collect(ctx, w, s, gc.Options{Apply: p.flags.apply})
	p.result.GC = r
	if err != nil {
		return err
	}
	p.print("%s", r.Text())
	return nil
}
