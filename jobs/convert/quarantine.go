package convert

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
	"backfill/internal/scan"
)

// quarantine writes rejected records as zstd-compressed JSON lines:
//
//	{"object":"…","row":7,"offset":1007,"disposition":"rejected","reason":"out_of_range","column":"amount","detail":"…","raw":"base64"}
//
// Where columns are masked, raw is empty and withheld is true: object and row
// say where the record stands in the archive. Lines are spelled by hand, because where many records are rejected a library
// takes a good part of the whole time.
type quarantine struct {
	up   *objstore.Upload
	key  string
	size *counting
	zip  *zstd.Encoder
	line []byte
	rows int64

	object string // of the last line, and how it is spelled
	quoted []byte
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func newQuarantine(up *objstore.Upload, key string) (*quarantine, error) {
	q := &quarantine{up: up, key: key, size: &counting{w: up}}
	zip, err := zstd.NewWriter(q.size, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "starting zstd")
	}
	q.zip = zip
	return q, nil
}

// add writes one line. raw is the record's bytes, whatever they are.
func (q *quarantine) add(r *scan.Rejected) error {
	q.rows++
	if r.Object != q.object || q.quoted == nil {
		q.object, q.quoted = r.Object, appendText(q.quoted[:0], r.Object)
	}
	b := append(append(q.line[:0], `{"object":`...), q.quoted...)
	b = strconv.AppendInt(append(b, `,"row":`...), r.Row, 10)
	b = strconv.AppendInt(append(b, `,"offset":`...), int64(r.Offset), 10)
	b = appendText(append(b, `,"disposition":`...), r.Disposition.String())
	b = appendText(append(b, `,"reason":`...), r.Reason)
	if r.Column != "" {
		b = appendText(append(b, `,"column":`...), r.Column)
	}
	if r.Detail != "" {
		b = appendText(append(b, `,"detail":`...), r.Detail)
	}
	b = base64.StdEncoding.AppendEncode(append(b, `,"raw":"`...), r.Raw)
	b = append(b, '"')
	if r.Withheld {
		b = append(b, `,"withheld":true`...)
	}
	if r.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	q.line = append(b, "}\n"...)
	_, err := q.zip.Write(q.line)
	return err
}

// appendText appends a JSON string. Only plain ASCII goes the short way.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string can't fail
			return append(dst, text...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

func (q *quarantine) close(ctx context.Context) (*runplan.File, error) {
	if err := q.zip.Close(); err != nil {
		return nil, err
	}
	object, err := q.up.Commit(ctx)
	if err != nil {
		return nil, err
	}
	return &runplan.File{Key: q.key, Size: q.size.n, ETag: object.ETag, Rows: q.rows}, nil
}

func (q *quarantine) abort(ctx context.Context) error {
	return errors.Join(q.zip.Close(), q.up.Abort(ctx))
}
