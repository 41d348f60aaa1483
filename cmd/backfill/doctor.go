package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"backfill/jobs/doctor"
)

func doctorFlags(f *flags, s *pflag.FlagSet) {
	windowFlags(f, s)
	createTableFlag(f, s)
	s.Var(&f.memory, "memory", "memory that the pod will have, such as 512MiB (default: this pod's limit)")
	diskFlag(f, s)
}

// runDoctor tries what a run needs; its exit code is that of the failure which
// a person should mend first.
func runDoctor(ctx context.Context, p *program) error {
	w, err := p.openDataset(ctx)
	if err != nil {
		return err
	}
	o := doctor.Options{CreateTable: p.flags.createTable, Memory: p.memory(), Disk: int64(p.flags.disk), TempDir: os.TempDir(), Connect: doctor.Connect(connector(w))}
	if p.flags.from != "" || p.flags.to != "" {
		if o.Window, err = window(w.Dataset, p.flags.from, p.flags.to); err != nil {
			return err
		}
	}
	r, err := doctor.Examine(ctx, w, o)
	p.result.Checks, p.result.Created = r.Checks, w.Created
	p.printChecks(r)
	if err != nil {
		return err
	}
	return r.Err()
}

// printChecks shows what a person must read: what is not well in full, the rest
// as a number.
func (p *program) printChecks(r *doctor.Result) {
	count := map[doctor.Status]int{}
	for _, c := range r.Checks {
		count[c.Status]++
	}
	bad := count[doctor.Failed]
	for _, c := range r.Checks {
		if c.Status == doctor.OK || c.Status == doctor.Skipped && bad == 0 {
			continue
		}
		p.print("%-8s %s: %s\n", c.Status, c.Name, c.Found)
		if c.Means != "" {
			p.print("         so: %s\n         fix: %s\n", c.Means, strings.ReplaceAll(c.Fix, "\n", "\n              "))
		}
	}
	p.print("ok       %d checks; --output json says what each found\n", count[doctor.OK])
	if bad == 0 {
		p.print("\nNothing stands in the way of a run.\n")
		return
	}
	p.print("\n%d of %d checks failed.\n", bad, len(r.Checks))
}
