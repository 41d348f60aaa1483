package rowdiff

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/columns"
	"backfill/internal/kafka"
	"backfill/internal/scan"
	"backfill/internal/tieout"
)

// candidate is a key in a bucket that differs.
type candidate struct {
	want   []lanes // wanted rows that no row of the table equals yet
	held   int     // rows of the table that equal a wanted one
	chunks []int   // that hold its records
	key    tieout.Key
}

func (k *candidate) differs() bool { return len(k.want) > 0 || len(k.key.Table) > 0 }

// Expect notes which rows the table must hold in the buckets that were chosen
// from Bad.
func (c *Comparison) Expect(list []tieout.Bucket) error {
	chosen := map[slot]bool{}
	for _, b := range list {
		chosen[slot{day: b.Day, number: b.Number}] = true
	}
	for _, b := range c.Bad() {
		if at := (slot{day: b.Day, number: b.Number}); !chosen[at] {
			c.skipped[at] = true
		}
	}
	cal := kafka.NewCalendar(c.ds.Calendar)
	return c.each(func(rows []entry) error {
		var k *candidate
		for _, e := range rows[:c.wanted(rows)] {
			if !chosen[slot{day: c.dayOf(cal, kafka.Instant(e.int(atTime))), number: c.bucketOf(e.int(atKey))}] {
				continue
			}
			if k == nil {
				k = &candidate{}
				c.keys[e.mark()] = k
			}
			k.want = append(k.want, e.lanes())
		}
		if k != nil {
			for _, e := range rows {
				if !slices.Contains(k.chunks, e.chunk()) {
					k.chunks = append(k.chunks, e.chunk())
				}
			}
		}
		return nil
	})
}

// Fetched takes a row of the table out of a chosen bucket.
func (c *Comparison) Fetched(t tieout.TableRow) error {
	k := c.keys[t.Mark]
	if k == nil {
		k = &candidate{}
		c.keys[t.Mark] = k
	}
	if i := slices.Index(k.want, lanes{t.Lane1, t.Lane2}); i >= 0 {
		k.want, k.held = slices.Delete(k.want, i, i+1), k.held+1
		return nil
	}
	k.key.Table = append(k.key.Table, t)
	return nil
}

// Outside takes a row of the table of a missing key, out of the window.
func (c *Comparison) Outside(t tieout.TableRow) error {
	if k := c.keys[t.Mark]; k != nil {
		k.key.Outside = append(k.key.Outside, t)
	}
	return nil
}

// Differing keeps the keys that differ, at most MaxKeys, and returns how many
// more there are.
func (c *Comparison) Differing() (cut int64) {
	maps.DeleteFunc(c.keys, func(_ tieout.KeyMark, k *candidate) bool { return !k.differs() })
	for _, mark := range c.marks(func(*candidate) bool { return true })[min(MaxKeys, len(c.keys)):] {
		delete(c.keys, mark)
		cut++
	}
	return cut
}

// Missing returns the keys of which the table has nothing in the window.
func (c *Comparison) Missing() []tieout.KeyMark {
	return c.marks(func(k *candidate) bool { return len(k.want) > 0 && len(k.key.Table) == 0 && k.held == 0 })
}

// marks returns the keys that fit, in order.
func (c *Comparison) marks(fit func(*candidate) bool) []tieout.KeyMark {
	var list []tieout.KeyMark
	for mark, k := range c.keys {
		if fit(k) {
			list = append(list, mark)
		}
	}
	slices.SortFunc(list, func(a, b tieout.KeyMark) int {
		if a.Lane1 != b.Lane1 {
			if a.Lane1 < b.Lane1 {
				return -1
			}
			return 1
		}
		return int(min(1, max(-1, a.Lane2-b.Lane2)))
	})
	return list
}

// Again returns the chunks to read again, and whether it is all of them: rows
// that no archived row explains may be explained by any record.
func (c *Comparison) Again() (chunks []int, all bool) {
	for _, k := range c.keys {
		if len(k.chunks) == 0 || len(k.key.Outside) > 0 {
			all = true
		}
		chunks = append(chunks, k.chunks...)
	}
	if all {
		chunks = chunks[:0]
		for i := range c.o.Chunks {
			chunks = append(chunks, i)
		}
	}
	slices.Sort(chunks)
	return slices.Compact(chunks), all
}

// Picker finds the records of keys that differ; it is the Sink of scan and sees
// what was dropped, one goroutine and chunk at a time.
type Picker struct {
	c       *Comparison
	tp      kafka.TopicPartition
	buf     canon.Buffer
	json    bytes.Buffer
	objects func() string // the object being read
	found   map[tieout.KeyMark][]tieout.ArchiveRow
}

// Picker returns one that asks for the object being read.
func (c *Comparison) Picker(object func() string) *Picker {
	return &Picker{c: c, objects: object, found: map[tieout.KeyMark][]tieout.ArchiveRow{}}
}

// Begin starts on a chunk of the partition.
func (p *Picker) Begin(tp kafka.TopicPartition) {
	p.tp = tp
	clear(p.found)
}

// Restart forgets the chunk's records.
func (p *Picker) Restart() error { clear(p.found); return nil }

// Reject ignores rejected records; Dropped sees them.
func (p *Picker) Reject(*scan.Rejected) error { return nil }

// End keeps what the chunk gave.
func (p *Picker) End() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	for mark, rows := range p.found {
		k := p.c.keys[mark]
		k.key.Archive = append(k.key.Archive, rows...)
	}
}

// Rows keeps those of keys that differ.
func (p *Picker) Rows(b *columns.Batch) error {
	for i := range b.N {
		p.pick(b, i, tieout.ArchiveRow{
			At: b.EventTime[i], Recorded: b.Recorded[i], Disposition: account.Row,
			Position: tieout.Position{Topic: p.tp.Topic, Partition: p.tp.Partition, Offset: b.Offset[i], Object: p.objects(), Row: b.Row[i]},
		})
	}
	return nil
}

// Dropped keeps records that became no row, where their key can be read.
func (p *Picker) Dropped(d *scan.Dropped) error {
	for _, name := range p.c.ds.Table.Key {
		if at := p.c.ds.ColumnIndex(name); at == d.Column || d.Batch.Cols[at].Null[d.Batch.N] {
			return nil
		}
	}
	p.pick(d.Batch, d.Batch.N, tieout.ArchiveRow{
		At: d.Moment, Disposition: d.Disposition, Reason: d.Reason,
		Position: tieout.Position{Topic: p.tp.Topic, Partition: p.tp.Partition, Offset: d.Offset, Object: d.Object, Row: d.Record},
	})
	return nil
}

// maxRecords bounds the records that are kept of one key: a key that stands in
// every record must not fill the memory.
const maxRecords = 100

func (p *Picker) pick(b *columns.Batch, i int, a tieout.ArchiveRow) {
	a.Mark.Lane1, a.Mark.Lane2 = p.c.key.Lanes(b, i, &p.buf)
	if p.c.keys[a.Mark] == nil || len(p.found[a.Mark]) >= maxRecords {
		return
	}
	compactSuper(p.c.ds.Columns, b, i, &p.json)
	a.Lane1, a.Lane2 = p.c.row.Lanes(b, i, &p.buf)
	a.Values = values(p.c.ds.Columns, b, i)
	a.Version = appendVersion(nil, b, p.c.latest, i)
	p.found[a.Mark] = append(p.found[a.Mark], a)
}

// Classify names what is wrong with each key that differs. spelled is how many
// keys differ in the spelling of JSON alone.
func (c *Comparison) Classify(r *tieout.Rules) (list []tieout.RowBreak, spelled int) {
	cal := kafka.NewCalendar(c.ds.Calendar)
	for _, mark := range c.marks(func(*candidate) bool { return true }) {
		k := c.keys[mark]
		want := slices.Clone(k.want)
		for i := range k.key.Archive {
			a := &k.key.Archive[i]
			if n := slices.Index(want, lanes{a.Lane1, a.Lane2}); n >= 0 && a.Disposition == account.Row {
				a.Wanted, want = true, slices.Delete(want, n, n+1)
			}
		}
		k.key.Held = k.held
		if len(k.want) == 0 && k.held == 0 {
			c.apart(cal, &k.key)
		}
		found := r.Classify(k.key)
		switch {
		case len(want) > 0: // the archive changed between the two readings
			found = append(found, r.Unknown(mark, "the archived record was read once and not found again"))
		case len(found) == 0:
			spelled++
		}
		list = append(list, found...)
	}
	return list, spelled
}

// apart finds the row that the table must hold of a key in a bucket that was not
// chosen: one that ties holds it.
func (c *Comparison) apart(cal *kafka.Calendar, k *tieout.Key) {
	rows := c.wantedOf(k)
	if len(rows) == 0 {
		return
	}
	k.Apart = &rows[0]
	k.Stands = !c.skipped[slot{day: c.dayOf(cal, rows[0].At), number: c.bucketOf(rows[0].Mark.Lane1)}]
}

// wantedOf is the archived rows of a key that the table must hold, newest first.
func (c *Comparison) wantedOf(k *tieout.Key) []tieout.ArchiveRow {
	rows := slices.DeleteFunc(slices.Clone(k.Archive), func(a tieout.ArchiveRow) bool { return a.Disposition != account.Row })
	slices.SortFunc(rows, newestFirst)
	if len(rows) > 1 && !c.keep {
		rows = rows[:1]
	}
	return rows
}

// Look asks for the records of keys that an earlier comparison named.
func (c *Comparison) Look(marks []tieout.KeyMark) {
	for _, m := range marks {
		c.keys[m] = &candidate{}
	}
}

// Wanted is what the archive says of a key.
type Wanted struct {
	Rows  []tieout.ArchiveRow // that the table must hold in the window
	Newer bool                // the archive has a newer version out of the window, which replaces them there
}

// Wanted returns what the archive says of each such key.
func (c *Comparison) Wanted() map[tieout.KeyMark]Wanted {
	out := map[tieout.KeyMark]Wanted{}
	for mark, k := range c.keys {
		w := Wanted{Rows: c.wantedOf(&k.key)}
		w.Newer = !c.keep && len(w.Rows) > 0 && slices.ContainsFunc(k.key.Archive, func(a tieout.ArchiveRow) bool {
			return a.Disposition == account.OutOfWindow && a.NewerThan(w.Rows[0])
		})
		out[mark] = w
	}
	return out
}

// newestFirst orders records as compare orders entries of one key.
func newestFirst(a, b tieout.ArchiveRow) int {
	return cmp.Or(
		bytes.Compare(b.Version, a.Version),
		cmp.Compare(a.Position.Topic, b.Position.Topic), cmp.Compare(a.Position.Partition, b.Position.Partition),
		cmp.Compare(b.Position.Offset, a.Position.Offset), cmp.Compare(a.Lane1, b.Lane1), cmp.Compare(a.Lane2, b.Lane2),
	)
}
