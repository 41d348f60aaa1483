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

// TestMutationsRepaired mends a month of mixed faults from its report alone: without the right to delete, the extras are
// left; with it the table is as it was.
func TestMutationsRepaired(t *testing.T) {
	for _, own := range []bool{true, false} {
		name := map[bool]string{true: "own", false: "foreign"}[own]
		t.Run(name, func(t *testing.T) {
			p := newPaid(t, shared, "repaired_"+name, own)
			sound := p.texts(t)
			text, err := os.ReadFile(mutations + "sql/mixed.sql")
			if err != nil {
				t.Fatal(err)
			}
			p.exec(t, string(text))
			planted := p.texts(t)
			found := p.h.run(t, 5, p.march("--way", "archive")...)
			repair := []string{"repair", "--dataset", p.file, "--report", found.result.Report}
			_, wait := p.h.start(t, p.h.env(), repair...)
			if o := wait(); o.exit != 0 && o.exit != 5 {
				t.Fatalf("the dry run ended with %d\n%s", o.exit, o.stderr)
			}
			if now := p.texts(t); !slices.Equal(now, planted) {
				t.Fatalf("the dry run changed the table: %s", firstDifference(now, planted))
			}
			mended := p.h.run(t, 5, append(repair, "--apply", "--approved-by", "A. Controller")...)
			for _, d := range p.join(t) {
				if !slices.Contains([]string{"extra", "duplicate"}, d.Classes[0]) {
					t.Errorf("not mended: %+v", d)
				}
			}
			t.Logf("without deleting: %s", mended.stderr)
			p.h.run(t, 0, append(repair, "--apply", "--delete-extra", "--approved-by", "A. Controller")...)
			if now := p.texts(t); !slices.Equal(now, sound) {
				t.Errorf("the table is not what it was: %s", firstDifference(now, sound))
			}
		})
	}
}

// texts are the table's rows, in order.
func (p *paid) texts(t *testing.T) []string {
	t.Helper()
	return p.h.rows(t, "SELECT "+paidNames+" FROM "+p.table+" ORDER BY id, v, happened_at, gross_amount, note, source")
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
		{"newer", 5, map[string]int{"changed pay-0150": 1}},
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
