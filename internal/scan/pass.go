package scan

import (
	"context"
	"errors"
	"io"

	"backfill/internal/account"
	"backfill/internal/codec"
	"backfill/internal/columns"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// verdicts is what earlier passes learned of a chunk. It only grows.
type verdicts struct {
	unproven  map[int]string            // object number → why its offsets prove nothing
	elsewhere map[kafka.Offset]struct{} // offsets that a later chunk's object holds with the same bytes
	resolved  bool                      // the following objects were looked at
}

func newVerdicts() *verdicts {
	return &verdicts{unproven: map[int]string{}, elsewhere: map[kafka.Offset]struct{}{}}
}

// pass is one reading of a chunk.
type pass struct {
	*Scanner
	chunk   runplan.Chunk
	sink    Sink
	known   *verdicts
	counts  *account.Chunk
	overlap overlap
	learned bool // something that earlier rows did not know
	err     error

	index  int // of the object being read
	object account.ObjectCount
}

func (s *Scanner) newPass(c runplan.Chunk, sink Sink, known *verdicts) *pass {
	p := &pass{Scanner: s, chunk: c, sink: sink, known: known, counts: account.NewChunk()}
	p.counter.start(c.Partition, p.counts)
	p.overlap = newOverlap(c, s.o.Dataset.Records.Offset != nil)
	n := len(s.stage)
	topic, partition := &s.batch.Cols[n-3], &s.batch.Cols[n-2]
	for i := range columns.BatchRows {
		topic.S[i], topic.Null[i] = []byte(c.Partition.Topic), false
		partition.I[i], partition.Null[i] = int64(c.Partition.Partition), false
	}
	return p
}

// run reads all objects of the chunk, then what it must know of later ones.
func (p *pass) run(ctx context.Context) error {
	for i := range p.chunk.Objects {
		p.index = i
		if err := p.readObject(ctx, p.chunk.Objects[i]); err != nil {
			return err
		}
	}
	if err := p.resolveFollowing(ctx); err != nil {
		return err
	}
	for i, why := range p.known.unproven {
		o := &p.counts.Objects[i]
		p.find(account.Finding{Class: account.UnprovenOffsets, Object: o.Key, Offset: p.chunk.Objects[i].First, Text: why})
	}
	p.counts.Ranges = account.MergeRanges(append(p.counts.Ranges, p.overlap.ranges...))
	p.counts.RangesCut = p.overlap.cut
	return nil
}

func (p *pass) find(f account.Finding) {
	if len(p.counts.Findings) < account.MaxFindings {
		p.counts.Findings = append(p.counts.Findings, f)
	}
}

// readObject reads one object of the chunk to its end.
func (p *pass) readObject(ctx context.Context, ref runplan.ObjectRef) error {
	p.object = account.ObjectCount{Key: ref.Key, First: kafka.NoOffset, Last: kafka.NoOffset, Proof: kafka.ProofUnproven}
	p.overlap.enter(p.index)
	err := p.decodeObject(ctx, ref, p.admit, p.flush)
	if err != nil {
		return err
	}
	p.object.Proof, p.object.Open = p.prove(ref)
	p.counts.Objects = append(p.counts.Objects, p.object)
	return nil
}

// decodeObject runs all records of an object through admit, and flush whenever
// the batch must be emptied.
func (p *pass) decodeObject(ctx context.Context, ref runplan.ObjectRef, admit func(*decode.Record) bool, flush func() error) error {
	body, err := p.o.Source.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := p.openCodec(body); err != nil {
		return damaged(err, ref, 0)
	}
	p.decoder.Reset(p.plain)
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		err := p.decoder.Scan(p.batch, admit)
		if p.err != nil {
			return p.err
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return damaged(err, ref, p.object.Records)
		}
		if flushErr := flush(); flushErr != nil {
			return flushErr
		}
		if err != nil {
			return nil
		}
	}
}

func (p *pass) openCodec(body io.Reader) error {
	if p.plain != nil {
		return p.plain.Reset(body)
	}
	r, err := codec.Open(body, codec.Limits{})
	p.plain = r
	return err
}

// damaged adds the place to an error that came out of an object's bytes.
func damaged(err error, ref runplan.ObjectRef, records int64) error {
	var coded *fail.Error
	if errors.As(err, &coded) && coded.Code != fail.Damaged {
		return err
	}
	return fail.Wrap(err, fail.Damaged, "the object can't be read to its end").
		At("%s after record %d (first offset %d)", ref.Key, records, ref.First).
		Try("restore an earlier version of the object, or have the archiver write it again; nothing was loaded")
}

// flush counts the batch's rows, hands them to the sink and empties the batch.
func (p *pass) flush() error {
	if p.batch.N == 0 {
		return nil
	}
	offsets := &p.batch.Cols[len(p.stage)-1]
	for i := range p.batch.N {
		offsets.I[i] = int64(p.batch.Offset[i])
		offsets.Null[i] = p.batch.Offset[i] == kafka.NoOffset
	}
	if err := p.counter.rows(p.batch); err != nil {
		return err
	}
	err := p.sink.Rows(p.batch)
	p.batch.N = 0
	return err
}

// check asserts what must hold of every chunk.
func (p *pass) check() error {
	var rows, records int64
	for _, c := range p.counts.Cells {
		rows += c.Rows
	}
	for _, o := range p.counts.Objects {
		records += o.Records
	}
	if rows != p.counts.Tally[account.Row] || records != p.counts.Tally.Read() {
		return fail.New(fail.Internal, "counts do not add up: %d rows in cells and %d in the tally, %d records in objects and %d in the tally",
			rows, p.counts.Tally[account.Row], records, p.counts.Tally.Read()).At("chunk %s of %s", p.chunk.ID, p.chunk.Partition)
	}
	return nil
}
