package archivegen

import (
	"strconv"

	"backfill/internal/sandbox/archiver"
)

// origin is what the truth needs to know about a record of the log.
type origin struct {
	event event // if known
	known bool  // the record is an event, whatever became of its text
	extra *extra
	day   int // of the log

	damaged bool // the producer's values don't keep its amounts
}

func (g *origin) kind() FaultKind {
	if g.extra == nil {
		return ""
	}
	return g.extra.kind
}

// detail is what Planted says of a planted record.
func (g *origin) detail() string {
	switch g.kind() {
	case MalformedJSON:
		return malformations[g.extra.ordinal%len(malformations)].reason
	case BadValue, Undatable:
		return g.event.defect.reason
	}
	return ""
}

// gap is a range of offsets that Kafka never gave out, or that are lost.
type gap struct {
	part        int
	first, last int64
}

// kafkaLog is the log of some partitions, in the order in which an archiver reads it.
type kafkaLog struct {
	shaped  // how values are written
	records []archiver.Record
	origins []origin
	gaps    []gap
}

// readDelay is how long a record travels from a producer's clock to the archiver's, in milliseconds.
const readDelay = 2_000

// addPartition appends the log of a partition, left-out kinds skipped.
func (k *kafkaLog) addPartition(l *layout, g *draw, w *writer, left map[FaultKind]bool, part int) error {
	p := &l.parts[part]
	next, arrived := p.offset, int64(0)
	d := 0
	for _, i := range p.objects {
		ob := &l.objects[i]
		if ob.gap > 0 && !left[OffsetGap] {
			k.gaps = append(k.gaps, gap{part, next, next + ob.gap - 1})
			next += ob.gap
		}
		extras := p.extrasIn(ob.from, ob.to)
		for slot := ob.from; slot < ob.to; slot++ {
			for slot >= p.firstSlot[d+1] {
				d++
			}
			e := g.ordinary(p, d, slot)
			archived := e.occurred
			arrived = max(arrived, archived/1000+readDelay)
			if err := k.add(w, l, p, origin{event: e, known: true, day: d}, next, archived, arrived); err != nil {
				return err
			}
			next++
			for ; len(extras) > 0 && extras[0].slot == slot; extras = extras[1:] {
				x := &extras[0]
				if left[x.kind] {
					continue
				}
				from := origin{extra: x, day: d}
				if x.kind != Tombstone && x.kind != NullTail {
					from.event, from.known = g.planted(p, x, d, archived), true
				}
				if err := k.add(w, l, p, from, next, archived, arrived); err != nil {
					return err
				}
				next++
				if x.kind == Deleted && !left[Tombstone] {
					k.addTombstone(x, d, next)
					next++
				}
			}
		}
	}
	return nil
}

func (k *kafkaLog) add(w *writer, l *layout, p *partition, from origin, offset, archived, arrived int64) error {
	r := archiver.Record{
		Topic: l.o.Topic, Partition: p.number, Offset: offset, Arrived: arrived, Timestamp: archived/1000 + 5,
		Headers: []archiver.Header{{Key: "source", Value: "payroll-core"}, {Key: "schema-rev", Value: "2026.3"}},
	}
	var company int64
	if from.known {
		e := &from.event
		company = e.company
		r.Timestamp = arrival(archived, e)
		if from.kind() == Undatable {
			r.Timestamp = -1
		}
		r.Value = w.appendEvent(nil, e, coordinates{p.number, offset, r.Timestamp})
		r.Event, r.HasEvent = e.occurred, from.kind() != Undatable && from.kind() != MalformedJSON
		broken := from.kind() == MalformedJSON
		if k.producer != nil && !(broken && k.values.Bytes) { // what is broken among bytes came from a producer without a serializer
			if err := k.reshape(&r, &from, l.later(archived)); err != nil {
				return err
			}
		}
		if r.Bytes = k.values.Bytes; broken {
			r.Value = malformations[from.extra.ordinal%len(malformations)].mangle(r.Value)
		}
	} else {
		company = p.companies[from.extra.ordinal%len(p.companies)].id
	}
	r.Key = strconv.AppendInt(nil, company, 10)
	k.records, k.origins = append(k.records, r), append(k.origins, from)
	return nil
}

// addTombstone appends the tombstone that follows the last record, a deletion, for its key.
func (k *kafkaLog) addTombstone(x *extra, d int, offset int64) {
	r := k.records[len(k.records)-1]
	r.Offset, r.Value, r.HasEvent = offset, nil, false
	k.records = append(k.records, r)
	k.origins = append(k.origins, origin{extra: &extra{slot: x.slot, kind: Tombstone, ordinal: x.ordinal}, day: d})
}

// later tells whether an instant is in the second half of the window or behind it.
func (l *layout) later(archived int64) bool {
	return archived >= l.cal.days[(l.cal.from+l.cal.to)/2].start
}
