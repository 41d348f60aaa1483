package publish

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"backfill/internal/canon"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

// How a staged row's key stands in the table. Where the table holds a key more
// than once, the lowest counts: any of its rows can be the newer one.
const (
	metNewer   = 0 // the table has a newer version
	metSame    = 1 // it has this row
	metDiffers = 2 // it has another row, of which nothing says that it is older
	metOlder   = 3 // it has older versions only
)

// metName is the temp table of the slice's keys that the table holds: _key1 and
// so on, the staged row's event time _at, and _met.
func metName(seq runplan.Seq, slice int) string {
	return fmt.Sprintf("_backfill_met_%d_%d", seq, slice)
}

// outsideName is the temp table of the staged keys that the table holds outside
// of the plan's window, likewise. It is made anew when others changed the table.
func outsideName(seq runplan.Seq, try int) string {
	return fmt.Sprintf("_backfill_outside_%d_%d", seq, try)
}

// metSQL meets the staged rows of a window with rows of the table; owned is the
// WHERE clause of these. A key may stand on another day.
func (t *target) metSQL(stage, met string, w kafka.Window, owned string) string {
	keys, numbers := make([]string, len(t.Key)), make([]string, len(t.Key))
	for i, name := range t.keyNames() {
		keys[i], numbers[i] = "_new."+name+" AS "+metKey(i), strconv.Itoa(i+1)
	}
	columns := strings.Join(t.heldNames(), ", ")
	return "CREATE TEMP TABLE " + quoteOwn(met) + " AS\n" +
		"SELECT " + strings.Join(keys, ", ") + ", MAX(_new." + t.windowColumn + ") AS _at,\n  MIN(" + t.metCase() + ") AS _met\n" +
		"FROM (\nSELECT " + strings.Join(t.stageNames(), ", ") + "\nFROM " + quoteOwn(stage) + where(t.windowSQL(w)) + "\n) AS _new\n" +
		"JOIN (\nSELECT " + columns + "\nFROM " + t.table + owned + "\n) AS _old\n" +
		"  ON " + t.sameKey("_new", "_old") + "\n" +
		"GROUP BY " + strings.Join(numbers, ", ")
}

func metKey(i int) string { return "_key" + strconv.Itoa(i+1) }

// heldNames are the table's columns that the stage has, too.
func (t *target) heldNames() []string {
	if t.Provenance {
		return t.stageNames()
	}
	return t.columns
}

// metCase compares one staged row (_new) with one of the table (_old). A row
// outside of a replaced window can't be the same one: its event time is another.
func (t *target) metCase() string {
	var whens []string
	if t.Mode != InsertMissing {
		for _, order := range t.versionOrder() {
			whens = append(whens, fmt.Sprintf("WHEN %s THEN %d", order.old, metNewer), fmt.Sprintf("WHEN %s THEN %d", order.new, metOlder))
		}
	}
	if t.Mode != ReplaceWindow {
		new1, new2 := t.text.SQL("_new", canon.Inserted)
		old1, old2 := t.text.SQL("_old", canon.Table)
		whens = append(whens, fmt.Sprintf("WHEN %s = %s\n     AND %s = %s THEN %d", new1, old1, new2, old2, metSame))
	}
	if len(whens) == 0 {
		return strconv.Itoa(metDiffers)
	}
	return "CASE\n    " + strings.Join(whens, "\n    ") + fmt.Sprintf("\n    ELSE %d END", metDiffers)
}

// order says when the table's row is newer by one criterion, and when the
// staged one is.
type order struct{ old, new string }

// versionOrder compares versions as newestSQL does: by the columns of
// latest_by, where NULL is the oldest, then by the offset within a partition.
func (t *target) versionOrder() []order {
	var list []order
	for _, at := range t.LatestBy {
		newer, older := "_new."+t.columns[at], "_old."+t.columns[at]
		list = append(list, order{
			old: fmt.Sprintf("%s > %s OR (%s IS NOT NULL AND %s IS NULL)", older, newer, older, newer),
			new: fmt.Sprintf("%s > %s OR (%s IS NOT NULL AND %s IS NULL)", newer, older, newer, older),
		})
	}
	if !t.Provenance {
		return list
	}
	topic, partition, offset := quoteOwn(schema.TopicColumn), quoteOwn(schema.PartitionColumn), quoteOwn(schema.OffsetColumn)
	log := fmt.Sprintf("_new.%s = _old.%s AND _new.%s = _old.%s AND ", topic, topic, partition, partition)
	return append(list, order{
		old: log + fmt.Sprintf("_old.%s > _new.%s", offset, offset),
		new: log + fmt.Sprintf("_new.%s > _old.%s", offset, offset),
	})
}

// metCountsSQL counts the staged rows of a window by outcome.
func (t *target) metCountsSQL(met string, w kafka.Window) string {
	return "SELECT _met::BIGINT, COUNT(*)\nFROM " + quoteOwn(met) + where(atSQL("_at", w)) + "\nGROUP BY 1"
}

// atSQL is the predicate that a column is in the window; "" for all.
func atSQL(column string, w kafka.Window) string {
	if w.IsAll() {
		return ""
	}
	return column + " >= " + timestamp(w.From) + " AND " + column + " < " + timestamp(w.To)
}

// seenSQL is the predicate that a row of source has a key in met whose staged
// row is in the window, with one of the outcomes; no outcome: any.
func (t *target) seenSQL(met, source string, w kafka.Window, outcomes ...int) string {
	parts := make([]string, 0, len(t.Key)+2)
	for i, name := range t.keyNames() {
		parts = append(parts, "_seen."+metKey(i)+" = "+source+"."+name)
	}
	list := make([]string, len(outcomes))
	for i, o := range outcomes {
		list[i] = strconv.Itoa(o)
	}
	if len(list) > 0 {
		parts = append(parts, "_seen._met IN ("+strings.Join(list, ", ")+")")
	}
	if at := atSQL("_seen._at", w); at != "" {
		parts = append(parts, at)
	}
	return "EXISTS (SELECT 1 FROM " + quoteOwn(met) + " AS _seen WHERE " + strings.Join(parts, " AND ") + ")"
}

// newSource is the staged rows of a window but those whose key has one of the
// outcomes, for cellsSQL and insertSQL.
func (t *target) newSource(stage, met string, w kafka.Window, outcomes ...int) string {
	return quoteOwn(stage) + " AS _new" + where(t.windowSQL(w), "NOT "+t.seenSQL(met, "_new", kafka.Window{}, outcomes...))
}

// metSource is the staged rows of a window with one outcome, for cellsSQL.
func (t *target) metSource(stage, met string, w kafka.Window, outcome int) string {
	return quoteOwn(stage) + " AS _new" + where(t.windowSQL(w), t.seenSQL(met, "_new", kafka.Window{}, outcome))
}

// oldSource is the rows of a part of the table whose key has the outcome, for
// staged rows in the window, for cellsSQL.
func (t *target) oldSource(met, owned string, w kafka.Window, outcome int) string {
	return "(\nSELECT " + strings.Join(t.heldNames(), ", ") + "\nFROM " + t.table + owned + "\n) AS _old\nWHERE " + t.seenSQL(met, "_old", w, outcome)
}

// outsideSQL is ownedSQL for the rows of the scope that are not in the window.
func (t *target) outsideSQL(w kafka.Window) string {
	parts := []string{"(" + t.windowColumn + " < " + timestamp(w.From) + " OR " + t.windowColumn + " >= " + timestamp(w.To) + ")"}
	return where(append(parts, t.scopeSQL())...)
}

// scopeSQL is the predicate of the rows that the dataset owns; "" for all.
func (t *target) scopeSQL() string {
	if t.Scope == "" {
		return ""
	}
	return "(" + t.Scope + ")"
}

// spanSQL counts the rows of a source and gives their first and last event
// time in microseconds.
func (t *target) spanSQL(source string) string {
	micros := func(f string) string {
		return "DATEDIFF(microsecond, " + epochSQL + ", " + f + "(" + t.windowColumn + "))"
	}
	return "SELECT COUNT(*), " + micros("MIN") + ", " + micros("MAX") + "\nFROM " + source
}

// replaceOldSQL deletes the rows of the scope that newer versions replace.
func (t *target) replaceOldSQL(met string) string {
	parts := make([]string, 0, len(t.Key)+2)
	for i, name := range t.keyNames() {
		parts = append(parts, quoteOwn(met)+"."+metKey(i)+" = "+quoteOwn(t.Table)+"."+name)
	}
	parts = append(parts, quoteOwn(met)+"._met = "+strconv.Itoa(metOlder), t.scopeSQL())
	return "DELETE FROM " + t.table + "\nUSING " + quoteOwn(met) + where(parts...)
}

// where joins predicates to a clause with a leading line break; empty ones
// don't count.
func where(parts ...string) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })
	if len(parts) == 0 {
		return ""
	}
	return "\nWHERE " + strings.Join(parts, "\n  AND ")
}
