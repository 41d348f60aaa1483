package metrics_test

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"backfill/internal/metrics"
)

// received reads datagrams until one metric of each wanted name came.
func received(t *testing.T, conn net.PacketConn, names ...metrics.Name) []string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	var lines []string
	buf := make([]byte, 64<<10)
	for {
		missing := slices.ContainsFunc(names, func(n metrics.Name) bool {
			return !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, string(n)+":") })
		})
		if !missing {
			return lines
		}
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatalf("%v; so far %q", err, lines)
		}
		lines = append(lines, strings.Fields(string(buf[:n]))...)
	}
}

// TestSend: points arrive over UDP and over a unix socket in DogStatsD's form,
// with unified service tags; what is sent last is flushed.
func TestSend(t *testing.T) {
	t.Setenv("DD_ENV", "prod")
	t.Setenv("DD_SERVICE", "payroll-backfill")
	t.Setenv("DD_VERSION", "1.2.3")
	t.Setenv("DD_ORIGIN_DETECTION_ENABLED", "false")
	t.Setenv("DD_ENTITY_ID", "")
	dir, err := os.MkdirTemp("", "dsd") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	for _, network := range []string{"udp", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unixgram" {
				address = socket
			}
			conn, err := net.ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			s := metrics.Open(map[string]string{"udp": "udp://" + conn.LocalAddr().String(), "unixgram": "unix://" + socket}[network])
			s.Send([]metrics.Point{{metrics.Rows, 5, []string{"state:inserted"}}, {metrics.Heap, 7, nil}}, "command:load", "table:payroll.a|b,c#d")
			s.Send([]metrics.Point{{metrics.CommandTime, 1500, []string{"exit:0"}}}, "command:load")
			s.Close(time.Minute)
			lines := received(t, conn, metrics.Rows, metrics.Heap, metrics.CommandTime)
			for _, want := range []string{
				"backfill.rows:5|c|#env:prod,service:payroll-backfill,version:1.2.3,state:inserted,command:load,table:payroll.a_b_c_d",
				"backfill.memory.heap:7|g|#env:prod,service:payroll-backfill,version:1.2.3,command:load,table:payroll.a_b_c_d",
				"backfill.command.time:1500|d|#env:prod,service:payroll-backfill,version:1.2.3,exit:0,command:load",
			} {
				if !slices.Contains(lines, want) {
					t.Errorf("no %q in %q", want, lines)
				}
			}
		})
	}
}

// TestDeadAgent: nobody listens, and nothing waits for it or fails. Names that can't be found likewise.
func TestDeadAgent(t *testing.T) {
	for _, address := range []string{"127.0.0.1:1", "unix:///nonexistent/dsd.socket", "udp://no-such-host.invalid:8125", "nonsense://"} {
		s := metrics.Open(address)
		for range 1000 { // more than the queue holds
			s.Send([]metrics.Point{{metrics.Rows, 1, []string{"state:inserted"}}})
		}
		s.Close(time.Minute)
	}
	var none *metrics.Sender
	none.Send([]metrics.Point{{metrics.Rows, 1, nil}})
	none.Close(time.Minute)
}

// TestMetricsPage holds the page to the table.
func TestMetricsPage(t *testing.T) {
	const file = "../../docker/METRICS.md"
	var want bytes.Buffer
	if err := metrics.WritePage(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err == nil && bytes.Equal(got, want.Bytes()) {
		return
	}
	if os.Getenv("BACKFILL_UPDATE_README") == "" {
		t.Fatalf("%s is not what the program says: run `make metrics` (%v)", file, err)
	}
	if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// query finds metrics in the queries of dashboards and monitors: name, filter, and what it is split by.
var query = regexp.MustCompile(`(backfill\.[a-z_.]+)\{([^}]*)\}(?: by \{([^}]*)\})?`)

// TestDashboardAndMonitors: every metric that they ask for exists, with the tags that they use.
func TestDashboardAndMonitors(t *testing.T) {
	tags := map[string][]string{}
	for _, m := range metrics.Table() {
		tags[string(m.Name)] = append(metrics.CommonTags(), m.Tags...)
	}
	asked := map[string]bool{}
	for _, file := range []string{"datadog-dashboard.json", "datadog-monitors.json"} {
		body, err := os.ReadFile("../../docker/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found := query.FindAllStringSubmatch(string(body), -1)
		if named := strings.Count(string(body), "backfill."); len(found) < 5 || named != len(found) {
			t.Errorf("%s names metrics %d times, %d are in queries that this test can read", file, named, len(found))
		}
		for _, q := range found {
			known, ok := tags[q[1]]
			if !ok {
				t.Errorf("%s: there is no metric %s", file, q[1])
			}
			asked[q[1]] = true
			for _, part := range strings.Split(q[2]+","+q[3], ",") {
				name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(part), "!"), ":")
				if name != "" && name != "*" && !strings.HasPrefix(name, "$") && !slices.Contains(known, name) {
					t.Errorf("%s: %s has no tag %q", file, q[1], name)
				}
			}
		}
	}
	for _, m := range metrics.Table() {
		if m.Name != metrics.Goroutines && !asked[string(m.Name)] {
			t.Errorf("neither the dashboard nor a monitor shows %s", m.Name)
		}
	}
}
