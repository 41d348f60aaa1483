package scan

import (
	"strconv"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/schema"
)

// maxCells bounds the cells of a chunk; each takes about 200 bytes.
const maxCells = 1_000_000

// counter adds rows to the cells of their place. It allocates only for new cells.
type counter struct {
	ds       *dataset.Dataset
	calendar *kafka.Calendar
	row, key *canon.Text
	buf      canon.Buffer

	counts *account.Chunk
	place  account.Place // topic and partition of the chunk
	groups map[string]int32
	names  []account.Group // by their numbers
	cells  map[slot]*account.Cell
	stock  account.Stock
	group  []byte // scratch
	cell   *account.Cell
	last   slot // of cell
}

// slot names a cell of the chunk, with groups by number so that finding it
// takes no memory.
type slot struct {
	day    kafka.Day
	bucket int32
	group  int32
}

func newCounter(ds *dataset.Dataset, cal *kafka.Calendar) (counter, error) {
	row, err := RowText(ds)
	if err != nil {
		return counter{}, err
	}
	key, err := KeyText(ds)
	return counter{ds: ds, calendar: cal, row: row, key: key}, err
}

// start begins a chunk of the partition.
func (c *counter) start(tp kafka.TopicPartition, counts *account.Chunk) {
	c.counts, c.cell = counts, nil
	c.groups, c.names, c.cells = map[string]int32{}, nil, map[slot]*account.Cell{}
	c.place = account.Place{Topic: tp.Topic, Partition: tp.Partition}
}

// rows adds all rows of the batch.
func (c *counter) rows(b *columns.Batch) error {
	for i := range b.N {
		if err := c.enter(b, i); err != nil {
			return err
		}
		lane1, lane2 := c.row.Lanes(b, i, &c.buf)
		cell := c.cell
		cell.Rows++
		cell.Lane1.Plus(lane1)
		cell.Lane2.Plus(lane2)
		if b.Offset[i] != kafka.NoOffset {
			cell.Offsets++
			cell.OffsetSum.Plus(int64(b.Offset[i]))
		}
		if err := c.money(b, i); err != nil {
			return err
		}
	}
	return nil
}

// enter makes c.cell the cell of the row's place.
func (c *counter) enter(b *columns.Batch, i int) error {
	at := slot{day: kafka.NoDay}
	if c.ds.Records.EventTime != nil {
		at.day = c.calendar.DayOf(b.EventTime[i])
	}
	if c.key != nil {
		at.bucket = c.key.Bucket(b, i, c.ds.Reconcile.Buckets, &c.buf)
	}
	c.group = c.group[:0]
	for n, col := range c.ds.Reconcile.By {
		c.group = appendGroupValue(c.group, c.ds.Columns[col], &b.Cols[col], i, n == 0)
	}
	number, known := c.groups[string(c.group)]
	if !known {
		number = int32(len(c.names))
		c.names = append(c.names, account.Group(c.group))
		c.groups[string(c.names[number])] = number
	}
	at.group = number
	if c.cell != nil && at == c.last {
		return nil
	}
	c.last, c.cell = at, c.cells[at]
	if c.cell == nil {
		return c.open(at)
	}
	return nil
}

// open makes the cell of a new place.
func (c *counter) open(at slot) error {
	if len(c.cells) >= maxCells {
		return fail.New(fail.BadDataset, "reconcile.by gives more than %d different groups in one chunk", maxCells).
			Try("total by columns with few values, such as the currency")
	}
	p := c.place
	p.Day, p.Bucket, p.Group = at.day, at.bucket, c.names[at.group]
	c.cell = c.stock.Cell(len(c.ds.Reconcile.Totals))
	c.counts.Cells[p], c.cells[at] = c.cell, c.cell
	return nil
}

// appendGroupValue appends one group column: text as stored without CHAR's
// padding, integers as digits; the same that the warehouse gives as VARCHAR.
func appendGroupValue(buf []byte, col schema.Column, v *columns.Vector, i int, first bool) []byte {
	if v.Null[i] {
		return account.AppendGroup(buf, nil, true, first)
	}
	if v.Shape == schema.Int {
		var digits [20]byte
		return account.AppendGroup(buf, strconv.AppendInt(digits[:0], v.I[i], 10), false, first)
	}
	text := v.S[i]
	if col.Type.Kind == schema.Char {
		for len(text) > 0 && text[len(text)-1] == ' ' {
			text = text[:len(text)-1]
		}
	}
	return account.AppendGroup(buf, text, false, first)
}

func (c *counter) money(b *columns.Batch, i int) error {
	for n, col := range c.ds.Reconcile.Totals {
		v := &b.Cols[col]
		if v.Null[i] {
			continue
		}
		c.cell.Counts[n]++
		if v.Shape == schema.Int {
			c.cell.Sums[n].Plus(v.I[i])
			continue
		}
		amount, err := account.FromBytes(v.S[i])
		if err != nil {
			return fail.Wrap(err, fail.Internal, "summing column %s", c.ds.Columns[col].Name)
		}
		sum, ok := c.cell.Sums[n].Add(amount)
		if !ok {
			return fail.New(fail.Rejects, "the sum of column %s does not fit in 38 digits", c.ds.Columns[col].Name)
		}
		c.cell.Sums[n] = sum
	}
	return nil
}
