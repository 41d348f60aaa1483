package main

import (
	"fmt"

	"backfill/cmd/bench/measure"
)

// goal is a ratio that the product shall reach against a peer on a workload.
type goal struct {
	workload, peer string
	what           string
	ratio          func(measure.Pairs) float64
	most           float64
}

func goals() []goal {
	cpu, peak := measure.Pairs.CPU, measure.Pairs.Peak
	return []goal{
		{"gzip", "duckdb", "CPU", cpu, 0.80},
		{"gzip", "plain", "CPU", cpu, 0.25},
		{"zstd", "duckdb", "CPU", cpu, 0.92},
		{"gzip", "duckdb", "memory", peak, 0.20},
		{"zstd", "duckdb", "memory", peak, 0.20},
		{"gzip", "python", "CPU", cpu, 1.0 / 6},
		{"gzip", "python-orjson", "CPU", cpu, 1.0 / 6},
	}
}

// reached looks the goals up in what was measured.
func reached(list []workloadResult) (results []targetResult) {
	for _, g := range goals() {
		for _, w := range list {
			for _, r := range w.rows {
				if w.workload.Name != g.workload || r.peer.Name != g.peer || len(r.pairs) == 0 {
					continue
				}
				ratio := g.ratio(r.pairs)
				results = append(results, targetResult{
					asks:  fmt.Sprintf("%s: %s ≤ %.2f × that of %s", w.workload.Title, g.what, g.most, r.peer.Title),
					found: fmt.Sprintf("%.2f", ratio), held: verdict(ratio <= g.most),
				})
			}
		}
	}
	return results
}
