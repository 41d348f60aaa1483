package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/metrics"
	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/s3d"
)

// receiver is a statsd_exporter of Prometheus: it shares no code with the worker
// or its tests.
type receiver struct{ address, page string }

// receive starts one that listens on a network, udp or unix.
func receive(t *testing.T, binary, network string) receiver {
	t.Helper()
	dir, err := os.MkdirTemp("", "dsd") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	web, udp := freePort(t, "tcp"), freePort(t, "udp")
	r := receiver{"udp://" + udp, "http://" + web + "/metrics"}
	args := []string{"--web.listen-address=" + web, "--statsd.listen-tcp=", "--statsd.listen-udp=" + udp}
	if network == "unix" {
		socket := filepath.Join(dir, "s")
		r.address = "unix://" + socket
		args = []string{"--web.listen-address=" + web, "--statsd.listen-tcp=", "--statsd.listen-udp=", "--statsd.listen-unixgram=" + socket}
	}
	cmd := exec.Command(binary, args...)
	var says watched
	cmd.Stdout, cmd.Stderr = &says, &says
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r.until(t, func(map[string]float64) string { return "" })
	return r
}

func freePort(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// until asks for what was received until nothing is missing any more.
func (r receiver) until(t *testing.T, missing func(map[string]float64) string) (held map[string]float64, kinds map[string]string) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	last := "no answer"
	for range 2400 {
		if answer, err := http.Get(r.page); err == nil {
			body, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			held, kinds = exposed(t, string(body))
			if last = missing(held); last == "" {
				return held, kinds
			}
		}
		<-ticker.C
	}
	t.Fatalf("%s\n%s", last, strings.Join(slices.Sorted(maps.Keys(held)), "\n"))
	return nil, nil
}

var exposedLine = regexp.MustCompile(`^(backfill_[a-z_]+)(?:\{(.*)\})? (\S+)$`)

// exposed reads Prometheus' text: series as name|label,label… in order, and kinds by name.
func exposed(t *testing.T, text string) (held map[string]float64, kinds map[string]string) {
	t.Helper()
	held, kinds = map[string]float64{}, map[string]string{}
	s := bufio.NewScanner(strings.NewReader(text))
	for s.Scan() {
		if f := strings.Fields(s.Text()); len(f) == 4 && f[1] == "TYPE" {
			kinds[f[2]] = f[3]
		}
		m := exposedLine.FindStringSubmatch(s.Text())
		if m == nil || strings.Contains(m[2], "quantile=") {
			continue
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		labels := strings.Split(strings.ReplaceAll(m[2], `"`, ""), ",")
		slices.Sort(labels)
		held[m[1]+"|"+strings.Join(labels, ",")] = value
	}
	return held, kinds
}

// expected are the exact counts that one command must have sent, as its result has them.
func expected(r result, command, table, env string) map[string]float64 {
	common := []string{"command=" + command, "dataset=payroll_events", "table=payroll." + table, "env=" + env, "service=payroll-backfill", "version=1.2.3"}
	want := map[string]float64{}
	add := func(name metrics.Name, value float64, labels ...string) {
		labels = append(labels, common...)
		slices.Sort(labels)
		if value > 0 {
			want[strings.ReplaceAll(string(name), ".", "_")+"|"+strings.Join(labels, ",")] = value
		}
	}
	add(metrics.Commands, 1, fmt.Sprintf("exit=%d", r.Exit))
	add(metrics.CommandTime+"_count", 1, fmt.Sprintf("exit=%d", r.Exit))
	for _, d := range account.Dispositions() {
		if r.Tally != nil {
			add(metrics.Records, float64(r.Tally[d]), "disposition="+tagged(d.String()))
		}
	}
	add(metrics.Chunks, float64(r.Converted), "state=converted")
	add(metrics.Chunks, float64(r.Reused), "state=reused")
	for state, n := range map[string]int64{"staged": r.Staged, "inserted": r.Inserted, "deleted": r.Deleted, "kept": r.Kept} {
		add(metrics.Rows, float64(n), "state="+state)
	}
	if r.Verdict != "" {
		add(metrics.Verdicts, 1, "verdict="+tagged(r.Verdict))
		add(metrics.Breaks, float64(r.Breaks))
	}
	for _, s := range r.Timing.Stages {
		add(metrics.StageRows, float64(s.Rows), "stage="+s.Stage)
		add(metrics.StageBytes, float64(s.Bytes), "stage="+s.Stage)
	}
	return want
}

// TestMetricsReceived sends runs that end well, with breaks and by SIGTERM to a
// receiver that others wrote, and compares what it holds with the results and
// with the table of metrics. It needs BACKFILL_STATSD_EXPORTER: make receiver.
func TestMetricsReceived(t *testing.T) {
	binary := os.Getenv("BACKFILL_STATSD_EXPORTER")
	if binary == "" {
		t.Skip("BACKFILL_STATSD_EXPORTER names no statsd_exporter")
	}
	h := shared
	for _, network := range []string{"udp", "unix"} {
		t.Run(network, func(t *testing.T) {
			at := receive(t, binary, network)
			want := map[string]float64{}
			took := 0.0
			note := func(r result, command string) {
				for key, value := range expected(r, command, prefixOf(t), network) {
					want[key] += value
				}
				for _, s := range r.Timing.Stages {
					took += s.Busy
				}
			}
			env := []string{"BACKFILL_CHUNK_BYTES=16KiB", "DD_ENV=" + network, "DD_SERVICE=payroll-backfill", "DD_VERSION=1.2.3", "BACKFILL_STATSD=" + at.address}
			a := h.generate(t, archivegen.Options{Seed: 52, Events: 3000, Partitions: 2, Codec: "gzip", EventsPerObject: 300, Faults: archivegen.DefaultFaults()})
			flags := append(h.table(t, prefixOf(t)), "--set", "quarantine.max_records=100000", "--set", "quarantine.max_rate=1")
			run := func(exit int, command string) result {
				r, _ := podStart(t, h, env, append([]string{command}, a.window(flags...)...)...).end(t, exit)
				note(r, command)
				return r
			}
			first := run(0, "run")
			h.sql(t, "UPDATE payroll."+prefixOf(t)+" SET gross_amount = gross_amount + 1 WHERE event_id = (SELECT MIN(event_id) FROM payroll."+prefixOf(t)+")")
			run(5, "reconcile")

			uri, _ := planned(t, h, a, append(flags, "--chunk-bytes", "16KiB", "--replan", "--reconvert"))
			started := make(chan struct{})
			var once sync.Once
			var p *podRun
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
			p = podStart(t, h, env, "convert", "--plan", uri, "--workers", "1", "--grace", "10m")
			close(started)
			stopped, _ := p.end(t, 143)
			h.unwatch()
			note(stopped, "convert")

			held, kinds := at.until(t, func(held map[string]float64) string {
				for key, value := range want {
					if held[key] != value {
						return fmt.Sprintf("%s is %v, want %v", key, held[key], value)
					}
				}
				return ""
			})
			compareReceived(t, held, kinds, want)
			var quarantined, spent float64
			for key, value := range held {
				switch name, _, _ := strings.Cut(key, "|"); {
				case name == "backfill_quarantined" && strings.Contains(key, "command=run"):
					quarantined += value
				case name == "backfill_stage_time" && strings.Contains(key, "state=busy"):
					spent += value
				}
			}
			if rejected := first.Tally[account.Unreadable] + first.Tally[account.Rejected]; quarantined != float64(rejected) || rejected == 0 {
				t.Errorf("%v records quarantined, the result has %d", quarantined, rejected)
			}
			if spent <= 0 || spent > took*1000+1 {
				t.Errorf("%v ms of stages were sent, the results have %v s", spent, took)
			}
			t.Logf("%s: %d series", network, len(held))
		})
	}
}

// compareReceived holds what was received to the table: each name with its kind
// and its tags, and no other count than the results have.
func compareReceived(t *testing.T, held map[string]float64, kinds map[string]string, want map[string]float64) {
	t.Helper()
	exact := map[string]bool{}
	for key := range want {
		name, _, _ := strings.Cut(key, "|")
		exact[name] = true
	}
	for _, m := range metrics.Table() {
		name := strings.ReplaceAll(string(m.Name), ".", "_")
		if kind := map[metrics.Kind]string{metrics.Count: "counter", metrics.Gauge: "gauge", metrics.Distribution: "summary"}[m.Kind]; kinds[name] != kind {
			t.Errorf("%s was received as %q, want %q", m.Name, kinds[name], kind)
		}
		for key, value := range held {
			series, labels, _ := strings.Cut(key, "|")
			if series != name && series != name+"_count" && series != name+"_sum" {
				continue
			}
			if exact[series] && value != want[key] && series != "backfill_breaks" {
				t.Errorf("%s is %v, which no result has", key, value)
			}
			var tags []string
			for _, l := range strings.Split(labels, ",") {
				tag, _, _ := strings.Cut(l, "=")
				tags = append(tags, tag)
			}
			all := append(metrics.CommonTags(), m.Tags...)
			slices.Sort(tags)
			slices.Sort(all)
			if !slices.Equal(tags, all) && !early(series, tags, all) {
				t.Errorf("%s has the tags %q, want %q", series, tags, all)
			}
		}
	}
	for name := range kinds {
		if !slices.ContainsFunc(metrics.Table(), func(m metrics.Metric) bool { return strings.ReplaceAll(string(m.Name), ".", "_") == name }) && strings.HasPrefix(name, "backfill_") {
			t.Errorf("%s is in no table", name)
		}
	}
}

// early tells series of the process before it knew its dataset.
func early(series string, tags, all []string) bool {
	without := slices.DeleteFunc(slices.Clone(all), func(tag string) bool { return tag == "dataset" || tag == "table" })
	return slices.Equal(tags, without) && !strings.HasPrefix(series, "backfill_rows") && !strings.HasPrefix(series, "backfill_commands")
}
