package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
	"backfill/jobs/reconcile"
	"backfill/jobs/repair"
)

func repairFlags(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.report, "report", "", "the report whose rows are to be mended, by the `URI` that reconcile printed or its number; it must be as it was sealed")
	s.BoolVar(&f.apply, "apply", false, "change the table; without it the repair only shows what it would do")
	s.BoolVar(&f.deleteExtra, "delete-extra", false, "delete rows that the archive has nothing of, that the dataset does not want, or that have another row's key and other content; without it only exact copies of a row are taken out")
	s.StringVar(&f.approvedBy, "approved-by", "", "who approved the repair; never who asks for it")
	s.StringVar(&f.publicKey, "public-key", "", "the key whose signature the report must have, in PEM; without it the seal must be the one that the warehouse recorded")
	signFlags(f, s)
	s.Var(&f.memory, "memory", "memory the process may use, such as 512MiB (default: the pod's limit)")
}

func runRepair(ctx context.Context, p *program) error {
	if p.flags.report == "" {
		return fail.New(fail.Usage, "--report is missing").Try("give the URI that `backfill reconcile` printed")
	}
	public, err := p.public()
	if err != nil {
		return err
	}
	signer, err := p.signer()
	if err != nil {
		return err
	}
	w, err := p.openDataset(ctx)
	if err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	r, err := repair.Repair(ctx, w, s, repair.Options{
		Report: p.flags.report, PublicKey: public, Apply: p.flags.apply, DeleteExtra: p.flags.deleteExtra, ApprovedBy: p.flags.approvedBy, Reason: p.flags.reason, Memory: p.memory(), Reconcile: reconcile.Options{Signer: signer, Disk: int64(p.flags.disk) / 4 * 3},
	})
	if r != nil {
		p.printRepair(r)
		p.result.Repair, p.result.Left, p.result.Deleted, p.result.Inserted = r.Actions, r.Left, r.Deleted, r.Added
	}
	if err != nil || r.After == nil {
		return err
	}
	p.result.reconciled(r.After)
	return errors.Join(p.printReport(r.After), r.After.Error())
}

func (p *program) printRepair(r *repair.Result) {
	for _, a := range r.Actions {
		p.print("%-10s %-9s %d keys: %d rows deleted, %d inserted; the totals change by %s\n", a.Class, a.Does, a.Keys, a.Delete, a.Insert, strings.Join(a.Money, ", "))
	}
	for _, l := range r.Left {
		p.print("%-10s left alone: %d rows: %s\n", l.Class, l.Rows, l.Why)
	}
	switch {
	case r.Already:
		p.print("applied before: %d rows deleted, %d inserted\n", r.Deleted, r.Added)
	case r.Applied:
		p.print("applied: %d rows deleted, %d inserted\n", r.Deleted, r.Added)
	default:
		p.print("nothing was changed; to change the table, have it approved and say --apply --approved-by WHO\n")
	}
}
