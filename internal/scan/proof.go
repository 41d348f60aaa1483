package scan

import (
	"context"
	"fmt"

	farm "github.com/dgryski/go-farm"

	"backfill/internal/account"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// doubt says why an object's derived offsets prove nothing.
type doubt struct {
	why          string
	contradicted bool // by another object's bytes: its records are compared with none, their identity is their position
	short        bool // fewer records than names lead to expect
	adrift       bool // nothing tells where it begins: its records' offsets are not known at all
	rival        int  // number of the object that contradicts it, among the chunk's and the following; nobody: unknown
}

// verdicts is what earlier passes learned of a chunk. It only grows.
type verdicts struct {
	unproven  map[int]doubt         // by object number
	elsewhere map[identity]struct{} // rows that a later chunk's object holds with the same bytes
	ends      []kafka.Offset        // of the following objects that were read: the offset past their last
	spans     []times               // of the following objects that were read
	conflicts []conflict            // with records of following objects
	findings  []account.Finding     // that no later pass makes again
	disorder  bool                  // offsets in bodies do not ascend as names say
	resolved  bool                  // the following objects were looked at
}

func newVerdicts() *verdicts {
	return &verdicts{unproven: map[int]doubt{}, elsewhere: map[identity]struct{}{}}
}

// giveUp believes no object's derived offsets, after which a pass learns nothing.
func (v *verdicts) giveUp(objects int) {
	for i := range objects {
		if d := v.unproven[i]; !d.contradicted {
			v.unproven[i] = doubt{why: "it and the objects that it overlaps contradict each other", contradicted: true, rival: nobody}
		}
	}
}

// doubt learns that an object's offsets prove nothing, which asks for another pass.
func (p *pass) doubt(object int, d doubt) {
	if before, known := p.known.unproven[object]; known && (before.contradicted || !d.contradicted) {
		return
	}
	p.known.unproven[object] = d
	p.learned = true
}

// disorder learns that objects' names do not tell in which order offsets come,
// which asks for another pass.
func (p *pass) disorder(offset kafka.Offset) {
	if p.known.disorder {
		return
	}
	p.known.disorder, p.learned = true, true
	note(&p.known.findings, account.Finding{
		Class: account.UnprovenOffsets, Object: p.object.Key, Offset: offset,
		Text: "its records' offsets do not ascend from the one in its name; copies of its records are found in the same chunk only",
	})
}

// derived reports whether offsets come from names and row numbers.
func (p *pass) derived() bool { return p.o.Dataset.Records.Offset == nil && p.overlap.ordered }

// judge says what every object's offsets rest on. It doubts objects that hold
// fewer records than the next name leads to expect, unless they are shorter
// copies inside another that holds the rest. It needs all objects' counts.
func (p *pass) judge() {
	if !p.derived() {
		return
	}
	firsts, own := p.overlap.firsts, len(p.chunk.Objects)
	for i := range p.counts.Objects {
		p.judgeEnd(i)
	}
	reach, longest := kafka.NoOffset, 0 // offset past all that is held so far, and by which object
	for start, end := 0, 0; start < own+len(p.known.ends); start = end {
		for ; end < len(firsts) && firsts[end] == firsts[start]; end++ {
			if e := p.end(end); e > reach {
				reach, longest = e, end
			}
		}
		if end < len(firsts) && reach < firsts[end] {
			p.tooShort(longest, firsts[end])
			for i := start; i < end; i++ {
				p.tooShort(i, firsts[end])
			}
		}
		for i := start; i < min(end, own); i++ {
			p.counts.Objects[i].Open = end == len(firsts) && p.chunk.Objects[i].End == 0
		}
	}
	for i := range p.counts.Objects {
		o := &p.counts.Objects[i]
		if _, unproven := p.known.unproven[i]; !unproven && o.Records > 0 {
			o.Proof = kafka.ProofDerived
		} else {
			o.Open = false
		}
	}
}

// judgeEnd doubts an object that does not hold as many records as there are
// offsets between the end of the object before and the end in its own name.
// Where no object lies before, as many records as offsets prove that it begins
// at 0; fewer prove nothing.
func (p *pass) judgeEnd(object int) {
	ref, records := &p.chunk.Objects[object], p.counts.Objects[object].Records
	switch room := int64(ref.End - ref.First); {
	case ref.End == 0 || records == 0 || records == room:
	case records > room:
		p.doubt(object, doubt{contradicted: true, rival: nobody, why: fmt.Sprintf(
			"it holds %d records, and its name leaves room for %d behind the object before: it repeats records of that, or names of this archive have other offsets than the last ones", records, room)})
	case ref.Adrift():
		p.doubt(object, doubt{adrift: true, rival: nobody, why: fmt.Sprintf(
			"it is the first of its partition, and names have last offsets only: where its %d records begin is not known, so that their identity is their position", records)})
	default:
		p.tooShort(object, ref.End)
	}
}

func (p *pass) tooShort(object int, next kafka.Offset) {
	if object < len(p.counts.Objects) && p.counts.Objects[object].Records > 0 {
		p.doubt(object, doubt{short: true, rival: nobody, why: fmt.Sprintf(
			"it holds %d records, and names lead to expect %d: the archiver closed it early, or the topic has gaps (compaction, transactions, dropped records). Compare it with the topic; archive.gaps takes what is right",
			p.counts.Objects[object].Records, next-p.chunk.Objects[object].First)})
	}
}

// end returns the offset past the last that the object seems to hold, of the
// chunk's objects and then the following ones; NoOffset where that is not known
// or not believed.
func (p *pass) end(object int) kafka.Offset {
	own := len(p.chunk.Objects)
	if object >= own {
		if object -= own; object < len(p.known.ends) {
			return p.known.ends[object]
		}
		return kafka.NoOffset
	}
	if p.known.unproven[object].contradicted {
		return kafka.NoOffset
	}
	return p.chunk.Objects[object].First + kafka.Offset(p.counts.Objects[object].Records)
}

// resolveFollowing reads the next objects of the partition where records of
// this chunk reach past their first offset: a row that they hold too is theirs.
func (p *pass) resolveFollowing(ctx context.Context) error {
	if p.known.resolved || !p.overlap.ordered || len(p.chunk.Following) == 0 {
		return nil
	}
	p.known.resolved = true
	last := p.overlap.last()
	for _, ref := range p.chunk.Following {
		if ref.First > last {
			return nil
		}
		end, err := p.lookInto(ctx, ref)
		if err != nil {
			return err
		}
		p.known.ends = append(p.known.ends, end)
	}
	return p.checkReach()
}

// lookInto reads an object of a later chunk only to compare its records, and
// returns the offset past its last.
func (p *pass) lookInto(ctx context.Context, ref runplan.ObjectRef) (kafka.Offset, error) {
	p.object = newObject(ref)
	end, when := ref.First, times{}
	err := p.decodeObject(ctx, ref, func(r *decode.Record) bool {
		p.object.Records++
		offset := ref.First + kafka.Offset(r.Row)
		if p.o.Dataset.Records.Offset != nil {
			offset = r.Offset
		}
		if offset != kafka.NoOffset && !p.foreign(r) {
			end = max(end, offset+1)
			p.lookAt(offset, r.Raw)
		}
		if at, known := p.timeOf(r); known {
			when.add(at)
		}
		return false
	})
	p.known.spans = append(p.known.spans, when)
	return end, err
}

// lookAt compares a record of a later chunk with this chunk's.
func (p *pass) lookAt(offset kafka.Offset, raw []byte) {
	first, rivals, found := p.overlap.at(offset)
	if !found {
		return
	}
	hash := farm.Fingerprint64(raw)
	same, found := match(first, rivals, hash)
	if !found {
		p.differs(first, rivals, conflict{later: len(p.chunk.Objects) + len(p.known.spans), offset: offset}, &p.known.conflicts)
		return
	}
	if same.row {
		p.known.elsewhere[identity{offset, hash}] = struct{}{}
		p.learned = true
	}
}

// checkReach refuses a row that none of the following objects holds and that
// lies past the first offset of the last of them: where the plan lists no more,
// whether an object behind them holds the row, too, can't be known. Names that
// give no order say nothing about that either way.
func (p *pass) checkReach() error {
	n := len(p.chunk.Following)
	if n < runplan.Following || p.known.disorder {
		return nil
	}
	from := p.chunk.Following[n-1].First
	at, lost := sighting{}, kafka.NoOffset
	for offset, s := range p.overlap.pending {
		_, matched := p.known.elsewhere[identity{offset, s.hash}]
		if offset < from || !s.row || matched || p.known.unproven[int(s.object)].contradicted {
			continue
		}
		if lost == kafka.NoOffset || offset < lost {
			at, lost = s, offset
		}
	}
	if lost == kafka.NoOffset {
		return nil
	}
	return fail.New(fail.Damaged, "its row at offset %d lies past the %d objects that may be compared with its chunk, so another copy of it can't be ruled out", lost, n).
		At("%s", p.chunk.Objects[at.object].Key).
		Try("plan larger chunks with --chunk-bytes, or move second copies out of the archive's prefix; if the topic was deleted and made anew, say when in archive.recreated")
}
