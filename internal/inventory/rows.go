package inventory

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/format"
	"backfill/internal/objstore"
)

// maxRow is the longest row: a key has at most 1,024 bytes, which CSV may spell
// with three each, and the other fields are short.
const maxRow = 1 << 20

// needed are the fields that a plan needs, as CSV manifests name them.
var needed = []string{"Key", "Size", "LastModifiedDate", "ETag", "StorageClass"}

// row is one version of an object.
type row struct {
	key, etag, class, tier string
	size                   int64
	modified               time.Time
	old                    bool // a delete marker, or not the latest version
}

// List calls fn for every object under the root, keys relative to it, in no
// order. It fails with fail.BadLayout where there is none: a report may be of
// another prefix.
func (r *Report) List(ctx context.Context, fn func(objstore.Object) error) error {
	prefix := r.root.Key
	if prefix != "" {
		prefix += "/"
	}
	found, rows := 0, 0
	for _, f := range r.files {
		err := r.read(ctx, f, func(o row) error {
			rows++
			key, below := strings.CutPrefix(o.key, prefix)
			if !below || o.old {
				return nil
			}
			found++
			return fn(o.object(key))
		})
		if err != nil {
			return err
		}
	}
	if found == 0 {
		return fail.New(fail.BadLayout, "none of the %d rows of the inventory is below %s", rows, r.root).At("%s", r.uri).
			Try("the inventory may be limited to another prefix; name one that covers archive.uri")
	}
	return nil
}

// tiers are the archive tiers of INTELLIGENT_TIERING, as an inventory spells
// them.
var tiers = map[string]objstore.Class{"ARCHIVE": objstore.ArchiveAccess, "DEEP_ARCHIVE": objstore.DeepArchiveAccess}

// object is the row as a listing would tell it. A report does not know restores.
func (o row) object(key string) objstore.Object {
	out := objstore.Object{Key: key, Size: o.size, ETag: strings.Trim(o.etag, `"`), Modified: o.modified, StorageClass: o.class}
	if tier, cold := tiers[o.tier]; cold {
		out.Cold = &objstore.Cold{Class: tier}
	} else if c := objstore.Class(o.class); c == objstore.Glacier || c == objstore.DeepArchive {
		out.Cold = &objstore.Cold{Class: c}
	}
	return out
}

// read reads one file and compares its checksum.
func (r *Report) read(ctx context.Context, f file, fn func(row) error) (err error) {
	name := path.Base(f.Key)
	if !strings.HasSuffix(f.Key, "data/"+name) {
		return fail.New(fail.BadLayout, "the file %.200q is not in a folder data/", f.Key).At("%s", r.uri)
	}
	key := "data/" + name
	body, err := r.store.Get(ctx, key, objstore.Object{})
	if err != nil {
		return fail.Wrap(err, fail.CodeOf(err), "a file of the inventory can't be read").Try("reports are often deleted after some days: take a newer one")
	}
	defer func() {
		if e := body.Close(); err == nil {
			err = e
		}
	}()
	sum := md5.New()
	text := io.TeeReader(body, sum)
	if err := r.rows(text, fn); err != nil {
		var stop *callback
		if errors.As(err, &stop) {
			return stop.error
		}
		return fail.Wrap(err, fail.Corrupt, "a file of the inventory can't be read").At("%s", r.store.URI(key)).Try("take another report")
	}
	if _, err := io.Copy(io.Discard, text); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, f.MD5checksum) {
		return fail.New(fail.Corrupt, "the file has MD5 %s, and the manifest says %.40q", got, f.MD5checksum).At("%s", r.store.URI(key)).Try("take another report")
	}
	return nil
}

// callback carries an error that is none of the inventory's.
type callback struct{ error }

// rows reads the rows of a file.
func (r *Report) rows(text io.Reader, fn func(row) error) error {
	var records decode.Records
	switch r.format {
	case "CSV":
		plain, err := gzip.NewReader(text)
		if err != nil {
			return err
		}
		records = format.NewCSV(plain, format.CSV{Columns: r.columns}, format.Limits{RecordBytes: maxRow})
	default:
		file, err := format.NewParquet(text, format.Limits{RecordBytes: maxRow})
		if err != nil {
			return err
		}
		defer file.Close()
		records = file
	}
	var buf []byte
	for n := 1; ; n++ {
		var err error
		buf, err = records.Next(buf[:0])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		var o row
		if r.format == "CSV" {
			o, err = rowOfCSV(buf)
		} else {
			o, err = rowOfParquet(buf)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if err := fn(o); err != nil {
			return &callback{err}
		}
	}
}

// rowOfCSV reads a row of texts. Keys are URL-encoded there, a space as a plus.
func rowOfCSV(text []byte) (row, error) {
	var in struct {
		Key, Size, LastModifiedDate, ETag, StorageClass, IsLatest, IsDeleteMarker string
		Tier                                                                      string `json:"IntelligentTieringAccessTier"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return row{}, err
	}
	o := row{etag: in.ETag, class: in.StorageClass, tier: in.Tier, old: in.IsLatest == "false" || in.IsDeleteMarker == "true"}
	var err error
	if o.key, err = url.QueryUnescape(in.Key); err != nil {
		return row{}, fmt.Errorf("the key is not URL-encoded: %w", err)
	}
	if o.old {
		return o, nil // a delete marker has no size
	}
	if o.size, err = strconv.ParseInt(in.Size, 10, 64); err != nil {
		return row{}, fmt.Errorf("the size is no number: %w", err)
	}
	return o.checked(in.LastModifiedDate)
}

// rowOfParquet reads a row of typed values.
func rowOfParquet(text []byte) (row, error) {
	var in struct {
		Key            *string `json:"key"`
		Size           *int64  `json:"size"`
		Modified       *string `json:"last_modified_date"`
		ETag           *string `json:"e_tag"`
		Class          *string `json:"storage_class"`
		IsLatest       *bool   `json:"is_latest"`
		IsDeleteMarker *bool   `json:"is_delete_marker"`
		Tier           *string `json:"intelligent_tiering_access_tier"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return row{}, err
	}
	value := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	o := row{key: value(in.Key), etag: value(in.ETag), class: value(in.Class), tier: value(in.Tier),
		old: in.IsLatest != nil && !*in.IsLatest || in.IsDeleteMarker != nil && *in.IsDeleteMarker}
	if o.old {
		return o, nil
	}
	if in.Size == nil {
		return row{}, fmt.Errorf("it has no size: %s", neededHint)
	}
	o.size = *in.Size
	return o.checked(value(in.Modified))
}

// checked refuses a row that lacks what a plan needs.
func (o row) checked(modified string) (row, error) {
	at, err := time.Parse(time.RFC3339, modified)
	switch {
	case o.key == "" || o.size < 0:
		return row{}, errors.New("it has no key, or a negative size")
	case o.etag == "" || o.class == "":
		return row{}, fmt.Errorf("it has no ETag or storage class: %s", neededHint)
	case err != nil:
		return row{}, fmt.Errorf("its time is none: %w", err)
	}
	if o.modified = at.UTC(); o.class == "STANDARD" {
		o.class = ""
	}
	return o, nil
}
