package main

import (
	"context"
	"fmt"
	"strings"

	"backfill/cmd/bench/data"
)

// shipped is own of the product, with where its time went.
func (b *bench) shipped(ctx context.Context, s *data.Spec, r *workloadResult) (found string, err error) {
	ours := &b.product.Contender
	if found, r.ours, err = b.own(ctx, ours, s); err != nil {
		return "", err
	}
	if r.spent, err = b.product.Spent(b.out(ours, s)); err != nil {
		return "", err
	}
	return found, b.drop(ours, s)
}

// limitsTable says what limits each workload, as the product tells it.
func limitsTable(list []workloadResult) string {
	if len(list) == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString("\n## What limits each workload\n\nAs the last run of `backfill convert` says itself, by the clock; shares are of the workers' time.\n\n| workload | its sentence |")
	for _, s := range list[0].spent.Stages {
		fmt.Fprintf(&out, " %s |", s.Name)
	}
	out.WriteString(" waiting |\n|---|---|---|" + strings.Repeat("---|", len(list[0].spent.Stages)) + "\n")
	for _, w := range list {
		fmt.Fprintf(&out, "| %s | %s |", w.workload.Title, cell(w.spent.Limit))
		for _, s := range w.spent.Stages {
			fmt.Fprintf(&out, " %.0f %% |", 100*s.Share)
		}
		fmt.Fprintf(&out, " %.0f %% |\n", 100*w.spent.Waited)
	}
	return out.String()
}
