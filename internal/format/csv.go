package format

import (
	"encoding/base64"
	"fmt"
	"io"
	"unicode/utf8"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// CSV says how rows are written (RFC 4180).
type CSV struct {
	Columns   []string // names of the fields; nil: the first row has them
	Delimiter byte     // 0 stands for a comma
}

const maxFields = 10_000

// rows reads CSV.
type rows struct {
	in     source
	o      CSV
	limits Limits
	fields []field
	text   []byte // of the row's fields, without quotes
}

// field is a part of rows.text.
type field struct {
	start, end int
	quoted     bool
}

// NewCSV returns the rows of an object as JSON objects of strings. A field that
// is empty and has no quotes is null. Errors of Next: a row with another number
// of fields or wrong quotes is a *decode.BadRecord; a header that names a column
// twice is fail.BadLayout.
func NewCSV(r io.Reader, o CSV, l Limits) decode.Records {
	if o.Delimiter == 0 {
		o.Delimiter = ','
	}
	return &rows{in: source{r: r}, o: o, limits: l.withDefaults()}
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// Next gives the next row.
func (c *rows) Next(dst []byte) ([]byte, error) {
	if c.o.Columns == nil {
		if err := c.header(); err != nil {
			return dst, err
		}
	}
	raw, err := c.row()
	if err != nil {
		return dst, err
	}
	if len(c.fields) != len(c.o.Columns) {
		return dst, &decode.BadRecord{Reason: decode.FieldCount, Raw: raw,
			Detail: fmt.Sprintf("the row has %d fields, and there are %d columns", len(c.fields), len(c.o.Columns))}
	}
	if !utf8.Valid(c.text) {
		return dst, &decode.BadRecord{Reason: decode.InvalidUTF8, Detail: "the row is not valid UTF-8", Raw: raw}
	}
	for i, f := range c.fields {
		open := byte(',')
		if i == 0 {
			open = '{'
		}
		dst = append(decode.AppendString(append(dst, open), []byte(c.o.Columns[i])), ':')
		if f.start == f.end && !f.quoted {
			dst = append(dst, "null"...)
		} else {
			dst = decode.AppendString(dst, c.text[f.start:f.end])
		}
	}
	return append(dst, '}'), nil
}

// header reads the names of the columns from the first row.
func (c *rows) header() error {
	if _, err := c.row(); err != nil {
		if _, bad := err.(*decode.BadRecord); bad {
			return fail.New(fail.BadLayout, "the first row, which names the columns, can't be read: %v", err)
		}
		return err
	}
	seen := map[string]bool{}
	for _, f := range c.fields {
		name := string(c.text[f.start:f.end])
		if name == "" || seen[name] || !utf8.ValidString(name) {
			return fail.New(fail.BadLayout, "the first row does not name each column once: %q", name).
				Try("if the file has no header, give the names: archive.format: {csv: {columns: […]}}")
		}
		seen[name] = true
		c.o.Columns = append(c.o.Columns, name)
	}
	return nil
}

// byteAt returns the byte at the place behind pos; ok is false at the end.
func (c *rows) byteAt(i int) (b byte, ok bool, err error) {
	for c.in.pos+i >= c.in.end {
		if !c.in.more() {
			return 0, false, c.in.err
		}
	}
	return c.in.buf[c.in.pos+i], true, nil
}

// row reads one row into fields; it returns the row's bytes. After a row that
// can't be read the next line is read on.
func (c *rows) row() (raw []byte, err error) {
	c.fields, c.text = c.fields[:0], c.text[:0]
	i, start, quoted := 0, 0, false
	for {
		b, ok, err := c.byteAt(i)
		if err != nil {
			return nil, err
		}
		switch {
		case !ok && i == 0:
			return nil, io.EOF
		case i > c.limits.RecordBytes || len(c.fields) > maxFields:
			return c.skip(i, decode.TooLong, "the row goes on")
		case ok && b == '"' && !quoted && len(c.text) == start:
			if i, err = c.quoted(i); err != nil {
				return nil, err
			}
			if i < 0 {
				return c.skip(-i, decode.BadQuote, "a quote is not closed, or text follows it")
			}
			quoted = true
			continue
		case ok && b != c.o.Delimiter && b != '\n' && !(b == '\r' && c.newlineAt(i+1)):
			c.text = append(c.text, b)
			i++
			continue
		}
		c.fields = append(c.fields, field{start, len(c.text), quoted})
		start, quoted = len(c.text), false
		if ok && b == c.o.Delimiter {
			i++
			continue
		}
		raw = c.in.buf[c.in.pos : c.in.pos+i]
		if ok && b == '\r' {
			i++
		}
		if ok {
			i++
		}
		c.in.pos += i
		return raw, nil
	}
}

func (c *rows) newlineAt(i int) bool {
	b, ok, _ := c.byteAt(i)
	return ok && b == '\n'
}

// quoted reads the field in quotes at i; it returns the place behind it, or
// minus the place where it is wrong.
func (c *rows) quoted(i int) (int, error) {
	for i++; ; i++ {
		b, ok, err := c.byteAt(i)
		if err != nil {
			return 0, err
		}
		if !ok || i > c.limits.RecordBytes {
			return -i, nil
		}
		if b != '"' {
			c.text = append(c.text, b)
			continue
		}
		next, ok, err := c.byteAt(i + 1)
		switch {
		case err != nil:
			return 0, err
		case ok && next == '"':
			c.text = append(c.text, '"')
			i++
		case !ok, next == c.o.Delimiter, next == '\n', next == '\r' && c.newlineAt(i+2):
			return i + 1, nil
		default:
			return -(i + 1), nil
		}
	}
}

// skip steps over the rest of a line that can't be read. It goes on behind the
// first line break after the row's start, so that an open quote costs no other row.
func (c *rows) skip(at int, reason decode.Reason, what string) ([]byte, error) {
	var raw []byte
	for i := 0; ; i++ {
		b, ok, err := c.byteAt(i)
		if err != nil {
			return nil, err
		}
		if !ok || b == '\n' {
			raw = append(raw, c.in.buf[c.in.pos:c.in.pos+i]...)
			if c.in.pos += i; ok {
				c.in.pos++
			}
			return nil, &decode.BadRecord{Reason: reason, Detail: fmt.Sprintf("%s at byte %d", what, at), Raw: raw}
		}
		if i >= readBytes {
			if len(raw) < c.limits.RecordBytes {
				raw = append(raw, c.in.buf[c.in.pos:c.in.pos+i]...)
			}
			c.in.pos += i
			i = -1
		}
	}
}
