package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/s3d"
)

// coldMonth is a generated month whose objects a test moves into cold storage, and the flags of a table for it.
type coldMonth struct {
	t       *testing.T
	h       *harness
	flags   []string
	prefix  string
	objects int
	bytes   int64
}

func newColdMonth(t *testing.T, table string) *coldMonth {
	t.Helper()
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 71, Events: 90, Partitions: 2, EventsPerObject: 15})
	f := &coldMonth{t: t, h: h, flags: append(a.window(), h.table(t, table)...), prefix: prefixOf(t)}
	page, err := h.client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("archive"), Prefix: aws.String(f.prefix + "/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range page.Contents {
		f.objects++
		f.bytes += aws.ToInt64(o.Size)
	}
	if f.objects < 4 {
		t.Fatalf("%d objects are too few for this test", f.objects)
	}
	return f
}

func (f *coldMonth) cool(c s3d.Cooling) []s3d.Cooled {
	f.t.Helper()
	c.Bucket, c.Prefix = "archive", f.prefix+"/"+c.Prefix
	cooled, err := f.h.s3.Cool(context.Background(), c)
	if err != nil {
		f.t.Fatal(err)
	}
	return cooled
}

// do runs a command on the month and demands an exit code, a code and texts in the error and its hint.
func (f *coldMonth) do(command string, exit int, code string, says []string, more ...string) outcome {
	f.t.Helper()
	o := f.h.run(f.t, exit, append(append([]string{command}, f.flags...), more...)...)
	if o.result.Code != code {
		f.t.Errorf("%s: code %q, want %q: %s", command, o.result.Code, code, o.result.Error)
	}
	for _, text := range says {
		if !strings.Contains(o.result.Error+"\n"+o.result.Hint, text) {
			f.t.Errorf("%s does not say %q:\n%s\n%s", command, text, o.result.Error, o.result.Hint)
		}
	}
	return o
}

// requests counts the restores that the store is asked for, and answers those that a test wants to fail.
func (f *coldMonth) requests(action s3d.Action) func() int {
	var mu sync.Mutex
	count := 0
	f.h.watch(f.t, func(op s3d.Op) s3d.Action {
		if op.Kind != "RestoreObject" || op.Phase != s3d.Before {
			return s3d.Continue
		}
		mu.Lock()
		defer mu.Unlock()
		count++
		return action
	}, nil)
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		n := count
		count = 0
		return n
	}
}

// TestArchivedMonth goes through all classes that must be restored: a plan is refused with the bill, asks when it is
// told to, once for each object, waits, and the rows are those of the month that was never archived.
func TestArchivedMonth(t *testing.T) {
	for _, test := range []struct{ class, tier, named string }{
		{"GLACIER", "", "GLACIER"}, {"DEEP_ARCHIVE", "", "DEEP_ARCHIVE"},
		{"INTELLIGENT_TIERING", "ARCHIVE_ACCESS", "ARCHIVE_ACCESS"}, {"INTELLIGENT_TIERING", "DEEP_ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"},
	} {
		t.Run(test.named, func(t *testing.T) {
			warm, cold := "warm_"+strings.ToLower(test.named), "cold_"+strings.ToLower(test.named)
			f := newColdMonth(t, warm)
			f.do("run", 0, "", nil)
			want := f.h.contents(t, warm)
			f.flags = append(f.flags[:len(f.flags)-4], f.h.table(t, cold)...)
			f.cool(s3d.Cooling{Class: test.class, Tier: test.tier})

			asked := f.requests(s3d.Continue)
			bill := []string{fmt.Sprintf("%d objects with %d bytes can't be read", f.objects, f.bytes), fmt.Sprintf("(%s: %d)", test.named, f.objects),
				"bulk $0.0", "standard $0.0", "backfill plan … --restore", "s3:RestoreObject"}
			f.do("plan", 4, "archive_cold", bill)
			f.do("run", 4, "archive_cold", bill[:3])
			if n := asked(); n != 0 {
				t.Errorf("%d restores were asked for that nobody ordered", n)
			}
			going := fmt.Sprintf("%d objects with %d bytes are being restored (%s: %d)", f.objects, f.bytes, test.named, f.objects)
			f.do("plan", 3, "restoring", []string{going, fmt.Sprintf("%d of them by this command", f.objects), "run the same command again later"}, "--restore")
			if n := asked(); n != f.objects {
				t.Errorf("%d restores were asked for, want %d", n, f.objects)
			}
			f.do("plan", 3, "restoring", []string{going, "0 of them by this command"}, "--restore")
			f.do("plan", 3, "restoring", []string{going})
			f.do("run", 3, "restoring", []string{going})
			for _, o := range f.cool(s3d.Cooling{}) {
				if !o.Restoring {
					t.Errorf("%+v is not being restored", o)
				}
			}
			f.cool(s3d.Cooling{Finish: true})
			asked()
			if o := f.do("plan", 0, "", nil, "--restore"); o.result.Objects != f.objects {
				t.Errorf("%d objects are planned, want %d", o.result.Objects, f.objects)
			}
			f.do("run", 0, "", nil)
			if n := asked(); n != 0 {
				t.Errorf("%d restores of what can be read", n)
			}
			if got := f.h.contents(t, cold); len(got) == 0 || !slices.Equal(got, want) {
				t.Errorf("%d rows, want %d that are the same", len(got), len(want))
			}
		})
	}
}

// Classes that can be read at once are read at once, and one cold object among them is enough to stop.
func TestReadableClasses(t *testing.T) {
	f := newColdMonth(t, "instant")
	for _, class := range []string{"STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"} {
		f.cool(s3d.Cooling{Class: class})
		f.do("plan", 0, "", nil)
	}
	one := f.cool(s3d.Cooling{})[0]
	f.cool(s3d.Cooling{Prefix: strings.TrimPrefix(one.Key, f.prefix+"/"), Class: "DEEP_ARCHIVE"})
	f.do("plan", 4, "archive_cold", []string{"1 objects with ", "(DEEP_ARCHIVE: 1)"}, "--replan")
	f.cool(s3d.Cooling{Class: "GLACIER_IR"})
	f.do("run", 0, "", nil)
	if rows := f.h.rows(t, "SELECT COUNT(*) FROM payroll.instant"); rows[0] == "0|" {
		t.Error("nothing was loaded")
	}
}

func TestRestoreIsRefused(t *testing.T) {
	f := newColdMonth(t, "refused")
	f.cool(s3d.Cooling{Class: "GLACIER"})
	f.requests(s3d.Denied403)
	f.do("plan", 3, "permission", []string{"s3:RestoreObject on arn:aws:s3:::archive/" + f.prefix, "is not allowed", "allow it to the role in use"}, "--restore")
	f.requests(s3d.NoExpedited503)
	f.do("plan", 3, "throttled", []string{"S3 has no capacity for expedited restores now", "or with --restore-tier standard"}, "--restore", "--restore-tier", "expedited")
	for _, o := range f.cool(s3d.Cooling{}) {
		if o.Restoring {
			t.Errorf("%+v", o)
		}
	}
	f.h.unwatch()
	f.do("plan", 3, "restoring", []string{fmt.Sprintf("%d of them by this command", f.objects)}, "--restore", "--restore-tier", "expedited")
}

// TestLostRestore kills the answers of restores: the same command finds what is going on and asks for the rest.
func TestLostRestore(t *testing.T) {
	f := newColdMonth(t, "lost")
	f.cool(s3d.Cooling{Class: "DEEP_ARCHIVE"})
	var mu sync.Mutex
	count := 0
	f.h.watch(t, func(op s3d.Op) s3d.Action {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind != "RestoreObject" || op.Phase != s3d.After {
			return s3d.Continue
		}
		if count++; count > 2 {
			return s3d.Denied403
		}
		return s3d.Cut
	}, nil)
	f.do("plan", 3, "permission", []string{"restores were asked for", "asking again is harmless"}, "--restore")
	f.h.unwatch()
	f.do("plan", 3, "restoring", []string{fmt.Sprintf("%d objects with %d bytes are being restored", f.objects, f.bytes)}, "--restore")
	for _, o := range f.cool(s3d.Cooling{Finish: true}) {
		if o.Until.IsZero() {
			t.Errorf("%+v was not restored", o)
		}
	}
	f.do("run", 0, "", nil)
}

// TestArchivedAfterPlan is of objects that could be read when the plan was sealed: restored copies that expire, and
// objects that a lifecycle rule moves. The error names the object and how it is restored.
func TestArchivedAfterPlan(t *testing.T) {
	f := newColdMonth(t, "expired")
	f.cool(s3d.Cooling{Class: "GLACIER"})
	f.do("plan", 3, "restoring", nil, "--restore", "--restore-days", "1")
	f.cool(s3d.Cooling{Finish: true})
	plan := f.do("plan", 0, "", nil).result.Plan
	convert := func(exit int) outcome { return f.h.run(t, exit, "convert", "--plan", plan) }
	unreadable := func(when string, exit int) {
		t.Helper()
		o := convert(exit)
		text := o.result.Error + "\n" + o.result.Hint
		for _, want := range []string{"s3://archive/" + f.prefix + "/", "the object is in an archive storage class and can't be read", "backfill plan --restore with the same dataset and window"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: convert does not say %q:\n%s", when, want, text)
			}
		}
		if o.result.Code != "archive_cold" {
			t.Errorf("%s: %s", when, o.result.Code)
		}
	}
	f.cool(s3d.Cooling{Expire: true})
	unreadable("the copies have expired", 4)
	f.cool(s3d.Cooling{Class: "INTELLIGENT_TIERING", Tier: "DEEP_ARCHIVE_ACCESS"})
	unreadable("a rule has moved them", 4)

	// What the hint says helps, and the sealed plan goes on.
	f.do("plan", 3, "restoring", nil, "--restore")
	f.cool(s3d.Cooling{Finish: true})
	convert(0)
	f.do("run", 0, "", nil)

	// What was loaded is not read again; a comparison with the archive itself reads it.
	f.cool(s3d.Cooling{Class: "DEEP_ARCHIVE"})
	f.do("run", 0, "", nil)
	f.do("reconcile", 0, "", nil)
	f.do("reconcile", 4, "archive_cold", []string{"s3://archive/" + f.prefix + "/", "backfill plan --restore"}, "--way", "archive")
}

// TestListingsAskForRestores holds the product to one listing for what it can learn by it: no HEAD of each object.
func TestListingsAskForRestores(t *testing.T) {
	f := newColdMonth(t, "lists")
	f.cool(s3d.Cooling{Class: "GLACIER"})
	f.do("plan", 3, "restoring", nil, "--restore")
	var mu sync.Mutex
	heads, lists := 0, 0
	f.h.watch(t, func(op s3d.Op) s3d.Action {
		mu.Lock()
		defer mu.Unlock()
		if op.Phase == s3d.Before && op.Bucket == "archive" {
			query, _ := url.ParseQuery(op.Query)
			switch {
			case op.Kind == "HeadObject":
				heads++
			case op.Kind == "ListObjectsV2" && strings.HasPrefix(query.Get("prefix"), f.prefix):
				lists++
			}
		}
		return s3d.Continue
	}, nil)
	f.do("plan", 3, "restoring", nil)
	if heads != 0 || lists == 0 {
		t.Errorf("%d HEADs and %d listings, want listings alone", heads, lists)
	}
}
