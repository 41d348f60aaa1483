package archivegen

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"backfill/internal/sandbox/archiver"
)

// archiving writes a log through an archiver and works out the truth about what came of it.
type archiving struct {
	*layout
	ctx  context.Context
	sink Sink
	shaped
	left map[FaultKind]bool

	log     *kafkaLog // of the partitions at hand
	held    []bool    // by record of the log: in an object so far
	read    []bool    // and in one that can be read
	first   []string  // and the first such object's key
	tally   *tally
	best    map[[2]uint64]origin // newest version of each row's key so far
	truth   Truth
	records map[FaultKind]int64
	checked int // objects that could be damaged, so far
}

// generateLayout is Generate for a layout other than the default one.
func generateLayout(ctx context.Context, o Options, s Sink) (Truth, error) {
	opened, err := o.openShaped()
	if err != nil {
		return Truth{}, fmt.Errorf("reading the options: %w", err)
	}
	w := archiving{ctx: ctx, sink: s, shaped: opened, best: make(map[[2]uint64]origin), records: make(map[FaultKind]int64)}
	if w.left, err = o.leftOut(w.facts.Cannot); err != nil {
		return Truth{}, fmt.Errorf("reading the options: %w", err)
	}
	plan := o
	plan.Codec = CodecNone
	if w.layout, err = newLayout(plan); err != nil {
		return Truth{}, fmt.Errorf("laying out the archive: %w", err)
	}
	if err := w.putSchemas(w.values.Schemas); err != nil {
		return Truth{}, err
	}
	w.tally = newTally(w.cal)
	w.truth.addPartitions(w.layout)
	g, json := newDraw(w.layout), newWriter(w.layout)
	rest := archiver.Retries{Duplicates: o.Faults.DuplicateObjects, Overlaps: o.Faults.OverlapObjects}
	if slices.Contains(o.LeaveOut, "duplicate_objects") {
		rest.Duplicates = 0
	}
	if slices.Contains(o.LeaveOut, "overlap_objects") {
		rest.Overlaps = 0
	}
	for part := 0; part < len(w.parts); part++ {
		w.log = &kafkaLog{shaped: w.shaped}
		left := len(w.parts) - part
		if err := w.log.addPartition(w.layout, &g, json, w.left, part); err != nil {
			return Truth{}, err
		}
		if w.facts.Together {
			for part++; part < len(w.parts); part++ {
				if err := w.log.addPartition(w.layout, &g, json, w.left, part); err != nil {
					return Truth{}, err
				}
			}
			w.log.sort()
			left = 1
		}
		made := archiver.Retries{Duplicates: int(w.records[DuplicateObject]), Overlaps: int(w.records[OverlapObject])}
		if err := w.archive(archiver.Retries{
			Duplicates: share(rest.Duplicates-made.Duplicates, left), Overlaps: share(rest.Overlaps-made.Overlaps, left),
		}); err != nil {
			return Truth{}, err
		}
	}
	t := newTruth(w.layout, w.tally)
	t.Options, t.Identity, t.PlantedCounts = o, w.facts.Identity, w.records
	t.Options.Parallel = 0
	t.Partitions, t.Objects, t.Planted = w.truth.Partitions, w.truth.Objects, append(t.Planted, w.truth.Planted...)
	return t, nil
}

// share is what one of n gets, rounded up.
func share(rest, n int) int { return max(0, (rest+n-1)/n) }

// sort puts the log of several partitions into the order of arrival.
func (k *kafkaLog) sort() {
	order := make([]int, len(k.records))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(k.records[a].Arrived, k.records[b].Arrived) })
	records, origins := make([]archiver.Record, len(order)), make([]origin, len(order))
	for i, from := range order {
		records[i], origins[i] = k.records[from], k.origins[from]
	}
	k.records, k.origins = records, origins
}

// archive writes the log at hand, and adds what is missing of it to the truth.
func (w *archiving) archive(r archiver.Retries) error {
	n := len(w.log.records)
	if n == 0 {
		return nil
	}
	w.held, w.read, w.first = make([]bool, n), make([]bool, n), make([]string, n)
	if err := w.archiver.Archive(w.log.records, r, w.put); err != nil {
		return fmt.Errorf("archiving partition %d: %w", w.log.records[0].Partition, err)
	}
	for i := range w.log.records {
		rec := &w.log.records[i]
		p := &w.truth.Partitions[rec.Partition]
		p.LastOffset = max(p.LastOffset, rec.Offset)
		lost := w.facts.Lost != nil && w.facts.Lost(*rec)
		switch {
		case !w.held[i] && lost:
			p.Gaps = addOffset(p.Gaps, rec.Offset)
		case !w.held[i]:
			return fmt.Errorf("the layout lost the record of partition %d, offset %d", rec.Partition, rec.Offset)
		case !w.read[i]:
			p.Damaged = addOffset(p.Damaged, rec.Offset)
		}
	}
	for _, g := range w.log.gaps {
		p := &w.truth.Partitions[g.part]
		p.Gaps = append(p.Gaps, OffsetRange{First: g.first, Last: g.last})
		key := ""
		for i := range w.log.records {
			if rec := &w.log.records[i]; rec.Partition == p.Partition && rec.Offset > g.last {
				key = w.first[i]
				break
			}
		}
		w.plant(Planted{Kind: OffsetGap, Key: key, Offset: g.first, Records: g.last - g.first + 1})
	}
	for i := range w.truth.Partitions {
		p := &w.truth.Partitions[i]
		slices.SortFunc(p.Gaps, func(a, b OffsetRange) int { return cmp.Compare(a.First, b.First) })
	}
	return nil
}

// addOffset adds an offset behind those of ranges.
func addOffset(ranges []OffsetRange, offset int64) []OffsetRange {
	if n := len(ranges); n > 0 && ranges[n-1].Last == offset-1 {
		ranges[n-1].Last = offset
		return ranges
	}
	return append(ranges, OffsetRange{First: offset, Last: offset})
}

// put stores an object, half of it where it is to be damaged, and counts its records.
func (w *archiving) put(ob archiver.Object) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	body, damaged := ob.Body, false
	if ob.Checked && len(ob.Rows) > 0 {
		// One in three, so that good objects stand on both sides.
		damaged = w.checked%3 == 1 && int(w.records[DamagedObject]) < w.o.Faults.DamagedObjects && !slices.Contains(w.o.LeaveOut, "damaged_objects")
		w.checked++
	}
	if damaged {
		body = body[:len(body)/2]
	}
	if err := w.sink.Put(w.ctx, ob.Key, body); err != nil {
		return fmt.Errorf("putting %s: %w", ob.Key, err)
	}
	t := ObjectTruth{Key: ob.Key, Bytes: int64(len(body)), Codec: ob.Codec, Members: ob.Members, Damaged: damaged}
	if len(ob.Rows) == 0 {
		t.Side = true
		w.truth.Objects = append(w.truth.Objects, t)
		return nil
	}
	w.count(&t, ob.Rows)
	return nil
}

// count adds the records of an object to the truth.
func (w *archiving) count(t *ObjectTruth, rows []int) {
	head := &w.log.records[rows[0]]
	t.Partition, t.FirstOffset, t.Records = head.Partition, head.Offset, int64(len(rows))
	var counts [dispositions]int64
	var planted []Planted
	for row, i := range rows {
		rec, from := &w.log.records[i], &w.log.origins[i]
		again := w.held[i]
		if again {
			t.Repeated++
		}
		end := w.decide(from, w.read[i])
		counts[end]++
		if !t.Damaged {
			w.add(from, end)
			w.truth.Partitions[rec.Partition].Records++
		}
		if from.extra != nil {
			p := Planted{Kind: from.kind(), Key: t.Key, Row: int64(row), Offset: rec.Offset, Records: 1, Copy: again, Detail: from.detail()}
			if p.Detail == "" && from.known {
				id := appendUUID(nil, from.event.idHigh, from.event.idLow)
				p.EventID = string(id[1 : len(id)-1])
			}
			planted = append(planted, p)
		}
	}
	for _, i := range rows {
		if !w.held[i] {
			w.first[i] = t.Key
		}
		w.held[i] = true
		w.read[i] = w.read[i] || !t.Damaged
	}
	w.truth.Partitions[t.Partition].Objects++
	t.Copy = t.Repeated == t.Records
	t.Dispositions = ladder(counts)
	w.truth.Objects = append(w.truth.Objects, *t)
	whole := Planted{Key: t.Key, Offset: t.FirstOffset, Records: t.Records}
	switch {
	case t.Copy:
		whole.Kind, whole.Detail = DuplicateObject, "the bytes are "+t.Codec
		w.plant(whole)
	case t.Repeated > 0:
		whole.Kind, whole.Records = OverlapObject, t.Repeated
		w.plant(whole)
	}
	if t.Damaged {
		w.plant(Planted{Kind: DamagedObject, Key: t.Key, Offset: t.FirstOffset, Records: t.Records, Detail: "cut after half of its bytes"})
	}
	for _, p := range planted {
		w.plant(p)
	}
}

func (w *archiving) plant(p Planted) {
	w.truth.Planted = append(w.truth.Planted, p)
	if !p.Copy {
		w.records[p.Kind]++
	}
}

// decide returns the disposition of a record. Without proven offsets nobody sees that it was archived
// before: then it is a row once more, and loses to its like.
func (w *archiving) decide(from *origin, again bool) disposition {
	var e *event
	if from.known {
		e = &from.event
	}
	return decide(w.cal, e, from.kind(), from.damaged, again && w.facts.Identity != archiver.Unproven)
}

// add counts a readable record.
func (w *archiving) add(from *origin, end disposition) {
	w.tally.count(&from.event, end, from.day)
	if end != row {
		return
	}
	id := [2]uint64{from.event.idHigh, from.event.idLow}
	before, ok := w.best[id]
	switch {
	case !ok:
		w.best[id] = *from
	case from.event.version > before.event.version, from.kind() == Deleted: // of equal versions the later one wins
		w.tally.supersede(&before.event, before.day)
		w.best[id] = *from
	default:
		w.tally.supersede(&from.event, from.day)
	}
}
