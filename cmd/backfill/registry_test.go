package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const framedDataset = `version: 1
name: framed
archive: {uri: "s3://archive/%s", layout: confluent, format: {bytes: {delimiter: "\r\n--\r\n"}}, idle: 80000h}
records:
  event_time: value.at
  registry: %s
columns:
  - {name: id,     type: varchar(36),     from: value.id, required: true}
  - {name: at,     type: timestamp,       from: value.at, required: true}
  - {name: amount, type: "decimal(18,2)", from: value.amount}
  - {name: wide,   type: "decimal(38,4)", from: value.wide}
  - {name: origin, type: varchar(10),     from: value.source}
  - {name: cur,    type: char(3),         from: value.currency}
table: {name: payroll.%[3]s, mode: replace_window, scope: all, window_column: at, key: [id]}
staging: {uri: "s3://staging/%[3]s"}
quarantine: {max_records: %[4]d}
reconcile: {totals: [amount], by: [cur]}
`

// framedTable makes the table and the archive of framed values, which
// internal/scan/testdata/frames/make.py wrote.
func framedTable(t *testing.T, h *harness, name string, body []byte) {
	t.Helper()
	h.sql(t, "CREATE TABLE payroll."+name+" (id varchar(36) NOT NULL, at timestamp NOT NULL, amount decimal(18,2), wide decimal(38,4), origin varchar(10), cur char(3), PRIMARY KEY (id))")
	if err := h.put(t.Context(), "archive", name+"/pay/partition=3/pay+3+0000000100.bin", body); err != nil {
		t.Fatal(err)
	}
}

func framedFile(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "internal", "scan", "testdata", "frames", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// registered answers as a schema registry that demands a login.
type registered struct {
	mu       sync.Mutex
	versions []map[string]any // of pay-value
	asked    int
}

func (s *registered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if user, password, _ := r.BasicAuth(); user != "reader" || password != "registry-s3cret" {
		http.Error(w, `{"message":"Unauthorized"}`, http.StatusUnauthorized)
		return
	}
	if r.URL.Path == "/subjects/pay-value/versions" {
		var list []any
		for _, v := range s.versions {
			list = append(list, v["version"])
		}
		_ = json.NewEncoder(w).Encode(list)
		return
	}
	for _, v := range s.versions {
		if r.URL.Path == fmt.Sprintf("/subjects/pay-value/versions/%v", v["version"]) {
			_ = json.NewEncoder(w).Encode(v)
			return
		}
	}
	http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
}

// TestFramedValuesOverHTTP loads values whose schemas a registry has: it is
// asked by the plan alone, versions are told apart, and a version that comes
// later makes a newer plan.
func TestFramedValuesOverHTTP(t *testing.T) {
	h := shared
	framedTable(t, h, "framed_http", framedFile(t, "avro.bin"))
	var all []map[string]any
	if err := json.Unmarshal(framedFile(t, "schemas/pay-value.json"), &all); err != nil {
		t.Fatal(err)
	}
	s := &registered{}
	for _, v := range all {
		if v["schemaType"] == nil {
			s.versions = append(s.versions, v)
		}
	}
	server := httptest.NewTLSServer(s)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "framed.yaml")
	text := fmt.Sprintf(framedDataset, "framed_http", "{url: '"+server.URL+"', user: reader, tls: {ca_file: "+ca+"}}", "framed_http", 0)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(exit int, secret string, args ...string) outcome {
		t.Helper()
		_, wait := h.start(t, h.env("BACKFILL_REGISTRY_PASSWORD="+secret), append(args, "--dataset", file, "--from", "2026-03-01", "--to", "2026-04-01")...)
		o := wait()
		if o.exit != exit || strings.Contains(o.stderr+o.stdout, "registry-s3cret") {
			t.Fatalf("exit code %d, want %d\n%s%s", o.exit, exit, o.stderr, o.stdout)
		}
		return o
	}
	if o := run(3, "guess", "plan"); !strings.Contains(o.result.Error, "401 Unauthorized") {
		t.Errorf("%+v", o.result)
	}
	first := run(0, "registry-s3cret", "run").result
	want := []string{"pay-value/1: 10 of 10 from 0", "pay-value/2: 10 of 10 from 10"}
	var got []string
	for _, c := range first.Schemas {
		got = append(got, fmt.Sprintf("%s/%d: %d of %d from %d", c.Subject, c.Version, c.Rows, c.Records, c.Row))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	rows := h.rows(t, "SELECT COUNT(*), SUM(amount), SUM(wide), COUNT(origin) FROM payroll.framed_http")
	if len(rows) != 1 || rows[0] != "20|-294.61|19000000000000000000000.0190|10|" {
		t.Errorf("%q", rows)
	}
	// The pods that convert ask nobody.
	s.mu.Lock()
	asked := s.asked
	s.mu.Unlock()
	h.run(t, 0, "convert", "--plan", first.Plan)
	s.mu.Lock()
	if s.asked != asked {
		t.Errorf("the registry was asked %d times more", s.asked-asked)
	}
	s.mu.Unlock()
	if o := run(0, "registry-s3cret", "reconcile", "--way", "archive"); o.result.Verdict != "RECONCILED" && o.result.Verdict != "RECONCILED WITH EXCEPTIONS" {
		t.Errorf("%+v", o.result)
	}
	if again := run(0, "registry-s3cret", "plan").result; !again.Done || again.Seq != first.Seq {
		t.Errorf("planned again: %+v", again)
	}
	newer := map[string]any{"subject": "pay-value", "version": 9, "id": 900, "schema": `"string"`}
	s.mu.Lock()
	s.versions = append(s.versions, newer)
	s.mu.Unlock()
	if again := run(0, "registry-s3cret", "plan").result; again.Seq == first.Seq || !strings.Contains(strings.Join(again.Notes, " "), "the schemas of values changed: 1 added") {
		t.Errorf("a version came: %+v", again)
	}
}

// TestFramedValuesOfUnknownSchemas quarantines values by their schema's id,
// says once how many, and loads them when the folder has the schema.
func TestFramedValuesOfUnknownSchemas(t *testing.T) {
	h := shared
	framedTable(t, h, "framed_folder", framedFile(t, "avro.bin"))
	dir := t.TempDir()
	var all []map[string]any
	if err := json.Unmarshal(framedFile(t, "schemas/pay-value.json"), &all); err != nil {
		t.Fatal(err)
	}
	save := func(version float64) {
		t.Helper()
		for _, v := range all {
			if v["schemaType"] == nil && v["version"] == version {
				text, err := json.Marshal(v)
				if err == nil {
					err = os.WriteFile(fmt.Sprintf("%s/%v.json", dir, version), text, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	save(1)
	file := filepath.Join(t.TempDir(), "framed.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, framedDataset, "framed_folder", "{folder: 'file://"+dir+"'}", "framed_folder", 0), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--dataset", file, "--from", "2026-03-01", "--to", "2026-04-01"}
	o := h.run(t, 4, append([]string{"run"}, args...)...)
	if o.result.Code != "too_many_rejects" || strings.Count(o.stderr, "schema 2 is not among those of the plan: 10 records went to quarantine, first in pay/partition=3/pay+3+0000000100.bin, row 10") != 1 {
		t.Errorf("%+v\n%s", o.result, o.stderr)
	}
	if rows := h.rows(t, "SELECT COUNT(*) FROM payroll.framed_folder"); rows[0] != "0|" {
		t.Errorf("%q", rows)
	}
	save(2)
	o = h.run(t, 0, append([]string{"run", "--replan"}, args...)...)
	if o.result.Inserted != 20 || len(o.result.Schemas) != 2 {
		t.Errorf("%+v", o.result)
	}
	report := h.object(t, strings.TrimPrefix(o.result.Report, "s3://staging/"))
	if !strings.Contains(report, `"schema_version"`) || !strings.Contains(report, `"first_object"`) {
		t.Errorf("the report does not tell the versions: %s", report)
	}
}
