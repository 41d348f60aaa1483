package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"backfill/cmd/bench/measure"
)

// markdown renders the results: what this run measured, and what an earlier
// one did in its place.
func (b *bench) markdown(ctx context.Context, earlier string, failed error) (string, error) {
	var out strings.Builder
	out.WriteString("# Benchmark\n\nWritten by `make bench`: whole processes in turn, pair by pair; medians of all pairs. Each part says when and how it was measured.\n\n")
	facts, err := b.facts(ctx)
	if err != nil {
		return "", err
	}
	out.WriteString(facts)
	out.WriteString(`
**How to read it.** CPU is user and system time of the process and its children, as the kernel counted it; ratios below 1 are in our favour and are the
medians of the pairs' own ratios. Memory is the largest resident size; of the Python processor the sum of its processes. Before a ratio is printed, DuckDB has read
everybody's Parquet, and rows, exact sums, extremes, nulls, distinct ids and the hashes of all values and whole rows agreed.

**Like for like, and as shipped.** Peers make the same casts from the same files with given types, and nothing else. Like for like is the product's engine (decompressor,
scanner, Parquet writer) in a program that does no more than that either, cmd/bench/bare. As shipped is ` + "`backfill convert`" + ` with what it does beyond: windows, offsets, duplicates,
fingerprints, totals, quarantine, receipts and the columns of a row's origin; it has no switch that leaves that out. Both were set beside the same runs of the peers.
`)
	said, err := b.said(ctx)
	if err != nil {
		return "", err
	}
	sizes := keptSizes(earlier)
	if len(b.workloads) > 0 && !slices.Contains(sizes, b.o.rows) {
		sizes = slices.Insert(sizes, 0, b.o.rows)
	}
	var list []section
	for _, rows := range sizes {
		s := section{name: workloadsOf(rows)}
		if rows == b.o.rows && len(b.workloads) > 0 {
			s.text = tables(b.workloads) + oursTable(b.workloads) + limitsTable(b.workloads) + promises("What it promises beside its peers", reached(b.workloads)) +
				promises("Memory limits", b.targets[memoryLimit]) + said
		}
		list = append(list, s)
	}
	for _, t := range targets() {
		if t.name == memoryLimit {
			continue // stands with its workloads
		}
		s := section{name: t.name}
		if results := b.targets[t.name]; len(results) > 0 {
			s.text = promises(t.title, results) + said
		}
		list = append(list, s)
	}
	out.WriteString(merged(earlier, list))
	if failed != nil {
		fmt.Fprintf(&out, "\n## Failed\n\n```\n%v\n```\n", failed)
	}
	return out.String(), nil
}

// said tells below a part when and how it was measured.
func (b *bench) said(ctx context.Context) (string, error) {
	cpu, err := field("/proc/cpuinfo", "model name")
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("\n%s; %s, %d cores; %s; %d rows a month, %d pairs.\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), cpu, runtime.NumCPU(), b.product.Version, b.o.rows, b.o.pairs)
	if b.load > quiet {
		text += fmt.Sprintf("**The machine was busy with other work** (load %.1f at the start): wall times and what follows from them say little, and CPU seconds are higher than on a quiet one.\n", b.load)
	}
	return text, nil
}

// quiet is the most load at which nothing else is said to run.
const quiet = 0.5

func promises(title string, list []targetResult) string {
	if len(list) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n## %s\n\n| asked | found | held |\n|---|---|---|\n", title)
	for _, t := range list {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", cell(t.asks), cell(t.found), t.held)
	}
	return out.String()
}

// tables renders both comparisons.
func tables(list []workloadResult) string {
	if len(list) == 0 {
		return ""
	}
	return "\n## Like for like\n\n" + workloadTable(list, likeForLike) + "\n## As shipped\n\n" + workloadTable(list, asShipped)
}

// side chooses the runs of ours, and the bytes of their Parquet.
type side func(workloadResult, peerResult) (measure.Pairs, int64)

func likeForLike(w workloadResult, r peerResult) (measure.Pairs, int64) { return r.alike, w.bare }
func asShipped(w workloadResult, r peerResult) (measure.Pairs, int64)   { return r.pairs, w.ours }

func workloadTable(list []workloadResult, of side) string {
	var out strings.Builder
	out.WriteString("| workload | against | CPU s, ours / theirs | **CPU ratio** | wall ratio | peak MiB, ours / theirs | memory ratio | Parquet MB, ours / theirs |\n|---|---|---|---|---|---|---|---|\n")
	for _, w := range list {
		for _, r := range w.rows {
			if r.word != "" {
				fmt.Fprintf(&out, "| %s | %s | %s | | | | | |\n", w.workload.Title, r.peer.Title, cell(r.word))
				continue
			}
			pairs, bytes := of(w, r)
			ours, peer := pairs.Ours(), pairs.Peer()
			fmt.Fprintf(&out, "| %s | %s | %.2f / %.2f | **%.2f** | %.2f | %d / %d | %.2f | %.1f / %.1f |\n", w.workload.Title, r.peer.Title, ours.CPU.Seconds(), peer.CPU.Seconds(),
				pairs.CPU(), pairs.Wall(), ours.Peak>>20, peer.Peak>>20, pairs.Peak(), float64(bytes)/1e6, float64(r.bytes)/1e6)
		}
	}
	return out.String()
}

// oursTable says what a workload costs us by row and by byte.
func oursTable(list []workloadResult) string {
	if len(list) == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString("\n## What each workload costs us\n\n| workload | lines | objects | archive MB | bytes a line | CPU s per million lines | of that, beyond like for like | lines/s | raw MB/s per CPU s | peak MiB |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, w := range list {
		for _, r := range w.rows {
			if len(r.pairs) == 0 {
				continue
			}
			u, lines := r.pairs.Ours(), float64(w.spec.Lines)
			beyond := u.CPU - r.alike.Ours().CPU
			fmt.Fprintf(&out, "| %s | %d | %d | %.0f | %.0f | %.2f | %.2f | %.0f | %.0f | %d |\n", w.workload.Title, w.spec.Lines, w.spec.Objects, float64(w.spec.FileBytes)/1e6,
				float64(w.spec.RawBytes)/lines, u.CPU.Seconds()/lines*1e6, beyond.Seconds()/lines*1e6, lines/u.Wall.Seconds(), float64(w.spec.RawBytes)/1e6/u.CPU.Seconds(), u.Peak>>20)
			break // the first peer's pairs will do
		}
	}
	return out.String()
}

// facts tells the machine and the versions.
func (b *bench) facts(ctx context.Context) (string, error) {
	cpu, err := field("/proc/cpuinfo", "model name")
	if err != nil {
		return "", err
	}
	memory, err := field("/proc/meminfo", "MemTotal")
	if err != nil {
		return "", err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", fmt.Errorf("reading the machine's facts: %w", err)
	}
	version, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("asking for Go's version: %w", err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "| | |\n|---|---|\n| machine | %s, %d cores, %s memory, Linux %s |\n| Go | %s |\n| product | %s |\n",
		cpu, runtime.NumCPU(), memory, strings.TrimSpace(string(kernel)),
		strings.TrimSpace(string(version)), b.product.Version)
	seen := map[string]bool{}
	for _, p := range b.peers {
		if p.Missing == "" && !seen[p.Version] {
			seen[p.Version] = true
			fmt.Fprintf(&out, "| peer | %s |\n", p.Version)
		}
	}
	return out.String(), nil
}

// loadNow returns how many processes wanted to run in the last five minutes.
func loadNow() (load float64, err error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		var last float64
		_, err = fmt.Sscan(string(text), &last, &load)
	}
	if err != nil {
		err = fmt.Errorf("reading the machine's load: %w", err)
	}
	return load, err
}

// field returns the value of a line "name : value".
func field(file, name string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the machine's facts: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), nil
		}
	}
	return "unknown", nil
}

// cell makes a text fit for a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}
