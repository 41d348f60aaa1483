package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// state is what a run leaves behind: the table, the tables that account for
// it, and the receipts. Times and the names of attempts are taken out: they
// are all in which two runs of the same command may differ.
type state struct {
	table    []string
	books    []string // rows of the other tables of the schema
	receipts map[string]string
}

var (
	attempts  = regexp.MustCompile(`\b(?:[A-Z2-7]{26}|[A-Z2-7]{16})\b`)
	moments   = regexp.MustCompile(`\b20\d\d-?\d\d-?\d\d[T ]\d\d:?\d\d:?\d\d(?:\.\d+)?Z?`)
	stamps    = regexp.MustCompile(`\b20\d{6}T\d{6}Z-`) // in the names of reports
	addresses = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	digests   = regexp.MustCompile(`"(sha256|seal)": "[0-9a-f]{64}"`)
	// volatile columns name attempts and times, or digest what does.
	volatile = regexp.MustCompile(`^(attempt|plan_digest|receipt_key|receipt_sha256|receipt_seal|seal_sha256|[a-z_]*(committed|kept|undone|verified|lowered|loaded|created|changed|set)_at)$`)
)

// plain takes out of a receipt what differs between two runs.
func plain(text string) string {
	text = attempts.ReplaceAllString(text, "ATTEMPT")
	text = stamps.ReplaceAllString(text, "TIME-")
	text = addresses.ReplaceAllString(text, "ADDRESS")
	return digests.ReplaceAllString(text, `"$1": "DIGEST"`)
}

// state reads the lane's state.
func (l *lane) state(t *testing.T) state {
	t.Helper()
	read := func(query string) []string {
		rows, err := l.read(query)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	s := state{table: read(worldRows), receipts: map[string]string{}}
	for _, line := range read("SELECT table_name FROM svv_tables WHERE table_schema = 'payroll' ORDER BY 1") {
		table := strings.TrimSuffix(line, "|")
		if table == "events" {
			continue
		}
		var columns []string
		for _, c := range read(fmt.Sprintf("SELECT column_name, data_type, NVL(column_default, '') FROM svv_columns WHERE table_schema = 'payroll' AND table_name = '%s' ORDER BY ordinal_position", table)) {
			parts := strings.Split(c, "|")
			name, kind, otherwise := parts[0], parts[1], strings.ToLower(parts[2])
			switch {
			case volatile.MatchString(name), strings.Contains(otherwise, "date"): // SYSDATE, GETDATE()
			case kind == "super":
				columns = append(columns, "JSON_SERIALIZE("+name+")")
			default:
				columns = append(columns, name)
			}
		}
		for _, row := range read(fmt.Sprintf("SELECT %s FROM payroll.%s", strings.Join(columns, ", "), table)) {
			s.books = append(s.books, table+": "+plain(row))
		}
	}
	slices.Sort(s.books)
	s.named(l.files(t), read)
	return s
}

// named keeps the receipts: those of chunks, the plans, and of each slice the
// one that the ledger names. What nothing names does not count.
func (s *state) named(files map[string][]byte, read func(string) []string) {
	for key, body := range files {
		name := path.Base(key)
		if name != "receipt.json" && !strings.Contains(key, "/plans/") {
			continue
		}
		s.receipts[plain(key)] = plain(moments.ReplaceAllString(string(body), "TIME"))
	}
	for _, row := range read("SELECT receipt_key FROM payroll.events__backfill_ledger ORDER BY seq, slice_index") {
		key := strings.TrimSuffix(row, "|")
		for stored, body := range files {
			if key != "" && strings.HasSuffix(stored, key) { // an abort has none
				s.receipts[plain(key)] = plain(moments.ReplaceAllString(string(body), "TIME"))
			}
		}
	}
}

// unreported is the state without the ledger of reports: a repair that is run again
// reconciles again, and tells so.
func (s state) unreported() state {
	s.books = slices.DeleteFunc(slices.Clone(s.books), func(row string) bool { return strings.HasPrefix(row, "events__backfill_reports: ") })
	return s
}

// linked demands that all reports behind the repaired one name it, and that the
// newest found nothing to mend.
func linked(t *testing.T, l *lane) {
	t.Helper()
	rows, err := l.read("SELECT number, verdict, seal_key FROM payroll.events__backfill_reports WHERE number >= 3 ORDER BY number")
	if err != nil || len(rows) < 2 {
		t.Fatalf("reports %q, %v", rows, err)
	}
	files := l.files(t)
	folder := func(row string) string { return path.Dir(strings.Split(row, "|")[2]) }
	for _, row := range rows[1:] {
		var doc struct {
			Repairs string `json:"repairs"`
		}
		body := files["w/"+folder(row)+"/report.json"]
		if err := json.Unmarshal(body, &doc); err != nil || !strings.HasSuffix(doc.Repairs, "/"+folder(rows[0])+"/report.json") {
			t.Errorf("report %s repairs %q, not that of %s: %v", row, doc.Repairs, rows[0], err)
		}
	}
	if last := rows[len(rows)-1]; !strings.Contains(last, "|RECONCILED|") {
		t.Errorf("the last report: %s", last)
	}
}

// differs names the first difference, "" if there is none.
func (s state) differs(want state) string {
	if !slices.Equal(s.table, want.table) {
		return fmt.Sprintf("the table has %d rows, want %d: %s", len(s.table), len(want.table), firstDifference(s.table, want.table))
	}
	if !slices.Equal(s.books, want.books) {
		return fmt.Sprintf("the ledger has %d rows, want %d: %s", len(s.books), len(want.books), firstDifference(s.books, want.books))
	}
	keys := slices.Sorted(maps.Keys(s.receipts))
	if others := slices.Sorted(maps.Keys(want.receipts)); !slices.Equal(keys, others) {
		return "the receipts are others: " + firstDifference(keys, others)
	}
	for _, key := range keys {
		if s.receipts[key] != want.receipts[key] {
			return "receipt " + key + ": " + firstDifference(strings.Split(s.receipts[key], "\n"), strings.Split(want.receipts[key], "\n"))
		}
	}
	return ""
}

// cut sorts rows of the table into what each slice owns and the rest.
func cut(rows []string, borders []string) (owned [][]string, rest []string) {
	owned = make([][]string, len(borders)-1)
	for _, row := range rows {
		fields := strings.Split(row, "|")
		at, source := fields[2], fields[7]
		i := -1
		for n := range owned {
			if source == "payroll" && at >= borders[n] && at < borders[n+1] {
				i = n
			}
		}
		if i < 0 {
			rest = append(rest, row)
			continue
		}
		owned[i] = append(owned[i], row)
	}
	return owned, rest
}
