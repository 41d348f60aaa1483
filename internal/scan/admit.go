package scan

import (
	"fmt"

	"backfill/internal/account"
	"backfill/internal/decode"
	"backfill/internal/kafka"
)

// rawBytes is the most of a record's bytes that goes to quarantine.
const rawBytes = 64 << 10

// admit decides one record's disposition, in the order of the constants in
// account, counts it, and reports whether it becomes a row. The batch already
// holds the record's values at row N.
func (p *pass) admit(r *decode.Record) bool {
	if p.err != nil {
		return false
	}
	offset, proven := p.offsetOf(r)
	p.object.Records++
	d, moment := p.classify(r)
	if at, known := p.timeOf(r); known {
		p.spans[p.index].add(at)
	}
	if offset != kafka.NoOffset && !p.foreign(r) {
		p.noteOffset(offset, r.Row)
		if !p.contradicted && p.repeats(offset, r.Raw, d == account.Row) && d == account.Row {
			d = account.DuplicateOffset
		}
		if p.err != nil {
			return false
		}
	}
	p.counts.Tally[d]++
	p.countSchema(d, r.Row, offset)
	if p.o.Dropped != nil && d != account.Row {
		p.dropped(d, r, moment, offset)
	}
	switch d {
	case account.Unreadable:
		p.reject(r, d, offset, string(r.Reason), "", r.Detail)
	case account.Rejected:
		p.rejectColumn(r, offset)
	case account.Undatable:
		account.Count(p.counts.Undatable, p.object.Key, account.MaxReasons)
	case account.OutOfWindow:
		p.outOfWindow(moment)
	case account.Filtered:
		account.Count(p.counts.Dropped, p.looked(r), account.MaxDroppedValues)
	case account.Row:
		n := p.batch.N
		p.batch.EventTime[n], p.batch.Row[n], p.batch.Recorded[n] = moment, r.Row, 0
		if r.TimestampState == decode.OK && p.o.Dataset.Records.Timestamp != nil {
			p.batch.Recorded[n] = r.Timestamp
		}
		p.batch.Offset[n] = kafka.NoOffset
		if proven {
			p.batch.Offset[n] = offset
		}
		if p.overflows != nil {
			p.overflow(r, n)
		}
		return true
	}
	return false
}

// dropped shows a record that became no row to who asked for it.
func (p *pass) dropped(d account.Disposition, r *decode.Record, moment kafka.Instant, offset kafka.Offset) {
	if r.Kind != decode.Value || d == account.DuplicateOffset {
		return
	}
	out := Dropped{Disposition: d, Batch: p.batch, Moment: moment, Offset: offset, Object: p.object.Key, Record: r.Row, Column: -1}
	if r.Reject != nil {
		out.Column, out.Reason = r.Reject.Column, string(r.Reject.Reason)
	}
	p.err = p.o.Dropped(&out)
}

// looked returns the values that the filter looked at. Texts met before are
// not built again: most records of a topic may be dropped.
func (p *pass) looked(r *decode.Record) string {
	p.text = p.o.Dataset.Records.Where.AppendLooked(p.text[:0], r.Where)
	if text, known := p.texts[string(p.text)]; known {
		return text
	}
	text := string(p.text)
	if len(p.texts) < account.MaxDroppedValues {
		p.texts[text] = text
	}
	return text
}

// classify gives the disposition as far as the record alone tells, and the
// moment that stands for it.
func (p *pass) classify(r *decode.Record) (account.Disposition, kafka.Instant) {
	ds := p.o.Dataset
	switch r.Kind {
	case decode.Unreadable:
		return account.Unreadable, 0
	case decode.Tombstone:
		return account.Tombstone, 0
	}
	moment, dated := r.EventTime, ds.Records.EventTime != nil && r.EventTimeState == decode.OK
	if r.TimestampState == decode.OK && ds.Records.Timestamp != nil {
		p.counts.LastRecord = max(p.counts.LastRecord, r.Timestamp)
		if !dated {
			moment, dated = r.Timestamp, true
		}
	} else if dated {
		p.counts.LastRecord = max(p.counts.LastRecord, moment)
	}
	if ds.Records.EventTime != nil {
		if !dated {
			return account.Undatable, 0
		}
		if !p.o.Window.Contains(moment) {
			return account.OutOfWindow, moment
		}
	}
	if w := ds.Records.Where; w != nil && !w.Match(r.Where) {
		return account.Filtered, moment
	}
	if p.isErased(r) {
		return account.Suppressed, moment
	}
	if r.Reject != nil || p.wrongPartition(r) {
		return account.Rejected, moment
	}
	return account.Row, moment
}

func (p *pass) wrongPartition(r *decode.Record) bool {
	return r.PartitionState == decode.OK && r.Partition != p.chunk.Partition.Partition
}

// foreign reports whether the record's offset counts in another partition's log.
func (p *pass) foreign(r *decode.Record) bool {
	return p.o.Dataset.Records.Offset != nil && p.wrongPartition(r)
}

func (p *pass) outOfWindow(moment kafka.Instant) {
	day := p.calendar.DayOf(moment)
	if _, ok := p.counts.OutOfWindow[day]; !ok && len(p.counts.OutOfWindow) >= account.MaxOutDays {
		day = kafka.NoDay
	}
	p.counts.OutOfWindow[day]++
}

// offsetOf gives the record's offset and whether the row may carry it: from the
// body, or the name's first offset plus the row number.
func (p *pass) offsetOf(r *decode.Record) (kafka.Offset, bool) {
	if p.o.Dataset.Records.Offset != nil {
		if r.OffsetState == decode.OK {
			return r.Offset, true
		}
		p.silent++
		if r.Kind == decode.Value {
			p.unnumbered++
		}
		return kafka.NoOffset, false
	}
	if !p.overlap.ordered {
		return kafka.NoOffset, false
	}
	ref := &p.chunk.Objects[p.index]
	offset := ref.First + kafka.Offset(r.Row)
	if p.adrift || ref.End > 0 && offset >= ref.End {
		return kafka.NoOffset, false
	}
	return offset, p.proven
}

// noteOffset counts the offset as found in the object.
func (p *pass) noteOffset(offset kafka.Offset, row int64) {
	ref := &p.chunk.Objects[p.index]
	if p.overlap.ordered && (offset < ref.First || offset <= p.object.Last || row == 0 && offset != ref.First && !ref.Lower) {
		p.disorder(offset)
	}
	p.fill(offset)
	if p.object.First == kafka.NoOffset || offset < p.object.First {
		p.object.First = offset
	}
	p.object.Last = max(p.object.Last, offset)
	p.found.add(offset)
}

// fill finds the offsets of records whose bodies hold none, tombstones and
// unreadable ones: where as many stand between two others as offsets are free,
// those are theirs. next is the offset behind them.
func (p *pass) fill(next kafka.Offset) {
	n := p.silent
	if p.silent = 0; n == 0 || !p.overlap.ordered || p.known.disorder {
		return
	}
	last := p.object.Last
	if last == kafka.NoOffset {
		last = p.chunk.Objects[p.index].First - 1
	}
	if int64(next-last)-1 != n {
		return
	}
	for offset := last + 1; offset < next; offset++ {
		p.found.add(offset)
	}
}

func (p *pass) rejectColumn(r *decode.Record, offset kafka.Offset) {
	if r.Reject == nil {
		p.reject(r, account.Rejected, offset, "partition_mismatch", "", "the record names another partition than its object")
		return
	}
	if r.Reject.Reason == decode.FloatDamage {
		p.noise(r, offset)
	}
	p.reject(r, account.Rejected, offset, string(r.Reject.Reason), p.stage[r.Reject.Column].Name, r.Reject.Detail())
}

// noise remembers amounts that went through a float, and the first of them.
func (p *pass) noise(r *decode.Record, offset kafka.Offset) {
	if p.damaged++; p.damaged == 1 {
		p.firstDamage = account.Finding{
			Class: account.FloatDamage, Object: p.object.Key, Offset: offset,
			Text: fmt.Sprintf("the first in row %d, column %s", r.Row, p.stage[r.Reject.Column].Name),
		}
	}
}

func (p *pass) reject(r *decode.Record, d account.Disposition, offset kafka.Offset, reason, column, detail string) {
	name := reason
	if column != "" {
		name = column + ": " + reason
	}
	account.Count(p.counts.Reasons, name, account.MaxReasons)
	raw, truncated := r.Raw, r.Truncated
	if len(raw) > rawBytes {
		raw, truncated = raw[:rawBytes], true
	}
	withheld := p.withholds(r, d)
	if withheld { // where a masked value stands in a broken record, nobody knows
		raw, truncated = nil, false
	}
	if withheld && p.erased != nil {
		detail = unknownPerson
	}
	p.err = p.sink.Reject(&Rejected{
		Object: p.object.Key, Row: r.Row, Offset: offset, Disposition: d, Reason: reason,
		Column: column, Detail: detail, Raw: raw, Truncated: truncated, Withheld: withheld,
	})
}
