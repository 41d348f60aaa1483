package plan

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// vault is an S3 with archive storage classes: lists, HEAD and RestoreObject.
type vault struct {
	mu      sync.Mutex
	objects map[string]*vaulted
	asked   []string // bodies of restores, with their keys
}

type vaulted struct {
	class, tier string // storage class, archive tier of INTELLIGENT_TIERING
	size        int
	restoring   bool
	until       string // RFC 3339; "": no copy
	refuse      string // error code of a restore
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/bucket/")
	o := v.objects[key]
	answer := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>m</Message></Error>", code)
	}
	switch {
	case r.Method == "GET" && r.URL.Query().Get("list-type") == "2":
		v.list(w, r.Header.Get("x-amz-optional-object-attributes") == "RestoreStatus")
	case o == nil:
		answer(404, "NoSuchKey")
	case r.Method == "HEAD":
		h := w.Header()
		h.Set("x-amz-storage-class", o.class)
		if o.tier != "" {
			h.Set("x-amz-archive-status", o.tier)
		}
		if o.restoring {
			h.Set("x-amz-restore", `ongoing-request="true"`)
		} else if o.until != "" {
			at, _ := time.Parse(time.RFC3339, o.until)
			h.Set("x-amz-restore", `ongoing-request="false", expiry-date="`+at.Format(http.TimeFormat)+`"`)
		}
	case r.Method == "POST" && r.URL.Query().Has("restore"):
		body, _ := io.ReadAll(r.Body)
		var request struct {
			Days int
			Tier string `xml:"GlacierJobParameters>Tier"`
		}
		_ = xml.Unmarshal(body, &request)
		v.asked = append(v.asked, fmt.Sprintf("%s %s %d", key, request.Tier, request.Days))
		switch {
		case o.refuse != "":
			answer(map[string]int{"GlacierExpeditedRetrievalNotAvailable": 503, "AccessDenied": 403, "InvalidObjectState": 403}[o.refuse], o.refuse)
		case o.restoring:
			answer(409, "RestoreAlreadyInProgress")
		default:
			o.restoring = true
			w.WriteHeader(202)
		}
	default:
		answer(405, "MethodNotAllowed")
	}
}

func (v *vault) list(w io.Writer, status bool) {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(v.objects)) {
		o := v.objects[key]
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><LastModified>2026-03-05T10:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>%d</Size><StorageClass>%s</StorageClass>", key, o.size, o.class)
		if status && (o.restoring || o.until != "") {
			fmt.Fprintf(&b, "<RestoreStatus><IsRestoreInProgress>%t</IsRestoreInProgress>", o.restoring)
			if !o.restoring {
				fmt.Fprintf(&b, "<RestoreExpiryDate>%s</RestoreExpiryDate>", o.until)
			}
			b.WriteString("</RestoreStatus>")
		}
		b.WriteString("</Contents>")
	}
	fmt.Fprintf(w, "<ListBucketResult><IsTruncated>false</IsTruncated>%s</ListBucketResult>", b.String())
}

// open returns a planner of the vault that has listed it, and its chunks.
func (v *vault) open(t *testing.T) (*planner, []runplan.Chunk) { return v.openBy(t, "") }

// openBy is open with further keys of the dataset's archive.
func (v *vault) openBy(t *testing.T, keys string) (*planner, []runplan.Chunk) {
	t.Helper()
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		t.Setenv(name, value)
	}
	text := "version: 1\nname: x\narchive: {uri: 's3://bucket/pay', layout: confluent" + keys + "}\nrecords: {event_time: none}\ncolumns: [{name: id, type: bigint, from: value.id, required: true}]\ntable: {name: a.b, mode: append, scope: all}\n"
	ds, err := dataset.Compile("x.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	openStore := func(text string) (*objstore.Store, objstore.URI) {
		uri, err := objstore.ParseURI(text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := objstore.Open(context.Background(), uri, objstore.Options{MaxAttempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		return s, uri
	}
	w := &workspace.Workspace{Dataset: ds}
	w.Archive, _ = openStore(ds.Archive.URI)
	staging, uri := openStore("file://" + t.TempDir())
	w.Runs = runstore.New(staging, uri)
	w.Now = func() time.Time { return time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC) }
	p := &planner{w: w}
	if p.now, err = w.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, runplan.Cut(p.now.Objects, 1, runplan.Basis{})
}

func named(n int) string { return fmt.Sprintf("pay/pay/partition=0/pay+0+%d.json", n) }

func newVault(objects ...vaulted) *vault {
	v := &vault{objects: map[string]*vaulted{}}
	for i, o := range objects {
		v.objects[named(i)] = &o
	}
	return v
}

func TestColdObjectsAreRefused(t *testing.T) {
	const gib = 1 << 30
	v := newVault(vaulted{class: "STANDARD", size: 5}, vaulted{class: "GLACIER", size: 10 * gib}, vaulted{class: "DEEP_ARCHIVE", size: 2 * gib},
		vaulted{class: "GLACIER_IR", size: 5}, vaulted{class: "INTELLIGENT_TIERING", size: 7}, vaulted{class: "INTELLIGENT_TIERING", tier: "ARCHIVE_ACCESS", size: 9},
		vaulted{class: "GLACIER", size: 3 * gib, until: "2026-04-05T00:00:00Z"}, vaulted{class: "GLACIER", size: gib, restoring: true}, vaulted{class: "GLACIER", size: gib, until: "2026-03-31T00:00:00Z"})
	p, chunks := v.open(t)
	err := p.readableNow(t.Context(), chunks, &Result{})
	// 11 GiB Glacier, 2 GiB Deep Archive and 9 bytes of a tier that nobody asked for; one more is being restored.
	want := "s3://bucket/pay: 5 objects with 15032385545 bytes can't be read before they are restored (ARCHIVE_ACCESS: 1, GLACIER: 3, DEEP_ARCHIVE: 1); " +
		"about, by list prices of us-east-1 with copies for 7 days: bulk $0.08, ready after about 48 hours; standard $0.22, ready after about 12 hours; expedited $0.47, ready after about 12 hours"
	if !fail.Is(err, fail.Cold) || err.Error() != want || !strings.Contains(fail.HintOf(err), "--restore") || fail.ExitOf(err) != fail.ExitData {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if len(v.asked) > 0 {
		t.Errorf("asked for %q", v.asked)
	}
}

// TestColdSideFiles: side files that are joined are refused and restored as the
// objects beside them are; those that are ignored may stay cold.
func TestColdSideFiles(t *testing.T) {
	v := newVault(vaulted{class: "STANDARD", size: 5})
	keys := strings.Replace(named(0), ".json", ".keys.json", 1)
	v.objects[keys] = &vaulted{class: "GLACIER", size: 7}
	p, chunks := v.openBy(t, ", ignore: [keys]")
	if err := p.readableNow(t.Context(), chunks, &Result{}); err != nil {
		t.Errorf("ignored: %v", err)
	}
	p, chunks = v.openBy(t, ", join: [keys]")
	if err := p.readableNow(t.Context(), chunks, &Result{}); !fail.Is(err, fail.Cold) || !strings.Contains(err.Error(), "1 objects with 7 bytes can't be read before they are restored (GLACIER: 1)") {
		t.Errorf("joined: %v", err)
	}
	p.o.Restore = &Restore{Tier: objstore.Standard, Days: 3}
	if err := p.readableNow(t.Context(), chunks, &Result{}); !fail.Is(err, fail.Restoring) || !slices.Equal(v.asked, []string{keys + " Standard 3"}) {
		t.Errorf("restored %q: %v", v.asked, err)
	}
}

// TestRestore asks once for each object, and the same command waits, then goes on.
func TestRestore(t *testing.T) {
	v := newVault(vaulted{class: "GLACIER", size: 10}, vaulted{class: "DEEP_ARCHIVE", size: 20}, vaulted{class: "INTELLIGENT_TIERING", tier: "DEEP_ARCHIVE_ACCESS", size: 30}, vaulted{class: "STANDARD", size: 1})
	p, chunks := v.open(t)
	p.o.Restore = &Restore{Tier: objstore.Expedited, Days: 3}
	err := p.readableNow(t.Context(), chunks, &Result{})
	if !fail.Is(err, fail.Restoring) || fail.ExitOf(err) != fail.ExitEnvironment || !strings.Contains(err.Error(), "3 objects with 60 bytes are being restored (GLACIER: 1, DEEP_ARCHIVE_ACCESS: 1, DEEP_ARCHIVE: 1), 3 of them by this command") {
		t.Errorf("%v", err)
	}
	slices.Sort(v.asked)
	want := []string{named(0) + " Expedited 3", named(1) + " Standard 3", named(2) + " Standard 0"} // the deep ones have no expedited restore
	if !slices.Equal(v.asked, want) {
		t.Errorf("asked for %q, want %q", v.asked, want)
	}
	// With what the first try knew the second one meets restores that are going on.
	p.o.Restore = &Restore{Tier: objstore.Bulk, Days: 3}
	if err := p.readableNow(t.Context(), chunks, &Result{}); !fail.Is(err, fail.Restoring) || !strings.Contains(err.Error(), "0 of them by this command") {
		t.Errorf("%v", err)
	}
	// Listed anew nothing is asked for; without --restore the same code says wait.
	v.asked = nil
	p, chunks = v.open(t)
	if err := p.readableNow(t.Context(), chunks, &Result{}); !fail.Is(err, fail.Restoring) || v.asked != nil {
		t.Errorf("%v, asked for %q", err, v.asked)
	}
	// Copies are there: the plan goes on, and says until when.
	for _, o := range v.objects {
		o.restoring, o.tier = false, ""
		if o.class != "STANDARD" && o.class != "INTELLIGENT_TIERING" {
			o.until = "2026-04-02T00:00:00Z"
		}
	}
	p, chunks = v.open(t)
	r := &Result{}
	if err := p.readableNow(t.Context(), chunks, r); err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "only until 2026-04-02T00:00:00Z") {
		t.Errorf("%v, notes %q", err, r.Notes)
	}
}

// TestConvertedChunksNeedNoRestore: their objects are not read again.
func TestConvertedChunksNeedNoRestore(t *testing.T) {
	v := newVault(vaulted{class: "GLACIER", size: 10}, vaulted{class: "STANDARD", size: 20})
	p, chunks := v.open(t)
	if _, err := p.w.Runs.PutChunkReceipt(t.Context(), &runplan.ChunkReceipt{Format: runplan.Format, Chunk: chunks[0].ID, Attempt: "a", Converter: runplan.Converter, Partition: chunks[0].Partition, Counts: account.NewChunk()}); err != nil {
		t.Fatal(err)
	}
	if err := p.readableNow(t.Context(), chunks, &Result{}); err != nil {
		t.Error(err)
	}
}

func TestRestoresThatFail(t *testing.T) {
	for code, want := range map[string]struct {
		code fail.Code
		text string
	}{
		"GlacierExpeditedRetrievalNotAvailable": {fail.Throttled, "no capacity for expedited restores"},
		"AccessDenied":                          {fail.Permission, "s3:RestoreObject on arn:aws:s3:::bucket/" + named(0)},
		"InvalidObjectState":                    {fail.Restoring, "0 of them by this command"}, // it was moved back meanwhile: the next listing knows
	} {
		v := newVault(vaulted{class: "GLACIER", size: 10, refuse: code})
		p, chunks := v.open(t)
		p.o.Restore = &Restore{Tier: objstore.Expedited, Days: 1}
		if err := p.readableNow(t.Context(), chunks, &Result{}); !fail.Is(err, want.code) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %s: %v", code, fail.CodeOf(err), err)
		}
	}
}
