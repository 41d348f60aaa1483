package tieout

import (
	"fmt"

	"backfill/internal/account"
)

// erased breaks where rows of people stand in the table who are on the suppression
// list.
func (r *Result) erased(in Input) {
	for _, p := range in.Erased.Places() {
		c := in.Erased[p]
		r.Breaks = append(r.Breaks, Break{Leg: ListTable, Kind: Erased, Place: p, Rows: c.Rows, Right: c,
			Left: &account.Cell{Sums: make([]account.Int128, in.Totals), Counts: make([]int64, in.Totals)},
			Note: fmt.Sprintf("they are of people on the suppression list, of whom %d have rows here: backfill repair --delete-extra takes them out, or running the window again", in.People)})
	}
}
