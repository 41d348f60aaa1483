package report_test

import (
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/report"
	"backfill/internal/tieout"
)

// TestPeriods: the lines of all periods add up to the totals, which know no
// period, on every leg; each names the days of its rows alone.
func TestPeriods(t *testing.T) {
	r := build(t, scenes(t)["periods"])
	sums := map[string][4][]account.Int128{}
	legs := func(l report.Line) []report.Figures {
		return []report.Figures{l.Archive, l.Stage, l.Expected, l.Table}
	}
	add := func(l report.Line, sign int64) {
		name := account.GroupText(l.Group)
		sum := sums[name]
		for i, f := range legs(l) {
			if sum[i] == nil {
				sum[i] = make([]account.Int128, 1+len(f.Amounts))
			}
			sum[i][0].Plus(sign * f.Rows)
			for n, text := range f.Amounts {
				v, err := account.ParseDecimal(text, r.TotalColumns[n].Scale)
				if err != nil {
					t.Fatal(err)
				}
				if sign < 0 {
					v = v.Neg()
				}
				sum[i][1+n], _ = sum[i][1+n].Add(v)
			}
		}
		sums[name] = sum
	}
	for _, l := range r.Totals {
		add(l, -1)
	}
	var got []string
	for _, l := range r.Periods {
		add(l.Line, 1)
		match := "match"
		if !l.Match {
			match = "break"
		}
		got = append(got, strings.Join([]string{account.GroupText([]*string{l.Period}), account.GroupText(l.Group), l.First, l.Last, match}, "|"))
	}
	for name, legs := range sums {
		for i, sum := range legs {
			for n, v := range sum {
				if !v.IsZero() {
					t.Errorf("%s, leg %d, figure %d: the periods are %s more than the total", name, i, n, v.Decimal(0))
				}
			}
		}
	}
	want := []string{"null|JPY|2024-03-09|2024-03-09|match", "2024-01|EUR|2024-03-10|2024-03-10|break", "2024-03|EUR|2024-03-09|2024-03-10|match",
		"2024-03|JPY|2024-03-09|2024-03-09|match", "off-cycle 7|EUR|2024-03-09|2024-03-09|match"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("periods\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, l := range append(r.Totals, r.Days...) {
		if len(l.Group) != 1 {
			t.Errorf("totals and days are split by the period: %v", l.Group)
		}
	}
	if b := r.Breaks; len(b) != 1 || account.GroupText(b[0].Group) != "EUR / 2024-01" {
		t.Errorf("the break does not name the period: %+v", b)
	}
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<a href="#periods">Accounting periods</a>`, `<section id="periods"`, `<th scope="rowgroup" rowspan="3">2024-01</th><td class="n" rowspan="3">2024-03-10</td><td rowspan="3">EUR</td>`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if head, _, _ := strings.Cut(string(r.CSV()), "\r\n"); !strings.Contains(head, `"currency","pay_run"`) {
		t.Errorf("the list's head: %s", head)
	}
}

// TestRestatementOfPeriods: money that moved from one period to another is
// restated, although the totals without periods are as they were.
func TestRestatementOfPeriods(t *testing.T) {
	before, s := build(t, scenes(t)["periods"]), scenes(t)["periods"]
	add(s.in.Table, row{1, 19791, "EUR\x1foff-cycle 7", []int64{50, 0}}, -1)
	add(s.in.Table, row{1, 19791, "EUR\x1f2024-03", []int64{50, 0}}, 1)
	r, err := report.Restate(s.head, report.Signed{Report: before, Number: 4}, s.in.Table, []tieout.Sequence{})
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]string{}
	for _, l := range r.Lines {
		if !l.Same {
			changed[account.GroupText(l.Group)] = l.Diff.Amounts[0]
		}
	}
	if r.Same || len(changed) != 2 || changed["EUR / off-cycle 7"] != "-0.50" || changed["EUR / 2024-03"] != "+0.50" {
		t.Errorf("%v, same %t", changed, r.Same)
	}
}
