package rowdiff

import (
	"bytes"
	"encoding/binary"

	"backfill/internal/canon"
	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/scan"
)

// Feeder takes the archive's rows, one chunk at a time; it is the Sink of scan.
type Feeder struct {
	c        *Comparison
	calendar *kafka.Calendar
	chunk    int
	pass     uint8
	buf      canon.Buffer
	entry    []byte
	group    []byte
	json     bytes.Buffer
	days     map[kafka.Day]int64
}

// Feeder returns one for a worker of its own.
func (c *Comparison) Feeder() *Feeder {
	return &Feeder{c: c, calendar: kafka.NewCalendar(c.ds.Calendar), days: map[kafka.Day]int64{}}
}

// Begin starts on a chunk.
func (f *Feeder) Begin(chunk int) { f.chunk, f.pass = chunk, f.c.final[chunk] }

// End tells the rows of the chunk that was begun.
func (f *Feeder) End() {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	for day, n := range f.days {
		f.c.days[day] += n
	}
	clear(f.days)
}

// Restart forgets the chunk's rows.
func (f *Feeder) Restart() error {
	if f.pass == 255 {
		return fail.New(fail.Internal, "a chunk was read 255 times")
	}
	f.pass++
	f.c.final[f.chunk] = f.pass
	clear(f.days)
	return nil
}

// Reject ignores rejected records; scan counts them.
func (f *Feeder) Reject(*scan.Rejected) error { return nil }

// Rows keeps an entry of each row.
func (f *Feeder) Rows(b *columns.Batch) error {
	c := f.c
	for i := range b.N {
		compactSuper(c.ds.Columns, b, i, &f.json)
		e := f.entry[:0]
		one, two := c.key.Lanes(b, i, &f.buf)
		e = binary.BigEndian.AppendUint64(e, uint64(one))
		e = binary.BigEndian.AppendUint64(e, uint64(two))
		one, two = c.row.Lanes(b, i, &f.buf)
		e = binary.BigEndian.AppendUint64(e, uint64(one))
		e = binary.BigEndian.AppendUint64(e, uint64(two))
		e = binary.BigEndian.AppendUint64(e, uint64(b.EventTime[i]))
		e = binary.BigEndian.AppendUint64(e, uint64(b.Offset[i]))
		e = binary.BigEndian.AppendUint32(e, uint32(f.chunk))
		e = append(e, f.pass)
		f.group = appendGroup(f.group[:0], c.ds.Columns, b, c.ds.Reconcile.By, i)
		number, err := c.groups.number(f.group)
		if err != nil {
			return err
		}
		e = binary.BigEndian.AppendUint32(e, number)
		for _, at := range c.ds.Reconcile.Totals {
			e = appendAmount(e, &b.Cols[at], i)
		}
		e = appendVersion(e, b, c.latest, i)
		f.entry = e
		if err := c.spool.add(e); err != nil {
			return err
		}
		f.days[c.dayOf(f.calendar, b.EventTime[i])]++
	}
	return nil
}
