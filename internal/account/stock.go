package account

// stockCells is how many cells are made at a time.
const stockCells = 64

// Stock makes empty cells, many with one allocation: a chunk of many days,
// buckets and groups has thousands. The zero Stock is ready.
type Stock struct {
	cells  []Cell
	sums   []Int128
	counts []int64
}

// Cell returns an empty cell with room for so many totals.
func (s *Stock) Cell(totals int) *Cell {
	if len(s.cells) == 0 || len(s.sums) < totals {
		s.cells, s.sums, s.counts = make([]Cell, stockCells), make([]Int128, stockCells*totals), make([]int64, stockCells*totals)
	}
	c := &s.cells[0]
	c.Sums, c.Counts = s.sums[:totals:totals], s.counts[:totals:totals]
	s.cells, s.sums, s.counts = s.cells[1:], s.sums[totals:], s.counts[totals:]
	return c
}
