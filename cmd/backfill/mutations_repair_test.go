package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestMutationsRepaired plants every mutation in one month and mends it from the reports alone. Without the right to delete
// what nobody archived is left, and the month stays red; with it the table is as it was. What was granted by name stays.
func TestMutationsRepaired(t *testing.T) {
	files, err := filepath.Glob(mutations + "sql/*.sql")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d mutations: %v", len(files), err)
	}
	for _, own := range []bool{true, false} {
		name := map[bool]string{true: "own", false: "foreign"}[own]
		p := newPaid(t, shared, "repaired_"+name, own)
		sound := p.inside(t)
		plant := func(t *testing.T) (planted, around []string) {
			p.restore(t)
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				p.exec(t, string(text))
			}
			p.reconcile(t)
			return p.texts(t), p.around(t)
		}
		apply := func(t *testing.T, exit int, report string, more ...string) outcome {
			t.Helper()
			return p.h.run(t, exit, append([]string{"repair", "--dataset", p.file, "--report", report, "--apply", "--approved-by", "A. Controller"}, more...)...)
		}
		t.Run(name, func(t *testing.T) {
			planted, around := plant(t)
			found := p.h.run(t, 5, p.march("--way", "archive")...)
			_, wait := p.h.start(t, p.h.env(), "repair", "--dataset", p.file, "--report", found.result.Report)
			if o := wait(); o.exit != 0 && o.exit != 5 {
				t.Fatalf("the dry run ended with %d\n%s", o.exit, o.stderr)
			}
			if now := p.texts(t); !slices.Equal(now, planted) {
				t.Fatalf("the dry run changed the table: %s", firstDifference(now, planted))
			}
			mended := apply(t, 5, found.result.Report)
			for _, b := range p.report(t, mended) {
				if b.Class != "extra" && b.Class != "duplicate" {
					t.Errorf("left without deleting: %+v", b)
				}
			}
			p.reconcile(t)
			if last := apply(t, 0, mended.result.Report, "--delete-extra"); last.result.Verdict != "RECONCILED" {
				t.Errorf("with deleting: %s", last.result.Sentence)
			}
			if now := p.inside(t); !slices.Equal(now, sound) {
				t.Errorf("the table is not what it was: %s", firstDifference(now, sound))
			}
			if now := p.around(t); len(around) == 0 || !slices.Equal(now, around) {
				t.Errorf("rows that are not the dataset's were touched: %s", firstDifference(now, around))
			}
		})
		t.Run(name+" with exceptions", func(t *testing.T) {
			plant(t)
			named := file(t, "named.yaml", `version: 1
exceptions:
  - {id: PAY-1, class: missing, keys: [pay-0100], reason: paid by cheque, owner: anna, expires: 2099-01-01}
  - {id: PAY-2, class: extra, keys: [ghost-1], reason: booked by hand, owner: anna, expires: 2099-01-01}
`)
			found := p.h.run(t, 5, p.march("--way", "archive", "--exceptions", named)...)
			last := apply(t, 0, found.result.Report, "--delete-extra")
			if last.result.Verdict != "RECONCILED WITH EXCEPTIONS" {
				t.Errorf("%s", last.result.Sentence)
			}
			var left []string
			for _, d := range p.join(t) {
				left = append(left, d.Classes[0]+" "+d.Key)
			}
			if slices.Sort(left); !slices.Equal(left, []string{"extra ghost-1", "missing pay-0100"}) {
				t.Errorf("left are %v", left)
			}
			p.h.run(t, 5, p.march("--way", "archive")...)
		})
	}
}

// TestMutationsAndErasedPeople plants every mutation beside rows of people who were erased: what is theirs is found by the
// person and by the key, and nothing that is theirs and gone.
func TestMutationsAndErasedPeople(t *testing.T) {
	files, err := filepath.Glob(mutations + "sql/*.sql")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d mutations: %v", len(files), err)
	}
	p := newPaid(t, shared, "erased_mutations", false)
	p.suppress(t, "7041", "7077")
	p.erased = "7041,7077"
	p.reconcile(t)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p.exec(t, string(text))
	}
	p.exec(t, `DELETE FROM :table WHERE id = 'pay-0041';
UPDATE :table SET id = 'ghost-9' WHERE id = 'pay-0131';
UPDATE :table SET employee_id = 7001 WHERE id = 'pay-0221';
UPDATE :table SET gross_amount = gross_amount + 1 WHERE id = 'pay-0077';
INSERT INTO :table SELECT * FROM :table WHERE id = 'pay-0167'`)
	p.reconcile(t)
}

// inside are the rows of the month that the dataset owns, in order.
func (p *paid) inside(t *testing.T) []string {
	t.Helper()
	return p.h.rows(t, "SELECT "+paidNames+" FROM "+p.table+" WHERE source = 'payroll' AND happened_at >= '2026-03-01 08:00:00' AND happened_at < '2026-04-01 07:00:00' ORDER BY "+paidOrder)
}

// around are rows that no repair of the month may touch.
func (p *paid) around(t *testing.T) []string {
	t.Helper()
	return p.h.rows(t, "SELECT "+paidNames+" FROM "+p.table+" WHERE source <> 'payroll' OR id NOT LIKE 'pay-%' AND (happened_at < '2026-03-01 08:00:00' OR happened_at >= '2026-04-01 07:00:00') ORDER BY "+paidOrder)
}

const paidOrder = "id, v, happened_at, gross_amount, note, source"

// texts are the table's rows, in order.
func (p *paid) texts(t *testing.T) []string {
	t.Helper()
	return p.h.rows(t, "SELECT "+paidNames+" FROM "+p.table+" ORDER BY "+paidOrder)
}

// TestMutationsOfTheArchive plants each fault in the archive of a table that another pipeline loaded from the sound one.
func TestMutationsOfTheArchive(t *testing.T) {
	for _, c := range []struct {
		kind string
		exit int
		rows map[string]int // by class and key
	}{
		{"reject", 6, map[string]int{"quarantined pay-0150": 1}},
		{"filter", 5, map[string]int{"filtered pay-0150": 1}},
		{"newer", 5, map[string]int{"superseded pay-0150": 1}},
		{"add", 5, map[string]int{"missing late-1": 1}},
		{"conflict", 6, map[string]int{"archive_conflict ": 1}},
		{"damage", 6, map[string]int{"damaged_object ": 1, "unknown": 39}},
		{"gap", 6, map[string]int{"unknown": 39}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			p := newPaid(t, shared, "faulty_"+c.kind, false)
			python(t, mutations+"plant.py", c.kind, p.dir, "pay-0150")
			p.mirror(t)
			o := p.h.run(t, c.exit, p.march("--way", "archive")...)
			got := map[string]int{}
			for _, b := range p.report(t, o) {
				if b.Class == "unknown" {
					got[b.Class]++
					continue
				}
				got[b.Class+" "+strings.Join(b.Key, ",")]++
			}
			if !maps.Equal(got, c.rows) {
				t.Errorf("reported %v, want %v", got, c.rows)
			}
			if c.kind != "gap" && c.kind != "damage" {
				return
			}
			// Rows of records that can't be read now are not for a repair to take away or put back.
			before := p.texts(t)
			p.exec(t, "UPDATE "+p.table+" SET note = 'newer than the archive' WHERE id = 'pay-0003'")
			changed := p.texts(t)
			if slices.Equal(before, changed) {
				t.Fatal("nothing was changed by hand")
			}
			o = p.h.run(t, 5, p.march("--way", "archive")...)
			p.h.run(t, 5, "repair", "--dataset", p.file, "--report", o.result.Report, "--apply", "--delete-extra", "--approved-by", "A. Controller")
			if now := p.texts(t); !slices.Equal(now, changed) {
				t.Errorf("the repair of a holed archive changed the table: %s", firstDifference(now, changed))
			}
		})
	}
}

// TestMutationsOfTheArchiveOfReceipts plants the same faults behind a load by this program: its receipts no longer say what
// the archive holds, and a comparison with them alone does not pass for one with the archive.
func TestMutationsOfTheArchiveOfReceipts(t *testing.T) {
	const rewritten, gone = "1 objects of the archive are new or were rewritten since the load", "1 objects that were loaded are gone from the archive or were rewritten"
	for kind, says := range map[string]string{"reject": rewritten, "filter": rewritten, "newer": rewritten, "add": rewritten, "conflict": rewritten, "damage": rewritten, "gap": gone} {
		t.Run(kind, func(t *testing.T) {
			p := newPaid(t, shared, "receipts_"+kind, true)
			python(t, mutations+"plant.py", kind, p.dir, "pay-0150")
			p.mirror(t)
			for _, way := range []string{"receipts", "auto"} {
				if o := p.h.run(t, 6, p.march("--way", way)...); !strings.Contains(o.result.Sentence, says) {
					t.Errorf("way of %s: %s", way, o.result.Sentence)
				}
			}
		})
	}
}

// TestMutationsArchivedLate archives a row and a newer version of one behind a cut-off: they are late and no breaks; the same
// without the cut-off, and a row that is missing from before it, are breaks.
func TestMutationsArchivedLate(t *testing.T) {
	p := newPaid(t, shared, "archived_late", false)
	ends := file(t, "ends.txt", python(t, mutations+"join.py", p.dir, "--ends"))
	python(t, mutations+"plant.py", "add", p.dir, "pay-0150")
	python(t, mutations+"plant.py", "newer", p.dir, "pay-0151")
	p.mirror(t)
	look := func(exit int, want []string, more ...string) {
		t.Helper()
		var got []string
		for _, b := range p.report(t, p.h.run(t, exit, p.march(append(more, "--way", "archive")...)...)) {
			got = append(got, b.Class+" "+strings.Join(b.Key, ","))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	}
	look(5, []string{"missing late-1", "superseded pay-0151"})
	look(0, []string{"late late-1", "late pay-0151"}, "--cutoff-offsets", ends)
	p.exec(t, "DELETE FROM :table WHERE id = 'pay-0031' AND source = 'payroll'")
	look(5, []string{"late late-1", "late pay-0151", "missing pay-0031"}, "--cutoff-offsets", ends)
}

// mirror makes the bucket hold what the folder holds.
func (p *paid) mirror(t *testing.T) {
	t.Helper()
	client, ctx, bucket, prefix := p.h.client(), context.Background(), "archive", p.prefix+"/"
	page, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range page.Contents {
		if _, err := os.Stat(filepath.Join(p.dir, strings.TrimPrefix(*o.Key, prefix))); os.IsNotExist(err) {
			if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: o.Key}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.upload(t)
}
