package scan

import (
	"math"

	farm "github.com/dgryski/go-farm"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// maxPending bounds the records remembered because a later object may hold
// them too: about 100 MB at the limit.
const maxPending = 2_000_000

// sighting is a record that a later object may repeat.
type sighting struct {
	hash   uint64 // of its bytes
	object int32
	row    bool
}

// identity names a record by its offset and the hash of its bytes.
type identity struct {
	offset kafka.Offset
	hash   uint64
}

// overlap remembers records that may stand in more than one object of a
// partition. Objects are sorted by first offset, so only records at or past the
// next object's first offset can be repeated, and only those are remembered.
// Where that order is not proven, offsets from bodies are all remembered.
type overlap struct {
	firsts  []kafka.Offset // of the chunk's objects, then of the following ones
	ordered bool           // by their names
	all     bool           // any record may be repeated anywhere
	from    kafka.Offset   // records at or past it may be repeated
	pending map[kafka.Offset]sighting
	rivals  map[kafka.Offset][]sighting // further records with other bytes
	count   int
	limit   int
}

func newOverlap(c runplan.Chunk, bodyOffsets, disorder bool, limit int) overlap {
	o := overlap{ordered: true, from: math.MaxInt64, pending: map[kafka.Offset]sighting{}, rivals: map[kafka.Offset][]sighting{}, limit: limit}
	for _, refs := range [][]runplan.ObjectRef{c.Objects, c.Following} {
		for i := range refs {
			o.firsts = append(o.firsts, refs[i].First)
			o.ordered = o.ordered && refs[i].Ordered && refs[i].First != kafka.NoOffset
		}
	}
	if o.all = bodyOffsets && (!o.ordered || disorder); o.all {
		o.from = math.MinInt64
	}
	return o
}

// enter begins an object: offsets before its first can't come again.
func (o *overlap) enter(object int) {
	if !o.ordered || o.all {
		return
	}
	for offset := range o.pending {
		if offset < o.firsts[object] {
			o.count -= 1 + len(o.rivals[offset])
			delete(o.pending, offset)
			delete(o.rivals, offset)
		}
	}
	o.from = math.MaxInt64
	if object+1 < len(o.firsts) {
		o.from = o.firsts[object+1]
	}
}

// next returns the first offset behind the object's that a name gives.
func (o *overlap) next(object int) (kafka.Offset, bool) {
	for _, first := range o.firsts[object+1:] {
		if first > o.firsts[object] {
			return first, true
		}
	}
	return kafka.NoOffset, false
}

// at returns the sightings at the offset: the first, and others that had other
// bytes.
func (o *overlap) at(offset kafka.Offset) (first sighting, rivals []sighting, found bool) {
	if first, found = o.pending[offset]; found && len(o.rivals) > 0 {
		rivals = o.rivals[offset]
	}
	return first, rivals, found
}

// add remembers one more sighting; it reports false at the limit.
func (o *overlap) add(offset kafka.Offset, s sighting) bool {
	if o.count == o.limit {
		return false
	}
	o.count++
	if _, found := o.pending[offset]; found {
		o.rivals[offset] = append(o.rivals[offset], s)
	} else {
		o.pending[offset] = s
	}
	return true
}

// last returns the highest remembered offset.
func (o *overlap) last() kafka.Offset {
	last := kafka.NoOffset
	for offset := range o.pending {
		last = max(last, offset)
	}
	return last
}

// repeats compares a record whose offset is not contradicted with what earlier
// objects held there, remembers it where later ones may hold it, and reports
// whether it is one copy too many.
func (p *pass) repeats(offset kafka.Offset, raw []byte, row bool) bool {
	o := &p.overlap
	remember := offset >= o.from
	if !remember && len(o.pending) == 0 {
		return false
	}
	hash := farm.Fingerprint64(raw)
	if first, rivals, found := o.at(offset); found {
		if _, same := match(first, rivals, hash); same {
			return true
		}
		p.differs(first, rivals, conflict{later: p.index, offset: offset}, &p.conflicts)
	}
	if remember && !o.add(offset, sighting{hash: hash, object: int32(p.index), row: row}) {
		p.err = p.tooMuch()
	}
	_, later := p.known.elsewhere[identity{offset, hash}]
	return later
}

// match returns the sighting with the hash.
func match(first sighting, rivals []sighting, hash uint64) (sighting, bool) {
	if first.hash == hash {
		return first, true
	}
	for _, s := range rivals {
		if s.hash == hash {
			return s, true
		}
	}
	return sighting{}, false
}

// differs draws the consequence of other bytes at an offset. Offsets from
// bodies can't be wrong, so both records stay and people are told; derived
// offsets of the earlier objects are no longer believed.
func (p *pass) differs(first sighting, rivals []sighting, c conflict, conflicts *[]conflict) {
	if p.o.Dataset.Records.Offset != nil {
		if c.earlier = int(first.object); len(*conflicts) < account.MaxFindings {
			*conflicts = append(*conflicts, c)
		}
		return
	}
	d := doubt{why: "its records at overlapping offsets differ from the next object's", contradicted: true, rival: c.later}
	p.doubt(int(first.object), d)
	for i := range rivals {
		p.doubt(int(rivals[i].object), d)
	}
}

func (p *pass) tooMuch() error {
	if p.overlap.all {
		return fail.New(fail.Damaged, "offsets of %s are in no order, and more than %d records would have to be compared", p.chunk.Partition, p.overlap.limit).
			At("%s", p.object.Key).Try("plan smaller chunks with --chunk-bytes")
	}
	return fail.New(fail.Damaged, "objects of %s overlap by more than %d records", p.chunk.Partition, p.overlap.limit).At("%s", p.object.Key).
		Try("the archive holds whole second copies; move one of them out of the archive's prefix; if the topic was deleted and made anew, say when in archive.recreated")
}
