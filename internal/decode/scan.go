package decode

import (
	"fmt"
	"io"

	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/mask"
)

// Scanner reads the records of one stream after another. It learns the order
// of keys, so it pays to keep it; it is owned by one goroutine.
type Scanner struct {
	program *Program
	limits  Limits
	tree    *tree
	block
	framing framing
	fresh   bool // nothing was read yet
	starved bool // the block must be refilled before the next step
	skip    skip
	avro    container
	texts   *texts // the stream is made of Records; else nil

	// The record being read.
	rec     Record
	number  int64 // of the next record
	depth   int
	stop    stop
	seen    []uint64           // bit set of the places met
	bad     []Reject           // by column, valid where its Reason is set
	misfits bool               // some bad may be set
	unicode bool               // some string has a \u escape
	inside  columns.ScalarKind // what stands at Spec.Value
	around  bool               // a null stands on the way to Spec.Value, where that counts
	witness bool               // something stands at Spec.Witness

	// The batch being filled.
	cols  []columns.Vector
	row   int
	arena []byte // values that do not stand in the block as they are
	key   []byte // scratch for keys with escapes

	masker *mask.Masker // nil: no column is masked
}

// stop says where reading a value ended early.
type stop struct {
	at     int
	reason Reason
	what   string
}

// NewScanner returns a scanner with its own memory. Call Reset before Scan.
func (p *Program) NewScanner(l Limits) *Scanner {
	s := &Scanner{program: p, limits: l.withDefaults(), tree: newTree(&p.spec)}
	s.seen = make([]uint64, (len(s.tree.places)+63)/64)
	s.bad = make([]Reject, len(p.spec.Columns))
	s.rec.Where = make([]columns.Scalar, len(p.spec.Where))
	if p.spec.MaskKey != nil {
		s.masker = p.spec.MaskKey.NewMasker()
	}
	return s
}

// Reset starts on a new object; records are numbered from 0 again.
func (s *Scanner) Reset(r io.Reader) {
	s.block.reset(r, s.limits.BlockBytes)
	s.framing, s.starved, s.fresh, s.number = begin, true, true, 0
	s.skip.active = false
	s.texts, s.avro.on = nil, false
}

// outcome is what one step brought.
type outcome uint8

const (
	found  outcome = iota + 1 // s.rec is a record
	hungry                    // the block is used up
)

// Scan reads records until the batch is full, the block is used up, or the
// input ends. The batch must be empty. Each record fills row b.N of the batch
// and is given to admit; if it is a Value without Reject and admit returns
// true, the row is kept. The batch's byte slices are valid until the next Scan.
//
// It returns nil after handing out at least one record; io.EOF, and any error
// of the input, only by a call that handed out none.
func (s *Scanner) Scan(b *columns.Batch, admit func(*Record) bool) error {
	if err := s.start(b); err != nil {
		return err
	}
	if s.fresh {
		if err := s.detect(); err != nil {
			return err
		}
		s.fresh, s.starved = false, false
	}
	if s.avro.on {
		return s.scanAvro(b, admit)
	}
	for handed := 0; b.N < columns.BatchRows; {
		if s.starved {
			if handed > 0 {
				return nil
			}
			if s.readErr != nil {
				return fmt.Errorf("reading records: %w", s.readErr)
			}
			s.refill(s.limits.RecordBytes + 1)
			s.starved = false
		}
		s.row = b.N
		if s.step() == hungry {
			if s.eof && handed == 0 {
				return io.EOF
			}
			if s.eof {
				return nil
			}
			s.starved = true
			continue
		}
		handed++
		s.hand(b, admit)
	}
	return nil
}

// scanAvro does what Scan does, for an Avro file.
func (s *Scanner) scanAvro(b *columns.Batch, admit func(*Record) bool) error {
	c := &s.avro
	for handed := 0; b.N < columns.BatchRows; {
		if c.left == 0 && handed > 0 {
			return nil // the next block may move this one
		}
		if c.err == nil && c.left == 0 {
			more, err := s.nextBlock()
			if err != nil {
				return err
			}
			if !more {
				return io.EOF
			}
			continue
		}
		s.row = b.N
		if c.err == nil {
			_ = s.datum() // kept in c.err
		}
		if c.err != nil {
			if handed > 0 {
				return nil
			}
			return c.err
		}
		handed++
		s.hand(b, admit)
	}
	return nil
}

// hand gives the record to admit and keeps its row if that says so.
func (s *Scanner) hand(b *columns.Batch, admit func(*Record) bool) {
	b.EventTime[b.N], b.Offset[b.N], b.Row[b.N] = s.rec.EventTime, s.rec.Offset, s.rec.Row
	if admit(&s.rec) && s.rec.Kind == Value && s.rec.Reject == nil {
		b.N++
	}
}

func (s *Scanner) start(b *columns.Batch) error {
	switch {
	case s.r == nil:
		return fail.New(fail.Internal, "scanning before a reset")
	case b.N != 0:
		return fail.New(fail.Internal, "scanning into a batch that still holds %d rows", b.N)
	case len(b.Cols) != len(s.program.spec.Columns):
		return fail.New(fail.Internal, "scanning %d columns into a batch of %d", len(s.program.spec.Columns), len(b.Cols))
	}
	s.cols = b.Cols
	s.arena = s.arena[:0]
	return nil
}

// step reads one record.
func (s *Scanner) step() outcome {
	if s.skip.active {
		return s.skipLine()
	}
	switch s.frame() {
	case atValue:
		return s.record()
	case atNonsense:
		s.startSkip()
		return s.skipLine()
	}
	if s.eof && s.framing.open() {
		s.fail(s.end, "the array is not closed")
		s.stop.reason = CutOff
		s.framing = afterArray
		s.startSkip()
		return s.skipLine()
	}
	return hungry
}

// record reads the value at pos.
func (s *Scanner) record() outcome {
	s.restart()
	start := s.pos
	end := s.value(s.tree.root, start)
	if end >= 0 {
		end = s.checkBehind(start, end)
	}
	used := end
	if end < 0 {
		used = s.stop.at
		if s.starving() {
			used = s.end
		}
	}
	switch {
	case used-start > s.limits.RecordBytes:
		s.stop = stop{at: start + s.limits.RecordBytes, reason: TooLong, what: "the record goes on"}
	case end >= 0:
		s.finish(start, end)
		return found
	case s.starving() && !s.eof:
		return hungry
	case s.starving():
		s.stop.reason, s.stop.what = CutOff, "the object ends"
	}
	s.startSkip()
	return s.skipLine()
}

// restart clears what belongs to one record.
func (s *Scanner) restart() {
	clear(s.seen)
	s.depth, s.unicode, s.around = 0, false, false
	if s.misfits {
		clear(s.bad)
		s.misfits = false
	}
	s.rec = Record{Offset: kafka.NoOffset, Where: s.rec.Where, Large: s.rec.Large[:0]}
}

// finish completes the record of a whole value.
func (s *Scanner) finish(start, end int) {
	s.describe(s.buf[start:end:end], s.base+int64(start))
	s.pos = end
	s.framing = s.framing.afterValue()
	s.storeAbsent()
	bad := s.texts.take(s.rec.Row)
	if s.buf[start] == 'n' {
		s.rec.Kind = Tombstone
	} else {
		s.complete()
	}
	if bad != nil {
		s.spoil(bad)
	}
}

// describe sets what is known of every record.
func (s *Scanner) describe(raw []byte, start int64) {
	r := &s.rec
	r.Row, r.Start, r.Len, r.Raw = s.number, start, int64(len(raw)), raw
	if len(r.Raw) > s.limits.RawBytes {
		r.Raw, r.Truncated = r.Raw[:s.limits.RawBytes], true
	}
	s.number++
}

// complete makes the record a Value.
func (s *Scanner) complete() {
	s.rec.Kind = Value
	if s.program.spec.Value != nil && s.unwrapped() {
		return
	}
	for _, k := range s.program.constants {
		v := &s.cols[k.column]
		v.Null[s.row] = false
		if v.S != nil {
			v.S[s.row] = k.bytes
		} else {
			v.I[s.row] = k.number
		}
	}
	if s.misfits {
		s.report()
	}
}

// unwrapped reports whether the envelope holds no value, and says why.
func (s *Scanner) unwrapped() bool {
	switch {
	case s.inside == columns.Null, s.inside == columns.Absent && (s.witness || s.around):
		s.rec.Kind = Tombstone
	case s.inside == columns.Absent:
		s.rec.Kind, s.rec.Reason, s.rec.Detail = Unreadable, NoEnvelope, "nothing stands where the envelope should have the value"
	default:
		return false
	}
	return true
}

// report sets the record's Reject to the first column that does not fit.
func (s *Scanner) report() {
	for i := range s.bad {
		if s.bad[i].Reason != fits {
			s.rec.Reject, s.rec.bad = &s.bad[i], s.bad
			return
		}
	}
}
