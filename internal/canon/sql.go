package canon

import (
	"fmt"
	"strings"

	"backfill/internal/schema"
)

// Form says where the columns stand, which matters for SUPER alone: two
// spellings of one JSON value are one SUPER value.
type Form uint8

const (
	// Stage hashes the stage as it was loaded: SUPER is VARCHAR holding raw
	// JSON. These lanes equal those of Go.
	Stage Form = iota + 1
	// Inserted hashes the stage as the table will hold it: raw JSON is parsed
	// and serialized again. These lanes equal Table's.
	Inserted
	// Table hashes the target table, whose SUPER columns are SUPER.
	Table
)

// SQL returns the two lanes as Redshift expressions of type BIGINT over the
// columns' own names, prefixed by alias unless it is empty.
func (t *Text) SQL(alias string, f Form) (lane1, lane2 string) {
	return lanesSQL(t.rowSQL(alias, f))
}

// BucketSQL returns Bucket as a Redshift expression.
func (t *Text) BucketSQL(alias string, f Form, n int) string {
	if n <= 1 {
		return "0"
	}
	return fmt.Sprintf("MOD(FARMFINGERPRINT64(%s), %d)", t.rowSQL(alias, f), n)
}

// rowSQL mirrors appendRow.
func (t *Text) rowSQL(alias string, f Form) string {
	if len(t.groups) == 1 {
		return columnsSQL(t.groups[0], alias, f)
	}
	var parts []string
	for _, g := range t.groups {
		lane1, lane2 := lanesSQL(columnsSQL(g, alias, f))
		parts = append(parts, lane1+"::VARCHAR || '"+end+"'", lane2+"::VARCHAR || '"+end+"'")
	}
	return strings.Join(parts, " || ")
}

// columnsSQL mirrors appendColumns. NULL || x is NULL, hence a CASE for each.
func columnsSQL(cols []column, alias string, f Form) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		ref := c.ref(alias, f)
		parts[i] = fmt.Sprintf("CASE WHEN %s IS NULL THEN '%s' ELSE %s END || '%s'", ref.value, null, c.sql(ref.text, c.typ), end)
	}
	return strings.Join(parts, " || ")
}

// reference names a column: value is asked for NULL, text goes to the rule.
type reference struct{ value, text string }

// ref asks SUPER for NULL after parsing, because Redshift may take the JSON
// value null for NULL in a SUPER column, and not in a VARCHAR.
func (c *column) ref(alias string, f Form) reference {
	name := `"` + strings.ReplaceAll(c.name, `"`, `""`) + `"`
	if alias != "" {
		name = alias + "." + name
	}
	if c.typ.Kind != schema.Super || f == Stage {
		return reference{value: name, text: name}
	}
	if f == Inserted {
		name = "JSON_PARSE(" + name + ")"
	}
	return reference{value: name, text: "JSON_SERIALIZE(" + name + ")"}
}

// lanesSQL mirrors lanes.
func lanesSQL(text string) (lane1, lane2 string) {
	return "FARMFINGERPRINT64(" + text + ")", fmt.Sprintf("FARMFINGERPRINT64('%c' || %s)", mark, text)
}
