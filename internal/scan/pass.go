package scan

import (
	"context"
	"errors"
	"fmt"
	"io"

	"backfill/internal/account"
	"backfill/internal/codec"
	"backfill/internal/columns"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/registry"
	"backfill/internal/runplan"
	"backfill/internal/timing"
)

// pass is one reading of a chunk.
type pass struct {
	*Scanner
	chunk       runplan.Chunk
	sink        Sink
	known       *verdicts
	counts      *account.Chunk
	found       coverage
	overlap     overlap
	spans       []times    // of the chunk's objects
	conflicts   []conflict // of offsets from bodies, within the chunk
	schemas     map[string]*account.SchemaCount
	damaged     int64 // records with amounts that went through a float
	firstDamage account.Finding
	learned     bool // something that earlier rows did not know
	err         error

	// The object being read.
	index        int
	object       account.ObjectCount
	proven       bool              // its derived offsets are believed as far as known
	contradicted bool              // its derived offsets are wrong somewhere
	adrift       bool              // it has no derived offsets
	unnumbered   int64             // values whose body lacks the offset
	silent       int64             // records without an offset behind the last that has one
	frames       *registry.Records // its framed values; nil: there are none
	frame        registry.Opened   // of the record at hand
}

func (s *Scanner) newPass(c runplan.Chunk, sink Sink, known *verdicts) *pass {
	p := &pass{Scanner: s, chunk: c, sink: sink, known: known, counts: account.NewChunk(), schemas: map[string]*account.SchemaCount{}, spans: make([]times, len(c.Objects))}
	p.counter.start(c.Partition, p.counts)
	p.overlap = newOverlap(c, s.o.Dataset.Records.Offset != nil, known.disorder, maxPending)
	p.batch.N = 0 // an earlier chunk may have ended with an error
	n := len(s.stage)
	topic, partition := &s.batch.Cols[n-3], &s.batch.Cols[n-2]
	name := []byte(c.Partition.Topic)
	for i := range columns.BatchRows {
		topic.S[i], topic.Null[i] = name, false
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
	p.judge()
	for i := range p.counts.Objects {
		if d, unproven := p.known.unproven[i]; unproven {
			class := account.UnprovenOffsets
			switch {
			case d.contradicted:
				class = account.ArchiveConflict
			case d.short:
				class = account.ShortObject
			}
			f, _, again := p.recreated(i, d.rival, p.chunk.Objects[i].First)
			if !d.contradicted || !again {
				f = account.Finding{Class: class, Object: p.counts.Objects[i].Key, Offset: p.chunk.Objects[i].First, Text: d.why}
			}
			p.find(f)
		}
	}
	p.contradictions()
	for _, f := range p.known.findings {
		p.find(f)
	}
	if p.damaged > 0 {
		p.firstDamage.Text = fmt.Sprintf("%d records have amounts with the noise of 64-bit floats, %s", p.damaged, p.firstDamage.Text)
		p.find(p.firstDamage)
	}
	p.counts.Ranges, p.counts.RangesCut = p.found.result()
	p.counts.Schemas = p.schemaCounts()
	return nil
}

func (p *pass) find(f account.Finding) { note(&p.counts.Findings, f) }

// note keeps a finding as long as there are not too many.
func note(list *[]account.Finding, f account.Finding) {
	if len(*list) < account.MaxFindings {
		*list = append(*list, f)
	}
}

func newObject(ref runplan.ObjectRef) account.ObjectCount {
	return account.ObjectCount{Key: ref.Key, First: kafka.NoOffset, Last: kafka.NoOffset, Proof: kafka.ProofUnproven}
}

// readObject reads one object of the chunk to its end.
func (p *pass) readObject(ctx context.Context, ref runplan.ObjectRef) error {
	d, unproven := p.known.unproven[p.index]
	p.object, p.proven, p.contradicted, p.adrift = newObject(ref), !unproven, d.contradicted, d.adrift
	p.unnumbered, p.silent = 0, 0
	p.overlap.enter(p.index)
	if err := p.decodeObject(ctx, ref, p.admit); err != nil {
		return err
	}
	if p.o.Dataset.Records.Offset != nil {
		p.proveBody(ref)
		if next, ok := p.overlap.next(p.index); ok {
			p.fill(next)
		}
	}
	p.counts.Objects = append(p.counts.Objects, p.object)
	return nil
}

// proveBody believes the offsets of bodies if all values have one.
func (p *pass) proveBody(ref runplan.ObjectRef) {
	if p.unnumbered > 0 {
		p.find(account.Finding{Class: account.UnprovenOffsets, Object: ref.Key, Offset: ref.First,
			Text: fmt.Sprintf("%d of its values carry no offset", p.unnumbered)})
		return
	}
	if p.object.Records == 0 || p.object.First != kafka.NoOffset {
		p.object.Proof = kafka.ProofBody
	}
}

// decodeObject runs all records of an object through admit and flushes the
// rows that it keeps.
func (p *pass) decodeObject(ctx context.Context, ref runplan.ObjectRef, admit func(*decode.Record) bool) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	lane := p.o.Lane
	defer lane.Back(lane.Enter(timing.Decompress))
	waiting := lane.Wait(timing.Fetch)
	body, err := p.o.Source.Open(reading, ref)
	lane.Back(waiting)
	if err != nil {
		return err
	}
	defer body.Close()
	p.timed.lane, p.timed.body = lane, body
	if err := p.openCodec(fetched{&p.timed}); err != nil {
		return p.broken(ctx, err, ref)
	}
	p.timed.plain = p.plain
	lane.Enter(timing.Decode)
	straight := p.direct() && !p.packed() // told from the first bytes: begin may read them
	done, err := p.begin(reading, ref)
	if err != nil {
		done()
		return p.broken(ctx, err, ref)
	}
	defer done()
	admit = p.opened(admit)
	if straight && p.readAhead {
		p.timed.lane = lane.Beside()
		p.ahead.start(&p.timed, lane)
		defer func() {
			cancel() // ends a Read that waits
			p.ahead.stop()
		}()
		p.decoder.Reset(&p.ahead)
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := p.decoder.Scan(p.batch, admit)
		if p.err != nil {
			return p.err
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return p.broken(ctx, err, ref)
		}
		if flushErr := p.flush(); flushErr != nil {
			return flushErr
		}
		if err != nil {
			p.read(ref)
			return nil
		}
	}
}

func (p *pass) openCodec(body io.Reader) error {
	if p.plain != nil {
		return p.plain.Reset(body)
	}
	r, err := codec.Open(body, codec.Limits{Ratio: maxRatio})
	p.plain = r
	return err
}

// broken adds the place to an error met while reading an object. Only what
// codec calls damage is damage; anything else keeps its code.
func (p *pass) broken(ctx context.Context, err error, ref runplan.ObjectRef) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !fail.Is(err, fail.Damaged) {
		return fmt.Errorf("scanning %s: %w", ref.Key, err)
	}
	return fail.Wrap(err, fail.Damaged, "the object can't be read to its end").
		At("%s after record %d (first offset %d)", ref.Key, p.object.Records, ref.First).
		Try("restore an earlier version of the object, or have the archiver write it again; nothing was loaded. To load without it, its records unknown and the result INCOMPLETE: --accept-damaged %s", ref.Key)
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
	at := p.o.Lane.Enter(timing.Account)
	err := p.counter.rows(p.batch)
	p.o.Lane.Passed(timing.Account, 0, int64(p.batch.N))
	p.o.Lane.Back(at)
	if err != nil {
		return err
	}
	err = p.sink.Rows(p.batch)
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
