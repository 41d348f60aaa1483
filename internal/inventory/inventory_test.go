package inventory_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"backfill/internal/fail"
	"backfill/internal/inventory"
	"backfill/internal/objstore"
)

const schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, IntelligentTieringAccessTier"

// report writes an inventory as S3 does and returns the store of its folder.
type report struct {
	dir, dated, format, schema, bucket, created string
	files                                       map[string][]byte
}

func newReport(t testing.TB) *report {
	return &report{dir: t.TempDir(), dated: "2026-03-01T01-00Z", format: "CSV", schema: schema, bucket: "acme-archive",
		created: fmt.Sprint(time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC).UnixMilli()), files: map[string][]byte{}}
}

func (r *report) write(t testing.TB) objstore.URI {
	t.Helper()
	type file struct {
		Key         string `json:"key"`
		Size        int    `json:"size"`
		MD5checksum string
	}
	put := func(name string, body []byte) {
		path := filepath.Join(r.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var files []file
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range r.files {
			if !yield(n) {
				return
			}
		}
	}) {
		files = append(files, file{"inventories/acme-archive/daily/data/" + name, len(r.files[name]), fmt.Sprintf("%x", md5.Sum(r.files[name]))})
		put("data/"+name, r.files[name])
	}
	text, err := json.Marshal(map[string]any{"sourceBucket": r.bucket, "destinationBucket": "arn:aws:s3:::acme-inventories", "version": "2016-11-30",
		"creationTimestamp": r.created, "fileFormat": r.format, "fileSchema": r.schema, "files": files})
	if err != nil {
		t.Fatal(err)
	}
	put(r.dated+"/manifest.json", text)
	put(r.dated+"/manifest.checksum", fmt.Appendf(nil, "%x\n", md5.Sum(text)))
	uri, err := objstore.ParseURI("file://" + r.dir)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

func open(t testing.TB, uri objstore.URI) (*inventory.Report, error) {
	t.Helper()
	root, dated := inventory.Split(uri)
	store, err := objstore.Open(t.Context(), root, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return inventory.Open(t.Context(), store, dated, objstore.URI{Scheme: "s3", Bucket: "acme-archive", Key: "topics/pay"})
}

func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// csvRows are rows as S3 writes them: quoted, keys URL-encoded.
const csvRows = `"acme-archive","topics/pay/partition%3D0/pay%2B0%2B0000000000.json","","true","false","17","2026-02-28T10:00:00.000Z","0a1b","STANDARD","false",""
"acme-archive","topics/pay/partition%3D0/pay%2B0%2B0000000007+x%C3%BC.json","v2","true","false","1048576","2026-02-28T11:00:00.000Z","0a1c-2","GLACIER","true",""
"acme-archive","topics/pay/partition%3D0/pay%2B0%2B0000000007+x%C3%BC.json","v1","false","false","5","2026-02-27T11:00:00.000Z","0a1d","STANDARD","true",""
"acme-archive","topics/pay/partition%3D0/gone.json","v9","true","true","","2026-02-27T11:00:00.000Z","","","",""
"acme-archive","topics/payments/x.json","","true","false","5","2026-02-27T11:00:00.000Z","0a1e","STANDARD","false",""
"acme-archive","topics/pay/tiered.json","","true","false","6","2026-02-27T11:00:00.000Z","0a1f","INTELLIGENT_TIERING","false","DEEP_ARCHIVE"
"acme-archive","topics/pay/often.json","","true","false","7","2026-02-27T11:00:00.000Z","0a20","INTELLIGENT_TIERING","false","FREQUENT"
`

type parquetRow struct {
	Bucket   string    `parquet:"bucket"`
	Key      string    `parquet:"key"`
	Version  *string   `parquet:"version_id,optional"`
	Latest   *bool     `parquet:"is_latest,optional"`
	Marker   *bool     `parquet:"is_delete_marker,optional"`
	Size     *int64    `parquet:"size,optional"`
	Modified time.Time `parquet:"last_modified_date,optional,timestamp(millisecond)"`
	ETag     *string   `parquet:"e_tag,optional"`
	Class    *string   `parquet:"storage_class,optional"`
	Tier     *string   `parquet:"intelligent_tiering_access_tier,optional"`
}

func parquetRows(t testing.TB) []byte {
	t.Helper()
	row := func(key string, size int64, modified, etag, class, tier string, latest, marker bool) parquetRow {
		at, err := time.Parse(time.RFC3339, modified)
		if err != nil {
			t.Fatal(err)
		}
		r := parquetRow{Bucket: "acme-archive", Key: key, Size: &size, Modified: at, ETag: &etag, Class: &class, Latest: &latest, Marker: &marker}
		if tier != "" {
			r.Tier = &tier
		}
		return r
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&b)
	if _, err := w.Write([]parquetRow{ // keys are as they are
		row("topics/pay/partition=0/pay+0+0000000000.json", 17, "2026-02-28T10:00:00Z", "0a1b", "STANDARD", "", true, false),
		row("topics/pay/partition=0/pay+0+0000000007 xü.json", 1048576, "2026-02-28T11:00:00Z", "0a1c-2", "GLACIER", "", true, false),
		row("topics/pay/partition=0/pay+0+0000000007 xü.json", 5, "2026-02-27T11:00:00Z", "0a1d", "STANDARD", "", false, false),
		row("topics/pay/partition=0/gone.json", 0, "2026-02-27T11:00:00Z", "", "", "", true, true),
		row("topics/payments/x.json", 5, "2026-02-27T11:00:00Z", "0a1e", "STANDARD", "", true, false),
		row("topics/pay/tiered.json", 6, "2026-02-27T11:00:00Z", "0a1f", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", true, false),
		row("topics/pay/often.json", 7, "2026-02-27T11:00:00Z", "0a20", "INTELLIGENT_TIERING", "FREQUENT", true, false),
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const listed = `partition=0/pay+0+0000000000.json 17 0a1b 2026-02-28T10:00:00Z  <nil>
partition=0/pay+0+0000000007 xü.json 1048576 0a1c-2 2026-02-28T11:00:00Z GLACIER &{GLACIER false 0001-01-01 00:00:00 +0000 UTC}
tiered.json 6 0a1f 2026-02-27T11:00:00Z INTELLIGENT_TIERING &{DEEP_ARCHIVE_ACCESS false 0001-01-01 00:00:00 +0000 UTC}
often.json 7 0a20 2026-02-27T11:00:00Z INTELLIGENT_TIERING <nil>
`

func list(t testing.TB, r *inventory.Report) (string, error) {
	t.Helper()
	var b strings.Builder
	err := r.List(t.Context(), func(o objstore.Object) error {
		fmt.Fprintf(&b, "%s %d %s %s %s %v\n", o.Key, o.Size, o.ETag, o.Modified.Format(time.RFC3339), o.StorageClass, o.Cold)
		return nil
	})
	return b.String(), err
}

func TestReports(t *testing.T) {
	for _, format := range []string{"CSV", "Parquet"} {
		r := newReport(t)
		r.format = format
		if format == "CSV" {
			lines := strings.SplitAfter(csvRows, "\n") // two files
			r.files["a.csv.gz"], r.files["b.csv.gz"] = zipped(t, strings.Join(lines[:3], "")), zipped(t, strings.Join(lines[3:], ""))
		} else {
			r.schema, r.files["a.parquet"] = "message s3.inventory { }", parquetRows(t)
		}
		uri := r.write(t)
		if err := os.MkdirAll(filepath.Join(r.dir, "2026-03-02T01-00Z"), 0o755); err != nil { // being written: no manifest yet
			t.Fatal(err)
		}
		for _, uri := range []objstore.URI{uri, uri.Join(r.dated, "manifest.json")} {
			found, err := open(t, uri)
			if err != nil {
				t.Fatal(err)
			}
			if found.Created().Format(time.RFC3339) != "2026-03-01T01:00:00Z" || found.Created().Sub(found.Sure()) != inventory.Lag || !strings.Contains(found.String(), "2026-03-01T01-00Z/manifest.json") {
				t.Errorf("%s, sure until %s", found, found.Sure())
			}
			if got, err := list(t, found); err != nil || got != listed {
				t.Errorf("%s: %v\n%s\nwant\n%s", format, err, got, listed)
			}
		}
		found, err := open(t, uri)
		if err != nil {
			t.Fatal(err)
		}
		stop := errors.New("enough")
		if err := found.List(t.Context(), func(objstore.Object) error { return stop }); err != stop {
			t.Errorf("the callback's error came back as %v", err)
		}
	}
}

func TestReportsThatCantBeTaken(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *report)
		after  func(dir string) error
		code   fail.Code
		want   string
	}{
		{"another bucket", func(r *report) { r.bucket = "other" }, nil, fail.BadLayout, `the inventory is of bucket "other", and the archive is in "acme-archive"`},
		{"ORC", func(r *report) { r.format = "ORC" }, nil, fail.BadLayout, "the inventory's files are ORC, which is not read"},
		{"no ETag", func(r *report) { r.schema = strings.Replace(schema, "ETag, ", "", 1) }, nil, fail.BadLayout, "the inventory has no field ETag"},
		{"time", func(r *report) { r.created = "soon" }, nil, fail.BadLayout, `creationTimestamp "soon" is no number`},
		{"another prefix", func(r *report) {
			r.files["a.csv.gz"] = zipped(t, strings.ReplaceAll(csvRows, "topics/pay/", "topics/other/"))
		}, nil, fail.BadLayout, "none of the 7 rows of the inventory is below s3://acme-archive/topics/pay"},
		{"columns", func(r *report) { r.files["a.csv.gz"] = zipped(t, "a,b\n") }, nil, fail.Corrupt, "row 1: "},
		{"size", func(r *report) { r.files["a.csv.gz"] = zipped(t, strings.Replace(csvRows, `"17"`, `"x"`, 1)) }, nil, fail.Corrupt, "row 1: the size is no number"},
		{"encoding", func(r *report) { r.files["a.csv.gz"] = zipped(t, strings.Replace(csvRows, `%3D`, `%ZZ`, 1)) }, nil, fail.Corrupt, "row 1: the key is not URL-encoded"},
		{"cut", func(r *report) { r.files["a.csv.gz"] = r.files["a.csv.gz"][:100] }, nil, fail.Corrupt, "can't be read"},
		{"changed file", nil, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "data", "a.csv.gz"), zipped(t, strings.Replace(csvRows, `"17"`, `"18"`, 1)), 0o600)
		}, fail.Corrupt, "and the manifest says"},
		{"changed manifest", nil, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "2026-03-01T01-00Z", "manifest.json"), []byte("{}"), 0o600)
		}, fail.Corrupt, "and manifest.checksum says"},
		{"missing file", nil, func(dir string) error { return os.Remove(filepath.Join(dir, "data", "a.csv.gz")) }, fail.NotFoundInput, "a file of the inventory can't be read"},
		{"no manifest", nil, func(dir string) error { return os.RemoveAll(filepath.Join(dir, "2026-03-01T01-00Z")) }, fail.NotFoundInput, "no dated folder with a manifest.json is there"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newReport(t)
			r.files["a.csv.gz"] = zipped(t, csvRows)
			if test.change != nil {
				test.change(r)
			}
			uri := r.write(t)
			if test.after != nil {
				if err := test.after(r.dir); err != nil {
					t.Fatal(err)
				}
			}
			found, err := open(t, uri)
			if err == nil {
				_, err = list(t, found)
			}
			if !fail.Is(err, test.code) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s: %s", fail.CodeOf(err), err, test.code, test.want)
			}
		})
	}
}

// FuzzManifest reads manifests of any content.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"sourceBucket":"acme-archive","version":"2016-11-30","creationTimestamp":"1","fileFormat":"CSV","fileSchema":"Key, Size, LastModifiedDate, ETag, StorageClass","files":[{"key":"data/../../x"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newReport(t)
		uri := r.write(t)
		for name, text := range map[string][]byte{"manifest.json": body, "manifest.checksum": fmt.Appendf(nil, "%x", md5.Sum(body))} {
			if err := os.WriteFile(filepath.Join(r.dir, r.dated, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		found, err := open(t, uri)
		if err == nil {
			_, err = list(t, found)
		}
		if err == nil || fail.CodeOf(err) == fail.Internal {
			t.Errorf("a manifest without good files gives %v", err)
		}
	})
}
