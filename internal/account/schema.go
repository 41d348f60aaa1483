package account

import (
	"cmp"
	"maps"
	"slices"

	"backfill/internal/kafka"
)

// MaxSchemas bounds the schemas that counts list by name; those over it are
// counted under Other.
const MaxSchemas = 1000

// SchemaCount is how many values of one schema were met, of a registry's framed
// values. A schema whose Kind is "" is not known: its values could not be read.
type SchemaCount struct {
	ID      string `json:"id"`
	Subject string `json:"subject,omitempty"`
	Version int    `json:"version,omitempty"`
	Kind    string `json:"kind,omitempty"`

	Records int64 `json:"records"`
	Rows    int64 `json:"rows"`                     // of them, Parquet rows
	Extra   int64 `json:"unknown_fields,omitempty"` // of them, with fields that the schema does not have

	// The first of them, by object and row.
	Object string       `json:"first_object"`
	Row    int64        `json:"first_row"`
	Offset kafka.Offset `json:"first_offset"` // -1: none known
}

// MergeSchemas adds up the counts of the same schemas, ordered by subject,
// version and id.
func MergeSchemas(lists ...[]SchemaCount) []SchemaCount {
	all := map[string]SchemaCount{}
	for _, list := range lists {
		for _, c := range list {
			if _, ok := all[c.ID]; !ok && len(all) >= MaxSchemas {
				c = SchemaCount{ID: Other, Records: c.Records, Rows: c.Rows, Extra: c.Extra, Object: c.Object, Row: c.Row, Offset: c.Offset}
			}
			sum, ok := all[c.ID]
			if ok && cmp.Or(cmp.Compare(sum.Object, c.Object), cmp.Compare(sum.Row, c.Row)) > 0 {
				sum.Object, sum.Row, sum.Offset = c.Object, c.Row, c.Offset
			}
			if ok {
				sum.Records, sum.Rows, sum.Extra = sum.Records+c.Records, sum.Rows+c.Rows, sum.Extra+c.Extra
				c = sum
			}
			all[c.ID] = c
		}
	}
	out := slices.Collect(maps.Values(all))
	slices.SortFunc(out, func(a, b SchemaCount) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version), cmp.Compare(a.ID, b.ID))
	})
	return out
}
