package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"backfill/cmd/bench/contender"
	"backfill/cmd/bench/data"
	"backfill/cmd/bench/measure"
)

// The whole benchmark on a few rows, with the real programs.
func TestBenchmark(t *testing.T) {
	dir := t.TempDir()
	build := func(name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if out, err := exec.Command("go", "build", "-o", path, "backfill/cmd/"+name).CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
		return path
	}
	results := filepath.Join(dir, "RESULTS.md")
	source, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	bench := func(args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(dir, "bench"), append([]string{"--dir", filepath.Join(dir, "cache"), "--source", source,
			"--backfill", filepath.Join(dir, "backfill"), "--sandbox", filepath.Join(dir, "sandbox"), "--results", results}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, name := range []string{"bench", "backfill", "sandbox"} {
		build(name)
	}
	if err := os.WriteFile(results, []byte("<!-- begin peak -->\nwas here\n<!-- end peak -->\n<!-- begin s3 -->\nold\n<!-- end s3 -->\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := bench("--rows", "3000", "--pairs", "1", "--workloads", "gzip,rejects,wide,numbers,object", "--peers", "duckdb,plain", "--targets", "cores,s3,job")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	number := `[0-9.]+`
	for _, line := range []string{
		"## Like for like",
		`\| the month, gzip \| DuckDB, one COPY \| N / N \| \*\*N\*\* \| N \| N / N \| N \| N / N \|`,
		`<!-- begin peak -->\nwas here\n<!-- end peak -->`,
		`\| 5 % rejects \| plain Go \| N / N \| \*\*N\*\* \|`,
		`\| 120 columns \| plain Go \| nobody wrote a struct of 120 fields for it \|`,
		`\| 5 numbers \| DuckDB, one COPY \| N / N \|`,
		`\| workload \| its sentence \| decompress \| decode \| account \| encode \| waiting \|`,
		`\| one object of N rows \| [^|]+ N % of the wall time \| N % \| N % \| N % \| N % \| N % \|`,
		`\| two cores ≥ 1.85 × as fast as one on the month, gzip \| N `,
		`\| two cores ≥ 1.60 × as fast as one on one object of N rows \| N `,
		`\| CPU by S3 ≤ 1.15 × by file \| N `,
		`\| the whole job, 3000 rows through COMMIT \| N rows/s; the limit is `,
		`\| – load \(sandbox\) \| N s, `,
		`\| – the same with Python: orjson \+ pyarrow for convert \(computed\) \| not asked for \|`,
	} {
		if !regexp.MustCompile(strings.ReplaceAll(line, "N", number)).Match(text) {
			t.Errorf("no line like %s in\n%s", line, text)
		}
	}
	if strings.Contains(string(text), "\nold\n") {
		t.Errorf("an earlier result stands beside a new one:\n%s", text)
	}
	if strings.Contains(string(text), "## Failed") {
		t.Errorf("something failed:\n%s", text)
	}
	for args, says := range map[string]string{"--workloads=month": `no workload "month"`, "--peers=spark": `no peer "spark"`, "--rows=0": "at least 1"} {
		if out, err := bench(args); err == nil || !strings.Contains(out, says) {
			t.Errorf("%s: %v, %s", args, err, out)
		}
	}
}

func TestAgree(t *testing.T) {
	s := &data.Spec{Rows: 2}
	ours := `{"rows":"2","amount sum":"1.25"}`
	if err := agree(s, ours, map[string]string{"DuckDB": `{"rows":"2","amount sum":"1.25"}`}); err != nil {
		t.Error(err)
	}
	err := agree(s, ours, map[string]string{"DuckDB": `{"rows":"2","amount sum":"1.24"}`, "plain Go": ours})
	if err == nil || !strings.Contains(err.Error(), "amount sum: 1.25, but 1.24 of DuckDB") || strings.Contains(err.Error(), "plain Go") {
		t.Errorf("a cent is missing: %v", err)
	}
	if err := agree(s, ours, map[string]string{"DuckDB": `{"rows":"2"}`}); err == nil {
		t.Error("a sum is missing, and the outputs agree")
	}
	if err := agree(&data.Spec{Rows: 3}, ours, nil); err == nil || !strings.Contains(err.Error(), "backfill wrote 2 rows, 3 were generated") {
		t.Errorf("all lost the same row: %v", err)
	}
}

func TestGoals(t *testing.T) {
	u := func(cpu int, peak int64) measure.Usage {
		return measure.Usage{CPU: time.Duration(cpu) * time.Second, Wall: time.Second, Peak: peak}
	}
	list := []workloadResult{{workload: data.Workload{Name: "gzip", Title: "the month"}, rows: []peerResult{
		{peer: &contender.Contender{Name: "duckdb", Title: "DuckDB"}, pairs: measure.Pairs{{Ours: u(95, 21), Peer: u(100, 100)}}, alike: measure.Pairs{{Ours: u(80, 19), Peer: u(100, 100)}}},
		{peer: &contender.Contender{Name: "plain", Title: "plain Go"}, word: "failed"},
	}}}
	got := reached(list)
	want := []targetResult{{"the month: CPU ≤ 0.80 × that of DuckDB", "0.80; as shipped 0.95", "yes"}, {"the month: memory ≤ 0.20 × that of DuckDB", "0.19; as shipped 0.21", "no"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestWorkloadTable(t *testing.T) {
	u := func(cpu float64, peak int64) measure.Usage {
		return measure.Usage{CPU: time.Duration(cpu * 1e9), Wall: time.Second, Peak: peak << 20}
	}
	r := workloadResult{workload: data.Workload{Title: "the month"}, ours: 2_000_000, bare: 1_900_000, rows: []peerResult{
		{peer: &contender.Contender{Title: "A"}, pairs: measure.Pairs{{Ours: u(1, 100), Peer: u(4, 400)}},
			alike: measure.Pairs{{Ours: u(0.8, 80), Peer: u(4, 400)}}, bytes: 1_500_000},
		{peer: &contender.Contender{Title: "B"}, word: "failed: no | memory"},
	}}
	missing := "| the month | B | failed: no \\| memory | | | | | |\n"
	shipped := "| the month | A | 1.00 / 4.00 | **0.25** | 1.00 | 100 / 400 | 0.25 | 2.0 / 1.5 |\n" + missing
	if got := workloadTable([]workloadResult{r}, asShipped); !strings.HasSuffix(got, shipped) {
		t.Errorf("as shipped\n%s", got)
	}
	alike := "| the month | A | 0.80 / 4.00 | **0.20** | 1.00 | 80 / 400 | 0.20 | 1.9 / 1.5 |\n" + missing
	if got := workloadTable([]workloadResult{r}, likeForLike); !strings.HasSuffix(got, alike) {
		t.Errorf("like for like\n%s", got)
	}
}
