// Package format reads the records of objects that are neither JSON nor Avro,
// and unpacks values inside values, as JSON texts, one a record. decode reads
// those into columns.
//
//	plain bytes ─┬─ CSV ───────┐
//	             ├─ text, bytes ┼─▶ {"value":"AAAA…"} ─ unwrap ─▶ {"value":{"id":1}} ─▶ decode
//	             ├─ Parquet ────┤                        │
//	             └─ JSON, Avro ─┘ (decode's own)         └ JSON in strings, base64
//
// JSON and Avro that need no unpacking never come here: decode reads them
// straight into columns. Numbers keep their digits: a decimal is spelled from
// its unscaled value, nothing goes through a float that was not one.
package format

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// Limits bounds what reading an object may take. Zero values mean the defaults.
type Limits struct {
	RecordBytes int   // longest record; default 16 MiB
	ObjectBytes int64 // largest Parquet object that is held in memory, a larger one goes to a file; default 32 MiB
	FileBytes   int64 // largest Parquet object that goes to a file; 0: what the disk holds
	PageBytes   int64 // most memory for the open pages of a Parquet file; default 128 MiB
}

func (l Limits) withDefaults() Limits {
	if l.RecordBytes <= 0 {
		l.RecordBytes = 16 << 20
	}
	if l.ObjectBytes <= 0 {
		l.ObjectBytes = 32 << 20
	}
	if l.PageBytes <= 0 {
		l.PageBytes = 128 << 20
	}
	return l
}

// source reads bytes with a limit on what is held at once.
type source struct {
	r   io.Reader
	buf []byte
	pos int
	end int
	eof bool
	err error
}

const readBytes = 64 << 10

// maxEmptyReads is how often a reader may give nothing before it counts as stuck.
const maxEmptyReads = 100

// more reads more bytes behind what is held; it reports false at the end.
func (s *source) more() bool {
	if s.eof || s.err != nil {
		return false
	}
	if s.pos > 0 {
		copy(s.buf, s.buf[s.pos:s.end])
		s.end -= s.pos
		s.pos = 0
	}
	if len(s.buf)-s.end < readBytes {
		grown := make([]byte, max(2*len(s.buf), s.end+readBytes))
		copy(grown, s.buf[:s.end])
		s.buf = grown
	}
	for range maxEmptyReads {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		switch {
		case err == io.EOF:
			s.eof = true
		case err != nil:
			s.err = fmt.Errorf("reading records: %w", err)
		}
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	s.err = fmt.Errorf("reading records: %w", io.ErrNoProgress)
	return false
}

// Text says how values that are no JSON follow each other.
type Text struct {
	Delimiter string // between values, and after the last one or not; "": the object is one value
	Binary    bool   // values are bytes, which become base64; else they must be UTF-8
}

// lines reads values with a delimiter.
type lines struct {
	in     source
	o      Text
	limits Limits
	done   bool
	any    bool // a byte was read
	lost   int  // bytes of a value that is too long, stepped over
}

// NewText returns the values of an object as JSON strings. Of an object without
// a delimiter that has no byte the value is null, as archivers of one record an
// object write a tombstone.
func NewText(r io.Reader, o Text, l Limits) decode.Records {
	return &lines{in: source{r: r}, o: o, limits: l.withDefaults()}
}

// Next gives the next value.
func (t *lines) Next(dst []byte) ([]byte, error) {
	if t.done {
		return dst, io.EOF
	}
	searched := 0
	for {
		held := t.in.buf[t.in.pos:t.in.end]
		if t.o.Delimiter != "" {
			if i := bytes.Index(held[searched:], []byte(t.o.Delimiter)); i >= 0 {
				value := held[:searched+i]
				t.in.pos += searched + i + len(t.o.Delimiter)
				return t.value(dst, value)
			}
			searched = max(0, len(held)-len(t.o.Delimiter)+1)
		} else if len(held) > t.limits.RecordBytes {
			return dst, fail.New(fail.Damaged, "the object is one record of more than %d bytes", t.limits.RecordBytes)
		}
		// Only what is surely too long is stepped over: the last bytes held may begin a delimiter.
		if searched > t.limits.RecordBytes {
			t.lost += searched
			t.in.pos += searched
			searched = 0
		}
		if t.in.more() {
			t.any = true
			continue
		}
		if t.in.err != nil {
			return dst, t.in.err
		}
		t.done = true
		rest := t.in.buf[t.in.pos:t.in.end]
		switch {
		case t.o.Delimiter == "" && !t.any:
			return append(dst, "null"...), nil
		case t.o.Delimiter != "" && len(rest) == 0 && t.lost == 0:
			return dst, io.EOF
		}
		return t.value(dst, rest)
	}
}

// value spells one value.
func (t *lines) value(dst, value []byte) ([]byte, error) {
	if n := t.lost + len(value); n > t.limits.RecordBytes {
		t.lost = 0
		return dst, &decode.BadRecord{Reason: decode.TooLong, Detail: fmt.Sprintf("the value has %d bytes", n), Raw: value}
	}
	return appendValue(dst, value, t.o.Binary)
}

// appendValue spells bytes as a JSON string.
func appendValue(dst, value []byte, binary bool) ([]byte, error) {
	if binary {
		return appendBase64(dst, value), nil
	}
	if !utf8.Valid(value) {
		return dst, &decode.BadRecord{Reason: decode.InvalidUTF8, Detail: "the text is not valid UTF-8", Raw: value}
	}
	return decode.AppendString(dst, value), nil
}
