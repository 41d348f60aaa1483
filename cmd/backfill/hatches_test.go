package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestReconvert converts anew, and later plans use what was converted then.
func TestReconvert(t *testing.T) {
	h := shared
	_, args := small(t, h, "reconverted", "--slice-days", "31", "--chunk-bytes", "16KiB")
	first := h.run(t, 0, append([]string{"run"}, args...)...)
	before := h.contents(t, "reconverted")
	o := h.run(t, 0, append([]string{"run", "--reconvert", "--reason", "a doubt"}, args...)...)
	if o.result.Seq != 2 || o.result.Converted != first.result.Chunks || o.result.Reused != 0 || !strings.Contains(notes(o), "--reconvert") {
		t.Errorf("plan %d, %d of %d chunks converted: %s", o.result.Seq, o.result.Converted, o.result.Chunks, notes(o))
	}
	if report := h.object(t, strings.TrimPrefix(o.result.Report, "s3://staging/")); !strings.Contains(report, `"reconvert"`) || !strings.Contains(report, `"reason": "a doubt"`) {
		t.Errorf("the report does not tell what was asked for:\n%s", report)
	}
	if o := h.run(t, 0, append([]string{"run", "--replan"}, args...)...); o.result.Seq != 3 || o.result.Converted != 0 {
		t.Errorf("plan %d converts %d chunks again", o.result.Seq, o.result.Converted)
	}
	if !slices.Equal(h.contents(t, "reconverted"), before) {
		t.Error("the table is not as before")
	}
	rows := h.rows(t, "SELECT seq, flags, reason FROM payroll.reconverted__backfill_ledger ORDER BY seq")
	if want := []string{"1|||", "2|reconvert|a doubt|", "3|replan||"}; !slices.Equal(rows, want) {
		t.Errorf("ledger %q", rows)
	}
}

// TestOnly converts one partition and loads one day's slice of a plan.
func TestOnly(t *testing.T) {
	h := shared
	a, args := small(t, h, "only_some", "--slice-days", "8", "--chunk-bytes", "16KiB")
	h.sql(t, "INSERT INTO payroll.only_some (event_id, type, employee_id, occurred_at, version, source) VALUES ('by-hand', 'x', 1, '2026-03-20 12:00:00', 1, 'payroll')")
	plan := h.run(t, 0, append([]string{"plan"}, args...)...).result.Plan
	o := h.run(t, 0, "convert", "--plan", plan, "--only", "payroll.events/1")
	some := o.result.Converted
	if some == 0 || some >= o.result.Chunks && o.result.Chunks == 0 {
		t.Errorf("%d chunks converted: %s", some, o.stdout)
	}
	if o := h.run(t, 6, "load", "--plan", plan); !strings.Contains(o.result.Error, "chunks are not converted yet") {
		t.Error(o.result.Error)
	}
	if o := h.run(t, 0, "convert", "--plan", plan); o.result.Reused != some || o.result.Converted == 0 {
		t.Errorf("%d converted, %d reused", o.result.Converted, o.result.Reused)
	}
	for args, want := range map[string]string{
		"load payroll.events/1": "a load changes whole days of all partitions; with the rows of some only, those of the others would be deleted",
		"load 2026-04-01":       "no slice of plan 1 holds 2026-04-01",
		"convert 2026-03-05":    "a chunk holds all days of its offsets",
	} {
		command, only, _ := strings.Cut(args, " ")
		if o := h.run(t, 2, command, "--plan", plan, "--only", only); !strings.Contains(o.result.Error, want) {
			t.Errorf("%s: %s", args, o.result.Error)
		}
	}
	if o := h.run(t, 2, "load", "--plan", plan, "--only", "2026-03-10", "--atomic"); !strings.Contains(o.result.Error, "atomic") {
		t.Error(o.result.Error)
	}
	h.run(t, 0, "load", "--plan", plan, "--only", "2026-03-10")
	days := h.rows(t, "SELECT day_from, day_to, flags FROM payroll.only_some__backfill_ledger")
	if want := []string{"2026-03-09|2026-03-17|only=2026-03-10|"}; !slices.Equal(days, want) {
		t.Errorf("ledger %q", days)
	}
	outside := h.rows(t, "SELECT event_id FROM payroll.only_some WHERE occurred_at < '2026-03-09 07:00:00' OR occurred_at >= '2026-03-17 07:00:00'")
	if want := []string{"by-hand|"}; !slices.Equal(outside, want) {
		t.Errorf("outside of the day's slice: %q", outside)
	}
	h.run(t, 0, "load", "--plan", plan, "--only", "2026-03-10") // it is done
	h.run(t, 0, "load", "--plan", plan, "--allow-vanish", "1")
	if n := h.rows(t, "SELECT COUNT(*) FROM payroll.only_some"); n[0] != fmt.Sprintf("%d|", a.truth.TableRows) {
		t.Errorf("%s rows, the truth says %d", n[0], a.truth.TableRows)
	}
}

// TestAcceptDamaged leaves an object out that can't be read. Everything says so.
func TestAcceptDamaged(t *testing.T) {
	h := shared
	ctx := context.Background()
	a, args := small(t, h, "damaged", "--slice-days", "31")
	var key string
	pages, err := h.client().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("archive"), Prefix: aws.String(a.options.Prefix + "/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range pages.Contents {
		if key == "" && strings.Contains(*o.Key, "partition=1/") {
			key = *o.Key
		}
	}
	object, err := h.client().GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("archive"), Key: &key})
	if err != nil {
		t.Fatalf("%v among %d objects", err, len(pages.Contents))
	}
	body, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.put(ctx, "archive", key, body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	o := h.run(t, 4, append([]string{"run"}, args...)...)
	if o.result.Code != "archive_damaged" || !strings.Contains(o.result.Hint, "--accept-damaged ") {
		t.Fatalf("%s: %s (%s)", o.result.Code, o.result.Error, o.result.Hint)
	}
	_, name, _ := strings.Cut(o.result.Hint, "--accept-damaged ")
	uri := "s3://archive/" + key
	accept := append([]string{"run", "--accept-damaged", strings.TrimSpace(name), "--reason", "the archiver lost it"}, args...)
	o = h.run(t, 6, accept...)
	if o.result.Verdict != "INCOMPLETE" || o.result.Seq != 2 || o.result.Inserted == 0 || o.result.Inserted >= a.truth.TableRows ||
		!strings.Contains(notes(o), "left out as damaged, its records are unknown: "+uri) {
		t.Errorf("%s, plan %d, %d rows inserted: %s", o.result.Verdict, o.result.Seq, o.result.Inserted, notes(o))
	}
	report := h.object(t, strings.TrimPrefix(o.result.Report, "s3://staging/"))
	if !strings.Contains(report, "left out as damaged (--accept-damaged), its records are unknown: "+uri) || strings.Contains(report, "are new or were rewritten") {
		t.Errorf("the report does not name the object:\n%s", report)
	}
	rows := h.rows(t, "SELECT flags, damaged_objects, reason FROM payroll.damaged__backfill_ledger")
	if want := []string{`accept_damaged=1|["` + uri + `"]|the archiver lost it|`}; !slices.Equal(rows, want) {
		t.Errorf("ledger %q", rows)
	}
	if o := h.run(t, 6, accept...); o.result.Seq != 2 || !o.result.Done {
		t.Errorf("the same command again: plan %d, done %v", o.result.Seq, o.result.Done)
	}
	if o := h.run(t, 2, append([]string{"plan", "--accept-damaged", "nowhere.json"}, args...)...); !strings.Contains(o.result.Error, "the archive lists no object nowhere.json") {
		t.Error(o.result.Error)
	}
	// Mended, it is read again.
	if err := h.put(ctx, "archive", key, body); err != nil {
		t.Fatal(err)
	}
	if o := h.run(t, 0, append([]string{"run"}, args...)...); o.result.Seq != 3 || o.result.Verdict != "RECONCILED" {
		t.Errorf("plan %d, %s", o.result.Seq, o.result.Verdict)
	}
}

// object reads an object of the staging bucket.
func (h *harness) object(t *testing.T, key string) string {
	t.Helper()
	o, err := h.client().GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("staging"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	body, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
