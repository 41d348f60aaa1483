package publish

import (
	"encoding/json"
	"slices"

	"backfill/internal/account"
)

// groupTotals is one group in the ledger's JSON of totals.
type groupTotals struct {
	Group []*string         `json:"group"` // values of the columns that money is totalled by; null is NULL
	Rows  int64             `json:"rows"`
	Sums  map[string]string `json:"sums"` // by column, exact decimals
}

// noTotals are the totals of no rows.
const noTotals = `{"groups":[]}`

// totalsJSON gives rows and money per group, for people who ask the ledger by
// SQL. Groups over the column's length are left out and counted: the receipt
// has them all.
func (t *target) totalsJSON(cells account.Cells) string {
	byGroup := map[account.Group]*account.Cell{}
	for p, c := range cells {
		sum := byGroup[p.Group]
		if sum == nil {
			sum = &account.Cell{}
			byGroup[p.Group] = sum
		}
		if err := sum.Add(c); err != nil {
			return `{"error":"a sum does not fit"}`
		}
	}
	groups := make([]account.Group, 0, len(byGroup))
	for g := range byGroup {
		groups = append(groups, g)
	}
	slices.Sort(groups)
	var doc struct {
		Groups []json.RawMessage `json:"groups"`
		Cut    int               `json:"cut,omitempty"`
	}
	doc.Groups = []json.RawMessage{}
	size := 0
	for i, g := range groups {
		c := byGroup[g]
		entry := groupTotals{Group: g.Values(len(t.By)), Rows: c.Rows, Sums: map[string]string{}}
		for n, at := range t.Totals {
			entry.Sums[t.Columns[at].Name] = c.Sums[n].Decimal(decimals(t.Columns[at]))
		}
		text, err := json.Marshal(entry)
		if err != nil {
			return `{"error":"a group is no text"}`
		}
		if size += len(text) + 1; size > maxTotals {
			doc.Cut = len(groups) - i
			break
		}
		doc.Groups = append(doc.Groups, text)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return `{"error":"a group is no text"}`
	}
	return string(text)
}
