package decode

import (
	"bytes"
	"errors"
	"io"

	"backfill/internal/columns"
)

// Records gives the records of an object as JSON texts, for formats that are
// not read straight into columns.
type Records interface {
	// Next appends the next record to dst, one JSON value. Its errors are
	// io.EOF behind the last one, *BadRecord for a record that can't be read while
	// the next one may be, and any other error after which nothing follows.
	Next(dst []byte) ([]byte, error)
}

// BadRecord is the error of a record that can't be read. It becomes an Unreadable.
type BadRecord struct {
	Reason Reason
	Detail string
	Raw    []byte // what stands there

	// Around is the record with null for what can't be read, so that what stands
	// beside it, its offset for one, still counts; nil: nothing can be read.
	Around []byte
}

// Error says why.
func (b *BadRecord) Error() string { return string(b.Reason) + ": " + b.Detail }

// texts makes a stream of JSON values, one a line, of Records. A record that
// can't be read stands in it as far as it can be, or as null, and is remembered.
type texts struct {
	records Records
	limit   int // of a record, in bytes
	number  int64
	text    []byte // of the record being given
	from    int    // in text
	bad     []badAt
	err     error
}

// badAt is a record that can't be read, in the order in which they are met.
type badAt struct {
	number int64
	*BadRecord
}

// ResetRecords starts on a new object whose records are given; their texts are
// their raw bytes.
func (s *Scanner) ResetRecords(r Records) {
	t := &texts{records: r, limit: s.limits.RecordBytes}
	s.Reset(t)
	s.texts, s.fresh = t, false
	s.framing = inRow
}

// Read gives the texts.
func (t *texts) Read(p []byte) (int, error) {
	for t.from == len(t.text) {
		if t.err != nil {
			return 0, t.err
		}
		t.next()
	}
	n := copy(p, t.text[t.from:])
	t.from += n
	return n, nil
}

func (t *texts) next() {
	t.text, t.err = t.records.Next(t.text[:0])
	t.from = 0
	var bad *BadRecord
	switch {
	case errors.As(t.err, &bad):
		t.err = nil
	case t.err != nil:
		t.text = t.text[:0]
		return
	case len(t.text) > t.limit:
		bad = &BadRecord{Reason: TooLong, Detail: "the record is too long", Raw: t.text[:t.limit]}
	}
	if bad != nil {
		bad.Raw = bytes.Clone(bad.Raw)
		t.bad = append(t.bad, badAt{t.number, bad})
		t.text = append(t.text[:0], orNull(bad.Around)...)
		bad.Around = nil
	}
	t.number++
	t.text = append(t.text, '\n')
}

func orNull(text []byte) []byte {
	if text == nil {
		return []byte("null")
	}
	return text
}

// take returns the record of that number if it can't be read.
func (t *texts) take(number int64) *BadRecord {
	if t == nil {
		return nil
	}
	for len(t.bad) > 0 && t.bad[0].number < number { // what is around it could not be read either
		t.bad = t.bad[1:]
	}
	if len(t.bad) == 0 || t.bad[0].number != number {
		return nil
	}
	b := t.bad[0].BadRecord
	t.bad = t.bad[1:]
	return b
}

// spoil makes the record at hand the one that could not be read.
func (s *Scanner) spoil(b *BadRecord) {
	r := &s.rec
	r.Kind, r.Reason, r.Detail, r.Reject = Unreadable, b.Reason, b.Detail, nil
	r.Raw, r.Len, r.Truncated = b.Raw, int64(len(b.Raw)), false
	if len(r.Raw) > s.limits.RawBytes {
		r.Raw, r.Truncated = r.Raw[:s.limits.RawBytes], true
	}
}

// NewRecords returns the records of a JSON or Avro stream as texts, for what
// must be unpacked further before it goes to columns.
func NewRecords(r io.Reader, f Format, l Limits) (Records, error) {
	p, err := Compile(Spec{Format: f})
	if err != nil {
		return nil, err
	}
	l = l.withDefaults()
	l.RawBytes = l.RecordBytes
	s := p.NewScanner(l)
	s.Reset(r)
	return &queue{scanner: s, batch: columns.NewBatch(nil)}, nil
}

// queue holds the records that a scanner found in one block.
type queue struct {
	scanner *Scanner
	batch   *columns.Batch
	texts   []byte
	ends    []int // of each record in texts
	bad     map[int]*BadRecord
	given   int
}

// Next gives a record, and scans on where none is left.
func (q *queue) Next(dst []byte) ([]byte, error) {
	for q.given == len(q.ends) {
		q.texts, q.ends, q.given, q.bad = q.texts[:0], q.ends[:0], 0, nil
		q.batch.N = 0
		if err := q.scanner.Scan(q.batch, q.admit); err != nil {
			return dst, err
		}
	}
	i, start := q.given, 0
	if q.given++; i > 0 {
		start = q.ends[i-1]
	}
	if bad := q.bad[i]; bad != nil {
		return dst, bad
	}
	return append(dst, q.texts[start:q.ends[i]]...), nil
}

func (q *queue) admit(r *Record) bool {
	s := q.scanner
	switch {
	case r.Kind == Unreadable:
		if q.bad == nil {
			q.bad = map[int]*BadRecord{}
		}
		q.bad[len(q.ends)] = &BadRecord{Reason: r.Reason, Detail: r.Detail, Raw: bytes.Clone(r.Raw)}
	case s.avro.on:
		c := &s.avro
		end := c.pos
		c.pos -= int(r.Len)
		arena := s.arena                              // spelling uses the end of what it appends to
		q.texts, _ = s.appendAvroJSON(q.texts, c.typ) // it was read before
		s.arena, c.pos = arena, end
	default:
		q.texts = AppendCompact(q.texts, r.Raw)
	}
	q.ends = append(q.ends, len(q.texts))
	return false
}

// AppendCompact appends a JSON text without line breaks, which valid JSON has
// between its tokens only.
func AppendCompact(dst, text []byte) []byte {
	from := len(dst)
	dst = append(dst, text...)
	for i, c := range dst[from:] {
		if c == '\n' || c == '\r' {
			dst[from+i] = ' '
		}
	}
	return dst
}

// AppendString appends text, which must be UTF-8, as a JSON string.
func AppendString(dst, text []byte) []byte {
	dst, _ = appendQuoted(dst, text)
	return dst
}

// Around returns the record without what stands from start to end, for
// BadRecord; nil where nothing stands around it.
func Around(record []byte, start, end int) []byte {
	if start == 0 || end == len(record) {
		return nil
	}
	return append(append(bytes.Clone(record[:start]), "null"...), record[end:]...)
}
