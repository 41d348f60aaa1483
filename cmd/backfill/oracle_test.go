package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"backfill/internal/sandbox/archivegen"
)

// TestOracle compares the report and the table with what a plain Python
// program, which shares no code with anything here, makes of the raw objects.
func TestOracle(t *testing.T) {
	h := shared
	for _, c := range []struct {
		name string
		body bool
	}{{"derived_offsets", false}, {"body_offsets", true}} {
		t.Run(c.name, func(t *testing.T) {
			table := "oracle_" + c.name
			a := h.generate(t, archivegen.Options{Seed: 31, Events: 20000, Partitions: 3, Codec: "gzip", EventsPerObject: 2000, BodyOffsets: c.body, Faults: archivegen.DefaultFaults()})
			flags := append(h.table(t, table), "--chunk-bytes", "256KiB")
			o := h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
			dir := t.TempDir()
			h.download(t, "archive", a.options.Prefix+"/", filepath.Join(dir, "archive"))
			bucket, key, _ := strings.Cut(strings.TrimPrefix(o.result.Report, "s3://"), "/")
			h.download(t, bucket, key, filepath.Join(dir, "report"))

			oracle, rows := filepath.Join(dir, "oracle.json"), filepath.Join(dir, "rows.csv")
			args := []string{"../../internal/sandbox/oracle/oracle.py", "--archive", filepath.Join(dir, "archive"), "--from", "2026-03-01", "--to", "2026-04-01", "--zone", zone, "--rows", rows}
			if c.body {
				args = append(args, "--body-offsets")
			}
			out, err := exec.Command("python3", args...).Output()
			if err != nil {
				t.Fatalf("oracle: %v", err)
			}
			if err := os.WriteFile(oracle, out, 0o600); err != nil {
				t.Fatal(err)
			}
			compare := exec.Command("python3", "../../internal/sandbox/oracle/compare.py", "--oracle", oracle, "--report", filepath.Join(dir, "report", key))
			if out, err := compare.CombinedOutput(); err != nil {
				t.Fatalf("the report differs from the oracle: %v\n%s", err, out)
			}
			h.compareRows(t, table, rows)
		})
	}
}

// compareRows compares the table with the oracle's rows, value by value.
func (h *harness) compareRows(t *testing.T, table, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	columns := []string{"event_id", "type", "employee_id", "company_id", "gross_amount", "tax_amount", "net_amount", "currency", "pay_run_id", "occurred_at", "version", "bank_account", "source", "topic", "partition", "offset"}
	index := make([]int, len(columns))
	for i, name := range columns {
		if index[i] = slices.Index(records[0], name); index[i] < 0 {
			t.Fatalf("the oracle's rows have no column %s", name)
		}
	}
	details := slices.Index(records[0], "details")
	if details < 0 {
		t.Fatal("the oracle's rows have no column details")
	}
	var want []string
	for _, r := range records[1:] {
		var b strings.Builder
		for _, i := range index {
			b.WriteString(r[i] + "|")
		}
		b.WriteString(compactJSON(t, r[details]) + "|")
		want = append(want, b.String())
	}
	got := h.rows(t, `SELECT event_id, type, employee_id, NVL(company_id::VARCHAR, ''), NVL(gross_amount::VARCHAR, ''), NVL(tax_amount::VARCHAR, ''), NVL(net_amount::VARCHAR, ''),
 NVL(RTRIM(currency), ''), NVL(pay_run_id, ''), DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', occurred_at)::VARCHAR, version, NVL(bank_account, ''), source,
 _kafka_topic, _kafka_partition, NVL(_kafka_offset::VARCHAR, ''), NVL(JSON_SERIALIZE(details), '') FROM payroll.`+table)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the table has %d rows, the oracle %d; %s", len(got), len(want), firstDifference(got, want))
	}
}

// compactJSON takes the blanks out, as the warehouse does when it parses; the
// empty text stands for NULL.
func compactJSON(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("the oracle's details are no JSON: %v", err)
	}
	return b.String()
}

// download copies all objects below a prefix into a folder, keys as paths.
func (h *harness) download(t *testing.T, bucket, prefix, dir string) {
	t.Helper()
	client, ctx := h.client(), context.Background()
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, *o.Key)
			if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
				t.Fatal(err)
			}
			out, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out.ReadFrom(got.Body); err != nil {
				t.Fatal(err)
			}
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
			got.Body.Close()
		}
	}
}
