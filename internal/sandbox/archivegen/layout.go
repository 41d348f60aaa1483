package archivegen

import (
	"fmt"
	"math"
	"sort"
)

// layout is the whole archive before a byte of it is written: which events stand where, what is planted
// between them, and which objects hold them. Its size grows with the objects and the planted records, not
// with the events.
type layout struct {
	o       Options
	cal     *calendar
	parts   []partition
	objects []object // in partition order, copies last
	planted map[FaultKind]int64
}

// partition is the log of one Kafka partition. Its ordinary events are numbered by slot, from 0; planted
// records (extras) follow the event of their slot.
type partition struct {
	number    int
	companies []company
	firstSlot []int64 // by day, and one more for the end
	offset    int64   // of the first record
	extras    []extra // by slot
	objects   []int   // into layout.objects, copies left out
}

func (p *partition) slots() int64 { return p.firstSlot[len(p.firstSlot)-1] }

// dayAt returns the index of the day of a slot.
func (p *partition) dayAt(slot int64) int {
	return sort.Search(len(p.firstSlot)-1, func(d int) bool { return p.firstSlot[d+1] > slot })
}

// extrasIn returns the extras of the slots [from, to).
func (p *partition) extrasIn(from, to int64) []extra {
	i := sort.Search(len(p.extras), func(k int) bool { return p.extras[k].slot >= from })
	j := sort.Search(len(p.extras), func(k int) bool { return p.extras[k].slot >= to })
	return p.extras[i:j]
}

// extra is one planted record.
type extra struct {
	slot     int64
	kind     FaultKind
	ordinal  int   // among the extras of its kind: seeds its contents, chooses its variant
	at       int64 // event time; 0: as the slot's
	original int64 // superseded: slot of the event that it is another version of
}

// object is one object of the archive: the slots [from, to), and before them the repeated ones [again, from).
type object struct {
	part     int
	from, to int64
	again    int64
	gap      int64 // offsets missing before it
	start    int64 // offset of the first record, repeated ones included
	codec    string
	ext      string // what the name says, which can be wrong
	members  int    // gzip members or zstd frames
	copy     bool   // another object holds the same content
	damaged  bool
	unended  bool // no newline after the last line
}

type company struct {
	id       int64
	currency uint8
}

const companiesPerPartition = 40

func newLayout(o Options) (*layout, error) {
	cal, err := newCalendar(o)
	if err != nil {
		return nil, err
	}
	l := &layout{o: o, cal: cal, planted: make(map[FaultKind]int64)}
	l.parts = make([]partition, o.Partitions)
	l.spreadCompanies()
	l.spreadEvents()
	if err := l.cutObjects(); err != nil {
		return nil, err
	}
	p := planner{layout: l, draw: newDraw(l), r: randomAt(o.Seed, drawPlan, 0, 0)}
	p.plantObjects()
	p.plantRecords()
	l.assignOffsets()
	p.plantCopies()
	return l, nil
}

// spreadCompanies hashes company ids to partitions, as a producer keyed by company would, until each has one.
func (l *layout) spreadCompanies() {
	n := uint64(len(l.parts))
	for i := range l.parts {
		l.parts[i].number = i
	}
	missing := len(l.parts)
	for k := uint64(0); missing > 0 || k < companiesPerPartition*n; k++ {
		r := randomAt(l.o.Seed, drawCompany, k, 0)
		p := &l.parts[r.below(n)]
		if len(p.companies) == 0 {
			missing--
		}
		p.companies = append(p.companies, company{id: int64(10_001 + k), currency: currencyOf(r.uint64())})
	}
}

// spreadEvents gives each partition its share of each day's events, in proportion to its companies.
func (l *layout) spreadEvents() {
	inWindow := int64(math.Round(float64(l.o.Events) / (1 - l.o.Faults.FilteredTypes)))
	var companies int64
	for i := range l.parts {
		companies += int64(len(l.parts[i].companies))
		l.parts[i].firstSlot = make([]int64, len(l.cal.days)+1)
	}
	for d, n := range l.cal.eventsPerDay(inWindow) {
		var cum int64
		around := d < l.cal.from || d >= l.cal.to
		for i := range l.parts {
			p := &l.parts[i]
			own := int64(len(p.companies))
			share := n*(cum+own)/companies - n*cum/companies
			cum += own
			if around {
				share = max(share, 1)
			}
			p.firstSlot[d+1] = p.firstSlot[d] + share
		}
	}
}

// cutObjects cuts each partition into objects of EventsPerObject slots.
func (l *layout) cutObjects() error {
	size := int64(l.o.EventsPerObject)
	for i := range l.parts {
		p := &l.parts[i]
		for from := int64(0); from < p.slots(); from += size {
			if len(l.objects) == maxObjects {
				return fmt.Errorf("more than %d objects: raise events per object", maxObjects)
			}
			p.objects = append(p.objects, len(l.objects))
			l.objects = append(l.objects, l.newObject(i, from, min(from+size, p.slots())))
		}
	}
	return nil
}

func (l *layout) newObject(part int, from, to int64) object {
	r := randomAt(l.o.Seed, drawObject, uint64(part), uint64(from))
	ob := object{part: part, from: from, to: to, again: from, codec: l.o.Codec, members: 1}
	if ob.codec == CodecMixed {
		switch k := r.below(10); {
		case k < 6:
			ob.codec = CodecGzip
		case k < 9:
			ob.codec = CodecZstd
		default:
			ob.codec = CodecNone
		}
	}
	if chanceOf(l.o.Faults.MultiMember).of(uint32(r.uint64())) && ob.codec != CodecNone {
		ob.members = 2
	}
	ob.ext = extension(ob.codec)
	return ob
}

// assignOffsets numbers the records once everything that takes or skips an offset is planted.
func (l *layout) assignOffsets() {
	for i := range l.parts {
		p := &l.parts[i]
		next := p.offset
		for _, k := range p.objects {
			ob := &l.objects[k]
			next += ob.gap
			ob.start = next - records(p, ob.again, ob.from)
			next += records(p, ob.from, ob.to)
		}
	}
}

// records counts the records of the slots [from, to).
func records(p *partition, from, to int64) int64 {
	return to - from + int64(len(p.extrasIn(from, to)))
}

// key returns the object's key.
func (l *layout) key(ob *object) string {
	n := l.parts[ob.part].number
	return fmt.Sprintf("%s/%s/partition=%d/%s+%d+%010d%s", l.o.Prefix, l.o.Topic, n, l.o.Topic, n, ob.start, ob.ext)
}

// instant returns the event time of a slot of a partition, and its generator, ready to draw the event.
func (l *layout) instant(p *partition, d int, slot int64) (int64, random) {
	r := randomAt(l.o.Seed, drawEvent, uint64(p.number), uint64(slot))
	first, n := p.firstSlot[d], p.firstSlot[d+1]-p.firstSlot[d]
	draw := r.uint64()
	day := &l.cal.days[d]
	at := l.cal.instant(day, slot-first, n, uint32(draw))
	at += int64(draw>>32)%(2*jitterMicros) - jitterMicros
	return min(max(at, day.start), day.end-1), r
}

// jitterMicros is how far events can stand out of their order.
const jitterMicros = 2_000_000
