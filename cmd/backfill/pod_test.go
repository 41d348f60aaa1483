package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// The contract with a pod: limits, log lines, signals, the deadline, Indexed
// Jobs. What only a real cluster shows is in dags/e2e.

// watched keeps what a program writes and tells when a text has come.
type watched struct {
	mu      sync.Mutex
	text    bytes.Buffer
	waiting map[string]chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	for want, came := range w.waiting {
		if bytes.Contains(w.text.Bytes(), []byte(want)) {
			close(came)
			delete(w.waiting, want)
		}
	}
	return len(p), nil
}

// when returns a channel that is closed once the text has come.
func (w *watched) when(text string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if came, ok := w.waiting[text]; ok {
		return came
	}
	came := make(chan struct{})
	if bytes.Contains(w.text.Bytes(), []byte(text)) {
		close(came)
		return came
	}
	if w.waiting == nil {
		w.waiting = map[string]chan struct{}{}
	}
	w.waiting[text] = came
	return came
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// podRun is the worker as a pod runs it, with its places in a folder.
type podRun struct {
	h      *harness
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr watched
	dir    string
}

// podStart starts the worker; env is added to the harness's.
func podStart(t *testing.T, h *harness, env []string, args ...string) *podRun {
	t.Helper()
	h.seen.Do(func() { seeSources(t) })
	p := &podRun{h: h, dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(p.dir, "termination-log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(h.binary, append(args, "--output", "json", "--xcom-file", filepath.Join(p.dir, "return.json"), "--termination-log", filepath.Join(p.dir, "termination-log"))...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = h.env(env...), t.TempDir(), &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // a test that failed leaves nothing behind
	return p
}

// end waits for the worker and reads what it left in its places.
func (p *podRun) end(t *testing.T, exit int) (r result, termination string) {
	t.Helper()
	_ = p.cmd.Wait() // the exit code is looked at
	if got := p.cmd.ProcessState.ExitCode(); got != exit {
		t.Fatalf("exit code %d, want %d\n%s", got, exit, p.stderr.String())
	}
	body, err := os.ReadFile(filepath.Join(p.dir, "return.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	message, err := os.ReadFile(filepath.Join(p.dir, "termination-log"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Exit != exit {
		t.Errorf("XCom says exit code %d, want %d", r.Exit, exit)
	}
	if left, err := os.ReadDir(p.cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("the worker left %v in its folder, %v", left, err)
	}
	return r, string(message)
}

// tenObjects is a month in ten objects and as many chunks.
func tenObjects(t *testing.T, h *harness) (a archive, flags []string) {
	a = h.generate(t, archivegen.Options{Seed: 41, Events: 2000, Partitions: 1, Codec: "gzip", EventsPerObject: 200})
	return a, append(h.table(t, prefixOf(t)), "--chunk-bytes", "16KiB", "--slice-days", "11")
}

// planned seals a plan and returns its URI.
func planned(t *testing.T, h *harness, a archive, flags []string) (uri string, chunks int) {
	t.Helper()
	o := h.run(t, 0, append([]string{"plan"}, a.window(flags...)...)...)
	if o.result.Chunks < 3 {
		t.Fatalf("%d chunks are too few", o.result.Chunks)
	}
	return o.result.Plan, o.result.Chunks
}

func TestMemoryLimitOfThePod(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	uri, _ := planned(t, h, a, flags)
	root := t.TempDir()
	limit := func(files map[string]string) {
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			file := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	v1 := map[string]string{
		"proc/self/cgroup": "9:memory:/kubepods/pod1/c1\n", "proc/self/mountinfo": "41 30 0:28 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "16777216\n",
	}
	limit(v1)
	if _, message := podStart(t, h, nil, "convert", "--plan", uri, "--system-root", root).end(t, 2); !strings.Contains(message, "16 MiB is too little for one worker") {
		t.Errorf("a pod of 16 MiB: %q", message)
	}
	limit(map[string]string{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "sys/fs/cgroup/memory.max": "536870912\n"})
	for env, want := range map[string]string{
		"X=":                      "INFO memory limit 512 MiB from the cgroup, GOMEMLIMIT 409 MiB, ",
		"GOMEMLIMIT=100MiB":       "INFO memory limit 512 MiB from the cgroup, GOMEMLIMIT 100 MiB, ",
		"BACKFILL_MEMORY=1000MiB": "INFO memory limit 1000 MiB from --memory, GOMEMLIMIT 800 MiB, ",
	} {
		p := podStart(t, h, []string{env}, "convert", "--plan", uri, "--system-root", root)
		if p.end(t, 0); !strings.Contains(p.stderr.String(), want) || !strings.Contains(p.stderr.String(), "without a limit: give --disk") {
			t.Errorf("with %s: %s", env, p.stderr.String())
		}
	}
	// Commands that write files say how much they may hold.
	env := []string{"BACKFILL_DISK=8388608", "TMPDIR=/scratch"} // bytes, as the downward API gives them
	p := podStart(t, h, env, "reconcile", "--dataset", "/missing.yaml", "--system-root", root)
	if p.end(t, 2); !strings.Contains(p.stderr.String(), "files below /scratch hold 6 MiB at most") {
		t.Error(p.stderr.String())
	}
}

// TestHeartbeat holds the worker in an upload and in COPY until it has said
// where it stands.
func TestHeartbeat(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	var p *podRun
	started := make(chan struct{})
	h.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before && op.Kind == "PutObject" && strings.HasSuffix(op.Key, "/receipt.json") {
			<-started
			select {
			case <-p.stderr.when("INFO converting "):
			case <-op.Done:
			}
		}
		return s3d.Continue
	}, func(op redshiftd.Op) redshiftd.Action {
		if op.Kind == "COPY" && op.Phase == redshiftd.During {
			<-started
			select {
			case <-p.stderr.when("INFO loading 0%, 0 of 3 slices: copying "):
			case <-op.Done:
			}
		}
		return redshiftd.Continue
	})
	p = podStart(t, h, nil, append([]string{"run", "--heartbeat", "20ms"}, a.window(flags...)...)...)
	close(started)
	p.end(t, 0)
	text := p.stderr.String()
	if !regexp.MustCompile(`(?m)^INFO converting \d+%, \d+ of \d+ chunks, \d+ rows`).MatchString(text) {
		t.Error(text)
	}
	for line := range strings.Lines(text) {
		if !regexp.MustCompile(`^(DEBUG|INFO|WARNING|ERROR) \S`).MatchString(line) {
			t.Errorf("a line without a level: %q", line)
		}
	}
}

// TestStopFinishesTheChunk sends SIGTERM while the first chunk is under way: it
// is finished, and no other is begun.
func TestStopFinishesTheChunk(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	uri, chunks := planned(t, h, a, flags)
	var p *podRun
	var once sync.Once
	started := make(chan struct{})
	h.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before && op.Kind == "PutObject" && strings.HasSuffix(op.Key, "/receipt.json") {
			<-started
			once.Do(func() {
				_ = p.cmd.Process.Signal(syscall.SIGTERM)
				select {
				case <-p.stderr.when("nothing new is begun"):
				case <-op.Done:
				}
			})
		}
		return s3d.Continue
	}, nil)
	p = podStart(t, h, nil, "convert", "--plan", uri, "--workers", "1", "--grace", "10m")
	close(started)
	r, message := p.end(t, 143)
	h.unwatch()
	if r.Converted != 1 || r.Code != "stopped" || !strings.Contains(message, "stopped by signal: terminated; work so far is kept (run the same command again") {
		t.Errorf("%d chunks, code %s, termination message %q", r.Converted, r.Code, message)
	}
	if last := h.run(t, 0, "convert", "--plan", uri); last.result.Reused != 1 || last.result.Converted != chunks-1 {
		t.Errorf("the next try found %d chunks and converted %d of %d", last.result.Reused, last.result.Converted, chunks)
	}
}

// TestStopFinishesTheSlice sends SIGTERM while the first slice commits: its
// answer is waited for, no other slice is begun, and the next try goes on.
func TestStopFinishesTheSlice(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	uri, _ := planned(t, h, a, flags)
	h.run(t, 0, "convert", "--plan", uri)
	var p *podRun
	var once sync.Once
	started := make(chan struct{})
	h.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
		if op.Kind == "INSERT" && op.Phase == redshiftd.After && strings.Contains(op.SQL, "__backfill_ledger") {
			<-started
			once.Do(func() {
				_ = p.cmd.Process.Signal(syscall.SIGTERM)
				select {
				case <-p.stderr.when("nothing new is begun"):
				case <-op.Done:
				}
			})
		}
		return redshiftd.Continue
	})
	p = podStart(t, h, nil, "load", "--plan", uri, "--grace", "10m")
	close(started)
	p.end(t, 143)
	h.unwatch()
	if got := h.rows(t, "SELECT COUNT(*) FROM payroll."+prefixOf(t)+"__backfill_ledger"); !slices.Equal(got, []string{"1|"}) {
		t.Errorf("%v slices stand in the ledger, want 1", got)
	}
	h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
	if got := len(h.contents(t, prefixOf(t))); got != int(a.truth.TableRows) {
		t.Errorf("%d rows, the truth says %d", got, a.truth.TableRows)
	}
}

// TestGraceIsKept: an answer that never comes does not hold the process past
// its grace period, and the outcome is reported still.
func TestGraceIsKept(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	uri, _ := planned(t, h, a, flags)
	var p *podRun
	var once sync.Once
	started := make(chan struct{})
	h.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before && strings.HasSuffix(op.Key, ".parquet") {
			<-started
			once.Do(func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) })
			<-op.Done // the worker has gone
		}
		return s3d.Continue
	}, nil)
	p = podStart(t, h, nil, "convert", "--plan", uri, "--grace", "500ms")
	close(started)
	if r, message := p.end(t, 143); r.Code != "stopped" || !strings.Contains(message, "work so far is kept") {
		t.Errorf("%+v, %q", r, message)
	}
	h.unwatch()
	h.run(t, 0, "convert", "--plan", uri)
}

// TestReadingIsStoppedAtOnce: a command that only reads has nothing to finish.
func TestReadingIsStoppedAtOnce(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	var p *podRun
	var once sync.Once
	started := make(chan struct{})
	h.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before && op.Kind == "ListObjectsV2" {
			<-started
			once.Do(func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) })
			<-op.Done
		}
		return s3d.Continue
	}, nil)
	p = podStart(t, h, nil, append([]string{"plan", "--grace", "1h"}, a.window(flags...)...)...)
	close(started)
	if r, _ := p.end(t, 143); r.Code != "stopped" {
		t.Errorf("%+v", r)
	}
}

// TestSecondSignal ends the process at once, however long its grace is.
func TestSecondSignal(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	uri, _ := planned(t, h, a, flags)
	var p *podRun
	var once sync.Once
	started := make(chan struct{})
	h.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before && strings.HasSuffix(op.Key, ".parquet") {
			<-started
			once.Do(func() {
				_ = p.cmd.Process.Signal(os.Interrupt)
				<-p.stderr.when("nothing new is begun")
				_ = p.cmd.Process.Signal(os.Interrupt)
			})
			<-op.Done
		}
		return s3d.Continue
	}, nil)
	p = podStart(t, h, nil, "convert", "--plan", uri, "--grace", "1h")
	close(started)
	_ = p.cmd.Wait() // the exit code is looked at
	if got := p.cmd.ProcessState.ExitCode(); got != 130 {
		t.Errorf("exit code %d\n%s", got, p.stderr.String())
	}
}

func TestDeadline(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	uri, chunks := planned(t, h, a, flags)
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	r, message := podStart(t, h, nil, "convert", "--plan", uri, "--deadline", past, "--workers", "1", "--grace", "10m").end(t, 143)
	if r.Converted >= chunks || !strings.Contains(message, "stopped by the deadline: "+past+" is 10m0s from now; work so far is kept") {
		t.Errorf("%d chunks, %q", r.Converted, message)
	}
	for text, says := range map[string]string{"10s": "--deadline 10s leaves no time for work: --grace is 25s", "noon": `--deadline "noon" is no duration and no time`} {
		if o := h.run(t, 2, "convert", "--plan", uri, "--deadline", text); !strings.Contains(o.result.Error, says) {
			t.Errorf("%s: %s", text, o.result.Error)
		}
	}
	if r, _ := podStart(t, h, []string{"BACKFILL_DEADLINE=3h"}, "convert", "--plan", uri).end(t, 0); r.Converted+r.Reused != chunks {
		t.Errorf("%d chunks converted, %d found, of %d", r.Converted, r.Reused, chunks)
	}
}

// TestIndexedJob converts each shard in a pod of an Indexed Job, one of them twice.
func TestIndexedJob(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	uri, chunks := planned(t, h, a, flags)
	total := 0
	for _, index := range []int{2, 0, 1, 0} {
		env := []string{fmt.Sprintf("JOB_COMPLETION_INDEX=%d", index), "JOB_COMPLETIONS=3"}
		r, _ := podStart(t, h, env, "convert", "--plan", uri, "--shard", "auto").end(t, 0)
		total += r.Converted
	}
	if total != chunks {
		t.Errorf("%d chunks converted in all, want %d", total, chunks)
	}
	if r, message := podStart(t, h, []string{"JOB_COMPLETION_INDEX=1"}, "convert", "--plan", uri, "--shard", "auto").end(t, 2); r.Code != "usage" || !strings.Contains(message, "JOB_COMPLETIONS") {
		t.Errorf("%s: %q", r.Code, message)
	}
	h.run(t, 0, "load", "--plan", uri)
	if got := len(h.contents(t, prefixOf(t))); got != int(a.truth.TableRows) {
		t.Errorf("%d rows, the truth says %d", got, a.truth.TableRows)
	}
}

// TestPlanTellsItsURI: pods that come after read it from the termination message.
func TestPlanTellsItsURI(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	r, message := podStart(t, h, nil, append([]string{"plan"}, a.window(flags...)...)...).end(t, 0)
	if r.Plan == "" || message != r.Plan {
		t.Errorf("plan %q, termination message %q", r.Plan, message)
	}
}
