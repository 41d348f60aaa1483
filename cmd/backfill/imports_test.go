package main

import (
	"os/exec"
	"strings"
	"testing"
)

// layers gives each package its layer; imports may only point to a lower one.
// Packages of jobs may use workspace and, for run, each other.
var layers = map[string]int{
	"fail": 0, "kafka": 0, "schema": 0, "columns": 0, "account": 0, "objstore": 0, "progress": 0, "pod": 0, "mask": 0, "suppression": 0, "timing": 0, "metrics": 0,
	"dataset": 1, "archive": 1, "codec": 1, "decode": 1, "format": 1, "registry": 1, "parquetio": 1, "canon": 1, "runplan": 1, "runstore": 1, "redshift": 1, "login": 1, "tieout": 1, "report": 1, "seal": 1, "outside": 1, "survey": 1, "quarantine": 1, "forecast": 1,
	"scan": 2, "publish": 2, "rowdiff": 2,
	"folder": 0, "inventory": 1,
}

// allowed lists the arrows inside a layer, each with its reason.
var allowed = map[string]string{
	"columns→kafka": "a batch carries offsets and event times", "columns→schema": "a batch is shaped by its columns",
	"account→kafka": "places name partitions and days", "objstore→fail": "errors are coded", "kafka→fail": "errors are coded", "mask→fail": "errors are coded", "suppression→fail": "errors are coded", "suppression→mask": "values are masked alike",
	"format→decode":   "it makes the records that decode reads",
	"registry→decode": "it spells what decode reads", "registry→format": "it opens values inside records",
	"folder→kafka": "folders stand for instants", "inventory→format": "inventories are CSV and Parquet", "inventory→decode": "likewise",
	"rowdiff→scan":     "it takes the archive's rows",
	"runstore→runplan": "it keeps the plan's types", "report→tieout": "it shows the result", "outside→tieout": "it reads what is compared",
	"run→plan": "the main job is its steps", "run→convert": "the main job is its steps", "run→load": "the main job is its steps", "run→reconcile": "the main job is its steps",
	"plan→workspace": "", "convert→workspace": "", "load→workspace": "", "reconcile→workspace": "", "status→workspace": "", "run→workspace": "", "undo→workspace": "", "abort→workspace": "", "repair→workspace": "", "doctor→workspace": "", "infer→workspace": "", "quarantine→workspace": "", "gc→workspace": "", "doctor→convert": "it knows what fits in memory", "repair→reconcile": "it reconciles again",
	"forecast→runplan": "it judges what a plan would list", "preview→workspace": "", "preview→convert": "it knows what fits in memory",
	"load→plan": "object URIs have one form", "plan→reconcile": "what the table must hold is said in one place", "status→reconcile": "likewise",
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "backfill/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		from, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		for _, to := range strings.Fields(imports) {
			if strings.HasPrefix(to, "backfill/") {
				checkArrow(t, from, to)
			}
		}
	}
}

func checkArrow(t *testing.T, from, to string) {
	t.Helper()
	sandbox := func(p string) bool { return strings.Contains(p, "/sandbox") }
	if sandbox(from) != sandbox(to) {
		t.Errorf("%s imports %s: the sandbox and the product share no code", from, to)
		return
	}
	bench := func(p string) bool {
		return strings.HasPrefix(p, "backfill/cmd/bench") && p != "backfill/cmd/bench/bare"
	}
	if bench(from) != bench(to) {
		t.Errorf("%s imports %s: the benchmark runs programs and shares no code with them", from, to)
		return
	}
	if sandbox(from) || bench(from) {
		return
	}
	name := func(p string) string { return p[strings.LastIndex(p, "/")+1:] }
	level := func(p string) int {
		switch {
		case strings.HasPrefix(p, "backfill/cmd/"):
			return 4
		case strings.HasPrefix(p, "backfill/jobs/"):
			return 3
		}
		l, ok := layers[name(p)]
		if !ok {
			t.Errorf("%s has no layer: add it to the table", p)
		}
		return l
	}
	if level(to) < level(from) {
		return
	}
	if _, ok := allowed[name(from)+"→"+name(to)]; !ok || level(to) > level(from) {
		t.Errorf("%s imports %s: imports go down only", from, to)
	}
}

func TestWorkerIsPure(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}} {{len .CgoFiles}}`, "backfill/cmd/backfill").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		path, cgo, _ := strings.Cut(strings.TrimSpace(line), " ")
		standard := !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") && !strings.HasPrefix(path, "backfill")
		if strings.Contains(path, "sandbox") || strings.Contains(path, "duckdb") || strings.Contains(path, "versitygw") {
			t.Errorf("the worker depends on %s", path)
		}
		if cgo != "0" && !standard {
			t.Errorf("the worker needs cgo for %s", path)
		}
	}
}
