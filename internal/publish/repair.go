package publish

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
	"backfill/internal/tieout"
)

// maxRepairSQL bounds the rows that one INSERT of a repair spells out.
const maxRepairSQL = 100

// Mend is one key of a repair. Afterwards the table holds of the key, in the
// window, exactly Want and Keep.
type Mend struct {
	Mark tieout.KeyMark
	Want []tieout.ArchiveRow // that the table must hold, whether it does or not
	Drop []tieout.Seen       // rows of the table that go, each as often as it is named
	Keep []tieout.Seen       // rows of the table that stay although nothing wants them
}

// Repair replaces the rows of some keys.
type Repair struct {
	Run            runplan.RunID // digest of the report and of what was asked for: the same command is the same repair
	Report, SHA256 string        // key of the report below the staging URI, and its digest
	Dataset        runplan.Dataset
	Window         kafka.Window // of the report; the zero Window is all rows
	Wide           kafka.Window // in which rows of the keys are looked for; out of Window only dropped ones count
	Keys           []Mend
	Flags          string
	Actor          Actor
}

// Repaired is what a repair did.
type Repaired struct {
	Already           bool // by an earlier try; figures are the ledger's
	Deleted, Inserted int64
}

// RepairKeys mends the keys in one transaction with its row in the ledger, and
// proves that the table then holds exactly what is wanted of each. A row that is
// right is not touched, unless exact copies of it go: nothing tells them apart, so
// that all go and the wanted one comes back. It fails with fail.Stale when the table is no longer as the report saw it; then,
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
	var work changes
	for _, k := range m.r.Keys {
		if err := m.plan(&work, k, before[k.Mark]); err != nil {
			return err
		}
	}
	out.Deleted, out.Inserted = int64(len(work.gone)), int64(len(work.come))
	if err := m.replace(ctx, work); err != nil {
		return err
	}
	after, err := m.rows(ctx)
	if err != nil {
		return err
	}
	for _, k := range m.r.Keys {
		if !m.right(k, after[k.Mark]) {
			return fail.New(fail.Break, "the table differs from what was repaired; nothing was changed").At("%s", m.t.name())
		}
	}
	gone, come := account.Cells{}, account.Cells{}
	for _, row := range work.gone {
		if err := m.count(gone, row.At, row.Values); err != nil {
			return err
		}
	}
	for _, row := range work.come {
		if err := m.count(come, row.At, row.Values); err != nil {
			return err
		}
	}
	return m.record(ctx, *out, gone, come)
}

// changes are rows to delete and to insert.
type changes struct {
	gone []tieout.TableRow
	come []tieout.ArchiveRow
}

// take removes the first row that fits and returns it.
func take(rows *[]tieout.TableRow, fits func(tieout.TableRow) bool) (row tieout.TableRow, found bool) {
	i := slices.IndexFunc(*rows, fits)
	if i < 0 {
		return row, false
	}
	row = (*rows)[i]
	*rows = slices.Delete(*rows, i, i+1)
	return row, true
}

func isSeen(s tieout.Seen) func(tieout.TableRow) bool {
	return func(t tieout.TableRow) bool { return t.Lane1 == s.Lane1 && t.Lane2 == s.Lane2 }
}

// isWanted compares values, as the comparison did: JSON may be spelled otherwise.
func (m *mending) isWanted(a tieout.ArchiveRow) func(tieout.TableRow) bool {
	return func(t tieout.TableRow) bool {
		return t.Lane1 == a.Lane1 && t.Lane2 == a.Lane2 || len(tieout.Changes(m.t.Columns, a.Values, t.Values)) == 0
	}
}

// right reports whether the key's rows are as they must be afterwards.
func (m *mending) right(k Mend, rows []tieout.TableRow) bool {
	left := slices.Clone(rows)
	for _, s := range k.Keep {
		if _, there := take(&left, isSeen(s)); !there {
			return false
		}
	}
	for _, a := range k.Want {
		if _, there := take(&left, m.isWanted(a)); !there {
			return false
		}
	}
	dropped := func(t tieout.TableRow) bool {
		return slices.ContainsFunc(k.Drop, func(s tieout.Seen) bool { return isSeen(s)(t) })
	}
	return !slices.ContainsFunc(left, func(t tieout.TableRow) bool { return m.inside(t) || dropped(t) })
}

func (m *mending) inside(t tieout.TableRow) bool {
	return m.r.Window.IsAll() || m.r.Window.Contains(t.At)
}

// plan says what becomes of a key's rows. It refuses a key of which the table
// holds other rows than the report saw; rows out of the window that the report
// does not name are not looked at.
func (m *mending) plan(work *changes, k Mend, rows []tieout.TableRow) error {
	if m.right(k, rows) {
		return nil
	}
	left := slices.Clone(rows)
	var gone []tieout.TableRow
	for _, s := range k.Drop {
		row, there := take(&left, isSeen(s))
		if !there {
			return m.changed()
		}
		gone = append(gone, row)
	}
	copied := func(t tieout.TableRow) bool {
		return slices.ContainsFunc(gone, func(g tieout.TableRow) bool { return g.Lane1 == t.Lane1 && g.Lane2 == t.Lane2 })
	}
	for _, s := range k.Keep {
		if row, there := take(&left, isSeen(s)); !there || copied(row) {
			return m.changed()
		}
	}
	for _, a := range k.Want {
		row, there := take(&left, m.isWanted(a))
		switch {
		case !there:
			work.come = append(work.come, a)
		case copied(row): // the statement that takes the copy takes this one, too
			gone, work.come = append(gone, row), append(work.come, a)
		}
	}
	if slices.ContainsFunc(left, func(t tieout.TableRow) bool { return m.inside(t) || copied(t) }) {
		return m.changed()
	}
	work.gone = append(work.gone, gone...)
	return nil
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

// replace deletes and inserts; both numbers must be as counted. A row is found by
// the fingerprints of its key and of all its values.
func (m *mending) replace(ctx context.Context, work changes) error {
	key, err := canon.New(m.t.Columns, m.t.Key)
	if err != nil {
		return err
	}
	var deleted, inserted int64
	for part := range slices.Chunk(distinct(work.gone), MaxKeys) {
		n, err := m.s.Exec(ctx, m.deleteSQL(key, part))
		if err != nil {
			return fmt.Errorf("deleting the rows that differ: %w", err)
		}
		deleted += n
	}
	for part := range slices.Chunk(work.come, maxRepairSQL) {
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
	if gone, come := int64(len(work.gone)), int64(len(work.come)); deleted != gone || inserted != come {
		return fail.New(fail.Break, "%d rows were deleted and %d inserted, %d and %d were to be; nothing was changed", deleted, inserted, gone, come).At("%s", m.t.name())
	}
	return nil
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
