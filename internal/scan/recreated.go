package scan

import (
	"fmt"

	"backfill/internal/account"
	"backfill/internal/decode"
	"backfill/internal/kafka"
)

// nobody is no object's number.
const nobody = -1

// times are the moments of an object's records, as far as they are known.
type times struct {
	from, to kafka.Instant // both in it
	any      bool
}

func (s *times) add(at kafka.Instant) {
	if !s.any {
		*s = times{from: at, to: at, any: true}
		return
	}
	s.from, s.to = min(s.from, at), max(s.to, at)
}

// before reports whether all records of s are older than all of other.
func (s times) before(other times) bool { return s.any && other.any && s.to < other.from }

// timeOf is when the record was written to Kafka, else its event time; false
// where neither is known.
func (p *pass) timeOf(r *decode.Record) (kafka.Instant, bool) {
	switch records := &p.o.Dataset.Records; {
	case r.Kind != decode.Value:
		return 0, false
	case records.Timestamp != nil && r.TimestampState == decode.OK:
		return r.Timestamp, true
	case records.EventTime != nil && r.EventTimeState == decode.OK:
		return r.EventTime, true
	}
	return 0, false
}

// conflict is other bytes in an object at an offset that an earlier one holds,
// both by their numbers among the chunk's and the following objects.
type conflict struct {
	earlier, later int
	offset         kafka.Offset
}

// span returns the times of an object by its number.
func (p *pass) span(object int) times {
	if object < len(p.spans) {
		return p.spans[object]
	}
	if object -= len(p.spans); object < len(p.known.spans) {
		return p.known.spans[object]
	}
	return times{}
}

func (p *pass) keyOf(object int) string {
	if own := len(p.chunk.Objects); object >= own {
		return p.chunk.Following[object-own].Key
	}
	return p.chunk.Objects[object].Key
}

// contradictions names each conflict of offsets from bodies. A log keeps the
// order of time, so objects that share offsets and no time are of two topics
// with one name: those are named once for each newer object.
func (p *pass) contradictions() {
	named := map[int]bool{}
	for _, c := range append(p.known.conflicts, p.conflicts...) {
		f, newer, again := p.recreated(c.earlier, c.later, c.offset)
		if !again {
			p.find(account.Finding{Class: account.ArchiveConflict, Object: p.keyOf(c.later), Offset: c.offset,
				Text: "another object holds other bytes at this offset; both records were kept"})
		} else if !named[newer] {
			named[newer] = true
			p.find(f)
		}
	}
}

// recreated is the finding that two objects which contradict each other at an
// offset are of two topics, with the number of the newer object; false where
// their times do not say so.
func (p *pass) recreated(a, b int, offset kafka.Offset) (f account.Finding, newer int, again bool) {
	if a == nobody || b == nobody {
		return f, nobody, false
	}
	older, newer := a, b
	if p.span(b).before(p.span(a)) {
		older, newer = b, a
	}
	if !p.span(older).before(p.span(newer)) {
		return f, nobody, false
	}
	return account.Finding{
		Class: account.TopicRecreated, Object: p.keyOf(newer), Offset: offset,
		Text: fmt.Sprintf("topic re-created: its offsets begin again; its records are of %s or later, while %s has the same offsets with other records, of %s or earlier. All were kept. Say in archive.recreated when the topic was made anew",
			p.span(newer).from, p.keyOf(older), p.span(older).to),
	}, newer, true
}
