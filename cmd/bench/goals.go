package main

import (
	"fmt"

	"backfill/cmd/bench/measure"
)

// goal is a ratio that the product shall reach, like for like, against a peer on
// a workload. As shipped the same ratio is shown, and asked for nothing but
// memory.
type goal struct {
	workload, peer string
	what           string
	ratio          func(measure.Pairs) float64
	most           float64
}

const memory = "memory"

func goals() []goal {
	cpu, peak := measure.Pairs.CPU, measure.Pairs.Peak
	return []goal{
		{"gzip", "duckdb", "CPU", cpu, 0.80},
		{"gzip", "plain", "CPU", cpu, 0.25},
		{"zstd", "duckdb", "CPU", cpu, 0.92},
		{"gzip", "duckdb", memory, peak, 0.20},
		{"zstd", "duckdb", memory, peak, 0.20},
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
				alike, shipped := g.ratio(r.alike), g.ratio(r.pairs)
				held := alike <= g.most
				if g.what == memory {
					held = held && shipped <= g.most
				}
				results = append(results, targetResult{
					asks:  fmt.Sprintf("%s: %s ≤ %.2f × that of %s", w.workload.Title, g.what, g.most, r.peer.Title),
					found: fmt.Sprintf("%.2f; as shipped %.2f", alike, shipped), held: verdict(held),
				})
			}
		}
	}
	return results
}
