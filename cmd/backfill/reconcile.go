package main

import (
	"context"
	"crypto"
	"errors"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/outside"
	"backfill/internal/publish"
	"backfill/internal/seal"
	"backfill/jobs/reconcile"
	"backfill/jobs/workspace"
)

func reconcileFlags(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.controls, "control-totals", "", "totals of a payroll register or general ledger as CSV, which the table must hold, too")
	s.StringVar(&f.ends, "end-offsets", "", "the topics' end offsets, topic:partition:offset a line, which the archive must reach")
	s.StringVar(&f.exceptions, "exceptions", "", "named exceptions as YAML: differences that people granted, each with an owner and an expiry")
	s.StringVar(&f.cutoff, "cutoff-offsets", "", "with --way archive: the topics' end offsets at the cut-off, topic:partition:offset a line; records from them on are late, not missing")
	s.StringVar(&f.cutoffTime, "cutoff-time", "", "with --way archive: records that were written to Kafka at this time or later are late, not missing (a signed-off period has its own cut-off)")
	signFlags(f, s)
	reasonFlag(f, s)
	s.BoolVar(&f.history, "history", false, "list the reports and sign-offs of the window, or all, and the days that late records made stale")
	s.StringVar(&f.verify, "verify", "", "compare a report, by its URI or number, and everything that it rests on with its seal")
	s.StringVar(&f.publicKey, "public-key", "", "with --verify: the key whose signature the report must have, in PEM")
	s.StringVar(&f.signOff, "sign-off", "", "take responsibility for a report, by its URI or number: this closes its period")
}

func signFlags(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.signKey, "sign-key", "", "sign the report's seal: a file with an Ed25519 key (PKCS#8, PEM), or kms: and a key's id")
}

// signer opens --sign-key, nil without it.
func (p *program) signer() (seal.Signer, error) {
	if p.flags.signKey == "" {
		return nil, nil
	}
	return seal.OpenSigner(p.flags.signKey)
}

func runReconcile(ctx context.Context, p *program) error {
	f := &p.flags
	chosen := 0
	for _, on := range []bool{f.history, f.verify != "", f.signOff != ""} {
		if on {
			chosen++
		}
	}
	if chosen > 1 || f.publicKey != "" && f.verify == "" {
		return fail.New(fail.Usage, "--history, --verify and --sign-off exclude each other, and --public-key belongs to --verify")
	}
	if chosen == 1 {
		return runReports(ctx, p)
	}
	w, o, err := p.toReconcile(ctx)
	if err != nil {
		return err
	}
	if f.cutoffTime != "" {
		if o.Cutoff.Time, err = instant(f.cutoffTime, w.Dataset.Calendar); err != nil {
			return fail.New(fail.Usage, "--cutoff-time %q is no date and no RFC 3339 time", f.cutoffTime).Try("write it like 2026-04-03 or 2026-04-03T18:00:00-07:00")
		}
	}
	if err := p.given(&o); err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	r, err := reconcile.Reconcile(ctx, w, s, o)
	if err != nil {
		return err
	}
	p.result.reconciled(r)
	return errors.Join(p.printReport(r), r.Error())
}

// given reads what people brought and opens the key, before anything is asked
// of the warehouse.
func (p *program) given(o *reconcile.Options) (err error) {
	for _, file := range []struct {
		path string
		into **outside.File
	}{{p.flags.controls, &o.Given.Controls}, {p.flags.ends, &o.Given.Ends}, {p.flags.exceptions, &o.Given.Exceptions}, {p.flags.cutoff, &o.Given.Cutoff}} {
		if *file.into, err = outside.Read(file.path); err != nil {
			return err
		}
	}
	o.Signer, err = p.signer()
	return err
}

// public reads --public-key, nil without it.
func (p *program) public() (crypto.PublicKey, error) {
	if p.flags.publicKey == "" {
		return nil, nil
	}
	return seal.ReadPublicKey(p.flags.publicKey)
}

// runReports looks at reports that were made before.
func runReports(ctx context.Context, p *program) error {
	f := &p.flags
	public, err := p.public()
	if err != nil {
		return err
	}
	w, err := p.openDataset(ctx)
	if err != nil {
		return err
	}
	var win kafka.Window
	if f.from != "" || f.to != "" {
		if win, err = window(w.Dataset, f.from, f.to); err != nil {
			return err
		}
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	switch {
	case f.history:
		h, err := reconcile.ReadHistory(ctx, w, s, win)
		if err != nil {
			return err
		}
		p.result.History = h
		p.print("%s", h.Text())
		return nil
	case f.verify != "":
		return p.verify(ctx, w, s, public)
	}
	sign, err := reconcile.SignOff(ctx, w, s, f.signOff, f.reason)
	if err != nil {
		return err
	}
	p.result.SignOff = sign
	p.print("report %d of %s is signed off by %s: %s is closed\n", sign.About, w.TargetName(), sign.RequestedBy, sign.Window)
	return nil
}

func (p *program) verify(ctx context.Context, w *workspace.Workspace, s publish.Session, public crypto.PublicKey) error {
	v, err := reconcile.Verify(ctx, w, s, p.flags.verify, public)
	if err != nil {
		return err
	}
	p.result.Verification = v
	for _, found := range v.Findings {
		p.print("%s: %s\n", found.Place, found.Text)
	}
	if len(v.Findings) == 0 {
		p.print("report %d is as it was sealed: %d files, signature %s, %s\n", v.Number, v.Files, v.Signed, v.Report)
	}
	return v.Error()
}
