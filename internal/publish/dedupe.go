package publish

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/redshift"
	"backfill/internal/schema"
)

// dedupe leaves the newest row of every key in the stage, and reads what the
// table will hold. Only rows of keys that stand more than once are copied. The
// stage is this session's alone and does not change any more, so that it is
// read once, before any lock.
func (p *publisher) dedupe(ctx context.Context) error {
	begin := time.Now()
	superseded := int64(0)
	if p.t.Mode != Append && len(p.t.Key) > 0 && p.l.Rows > 0 {
		var err error
		if superseded, err = p.dropOlder(ctx); err != nil {
			return fmt.Errorf("picking the newest row of each key: %w", err)
		}
	}
	if err := p.readRows(ctx, superseded); err != nil {
		return err
	}
	if left := sumRows(p.rows); left != p.l.Rows-superseded {
		return fail.New(fail.Break, "%d rows are left of %d staged ones without %d older versions; nothing was changed", left, p.l.Rows, superseded).
			At("%s", p.t.name())
	}
	p.observe(Event{Step: StepWinners, Rows: sumRows(p.rows), Took: time.Since(begin)})
	return nil
}

// readRows reads the stage as the table will hold it. Where it is as it was
// checked, and no SUPER is spelled anew on insert, the check has read it.
func (p *publisher) readRows(ctx context.Context, superseded int64) (err error) {
	if superseded == 0 && !p.t.hasSuper() {
		p.texts.rows = p.texts.stage
		p.rows, err = p.t.asTable(p.stage)
		return err
	}
	q, err := p.stageQuery(stageName(p.l.Head.Seq), canon.Inserted, p.t.Provenance)
	if err != nil {
		return err
	}
	p.texts.rows = p.t.cellsSQL(q)
	if p.rows, err = p.t.readCells(ctx, p.s, q, p.texts.rows); err != nil {
		return fmt.Errorf("reading the newest rows: %w", err)
	}
	return nil
}

func (t *target) hasSuper() bool {
	return slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return c.Type.Kind == schema.Super })
}

// asTable forgets what a table without provenance does not know.
func (t *target) asTable(cells account.Cells) (account.Cells, error) {
	if t.Provenance {
		return cells, nil
	}
	out, err := cells.Fold(func(p account.Place) account.Place { p.Topic, p.Partition = "", NoPartition; return p })
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "adding partitions")
	}
	for _, c := range out {
		c.Offsets, c.OffsetSum = 0, account.Int128{}
	}
	return out, nil
}

// dropOlder replaces the rows of keys that stand more than once by their newest
// row, and returns how many rows less there are. Counts prove that each such key
// keeps exactly one row.
func (p *publisher) dropOlder(ctx context.Context) (superseded int64, err error) {
	stage, twice, newest := stageName(p.l.Head.Seq), twiceName(p.l.Head.Seq), newestName(p.l.Head.Seq)
	if err := p.createTemp(ctx, twice, p.t.twiceSQL(stage, twice)); err != nil {
		return 0, fmt.Errorf("finding keys that stand more than once: %w", err)
	}
	keys := int64(-1)
	err = p.s.Query(ctx, "SELECT COUNT(*)\nFROM "+quoteOwn(twice), func(r redshift.Scanner) error { return r.Scan(&keys) })
	if err != nil || keys == 0 {
		return 0, err
	}
	if err := p.createTemp(ctx, newest, p.t.newestSQL(stage, twice, newest)); err != nil {
		return 0, fmt.Errorf("ranking their rows: %w", err)
	}
	if err := p.readTies(ctx, stage, newest); err != nil {
		return 0, err
	}
	deleted, err := p.s.Exec(ctx, p.t.dropTwiceSQL(stage, twice))
	if err != nil {
		return 0, fmt.Errorf("taking their rows out of the stage: %w", err)
	}
	inserted, err := p.s.Exec(ctx, p.t.putNewestSQL(stage, newest))
	if err != nil {
		return 0, fmt.Errorf("putting the newest ones back: %w", err)
	}
	if inserted != keys || deleted < 2*keys {
		return 0, fail.New(fail.Break, "%d keys stand more than once, %d of their rows were taken and %d put back; nothing was changed", keys, deleted, inserted).
			At("%s", p.t.name())
	}
	return deleted - inserted, nil
}

// readTies finds the keys whose newest version stands in several partitions, or
// has no proven offset: nothing orders these, so that people are told.
func (p *publisher) readTies(ctx context.Context, stage, newest string) error {
	day, err := p.t.daySQL(p.l.Head.Window, p.l.Calendar)
	if err != nil {
		return err
	}
	q := cellQuery{from: p.t.tieSource(stage, newest), form: canon.Stage, day: day}
	if p.ties, err = p.t.readCells(ctx, p.s, q, p.t.cellsSQL(q)); err != nil {
		return fmt.Errorf("looking for equal versions: %w", err)
	}
	return nil
}

// tieSource is the newest row of each key of which the stage holds an equal
// version of another partition, or one of other content where either has no
// proven offset, for cellsSQL. An upsert goes on to compare offsets with that
// row's; for the other modes partitions only matter where the content differs.
func (t *target) tieSource(stage, newest string) string {
	needed := slices.Concat(t.Key, t.Totals, t.By)
	for i, c := range t.Columns {
		if c.Name == t.WindowColumn {
			needed = append(needed, i)
		}
	}
	slices.Sort(needed)
	var names, numbers []string
	for i, at := range slices.Compact(needed) {
		names, numbers = append(names, "_top."+t.columns[at]+" AS "+t.columns[at]), append(numbers, strconv.Itoa(i+1))
	}
	on := []string{t.sameKey("_row", "_top")}
	for _, at := range t.LatestBy {
		a, b := "_row."+t.columns[at], "_top."+t.columns[at]
		on = append(on, fmt.Sprintf("(%s = %s OR (%s IS NULL AND %s IS NULL))", a, b, a, b))
	}
	topic, partition, offset := quoteOwn(schema.TopicColumn), quoteOwn(schema.PartitionColumn), quoteOwn(schema.OffsetColumn)
	row1, row2 := t.text.SQL("_row", canon.Stage)
	top1, top2 := t.text.SQL("_top", canon.Stage)
	differs := "(" + row1 + " <> " + top1 + "\n  OR " + row2 + " <> " + top2 + ")"
	elsewhere := "_row." + topic + " <> _top." + topic + " OR _row." + partition + " <> _top." + partition
	unplaced := "_row." + offset + " IS NULL OR _top." + offset + " IS NULL"
	apart := "(" + elsewhere + "\n  OR " + unplaced + ")\n  AND " + differs
	if t.Mode == Upsert {
		apart = elsewhere + "\n  OR (" + unplaced + ")\n  AND " + differs
	}
	return "(\nSELECT " + strings.Join(names, ", ") + "\nFROM " + quoteOwn(newest) + " AS _top\nJOIN " + quoteOwn(stage) + " AS _row\n  ON " +
		strings.Join(on, " AND ") + "\n" +
		"WHERE " + apart + "\n" +
		"GROUP BY " + strings.Join(numbers, ", ") + "\n) AS _ties"
}

// keyNames are the key's columns, quoted.
func (t *target) keyNames() []string {
	names := make([]string, len(t.Key))
	for i, at := range t.Key {
		names[i] = t.columns[at]
	}
	return names
}

// sameKey compares the key of two sources by their aliases or names.
func (t *target) sameKey(a, b string) string {
	parts := make([]string, len(t.Key))
	for i, name := range t.keyNames() {
		parts[i] = a + "." + name + " = " + b + "." + name
	}
	return strings.Join(parts, " AND ")
}

// twiceSQL finds the keys that stand more than once.
func (t *target) twiceSQL(stage, twice string) string {
	keys := strings.Join(t.keyNames(), ", ")
	return "CREATE TEMP TABLE " + quoteOwn(twice) + " AS\nSELECT " + keys + "\nFROM " + quoteOwn(stage) +
		"\nGROUP BY " + keys + "\nHAVING COUNT(*) > 1"
}

// newestSQL picks one row of each of these keys. The order goes on to the
// offset and the content, so that every run picks the same row; NULLs are first
// in Redshift's DESC unless told otherwise.
func (t *target) newestSQL(stage, twice, newest string) string {
	list := strings.Join(t.stageNames(), ", ")
	order := make([]string, 0, len(t.LatestBy)+5)
	for _, i := range t.LatestBy {
		order = append(order, t.columns[i]+" DESC NULLS LAST")
	}
	lane1, lane2 := t.text.SQL("", canon.Stage)
	order = append(order, quoteOwn(schema.TopicColumn), quoteOwn(schema.PartitionColumn),
		quoteOwn(schema.OffsetColumn)+" DESC NULLS LAST", lane1, lane2)
	return "CREATE TEMP TABLE " + quoteOwn(newest) + " AS\n" +
		"SELECT " + list + "\n" +
		"FROM (\n" +
		"SELECT " + list + ",\n" +
		"  ROW_NUMBER() OVER (\n" +
		"    PARTITION BY " + strings.Join(t.keyNames(), ", ") + "\n" +
		"    ORDER BY " + strings.Join(order, ",\n      ") + "\n" +
		"  ) AS _rank\n" +
		"FROM " + quoteOwn(stage) + " AS _row\n" +
		"WHERE EXISTS (SELECT 1 FROM " + quoteOwn(twice) + " AS _twice WHERE " + t.sameKey("_twice", "_row") + ")\n" +
		") AS _ranked\n" +
		"WHERE _rank = 1"
}

func (t *target) dropTwiceSQL(stage, twice string) string {
	return "DELETE FROM " + quoteOwn(stage) + "\nUSING " + quoteOwn(twice) +
		"\nWHERE " + t.sameKey(quoteOwn(stage), quoteOwn(twice))
}

func (t *target) putNewestSQL(stage, newest string) string {
	list := strings.Join(t.stageNames(), ", ")
	return "INSERT INTO " + quoteOwn(stage) + " (" + list + ")\nSELECT " + list + "\nFROM " + quoteOwn(newest)
}

// stageNames are the stage's columns, quoted, in their order.
func (t *target) stageNames() []string {
	columns := t.stageColumns()
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = quoteOwn(c.Name)
	}
	return names
}
