package scan

import (
	"context"
	"math"

	farm "github.com/dgryski/go-farm"

	"backfill/internal/account"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// maxPending bounds the rows remembered because a later object may hold them
// too: about 100 MB at the limit.
const maxPending = 2_000_000

// sighting is a row that a later object may repeat.
type sighting struct {
	hash   uint64
	object int32
}

type seen uint8

const (
	newRecord seen = iota
	sameRecord
	otherBytes
)

// overlap finds records that stand in more than one object of a partition.
// Objects are sorted by first offset, so only rows at or past the next
// object's first offset can be repeated, and only those are remembered.
type overlap struct {
	firsts  []kafka.Offset // of the chunk's objects, then of the following ones
	own     int            // how many of firsts belong to the chunk
	ordered bool
	from    kafka.Offset // rows at or past it may be repeated
	pending map[kafka.Offset]sighting
	ranges  []account.Range
	cut     bool
}

func newOverlap(c runplan.Chunk, bodyOffsets bool) overlap {
	o := overlap{own: len(c.Objects), ordered: true, from: math.MaxInt64, pending: map[kafka.Offset]sighting{}}
	for _, ref := range append(append([]runplan.ObjectRef(nil), c.Objects...), c.Following...) {
		o.firsts = append(o.firsts, ref.First)
		o.ordered = o.ordered && ref.Ordered && ref.First != kafka.NoOffset
	}
	if !o.ordered && bodyOffsets {
		o.from = math.MinInt64 // objects interleave: any row may come again
	}
	return o
}

// enter begins the object-th object: offsets before its first can't come again.
func (o *overlap) enter(object int) {
	if !o.ordered {
		return
	}
	for offset := range o.pending {
		if offset < o.firsts[object] {
			delete(o.pending, offset)
		}
	}
	o.from = math.MaxInt64
	if object+1 < len(o.firsts) {
		o.from = o.firsts[object+1]
	}
}

// see compares a row with what earlier objects held at its offset.
func (o *overlap) see(p *pass, offset kafka.Offset, raw []byte) seen {
	if offset == kafka.NoOffset {
		return newRecord
	}
	if _, there := p.known.elsewhere[offset]; there {
		return sameRecord
	}
	remember := offset >= o.from
	if !remember && len(o.pending) == 0 {
		return newRecord
	}
	hash := farm.Fingerprint64(raw)
	if before, ok := o.pending[offset]; ok {
		if before.hash == hash {
			return sameRecord
		}
		return otherBytes
	}
	if remember {
		if len(o.pending) >= maxPending {
			p.err = fail.New(fail.Damaged, "objects of %s overlap by more than %d records", p.chunk.Partition, maxPending).At("%s", p.object.Key).
				Try("the archive holds whole second copies; move one of them out of the archive's prefix")
			return newRecord
		}
		o.pending[offset] = sighting{hash: hash, object: int32(p.index)}
	}
	return newRecord
}

// owner returns the object whose row is remembered at the offset.
func (o *overlap) owner(offset kafka.Offset) int { return int(o.pending[offset].object) }

// cover notes that the offset was found.
func (o *overlap) cover(offset kafka.Offset) {
	if n := len(o.ranges); n > 0 && offset >= o.ranges[n-1].From && offset <= o.ranges[n-1].To {
		o.ranges[n-1].To = max(o.ranges[n-1].To, offset+1)
		return
	}
	if len(o.ranges) >= account.MaxRanges {
		o.ranges = account.MergeRanges(o.ranges)
		if len(o.ranges) >= account.MaxRanges {
			o.cut = true
			return
		}
	}
	o.ranges = append(o.ranges, account.Range{From: offset, To: offset + 1})
}

// prove says what the object's offsets rest on, once its last record is read.
func (p *pass) prove(ref runplan.ObjectRef) (kafka.Proof, bool) {
	if p.o.Dataset.Records.Offset != nil {
		if p.object.First == kafka.NoOffset && p.object.Records > 0 {
			return kafka.ProofUnproven, false
		}
		return kafka.ProofBody, false
	}
	if !p.overlap.ordered || p.object.Records == 0 {
		return kafka.ProofUnproven, false
	}
	next := kafka.Offset(-1)
	for _, first := range p.overlap.firsts[p.index+1:] {
		if first > ref.First {
			next = first
			break
		}
	}
	end := ref.First + kafka.Offset(p.object.Records)
	switch {
	case next == -1:
		return kafka.ProofDerived, true
	case end < next && !p.coveredBefore(end, next):
		p.doubt(p.index, "it holds fewer records than the next object's name leads to expect")
	}
	if _, unproven := p.known.unproven[p.index]; unproven {
		return kafka.ProofUnproven, false
	}
	return kafka.ProofDerived, false
}

// coveredBefore reports whether earlier, longer objects hold [from, to): the
// object is a shorter copy inside them.
func (p *pass) coveredBefore(from, to kafka.Offset) bool {
	for _, r := range account.MergeRanges(append([]account.Range(nil), p.overlap.ranges...)) {
		if r.From <= from && r.To >= to {
			return true
		}
	}
	return false
}

// resolveFollowing reads the next objects of the partition where rows of this
// chunk reach past their first offset: a row that they hold too is theirs.
func (p *pass) resolveFollowing(ctx context.Context) error {
	if p.known.resolved || !p.overlap.ordered || len(p.chunk.Following) == 0 {
		return nil
	}
	p.known.resolved = true
	first := p.chunk.Following[0].First
	over := map[kafka.Offset]sighting{}
	for offset, s := range p.overlap.pending {
		if offset >= first {
			over[offset] = s
		}
	}
	if len(over) == 0 {
		return nil
	}
	for _, ref := range p.chunk.Following {
		if err := p.lookInto(ctx, ref, over); err != nil {
			return err
		}
	}
	return nil
}

// lookInto reads an object of a later chunk only to compare its records.
func (p *pass) lookInto(ctx context.Context, ref runplan.ObjectRef, over map[kafka.Offset]sighting) error {
	body := p.o.Dataset.Records.Offset != nil
	compare := func(r *decode.Record) bool {
		offset := ref.First + kafka.Offset(r.Row)
		if body {
			if r.OffsetState != decode.OK {
				return false
			}
			offset = r.Offset
		}
		s, ok := over[offset]
		switch {
		case !ok:
		case s.hash == farm.Fingerprint64(r.Raw):
			p.known.elsewhere[offset] = struct{}{}
			p.learned = true
		case !body:
			p.doubt(int(s.object), "its records at overlapping offsets differ from the next object's")
		}
		return false
	}
	return p.decodeObject(ctx, ref, compare, func() error { return nil })
}
