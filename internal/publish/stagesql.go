package publish

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/canon"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

// stageName is the temp table that COPY fills. Another session's is another
// table, so that the plan's number is enough.
func stageName(seq runplan.Seq) string { return fmt.Sprintf("_backfill_stage_%d", seq) }

// winnersName is the temp table of the newest versions of keys.
func winnersName(seq runplan.Seq) string { return fmt.Sprintf("_backfill_winners_%d", seq) }

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

// winnersSQL keeps one row of every key. The order goes on to the offset and
// the content, so that every run picks the same row; NULLs are first in
// Redshift's DESC unless told otherwise. SUPER is parsed here, once.
func (t *target) winnersSQL(stage, winners string) string {
	var names, parsed []string
	for _, c := range t.stageColumns() {
		name := quoteOwn(c.Name)
		names = append(names, name)
		if c.Type.Kind == schema.Super {
			name = "JSON_PARSE(" + name + ") AS " + name
		}
		parsed = append(parsed, name)
	}
	list := strings.Join(names, ", ")
	var keys, order []string
	for _, i := range t.Key {
		keys = append(keys, t.columns[i])
	}
	for _, i := range t.LatestBy {
		order = append(order, t.columns[i]+" DESC NULLS LAST")
	}
	lane1, lane2 := t.text.SQL("", canon.Stage)
	order = append(order, quoteOwn(schema.TopicColumn), quoteOwn(schema.PartitionColumn),
		quoteOwn(schema.OffsetColumn)+" DESC NULLS LAST", lane1, lane2)
	return "CREATE TEMP TABLE " + quoteOwn(winners) + " AS\n" +
		"SELECT " + strings.Join(parsed, ", ") + "\n" +
		"FROM (\n" +
		"SELECT " + list + ",\n" +
		"  ROW_NUMBER() OVER (\n" +
		"    PARTITION BY " + strings.Join(keys, ", ") + "\n" +
		"    ORDER BY " + strings.Join(order, ",\n      ") + "\n" +
		"  ) AS _rank\n" +
		"FROM " + quoteOwn(stage) + "\n" +
		") AS _ranked\n" +
		"WHERE _rank = 1"
}

// vanishSource is the table's rows in windows ∧ scope whose key is not among
// the winners, for cellsSQL. The scope is asked of the table alone, so that
// its names can't meet the winners'.
func (t *target) vanishSource(winners string, windows ...kafka.Window) string {
	needed := slices.Concat(t.Key, t.Totals, t.By)
	for i, c := range t.Columns {
		if c.Name == t.WindowColumn {
			needed = append(needed, i)
		}
	}
	slices.Sort(needed)
	var names, same []string
	for _, i := range slices.Compact(needed) {
		names = append(names, t.columns[i])
	}
	for _, i := range t.Key {
		same = append(same, "_new."+t.columns[i]+" = _old."+t.columns[i])
	}
	return "(\nSELECT " + strings.Join(names, ", ") + "\nFROM " + t.table + t.ownedSQL(windows...) + "\n) AS _old\n" +
		"WHERE NOT EXISTS (SELECT 1 FROM " + quoteOwn(winners) + " AS _new WHERE " + strings.Join(same, " AND ") + ")"
}

func (t *target) deleteSQL(w kafka.Window) string {
	return "DELETE FROM " + t.table + t.ownedSQL(w)
}

// insertSQL moves the slice's rows from the stage or the winners to the table;
// form says whether SUPER is still text.
func (t *target) insertSQL(from string, form canon.Form, w kafka.Window, run runplan.RunID) (string, error) {
	names := slices.Clone(t.columns)
	values := slices.Clone(t.columns)
	for i, c := range t.Columns {
		if c.Type.Kind == schema.Super && form != canon.Table {
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
	sql := "INSERT INTO " + t.table + " (" + strings.Join(names, ", ") + ")\n" +
		"SELECT " + strings.Join(values, ", ") + "\n" +
		"FROM " + quoteOwn(from)
	if where := t.windowSQL(w); where != "" {
		sql += "\nWHERE " + where
	}
	return sql, nil
}
