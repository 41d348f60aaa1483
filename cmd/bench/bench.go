package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"backfill/cmd/bench/contender"
	"backfill/cmd/bench/data"
	"backfill/cmd/bench/measure"
)

// bench runs the workloads and the targets and keeps what it found.
type bench struct {
	o       options
	folders contender.Folders
	product *contender.Product
	peers   []*contender.Contender
	box     *contender.Sandbox // nil while contenders are measured
	load    float64            // of the machine before anything was run

	workloads []workloadResult
	targets   map[string][]targetResult // by the target's name
}

// workloadResult is one workload's part of the table.
type workloadResult struct {
	workload data.Workload
	spec     *data.Spec
	ours     int64           // bytes of our Parquet
	bare     int64           // the same, like for like
	spent    contender.Spent // of the last run as shipped
	rows     []peerResult
}

// peerResult is one line: pairs, or a word why there are none.
type peerResult struct {
	peer  *contender.Contender
	pairs measure.Pairs // as shipped
	alike measure.Pairs // like for like, of the same runs of the peer
	bytes int64         // of its Parquet
	word  string
}

func newBench(ctx context.Context, o options) (*bench, error) {
	b := &bench{o: o, targets: map[string][]targetResult{}, folders: contender.Folders{Cache: o.dir, Work: filepath.Join(o.dir, "work"), Source: o.source}}
	if err := os.RemoveAll(b.folders.Work); err != nil {
		return nil, fmt.Errorf("emptying the work folder: %w", err)
	}
	var err error
	if b.load, err = loadNow(); err != nil {
		return nil, err
	}
	if b.product, err = contender.NewProduct(ctx, b.folders, o.backfill); err != nil {
		return nil, err
	}
	say("building the peers")
	if b.peers, err = contender.Peers(ctx, b.folders, o.python()); err != nil {
		return nil, err
	}
	for _, p := range b.peers {
		if p.Missing != "" {
			say("%s is skipped: %s", p.Title, p.Missing)
		}
	}
	for _, name := range o.peers {
		if name != all && name != none && !slices.ContainsFunc(b.peers, func(c *contender.Contender) bool { return c.Name == name }) {
			return nil, fmt.Errorf("there is no peer %q", name)
		}
	}
	return b, nil
}

func (b *bench) close() error {
	if b.o.keep {
		say("plans and outputs are in %s", b.folders.Work)
		return b.stopSandbox()
	}
	return errors.Join(b.stopSandbox(), os.RemoveAll(b.folders.Work))
}

// sandbox starts the stand-ins unless they run.
func (b *bench) sandbox(ctx context.Context) (err error) {
	if b.box == nil {
		b.box, err = contender.StartSandbox(ctx, b.o.sandbox, filepath.Join(b.folders.Work, "sandbox"))
	}
	return err
}

func (b *bench) stopSandbox() error {
	if b.box == nil {
		return nil
	}
	box := b.box
	b.box = nil
	return box.Close()
}

// all makes the archives, seals the plans, and measures with nothing else
// running. A workload that fails doesn't keep the others from being measured.
func (b *bench) all(ctx context.Context) error {
	list, err := b.o.chosen()
	if err != nil {
		return err
	}
	specs := map[string]*data.Spec{}
	for _, w := range list {
		if specs[w.Name], err = b.archive(ctx, w); err != nil {
			return err
		}
	}
	if err := b.stopSandbox(); err != nil {
		return err
	}
	var errs []error
	for _, w := range list {
		r, err := b.workload(ctx, w, specs[w.Name])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", w.Name, err))
			say("FAILED %v", errs[len(errs)-1])
			continue
		}
		b.workloads = append(b.workloads, r)
		fmt.Print(tables([]workloadResult{r}))
	}
	errs = append(errs, b.runTargets(ctx))
	earlier, err := earlierResults(b.o.results)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	text, err := b.markdown(ctx, earlier, errors.Join(errs...))
	if err == nil {
		fmt.Print("\n" + text)
		err = os.WriteFile(b.o.results, []byte(text), 0o644)
	}
	return errors.Join(append(errs, err)...)
}

// archive makes the workload's archive, in a process of its own, and a sealed
// plan for the product.
func (b *bench) archive(ctx context.Context, w data.Workload) (*data.Spec, error) {
	say("archive %s: %d lines", w.Name, w.Lines())
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"--make", w.Name, "--dir", b.o.dir, "--rows", strconv.FormatInt(b.o.rows, 10), "--job-rows", strconv.FormatInt(b.o.jobRows, 10),
		"--seed", strconv.FormatUint(b.o.seed, 10), "--full=" + strconv.FormatBool(b.o.full)}
	if _, _, err := measure.Run(ctx, measure.Command{Path: self, Args: args, Env: os.Environ()}); err != nil {
		return nil, err
	}
	s, err := data.Read(w.Dir(b.o.archives()))
	if err != nil {
		return nil, err
	}
	if err := b.sandbox(ctx); err != nil {
		return nil, err
	}
	return s, b.product.Plan(ctx, b.box, s)
}

// workload runs all pairs of one workload and compares all outputs.
func (b *bench) workload(ctx context.Context, w data.Workload, s *data.Spec) (workloadResult, error) {
	r := workloadResult{workload: w, spec: s}
	files, err := filepath.Glob(s.Pattern())
	if err != nil {
		return r, err
	}
	if err := measure.Warm(files); err != nil {
		return r, err
	}
	outputs := map[string]string{}
	for _, p := range b.peers {
		if !b.wanted(p, w) {
			continue
		}
		line, err := b.against(ctx, p, s)
		if err != nil {
			return r, err
		}
		if line.word == "" {
			if line.bytes, err = b.size(p, s); err == nil {
				outputs[p.Title], err = contender.Check(ctx, b.folders, s, filepath.Join(b.out(p, s), p.Files))
			}
		}
		if err := errors.Join(err, b.drop(p, s)); err != nil {
			return r, err
		}
		r.rows = append(r.rows, line)
	}
	ours, err := b.shipped(ctx, s, &r)
	if err != nil {
		return r, err
	}
	bare := b.product.Bare
	if outputs[bare.Title], r.bare, err = b.own(ctx, bare, s); err != nil {
		return r, err
	}
	return r, errors.Join(b.drop(bare, s), agree(s, ours, outputs))
}

// own reads and measures the last output of one of our two programs, which is
// made now where no peer was run.
func (b *bench) own(ctx context.Context, c *contender.Contender, s *data.Spec) (found string, bytes int64, err error) {
	if _, err := os.Stat(b.out(c, s)); err != nil {
		if _, err := c.Run(ctx, s, b.out(c, s)); err != nil {
			return "", 0, err
		}
	}
	if bytes, err = b.size(c, s); err != nil {
		return "", 0, err
	}
	found, err = contender.Check(ctx, b.folders, s, filepath.Join(b.out(c, s), c.Files))
	return found, bytes, err
}

func (b *bench) out(c *contender.Contender, s *data.Spec) string {
	return filepath.Join(b.folders.Work, "out", s.Name, c.Name)
}

// wanted says whether the peer runs on the workload: by --peers, or by default
// all on the month as gzip, DuckDB's best elsewhere, and plain Go on the month.
func (b *bench) wanted(p *contender.Contender, w data.Workload) bool {
	switch {
	case slices.Contains(b.o.peers, all):
		return true
	case len(b.o.peers) > 0:
		return slices.Contains(b.o.peers, p.Name)
	case w.Name == "gzip":
		return true
	}
	return p.Name == "duckdb" || p.Name == "plain" && (w.Name == "zstd" || w.Name == "plain")
}

// against runs ours as shipped, ours like for like, the peer, and again.
func (b *bench) against(ctx context.Context, p *contender.Contender, s *data.Spec) (peerResult, error) {
	r := peerResult{peer: p, word: p.Missing}
	if r.word == "" && p.Skip != nil {
		r.word = p.Skip(s)
	}
	if r.word != "" {
		return r, nil
	}
	for i := range b.o.pairs {
		say("%s against %s, pair %d of %d", s.Name, p.Title, i+1, b.o.pairs)
		ours, err := b.product.Run(ctx, s, b.out(&b.product.Contender, s))
		if err != nil {
			return r, err
		}
		bare, err := b.product.Bare.Run(ctx, s, b.out(b.product.Bare, s))
		if err != nil {
			return r, err
		}
		peer, err := p.Run(ctx, s, b.out(p, s))
		var failure *measure.Failure
		if errors.As(err, &failure) && ctx.Err() == nil {
			r.word = "failed: " + lastLine(failure.Output)
			return r, nil
		}
		if err != nil {
			return r, err
		}
		r.pairs = append(r.pairs, measure.Pair{Ours: ours, Peer: peer})
		r.alike = append(r.alike, measure.Pair{Ours: bare, Peer: peer})
	}
	return r, nil
}

// drop removes an output that is not needed any more.
func (b *bench) drop(c *contender.Contender, s *data.Spec) error {
	if b.o.keep {
		return nil
	}
	return os.RemoveAll(b.out(c, s))
}

// size adds up the Parquet files of a contender.
func (b *bench) size(c *contender.Contender, s *data.Spec) (total int64, err error) {
	err = filepath.WalkDir(b.out(c, s), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// agree compares what the checking reader found in each output with ours, and
// our rows with what was generated.
func agree(s *data.Spec, ours string, outputs map[string]string) error {
	var mine map[string]string
	if err := json.Unmarshal([]byte(ours), &mine); err != nil {
		return fmt.Errorf("reading what our files hold: %w", err)
	}
	var differences []string
	if mine["rows"] != strconv.FormatInt(s.Rows, 10) {
		differences = append(differences, fmt.Sprintf("backfill wrote %s rows, %d were generated to come out", mine["rows"], s.Rows))
	}
	for title, output := range outputs {
		var theirs map[string]string
		if err := json.Unmarshal([]byte(output), &theirs); err != nil {
			return fmt.Errorf("reading what the files of %s hold: %w", title, err)
		}
		for what, value := range mine {
			if theirs[what] != value {
				differences = append(differences, fmt.Sprintf("%s: %s, but %s of %s", what, value, theirs[what], title))
			}
		}
	}
	if len(differences) == 0 {
		return nil
	}
	sort.Strings(differences)
	const shown = 20
	if n := len(differences); n > shown {
		differences = append(differences[:shown], fmt.Sprintf("and %d more", n-shown))
	}
	return fmt.Errorf("the outputs differ, so nothing is compared:\n  %s", strings.Join(differences, "\n  "))
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// say tells what is being done, on stderr.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
