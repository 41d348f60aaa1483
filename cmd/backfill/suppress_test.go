package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/account"
)

// plantedNote stands in each record of the erased employee that is planted.
const plantedNote = "Planted note of an erased person"

// suppress makes the dataset name a list with the values.
func (p *paid) suppress(t *testing.T, values ...string) {
	t.Helper()
	p.suppressList(t, "version: test\nform: plain\n\n"+strings.Join(append(values, ""), "\n"))
}

func (p *paid) suppressList(t *testing.T, text string) {
	t.Helper()
	if err := p.h.put(context.Background(), "archive", "lists/"+p.prefix+".txt", []byte("backfill-suppressions 1\n"+text)); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(body, []byte("suppress:")) {
		p.edit(t, "records:\n", "records:\n  suppress: {uri: \"s3://archive/lists/"+p.prefix+".txt\", column: employee_id}\n")
	}
}

// edit replaces a text of the dataset file.
func (p *paid) edit(t *testing.T, old, with string) {
	t.Helper()
	body, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(body, []byte(old)) {
		t.Fatalf("%q is not in the dataset", old)
	}
	if err := os.WriteFile(p.file, bytes.Replace(body, []byte(old), []byte(with), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *paid) inMarch(t *testing.T, exit int, command string, more ...string) outcome {
	t.Helper()
	return p.h.run(t, exit, append([]string{command, "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01"}, more...)...)
}

// of are the keys of the employees' rows in the window.
func (p *paid) of(t *testing.T, employees ...string) []string {
	t.Helper()
	return p.h.rows(t, "SELECT id FROM "+p.table+" WHERE source = 'payroll' AND happened_at >= '2026-03-01 08:00:00' AND happened_at < '2026-04-01 07:00:00' AND employee_id IN ("+strings.Join(employees, ", ")+") ORDER BY 1")
}

// without leaves the lines that begin with none of the keys.
func without(lines, keys []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(line, key) })
	})
}

// TestErasedPeopleInAForeignTable: rows of erased people are breaks and told apart, and a repair takes them out; that they
// are absent is none.
func TestErasedPeopleInAForeignTable(t *testing.T) {
	p := newPaid(t, shared, "erased_foreign", false)
	p.suppress(t, "7041", "7042", "nobody's")
	sound, erased := p.texts(t), p.of(t, "7041", "7042")
	if len(erased) != 8 {
		t.Fatalf("the employees have %q", erased)
	}
	p.exec(t, "DELETE FROM :table WHERE id = 'pay-0001' AND source = 'payroll'; UPDATE :table SET id = 'unknown-1' WHERE id = '"+strings.TrimSuffix(erased[0], "|")+"' AND source = 'payroll'")
	o := p.inMarch(t, 5, "reconcile", "--way", "archive")
	var got []string
	for _, b := range p.report(t, o) {
		got = append(got, b.Class+" "+strings.Join(b.Key, ","))
	}
	if want := append([]string{"missing pay-0001"}, slices.Repeat([]string{"suppressed "}, 8)...); !slices.Equal(got, want) {
		t.Errorf("found %q", got)
	}
	for _, name := range []string{"report.json", "report.html", "exceptions.csv"} {
		text := string(p.h.get(t, "staging", strings.TrimSuffix(strings.TrimPrefix(o.result.Report, "s3://staging/"), "report.json")+name))
		for _, secret := range append([]string{"unknown-1", `"7041"`, `"7042"`}, erased...) {
			if strings.Contains(text, strings.TrimSuffix(secret, "|")) {
				t.Errorf("%s tells %s", name, secret)
			}
		}
	}
	repair := []string{"repair", "--dataset", p.file, "--report", o.result.Report, "--apply", "--approved-by", "A. Controller"}
	left := p.h.run(t, 5, repair...)
	if n := len(p.of(t, "7041", "7042")); n != 8 || len(p.of(t, "7001")) == 0 {
		t.Errorf("without --delete-extra %d rows are left: %s", n, left.stdout)
	}
	o = p.h.run(t, 0, append(repair, "--delete-extra")...)
	if now, want := p.texts(t), without(sound, erased); o.result.Verdict != "RECONCILED" || !slices.Equal(now, want) {
		t.Errorf("%s: %s", o.result.Verdict, firstDifference(now, want))
	}
	// A row that was never archived is theirs, too.
	p.exec(t, "INSERT INTO :table ("+paidNames+") SELECT 'by-hand', v, happened_at, 7042, legal_entity, gross_amount, net_amount, currency, pay_run, note, source FROM :table WHERE id = 'pay-0010'")
	o = p.inMarch(t, 5, "reconcile", "--way", "archive")
	if rows := p.report(t, o); len(rows) != 1 || rows[0].Class != "suppressed" || rows[0].Key[0] != "" {
		t.Errorf("%+v", rows)
	}
}

// TestErasedPeopleNeverLand loads in each mode with a list, changes the list, and loads again.
func TestErasedPeopleNeverLand(t *testing.T) {
	for _, mode := range []string{"replace_window", "upsert", "insert_missing"} {
		t.Run(mode, func(t *testing.T) {
			p := newPaid(t, shared, "erased_"+mode, true)
			sound := p.texts(t)
			p.edit(t, "mode: replace_window", "mode: "+mode)
			p.suppress(t, "7041")
			if o := p.inMarch(t, 6, "reconcile"); !strings.Contains(o.stderr, "suppression list") {
				t.Errorf("loaded without the list: %s", o.stderr)
			}
			if mode != "replace_window" { // these modes take nothing out
				p.h.sql(t, "DELETE FROM "+p.table+" WHERE source = 'payroll' AND happened_at >= '2026-03-01 08:00:00' AND happened_at < '2026-04-01 07:00:00'")
			}
			erased := []string{"pay-0041|", "pay-0131|", "pay-0221|", "pay-0311|"}
			o := p.inMarch(t, 0, "run")
			if now, want := p.texts(t), without(sound, erased); !slices.Equal(now, want) {
				t.Errorf("after the load: %s", firstDifference(now, want))
			}
			if o.result.Tally[account.Suppressed] < 4 {
				t.Errorf("%v", o.result.Tally)
			}
			again := p.inMarch(t, 0, "run")
			if !again.result.Done {
				t.Error("the same list is another plan")
			}
			if mode != "replace_window" {
				return
			}
			p.suppress(t, "7041", "7050")
			newer := p.inMarch(t, 0, "run", "--keep-replaced")
			if now, want := p.texts(t), without(sound, append(erased, "pay-0050|", "pay-0140|", "pay-0230|", "pay-0320|")); !slices.Equal(now, want) {
				t.Errorf("after the newer list: %s", firstDifference(now, want))
			}
			if newer.result.Seq <= o.result.Seq || newer.result.Converted != newer.result.Chunks || !strings.Contains(newer.stderr, fmt.Sprintf("supersedes plan %d: the suppression list changed", o.result.Seq)) {
				t.Errorf("plan %d after %d: %s", newer.result.Seq, o.result.Seq, newer.stderr)
			}
			if o := p.h.run(t, 4, "load", "--undo", fmt.Sprint(newer.result.Seq), "--reason", "wrong", "--dataset", p.file); !strings.Contains(o.result.Error, "4 of the kept rows are of people on the suppression list; nothing was changed") {
				t.Errorf("%s", o.result.Error)
			}
			// What vanishes beside them is still refused.
			p.exec(t, "INSERT INTO :table ("+paidNames+") SELECT 'by-hand', v, happened_at, 7042, legal_entity, gross_amount, net_amount, currency, pay_run, note, source FROM :table WHERE id = 'pay-0010'")
			p.suppress(t, "7041", "7050", "7060")
			if o := p.inMarch(t, 4, "run"); !strings.Contains(o.result.Error, "1 rows would vanish") {
				t.Errorf("%s", o.result.Error)
			}
			p.exec(t, "UPDATE :table SET employee_id = 7041 WHERE id = 'by-hand'")
			p.inMarch(t, 0, "run")
			p.exec(t, "INSERT INTO :table ("+paidNames+") SELECT 'by-hand', v, happened_at, 7041, legal_entity, gross_amount, net_amount, currency, pay_run, note, source FROM :table WHERE id = 'pay-0010'")
			o = p.inMarch(t, 5, "reconcile")
			if text := p.h.object(t, strings.TrimPrefix(o.result.Report, "s3://staging/")); !strings.Contains(text, `"leg": "suppressed→table"`) || !strings.Contains(text, "1 row too many (1, expected 0)") {
				t.Errorf("a row that came by hand: %s", text)
			}
		})
	}
}

// TestErasedPeopleOfAPlan: all pods of a plan have the list that it was sealed with, and bytes of erased people stay in the
// archive, also those of records that can't be read.
func TestErasedPeopleOfAPlan(t *testing.T) {
	key := "an erasure key of more than 32 bytes!"
	mac := func(text string) string {
		h := hmac.New(sha256.New, []byte(key))
		h.Write([]byte(text))
		return hex.EncodeToString(h.Sum(nil))
	}
	id := mac("backfill mask key id")[:16]
	p := newPaid(t, shared, "erased_plan", true)
	line := func(id, employee, net string) string {
		return fmt.Sprintf(`{"type":"payment.settled","id":%q,"v":1,"at":"2026-03-05T10:00:00.000000Z","employee":{"id":%s},"entity":"US1","gross":"1.00","net":%q,"currency":"USD","pay_run":"x","note":%q}`, id, employee, net, plantedNote)
	}
	lines := []string{
		line("e-1", "7041", "1.00"), line("e-2", "7041", "no number"), // suppressed, both
		line("e-3", `"hidden 7041"`, "1.00"), line("e-4", "null", "1.00"), line("e-5", "7041", "1.00")[:90], // whose they are, nobody can tell
		strings.Replace(line("e-6", "7000", "no number"), plantedNote, "Another's note", 1),
	}
	if err := p.h.put(context.Background(), "archive", p.prefix+"/events/partition=3/events+3+0000000000.json", []byte(strings.Join(lines, "\n")+"\n")); err != nil {
		t.Fatal(err)
	}
	head := "version: 1\nform: hmac_sha256\nkey_id: " + id + "\n\n"
	p.suppressList(t, head+mac("7041")+"\n")
	with := []string{"BACKFILL_MASK_KEY=" + key}
	run := func(exit int, env []string, args ...string) outcome {
		t.Helper()
		return p.h.runWith(t, exit, env, args...)
	}
	march := []string{"--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01"}
	plan := run(0, nil, append([]string{"plan"}, march...)...).result
	p.suppressList(t, head+mac("7050")+"\n") // the next plan's
	if o := run(3, nil, "convert", "--plan", plan.Plan); !strings.Contains(o.stderr, "can't be compared without the mask key") {
		t.Errorf("%s", o.stderr)
	}
	o := run(0, with, "convert", "--plan", plan.Plan)
	if o.result.Tally[account.Suppressed] != 7 || o.result.Tally[account.Rejected] != 3 || o.result.Tally[account.Unreadable] != 1 {
		t.Errorf("%v", o.result.Tally)
	}
	run(0, with, "load", "--plan", plan.Plan)
	if n, m := len(p.of(t, "7041")), len(p.of(t, "7050")); n != 0 || m != 4 {
		t.Errorf("%d and %d rows", n, m)
	}
	p.quarantined(t)
	p.suppressList(t, head+mac("7041")+"\n")
	run(0, with, append([]string{"reconcile"}, march...)...)
	if o := run(6, nil, append([]string{"reconcile"}, march...)...); !strings.Contains(o.result.Sentence, "whether rows of the 1 people on the suppression list stand in the table") {
		t.Errorf("without the key: %s", o.result.Sentence)
	}
	if err := p.h.put(context.Background(), "archive", "lists/"+p.prefix+".txt", []byte("employee\n7041\n")); err != nil {
		t.Fatal(err)
	}
	if o := run(2, with, append([]string{"run"}, march...)...); !strings.Contains(o.stderr, p.prefix+".txt:1: this is no list of suppressions") {
		t.Errorf("%s", o.stderr)
	}
	p.edit(t, "lists/"+p.prefix+".txt", "lists/gone.txt")
	if o := run(2, with, append([]string{"run"}, march...)...); !strings.Contains(o.stderr, "the suppression list is not there") {
		t.Errorf("%s", o.stderr)
	}
}

// quarantined demands that four records lie in quarantine, and bytes of the one whose person is known and not erased.
func (p *paid) quarantined(t *testing.T) {
	t.Helper()
	var all strings.Builder
	for _, key := range p.h.keys(t, "staging", p.prefix+"/") {
		if !strings.Contains(key, "quarantine") {
			continue
		}
		z, err := zstd.NewReader(bytes.NewReader(p.h.get(t, "staging", key)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	text := all.String()
	if strings.Count(text, "\n") != 4 || strings.Count(text, `"raw":""`) != 3 || strings.Count(text, `"withheld":true`) != 3 || strings.Contains(text, "hidden 7041") {
		t.Errorf("in quarantine:\n%s", text)
	}
}
