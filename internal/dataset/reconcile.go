package dataset

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"backfill/internal/schema"
)

const (
	maxBuckets = 4096
	maxTotals  = 64 // sums that every tally carries
	maxBy      = 8
)

// quarantine reads the limits of rejected records. Without any, none may be
// rejected: a limit that nobody chose must not let rows go missing.
func (c *compiler) quarantine(root section) {
	s := c.child(root, "quarantine")
	q := &c.out.Quarantine
	if n := s.values["max_rate"]; n != nil {
		q.MaxRecords = -1
		q.MaxRate = c.rate(s, n)
	}
	if records, ok := c.integer(s, "max_records", 0, 1<<53); ok {
		q.MaxRecords = records
	}
}

// retain reads how long what holds personal data, and what runs leave behind, is kept.
func (c *compiler) retain(root section) {
	s := c.child(root, "retain")
	c.out.KeptRows = c.duration(s, "kept_rows")
	if n := s.values["kept_rows"]; n != nil && c.out.KeptRows == 0 {
		c.at(n, "write how long, such as 90d, or take it away to keep the rows until they are dropped by command", "retain.kept_rows keeps nothing")
	}
	const day = 24 * time.Hour
	c.out.Retain = Retain{Quarantine: 90 * day, Parquet: 30 * day, Plans: 30 * day, Work: 90 * day}
	for _, age := range []struct {
		key   string
		least time.Duration
		to    *time.Duration
	}{
		{"quarantine", day, &c.out.Retain.Quarantine}, {"parquet", day, &c.out.Retain.Parquet}, {"work", day, &c.out.Retain.Work},
		{"plans", 7 * day, &c.out.Retain.Plans}, // a process may work on one plan for days
	} {
		n := s.values[age.key]
		if n == nil {
			continue
		}
		known := len(c.list)
		if *age.to = c.duration(s, age.key); *age.to < age.least && len(c.list) == known {
			c.at(n, fmt.Sprintf("write %dd or more: what is younger may belong to a run under way", age.least/day), "retain.%s is shorter than %dd", age.key, age.least/day)
		}
	}
}

func (c *compiler) rate(s section, n *yaml.Node) *big.Rat {
	text, ok := c.scalar(s, "max_rate", "a number from 0 to 1", "!!int", "!!float", "!!str")
	if !ok {
		return nil
	}
	rate := exactNumber(text)
	if rate == nil || rate.Sign() < 0 || rate.Cmp(big.NewRat(1, 1)) > 0 {
		c.at(n, "0.001 is one record in a thousand", "quarantine.max_rate must be a plain decimal number from 0 to 1, not %s", shown(text))
		return nil
	}
	return rate
}

// exactNumber reads a plain decimal number, nil if the text is none.
func exactNumber(text string) *big.Rat {
	if !decimalNumber.MatchString(text) {
		return nil
	}
	number, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return number
}

// reconcile reads what must tie out.
func (c *compiler) reconcile(root section) {
	s := c.child(root, "reconcile")
	r := &c.out.Reconcile
	names, nodes := c.names(s, "totals")
	money := ""
	for i, name := range names {
		index := c.comparable(nodes[i], "reconcile.totals", name)
		if index < 0 {
			continue
		}
		switch c.out.Columns[index].Type.Kind {
		case schema.Decimal:
			money = name
		case schema.Smallint, schema.Integer, schema.Bigint, 0:
		default:
			c.at(nodes[i], "choose decimals and integers", "reconcile.totals can't sum %s: it is %s", name, c.out.Columns[index].Type)
		}
		r.Totals = append(r.Totals, index)
	}
	split := c.by(s)
	if c.period(s) {
		split--
	}
	if money != "" && split == 0 {
		c.at(s.values["totals"], "add `by: [currency]`", "money totals (%s) without a currency dimension are refused: sums over currencies mean nothing", money)
	}
	if len(r.Totals) > maxTotals {
		c.at(s.values["totals"], "", "reconcile.totals has %d columns, more than %d", len(r.Totals), maxTotals)
	}
	if n := s.values["tolerance"]; n != nil {
		text, ok := c.scalar(s, "tolerance", "0", "!!int", "!!float", "!!str")
		if rate := exactNumber(text); ok && (rate == nil || rate.Sign() != 0) {
			c.at(n, "write 0 or take it away", "reconcile.tolerance can only be 0: money ties out exactly")
		}
	}
	c.show(s)
	r.Buckets = 1
	if buckets, ok := c.integer(s, "buckets", 1, maxBuckets); ok {
		r.Buckets = int(buckets)
	}
}

// show reads the columns whose texts reports may show.
func (c *compiler) show(s section) {
	names, nodes := c.names(s, "show")
	for i, name := range names {
		if index := c.columnOf(nodes[i], "reconcile.show", name); index >= 0 {
			c.out.Reconcile.Show = append(c.out.Reconcile.Show, index)
		}
	}
}

// by reads the columns that split the totals and returns how many the file names.
func (c *compiler) by(s section) int {
	names, nodes := c.names(s, "by")
	for i, name := range names {
		if index := c.splits(nodes[i], "reconcile.by", name); index >= 0 {
			c.out.Reconcile.By = append(c.out.Reconcile.By, index)
		}
	}
	if len(names) > maxBy {
		c.at(s.values["by"], "", "reconcile.by has %d columns, more than %d: %s", len(names), maxBy, strings.Join(names, ", "))
	}
	return len(names)
}

// period reads the column of the accounting period, which splits the totals as
// the last, and reports whether by names it, too. A period is no dimension of
// money: one holds many currencies.
func (c *compiler) period(s section) (named bool) {
	name, ok := c.text(s, "period")
	if !ok {
		return false
	}
	index := c.splits(s.values["period"], "reconcile.period", name)
	if index < 0 {
		return false
	}
	r := &c.out.Reconcile
	others := slices.DeleteFunc(slices.Clone(r.By), func(at int) bool { return at == index })
	named = len(others) < len(r.By)
	if r.By, r.Period = append(others, index), true; len(others) == maxBy {
		c.at(s.values["period"], "", "reconcile.by has %d columns and reconcile.period is one more, of %d at most", maxBy, maxBy)
	}
	return named
}

// splits returns the index of a column whose values split the totals, -1 after
// noting that it can't.
func (c *compiler) splits(n *yaml.Node, key, name string) int {
	index := c.comparable(n, key, name)
	if index < 0 {
		return -1
	}
	switch t := c.out.Columns[index].Type; t.Kind {
	case schema.Char, schema.Varchar, schema.Smallint, schema.Integer, schema.Bigint, 0:
	default:
		c.at(n, "choose text or integers", "%s can't use %s: it is %s", key, name, t)
	}
	return index
}

func (d *Dataset) reconcileForm() *reconcileForm {
	f := d.countedForm()
	if len(d.Reconcile.Show) > 0 {
		if f == nil {
			f = &reconcileForm{}
		}
		f.Show = d.columnNames(d.Reconcile.Show)
	}
	if d.Reconcile.Period {
		last := len(f.By) - 1
		f.By, f.Period = f.By[:last], f.By[last]
	}
	return f
}

// countedForm says by what a conversion counts its rows: which of the columns is
// the accounting period makes no difference to it.
func (d *Dataset) countedForm() *reconcileForm {
	r := d.Reconcile
	f := &reconcileForm{Totals: d.columnNames(r.Totals), By: d.columnNames(r.By)}
	if r.Buckets > 1 {
		f.Buckets = r.Buckets
	}
	if len(f.Totals)+len(f.By)+f.Buckets == 0 {
		return nil
	}
	return f
}
