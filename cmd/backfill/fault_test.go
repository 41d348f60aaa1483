package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The settings of the fault matrix, from the environment.
const (
	faultsEnv = "BACKFILL_FAULTS"      // "all" runs every case, a number so many of them (default 24)
	modesEnv  = "BACKFILL_FAULT_MODES" // only these modes, by name, with commas between them
	lanesEnv  = "BACKFILL_FAULT_LANES" // cases at a time (default 3)
	seedEnv   = "BACKFILL_TEST_SEED"   // which part a smaller run takes
)

// maxFaultFailures ends a run in which something is thoroughly wrong.
const maxFaultFailures = 25

// faultCase is a cell of the matrix with the mode it belongs to.
type faultCase struct {
	*matrix
	fault
}

// TestFaultMatrix hits a run's operations with faults, one a run, and demands
// that the same command then gives what the run without a fault gave.
func TestFaultMatrix(t *testing.T) {
	lanes := make([]*lane, number(t, lanesEnv, 3))
	var w *world
	for i := range lanes {
		lanes[i] = newLane(t)
		w = matrixWorld(t, lanes[i].harness)
	}
	matrixTable(t, lanes[0], w)
	lanes[0].save(t, "table")
	var cases []faultCase
	for _, m := range wantedModes(t) {
		lanes[0].restore(t, "table")
		file := w.datasetFile(t, m.mode, m.dataset...)
		back := m.prepare(t, lanes[0], file)
		lanes[0].save(t, m.name)
		x := m.faultless(t, lanes[0], file)
		if m.undoes && !slices.Equal(x.after.table, back) {
			t.Fatalf("%s does not bring the table back: %s", m.name, firstDifference(x.after.table, back))
		}
		for _, server := range slices.Sorted(maps.Keys(x.ops)) {
			for n := int64(1); n <= x.ops[server]; n++ {
				for _, k := range kinds() {
					cases = append(cases, faultCase{x, fault{server, n, k}})
				}
			}
		}
	}
	some := sample(t, cases)
	tally := &faultTally{total: len(some), started: time.Now()}
	queue := make(chan faultCase)
	var workers sync.WaitGroup
	for _, l := range lanes {
		workers.Go(func() {
			for c := range queue {
				fate := "failed"
				ok := t.Run(c.name+"/"+c.fault.String(), func(t *testing.T) { fate = c.meet(t, l, c.fault) })
				tally.count(c, fate, ok)
			}
		})
	}
	for _, c := range some {
		if tally.failed.Load() >= maxFaultFailures {
			t.Errorf("%d cases failed, the rest was not run", tally.failed.Load())
			break
		}
		queue <- c
	}
	close(queue)
	workers.Wait()
	fmt.Print(tally)
}

func wantedModes(t *testing.T) []matrixMode {
	t.Helper()
	all := matrixModes()
	names := os.Getenv(modesEnv)
	if names == "" {
		return all
	}
	var some []matrixMode
	for _, name := range strings.Split(names, ",") {
		i := slices.IndexFunc(all, func(m matrixMode) bool { return m.name == name })
		if i < 0 {
			t.Fatalf("%s: there is no mode %q", modesEnv, name)
		}
		some = append(some, all[i])
	}
	return some
}

// sample takes the wanted number of cases by chance, of every mode as many.
func sample(t *testing.T, cases []faultCase) []faultCase {
	t.Helper()
	if os.Getenv(faultsEnv) == "all" {
		fmt.Printf("fault matrix: all %d cases\n", len(cases))
		return cases
	}
	n := min(int(number(t, faultsEnv, 24)), len(cases))
	seed := number(t, seedEnv, int64(rand.Uint32()))
	fmt.Printf("fault matrix: %d of %d cases, %s=%d\n", n, len(cases), seedEnv, seed)
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	var some []faultCase
	for i := range n { // one of each n-th part
		from, to := i*len(cases)/n, (i+1)*len(cases)/n
		some = append(some, cases[from+r.IntN(to-from)])
	}
	return some
}

// faultTally counts what became of the cases.
type faultTally struct {
	total   int
	started time.Time
	failed  atomic.Int64
	mu      sync.Mutex
	done    int
	fates   map[string]map[string]int // by mode and kind, then fate
}

func (y *faultTally) count(c faultCase, fate string, ok bool) {
	if !ok {
		fate = "FAILED"
		y.failed.Add(1)
		fmt.Fprintf(os.Stderr, "FAILED %s/%s\n", c.name, c.fault)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.fates == nil {
		y.fates = map[string]map[string]int{}
	}
	cell := fmt.Sprintf("%-28s %-4s %s", c.name, c.server, c.kind)
	if y.fates[cell] == nil {
		y.fates[cell] = map[string]int{}
	}
	y.fates[cell][fate]++
	if y.done++; y.done%100 == 0 {
		fmt.Fprintf(os.Stderr, "%d of %d cases, %d failed, %s, %d goroutines\n", y.done, y.total, y.failed.Load(), time.Since(y.started).Round(time.Second), runtime.NumGoroutine())
	}
}

// String is the summary.
func (y *faultTally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "fault matrix: %d of %d cases run, %d failed, in %s\n", y.done, y.total, y.failed.Load(), time.Since(y.started).Round(time.Second))
	fmt.Fprintf(&b, "how the faulted run ended: exit 3 and killed, the next run went on; any other, a retry of its own masked the fault\n")
	for _, cell := range slices.Sorted(maps.Keys(y.fates)) {
		fmt.Fprintf(&b, "  %-50s", cell)
		for _, fate := range slices.Sorted(maps.Keys(y.fates[cell])) {
			fmt.Fprintf(&b, "  %s: %d", fate, y.fates[cell][fate])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
