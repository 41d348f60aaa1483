package reconcile

import (
	"path/filepath"

	"backfill/internal/outside"
	"backfill/internal/report"
	"backfill/internal/schema"
	"backfill/internal/seal"
)

// What the files are for, as reports say it.
const (
	ControlTotals   = "control totals"
	EndOffsets      = "end offsets"
	CutoffOffsets   = "cut-off offsets"
	NamedExceptions = "named exceptions"
)

// Given is the files that people brought; nil where there is none.
type Given struct {
	Controls   *outside.File // control totals
	Ends       *outside.File // end offsets of the topics
	Exceptions *outside.File // named exceptions
	Cutoff     *outside.File // offsets from which on records are late
}

// input is a file with the name of its copy beside the report.
type input struct {
	report.Input
	body []byte
}

// given reads the files into the comparison.
func (g *gathering) given() error {
	keep := func(f *outside.File, role, name string) {
		g.inputs = append(g.inputs, input{body: f.Body, Input: report.Input{
			Role: role, File: filepath.Base(f.Path), SHA256: seal.Sum(f.Body), Bytes: len(f.Body), Kept: name}})
	}
	var err error
	if f := g.o.Given.Controls; f != nil {
		if g.in.Controls, err = outside.Controls(f, g.columns()); err != nil {
			return err
		}
		keep(f, ControlTotals, "control-totals.csv")
	}
	if f := g.o.Given.Ends; f != nil {
		if g.in.Ends, err = outside.Ends(f); err != nil {
			return err
		}
		keep(f, EndOffsets, "end-offsets.txt")
	}
	if f := g.o.Given.Cutoff; f != nil {
		offsets, err := outside.Ends(f)
		if err != nil {
			return err
		}
		g.o.Cutoff.Offsets = offsets
		keep(f, CutoffOffsets, "cutoff-offsets.txt")
	}
	if f := g.o.Given.Exceptions; f != nil {
		if g.named, err = outside.Named(f); err != nil {
			return err
		}
		keep(f, NamedExceptions, "named-exceptions.yaml")
	}
	return nil
}

// columns are what control totals can be about.
func (g *gathering) columns() outside.Columns {
	ds := g.w.Dataset
	var c outside.Columns
	for _, i := range ds.Reconcile.By {
		c.By = append(c.By, ds.Columns[i].Name)
	}
	for _, i := range ds.Reconcile.Totals {
		scale := 0
		if ds.Columns[i].Type.Kind == schema.Decimal {
			scale = ds.Columns[i].Type.Scale
		}
		c.Totals, c.Scales = append(c.Totals, ds.Columns[i].Name), append(c.Scales, scale)
	}
	return c
}
