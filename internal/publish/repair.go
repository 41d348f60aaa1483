package publish

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/schema"
	"backfill/internal/tieout"
)

// maxRepairSQL bounds the rows that one INSERT of a repair spells out.
const maxRepairSQL = 100

// Mend is one key of a repair: what the table must hold of it, and what the
// report saw.
type Mend struct {
	Mark tieout.KeyMark
	Want []tieout.ArchiveRow // none: its rows go
	Seen []tieout.Seen       // rows of the table that the report names; others may stand beside them when they are as wanted
}

// Repair replaces the rows of some keys.
type Repair struct {
	Run            runplan.RunID // digest of the report and of what was asked for: the same command is the same repair
	Report, SHA256 string        // key of the report below the staging URI, and its digest
	Dataset        runplan.Dataset
	Window         kafka.Window // of the report; the zero Window is all rows
	Wide           kafka.Window // in which rows of the keys are looked for
	Keys           []Mend
	Flags          string
	Actor          Actor
}

// Repaired is what a repair did.
type Repaired struct {
	Already           bool // by an earlier try; figures are the ledger's
	Deleted, Inserted int64
}

// RepairKeys replaces the keys' rows in one transaction with its row in the
// ledger, and proves that the table then holds exactly what is wanted of each.
// It fails with fail.Stale when the table is no longer as the report saw it; then,
// and on any other error, nothing was changed.
func RepairKeys(ctx context.Context, s Session, t Target, cal *kafka.Calendar, r Repair) (out Repaired, err error) {
	c, err := keyed(t, 1)
	if err != nil {
		return out, err
	}
	if err := r.Actor.check(); err != nil {
		return out, err
	}
	if err := c.ensure(ctx, s, ownTable{c.Table + LedgerSuffix, c.createLedgerSQL()}); err != nil {
		return out, err
	}
	m := &mending{s: s, t: c, provenance: t.Provenance, mode: t.Mode, cal: cal, r: r}
	err = c.retried(ctx, s, func() error {
		out = Repaired{}
		return m.change(ctx, &out)
	})
	if err != nil {
		return out, fmt.Errorf("repairing %s: %w", c.name(), err)
	}
	return out, nil
}

type mending struct {
	s          Session
	t          *target
	provenance bool
	mode       string
	cal        *kafka.Calendar
	r          Repair
}

func (m *mending) change(ctx context.Context, out *Repaired) error {
	history, err := History(ctx, m.s, m.t.Target, kafka.Window{})
	if err != nil {
		return err
	}
	for _, row := range history {
		if row.Kind == KindRepair && row.Run == m.r.Run {
			*out = Repaired{Already: true, Deleted: row.RowsDeleted, Inserted: row.RowsInserted}
			return nil
		}
	}
	before, err := m.rows(ctx)
	if err != nil {
		return err
	}
	var keys []Mend
	for _, k := range m.r.Keys {
		if equalRows(k.Want, before[k.Mark]) {
			continue
		}
		if err := m.asSeen(k, before[k.Mark]); err != nil {
			return err
		}
		keys = append(keys, k)
	}
	var gone, come account.Cells = account.Cells{}, account.Cells{}
	for _, k := range keys {
		for _, row := range before[k.Mark] {
			out.Deleted++
			if err := m.count(gone, row.At, row.Values); err != nil {
				return err
			}
		}
		for _, row := range k.Want {
			out.Inserted++
			if err := m.count(come, row.At, row.Values); err != nil {
				return err
			}
		}
	}
	if err := m.replace(ctx, keys, *out); err != nil {
		return err
	}
	after, err := m.rows(ctx)
	if err != nil {
		return err
	}
	for _, k := range m.r.Keys {
		if !equalRows(k.Want, after[k.Mark]) {
			return fail.New(fail.Break, "the table differs from what was repaired; nothing was changed").At("%s", m.t.name())
		}
	}
	return m.record(ctx, *out, gone, come)
}

// rows are the keys' rows now, in and around the window.
func (m *mending) rows(ctx context.Context) (map[tieout.KeyMark][]tieout.TableRow, error) {
	found := map[tieout.KeyMark][]tieout.TableRow{}
	for part := range slices.Chunk(m.r.Keys, MaxKeys) {
		marks := make([]tieout.KeyMark, len(part))
		for i, k := range part {
			marks[i] = k.Mark
		}
		_, err := KeyRows(ctx, m.s, m.t.Target, m.cal, KeyFilter{Window: m.r.Wide, Keys: marks}, func(t tieout.TableRow) error {
			found[t.Mark] = append(found[t.Mark], t)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func equalRows(want []tieout.ArchiveRow, rows []tieout.TableRow) bool {
	left := slices.Clone(rows)
	for _, w := range want {
		i := slices.IndexFunc(left, func(t tieout.TableRow) bool { return t.Lane1 == w.Lane1 && t.Lane2 == w.Lane2 })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return len(left) == 0
}

// asSeen refuses a key of which the table holds other rows than the report saw.
func (m *mending) asSeen(k Mend, rows []tieout.TableRow) error {
	left := slices.Clone(rows)
	take := func(one, two int64) bool {
		i := slices.IndexFunc(left, func(t tieout.TableRow) bool { return t.Lane1 == one && t.Lane2 == two })
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
		return i >= 0
	}
	for _, s := range k.Seen {
		if !take(s.Lane1, s.Lane2) {
			return m.changed()
		}
	}
	for _, w := range k.Want {
		take(w.Lane1, w.Lane2)
	}
	if len(left) > 0 {
		return m.changed()
	}
	return nil
}

func (m *mending) changed() error {
	return fail.New(fail.Stale, "rows that the report names changed since; nothing was changed").At("%s", m.t.name()).Try("reconcile again, and repair from that report")
}

func (m *mending) count(cells account.Cells, at kafka.Instant, values []*string) error {
	place := account.Place{Partition: NoPartition, Day: kafka.NoDay}
	if m.t.windowed() {
		place.Day = m.cal.DayOf(at)
	}
	var group []byte
	for i, n := range m.t.By {
		if values[n] == nil {
			group = account.AppendGroup(group, nil, true, i == 0)
			continue
		}
		group = account.AppendGroup(group, []byte(*values[n]), false, i == 0)
	}
	place.Group = account.Group(group)
	cell := &account.Cell{Rows: 1, Sums: make([]account.Int128, len(m.t.Totals)), Counts: make([]int64, len(m.t.Totals))}
	for i, n := range m.t.Totals {
		if values[n] == nil {
			continue
		}
		sum, err := exact(values[n], decimals(m.t.Columns[n]))
		if err != nil {
			return err
		}
		cell.Sums[i], cell.Counts[i] = sum, 1
	}
	return cells.At(place, len(m.t.Totals)).Add(cell)
}

// replace deletes the keys' rows and inserts the wanted ones; both numbers must be
// as counted.
func (m *mending) replace(ctx context.Context, keys []Mend, want Repaired) error {
	key, err := canon.New(m.t.Columns, m.t.Key)
	if err != nil {
		return err
	}
	one, two := key.SQL("", canon.Table)
	var deleted, inserted int64
	for part := range slices.Chunk(keys, MaxKeys) {
		marks := make([]string, len(part))
		for i, k := range part {
			marks[i] = fmt.Sprintf("(%s = %d AND %s = %d)", "_key1", k.Mark.Lane1, "_key2", k.Mark.Lane2)
			marks[i] = strings.NewReplacer("_key1", one, "_key2", two).Replace(marks[i])
		}
		and := []string{"(" + strings.Join(marks, "\n   OR ") + ")"}
		if w := m.t.windowSQL(m.r.Wide); w != "" {
			and = append(and, w)
		}
		if m.t.Scope != "" {
			and = append(and, "("+m.t.Scope+")")
		}
		n, err := m.s.Exec(ctx, "DELETE FROM "+m.t.table+"\nWHERE "+strings.Join(and, "\n  AND "))
		if err != nil {
			return fmt.Errorf("deleting the rows that differ: %w", err)
		}
		deleted += n
	}
	var rows []tieout.ArchiveRow
	for _, k := range keys {
		rows = append(rows, k.Want...)
	}
	for part := range slices.Chunk(rows, maxRepairSQL) {
		sql, err := m.insertSQL(part)
		if err != nil {
			return err
		}
		n, err := m.s.Exec(ctx, sql)
		if err != nil {
			return fmt.Errorf("inserting the archive's rows: %w", err)
		}
		inserted += n
	}
	if deleted != want.Deleted || inserted != want.Inserted {
		return fail.New(fail.Break, "%d rows were deleted and %d inserted, %d and %d were to be; nothing was changed", deleted, inserted, want.Deleted, want.Inserted).At("%s", m.t.name())
	}
	return nil
}

func (m *mending) insertSQL(rows []tieout.ArchiveRow) (string, error) {
	names := slices.Clone(m.t.columns)
	if m.provenance {
		for _, name := range []string{schema.TopicColumn, schema.PartitionColumn, schema.OffsetColumn, schema.RunColumn} {
			names = append(names, quoteOwn(name))
		}
	}
	selects := make([]string, len(rows))
	for i, row := range rows {
		list := make([]string, 0, len(names))
		for n, col := range m.t.Columns {
			text, err := literal(col.Type, row.Values[n])
			if err != nil {
				return "", err
			}
			list = append(list, text)
		}
		if m.provenance {
			topic, err := redshift.QuoteLiteral(row.Position.Topic)
			if err != nil {
				return "", err
			}
			offset := "NULL::BIGINT"
			if row.Position.Offset != kafka.NoOffset {
				offset = fmt.Sprintf("%d::BIGINT", row.Position.Offset)
			}
			list = append(list, topic+"::VARCHAR(249)", fmt.Sprintf("%d::INTEGER", row.Position.Partition), offset, "'"+string(m.r.Run)+"'::VARCHAR(64)")
		}
		selects[i] = "SELECT " + strings.Join(list, ", ")
	}
	return "INSERT INTO " + m.t.table + " (" + strings.Join(names, ", ") + ")\n" + strings.Join(selects, "\nUNION ALL\n"), nil
}

// literal spells a value as KeyRows gives it.
func literal(t schema.Type, value *string) (string, error) {
	if t.Kind == schema.Super {
		if value == nil {
			return "NULL::SUPER", nil
		}
		text, err := redshift.QuoteLiteral(*value)
		return "JSON_PARSE(" + text + ")", err
	}
	if value == nil {
		return "NULL::" + strings.ToUpper(t.String()), nil
	}
	switch t.Kind {
	case schema.Timestamp, schema.Date:
		n, err := strconv.ParseInt(*value, 10, 64)
		if err != nil {
			return "", fail.Wrap(err, fail.Internal, "spelling a time")
		}
		if t.Kind == schema.Timestamp {
			return timestamp(kafka.Instant(n)), nil
		}
		return "DATE '" + kafka.Day(n).String() + "'", nil
	case schema.Boolean:
		return strconv.FormatBool(*value == "t"), nil
	}
	text, err := redshift.QuoteLiteral(*value)
	return text + "::" + strings.ToUpper(t.String()), err
}

// record writes the ledger row.
func (m *mending) record(ctx context.Context, done Repaired, gone, come account.Cells) error {
	by := m.r.Actor
	row := LedgerRow{
		Kind: KindRepair, Target: m.t.name(), Attempt: rand.Text(), Window: m.r.Window, DayFrom: kafka.NoDay, DayTo: kafka.NoDay, SliceIndex: -1,
		Run: m.r.Run, Dataset: m.r.Dataset.Name, DatasetDigest: m.r.Dataset.Digest, PlanKey: m.r.Report, PlanDigest: m.r.SHA256, Scope: m.t.scope(), Mode: m.mode,
		RowsDeleted: done.Deleted, RowsInserted: done.Inserted, TotalsDeleted: m.t.totalsJSON(gone), TotalsInserted: m.t.totalsJSON(come), TotalsVanished: noTotals,
		Flags: m.r.Flags, Reason: by.Reason, RequestedBy: by.RequestedBy, ApprovedBy: by.ApprovedBy, Airflow: by.Airflow, Image: by.Image, Version: by.Version,
		ReceiptKey: m.r.Report, ReceiptSHA256: m.r.SHA256,
	}
	if !m.r.Window.IsAll() {
		row.DayFrom, row.DayTo = m.cal.DayOf(m.r.Window.From), m.cal.DayOf(m.r.Window.To-1)+1
	}
	return m.t.writeLedger(ctx, m.s, row)
}
