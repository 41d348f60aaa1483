package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/report"
	"backfill/internal/tieout"
)

// full is a report with everything that a page can show.
func full(t testing.TB) *report.Report {
	s := scenes(t)["breaks"]
	end := kafka.Offset(12)
	s.in.Groups, s.in.Ends = 1, tieout.Ends{{Topic: "payroll.events", Partition: 0}: end}
	eur, rows, gross := "EUR", int64(3), account.Int128{}
	s.in.Controls = &tieout.Controls{By: []int{0}, Lines: []tieout.Control{
		{Line: 2, Day: kafka.NoDay, Group: []*string{&eur}, Rows: &rows, Sums: []*account.Int128{&gross, nil}}}}
	s.head.ControlBy, s.head.Ends, s.head.Requester, s.head.Reason, s.head.Image = []string{"currency"}, true, "airflow: payroll_month_end", "March close", "sha256:0f"
	s.head.Open = []kafka.Day{19792}
	s.head.Statement = report.Statement{
		Parameters: []report.Parameter{{Name: "Mode", Value: "replace_window"}, {Name: "Key", Value: "event_id"}},
		Queries:    []report.Query{{Text: "SELECT COUNT(*)\nFROM \"payroll\".\"events\"", Rows: 1, Times: 2}},
		Archive:    report.ArchiveNow{URI: "s3://archive/topics", Objects: 2, Bytes: 12345, Listing: "ab12", Added: 1, Examples: []string{"new: p=0/x.json"}},
		Objects:    []report.Object{{Key: "p=0/a.json", Size: 12345678, ETag: "0cc1", Records: 9}}, ObjectsAll: 1,
		Evidence: report.Evidence{Name: "evidence.jsonl.gz", SHA256: "ee", Links: 4},
		Inputs:   []report.Input{{Role: "control totals", File: "register.csv", SHA256: "cc", Bytes: 3, Kept: "control-totals.csv"}},
	}
	before := build(t, scenes(t)["reconciled"])
	s.in.Inserted = 0
	for _, c := range s.in.Expected {
		s.in.Inserted += c.Rows
	}
	result, err := tieout.Compare(s.in)
	if err != nil {
		t.Fatal(err)
	}
	s.head.Restates, err = report.Restate(s.head, report.Signed{Report: before, Number: 4, URI: "s3://lake/r4/report.json", Seal: "5ea1", SignedBy: "ben", SignedAt: 1711951200000000},
		s.in.Table, result.Sequences)
	if err != nil {
		t.Fatal(err)
	}
	result.Add(s.head.Restates.Exception())
	s.head.Named = result.Grant([]tieout.Named{
		{ID: "PAY-7", Class: "changed", Bucket: &tieout.At{Group: []*string{nil}}, Reason: "edited by hand", Owner: "anna", Expires: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)},
		{ID: "PAY-8", Class: "missing", Bucket: &tieout.At{Topic: "payroll.events"}, Reason: "old", Owner: "anna", Expires: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)},
	}, s.head.Written, 1, len(s.head.Totals))
	r, err := report.New(s.head, result)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPage shows the page without its style and script, which are the same for
// all, and the list for spreadsheets.
func TestPage(t *testing.T) {
	r := full(t)
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?s)<style>.*</style>|<script>.*?</script>|sha256-[^']*`).ReplaceAll(page, nil)
	golden(t, "full.html", body)
	golden(t, "full.csv", r.CSV())
	if again, err := full(t).HTML(); err != nil || !bytes.Equal(again, page) {
		t.Errorf("the same report gives another page, %v", err)
	}
	for name, s := range scenes(t) {
		if _, err := build(t, s).HTML(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hostile is text that acts instead of being shown, wherever it can.
var hostile = []string{
	`<script>alert(1)</script>`, `</script><img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, `javascript:alert(1)`, `{{.R}}`, `</title></style>-->`,
	"=cmd|' /C calc'!A0", `+1+cmd|'x'!A1`, `-2+3+cmd|' /C calc'!A0`, `@SUM(1+1)*cmd|'x'!A1`, "\t=1+1", "\r=1+1", ` =HYPERLINK("http://x")`, "＝1+1", `%0A=1`,
	"abc\u202egpj.exe", "a\u2066b\u2069", "zero\u200bwidth", "\u001b[2J", "nul\x00", "bad\xff", "\ufeff=1", "tag\U000e0041",
}

// TestArchiveTextDoesNothing puts hostile text in every place that archive text
// can reach.
func TestArchiveTextDoesNothing(t *testing.T) {
	for _, bad := range hostile {
		s := newScene(t)
		group := string(account.AppendGroup(nil, []byte(bad), false, true))
		line := row{0, 19791, group, []int64{1, 1}}
		s.add(line)
		add(s.in.Table, line, 1)
		s.in.Unknown = []string{bad}
		s.head.Target, s.head.Dataset, s.head.Scope, s.head.Requester, s.head.Reason, s.head.By = bad, bad, bad, bad, bad, []string{bad}
		s.head.Plans[0].Reason, s.head.Plans[0].By = bad, bad
		s.head.Statement = report.Statement{Queries: []report.Query{{Text: bad}}, Objects: []report.Object{{Key: bad, ETag: bad}}, Parameters: []report.Parameter{{Name: bad, Value: bad}},
			Archive: report.ArchiveNow{URI: bad, Examples: []string{bad}}, Inputs: []report.Input{{File: bad}}}
		s.head.Named = []tieout.Effect{{Named: tieout.Named{ID: bad, Class: bad, Reason: bad, Owner: bad}}}
		r := build(t, s)
		page, err := r.HTML()
		if err != nil {
			t.Fatalf("%q: %v", bad, err)
		}
		checkMarkup(t, bad, string(page))
		checkCells(t, bad, r.CSV())
	}
}

var (
	tags   = regexp.MustCompile(`<(/?[a-zA-Z!][^\s>/]*)`)
	events = regexp.MustCompile(`<[^>]*\s(on[a-z]+|src|srcset|style)\s*=`)
)

// checkMarkup demands that the page holds no element and attribute that the
// template does not write, and nothing invisible.
func checkMarkup(t *testing.T, bad, page string) {
	t.Helper()
	outside := regexp.MustCompile(`(?s)<style>.*?</style>|<script>.*?</script>|<script type="application/json" id="data">.*?</script>`).ReplaceAllString(page, "")
	outside = regexp.MustCompile(`="[^"]*"`).ReplaceAllString(outside, `=""`) // quotes inside of values are escaped
	for _, tag := range tags.FindAllStringSubmatch(outside, -1) {
		if name := strings.ToLower(strings.TrimPrefix(tag[1], "/")); name == "script" || name == "img" || name == "style" || name == "iframe" {
			t.Errorf("%q: the page has an element %s", bad, name)
		}
	}
	if found := events.FindString(outside); found != "" {
		t.Errorf("%q: %s", bad, found)
	}
	if n := strings.Count(page, "</script>"); n != 2 {
		t.Errorf("%q: %d ends of scripts", bad, n)
	}
	for _, r := range page {
		if r == 0x202e || r == 0x2066 || r == 0x200b || r == 0xfeff || r == 0x1b || r == 0 || r == 0xe0041 {
			t.Errorf("%q: the page holds %U as it is", bad, r)
		}
	}
	_, data, _ := strings.Cut(page, `id="data">`)
	data, _, _ = strings.Cut(data, "</script>")
	var rows [][]string
	if err := json.Unmarshal([]byte(data), &rows); err != nil || len(rows) == 0 {
		t.Errorf("%q: the list for the script: %v", bad, err)
	}
}

// checkCells reads the file as a spreadsheet does: nothing begins a formula.
func checkCells(t *testing.T, bad string, file []byte) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\ufeff")))).ReadAll()
	if err != nil {
		t.Fatalf("%q: %v", bad, err)
	}
	plain := regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)
	for _, cells := range rows {
		for _, c := range cells {
			if c == "" || plain.MatchString(c) {
				continue
			}
			if first := []rune(strings.TrimLeft(c, " \t\r\n\u00a0\u3000"))[0]; strings.ContainsRune("=+-@|%＝＋－＠", first) || strings.ContainsAny(c, "\t\r\n\x00\x1b") {
				t.Errorf("%q: the cell %q", bad, c)
			}
		}
	}
}

// TestFiguresStayNumbers: amounts are not taken for formulas, and a thousands
// mark never becomes part of a copied number.
func TestFiguresStayNumbers(t *testing.T) {
	r := full(t)
	if !strings.Contains(string(r.CSV()), `"-1.00"`) && !strings.Contains(string(r.CSV()), `"-`) {
		t.Error("no negative amount in the list")
	}
	if strings.Contains(string(r.CSV()), `"'-`) || strings.Contains(string(r.CSV()), `"'+`) {
		t.Errorf("an amount was taken for a formula:\n%s", r.CSV())
	}
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	plain := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(page), "")
	if !strings.Contains(plain, "1234567890123.45") && !strings.Contains(plain, "12345678") {
		t.Error("a long number is not in the page's text as it is")
	}
}

// TestRowsInTheLists shows bad rows in the page and in the list for
// spreadsheets: key, columns and amounts, and nothing of what is hidden.
func TestRowsInTheLists(t *testing.T) {
	s := scenes(t)["breaks"]
	id, gross, off, entity := "pay-0007", "10.00", "10.01", "EUR"
	place := &tieout.Position{Topic: "payroll.events", Partition: 0, Offset: 41, Object: "p=0/a.json", Row: 3}
	s.in.Way = tieout.ByArchive
	s.in.Rows = &tieout.Rows{Complete: true, Levels: tieout.Levels{Texts: []string{}, Bad: []tieout.Bucket{}}, List: []tieout.RowBreak{
		{ID: "a", Class: tieout.ChangedRow, Kind: tieout.OtherValue, Key: []*string{&id}, Day: 19791, Place: place, Group: []*string{&entity}, Text: "differs in gross_amount (other), note (padding)",
			Diffs: []tieout.Change{{Column: "gross_amount", Kind: tieout.OtherValue, Left: &gross, Right: &off}, {Column: "note", Kind: tieout.Padding, Hidden: true}},
			Left:  []*string{&gross, &gross}, Right: []*string{&off, nil}},
		{ID: "b", Class: tieout.MissingRow, Key: []*string{nil}, Day: kafka.NoDay, Left: []*string{&gross, &gross}, Text: "in the archive, not in the table"},
		{ID: "c", Class: tieout.Late, Key: []*string{&id}, Day: 19791, Left: []*string{&gross, &gross}, Text: "late"},
	}}
	r := build(t, s)
	records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(r.CSV(), []byte("\ufeff")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, line := range records[1:] {
		if strings.HasPrefix(line[0], "R") {
			got[line[0]] = strings.Join(line[1:], "|")
		}
	}
	want := "break|changed||payroll.events|0|41|2024-03-09||EUR|pay-0007|gross_amount, note||1|1|10.00|10.01||10.00|(null)||differs in gross_amount (other), note (padding): gross_amount '10.01' instead of '10.00'"
	if got["R1"] != want {
		t.Errorf("a changed row is\n%s, not\n%s", got["R1"], want)
	}
	if !strings.HasPrefix(got["R2"], "break|missing|") || !strings.Contains(got["R2"], "|(hidden)|") || !strings.Contains(got["R2"], "|1|0|10.00||") || !strings.Contains(got["R2"], "not in the table: gross_amount 10.00") {
		t.Errorf("a missing row is %s", got["R2"])
	}
	if !strings.HasPrefix(got["R3"], "exception|late|") {
		t.Errorf("a late row is %s", got["R3"])
	}
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"pay-0007", "payroll.events/0 @41", "10.01"} {
		if !bytes.Contains(page, []byte(text)) {
			t.Errorf("the page does not show %s", text)
		}
	}
}
