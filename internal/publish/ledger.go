package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
)

// LedgerRow is one committed slice, see ledgerColumns for the meaning.
type LedgerRow struct {
	Seq            runplan.Seq   `json:"seq"`
	SliceIndex     int           `json:"slice_index"`
	Attempt        string        `json:"attempt"`
	Window         kafka.Window  `json:"window"`   // zero: all rows
	DayFrom        kafka.Day     `json:"day_from"` // NoDay: all rows
	DayTo          kafka.Day     `json:"day_to"`
	Run            runplan.RunID `json:"run_id"`
	Dataset        string        `json:"dataset"`
	DatasetDigest  string        `json:"dataset_digest"`
	PlanKey        string        `json:"plan_key"`
	PlanDigest     string        `json:"plan_digest"`
	Scope          string        `json:"scope"` // "all" or a predicate
	Mode           string        `json:"mode"`
	RowsStage      int64         `json:"rows_stage"`
	RowsSuperseded int64         `json:"rows_superseded"`
	RowsVanished   int64         `json:"rows_vanished"`
	RowsDeleted    int64         `json:"rows_deleted"`
	RowsInserted   int64         `json:"rows_inserted"`
	TotalsDeleted  string        `json:"totals_deleted"` // JSON
	TotalsInserted string        `json:"totals_inserted"`
	Flags          string        `json:"flags"`
	Reason         string        `json:"reason"`
	RequestedBy    string        `json:"requested_by"`
	Image          string        `json:"image"`
	ReceiptKey     string        `json:"receipt_key"`
	ReceiptSHA256  string        `json:"receipt_sha256"`
	Committed      kafka.Instant `json:"committed_at"`
}

// Ledger returns the committed slices that overlap the window and the target's
// scope, newest plan first, at most 200,000; none when nothing was ever
// published to the table.
func Ledger(ctx context.Context, s Session, t Target, w kafka.Window) ([]LedgerRow, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	if exists, err := tableExists(ctx, s, t.Schema, t.Table+LedgerSuffix); err != nil || !exists {
		return nil, err
	}
	all, err := readLedger(ctx, s, c.selectLedgerSQL(overlapSQL(w)))
	if err != nil {
		return nil, err
	}
	var rows []LedgerRow
	for _, row := range all {
		if scopesOverlap(row.Scope, c.scope()) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func tableExists(ctx context.Context, s Session, schemaName, table string) (bool, error) {
	_, err := s.Columns(ctx, schemaName, table)
	if fail.Is(err, fail.TableMissing) {
		return false, nil
	}
	return err == nil, err
}

func readLedger(ctx context.Context, s Session, sql string) ([]LedgerRow, error) {
	var rows []LedgerRow
	err := s.Query(ctx, sql, func(sc redshift.Scanner) error {
		if len(rows) == maxLedgerRows {
			return fail.New(fail.Memory, "more than %d rows", maxLedgerRows).Try("ask for a shorter window")
		}
		row, err := scanLedger(sc)
		rows = append(rows, row)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return rows, nil
}

func scanLedger(sc redshift.Scanner) (LedgerRow, error) {
	var r LedgerRow
	var seq, index, committed int64
	var from, to, dayFrom, dayTo *int64
	var run string
	err := sc.Scan(&seq, &index, &r.Attempt, &from, &to, &dayFrom, &dayTo, &run, &r.Dataset, &r.DatasetDigest,
		&r.PlanKey, &r.PlanDigest, &r.Scope, &r.Mode,
		&r.RowsStage, &r.RowsSuperseded, &r.RowsVanished, &r.RowsDeleted, &r.RowsInserted,
		&r.TotalsDeleted, &r.TotalsInserted, &r.Flags, &r.Reason, &r.RequestedBy, &r.Image,
		&r.ReceiptKey, &r.ReceiptSHA256, &committed)
	if err != nil {
		return r, fail.Wrap(err, fail.Internal, "reading a row")
	}
	r.Seq, r.SliceIndex, r.Run, r.Committed = runplan.Seq(seq), int(index), runplan.RunID(run), kafka.Instant(committed)
	r.DayFrom, r.DayTo = kafka.NoDay, kafka.NoDay
	if from != nil && to != nil {
		r.Window = kafka.Window{From: kafka.Instant(*from), To: kafka.Instant(*to)}
	}
	if dayFrom != nil && dayTo != nil {
		r.DayFrom, r.DayTo = kafka.Day(*dayFrom), kafka.Day(*dayTo)
	}
	return r, nil
}

// ensureTables creates the ledger and, for appends, the table of objects. The
// catalog is asked first: a login without CREATE can work with existing tables.
func (p *publisher) ensureTables(ctx context.Context) error {
	tables := []struct{ name, create string }{{p.t.Table + LedgerSuffix, p.t.createLedgerSQL()}}
	if p.t.Mode == Append {
		tables = append(tables, struct{ name, create string }{p.t.Table + ObjectsSuffix, p.t.createObjectsSQL()})
	}
	for _, table := range tables {
		exists, err := tableExists(ctx, p.s, p.t.Schema, table.name)
		if err != nil {
			return fmt.Errorf("looking for %s: %w", table.name, err)
		}
		if exists {
			continue
		}
		if _, err := p.s.Exec(ctx, table.create); err != nil {
			// Another session may have created it in the same moment.
			if exists, again := tableExists(ctx, p.s, p.t.Schema, table.name); again != nil || !exists {
				return fmt.Errorf("creating %s: %w", table.name, err)
			}
		}
	}
	return nil
}

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
	for i, slice := range p.l.Head.Slices {
		if _, done := p.done[i]; done {
			continue
		}
		if err := p.checkNewer(rows, slice); err != nil {
			return err
		}
	}
	return nil
}

// checkOwn refuses a ledger row that has this plan's number but is another's:
// its slices would be taken for done.
func (p *publisher) checkOwn(row LedgerRow) error {
	h := p.l.Head
	if row.Attempt == h.Attempt && row.Run == h.Run && row.SliceIndex >= 0 && row.SliceIndex < len(h.Slices) {
		return nil
	}
	return fail.New(fail.Corrupt, "the ledger has plan %d of run %s under this plan's number", row.Seq, row.Run).
		At("%s", p.t.name()).
		Try("was staging emptied? restore it, or seal a new plan until its number is above the ledger's")
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

// ledgerArgs are the parameters of insertLedgerSQL, as text; nil is NULL.
func (p *publisher) ledgerArgs(c *change, key, sum string) []any {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	var from, to, dayFrom, dayTo any
	if !c.slice.Window.IsAll() {
		from, to = stamp(c.slice.Window.From), stamp(c.slice.Window.To)
		dayFrom, dayTo = c.slice.DayFrom.String(), c.slice.DayTo.String()
	}
	flags := ""
	if p.l.AllowVanish > 0 {
		flags = "allow_vanish=" + number(p.l.AllowVanish)
	}
	h := p.l.Head
	return []any{
		number(int64(h.Seq)), number(int64(c.index)), h.Attempt, from, to, dayFrom, dayTo,
		string(h.Run), h.Dataset.Name, h.Dataset.Digest, p.l.PlanKey, p.digest, p.t.scope(), p.t.Mode,
		number(c.staged), number(c.superseded()), number(c.vanished), number(c.deletedRows), number(c.insertedRows),
		p.t.totalsJSON(c.deleted), p.t.totalsJSON(c.inserted), flags, p.l.Reason, p.l.RequestedBy, p.l.Image, key, sum,
	}
}

func stamp(i kafka.Instant) string { return i.Time().Format("2006-01-02 15:04:05.000000") }

// planDigest is the SHA-256 of the plan's JSON.
func planDigest(h *runplan.Head) (string, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return "", fail.Wrap(err, fail.Internal, "hashing the plan")
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
