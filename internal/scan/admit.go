package scan

import (
	"backfill/internal/account"
	"backfill/internal/decode"
	"backfill/internal/kafka"
)

// admit decides one record's disposition, in the order of the constants in
// account, counts it, and reports whether it becomes a row. The batch already
// holds the record's values at row N.
func (p *pass) admit(r *decode.Record) bool {
	if p.err != nil {
		return false
	}
	offset, proven := p.offsetOf(r)
	p.object.Records++
	p.noteOffset(offset)
	d, moment := p.classify(r)
	if d == account.Row {
		switch p.overlap.see(p, offset, r.Raw) {
		case sameRecord:
			d = account.DuplicateOffset
		case otherBytes:
			p.conflict(offset)
		}
	}
	p.counts.Tally[d]++
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
		account.Count(p.counts.Dropped, string(p.o.Dataset.Records.Where.Looked(r.Where)), account.MaxDroppedValues)
	case account.Row:
		n := p.batch.N
		p.batch.EventTime[n], p.batch.Row[n] = moment, r.Row
		p.batch.Offset[n] = kafka.NoOffset
		if proven {
			p.batch.Offset[n] = offset
		}
		return true
	}
	return false
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
	if r.Reject != nil || p.wrongPartition(r) {
		return account.Rejected, moment
	}
	return account.Row, moment
}

func (p *pass) wrongPartition(r *decode.Record) bool {
	return r.PartitionState == decode.OK && r.Partition != p.chunk.Partition.Partition
}

func (p *pass) outOfWindow(moment kafka.Instant) {
	day := p.calendar.DayOf(moment)
	if _, ok := p.counts.OutOfWindow[day]; !ok && len(p.counts.OutOfWindow) >= account.MaxOutDays {
		day = kafka.NoDay
	}
	p.counts.OutOfWindow[day]++
}

// offsetOf gives the record's offset and whether the object's rows may carry
// it: from the body, or the name's first offset plus the row number.
func (p *pass) offsetOf(r *decode.Record) (kafka.Offset, bool) {
	if p.o.Dataset.Records.Offset != nil {
		if r.OffsetState == decode.OK {
			return r.Offset, true
		}
		return kafka.NoOffset, false
	}
	ref := &p.chunk.Objects[p.index]
	if ref.First == kafka.NoOffset || !ref.Ordered {
		return kafka.NoOffset, false
	}
	_, unproven := p.known.unproven[p.index]
	return ref.First + kafka.Offset(r.Row), !unproven
}

func (p *pass) noteOffset(offset kafka.Offset) {
	if offset == kafka.NoOffset {
		return
	}
	if p.object.First == kafka.NoOffset || offset < p.object.First {
		p.object.First = offset
	}
	p.object.Last = max(p.object.Last, offset)
	p.overlap.cover(offset)
}

// conflict records that two objects hold other bytes at one offset. Offsets
// from bodies can't be wrong, so both records stay rows and people are told;
// derived offsets of the earlier object are no longer believed.
func (p *pass) conflict(offset kafka.Offset) {
	if p.o.Dataset.Records.Offset == nil {
		earlier := p.overlap.owner(offset)
		p.doubt(earlier, "its records at overlapping offsets differ from the next object's")
		return
	}
	p.find(account.Finding{Class: account.ArchiveConflict, Object: p.object.Key, Offset: offset,
		Text: "another object holds other bytes at this offset; both records were kept"})
}

// doubt marks an object's offsets as unproven, which asks for another pass.
func (p *pass) doubt(object int, why string) {
	if _, known := p.known.unproven[object]; known {
		return
	}
	p.known.unproven[object] = why
	p.learned = true
}

func (p *pass) rejectColumn(r *decode.Record, offset kafka.Offset) {
	if r.Reject == nil {
		p.reject(r, account.Rejected, offset, "partition_mismatch", "", "the record names another partition than its object")
		return
	}
	p.reject(r, account.Rejected, offset, string(r.Reject.Reason), p.stage[r.Reject.Column].Name, r.Reject.Detail)
}

func (p *pass) reject(r *decode.Record, d account.Disposition, offset kafka.Offset, reason, column, detail string) {
	name := reason
	if column != "" {
		name = column + ": " + reason
	}
	account.Count(p.counts.Reasons, name, account.MaxReasons)
	p.err = p.sink.Reject(&Rejected{
		Object: p.object.Key, Row: r.Row, Offset: offset, Disposition: d, Reason: reason,
		Column: column, Detail: detail, Raw: r.Raw, Truncated: r.Truncated,
	})
}
