package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"backfill/cmd/bench/contender"
	"backfill/cmd/bench/data"
	"backfill/cmd/bench/measure"
)

// target is a promise about the product that needs no peer.
type target struct {
	name  string
	title string
	asks  string
	run   func(*bench, context.Context) ([]targetResult, error)
}

// targetResult is one line of the targets' table.
type targetResult struct {
	asks  string
	found string
	held  string // yes, no, or a dash where there is no limit
}

// memoryLimit is the target that is measured on each workload.
const memoryLimit = "memory"

func targets() []target {
	return []target{
		{memoryLimit, "Memory limits", "--memory 128MiB holds", (*bench).memory},
		{"peak", "Memory and rows", "memory does not grow with the rows: at most 1.10 times", (*bench).peak},
		{"cores", "Two cores", "two cores are at least 1.85 times as fast as one, and one object uses both", (*bench).cores},
		{"s3", "S3 and files", "reading and staging by S3 costs at most 1.15 times the CPU of files", (*bench).s3},
		{"job", "The whole job", "the whole job", (*bench).job},
	}
}

func targetNames() []string {
	var list []string
	for _, t := range targets() {
		list = append(list, t.name)
	}
	return list
}

// targetWorkloads are archives that only targets need.
func targetWorkloads(o options) []data.Workload {
	month := data.Workload{Shape: data.Events, Codec: data.Gzip, Partitions: 8, Days: 31, Copies: 1, Seed: o.seed}
	small, large, job := month, month, month
	small.Name, large.Name, job.Name = "peak_small", "peak_large", "job"
	// Two partitions, so that the small archive has whole chunks and row groups, too.
	small.Partitions, small.Rows, small.Copies = 2, min(o.rows, 200_000), 5
	small.PerObject = max(1, small.Rows/16)
	large.Partitions, large.Rows, large.PerObject, large.Copies = 2, small.Rows, small.PerObject, 20
	if o.full {
		large.Copies = 250
	}
	job.Rows = o.jobRows
	job.PerObject = min(125_000, max(1, job.Rows/16))
	return []data.Workload{small, large, job}
}

// runTargets runs the chosen targets one after another.
func (b *bench) runTargets(ctx context.Context) error {
	var errs []error
	for _, t := range targets() {
		if !slices.Contains(b.o.targets, all) && !slices.Contains(b.o.targets, t.name) {
			continue
		}
		say("target %s: %s", t.name, t.asks)
		results, err := t.run(b, ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("target %s: %w", t.name, err))
			say("FAILED %v", errs[len(errs)-1])
		}
		b.targets[t.name] = results
	}
	return errors.Join(errs...)
}

func verdict(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

// prepared makes a target's archive and plan and stops the sandbox.
func (b *bench) prepared(ctx context.Context, name string) (*data.Spec, error) {
	w, err := b.o.workload(name)
	if err != nil {
		return nil, err
	}
	s, err := b.archive(ctx, w)
	if err != nil {
		return nil, err
	}
	return s, b.stopSandbox()
}

// memory converts each workload with --memory 128MiB and looks at the peak
// that the kernel counted.
func (b *bench) memory(ctx context.Context) (results []targetResult, err error) {
	const limit = 128 << 20
	for _, w := range b.workloads {
		r := targetResult{asks: "--memory 128MiB on " + w.workload.Title}
		usage, err := b.ours(ctx, w.spec, func(c *measure.Command) { c.Args = append(c.Args, "--memory", "128MiB") })
		var failure *measure.Failure
		switch {
		case errors.As(err, &failure) && ctx.Err() == nil:
			r.found, r.held = "refused: "+strings.TrimPrefix(lastLine(failure.Output), "ERROR what to do: "), "no"
		case err != nil:
			return results, err
		default:
			r.found, r.held = fmt.Sprintf("%d MiB at most", usage.Peak>>20), verdict(usage.Peak <= limit)
		}
		results = append(results, r)
	}
	return results, nil
}

// ours runs the product on an archive that is planned.
func (b *bench) ours(ctx context.Context, s *data.Spec, change func(*measure.Command)) (measure.Usage, error) {
	return b.product.RunWith(ctx, s, b.out(&b.product.Contender, s), change)
}

// peak compares the memory of a small archive with that of a large one.
func (b *bench) peak(ctx context.Context) ([]targetResult, error) {
	small, err := b.prepared(ctx, "peak_small")
	if err != nil {
		return nil, err
	}
	large, err := b.prepared(ctx, "peak_large")
	if err != nil {
		return nil, err
	}
	same := func(*measure.Command) {}
	var pairs measure.Pairs
	for range b.o.pairs {
		few, err := b.ours(ctx, small, same)
		if err != nil {
			return nil, err
		}
		many, err := b.ours(ctx, large, same)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, measure.Pair{Ours: many, Peer: few})
	}
	return []targetResult{{
		asks:  fmt.Sprintf("peak memory of %d rows ≤ 1.10 × that of %d", large.Lines, small.Lines),
		found: fmt.Sprintf("%.2f (%d MiB, %d MiB)", pairs.Peak(), pairs.Ours().Peak>>20, pairs.Peer().Peak>>20),
		held:  verdict(pairs.Peak() <= 1.10),
	}}, nil
}

// measured returns a workload's archive, measured before or made now.
func (b *bench) measured(ctx context.Context, name string) (*data.Spec, error) {
	for _, w := range b.workloads {
		if w.workload.Name == name {
			return w.spec, nil
		}
	}
	return b.prepared(ctx, name)
}

// cores compares the wall time on one core with that on two: of the month, and
// of one object, which is inflated, scanned and written by goroutines of their own.
func (b *bench) cores(ctx context.Context) (results []targetResult, err error) {
	for _, c := range []struct {
		workload string
		least    float64
	}{{"gzip", 1.85}, {"object", 1.6}} {
		r, err := b.coresOf(ctx, c.workload, c.least)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

func (b *bench) coresOf(ctx context.Context, workload string, least float64) (r targetResult, err error) {
	w, err := b.o.workload(workload)
	if err != nil {
		return r, err
	}
	s, err := b.measured(ctx, workload)
	if err != nil {
		return r, err
	}
	var pairs measure.Pairs
	for range b.o.pairs {
		one, err := b.ours(ctx, s, func(c *measure.Command) { c.Cores = 1 })
		if err != nil {
			return r, err
		}
		two, err := b.ours(ctx, s, func(c *measure.Command) { c.Cores = 2 })
		if err != nil {
			return r, err
		}
		pairs = append(pairs, measure.Pair{Ours: one, Peer: two})
	}
	return targetResult{
		asks: fmt.Sprintf("two cores ≥ %.2f × as fast as one on %s", least, w.Title),
		found: fmt.Sprintf("%.2f (%.2f s, %.2f s; CPU %.2f s, %.2f s)", pairs.Wall(), pairs.Ours().Wall.Seconds(), pairs.Peer().Wall.Seconds(),
			pairs.Ours().CPU.Seconds(), pairs.Peer().CPU.Seconds()),
		held: verdict(pairs.Wall() >= least),
	}, nil
}

// s3 compares the CPU that convert takes by S3 and by files.
func (b *bench) s3(ctx context.Context) ([]targetResult, error) {
	s, err := b.measured(ctx, "gzip")
	if err != nil {
		return nil, err
	}
	if err := b.sandbox(ctx); err != nil {
		return nil, err
	}
	remote, err := b.product.Upload(ctx, b.box, s)
	if err != nil {
		return nil, err
	}
	var pairs measure.Pairs
	for i := range b.o.pairs {
		plan, _, err := remote.Plan(ctx, fmt.Sprintf("s3-%d", i))
		if err != nil {
			return nil, err
		}
		byS3, err := remote.Convert(ctx, plan)
		if err != nil {
			return nil, err
		}
		byFile, err := b.ours(ctx, s, func(*measure.Command) {})
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, measure.Pair{Ours: byS3, Peer: byFile})
	}
	return []targetResult{{
		asks: "CPU by S3 ≤ 1.15 × by file",
		found: fmt.Sprintf("%.2f (%.2f s, %.2f s; peak %d MiB, %d MiB)", pairs.CPU(), pairs.Ours().CPU.Seconds(), pairs.Peer().CPU.Seconds(),
			pairs.Ours().Peak>>20, pairs.Peer().Peak>>20),
		held: verdict(pairs.CPU() <= 1.15),
	}}, b.stopSandbox()
}

// stage is one step of the whole job.
type stage struct {
	name  string
	usage measure.Usage
}

// job runs plan, convert, load and reconcile on S3 and the warehouse's
// stand-in, and sets the Python processor's time in the place of convert's.
func (b *bench) job(ctx context.Context) ([]targetResult, error) {
	s, err := b.prepared(ctx, "job")
	if err != nil {
		return nil, err
	}
	if err := b.sandbox(ctx); err != nil {
		return nil, err
	}
	remote, err := b.product.Upload(ctx, b.box, s)
	if err != nil {
		return nil, err
	}
	stages, log, err := jobStages(ctx, remote)
	if err != nil {
		return nil, err
	}
	rate := func(list []stage) float64 {
		var wall float64
		for _, st := range list {
			wall += st.usage.Wall.Seconds()
		}
		return float64(s.Rows) / wall
	}
	through := stages[:3] // plan, convert, load: the rows are committed
	limit := slices.MaxFunc(through, func(a, b stage) int { return int(a.usage.Wall - b.usage.Wall) })
	results := []targetResult{{
		asks:  fmt.Sprintf("the whole job, %d rows through COMMIT", s.Rows),
		found: fmt.Sprintf("%.0f rows/s; the limit is %s", rate(through), limit.name), held: "–",
	}}
	for _, st := range stages {
		results = append(results, targetResult{asks: "– " + st.name, held: "–", found: fmt.Sprintf("%.2f s, %.0f rows/s, %.2f CPU s, %d MiB",
			st.usage.Wall.Seconds(), rate([]stage{st}), st.usage.CPU.Seconds(), st.usage.Peak>>20)})
	}
	for line := range strings.Lines(log) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "INFO "); ok && strings.Contains(text, " in ") {
			results = append(results, targetResult{asks: "– – of load", found: text, held: "–"})
		}
	}
	if err := b.stopSandbox(); err != nil {
		return results, err
	}
	python, err := b.withPython(ctx, s, through, rate)
	return append(results, python...), err
}

func jobStages(ctx context.Context, r *contender.Remote) (stages []stage, log string, err error) {
	add := func(name string, u measure.Usage, err error) error {
		stages = append(stages, stage{name, u})
		return err
	}
	plan, u, err := r.Plan(ctx, "job")
	if err := add("plan", u, err); err != nil {
		return nil, "", err
	}
	u, err = r.Convert(ctx, plan)
	if err := add("convert", u, err); err != nil {
		return nil, "", err
	}
	u, log, err = r.Load(ctx, plan)
	if err := add("load (sandbox)", u, err); err != nil {
		return nil, "", err
	}
	u, err = r.Reconcile(ctx, "job")
	return stages, log, add("reconcile (sandbox)", u, err)
}

// withPython computes the job with the Python processor's wall time, from
// files, instead of convert's. Its Parquet can't be loaded: it has no receipts.
func (b *bench) withPython(ctx context.Context, s *data.Spec, through []stage, rate func([]stage) float64) ([]targetResult, error) {
	at := slices.IndexFunc(b.peers, func(c *contender.Contender) bool { return c.Name == "python-orjson" })
	p := b.peers[at]
	r := targetResult{asks: "– the same with " + p.Title + " for convert (computed)", held: "–"}
	if p.Missing != "" {
		r.found = p.Missing
		return []targetResult{r}, nil
	}
	u, err := p.Run(ctx, s, b.out(p, s))
	if err != nil {
		return nil, err
	}
	list := slices.Clone(through)
	list[1].usage = u
	r.found = fmt.Sprintf("%.0f rows/s; its convert takes %.2f s, %.2f CPU s, %d MiB", rate(list), u.Wall.Seconds(), u.CPU.Seconds(), u.Peak>>20)
	return []targetResult{r}, nil
}
