package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestNamedExceptionsByKey grants rows by their keys: only when all breaks are granted the month is reconciled, and what the
// exceptions did is listed.
func TestNamedExceptionsByKey(t *testing.T) {
	for _, own := range []bool{true, false} {
		name := map[bool]string{true: "own", false: "foreign"}[own]
		p := newPaid(t, shared, "granted_"+name, own)
		p.exec(t, "DELETE FROM :table WHERE id = 'pay-0001' AND source = 'payroll'; UPDATE :table SET net_amount = net_amount + 0.01 WHERE id = 'pay-0004'; UPDATE :table SET happened_at = DATEADD(day, 1, happened_at), currency = 'CHF' WHERE id = 'pay-0005'; "+
			"INSERT INTO :table ("+paidNames+") SELECT 'ghost', v, happened_at, employee_id, legal_entity, gross_amount, net_amount, currency, pay_run, note, source FROM :table WHERE id = 'pay-0006'")
		line := func(id, class, keys, more string) string {
			return fmt.Sprintf("  - {id: %s, class: %s, keys: [%s], reason: 'paid by cheque', owner: anna, expires: 2099-01-01%s}\n", id, class, keys, more)
		}
		missing, changed, extra := line("PAY-1", "missing", "pay-0001", ""), line("PAY-2", "changed", "pay-0004, pay-0005", ""), line("PAY-3", "extra", "[ghost]", "")
		for _, way := range []string{"archive", "receipts"} {
			if way == "receipts" && !own {
				continue
			}
			run := func(exit int, lines ...string) (o outcome, doc granted) {
				t.Helper()
				args := []string{"reconcile", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01", "--way", way}
				if len(lines) > 0 {
					args = append(args, "--exceptions", file(t, "named.yaml", "version: 1\nexceptions:\n"+strings.Join(lines, "")))
				}
				o = p.h.run(t, exit, args...)
				p.h.report(t, o.result.Report, &doc)
				return o, doc
			}
			t.Run(name+" "+way, func(t *testing.T) {
				o, doc := run(0, missing, changed, extra)
				if o.result.Verdict != "RECONCILED WITH EXCEPTIONS" || len(doc.Breaks) != 0 {
					t.Errorf("all granted: %s", o.result.Sentence)
				}
				if got := doc.effects(); !slices.Equal(got, []string{"PAY-1 1", "PAY-2 2", "PAY-3 1"}) {
					t.Errorf("effects %v", got)
				}
				if got := doc.granted(); !slices.Equal(got, []string{"changed pay-0004 PAY-2", "changed pay-0005 PAY-2", "extra ghost PAY-3", "missing pay-0001 PAY-1"}) {
					t.Errorf("granted rows %v", got)
				}
				o, doc = run(5, missing, changed)
				if got := doc.granted(); len(got) != 4 || !slices.Contains(got, "extra ghost ") {
					t.Errorf("one is not granted: %v", got)
				}
				if len(doc.Breaks) != 1 || doc.Breaks[0].Kind != "extra" {
					t.Errorf("one is not granted: the breaks are %+v\n%s", doc.Breaks, o.result.Sentence)
				}
				o, doc = run(5, missing, strings.Replace(changed, "2099", "2020", 1), extra)
				if !strings.Contains(fmt.Sprint(doc.texts()), "the named exception PAY-2 expired on 2020-01-0") || doc.Named[1].Covers != 0 || !strings.Contains(o.stderr, "PAY-2, changed, expired: 2 differences are breaks again") {
					t.Errorf("an expired one: %v\n%s", doc.texts(), o.stderr)
				}
				o, doc = run(5, missing, line("PAY-2", "changed", "pay-0004, pay-0005", ", max_rows: 1"), extra)
				if !strings.Contains(fmt.Sprint(doc.texts()), "the named exception PAY-2 covers 1 rows and no more") {
					t.Errorf("one that is exceeded: %v", doc.texts())
				}
				o, _ = run(0, missing, changed, extra, line("PAY-9", "missing", "pay-0300", ""))
				if !strings.Contains(o.stderr, "the named exception PAY-9, missing, matches nothing") {
					t.Errorf("one that matches nothing is not named: %s", o.stderr)
				}
				if o, _ = run(5, line("PAY-1", "extra", "pay-0001", ""), changed, extra); !strings.Contains(o.stderr, "PAY-1, extra, matches nothing") {
					t.Errorf("one of another class: %s", o.stderr)
				}
			})
		}
		t.Run(name+" repair", func(t *testing.T) {
			found := p.h.run(t, 5, "reconcile", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01", "--way", "archive",
				"--exceptions", file(t, "named.yaml", "version: 1\nexceptions:\n"+missing+extra))
			o := p.h.run(t, 0, "repair", "--dataset", p.file, "--report", found.result.Report, "--apply", "--delete-extra", "--approved-by", "A. Controller")
			if o.result.Verdict != "RECONCILED WITH EXCEPTIONS" || o.result.Deleted != 2 || o.result.Inserted != 2 {
				t.Errorf("%+v", o.result)
			}
			var left []string
			for _, d := range p.join(t) {
				left = append(left, d.Classes[0]+" "+d.Key)
			}
			if slices.Sort(left); !slices.Equal(left, []string{"extra ghost", "missing pay-0001"}) {
				t.Errorf("a repair mends what was granted: %v", left)
			}
		})
	}
}

// TestNamedExceptionsOfHiddenKeys: what the dataset does not let reports show is granted, too, and told nowhere in them.
func TestNamedExceptionsOfHiddenKeys(t *testing.T) {
	p := newPaid(t, shared, "granted_hidden", false)
	p.exec(t, "DELETE FROM :table WHERE id = 'pay-0123' AND source = 'payroll'")
	named := file(t, "named.yaml", "version: 1\nexceptions:\n  - {id: PAY-1, class: missing, keys: [pay-0123], reason: 'paid by cheque', owner: anna, expires: 2099-01-01}\n")
	o := p.h.run(t, 0, "reconcile", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01", "--way", "archive", "--set", "reconcile.show=None", "--exceptions", named)
	if o.result.Verdict != "RECONCILED WITH EXCEPTIONS" {
		t.Errorf("%s", o.result.Sentence)
	}
	folder := strings.TrimSuffix(strings.TrimPrefix(o.result.Report, "s3://staging/"), "report.json")
	for _, name := range []string{"report.json", "report.html", "exceptions.csv"} {
		if text := string(p.h.get(t, "staging", folder+name)); strings.Contains(text, "pay-0123") || !strings.Contains(text, "PAY-1") {
			t.Errorf("%s tells the key, or not the exception", name)
		}
	}
	if text := string(p.h.get(t, "staging", folder+"report.json")); !strings.Contains(text, `"keys_hidden": 1`) {
		t.Error("the report does not say that a key is hidden")
	}
}

// granted is what a report says of named exceptions.
type granted struct {
	Breaks []struct{ Kind string }
	Named  []struct {
		ID     string
		Covers int
	} `json:"named_exceptions"`
	Rows struct {
		List []struct {
			Class, Granted, Text string
			Key                  []string
		}
	}
}

func (g granted) effects() (list []string) {
	for _, e := range g.Named {
		list = append(list, fmt.Sprint(e.ID, " ", e.Covers))
	}
	return list
}

func (g granted) granted() (list []string) {
	for _, b := range g.Rows.List {
		list = append(list, b.Class+" "+strings.Join(b.Key, ",")+" "+b.Granted)
	}
	slices.Sort(list)
	return list
}

func (g granted) texts() (list []string) {
	for _, b := range g.Rows.List {
		list = append(list, b.Text)
	}
	return list
}
