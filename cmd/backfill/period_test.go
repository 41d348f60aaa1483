package main

import (
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/report"
)

// byPeriod lets the dataset tell accounting periods apart.
func (p *paid) byPeriod(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(text), "by: [currency, legal_entity],", "by: [currency, legal_entity], period: pay_run,", 1)
	if err := os.WriteFile(p.file, []byte(with), 0o600); err != nil || with == string(text) {
		t.Fatal("the dataset is as it was", err)
	}
}

// periods reads the table's accounting periods row by row: rows, gross pay and the days of each.
func (p *paid) periods(t *testing.T) []string {
	t.Helper()
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	type sum struct {
		rows        int
		gross       *big.Rat
		first, last string
	}
	sums := map[string]*sum{}
	for _, row := range p.h.rows(t, "SELECT pay_run, currency, legal_entity, happened_at, gross_amount FROM "+p.table+" WHERE source = 'payroll'") {
		v := strings.Split(row, "|")
		at, err := time.Parse("2006-01-02 15:04:05.999999", v[3])
		if err != nil {
			t.Fatal(err)
		}
		day := at.In(zone).Format(time.DateOnly)
		if day < "2026-03-01" || day > "2026-03-31" {
			continue
		}
		name := strings.ReplaceAll(strings.Join(v[:3], " / "), "NULL", "null")
		s := sums[name]
		if s == nil {
			s = &sum{gross: new(big.Rat), first: day, last: day}
			sums[name] = s
		}
		s.rows, s.first, s.last = s.rows+1, min(s.first, day), max(s.last, day)
		if gross, ok := new(big.Rat).SetString(v[4]); ok {
			s.gross.Add(s.gross, gross)
		}
	}
	var list []string
	for name, s := range sums {
		list = append(list, fmt.Sprintf("%s: %d rows, %s, %s to %s", name, s.rows, s.gross.FloatString(2), s.first, s.last))
	}
	slices.Sort(list)
	return list
}

// TestAccountingPeriods reconciles by pay run beside event time, in each way: the lines of runs are the table's, a row that
// moved to another run is a break of the runs alone, totals from outside may be by run, and a closed month is restated by run.
func TestAccountingPeriods(t *testing.T) {
	for _, own := range []bool{true, false} {
		way := map[bool]string{true: "receipts", false: "archive"}[own]
		t.Run(way, func(t *testing.T) {
			p := newPaid(t, shared, "periods_"+way, own)
			p.byPeriod(t)
			if own {
				p.h.run(t, 0, "run", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01")
			}
			as := func(who string, exit int, args ...string) (o outcome, doc report.Report) {
				t.Helper()
				o = p.h.runWith(t, exit, []string{"BACKFILL_REQUESTED_BY=" + who}, args...)
				if o.result.Report != "" {
					p.h.report(t, o.result.Report, &doc)
				}
				return o, doc
			}
			tie := func(exit int, more ...string) (outcome, report.Report) {
				t.Helper()
				return as("anna", exit, p.march(append([]string{"--way", way}, more...)...)...)
			}
			_, doc := tie(0)
			var got []string
			for _, l := range doc.Periods {
				name := account.GroupText(append([]*string{l.Period}, l.Group...))
				got = append(got, fmt.Sprintf("%s: %d rows, %s, %s to %s", name, l.Table.Rows, l.Table.Amounts[0], l.First, l.Last))
			}
			slices.Sort(got)
			if want := p.periods(t); !slices.Equal(got, want) || len(want) < 6 || doc.PeriodColumn != "pay_run" {
				t.Errorf("by run\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			register := []string{"currency,pay_run,rows"}
			for _, row := range p.h.rows(t, "SELECT currency, pay_run, COUNT(*) FROM "+p.table+" WHERE source = 'payroll' AND id LIKE 'pay-%' AND happened_at >= '2026-03-01 08:00:00' AND happened_at < '2026-04-01 07:00:00' GROUP BY 1, 2") {
				register = append(register, strings.ReplaceAll(strings.TrimSuffix(strings.ReplaceAll(row, "|", ","), ","), "NULL", "(null)"))
			}
			signed, doc := tie(0, "--control-totals", file(t, "register.csv", strings.Join(register, "\n")+"\n"))
			if doc.Controls == nil || !doc.Controls.Match {
				t.Errorf("totals by run: %+v", doc.Controls)
			}
			as("ben", 0, "reconcile", "--dataset", p.file, "--sign-off", fmt.Sprint(signed.result.Number))

			p.exec(t, "UPDATE :table SET pay_run = 'OFF-CYCLE-1' WHERE id = 'pay-0001' AND source = 'payroll'")
			broken, doc := tie(5)
			moved := 0
			for _, l := range doc.Periods {
				if !l.Match {
					moved++
				}
			}
			if moved != 2 || len(doc.Breaks) != 2 || len(doc.Rows.List) != 1 || doc.Rows.List[0].Diffs[0].Column != "pay_run" {
				t.Errorf("a row in another run: %d lines differ, %+v", moved, doc.Breaks)
			}
			for _, l := range doc.Totals {
				if len(l.Group) != 2 || l.Table.Rows != l.Expected.Rows || l.Table.Amounts[0] != l.Expected.Amounts[0] {
					t.Errorf("it changes the totals by event time: %+v", l)
				}
			}
			restated := 0
			for _, l := range doc.Restates.Lines {
				if !l.Same {
					restated++
				}
			}
			if restated != 2 || doc.Restates.Same {
				t.Errorf("restated: %+v", doc.Restates)
			}
			if way == "archive" {
				if o, _ := as("anna", 0, "repair", "--dataset", p.file, "--report", broken.result.Report, "--apply", "--approved-by", "ben"); o.result.Inserted != 1 {
					t.Errorf("repair: %+v", o.result)
				}
			}
		})
	}
}
