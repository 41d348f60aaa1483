// Package scan reads a chunk: it opens the chunk's objects one after another,
// decodes records, decides each record's disposition, counts it, and hands
// rows and rejected records to a consumer's Sink. convert, and whoever else
// needs the archive's rows, read through it; it writes nothing itself.
//
//	object ─ codec ─ decode ─▶ admit ──▶ row ──▶ count (lanes, money, offsets) ──▶ Sink.Rows
//	                             │  └──▶ rejected, unreadable ─────────────────────▶ Sink.Reject
//	                             └─▶ tally (tombstone, out of window, filtered, …)
//
// Offsets are proven, not assumed: where objects' names and row counts
// disagree, overlapping objects differ, or a later chunk holds the same rows,
// the pass is thrown away (Sink.Restart) and done again with what was learned.
// Two passes settle nearly every chunk; the last one allowed believes no
// derived offset, so that it settles the rest.
package scan

import (
	"context"
	"io"
	"slices"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/codec"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/format"
	"backfill/internal/kafka"
	"backfill/internal/mask"
	"backfill/internal/registry"
	"backfill/internal/runplan"
	"backfill/internal/schema"
	"backfill/internal/suppression"
	"backfill/internal/timing"
)

// maxPasses bounds how often a chunk is read. One doubt may lead to another:
// an object no longer believed does not stand for the copies inside it.
const maxPasses = 5

// maxRatio is the most decoded bytes per byte of an object. gzip can't give
// more than 1,032, and text that packs better by others than this is a bomb.
const maxRatio = 4096

// defaultRecord is the longest record where Options give none.
const defaultRecord = 16 << 20

// Source opens archived objects exactly as they were planned.
type Source interface {
	Open(ctx context.Context, o runplan.ObjectRef) (io.ReadCloser, error)
}

// Sink takes what a chunk gives. Byte slices are valid only during the call.
type Sink interface {
	// Rows takes the rows of a batch, in the order of StageColumns.
	Rows(b *columns.Batch) error
	// Reject takes a record that could not become a row.
	Reject(r *Rejected) error
	// Restart forgets everything taken so far.
	Restart() error
}

// Rejected is a record for the quarantine.
type Rejected struct {
	Object      string
	Row         int64
	Offset      kafka.Offset
	Disposition account.Disposition // Unreadable or Rejected
	Reason      string
	Column      string // of Rejected
	Detail      string
	Raw         []byte
	Truncated   bool
	Withheld    bool // Raw is left out: a masked value may stand in it
}

// Options say what to read and within which limits.
type Options struct {
	Dataset     *dataset.Dataset
	Window      kafka.Window
	Source      Source
	BlockBytes  int           // of decompressed input held at once
	RecordBytes int           // longest record; default 16 MiB
	MaskKey     *mask.Key     // of the dataset's masked columns; nil where there are none
	Parquet     format.Limits // of archived Parquet; its record limit is RecordBytes
	Schemas     *registry.Set // of framed values; nil where values are not framed
	Lane        *timing.Lane  // where the time of the scanner's goroutine is counted; nil: nowhere

	Suppressed *suppression.Set // of the dataset's list; nil where it names none

	// Dropped sees records that have a value and became no row, so that a row of
	// the table can be explained by them; nil: nobody asks.
	Dropped func(d *Dropped) error
}

// Dropped is a record that became no row. Its values stand in the batch at Row
// N, as far as they fit; it is valid only during the call.
type Dropped struct {
	Disposition account.Disposition
	Batch       *columns.Batch
	Moment      kafka.Instant
	Offset      kafka.Offset
	Object      string
	Record      int64 // number in the object, from 0
	Column      int   // of Rejected: the column that does not fit; -1: none
	Reason      string
}

// Scanner reads chunks, one at a time; each worker owns one.
type Scanner struct {
	o        Options
	decoder  *decode.Scanner
	plain    *codec.Reader
	calendar *kafka.Calendar
	counter  counter
	batch    *columns.Batch
	stage    []schema.Column

	opener *registry.Decoder // of framed values; nil: they are not

	timed     timed
	readAhead bool
	ahead     ahead

	overflows map[int]int // from a super column to its overflow column; nil: none

	erased *suppression.Matcher // nil: nobody is

	text  []byte            // scratch
	texts map[string]string // of filtered records
}

// StageColumns returns the columns of the stage: the dataset's, then the technical ones.
func StageColumns(ds *dataset.Dataset) []schema.Column {
	return append(append([]schema.Column(nil), ds.Columns...), schema.Technical()...)
}

// RowText returns the canonical text of a dataset's rows.
func RowText(ds *dataset.Dataset) (*canon.Text, error) {
	all := make([]int, len(ds.Columns))
	for i := range all {
		all[i] = i
	}
	return canon.New(ds.Columns, all)
}

// KeyText returns the canonical text of a dataset's keys; nil without a key.
func KeyText(ds *dataset.Dataset) (*canon.Text, error) {
	if len(ds.Table.Key) == 0 {
		return nil, nil
	}
	var key []int
	for _, name := range ds.Table.Key {
		key = append(key, ds.ColumnIndex(name))
	}
	return canon.New(ds.Columns, key)
}

// New returns a scanner for chunks of the dataset.
func New(o Options) (*Scanner, error) {
	if err := checkKey(o); err != nil {
		return nil, err
	}
	erased, err := matcher(o)
	if err != nil {
		return nil, err
	}
	stage := StageColumns(o.Dataset)
	program, err := decode.Compile(spec(o, stage))
	if err != nil {
		return nil, err
	}
	if o.RecordBytes <= 0 {
		o.RecordBytes = defaultRecord
	}
	s := &Scanner{
		o: o, stage: stage, erased: erased, texts: map[string]string{},
		// Copies are compared by all their bytes, so raw bytes are never cut.
		decoder:  program.NewScanner(decode.Limits{BlockBytes: o.BlockBytes, RecordBytes: o.RecordBytes, RawBytes: o.RecordBytes}),
		calendar: kafka.NewCalendar(o.Dataset.Calendar),
		batch:    columns.NewBatch(stage), overflows: overflows(stage),
	}
	if s.opener, err = framing(o); err != nil {
		return nil, err
	}
	s.counter, err = newCounter(o.Dataset, s.calendar)
	return s, err
}

// checkKey demands the key that the dataset was compiled for: with another one
// the same value would be masked in two ways.
func checkKey(o Options) error {
	id := o.Dataset.MaskKeyID
	switch {
	case id == "" || o.MaskKey != nil && o.MaskKey.ID() == id:
		return nil
	case o.MaskKey != nil:
		return fail.New(fail.Credentials, "the mask key is another one: its id is %s, the dataset's is %s", o.MaskKey.ID(), id).
			Try("give the key that the dataset was planned with")
	}
	return fail.New(fail.Credentials, "columns are masked, and the key with id %s is not there", id).
		Try("set BACKFILL_MASK_KEY or BACKFILL_MASK_KEY_FILE, from a secret")
}

func spec(o Options, stage []schema.Column) decode.Spec {
	ds := o.Dataset
	at := ds.Records.Resolve
	stage = slices.Clone(stage)
	for i := range stage {
		stage[i].Path = at(stage[i].Path)
	}
	sp := decode.Spec{Columns: stage, Format: formatOf(ds.Archive.Format), Partition: at(ds.Records.Partition), Offset: at(ds.Records.Offset)}
	if ds.MaskKeyID != "" {
		sp.MaskKey = o.MaskKey
	}
	if f := ds.Records.EventTime; f != nil {
		// Digits past microseconds don't make a record undatable: its window is
		// known, and the column decides whether it is rejected.
		sp.EventTime = &decode.TimeField{Path: at(f.Path), Zone: f.Zone, Fraction: schema.FloorFraction, Unit: decode.UnitOf(f.Unit)}
	}
	if ds.Records.Timestamp != nil {
		sp.Timestamp = &decode.TimeField{Path: at(ds.Records.Timestamp)}
	}
	if w := ds.Records.Where; w != nil {
		for _, path := range w.Paths {
			sp.Where = append(sp.Where, at(path))
		}
	}
	if e := ds.Records.Envelope; e.Value != nil {
		sp.Value, sp.Layered = e.Value, len(e.Layers) > 0
		if len(e.Layers) == 1 {
			sp.Witness = e.Witness()
		}
	}
	return sp
}

func formatOf(name string) decode.Format {
	switch name {
	case dataset.FormatJSON:
		return decode.JSON
	case dataset.FormatAvro:
		return decode.Avro
	}
	return decode.AnyFormat
}

// Chunk reads the chunk into the sink and returns its counts, in which every
// record read has exactly one disposition.
func (s *Scanner) Chunk(ctx context.Context, c runplan.Chunk, sink Sink) (*account.Chunk, error) {
	known := newVerdicts()
	for n := range maxPasses {
		if n == maxPasses-1 {
			known.giveUp(len(c.Objects))
		}
		p := s.newPass(c, sink, known)
		if err := p.run(ctx); err != nil {
			return nil, err
		}
		if !p.learned {
			if err := p.check(); err != nil {
				return nil, err
			}
			return p.counts, nil
		}
		if err := sink.Restart(); err != nil {
			return nil, err
		}
	}
	return nil, fail.New(fail.Internal, "reading did not settle after %d passes", maxPasses).At("chunk %s of %s", c.ID, c.Partition)
}

// ReadAhead says whether chunks from the next one on are decompressed on a
// goroutine of its own, which pays where a processor is idle.
func (s *Scanner) ReadAhead(on bool) { s.readAhead = on }

// Close frees what the scanner holds.
func (s *Scanner) Close() error {
	if s.plain == nil {
		return nil
	}
	return s.plain.Close()
}
