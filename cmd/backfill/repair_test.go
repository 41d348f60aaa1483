package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestRepairTrustsNoForgedReport changes a report so that a repair would delete a right row, as somebody who may write
// to staging, knows the format of the seal and computes all hashes again, and then as one who may write to the warehouse.
func TestRepairTrustsNoForgedReport(t *testing.T) {
	list := slips(40)
	f := newMonth(t, "paid_forged", list)
	f.load(list)
	extra := list[40-1]
	extra.id = "nobody"
	f.load([]slip{extra})
	private, public := signingKey(t)
	o := f.do("reconcile", 5, "--sign-key", private)
	planted := f.rows()
	folder := strings.TrimPrefix(strings.TrimSuffix(o.result.Report, "report.json"), "s3://staging/")
	body, sealed := f.h.get(t, "staging", folder+"report.json"), f.h.get(t, "staging", folder+"seal.json")
	asks := []string{"BACKFILL_REQUESTED_BY=clerk"}
	refused := func(says string, more ...string) {
		t.Helper()
		for _, apply := range [][]string{nil, {"--apply", "--delete-extra", "--approved-by", "controller"}} {
			o := f.repair(4, asks, o.result.Report, append(apply, more...)...)
			if o.result.Code != "staging_corrupt" || !strings.Contains(o.result.Error, says) || !strings.Contains(o.result.Error, "nothing was repaired") {
				t.Errorf("%q is not in %s: %s", says, o.result.Code, o.result.Error)
			}
			if o.result.Hint == "" || !slices.Equal(f.rows(), planted) {
				t.Errorf("hint %q; the table: %s", o.result.Hint, firstDifference(f.rows(), planted))
			}
		}
	}
	forged := bytes.Replace(body, []byte(`"extra"`), []byte(`"filtered"`), 1)
	if bytes.Equal(forged, body) {
		t.Fatal("nothing was forged")
	}
	f.h.overwrite(t, folder+"report.json", forged)
	refused("report.json, ")
	var doc map[string]any
	if err := json.Unmarshal(sealed, &doc); err != nil {
		t.Fatal(err)
	}
	for _, file := range doc["files"].([]any) {
		if file := file.(map[string]any); file["name"] == "report.json" {
			file["sha256"], file["bytes"], file["sections"] = sha(forged), len(forged), nil
		}
	}
	again, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	f.h.overwrite(t, folder+"seal.json", again)
	refused("seal.json: the seal is not the one that the warehouse recorded")
	anchor := "UPDATE payroll.paid_forged__backfill_reports SET seal_sha256 = '%s' WHERE number = " + fmt.Sprint(o.result.Number)
	f.sql(fmt.Sprintf(anchor, sha(again)))
	refused("seal.sig: the signature is not of this seal and key", "--public-key", public)

	f.h.overwrite(t, folder+"report.json", body)
	f.h.overwrite(t, folder+"seal.json", sealed)
	refused("seal.json: the seal is not the one that the warehouse recorded")
	f.sql("DELETE FROM payroll.paid_forged__backfill_reports")
	refused("ledger of reports: the warehouse's ledger of reports does not name this report")

	second := f.do("reconcile", 5, "--sign-key", private).result
	_, other := signingKey(t)
	if o := f.repair(4, asks, second.Report, "--public-key", other); !strings.Contains(o.result.Error, "signed with another key") {
		t.Error(o.result.Error)
	}
	o = f.repair(0, asks, fmt.Sprint(second.Number), "--apply", "--delete-extra", "--approved-by", "controller", "--public-key", public, "--sign-key", private)
	if f.report(o.result.Report).Repairs != second.Report || o.result.Deleted != 1 {
		t.Errorf("%+v", o.result)
	}
	f.h.run(t, 0, "reconcile", "--dataset", f.file, "--verify", o.result.Report, "--public-key", public)
}

// TestRepairOfKeysThatWereTaken gives rows the key of others: the right row of the key is never touched, the wrong one goes
// only when deleting was asked for, and the rows that are bad beside it are mended in any case.
func TestRepairOfKeysThatWereTaken(t *testing.T) {
	for _, own := range []bool{true, false} {
		name := map[bool]string{true: "own", false: "foreign"}[own]
		p := newPaid(t, shared, "taken_"+name, own)
		sound := p.texts(t)
		right := p.h.rows(t, "SELECT * FROM "+p.table+" WHERE id = 'pay-0263' AND source = 'payroll'")
		for _, from := range []string{"pay-0174", "pay-0264"} {
			t.Run(name+" "+from, func(t *testing.T) {
				p.restore(t)
				p.exec(t, "UPDATE :table SET id = 'pay-0263' WHERE id = '"+from+"' AND source = 'payroll'; UPDATE :table SET net_amount = 1 WHERE id = 'pay-0004'; INSERT INTO :table SELECT * FROM :table WHERE id = 'pay-0007'")
				p.reconcile(t)
				found := p.h.run(t, 5, "reconcile", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01", "--way", "archive")
				repair := []string{"repair", "--dataset", p.file, "--approved-by", "A. Controller", "--apply", "--report"}
				mended := p.h.run(t, 5, append(repair, found.result.Report)...)
				if left := p.report(t, mended); len(left) != 1 || left[0].Class != "duplicate" || !slices.Equal(left[0].Key, []string{"pay-0263"}) {
					t.Errorf("left without deleting: %+v", left)
				}
				if l := mended.result.Left; len(l) != 1 || l[0].Class != "duplicate" || l[0].Rows != 1 || !strings.Contains(l[0].Why, "--delete-extra") {
					t.Errorf("%+v", l)
				}
				last := p.h.run(t, 0, append(repair, mended.result.Report, "--delete-extra")...)
				if last.result.Deleted != 1 || last.result.Inserted != 0 {
					t.Errorf("%d rows deleted, %d inserted", last.result.Deleted, last.result.Inserted)
				}
				if now := p.texts(t); !slices.Equal(now, sound) {
					t.Errorf("not as it was: %s", firstDifference(now, sound))
				}
				if now := p.h.rows(t, "SELECT * FROM "+p.table+" WHERE id = 'pay-0263' AND source = 'payroll'"); !slices.Equal(now, right) {
					t.Errorf("the right row was touched: %v, was %v", now, right)
				}
			})
		}
	}
}

// TestRepairOfCopies takes out exact copies without --delete-extra, and a copy with other content with it alone.
func TestRepairOfCopies(t *testing.T) {
	p := newPaid(t, shared, "copies", false)
	sound := p.texts(t)
	text, err := os.ReadFile(mutations + "sql/duplicate_differing.sql")
	if err != nil {
		t.Fatal(err)
	}
	p.exec(t, string(text))
	differing := p.texts(t)
	p.exec(t, "INSERT INTO :table SELECT * FROM :table WHERE id = 'pay-0007'")
	found := p.h.run(t, 5, "reconcile", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01", "--way", "archive")
	repair := []string{"repair", "--dataset", p.file, "--report", found.result.Report, "--apply", "--approved-by", "A. Controller"}
	p.h.run(t, 5, repair...)
	if now := p.texts(t); !slices.Equal(now, differing) {
		t.Errorf("without --delete-extra: %s", firstDifference(now, differing))
	}
	p.h.run(t, 0, append(repair, "--delete-extra")...)
	if now := p.texts(t); !slices.Equal(now, sound) {
		t.Errorf("not as it was: %s", firstDifference(now, sound))
	}
}
