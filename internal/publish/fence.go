package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
)

// readProgress learns which slices are done, and refuses early what the
// transaction would refuse after the COPY.
func (p *publisher) readProgress(ctx context.Context) error {
	rows, err := readLedger(ctx, p.s, p.t.progressSQL(int64(p.l.Head.Seq), p.l.Head.Window))
	if err != nil {
		return err
	}
	p.done = map[int]LedgerRow{}
	for _, row := range rows {
		if row.Seq != p.l.Head.Seq {
			continue
		}
		if err := p.checkOwn(row); err != nil {
			return err
		}
		p.done[row.SliceIndex] = row
		p.gone += row.RowsVanished
	}
	newer := Holding(rows)
	for i, slice := range p.l.Head.Slices {
		if _, done := p.done[i]; done || !p.wanted(i) {
			continue
		}
		if err := p.checkNewer(newer, slice); err != nil {
			return err
		}
	}
	return nil
}

// fence asks the ledger, under its lock: is the slice done, did a newer plan
// change it, did a person stop or undo the plan?
func (p *publisher) fence(ctx context.Context, c *change) (already bool, err error) {
	rows, err := readLedger(ctx, p.s, p.t.progressSQL(int64(p.l.Head.Seq), c.slice.Window))
	if err != nil {
		return false, err
	}
	for _, row := range rows {
		if row.Seq != p.l.Head.Seq {
			continue
		}
		if err := p.checkOwn(row); err != nil {
			return false, err
		}
		if row.SliceIndex == c.index {
			p.done[c.index] = row
			p.gone += row.RowsVanished
			return true, nil
		}
	}
	return false, p.checkNewer(Holding(rows), c.slice)
}

// stopped asks whether a person stopped the plan. What is committed stays, and a
// plan that is finished is not asked any more.
func (p *publisher) stopped(ctx context.Context) error {
	if p.l.Stopped == nil {
		return nil
	}
	return p.l.Stopped(ctx)
}

// checkOwn refuses a ledger row that has this plan's number but is another's:
// its slices would be taken for done. It refuses a plan that a person stopped,
// too: an automatic retry must not bring back what was taken back.
func (p *publisher) checkOwn(row LedgerRow) error {
	h := p.l.Head
	if row.Attempt != h.Attempt || row.Run != h.Run || row.SliceIndex < -1 || row.SliceIndex >= len(h.Slices) {
		return fail.New(fail.Corrupt, "the ledger has plan %d of run %s under this plan's number", row.Seq, row.Run).
			At("%s", p.t.name()).
			Try("was staging emptied? restore it, or seal a new plan until its number is above the ledger's")
	}
	if row.Kind == KindUndo || row.Kind == KindAbort {
		return stoppedError(row).At("%s", p.t.name())
	}
	return nil
}

// StoppedBy returns the fail.Stopped that says who aborted or undid the plan,
// nil when nobody did.
func StoppedBy(rows []LedgerRow, seq runplan.Seq) error {
	for _, row := range rows {
		if row.Seq == seq && (row.Kind == KindUndo || row.Kind == KindAbort) {
			return stoppedError(row)
		}
	}
	return nil
}

func stoppedError(row LedgerRow) *fail.Error {
	did := map[string]string{KindUndo: "undone", KindAbort: "aborted"}[row.Kind]
	text := fmt.Sprintf("plan %d was %s by %s", row.Seq, did, row.RequestedBy)
	if row.Committed != 0 {
		text += " at " + row.Committed.String()
	}
	if row.Reason != "" {
		text += ": " + row.Reason
	}
	return fail.New(fail.Stopped, "%s", text).Try("if the window is to be loaded again, seal a new plan with --replan")
}

// checkNewer is the fence between plans: a newer one that changed some of the
// slice's rows has the last word. Appends are fenced by objects.
func (p *publisher) checkNewer(rows []LedgerRow, slice runplan.Slice) error {
	for _, row := range rows {
		if row.Seq <= p.l.Head.Seq || (p.t.Mode == Append && row.Mode == Append) {
			continue
		}
		if row.Window.Overlaps(slice.Window) && scopesOverlap(row.Scope, p.t.scope()) {
			return fail.New(fail.Stale, "plan %d of run %s changed %s after plan %d was sealed",
				row.Seq, row.Run, slice, p.l.Head.Seq).
				At("%s", p.t.name()).Try("run the command again: it seals a plan of its own")
		}
	}
	return nil
}

// ledgerRow is the row of a slice's change; key and sum are its receipt's.
func (p *publisher) ledgerRow(c *change, key, sum string) LedgerRow {
	row := p.t.planRow(KindLoad, p.l.Head, p.l.PlanKey, p.digest, p.l.Actor)
	row.SliceIndex, row.Window, row.DayFrom, row.DayTo = c.index, c.slice.Window, c.slice.DayFrom, c.slice.DayTo
	row.RowsStage, row.RowsSuperseded, row.RowsVanished = c.staged, c.superseded(), c.vanished
	row.RowsOutdated, row.RowsAlready, row.RowsKept = sumRows(c.outdated), sumRows(c.already)+sumRows(c.differing)+c.repeated, c.kept()
	row.RowsDeleted, row.RowsInserted = c.deletedRows, c.insertedRows
	row.RowsTaken, row.Taken = sumRows(c.taken), c.takenSpan
	row.RowsStale, row.Stale = sumRows(c.stale)+sumRows(c.twins), c.staleSpan
	row.TotalsDeleted, row.TotalsInserted = p.t.totalsJSON(c.deleted), p.t.totalsJSON(c.inserted)
	row.TotalsVanished = p.t.totalsJSON(c.gone)
	if c.aside != nil {
		row.RowsPutAside = c.aside.Rows
	}
	row.Flags, row.Damaged, row.ReceiptKey, row.ReceiptSHA256 = p.flags(), p.l.Damaged, key, sum
	return row
}

// planRow fills what all rows of a plan share; the window is the plan's.
func (t *target) planRow(kind string, h *runplan.Head, planKey, digest string, by Actor) LedgerRow {
	return LedgerRow{
		Kind: kind, Target: t.name(), Seq: h.Seq, Attempt: h.Attempt, Window: h.Window, DayFrom: h.Slices[0].DayFrom, DayTo: h.Slices[len(h.Slices)-1].DayTo,
		Run: h.Run, Dataset: h.Dataset.Name, DatasetDigest: h.Dataset.Digest, PlanKey: planKey, PlanDigest: digest,
		Scope: t.scope(), Mode: t.Mode, TotalsDeleted: noTotals, TotalsInserted: noTotals, TotalsVanished: noTotals,
		Reason: by.Reason, RequestedBy: by.RequestedBy, Airflow: by.Airflow, Image: by.Image, Version: by.Version,
	}
}

// flags are what a person allowed or asked for, one word each.
func (p *publisher) flags() string {
	var words []string
	if p.l.AllowVanish > 0 {
		words = append(words, fmt.Sprintf("allow_vanish=%d", p.l.AllowVanish))
	}
	if p.l.Keep {
		words = append(words, FlagKeep)
	}
	return strings.Join(append(words, p.l.Flags...), " ")
}

// writeLedger numbers the row and inserts it into the ledger, inside the
// caller's transaction. What the row changed is no longer verified.
func (t *target) writeLedger(ctx context.Context, s Session, row LedgerRow) error {
	if row.Kind == KindLoad || row.Kind == KindUndo || row.Kind == KindRepair {
		changed := []kafka.Window{row.Window}
		if !row.Taken.IsAll() {
			changed = append(changed, row.Taken)
		}
		if !row.Stale.IsAll() {
			changed = append(changed, row.Stale)
		}
		if err := t.lowerMarks(ctx, s, row.what(), changed...); err != nil {
			return err
		}
	}
	err := s.Query(ctx, t.lastChangeSQL(), func(r redshift.Scanner) error { return r.Scan(&row.Change) })
	if err != nil {
		return fmt.Errorf("numbering the change: %w", err)
	}
	row.Change++
	var args []any
	for _, c := range ledgerColumns() {
		if c.text != nil {
			args = append(args, c.text(&row))
		}
	}
	rows, err := s.Exec(ctx, t.insertLedgerSQL(), args...)
	if err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	if rows != 1 {
		return fail.New(fail.Internal, "writing the ledger changed %d rows", rows)
	}
	return nil
}

// what names the change in a sentence.
func (r LedgerRow) what() string {
	if r.Kind == KindRepair {
		return "repair " + string(r.Run)
	}
	return fmt.Sprintf("%s of plan %d", r.Kind, r.Seq)
}

// planDigest is the SHA-256 of the plan's JSON.
func planDigest(h *runplan.Head) (string, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return "", fail.Wrap(err, fail.Internal, "hashing the plan")
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
