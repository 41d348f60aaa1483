package archivegen

import (
	"cmp"
	"slices"
)

// FaultKind names what was planted.
type FaultKind string

// The kinds of planted faults.
const (
	DuplicateObject FaultKind = "duplicate_object"
	OverlapObject   FaultKind = "overlap_object"
	OffsetGap       FaultKind = "offset_gap"
	DamagedObject   FaultKind = "damaged_object"
	NullTail        FaultKind = "null_tail"
	NoFinalNewline  FaultKind = "no_final_newline"
	LateRecord      FaultKind = "late_record"
	FutureRecord    FaultKind = "future_record"
	WindowEdge      FaultKind = "window_edge"
	Superseding     FaultKind = "superseding_version" // a newer version of an earlier event
	Stale           FaultKind = "stale_version"       // an older version that arrives after the newer one
	MalformedJSON   FaultKind = "malformed_json"
	Tombstone       FaultKind = "tombstone"
	Undatable       FaultKind = "undatable"
	BadValue        FaultKind = "bad_value"
	Deleted         FaultKind = "deleted" // an event that is taken back; a tombstone of its key follows
)

const (
	hourMicros     = int64(3600) * 1_000_000
	dayMicros      = 24 * hourMicros
	maxOverlap     = 400 // slots repeated by an overlapping object
	maxGap         = 500 // offsets missing in one gap
	maxFirstOffset = 5_000_000
	plantTries     = 100
)

// planner chooses where the faults go. Object faults come first, so that no planted record lies in an
// object that will be damaged: each planted record then counts exactly once.
type planner struct {
	*layout
	draw draw
	r    random
}

// pickObjects returns up to n distinct objects that fit, in the archive's order.
func (p *planner) pickObjects(n int, fits func(*object) bool) []int {
	var fit []int
	for i := range p.objects {
		if fits(&p.objects[i]) {
			fit = append(fit, i)
		}
	}
	n = min(n, len(fit))
	for i := range n {
		j := i + int(p.r.below(uint64(len(fit)-i)))
		fit[i], fit[j] = fit[j], fit[i]
	}
	slices.Sort(fit[:n])
	return fit[:n]
}

// plantObjects plants the faults that change whole objects or the offsets between them.
func (p *planner) plantObjects() {
	f := p.o.Faults
	for i := 1; i < len(p.parts); i++ { // partition 0 begins at offset 0
		p.parts[i].offset = int64(p.r.below(maxFirstOffset))
	}
	for _, i := range p.pickObjects(f.DamagedObjects, func(*object) bool { return true }) {
		ob := &p.objects[i]
		ob.damaged, ob.codec, ob.ext, ob.members = true, CodecGzip, extension(CodecGzip), 1
		p.planted[DamagedObject]++
	}
	overlaps := p.pickObjects(f.OverlapObjects, func(ob *object) bool {
		if ob.from == 0 || ob.damaged {
			return false
		}
		before := p.previous(ob)
		return !before.damaged && before.to-before.from > 1
	})
	for _, i := range overlaps {
		ob := &p.objects[i]
		before := p.previous(ob)
		// Never all of the object before: the names would be equal.
		ob.again = ob.from - 1 - int64(p.r.below(uint64(min(maxOverlap, before.to-before.from-1))))
		p.planted[OverlapObject]++
	}
	for _, i := range p.pickObjects(f.OffsetGaps, func(ob *object) bool { return ob.from > 0 && ob.again == ob.from }) {
		p.objects[i].gap = 1 + int64(p.r.below(maxGap))
		p.planted[OffsetGap]++
	}
	for _, i := range p.pickObjects(f.NoFinalNewline, func(ob *object) bool { return !ob.damaged }) {
		p.objects[i].unended = true
		p.planted[NoFinalNewline]++
	}
}

// previous returns the object before ob in its partition.
func (p *planner) previous(ob *object) *object {
	part := &p.parts[ob.part]
	return &p.objects[part.objects[(ob.from-1)/int64(p.o.EventsPerObject)]]
}

// plantRecords plants the single records.
func (p *planner) plantRecords() {
	f := p.o.Faults
	days := len(p.cal.days)
	p.repeat(f.MalformedJSON, func(i int) { p.plantAnywhere(MalformedJSON, i, 0, days) })
	p.repeat(f.Tombstones, func(i int) { p.plantAnywhere(Tombstone, i, 0, days) })
	p.repeat(f.Undatable, func(i int) { p.plantAnywhere(Undatable, i, 0, days) })
	p.repeat(f.BadValues, func(i int) { p.plantAnywhere(BadValue, i, p.cal.from, p.cal.to) })
	p.repeat(f.LateRecords, p.plantLate)
	p.repeat(f.FutureRecords, p.plantFuture)
	p.repeat(f.WindowEdges, p.plantEdges)
	used := make(map[place]bool)
	p.plantVersions(f.SupersededVersions, used, versionKind)
	for k, i := range p.pickObjects(f.NullTail, func(ob *object) bool { return !ob.damaged }) {
		ob := &p.objects[i]
		for n := range 1 + k%3 {
			p.plant(ob.part, extra{slot: ob.to - 1, kind: NullTail, ordinal: 3*k + n})
		}
	}
	p.plantVersions(f.Deletes, used, func(int) FaultKind { return Deleted })
	for i := range p.parts {
		slices.SortStableFunc(p.parts[i].extras, func(a, b extra) int {
			if c := cmp.Compare(a.slot, b.slot); c != 0 {
				return c
			}
			return tailRank(a) - tailRank(b)
		})
	}
}

// tailRank keeps null tails behind everything else of their slot.
func tailRank(e extra) int {
	if e.kind == NullTail {
		return 1
	}
	return 0
}

func (p *planner) repeat(n int, plant func(i int)) {
	for i := range n {
		plant(i)
	}
}

func (p *planner) plant(part int, e extra) {
	p.parts[part].extras = append(p.parts[part].extras, e)
	p.planted[e.kind]++
}

// pick draws a slot of the days [from, to), evenly over all events there, outside damaged objects.
func (p *planner) pick(from, to int) (part int, slot int64, ok bool) {
	var total int64
	for i := range p.parts {
		total += p.parts[i].firstSlot[to] - p.parts[i].firstSlot[from]
	}
	for range plantTries {
		if total <= 0 {
			break
		}
		k := int64(p.r.below(uint64(total)))
		for i := range p.parts {
			n := p.parts[i].firstSlot[to] - p.parts[i].firstSlot[from]
			if k < n {
				part, slot = i, p.parts[i].firstSlot[from]+k
				break
			}
			k -= n
		}
		if !p.damagedAt(part, slot) {
			return part, slot, true
		}
	}
	return 0, 0, false
}

func (p *planner) damagedAt(part int, slot int64) bool {
	return p.objects[p.parts[part].objects[slot/int64(p.o.EventsPerObject)]].damaged
}

func (p *planner) plantAnywhere(kind FaultKind, ordinal, fromDay, toDay int) {
	if part, slot, ok := p.pick(fromDay, toDay); ok {
		p.plant(part, extra{slot: slot, kind: kind, ordinal: ordinal})
	}
}

// plantLate plants an event that was archived 6 to 71 hours after its event time.
func (p *planner) plantLate(i int) {
	from, to := p.cal.from, len(p.cal.days)
	if i%3 == 0 && p.cal.to < to {
		from = p.cal.to
	}
	part, slot, ok := p.pick(from, to)
	if !ok {
		return
	}
	archived, _ := p.instant(&p.parts[part], p.parts[part].dayAt(slot), slot)
	delay := 6*hourMicros + int64(p.r.below(uint64(65*hourMicros)))
	if end := p.cal.days[p.cal.to-1].end; from == p.cal.to {
		// Land before To where 71 hours allow it.
		delay = min(max(delay, archived-end+hourMicros), 71*hourMicros)
	}
	p.plant(part, extra{slot: slot, kind: LateRecord, ordinal: i, at: archived - delay})
}

// Instants far ahead, as clocks and typing mistakes produce them.
var farAhead = [...]int64{
	4_102_444_799_000_000,   // 2099-12-31T23:59:59Z
	32_503_680_000_000_000,  // 3000-01-01T00:00:00Z
	253_402_300_799_999_999, // 9999-12-31T23:59:59.999999Z
}

func (p *planner) plantFuture(i int) {
	part, slot, ok := p.pick(0, len(p.cal.days))
	if !ok {
		return
	}
	at := p.cal.days[p.cal.to-1].end + 7*dayMicros + int64(p.r.below(uint64(35*dayMicros)))
	if i%3 == 2 {
		at = farAhead[i/3%len(farAhead)]
	}
	p.plant(part, extra{slot: slot, kind: FutureRecord, ordinal: i, at: at})
}

// plantEdges plants events on both sides of both ends of the window, in the logs of those days.
func (p *planner) plantEdges(i int) {
	first, last := p.cal.days[p.cal.from].start, p.cal.days[p.cal.to-1].end
	for k, at := range [...]int64{first - 1, first, last - 1, last} {
		d := p.cal.from
		if k >= 2 {
			d = p.cal.to - 1
		}
		part, slot, ok := p.pick(d, d+1)
		if ok {
			p.plant(part, extra{slot: slot, kind: WindowEdge, ordinal: 4*i + k, at: at})
		}
	}
}

// plantVersions plants records that change events which will be rows, later on the same day, each event at most once.
func (p *planner) plantVersions(n int, used map[place]bool, kind func(i int) FaultKind) {
	for i := range n {
		for range plantTries {
			part, slot, ok := p.pick(p.cal.from, p.cal.to)
			if !ok {
				return
			}
			d := p.parts[part].dayAt(slot)
			later := slot + int64(p.r.below(uint64(p.parts[part].firstSlot[d+1]-slot)))
			if used[place{part, slot}] || p.damagedAt(part, later) || !p.isRow(part, slot) {
				continue
			}
			used[place{part, slot}] = true
			p.plant(part, extra{slot: later, kind: kind(i), ordinal: i, original: slot})
			break
		}
	}
}

// place is an ordinary event.
type place struct {
	part int
	slot int64
}

// versionKind is that of another version of an event.
func versionKind(i int) FaultKind {
	if i%4 == 3 {
		return Stale
	}
	return Superseding
}

// isRow reports whether the ordinary event of a slot inside the window has a wanted type.
func (p *planner) isRow(part int, slot int64) bool {
	e := p.draw.ordinary(&p.parts[part], p.parts[part].dayAt(slot), slot)
	return e.kind.wanted()
}

// plantCopies adds the duplicate objects; offsets must be assigned.
func (p *planner) plantCopies() {
	chosen := p.pickObjects(p.o.Faults.DuplicateObjects, func(ob *object) bool { return !ob.damaged })
	for k, i := range chosen {
		ob := p.objects[i]
		ob.copy, ob.gap = true, 0
		if k%2 == 0 {
			ob.ext = extension(nextCodec(ob.codec)) // same bytes, the name lies
		} else {
			ob.codec = nextCodec(ob.codec)
			ob.ext = extension(ob.codec)
			if ob.codec == CodecNone {
				ob.members = 1
			}
		}
		p.objects = append(p.objects, ob)
		p.planted[DuplicateObject]++
	}
}
