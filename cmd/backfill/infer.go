package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/jobs/infer"
	"backfill/jobs/workspace"
)

func inferFlags(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.layout, "layout", "auto", "how the archiver names objects: "+strings.Join(dataset.Layouts(), ", "))
	s.StringVar(&f.table, "table", "", "schema.table to load (default: made from the topic, in schema public)")
	s.StringVar(&f.calendar, "calendar", "", "zone of load days, such as America/Los_Angeles (default UTC)")
	s.StringVar(&f.out, "out", "", "file to write; one that is there is kept (default: standard output)")
}

// runInfer prints a dataset file for an archive that nobody has described.
func runInfer(ctx context.Context, p *program) error {
	if p.flags.run == "" {
		return fail.New(fail.Usage, "the archive's URI is missing").Try("give it as `backfill infer s3://bucket/prefix`")
	}
	if _, err := time.LoadLocation(p.flags.calendar); err != nil {
		return fail.New(fail.Usage, "--calendar %q is no zone that is known", p.flags.calendar).Try("give an IANA name such as Europe/Berlin")
	}
	uri, err := objstore.ParseURI(p.flags.run)
	if err != nil {
		return err
	}
	store, err := objstore.Open(ctx, uri, objstore.Options{})
	if err != nil {
		return err
	}
	text := strings.TrimRight(uri.String(), "/")
	w := &workspace.Workspace{Archive: store, Options: workspace.Options{Log: p.log, Now: now, Pulse: p.pulse},
		Dataset: &dataset.Dataset{Archive: dataset.Archive{URI: text, Layout: dataset.Layout{Name: p.flags.layout}}}}
	r, err := infer.Infer(ctx, w, infer.Options{URI: text, Table: p.flags.table, Calendar: p.flags.calendar})
	if err != nil {
		return err
	}
	p.result.Records, p.result.Objects, p.result.Dataset = r.Records, r.Objects, r.YAML
	if len(r.Masked) > 0 && p.env("BACKFILL_MASK_KEY") == "" && p.env("BACKFILL_MASK_KEY_FILE") == "" {
		p.log.Warn("masked columns need a key, kept as a secret: export BACKFILL_MASK_KEY=$(openssl rand -hex 32)")
	}
	return p.writeDataset(r.YAML)
}

// writeDataset prints the file, or makes it where --out says.
func (p *program) writeDataset(text string) error {
	if p.flags.out == "" {
		p.print("%s", text)
		return nil
	}
	f, err := os.OpenFile(p.flags.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fail.Wrap(err, fail.Usage, "the dataset file can't be made").Try("name a file that is not there yet")
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fail.Wrap(err, fail.Disk, "the dataset file can't be written").At("%s", p.flags.out)
	}
	p.print("%s is written; next: backfill doctor --dataset %s --create-table\n", p.flags.out, p.flags.out)
	return nil
}
