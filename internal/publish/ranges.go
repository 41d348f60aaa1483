package publish

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

// offsets are ranges of offsets by partition.
type offsets map[kafka.TopicPartition][]account.Range

// maxRepeated bounds the ranges that one load may find loaded before.
const maxRepeated = 100_000

// intersect returns the offsets that both hold; it merges both.
func (o offsets) intersect(other offsets) (offsets, int) {
	out, n := offsets{}, 0
	for tp := range o {
		a, b := account.MergeRanges(o[tp]), account.MergeRanges(other[tp])
		for len(a) > 0 && len(b) > 0 {
			if both := (account.Range{From: max(a[0].From, b[0].From), To: min(a[0].To, b[0].To)}); both.From < both.To {
				out[tp] = append(out[tp], both)
				n++
			}
			if a[0].To < b[0].To {
				a = a[1:]
			} else {
				b = b[1:]
			}
		}
	}
	return out, n
}

// repeated finds the staged rows whose offsets an earlier load has accounted
// for, under whatever name their object had: they are not loaded again. It says
// which rows are new.
func (p *publisher) repeated(ctx context.Context, c *change, loaded offsets) (source string, err error) {
	stage := quoteOwn(stageName(p.l.Head.Seq))
	c.inserted = c.source
	own := offsets{}
	for _, o := range p.l.Objects {
		own[o.Partition] = append(own[o.Partition], o.Ranges...)
	}
	both, n := own.intersect(loaded)
	switch {
	case n == 0:
		return stage, nil
	case n > maxRepeated:
		return "", fail.New(fail.Memory, "more than %d ranges of offsets were loaded before", maxRepeated).At("%s", p.t.name())
	}
	known := knownName(p.l.Head.Seq)
	if err := p.createTemp(ctx, known, createKnownSQL(known)); err != nil {
		return "", fmt.Errorf("creating the table of known offsets: %w", err)
	}
	if err := p.fillKnown(ctx, known, both); err != nil {
		return "", err
	}
	source = unknownSource(stage, known)
	q := cellQuery{from: source, form: canon.Inserted, located: p.t.Provenance, content: true}
	sql := p.t.cellsSQL(q)
	c.queries = append(c.queries, sql)
	if c.inserted, err = p.t.readCells(ctx, p.s, q, sql); err != nil {
		return "", fmt.Errorf("reading the rows of new offsets: %w", err)
	}
	if c.repeated = sumRows(c.source) - sumRows(c.inserted); c.repeated < 0 {
		return "", fail.New(fail.Break, "%d rows have new offsets, of %d staged ones; nothing was changed", sumRows(c.inserted), sumRows(c.source)).At("%s", p.t.name())
	}
	return source, nil
}

func (p *publisher) fillKnown(ctx context.Context, known string, ranges offsets) error {
	var args []any
	flush := func() error {
		rows, err := p.s.Exec(ctx, insertKnownSQL(known, len(args)/4), args...)
		if err != nil {
			return fmt.Errorf("writing the known offsets: %w", err)
		}
		if want := int64(len(args) / 4); rows != want {
			return fail.New(fail.Internal, "writing %d known ranges changed %d rows", want, rows)
		}
		args = args[:0]
		return nil
	}
	for tp, list := range ranges {
		for _, r := range list {
			args = append(args, tp.Topic, strconv.Itoa(int(tp.Partition)), strconv.FormatInt(int64(r.From), 10), strconv.FormatInt(int64(r.To-1), 10))
			if len(args) == 4*objectsPerInsert {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if len(args) == 0 {
		return nil
	}
	return flush()
}

// doubledKeys counts the keys of the load that now stand more than once.
func (p *publisher) doubledKeys(ctx context.Context, c *change) error {
	if len(p.t.Key) == 0 || c.insertedRows == 0 {
		return nil
	}
	err := p.s.Query(ctx, p.t.doubledSQL(stageName(p.l.Head.Seq)), func(r redshift.Scanner) error { return r.Scan(&c.doubled) })
	if err != nil {
		return fmt.Errorf("counting keys that stand more than once: %w", err)
	}
	return nil
}

// doubledOffsets counts the offsets of the load that now stand more than once:
// where nothing proved them, a record that was archived again in another object
// can't be told before.
func (p *publisher) doubledOffsets(ctx context.Context, c *change) error {
	if !p.t.Provenance || c.insertedRows == 0 {
		return nil
	}
	err := p.s.Query(ctx, p.t.doubledOffsetsSQL(stageName(p.l.Head.Seq)), func(r redshift.Scanner) error { return r.Scan(&c.doubledOffsets) })
	if err != nil {
		return fmt.Errorf("counting offsets that stand more than once: %w", err)
	}
	return nil
}

// knownName is the temp table of offset ranges that were loaded before.
func knownName(seq runplan.Seq) string { return fmt.Sprintf("_backfill_known_%d", seq) }

func createKnownSQL(known string) string {
	return "CREATE TEMP TABLE " + quoteOwn(known) + ` (
  _known_topic VARCHAR(249),
  _known_partition INTEGER,
  _first_offset BIGINT,
  _last_offset BIGINT
)`
}

// insertKnownSQL takes topic, partition, first and last offset of n ranges, as
// text.
func insertKnownSQL(known string, n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("($%d, $%d::INTEGER, $%d::BIGINT, $%d::BIGINT)", 4*i+1, 4*i+2, 4*i+3, 4*i+4)
	}
	return "INSERT INTO " + quoteOwn(known) + " (_known_topic, _known_partition, _first_offset, _last_offset)\nVALUES\n  " + strings.Join(rows, ",\n  ")
}

// unknownSource is the staged rows outside of the known ranges, which don't
// overlap, so that a row meets one at most. Rows without an offset are outside.
func unknownSource(stage, known string) string {
	return stage + " AS _new\nLEFT JOIN " + quoteOwn(known) + " AS _known\n" +
		"  ON _known._known_topic = _new." + quoteOwn(schema.TopicColumn) +
		" AND _known._known_partition = _new." + quoteOwn(schema.PartitionColumn) +
		" AND _new." + quoteOwn(schema.OffsetColumn) + " BETWEEN _known._first_offset AND _known._last_offset\n" +
		"WHERE _known._known_topic IS NULL"
}

// doubledOffsetsSQL counts offsets of the stage that the scope of the table
// holds more than once.
func (t *target) doubledOffsetsSQL(stage string) string {
	topic, partition, offset := quoteOwn(schema.TopicColumn), quoteOwn(schema.PartitionColumn), quoteOwn(schema.OffsetColumn)
	place := topic + ", " + partition + ", " + offset
	same := make([]string, 3)
	for i, name := range []string{topic, partition, offset} {
		same[i] = "_new." + name + " = _old." + name
	}
	return "SELECT COUNT(*)\nFROM (\nSELECT " + place + "\nFROM (\nSELECT " + place + "\nFROM " + t.table + t.ownedSQL(kafka.Window{}) + "\n) AS _old\n" +
		"WHERE EXISTS (SELECT 1 FROM " + quoteOwn(stage) + " AS _new WHERE " + strings.Join(same, " AND ") + ")\n" +
		"GROUP BY " + place + "\nHAVING COUNT(*) > 1\n) AS _again"
}

// doubledSQL counts keys of the stage that the scope of the table holds more
// than once.
func (t *target) doubledSQL(stage string) string {
	keys := strings.Join(t.keyNames(), ", ")
	return "SELECT COUNT(*)\nFROM (\nSELECT " + keys + "\nFROM (\nSELECT " + keys + "\nFROM " + t.table + t.ownedSQL(kafka.Window{}) + "\n) AS _old\n" +
		"WHERE EXISTS (SELECT 1 FROM " + quoteOwn(stage) + " AS _new WHERE " + t.sameKey("_new", "_old") + ")\n" +
		"GROUP BY " + keys + "\nHAVING COUNT(*) > 1\n) AS _doubled"
}
