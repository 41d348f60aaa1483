// Package inventory reads a report of S3 Inventory as a listing: a manifest and
// CSV or Parquet files that a daily or weekly job of S3 writes.
//
//	<folder>/2026-03-01T00-00Z/manifest.json, manifest.checksum
//	<folder>/data/<name>.csv.gz
//
// A report is never newer than its manifest says, and S3 promises only that what
// was written some time before is in it; Sure says up to when it is taken for
// complete. archive combines it with the folders that may be newer. The form is
// that of the Amazon S3 User Guide, "Locating your inventory list".
package inventory

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

const (
	maxManifest = 64 << 20
	maxFiles    = 1_000_000
	maxReports  = 10_000 // dated folders that are looked through

	// Lag is how long before its manifest's time a report is taken for complete.
	// S3 says that it is eventually consistent and gives no time.
	Lag = 24 * time.Hour
)

// Store holds the report: objstore.Store rooted at the folder that has the dated
// folders and data/.
type Store interface {
	Folder(ctx context.Context, dir string, object func(objstore.Object) error, folder func(dir string) error) error
	ReadAll(ctx context.Context, key string, limit int64) ([]byte, objstore.Object, error)
	Get(ctx context.Context, key string, match objstore.Object) (io.ReadCloser, error)
	URI(key string) objstore.URI
}

// Report is one inventory of a bucket. It is safe for concurrent use.
type Report struct {
	store   Store
	uri     objstore.URI // of the manifest
	root    objstore.URI // what is listed
	created time.Time
	format  string
	columns []string
	files   []file
}

type file struct {
	Key         string `json:"key"`
	Size        int64  `json:"size"`
	MD5checksum string `json:"MD5checksum"`
}

type manifest struct {
	SourceBucket      string `json:"sourceBucket"`
	Version           string `json:"version"`
	CreationTimestamp string `json:"creationTimestamp"` // milliseconds since 1970
	FileFormat        string `json:"fileFormat"`
	FileSchema        string `json:"fileSchema"`
	Files             []file `json:"files"`
}

const manifestName = "manifest.json"

// Split cuts the URI that a dataset names into the store's root and the name of
// the dated folder, which is "" where the newest is to be taken.
func Split(uri objstore.URI) (root objstore.URI, dated string) {
	rest, is := strings.CutSuffix(uri.Key, "/"+manifestName)
	if !is {
		return uri, ""
	}
	dir, dated := path.Split(rest)
	uri.Key = strings.TrimSuffix(dir, "/")
	return uri, dated
}

// Open reads the manifest in the dated folder, or the newest, of an inventory of
// the root's bucket. fail.BadLayout: it is no inventory of this bucket, or one
// that can't be read; fail.Corrupt: a checksum is wrong.
func Open(ctx context.Context, store Store, dated string, root objstore.URI) (*Report, error) {
	if dated == "" {
		var err error
		if dated, err = newest(ctx, store); err != nil {
			return nil, err
		}
	}
	r := &Report{store: store, root: root, uri: store.URI(dated + "/" + manifestName)}
	text, _, err := store.ReadAll(ctx, dated+"/"+manifestName, maxManifest)
	if err != nil {
		return nil, err
	}
	if err := r.checkSum(ctx, dated, text); err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fail.Wrap(err, fail.BadLayout, "the manifest is no JSON of an S3 inventory").At("%s", r.uri).Try("name the manifest.json of an inventory, or the folder above its dated folders")
	}
	if err := r.take(m); err != nil {
		return nil, err
	}
	return r, nil
}

// newest returns the last dated folder that has a manifest.
func newest(ctx context.Context, store Store) (string, error) {
	var dated []string
	err := store.Folder(ctx, "", func(objstore.Object) error { return nil }, func(dir string) error {
		name := strings.TrimSuffix(dir, "/")
		if _, err := time.Parse("2006-01-02T15-04Z", name); err == nil {
			dated = append(dated, name)
		}
		if len(dated) > maxReports {
			return fail.New(fail.Memory, "the inventory has more than %d dated folders", maxReports).At("%s", store.URI("")).Try("name the manifest.json itself")
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	slices.Sort(dated)
	for _, name := range slices.Backward(dated) {
		switch _, _, err := store.ReadAll(ctx, name+"/"+manifestName, maxManifest); {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
	}
	return "", fail.New(fail.NotFoundInput, "no dated folder with a manifest.json is there").At("%s", store.URI("")).
		Try("archive.inventory.uri is the folder <prefix>/<source bucket>/<id of the inventory>, or a manifest.json; the first report comes up to 48 hours after an inventory is set up")
}

// checkSum compares the manifest with manifest.checksum, the MD5 of its bytes.
func (r *Report) checkSum(ctx context.Context, dated string, text []byte) error {
	want, _, err := r.store.ReadAll(ctx, dated+"/manifest.checksum", 1024)
	if err != nil {
		return fail.Wrap(err, fail.CodeOf(err), "the manifest's checksum can't be read").Try("copy manifest.checksum, too")
	}
	sum := md5.Sum(text)
	if got := hex.EncodeToString(sum[:]); got != strings.TrimSpace(string(want)) {
		return fail.New(fail.Corrupt, "the manifest has MD5 %s, and manifest.checksum says %.40q", got, want).At("%s", r.uri).Try("take another report")
	}
	return nil
}

// take checks what the manifest says.
func (r *Report) take(m manifest) error {
	bad := func(hint, format string, args ...any) error {
		return fail.New(fail.BadLayout, format, args...).At("%s", r.uri).Try("%s", hint)
	}
	millis, err := strconv.ParseInt(m.CreationTimestamp, 10, 64)
	switch {
	case m.Version != "2016-11-30":
		return bad("", "the inventory has version %.40q; 2016-11-30 can be read", m.Version)
	case err != nil || millis <= 0:
		return bad("", "the inventory's creationTimestamp %.40q is no number of milliseconds", m.CreationTimestamp)
	case r.root.Scheme == objstore.SchemeS3 && m.SourceBucket != r.root.Bucket:
		return bad("name an inventory of the archive's bucket", "the inventory is of bucket %q, and the archive is in %q", m.SourceBucket, r.root.Bucket)
	case m.FileFormat == "ORC":
		return bad("have S3 write CSV or Parquet", "the inventory's files are ORC, which is not read")
	case m.FileFormat != "CSV" && m.FileFormat != "Parquet":
		return bad("have S3 write CSV or Parquet", "the inventory's files are %.40q, which is not known", m.FileFormat)
	case len(m.Files) > maxFiles:
		return bad("", "the inventory has %d files, more than %d", len(m.Files), maxFiles)
	}
	if m.FileFormat == "CSV" {
		for name := range strings.SplitSeq(m.FileSchema, ",") {
			r.columns = append(r.columns, strings.TrimSpace(name))
		}
		for _, name := range needed {
			if !slices.Contains(r.columns, name) {
				return bad(neededHint, "the inventory has no field %s", name)
			}
		}
	}
	r.created, r.format, r.files = time.UnixMilli(millis).UTC(), m.FileFormat, m.Files
	return nil
}

const neededHint = "add Size, Last modified, ETag and Storage class to the inventory's configuration; the next report has them"

// Created is when S3 began the report.
func (r *Report) Created() time.Time { return r.created }

// Sure is the time of which nothing that was written before it is missing.
func (r *Report) Sure() time.Time { return r.created.Add(-Lag) }

// Tiers reports whether it knows the access tiers of INTELLIGENT_TIERING. Parquet
// files say it themselves, and are taken not to.
func (r *Report) Tiers() bool { return slices.Contains(r.columns, "IntelligentTieringAccessTier") }

// String names the report for people.
func (r *Report) String() string {
	return fmt.Sprintf("inventory of %s: %s", r.created.Format(time.RFC3339), r.uri)
}
