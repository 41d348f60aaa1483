package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestMetricsOfALoad runs the main job, and a command that fails, with an agent
// that listens.
func TestMetricsOfALoad(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	agent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	var heard watched
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, _, err := agent.ReadFrom(buf)
			if err != nil {
				return // closed at the test's end
			}
			_, _ = heard.Write(append(buf[:n:n], '\n'))
		}
	}()
	address := "udp://" + agent.LocalAddr().String()
	h.run(t, 0, append([]string{"run", "--statsd", address}, a.window(flags...)...)...)
	const about = "command:run,dataset:payroll_events,table:payroll.testmetricsofaload"
	for _, want := range []string{
		"backfill.commands:1|c|#exit:0," + about, "backfill.records:2000|c|#disposition:parquet_rows," + about, "backfill.chunks:14|c|#state:converted," + about,
		"backfill.rows:2000|c|#state:inserted," + about, "backfill.rows:2000|c|#state:staged," + about, "backfill.verdicts:1|c|#verdict:reconciled," + about,
		"backfill.breaks:0|g|#" + about, "backfill.verified.age:", "backfill.stage.rows:2000|c|#stage:copy," + about, "backfill.command.time:", "backfill.cpu.time:",
	} {
		<-heard.when(want)
	}
	h.run(t, 2, "run", "--statsd", address, "--dataset", a.dataset, "--from", "2026-04-01", "--to", "2026-03-01")
	<-heard.when("backfill.commands:1|c|#exit:2,command:run")
}

// TestProfiles gives the kept profiles to Go's own tools; status names them.
func TestProfiles(t *testing.T) {
	h := shared
	a, flags := tenObjects(t, h)
	o := h.run(t, 0, append([]string{"run", "--profile"}, a.window(flags...)...)...)
	if len(o.result.Profiles) != 6 {
		t.Fatalf("profiles %q\n%s", o.result.Profiles, o.stderr)
	}
	dir := t.TempDir()
	for _, uri := range o.result.Profiles {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
		object, err := h.client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(object.Body)
		if err != nil || len(body) > 32<<20 {
			t.Fatalf("%s: %d bytes, %v", uri, len(body), err)
		}
		file := filepath.Join(dir, path.Base(uri))
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"tool", "pprof", "-top", file}
		if path.Base(uri) == "trace.out" {
			args = []string{"tool", "trace", "-d=parsed", file}
		}
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+dir)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("%s: %v\n%s", uri, err, out)
		}
	}
	look := h.run(t, 0, append([]string{"status", o.result.Run, "--dataset", a.dataset}, flags[:len(flags)-4]...)...)
	if work := look.result.Status.Plans[0].Work; len(work) != 1 || len(work[0].Profiles) != 6 {
		t.Errorf("status shows %+v", work)
	}
}
