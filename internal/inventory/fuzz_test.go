package inventory

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

// FuzzRows reads files of any content: an error, or rows that a plan can use.
func FuzzRows(f *testing.F) {
	zipped := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	r := &Report{format: "CSV", columns: strings.Split("Bucket,Key,IsLatest,IsDeleteMarker,Size,LastModifiedDate,ETag,StorageClass", ",")}
	f.Add([]byte(`"b","a%2Bb+c","true","false","17","2026-02-28T10:00:00.000Z","0a1b","STANDARD"`), true)
	f.Add([]byte(`"b","x","false","true","","","",""`), true)
	f.Add(zipped("a,b\n"), false)
	f.Fuzz(func(t *testing.T, body []byte, pack bool) {
		if pack {
			body = zipped(string(body))
		}
		err := r.rows(bytes.NewReader(body), func(o row) error {
			if !o.old && (o.key == "" || o.etag == "" || o.size < 0 || o.class == "STANDARD" || o.modified.IsZero() && !bytes.Contains(body, []byte("0001"))) {
				t.Errorf("%+v", o)
			}
			return nil
		})
		_ = err // any error is one of the file's
	})
}
