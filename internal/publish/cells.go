package publish

import (
	"context"
	"fmt"
	"strings"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

// NoPartition stands where a leg does not know the partition.
const NoPartition kafka.Partition = -1

// TableCells reads leg 3: the rows of the table in window ∧ scope, per load
// day, bucket and group, and per topic and partition when the table has
// provenance (else topic "" and NoPartition). Lanes are over the values as the
// table holds them. The window may have at most 400 days.
func TableCells(ctx context.Context, s Session, t Target, w kafka.Window, cal *kafka.Calendar) (account.Cells, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	cells, _, err := c.readTable(ctx, s, w, cal)
	return cells, err
}

// WindowRows counts the rows of the table in window ∧ scope.
func WindowRows(ctx context.Context, s Session, t Target, w kafka.Window) (int64, error) {
	c, err := compile(t)
	if err != nil {
		return 0, err
	}
	rows := int64(-1)
	err = s.Query(ctx, "SELECT COUNT(*)\nFROM "+c.table+c.ownedSQL(w), func(r redshift.Scanner) error { return r.Scan(&rows) })
	if err == nil && rows < 0 {
		err = fail.New(fail.Internal, "no answer")
	}
	if err != nil {
		return 0, fmt.Errorf("counting the rows of %s: %w", c.name(), err)
	}
	return rows, nil
}

// readTable reads the table's cells and returns the query, too.
func (t *target) readTable(ctx context.Context, s Session, w kafka.Window, cal *kafka.Calendar) (account.Cells, string, error) {
	q := cellQuery{from: t.table + t.ownedSQL(w), form: canon.Table, located: t.Provenance, content: true}
	if t.windowed() {
		day, err := t.daySQL(w, cal)
		if err != nil {
			return nil, "", err
		}
		q.day = day
	}
	sql := t.cellsSQL(q)
	cells, err := t.readCells(ctx, s, q, sql)
	if err != nil {
		return nil, "", fmt.Errorf("reading the rows of %s: %w", t.name(), err)
	}
	return cells, sql, nil
}

// cellRow takes one row of a cell query.
type cellRow struct {
	topic                   *string
	partition, day, bucket  *int64
	groups                  []*string
	rows, offsets           int64
	offsetSum, lane1, lane2 *string
	sums                    []*string
	counts                  []int64
	dest                    []any
}

// newCellRow arranges the destinations in the order that cellsSQL promises.
func (t *target) newCellRow(q cellQuery) *cellRow {
	r := &cellRow{groups: make([]*string, len(t.By)), sums: make([]*string, len(t.Totals)), counts: make([]int64, len(t.Totals))}
	if q.located {
		r.dest = append(r.dest, &r.topic, &r.partition)
	}
	if q.day != "" {
		r.dest = append(r.dest, &r.day)
	}
	if q.content && t.bucket != nil {
		r.dest = append(r.dest, &r.bucket)
	}
	for i := range r.groups {
		r.dest = append(r.dest, &r.groups[i])
	}
	r.dest = append(r.dest, &r.rows)
	if q.located && q.content {
		r.dest = append(r.dest, &r.offsets, &r.offsetSum)
	}
	if q.content {
		r.dest = append(r.dest, &r.lane1, &r.lane2)
	}
	for i := range r.sums {
		r.dest = append(r.dest, &r.sums[i], &r.counts[i])
	}
	return r
}

func (t *target) readCells(ctx context.Context, s Session, q cellQuery, sql string) (account.Cells, error) {
	cells := account.Cells{}
	err := t.eachCell(ctx, s, q, sql, func(place account.Place, cell *account.Cell) error {
		if len(cells) == maxCells {
			return fail.New(fail.Memory, "more than %d groups", maxCells).Try("take a shorter window or fewer buckets")
		}
		return cells.At(place, len(t.Totals)).Add(cell)
	})
	return cells, err
}

// eachCell hands over one group of rows at a time.
func (t *target) eachCell(ctx context.Context, s Session, q cellQuery, sql string, take func(account.Place, *account.Cell) error) error {
	r := t.newCellRow(q)
	return s.Query(ctx, sql, func(row redshift.Scanner) error {
		if err := row.Scan(r.dest...); err != nil {
			return fail.Wrap(err, fail.Internal, "reading a group's sums")
		}
		if r.rows == 0 {
			return nil // a query without groups answers for no rows, too
		}
		place, err := t.place(q, r)
		if err != nil {
			return err
		}
		cell, err := t.cell(r)
		if err != nil {
			return err
		}
		return take(place, cell)
	})
}

func (t *target) place(q cellQuery, r *cellRow) (account.Place, error) {
	p := account.Place{Partition: NoPartition, Day: kafka.NoDay}
	if r.topic != nil && r.partition != nil {
		p.Topic, p.Partition = *r.topic, kafka.Partition(*r.partition)
	}
	if q.day != "" {
		if r.day == nil {
			return p, fail.New(fail.Break, "%d rows lie outside of the window", r.rows).At("%s", t.name())
		}
		p.Day = kafka.Day(*r.day)
	}
	if r.bucket != nil {
		p.Bucket = int32(*r.bucket)
	}
	var group []byte
	for i, g := range r.groups {
		if g == nil {
			group = account.AppendGroup(group, nil, true, i == 0)
			continue
		}
		group = account.AppendGroup(group, []byte(strings.TrimSuffix(*g, ".")), false, i == 0)
	}
	p.Group = account.Group(group)
	return p, nil
}

func (t *target) cell(r *cellRow) (*account.Cell, error) {
	c := &account.Cell{Rows: r.rows, Offsets: r.offsets, Counts: append([]int64(nil), r.counts...)}
	var err error
	for _, n := range []struct {
		into *account.Int128
		text *string
	}{{&c.OffsetSum, r.offsetSum}, {&c.Lane1, r.lane1}, {&c.Lane2, r.lane2}} {
		if *n.into, err = exact(n.text, 0); err != nil {
			return nil, err
		}
	}
	for i, text := range r.sums {
		sum, err := exact(text, decimals(t.Columns[t.Totals[i]]))
		if err != nil {
			return nil, err
		}
		c.Sums = append(c.Sums, sum)
	}
	return c, nil
}

// exact reads a NUMERIC's text; a sum over no values is NULL.
func exact(text *string, scale int) (account.Int128, error) {
	if text == nil {
		return account.Int128{}, nil
	}
	n, err := account.ParseDecimal(*text, scale)
	if err != nil {
		return n, fail.Wrap(err, fail.Internal, "reading a sum")
	}
	return n, nil
}

// inDays returns the cells of the slice's days.
func inDays(cells account.Cells, from, to kafka.Day) account.Cells {
	out := account.Cells{}
	for p, c := range cells {
		if p.Day == from || (p.Day >= from && p.Day < to) {
			out[p] = c
		}
	}
	return out
}

// sumRows counts all rows.
func sumRows(cells account.Cells) int64 {
	var n int64
	for _, c := range cells {
		n += c.Rows
	}
	return n
}
