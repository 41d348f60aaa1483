package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"backfill/internal/sandbox/archivegen"
)

// get reads an object of staging, put overwrites one: as somebody would who may
// write there.
func (h *harness) get(t *testing.T, bucket, key string) []byte {
	t.Helper()
	out, err := h.client().GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (h *harness) keys(t *testing.T, bucket, prefix string) (keys []string) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(h.client(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	return keys
}

// aLoadedMonth generates a small month and loads it; args choose table and staging.
func aLoadedMonth(t *testing.T, h *harness, table string, flags ...string) (a archive, args []string) {
	t.Helper()
	a = h.generate(t, archivegen.Options{Seed: 31, Events: 400, Partitions: 2, Codec: "gzip", EventsPerObject: 100})
	args = slices.Clip(h.table(t, table))
	h.run(t, 0, append([]string{"run"}, a.window(append(args, flags...)...)...)...)
	return a, args
}

func sha(body []byte) string { return fmt.Sprintf("%x", sha256.Sum256(body)) }

// file writes a file for the worker.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// signingKey makes a key pair in the standard formats.
func signingKey(t *testing.T) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))),
		file(t, "public.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})))
}

// TestSealFindsEveryChange changes one byte of every file of the chain, takes
// each away, and then forges the report with all hashes computed again.
func TestSealFindsEveryChange(t *testing.T) {
	h := shared
	a, args := aLoadedMonth(t, h, "sealed", "--slice-days", "16")
	private, public := signingKey(t)
	o := h.run(t, 0, append([]string{"reconcile"}, a.window(append(args, "--sign-key", private)...)...)...)
	look := func(exit int, extra ...string) outcome {
		t.Helper()
		return h.run(t, exit, append([]string{"reconcile", "--dataset", a.dataset, "--verify", o.result.Report}, append(args, extra...)...)...)
	}
	v := look(0, "--public-key", public).result.Verification
	if v.Signed != "checked" || v.Files < 12 || v.Objects == 0 || v.Number != o.result.Number {
		t.Fatalf("%+v", v)
	}
	prefix := "sealed/"
	folder := strings.TrimPrefix(strings.TrimSuffix(o.result.Report, "report.json"), "s3://staging/")
	changed := 0
	for _, key := range h.keys(t, "staging", prefix) {
		if strings.Contains(key, ".parquet") || strings.Contains(key, "manifest") || strings.Contains(key, "quarantine") || strings.Contains(key, "/work/") || strings.Contains(key, "/marks/") || strings.Contains(key, "/reports/") && !strings.HasPrefix(key, folder) {
			continue // not of this report's chain
		}
		body := h.get(t, "staging", key)
		for _, at := range []int{0, len(body) / 3, len(body) - 1} {
			forged := bytes.Clone(body)
			forged[at] ^= 0x20
			h.overwrite(t, key, forged)
			o := look(4, "--public-key", public)
			place := strings.TrimPrefix(strings.TrimPrefix(key, folder), prefix)
			if !strings.Contains(o.result.Error, place) {
				t.Errorf("byte %d of %s: the error does not name the place: %s", at, key, o.result.Error)
			}
			changed++
		}
		h.overwrite(t, key, body)
	}
	if changed < 3*12 {
		t.Errorf("only %d changes were tried", changed)
	}
	look(0, "--public-key", public)

	t.Run("forged with all hashes", func(t *testing.T) { forge(t, h, a, args, o.result.Report, folder, public) })
}

func (h *harness) overwrite(t *testing.T, key string, body []byte) {
	t.Helper()
	if err := h.put(context.Background(), "staging", key, body); err != nil {
		t.Fatal(err)
	}
}

// forge edits the report as somebody who may write to staging and knows how
// the seal works, then as somebody who may write to the warehouse, too.
func forge(t *testing.T, h *harness, a archive, args []string, report, folder, public string) {
	body := h.get(t, "staging", folder+"report.json")
	forged := bytes.Replace(body, []byte(`"verdict": "RECONCILED`), []byte(`"verdict": "reconciled`), 1)
	sealed := h.get(t, "staging", folder+"seal.json")
	var doc map[string]any
	if err := json.Unmarshal(sealed, &doc); err != nil {
		t.Fatal(err)
	}
	for _, f := range doc["files"].([]any) {
		if f := f.(map[string]any); f["name"] == "report.json" {
			f["sha256"], f["sections"] = sha(forged), nil
		}
	}
	again, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	h.overwrite(t, folder+"report.json", forged)
	h.overwrite(t, folder+"seal.json", again)
	verify := append([]string{"reconcile", "--dataset", a.dataset, "--verify", report}, args...)
	o := h.run(t, 4, verify...)
	if len(o.result.Verification.Findings) != 1 || !strings.Contains(o.result.Error, "seal.json: the seal is not the one that the warehouse recorded") {
		t.Errorf("the warehouse does not find the forgery: %s", o.stdout)
	}
	h.sql(t, fmt.Sprintf("UPDATE payroll.sealed__backfill_reports SET seal_sha256 = '%s' WHERE seal_key = '%sseal.json'", sha(again), strings.TrimPrefix(folder, "sealed/")))
	h.run(t, 0, verify...) // only the signature knows
	o = h.run(t, 4, append(verify, "--public-key", public)...)
	if !strings.Contains(o.result.Error, "seal.sig: the signature is not of this seal and key") {
		t.Errorf("the signature does not find the forgery: %s", o.stdout)
	}
	_, other := signingKey(t)
	if o = h.run(t, 4, append(verify, "--public-key", other)...); !strings.Contains(o.result.Error, "signed with another key") {
		t.Errorf("another key: %s", o.stdout)
	}
	h.overwrite(t, folder+"report.json", body)
	h.overwrite(t, folder+"seal.json", sealed)
	h.sql(t, "DELETE FROM payroll.sealed__backfill_reports")
	if o = h.run(t, 4, verify...); !strings.Contains(o.result.Error, "ledger of reports: the warehouse's ledger of reports does not name this report") {
		t.Errorf("a report that nothing anchors: %s", o.stdout)
	}
}

// TestSignOffClosesAPeriod: nobody signs off an own report, a broken or changed
// one; what comes after restates.
func TestSignOffClosesAPeriod(t *testing.T) {
	h := shared
	a, args := aLoadedMonth(t, h, "closed", "--slice-days", "31")
	as := func(who string, exit int, more ...string) outcome {
		t.Helper()
		_, wait := h.start(t, h.env("BACKFILL_REQUESTED_BY="+who), append([]string{"reconcile"}, append(more, args...)...)...)
		o := wait()
		if o.exit != exit {
			t.Fatalf("exit code %d, want %d, of %q by %s\n%s%s", o.exit, exit, more, who, o.stderr, o.stdout)
		}
		return o
	}
	first := as("anna", 0, a.window()...).result
	number := fmt.Sprint(first.Number)
	if o := as("anna", 2, "--dataset", a.dataset, "--sign-off", number); !strings.Contains(o.stderr, "who approves is not who asked") {
		t.Errorf("an own report: %s", o.stderr)
	}
	as("ben", 0, "--dataset", a.dataset, "--sign-off", number, "--reason", "compared with the register")
	if o := as("carla", 4, "--dataset", a.dataset, "--sign-off", number); !strings.Contains(o.stderr, "was signed off by ben") {
		t.Errorf("signed twice: %s", o.stderr)
	}
	same := as("anna", 0, a.window()...).result
	h.sql(t, "UPDATE payroll.closed SET net_amount = net_amount + 0.01 WHERE event_id = (SELECT MIN(event_id) FROM payroll.closed WHERE net_amount IS NOT NULL)")
	broken := as("anna", 5, a.window()...).result
	if o := as("ben", 5, "--dataset", a.dataset, "--sign-off", fmt.Sprint(broken.Number)); !strings.Contains(o.stderr, "with breaks") {
		t.Errorf("a report with breaks: %s", o.stderr)
	}
	history := as("ben", 0, append(a.window(), "--history")...).result.History
	var lines []string
	for _, r := range history.Reports {
		lines = append(lines, fmt.Sprintf("%d %s by %s signed %s restates %d", r.Number, r.Verdict, r.RequestedBy, r.SignedBy, r.Restates))
	}
	want := fmt.Sprintf("%d NOT RECONCILED by anna signed  restates %s\n%d %s by anna signed  restates %s\n%s %s by anna signed ben restates 0\n",
		broken.Number, number, same.Number, same.Verdict, number, number, first.Verdict)
	if got := strings.Join(lines, "\n") + "\n"; !strings.HasPrefix(got, want) {
		t.Errorf("history\n%s\nwant\n%s", got, want)
	}
	var doc struct {
		Restates struct {
			Number int64
			Same   bool
			Lines  []struct {
				Group     []string
				Old, New  struct{ Rows int64 }
				Different struct{ Amounts []string } `json:"difference"`
				Same      bool
			}
		}
	}
	h.report(t, broken.Report, &doc)
	changed := 0
	for _, l := range doc.Restates.Lines {
		if !l.Same {
			changed++
			if l.Different.Amounts[2] != "+0.01" || l.Old.Rows != l.New.Rows {
				t.Errorf("the restated line %+v", l)
			}
		}
	}
	if fmt.Sprint(doc.Restates.Number) != number || doc.Restates.Same || changed != 1 {
		t.Errorf("%+v", doc.Restates)
	}
	if h.report(t, same.Report, &doc); !doc.Restates.Same {
		t.Errorf("nothing changed, but %+v", doc.Restates)
	}
}

// report reads a report's JSON.
func (h *harness) report(t *testing.T, uri string, into any) {
	t.Helper()
	if err := json.Unmarshal(h.get(t, "staging", strings.TrimPrefix(uri, "s3://staging/")), into); err != nil {
		t.Fatal(err)
	}
}

// TestTotalsFromOutside ties the table to a register, and the archive to the
// topics' ends; differences that people granted are listed, not hidden.
func TestTotalsFromOutside(t *testing.T) {
	h := shared
	a, args := aLoadedMonth(t, h, "register", "--slice-days", "31")
	run := func(exit int, more ...string) outcome {
		t.Helper()
		return h.run(t, exit, append([]string{"reconcile"}, a.window(append(args, more...)...)...)...)
	}
	register := "currency,rows,gross_amount,net_amount\n"
	for _, line := range h.rows(t, "SELECT currency, COUNT(*), SUM(gross_amount), SUM(net_amount) FROM payroll.register GROUP BY 1 ORDER BY 1") {
		register += strings.ReplaceAll(strings.TrimSuffix(strings.ReplaceAll(line, "NULL|", "(null)|"), "|"), "|", ",") + "\n"
	}
	var ends string
	for _, line := range h.rows(t, "SELECT _kafka_topic, _kafka_partition, MAX(_kafka_offset) + 1 FROM payroll.register GROUP BY 1, 2 ORDER BY 1, 2") {
		ends += strings.ReplaceAll(strings.TrimSuffix(line, "|"), "|", ":") + "\n"
	}
	o := run(0, "--control-totals", file(t, "register.csv", register), "--end-offsets", file(t, "ends.txt", ends))
	var doc struct {
		Basis     string
		Controls  struct{ Match bool } `json:"control_totals"`
		Statement struct{ Inputs []struct{ Kept string } }
		Named     []struct {
			ID      string
			Covers  int
			Expired bool
		} `json:"named_exceptions"`
	}
	if h.report(t, o.result.Report, &doc); !doc.Controls.Match || !strings.Contains(doc.Basis, "to the control totals as given and to the topics' end offsets") || len(doc.Statement.Inputs) != 2 {
		t.Errorf("%+v", doc)
	}
	if h.report(t, run(0).result.Report, &doc); !strings.HasPrefix(doc.Basis, "The figures tie to the archive as listed. Whether") {
		t.Errorf("without anything from outside: %s", doc.Basis)
	}

	lines := strings.Split(register, "\n")
	fields := strings.Split(lines[1], ",")
	fields[1] += "0"
	wrong := file(t, "register.csv", lines[0]+"\n"+strings.Join(fields, ",")+"\n"+strings.Join(lines[2:], "\n"))
	o = run(5, "--control-totals", wrong)
	if o.result.Breaks != 1 || !strings.Contains(o.result.Sentence, "control→table "+fields[0]+", line 2 of the control totals: ") {
		t.Errorf("another number of rows: %s", o.result.Sentence)
	}
	o = run(5, "--control-totals", file(t, "register.csv", strings.Join(lines[:2], "\n")))
	if !strings.Contains(o.result.Sentence, "not in the control totals") {
		t.Errorf("a register that is not all: %s", o.result.Sentence)
	}
	o = run(5, "--control-totals", file(t, "register.csv", register+"XXQ,2,1.00,1.00\n"))
	if o.result.Breaks != 1 || !strings.Contains(o.result.Sentence, "control→table XXQ, line ") {
		t.Errorf("a currency that the table does not have: %s", o.result.Sentence)
	}
	o = run(5, "--end-offsets", file(t, "ends.txt", strings.TrimSuffix(ends, "\n")+"0\n"))
	if !strings.Contains(o.result.Sentence, "kafka→archive payroll.events/1: the topic ends at offset ") {
		t.Errorf("a topic that goes on: %s", o.result.Sentence)
	}

	granted := func(expires string) string {
		return file(t, "exceptions.yaml", "version: 1\nexceptions:\n  - {id: PAY-7, class: missing, bucket: {leg: control→table, day: all}, reason: 'booked in April', owner: anna, expires: "+expires+"}\n")
	}
	o = run(0, "--control-totals", wrong, "--exceptions", granted("2099-01-01"))
	if h.report(t, o.result.Report, &doc); o.result.Verdict != "RECONCILED WITH EXCEPTIONS" || len(doc.Named) != 1 || doc.Named[0].Covers != 1 {
		t.Errorf("a granted difference: %s %+v", o.result.Sentence, doc.Named)
	}
	o = run(5, "--control-totals", wrong, "--exceptions", granted("2020-01-01"))
	if !strings.Contains(o.result.Sentence, "the named exception PAY-7 expired on ") {
		t.Errorf("an expired exception: %s", o.result.Sentence)
	}
	for text, says := range map[string]string{
		"currency,rows,fee\nEUR,1,2\n":      `register.csv:1: column "fee" is neither day nor rows nor one of currency, gross_amount`,
		"currency,rows\nEUR,1\nEUR,2\n":     "register.csv:3: the same group as in line 2",
		"currency,gross_amount\nEUR,1,5\n":  "register.csv:2: the line can't be read",
		"currency,gross_amount\nEUR,1.5e\n": `register.csv:2: gross_amount: "1.5e" is no amount`,
		"currency,gross_amount\n":           "register.csv:1: there is no line below the header",
	} {
		if o := run(2, "--control-totals", file(t, "register.csv", text)); !strings.Contains(o.stderr, says) {
			t.Errorf("%q: %s", text, o.stderr)
		}
	}
}

// TestReportFixture writes the pages of real runs where a person can look at
// them, when a folder is named.
func TestReportFixture(t *testing.T) {
	dir := os.Getenv("BACKFILL_REPORT_FIXTURES")
	if dir == "" {
		t.Skip("BACKFILL_REPORT_FIXTURES names no folder to write to")
	}
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 11, Events: 6000, Partitions: 4, Codec: "gzip", EventsPerObject: 500})
	table := h.table(t, "fixture")
	h.run(t, 0, append([]string{"run"}, a.window(append(table, "--slice-days", "8", "--reason", "March close")...)...)...)
	save := func(name string, exit int, more ...string) {
		o := h.run(t, exit, append([]string{"reconcile"}, a.window(append(table, more...)...)...)...)
		folder := strings.TrimPrefix(strings.TrimSuffix(o.result.Report, "report.json"), "s3://staging/")
		for _, key := range h.keys(t, "staging", folder) {
			if err := os.WriteFile(filepath.Join(dir, name+"-"+filepath.Base(key)), h.get(t, "staging", key), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	save("clean", 0)
	h.sql(t, "DELETE FROM payroll.fixture WHERE event_id IN (SELECT event_id FROM payroll.fixture ORDER BY event_id LIMIT 3)",
		"UPDATE payroll.fixture SET net_amount = net_amount + 0.01 WHERE event_id IN (SELECT MAX(event_id) FROM payroll.fixture WHERE currency = 'EUR')")
	save("faults", 5)
}
