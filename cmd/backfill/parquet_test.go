package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" // the second reader

	"backfill/internal/sandbox/archivegen"
)

// TestParquetByAnotherReader lets DuckDB read what convert wrote: column order
// and types as the dataset lists them, rows and exact sums as the truth says.
func TestParquetByAnotherReader(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 41, Events: 3000, Partitions: 2, Codec: "zstd", EventsPerObject: 700, Faults: archivegen.DefaultFaults()})
	plan := h.run(t, 0, append([]string{"plan"}, a.window(h.table(t, "another_reader")...)...)...).result.Plan
	h.run(t, 0, "convert", "--plan", plan)
	dir := t.TempDir()
	h.download(t, "staging", "another_reader/chunks/", dir)

	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files := "read_parquet('" + filepath.Join(dir, "**", "*.parquet") + "')"
	lines := func(query string) string {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var out []string
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			out = append(out, line)
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		return strings.Join(out, "\n")
	}
	// A timestamp of UTC microseconds is TIMESTAMP WITH TIME ZONE to DuckDB and TIMESTAMP to Redshift.
	want := `event_id VARCHAR
type VARCHAR
employee_id BIGINT
company_id BIGINT
gross_amount DECIMAL(18,2)
tax_amount DECIMAL(18,2)
net_amount DECIMAL(18,2)
currency VARCHAR
pay_run_id VARCHAR
occurred_at TIMESTAMP WITH TIME ZONE
version INTEGER
bank_account VARCHAR
details VARCHAR
source VARCHAR
_kafka_topic VARCHAR
_kafka_partition INTEGER
_kafka_offset BIGINT`
	if got := lines("SELECT column_name || ' ' || column_type FROM (DESCRIBE SELECT * FROM " + files + ")"); got != want {
		t.Errorf("columns:\n%s\nwant:\n%s", got, want)
	}
	got := lines("SELECT currency || ' ' || count(*) || ' ' || sum(gross_amount)::VARCHAR FROM " + files + " GROUP BY currency ORDER BY currency")
	var totals []string
	for _, total := range a.truth.Totals {
		totals = append(totals, fmt.Sprintf("%s %d %s", total.Currency, total.Before.Rows, total.Before.Gross))
	}
	slices.Sort(totals)
	if want := strings.Join(totals, "\n"); got != want {
		t.Errorf("totals:\n%s\nwant:\n%s", got, want)
	}
	for _, forbidden := range []string{"DELTA", "BYTE_STREAM", "LZ4", "BROTLI"} {
		if n := lines("SELECT count(*)::VARCHAR FROM parquet_metadata('" + filepath.Join(dir, "**", "*.parquet") + "') WHERE encodings LIKE '%" + forbidden + "%' OR compression LIKE '%" + forbidden + "%'"); n != "0" {
			t.Errorf("%s column chunks are %s", n, forbidden)
		}
	}
}
