package publish

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/runplan"
	"backfill/internal/schema"
)

// The two columns that kept rows have besides the table's: the slice that
// changed them, and which side of the change they are.
const (
	keptSlice = "_backfill_undo_slice"
	keptSide  = "_backfill_undo_side"

	sideReplaced = "replaced" // deleted by the load, to be put back
	sideWritten  = "written"  // inserted by the load, to be deleted
)

// createSQL copies the table's columns with their types, encodings and keys,
// without defaults: what is kept has all its values.
func (k *keeper) createSQL() []string {
	return []string{
		"CREATE TABLE " + k.table + " (LIKE " + k.t.table + ")",
		"ALTER TABLE " + k.table + " ADD COLUMN " + keptSlice + " INTEGER",
		"ALTER TABLE " + k.table + " ADD COLUMN " + keptSide + " VARCHAR(8)",
	}
}

// copySQL puts the rows behind FROM into the table of kept rows.
func (k *keeper) copySQL(slice int, side, from string) string {
	list := strings.Join(k.names, ", ")
	return fmt.Sprintf("INSERT INTO %s (%s, %s, %s)\nSELECT %s, %d, '%s'\nFROM %s", k.table, list, keptSlice, keptSide, list, slice, side, from)
}

// keptSQL is the kept rows of a side, for behind FROM.
func (k *keeper) keptSQL(slice int, side string) string {
	return fmt.Sprintf("%s\nWHERE %s = %d AND %s = '%s'", k.table, keptSlice, slice, keptSide, side)
}

// restoreSQL puts the replaced rows back, every column of them.
func (k *keeper) restoreSQL(slice int) string {
	list := strings.Join(k.names, ", ")
	return "INSERT INTO " + k.t.table + " (" + list + ")\nSELECT " + list + "\nFROM " + k.keptSQL(slice, sideReplaced)
}

// identity are the columns that tell a written row from others where the mode
// does not replace the window: the key, or what Kafka and the run gave.
func (k *keeper) identity() []string {
	if k.t.Mode == Append {
		return []string{quoteOwn(schema.TopicColumn), quoteOwn(schema.PartitionColumn), quoteOwn(schema.OffsetColumn)}
	}
	var names []string
	for _, i := range k.t.Key {
		names = append(names, k.t.columns[i])
	}
	return names
}

// matchSQL is "the identity is among the rows behind FROM". The rows' names are
// hidden, so that a bare name means the table's.
func (k *keeper) matchSQL(from string) string {
	var names, same []string
	for i, id := range k.identity() {
		names = append(names, fmt.Sprintf("%s AS _id%d", id, i+1))
		same = append(same, fmt.Sprintf("_ids._id%d = %s", i+1, id))
	}
	return "EXISTS (\nSELECT 1 FROM (SELECT " + strings.Join(names, ", ") + "\nFROM " + from + "\n) AS _ids WHERE " + strings.Join(same, " AND ") + ")"
}

// insertedSQL is the table's rows that came from the source, for behind FROM.
func (k *keeper) insertedSQL(source string, run runplan.RunID) string {
	parts := []string{k.matchSQL(source)}
	if k.t.Mode == Append {
		parts = append(parts, quoteOwn(schema.RunColumn)+" = '"+string(run)+"'") // a run's id is hexadecimal
	}
	return k.t.table + "\nWHERE " + strings.Join(k.owned(parts), "\n  AND ")
}

// writtenSQL is the table's rows that the slice wrote, for behind FROM.
func (k *keeper) writtenSQL(slice int) string {
	parts := []string{k.matchSQL(k.keptSQL(slice, sideWritten))}
	return k.t.table + "\nWHERE " + strings.Join(k.owned(parts), "\n  AND ")
}

// touchedSQL is the table's rows that the slice wrote or replaced, by their
// identity, for behind FROM.
func (k *keeper) touchedSQL(slice int) string {
	parts := []string{k.matchSQL(fmt.Sprintf("%s\nWHERE %s = %d", k.table, keptSlice, slice))}
	return k.t.table + "\nWHERE " + strings.Join(k.owned(parts), "\n  AND ")
}

func (k *keeper) owned(parts []string) []string {
	if k.t.Scope == "" {
		return parts
	}
	return slices.Insert(parts, 0, "("+k.t.Scope+")")
}
