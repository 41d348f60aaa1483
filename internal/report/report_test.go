package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
	"unicode/utf8"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/report"
	"backfill/internal/tieout"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scene is a tie-out in the making: rows as (partition, day, group, amounts).
type scene struct {
	in   tieout.Input
	head report.Head
}

type row struct {
	partition, day int
	group          string
	amounts        []int64
}

func add(cells account.Cells, r row, times int64) {
	c := cells.At(account.Place{Topic: "payroll.events", Partition: kafka.Partition(r.partition), Day: kafka.Day(r.day), Group: account.Group(r.group)}, len(r.amounts))
	c.Rows += times
	c.Lane1.Plus(times * int64(r.day*31+len(r.group)))
	for i, a := range r.amounts {
		c.Sums[i].Plus(times * a)
		c.Counts[i] += times
	}
}

// add puts the row on every leg.
func (s *scene) add(rows ...row) {
	for _, r := range rows {
		for _, leg := range []account.Cells{s.in.Archive, s.in.Stage, s.in.Expected, s.in.Table} {
			add(leg, r, 1)
		}
		add(s.in.Chunks[0].Counts.Cells, r, 1)
		s.in.Chunks[0].Counts.Tally[account.Row]++
	}
}

func newScene(t testing.TB) *scene {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	counts := account.NewChunk()
	counts.Objects = []account.ObjectCount{{Key: "o1", Records: 9, Proof: kafka.ProofBody, First: 0, Last: 8}}
	counts.Ranges = []account.Range{{From: 0, To: 9}}
	s := &scene{
		in: tieout.Input{
			Totals:  2,
			Chunks:  []tieout.Chunk{{Partition: kafka.TopicPartition{Topic: "payroll.events"}, Counts: counts}},
			Archive: account.Cells{}, Stage: account.Cells{}, Expected: account.Cells{}, Table: account.Cells{},
		},
		head: report.Head{
			Dataset: "payroll_events", Digest: "d1", Run: "r1", Target: "payroll.events", Scope: "source = 'payroll' AND amount <> 0",
			Calendar: "America/Los_Angeles", Version: "1.0", Zone: zone,
			Window:  kafka.Window{From: 1709971200000000, To: 1710140400000000}, // 2024-03-09 to 2024-03-11, one day of 23 hours
			Plans:   []report.Plan{{Seq: 12, URI: "s3://lake/targets/payroll.events/plans/000000000012.json", Days: "2024-03-09 to 2024-03-10 (2 days)", Slices: 2}},
			Totals:  []report.Column{{Name: "gross_amount", Scale: 2}, {Name: "points", Scale: 0}},
			By:      []string{"currency"},
			Written: time.Date(2024, 4, 1, 6, 0, 0, 999, time.UTC),
		},
	}
	s.add(
		row{0, 19791, "EUR", []int64{123456789012345, 7}}, row{0, 19791, "EUR", []int64{-5, -1}}, row{1, 19792, "EUR", []int64{1000, 0}},
		row{0, 19792, "JPY", []int64{-98765, -12}}, row{1, 19791, "\x00", []int64{0, 3}},
	)
	counts.Tally[account.Tombstone], counts.Tally[account.OutOfWindow] = 1, 3
	return s
}

func scenes(t testing.TB) map[string]*scene {
	list := map[string]*scene{}
	play := func(name string, change func(s *scene)) {
		s := newScene(t)
		change(s)
		list[name] = s
	}
	play("reconciled", func(*scene) {})
	play("exceptions", func(s *scene) {
		c := s.in.Chunks[0].Counts
		c.Tally[account.Rejected], c.Tally[account.Unreadable] = 2, 1
		c.Ranges = []account.Range{{From: 0, To: 4}, {From: 5, To: 9}}
		s.in.Declared = []tieout.Gap{{Range: account.Range{From: 4, To: 5}, Reason: "removed on request"}}
		s.in.Superseded = 1
		add(s.in.Expected, row{0, 19792, "JPY", []int64{-98765, -12}}, -1)
		add(s.in.Table, row{0, 19792, "JPY", []int64{-98765, -12}}, -1)
		add(s.in.Archive, row{1, 19791, "\x00", []int64{0, 3}}, -1)
		add(s.in.Stage, row{1, 19791, "\x00", []int64{0, 3}}, -1)
		add(s.in.Expected, row{1, 19791, "\x00", []int64{0, 3}}, -1)
		add(s.in.Table, row{1, 19791, "\x00", []int64{0, 3}}, -1)
	})
	play("breaks", func(s *scene) {
		add(s.in.Table, row{0, 19791, "EUR", []int64{123456789012345, 7}}, -1)                                    // lost
		add(s.in.Table, row{0, 19792, "JPY", []int64{-98765, -12}}, 1)                                            // twice
		s.in.Table[account.Place{Topic: "payroll.events", Partition: 1, Day: 19791, Group: "\x00"}].Lane1.Plus(1) // edited
		add(s.in.Stage, row{1, 19792, "EUR", []int64{-1, 0}}, 1)
		s.in.Unknown = []string{"3 objects of the archive are new or were rewritten since the load; run the backfill again to include them"}
	})
	play("incomplete", func(s *scene) {
		s.in.Chunks[0].Counts.Ranges = []account.Range{{From: 0, To: 2}, {From: 5, To: 9}}
		s.in.Unknown = []string{"2 days of the window, from 2024-03-09, were never loaded by this tool"}
	})
	play("no_totals", func(s *scene) { // no event time, no totals, no provenance
		s.in.Totals, s.head.Totals, s.head.By, s.head.Window, s.head.Scope, s.head.Plans, s.head.Zone = 0, nil, nil, kafka.Window{}, "", nil, nil
		s.head.Calendar = "UTC"
		place := account.Place{Topic: "payroll.events", Day: kafka.NoDay}
		leg := func(p account.Place) account.Cells { return account.Cells{p: {Rows: 4}} }
		s.in.Chunks[0].Counts.Cells, s.in.Chunks[0].Counts.Tally[account.Row] = leg(place), 4
		s.in.Archive, s.in.Stage, s.in.Expected = leg(place), leg(place), leg(place)
		s.in.Table = leg(account.Place{Partition: -1, Day: kafka.NoDay})
	})
	play("periods", func(s *scene) { // a run that pays for January, one besides the calendar, and a row of no run
		clear(s.in.Chunks[0].Counts.Cells)
		s.in.Chunks[0].Counts.Tally[account.Row] = 0
		for _, leg := range []account.Cells{s.in.Archive, s.in.Stage, s.in.Expected, s.in.Table} {
			clear(leg)
		}
		s.head.By, s.head.Period = []string{"currency", "pay_run"}, true
		retro := row{0, 19792, "EUR\x1f2024-01", []int64{12345, 1}}
		s.add(row{0, 19791, "EUR\x1f2024-03", []int64{1000000, 7}}, row{1, 19792, "EUR\x1f2024-03", []int64{2000000, 2}}, row{1, 19791, "JPY\x1f2024-03", []int64{-98765, -12}},
			retro, retro, row{1, 19791, "EUR\x1foff-cycle 7", []int64{50, 0}}, row{0, 19791, "JPY\x1f\x00", []int64{7, 0}})
		add(s.in.Table, retro, -1)
		s.in.Stale = account.Cells{}
		add(s.in.Stale, retro, 1)
		add(s.in.Stale, row{0, 19791, "EUR\x1f2024-02", []int64{1, 0}}, 1)
	})
	play("nothing", func(s *scene) {
		s.in = tieout.Input{Totals: 2, Unknown: []string{"the ledger names no load of this window; archive and table were not compared"}}
	})
	return list
}

func build(t testing.TB, s *scene) *report.Report {
	t.Helper()
	s.in.Inserted = 0
	for _, c := range s.in.Expected {
		s.in.Inserted += c.Rows
	}
	result, err := tieout.Compare(s.in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.New(s.head, result)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// TestGolden shows each verdict as machines and people see it.
func TestGolden(t *testing.T) {
	for name, s := range scenes(t) {
		t.Run(name, func(t *testing.T) {
			r := build(t, s)
			body, err := r.JSON()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", body)
			if again, err := build(t, scenes(t)[name]).JSON(); err != nil || !bytes.Equal(again, body) {
				t.Errorf("the same tie-out gives other bytes, %v", err)
			}
			var back report.Report
			if err := json.Unmarshal(body, &back); err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			if err := back.Text(&text, "s3://lake/targets/payroll.events/reports/r1/20240401T060000Z.json", 0); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", append([]byte(r.Sentence+"\n"), text.Bytes()...))
			var direct bytes.Buffer
			if err := r.Text(&direct, "", 0); err != nil || !strings.HasPrefix(text.String(), direct.String()) {
				t.Errorf("the document that was read back shows another text, %v", err)
			}
		})
	}
}

// TestNarrowTerminal: tables of money that are wider than the terminal stand
// upright; a wide terminal changes nothing.
func TestNarrowTerminal(t *testing.T) {
	for name, s := range scenes(t) {
		var narrow, wide, piped bytes.Buffer
		r := build(t, s)
		if err := errors.Join(r.Text(&narrow, "", 44), r.Text(&wide, "", 500), r.Text(&piped, "", 0)); err != nil {
			t.Fatal(err)
		}
		if name == "breaks" || name == "periods" || name == "reconciled" {
			golden(t, name+".narrow.txt", narrow.Bytes())
		}
		if wide.String() != piped.String() {
			t.Errorf("%s: a wide terminal shows another text than a pipe", name)
		}
		amounts := regexp.MustCompile(`-?[0-9]+\.[0-9]+`)
		a, b := amounts.FindAllString(narrow.String(), -1), amounts.FindAllString(piped.String(), -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: a narrow terminal shows the amounts %v, a wide one %v", name, a, b)
		}
	}
}

// TestTextFits: nothing but long amounts and addresses makes a line longer
// than a small terminal.
func TestTextFits(t *testing.T) {
	for name, s := range scenes(t) {
		var text bytes.Buffer
		if err := build(t, s).Text(&text, "", 0); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("%s: a line of %d columns: %s", name, n, line)
			}
			if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") {
				t.Errorf("%s: blanks at the end of %q", name, line)
			}
		}
	}
}

// TestLongListsAreCut: a terminal shows the start of lists, and of the groups
// first those that differ; the JSON holds all.
func TestLongListsAreCut(t *testing.T) {
	s := newScene(t)
	for i := range 30 {
		s.add(row{0, 19791, fmt.Sprintf("X%02d", i), []int64{100, 1}})
	}
	for i := range 14 {
		add(s.in.Table, row{0, 19791, fmt.Sprintf("X%02d", i+16), []int64{100, 1}}, 1)
		s.in.Unknown = append(s.in.Unknown, fmt.Sprintf("thing %d", i))
	}
	r := build(t, s)
	if len(r.Breaks) != 14 || len(r.Totals) != 33 || len(r.Unknown) != 14 {
		t.Fatalf("%d breaks, %d groups, %d unknown", len(r.Breaks), len(r.Totals), len(r.Unknown))
	}
	var text bytes.Buffer
	if err := r.Text(&text, "", 0); err != nil {
		t.Fatal(err)
	}
	golden(t, "long.txt", text.Bytes())
	if r.Totals[0].Group[0] != nil {
		t.Error("showing the report reordered it")
	}
}

func TestSentence(t *testing.T) {
	const where = "payroll.events [2024-03-09T00:00:00-08:00, 2024-03-11T00:00:00-07:00): "
	for name, want := range map[string]string{
		"reconciled": where + "RECONCILED: all legs agree on 5 rows",
		"exceptions": where + "RECONCILED WITH EXCEPTIONS: all legs agree on 3 rows; 1 unreadable, 2 rejected, 1 explained gap",
		"breaks": where + "NOT RECONCILED: 4 breaks, the first: archive→stage payroll.events/1 2024-03-10 EUR: " +
			"1 row too many (2, expected 1), gross_amount 9.99 instead of 10.00 (-0.01)",
		"incomplete": where + "INCOMPLETE: 2 days of the window, from 2024-03-09, were never loaded by this tool; and 1 more",
		"no_totals":  "payroll.events (all time): RECONCILED: all legs agree on 4 rows",
		"nothing":    where + "INCOMPLETE: the ledger names no load of this window; archive and table were not compared",
	} {
		if got := build(t, scenes(t)[name]).Sentence; got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}

// TestTerminalIsSafe: values from the archive never reach the terminal as
// control characters, and an empty value can be seen.
func TestTerminalIsSafe(t *testing.T) {
	s := newScene(t)
	bad := row{0, 19791, string(account.AppendGroup(nil, []byte("\x1b[2Jnull"), false, true)), []int64{1, 1}}
	s.add(bad, row{0, 19791, "", []int64{2, 2}}, row{0, 19791, "null", []int64{3, 3}})
	add(s.in.Table, bad, 1)
	r := build(t, s)
	var text bytes.Buffer
	if err := r.Text(&text, "", 0); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String()+r.Sentence, "\x1b") || !strings.Contains(text.String(), `"\x1b[2Jnull"`) {
		t.Errorf("%q", text.String())
	}
	for _, says := range []string{"\n  \"\"", "\n  \"null\"", "\n  null "} {
		if !strings.Contains(text.String(), says) {
			t.Errorf("%q is not in\n%s", says, text.String())
		}
	}
	var groups []string
	for _, l := range r.Totals {
		if l.Group[0] == nil {
			groups = append(groups, "NULL")
			continue
		}
		groups = append(groups, *l.Group[0])
	}
	if got := fmt.Sprintf("%q", groups); got != `["" "NULL" "\x1b[2Jnull" "EUR" "JPY" "null"]` {
		t.Errorf("groups %s", got)
	}
}

func TestWhatCannotBeReported(t *testing.T) {
	s := newScene(t)
	s.in.Inserted = 0
	for _, c := range s.in.Expected {
		s.in.Inserted += c.Rows
	}
	result, err := tieout.Compare(s.in)
	if err != nil {
		t.Fatal(err)
	}
	s.head.Totals = s.head.Totals[:1]
	if _, err := report.New(s.head, result); err == nil || err.Error() != "the legs have 2 money totals, the report 1" {
		t.Error(err)
	}
}

type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestTextSaysWhenItCannotWrite(t *testing.T) {
	if err := build(t, newScene(t)).Text(broken{}, "", 0); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}
