package account

import (
	"encoding/json"
	"fmt"
	"sort"
)

// Cell is what is known of the rows of one place on one leg.
type Cell struct {
	Rows      int64    `json:"rows"`
	Offsets   int64    `json:"offsets"`    // rows with a known offset
	OffsetSum Int128   `json:"offset_sum"` // over those
	Lane1     Int128   `json:"lane1"`      // sums of FARMFINGERPRINT64 over the rows' canonical text
	Lane2     Int128   `json:"lane2"`
	Sums      []Int128 `json:"sums"`   // one per total of the dataset, scaled by the column's scale
	Counts    []int64  `json:"counts"` // values that are not NULL, one per total
}

// Equal reports whether two cells hold the same counts, sums and lanes.
func (c *Cell) Equal(o *Cell) bool {
	if c.Rows != o.Rows || c.Offsets != o.Offsets || c.OffsetSum != o.OffsetSum || c.Lane1 != o.Lane1 || c.Lane2 != o.Lane2 {
		return false
	}
	return c.SameMoney(o)
}

// SameMoney reports whether all money sums and their counts are equal.
func (c *Cell) SameMoney(o *Cell) bool {
	if len(c.Sums) != len(o.Sums) || len(c.Counts) != len(o.Counts) {
		return false
	}
	for i := range c.Sums {
		if c.Sums[i] != o.Sums[i] || c.Counts[i] != o.Counts[i] {
			return false
		}
	}
	return true
}

// Add adds the other cell; it fails when a sum leaves 128 bits or the cells
// have different totals.
func (c *Cell) Add(o *Cell) error {
	if c.Sums == nil {
		c.Sums, c.Counts = make([]Int128, len(o.Sums)), make([]int64, len(o.Counts))
	}
	if len(c.Sums) != len(o.Sums) || len(c.Counts) != len(o.Counts) {
		return fmt.Errorf("adding cells: %d totals against %d", len(c.Sums), len(o.Sums))
	}
	c.Rows += o.Rows
	c.Offsets += o.Offsets
	ok := addTo(&c.OffsetSum, o.OffsetSum) && addTo(&c.Lane1, o.Lane1) && addTo(&c.Lane2, o.Lane2)
	for i := range o.Sums {
		ok = addTo(&c.Sums[i], o.Sums[i]) && ok
		c.Counts[i] += o.Counts[i]
	}
	if !ok {
		return fmt.Errorf("adding cells: a sum does not fit in 128 bits")
	}
	return nil
}

// Subtract takes the other cell out; it fails as Add does. What remains may be
// negative.
func (c *Cell) Subtract(o *Cell) error {
	n := o.Clone()
	n.Rows, n.Offsets = -n.Rows, -n.Offsets
	n.OffsetSum, n.Lane1, n.Lane2 = n.OffsetSum.Neg(), n.Lane1.Neg(), n.Lane2.Neg()
	for i := range n.Sums {
		n.Sums[i], n.Counts[i] = n.Sums[i].Neg(), -n.Counts[i]
	}
	return c.Add(n)
}

// IsZero reports whether the cell holds nothing.
func (c *Cell) IsZero() bool {
	return c.Equal(&Cell{Sums: make([]Int128, len(c.Sums)), Counts: make([]int64, len(c.Counts))})
}

func addTo(n *Int128, m Int128) bool {
	sum, ok := n.Add(m)
	*n = sum
	return ok
}

// Clone returns a copy that shares nothing.
func (c *Cell) Clone() *Cell {
	d := *c
	d.Sums = append([]Int128(nil), c.Sums...)
	d.Counts = append([]int64(nil), c.Counts...)
	return &d
}

// Cells is one leg: cells by place.
type Cells map[Place]*Cell

// At returns the cell of the place, created empty with room for totals sums.
func (cs Cells) At(p Place, totals int) *Cell {
	c := cs[p]
	if c == nil {
		c = &Cell{Sums: make([]Int128, totals), Counts: make([]int64, totals)}
		cs[p] = c
	}
	return c
}

// Merge adds all cells of the other leg.
func (cs Cells) Merge(other Cells) error {
	return cs.MergeInto(other, func(p Place) Place { return p })
}

// MergeInto adds all cells of the other leg at the places that fold gives:
// fold forgets what the coarser leg does not know.
func (cs Cells) MergeInto(other Cells, fold func(Place) Place) error {
	for p, c := range other {
		if err := cs.At(fold(p), len(c.Sums)).Add(c); err != nil {
			return fmt.Errorf("at %s/%d %s: %w", p.Topic, p.Partition, p.Day, err)
		}
	}
	return nil
}

// Subtract takes all cells of the other leg out. Cells may become empty or
// negative; they stay.
func (cs Cells) Subtract(other Cells) error {
	for p, c := range other {
		if err := cs.At(p, len(c.Sums)).Subtract(c); err != nil {
			return fmt.Errorf("at %s/%d %s: %w", p.Topic, p.Partition, p.Day, err)
		}
	}
	return nil
}

// Fold returns the cells merged at the places that fold gives.
func (cs Cells) Fold(fold func(Place) Place) (Cells, error) {
	out := make(Cells, len(cs))
	return out, out.MergeInto(cs, fold)
}

// Total returns the sum of all cells.
func (cs Cells) Total(totals int) (*Cell, error) {
	sum := &Cell{Sums: make([]Int128, totals), Counts: make([]int64, totals)}
	for _, c := range cs {
		if err := sum.Add(c); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// Places returns the places in output order.
func (cs Cells) Places() []Place {
	list := make([]Place, 0, len(cs))
	for p := range cs {
		list = append(list, p)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Less(list[j]) })
	return list
}

type cellEntry struct {
	Place
	*Cell
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (cs *Cells) UnmarshalJSON(text []byte) error {
	var list []cellEntry
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("reading cells: %w", err)
	}
	*cs = make(Cells, len(list))
	for _, e := range list {
		if e.Cell == nil {
			return fmt.Errorf("reading cells: an entry without counts")
		}
		if len(e.Sums) != len(e.Counts) {
			return fmt.Errorf("reading cells: %s/%d %s has %d sums and %d counts", e.Topic, e.Partition, e.Day, len(e.Sums), len(e.Counts))
		}
		if _, twice := (*cs)[e.Place]; twice {
			return fmt.Errorf("reading cells: %s/%d %s stands twice", e.Topic, e.Partition, e.Day)
		}
		(*cs)[e.Place] = e.Cell
	}
	return nil
}
