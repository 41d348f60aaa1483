package publish

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

// stageName is the temp table that COPY fills. Another session's is another
// table, so that the plan's number is enough.
func stageName(seq runplan.Seq) string { return fmt.Sprintf("_backfill_stage_%d", seq) }

// twiceName is the temp table of the keys that the stage holds more than once,
// newestName that of their newest rows.
func twiceName(seq runplan.Seq) string  { return fmt.Sprintf("_backfill_twice_%d", seq) }
func newestName(seq runplan.Seq) string { return fmt.Sprintf("_backfill_newest_%d", seq) }

// quoteOwn quotes a name of this package, or one that compile has checked.
func quoteOwn(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// stageColumns are the dataset's columns and then the technical ones, as the
// Parquet files have them.
func (t *target) stageColumns() []schema.Column {
	return slices.Concat(t.Columns, schema.Technical())
}

// createStageSQL types the stage as COPY from Parquet needs it: exactly the
// files' types; SUPER would need SERIALIZETOJSON and would be a JSON string,
// so that its text is staged and parsed on insert.
func (t *target) createStageSQL(stage string) string {
	lines := make([]string, 0, len(t.Columns)+3)
	for _, c := range t.stageColumns() {
		kind := c.Type
		if kind.Kind == schema.Super {
			kind = schema.Type{Kind: schema.Varchar, Length: schema.MaxVarchar}
		}
		lines = append(lines, "  "+quoteOwn(c.Name)+" "+strings.ToUpper(kind.String()))
	}
	return "CREATE TEMP TABLE " + quoteOwn(stage) + " (\n" + strings.Join(lines, ",\n") + "\n)"
}

func (t *target) copyStatement(stage string, l Load) redshift.CopyStatement {
	s := redshift.CopyStatement{Table: stage, Manifest: l.ManifestURI, IAMRole: l.IAMRole}
	for _, c := range t.stageColumns() {
		s.Columns = append(s.Columns, c.Name)
	}
	return s
}

// vanishSource is the table's rows in windows ∧ scope whose key is not among
// the stage's, or whose version is newer than the stage's, for cellsSQL. The
// scope is asked of the table alone, so that its names can't meet the stage's.
func (t *target) vanishSource(stage string, windows ...kafka.Window) string {
	needed := slices.Concat(t.Key, t.LatestBy, t.Totals, t.By)
	for i, c := range t.Columns {
		if c.Name == t.WindowColumn {
			needed = append(needed, i)
		}
	}
	slices.Sort(needed)
	var names, own []string
	for _, i := range slices.Compact(needed) {
		names = append(names, t.columns[i])
	}
	if t.Provenance {
		for _, c := range schema.Technical() {
			names = append(names, quoteOwn(c.Name))
		}
	}
	for _, name := range names {
		own = append(own, "_old."+name+" AS "+name)
	}
	gone := "_new." + t.keyNames()[0] + " IS NULL"
	if order := t.versionOrder(); len(order) > 0 {
		gone += "\n  OR " + newerSQL(order)
	}
	return "(\nSELECT " + strings.Join(own, ", ") + "\n" +
		"FROM (\nSELECT " + strings.Join(names, ", ") + "\nFROM " + t.table + t.ownedSQL(windows...) + "\n) AS _old\n" +
		"LEFT JOIN " + quoteOwn(stage) + " AS _new\n  ON " + t.sameKey("_new", "_old") + "\n" +
		"WHERE " + gone + "\n) AS _gone"
}

// newerSQL is the predicate that the table's row is newer than the staged one.
func newerSQL(list []order) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, o := range list {
		b.WriteString("\n    WHEN " + o.old + " THEN 1\n    WHEN " + o.new + " THEN 0")
	}
	b.WriteString("\n    ELSE 0 END = 1")
	return b.String()
}

func (t *target) deleteSQL(w kafka.Window) string {
	return "DELETE FROM " + t.table + t.ownedSQL(w)
}

// insertSQL moves rows of the stage to the table and parses SUPER. source is
// what stands behind FROM, its WHERE included.
func (t *target) insertSQL(source string, run runplan.RunID) (string, error) {
	names := slices.Clone(t.columns)
	values := slices.Clone(t.columns)
	for i, c := range t.Columns {
		if c.Type.Kind == schema.Super {
			values[i] = "JSON_PARSE(" + values[i] + ")"
		}
	}
	if t.Provenance {
		for _, c := range schema.Technical() {
			names, values = append(names, quoteOwn(c.Name)), append(values, quoteOwn(c.Name))
		}
		id, err := redshift.QuoteLiteral(string(run))
		if err != nil {
			return "", err
		}
		names, values = append(names, quoteOwn(schema.RunColumn)), append(values, id)
	}
	return "INSERT INTO " + t.table + " (" + strings.Join(names, ", ") + ")\n" +
		"SELECT " + strings.Join(values, ", ") + "\n" +
		"FROM " + source, nil
}
