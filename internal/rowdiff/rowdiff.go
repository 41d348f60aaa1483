// Package rowdiff compares the archive with a table row by row, whoever loaded
// the table, by business key and event time.
//
//	archive ─ scan ─▶ Feeder ─▶ spool ─ newest of each key ─▶ ┐ buckets: day × key hash,
//	table   ─ one GROUP BY ────────────────────────────────▶ ┘ rows, lanes, money
//	bad buckets ─ keyed fetch ─▶ keys that differ ─ their records ─▶ tieout.Classify
//
// One pass over the archive and one over the table decide whether all ties.
// Only the rows of buckets that differ are fetched, and only the objects that
// hold their keys are read again. Sums are never XORed, so that what stands twice
// shows.
//
// Memory: what Options.Memory says, for entries, buckets and fetched rows; entries
// that don't fit go to files. The package runs no SQL and reads no object: the
// job brings both sides.
package rowdiff

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
	"backfill/internal/scan"
	"backfill/internal/tieout"
)

// Limits of a comparison.
const (
	PerBucket  = 4_000   // rows of a bucket, aimed at; 10,000 are the most that a bad one should fetch
	MaxFetched = 200_000 // rows of the table that are fetched; buckets beyond are unknown
	MaxKeys    = 20_000  // keys that are looked up in the archive
	MaxListed  = 5_000   // bad rows that the report lists

	slotBytes     = 400 // a bucket's group, in a map
	bytesPerInput = 3   // entries' bytes for one compressed byte of the archive, at most likely
	maxGroups     = 1_000_000
)

// Options say what is compared.
type Options struct {
	Dataset *dataset.Dataset // with a key
	Window  kafka.Window
	Chunks  []runplan.Chunk // as they will be fed, by their index
	Memory  int64           // bytes; at least 16 MiB are taken
	Dir     string          // of the files; "": the system's folder
	Disk    int64           // bytes that the files may hold; 0: no limit is known
}

// Comparison is one comparison. Feeders may work at the same time; all else is
// for one goroutine.
type Comparison struct {
	o        Options
	ds       *dataset.Dataset
	key, row *canon.Text
	latest   []int
	keep     bool // every archived row is wanted: an append
	spool    *spool
	groups   groups
	final    []uint8 // the pass of each chunk that counts
	order    []int   // of each chunk's partition

	mu   sync.Mutex
	days map[kafka.Day]int64 // archived rows, to size the buckets

	Buckets    int           // parts of the key's hash space, after Count
	Left       account.Cells // what the table must hold, by day and group
	Right      account.Cells // what it holds
	Superseded int64         // archived rows that are older versions of their key
	slots      map[slot]*sums
	skipped    map[slot]bool // buckets that differ and are not looked into, without group
	keys       map[tieout.KeyMark]*candidate
}

// slot is a group's part of a bucket.
type slot struct {
	day    kafka.Day
	number int32
	group  uint32
}

// sums are a slot's rows on both sides and what the archive has more of.
type sums struct {
	left, right int64
	more        account.Cell
}

// groups numbers groups.
type groups struct {
	mu    sync.RWMutex
	index map[account.Group]uint32
	names []account.Group
}

func (g *groups) number(name []byte) (uint32, error) {
	g.mu.RLock()
	n, known := g.index[account.Group(name)]
	g.mu.RUnlock()
	if known {
		return n, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n, known := g.index[account.Group(name)]; known {
		return n, nil
	}
	if len(g.names) >= maxGroups {
		return 0, fail.New(fail.BadDataset, "reconcile.by gives more than %d different groups", maxGroups).Try("total by columns with few values, such as the currency")
	}
	n = uint32(len(g.names))
	group := account.Group(name)
	g.index[group], g.names = n, append(g.names, group)
	return n, nil
}

// New begins a comparison. Close must follow.
func New(o Options) (*Comparison, error) {
	key, err := scan.KeyText(o.Dataset)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, fail.New(fail.BadDataset, "dataset %s has no table.key, and rows can only be compared by a key", o.Dataset.Name)
	}
	row, err := scan.RowText(o.Dataset)
	if err != nil {
		return nil, err
	}
	o.Memory = max(o.Memory, 16<<20)
	c := &Comparison{
		o: o, ds: o.Dataset, key: key, row: row, keep: o.Dataset.Table.Mode == dataset.Append,
		groups: groups{index: map[account.Group]uint32{}}, final: make([]uint8, len(o.Chunks)), days: map[kafka.Day]int64{},
		Left: account.Cells{}, Right: account.Cells{}, slots: map[slot]*sums{}, skipped: map[slot]bool{}, keys: map[tieout.KeyMark]*candidate{},
	}
	for _, name := range o.Dataset.Table.LatestBy {
		c.latest = append(c.latest, o.Dataset.ColumnIndex(name))
	}
	expect, order := int64(0), map[kafka.TopicPartition]int{}
	for _, chunk := range o.Chunks {
		expect += chunk.Bytes * bytesPerInput
		if _, there := order[chunk.Partition]; !there {
			order[chunk.Partition] = len(order)
		}
		c.order = append(c.order, order[chunk.Partition])
	}
	c.spool = newSpool(o.Dir, expect, o.Memory/2, o.Disk)
	return c, nil
}

// Close gives everything back.
func (c *Comparison) Close() error { return c.spool.close() }

func (c *Comparison) dayOf(cal *kafka.Calendar, at kafka.Instant) kafka.Day {
	if c.ds.Records.EventTime == nil {
		return kafka.NoDay
	}
	return cal.DayOf(at)
}

// Count picks the newest row of each key and sums the rows that the table must
// hold, by bucket. All feeders have ended.
func (c *Comparison) Count() error {
	largest := int64(0)
	for _, n := range c.days {
		largest = max(largest, n)
	}
	c.Buckets = int(max(1, (largest+PerBucket-1)/PerBucket))
	cal := kafka.NewCalendar(c.ds.Calendar)
	return c.each(func(rows []entry) error {
		n := c.wanted(rows)
		c.Superseded += int64(len(rows) - n)
		for _, e := range rows[:n] {
			if err := c.count(cal, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// wanted is how many of a key's rows, newest first, the table must hold.
func (c *Comparison) wanted(rows []entry) int {
	if c.keep {
		return len(rows)
	}
	return 1
}

// each visits the rows of one key after the other, newest first, as publish
// picks them: by latest_by, then partition, the greatest offset, the lanes.
func (c *Comparison) each(visit func(rows []entry) error) (err error) {
	var buf []byte
	for n := range c.spool.parts {
		var list []entry
		if list, buf, err = c.spool.read(n, buf); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(e entry) bool { return e[atPass] != c.final[e.chunk()] })
		slices.SortFunc(list, c.compare)
		for from := 0; from < len(list); {
			to := from + 1
			for to < len(list) && bytes.Equal(list[from].key(), list[to].key()) {
				to++
			}
			if err := visit(list[from:to]); err != nil {
				return err
			}
			from = to
		}
	}
	return nil
}

func (c *Comparison) compare(a, b entry) int {
	if n := bytes.Compare(a.key(), b.key()); n != 0 {
		return n
	}
	totals := len(c.ds.Reconcile.Totals)
	return cmp.Or(
		bytes.Compare(b.version(totals), a.version(totals)),
		cmp.Compare(c.order[a.chunk()], c.order[b.chunk()]),
		cmp.Compare(b.int(atOffset), a.int(atOffset)),
		cmp.Compare(a.int(atRow), b.int(atRow)), cmp.Compare(a.int(atRow+8), b.int(atRow+8)),
	)
}

// bucketOf is the bucket's number, as MOD gives it in SQL.
func (c *Comparison) bucketOf(lane1 int64) int32 {
	if c.Buckets <= 1 {
		return 0
	}
	return int32(lane1 % int64(c.Buckets))
}

// count adds a wanted row.
func (c *Comparison) count(cal *kafka.Calendar, e entry) error {
	cell := account.Cell{Rows: 1, Sums: make([]account.Int128, len(c.ds.Reconcile.Totals)), Counts: make([]int64, len(c.ds.Reconcile.Totals))}
	cell.Lane1.Plus(e.int(atRow))
	cell.Lane2.Plus(e.int(atRow + 8))
	for n := range cell.Sums {
		if v, there := e.amount(n); there {
			cell.Sums[n], cell.Counts[n] = v, 1
		}
	}
	day := c.dayOf(cal, kafka.Instant(e.int(atTime)))
	s, err := c.slot(slot{day, c.bucketOf(e.int(atKey)), e.group()})
	if err != nil {
		return err
	}
	s.left++
	if err := s.more.Add(&cell); err != nil {
		return fail.Wrap(err, fail.Rejects, "summing the archive")
	}
	return c.add(c.Left, day, c.groups.names[e.group()], &cell)
}

func (c *Comparison) slot(at slot) (*sums, error) {
	s := c.slots[at]
	if s == nil {
		if int64(len(c.slots))*slotBytes > c.o.Memory/4 {
			return nil, fail.New(fail.Memory, "%d buckets and groups take more than %d MiB", len(c.slots), c.o.Memory/4>>20).Try("give more --memory, a shorter window, or reconcile.by with fewer values")
		}
		s = &sums{}
		c.slots[at] = s
	}
	return s, nil
}

func (c *Comparison) add(to account.Cells, day kafka.Day, g account.Group, cell *account.Cell) error {
	if err := to.At(account.Place{Partition: -1, Day: day, Group: g}, len(cell.Sums)).Add(cell); err != nil {
		return fail.Wrap(err, fail.Rejects, "summing a day")
	}
	return nil
}

// Take adds rows that the table holds, as its one GROUP BY by day, bucket and
// group gives them.
func (c *Comparison) Take(p account.Place, cell *account.Cell) error {
	number, err := c.groups.number([]byte(p.Group))
	if err != nil {
		return err
	}
	s, err := c.slot(slot{p.Day, p.Bucket, number})
	if err != nil {
		return err
	}
	s.right += cell.Rows
	if err := s.more.Subtract(cell); err != nil {
		return fail.Wrap(err, fail.Rejects, "subtracting the table")
	}
	return c.add(c.Right, p.Day, p.Group, cell)
}

// Bad returns the buckets that differ, by day and number.
func (c *Comparison) Bad() []tieout.Bucket {
	type place struct {
		day    kafka.Day
		number int32
	}
	all, bad := map[place]*tieout.Bucket{}, map[place]bool{}
	for at, s := range c.slots {
		p := place{at.day, at.number}
		b := all[p]
		if b == nil {
			b = &tieout.Bucket{Day: at.day, Number: at.number, Of: c.Buckets}
			all[p] = b
		}
		b.Left, b.Right = b.Left+s.left, b.Right+s.right
		bad[p] = bad[p] || !s.more.IsZero()
	}
	list := []tieout.Bucket{}
	for p := range bad {
		if bad[p] {
			list = append(list, *all[p])
		}
	}
	slices.SortFunc(list, func(a, b tieout.Bucket) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Number, b.Number))
	})
	return list
}

// Size says how many buckets were compared.
func (c *Comparison) Size() int {
	n := map[[2]int64]bool{}
	for at := range c.slots {
		n[[2]int64{int64(at.day), int64(at.number)}] = true
	}
	return len(n)
}
