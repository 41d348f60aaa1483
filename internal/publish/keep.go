package publish

import (
	"context"
	"fmt"
	"slices"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

// Words of the ledger's flags.
const (
	FlagKeep        = "keep_replaced" // the load put the replaced rows aside
	FlagAtomic      = "atomic"        // all slices are one transaction
	FlagPreliminary = "preliminary"   // it came before the window was settled
)

// keeper puts rows aside in a table of the plan's own beside the target, with
// every column that the target has, and puts them back.
type keeper struct {
	t     *target
	whole *target // the target with all columns that can be fingerprinted, those that are not loaded included
	name  string  // of the table of kept rows
	table string  // quoted, with the schema
	live  []redshift.LiveColumn
	names []string // quoted, of live
}

// keptName is the table of the rows that a plan replaced.
func keptName(table string, seq runplan.Seq) string {
	return fmt.Sprintf("%s__backfill_replaced_%d", table, seq)
}

func newKeeper(ctx context.Context, s Session, t *target, seq runplan.Seq) (*keeper, error) {
	k := &keeper{t: t, name: keptName(t.Table, seq)}
	var err error
	if k.table, err = redshift.QuoteTable(t.Schema, k.name); err != nil {
		return nil, err
	}
	if k.live, err = s.Columns(ctx, t.Schema, t.Table); err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", t.name(), err)
	}
	for _, c := range k.live {
		name, err := redshift.QuoteIdent(c.Name)
		if err != nil {
			return nil, err
		}
		k.names = append(k.names, name)
	}
	k.whole, err = compile(wholeTarget(t.Target, k.live))
	return k, err
}

// wholeTarget is the target with the live table's further columns behind its
// own. Types that no exact comparison is known for are left out: their values
// are copied, not proven.
func wholeTarget(t Target, live []redshift.LiveColumn) Target {
	own := map[string]bool{}
	for _, c := range t.Columns {
		own[c.Name] = true
	}
	t.Columns = slices.Clone(t.Columns)
	for _, c := range live {
		if !own[c.Name] && c.Type.Kind != 0 {
			t.Columns = append(t.Columns, schema.Column{Name: c.Name, Type: c.Type})
		}
	}
	t.Buckets = 1
	return t
}

// as is the keeper for rows that were changed in that mode: a preliminary load
// is none of the target's own.
func (k *keeper) as(mode string) *keeper {
	t, same := *k.t, *k
	t.Mode = mode
	same.t = &t
	return &same
}

// create makes the table of kept rows; one that is there is used on. Numbers
// that a table gives itself can't be put back, so that it is refused.
func (k *keeper) create(ctx context.Context, s Session) error {
	for _, c := range k.live {
		if c.Identity || c.Generated {
			return fail.New(fail.TableDiffers, "column %s numbers its rows itself: rows that are put back would get other numbers", c.Name).
				At("%s", k.t.name()).Try("load without --keep-replaced; undo is not possible for such a table")
		}
	}
	there, err := tableColumns(ctx, s, k.t.Schema, k.name)
	if err != nil {
		return fmt.Errorf("looking for %s: %w", k.name, err)
	}
	if there != nil {
		return k.sameColumns(there)
	}
	if err := k.createTable(ctx, s); err != nil {
		// Another session may have created it in the same moment.
		if there, again := tableColumns(ctx, s, k.t.Schema, k.name); again == nil && there != nil {
			return k.sameColumns(there)
		}
		return fmt.Errorf("creating %s: %w", k.name, err)
	}
	return nil
}

// createTable is one transaction: nobody sees the table without its last columns.
func (k *keeper) createTable(ctx context.Context, s Session) (err error) {
	defer func() {
		if err != nil && !fail.Is(err, fail.Lost) {
			rollback(ctx, s) // also after a BEGIN that was done and answered with an error
		}
	}()
	if err := s.Begin(ctx); err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	for _, sql := range k.createSQL() {
		if _, err := s.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return s.Commit(ctx)
}

// sameColumns refuses kept rows that lack a column of the table, or have one
// more: they would come back changed.
func (k *keeper) sameColumns(kept []redshift.LiveColumn) error {
	differ := fail.New(fail.TableDiffers, "the columns of the table and of the rows kept in %s.%s differ", k.t.Schema, k.name).At("%s", k.t.name()).
		Try("the table was altered since the rows were kept: undo the change of its columns first, or put the rows back by hand")
	if len(kept) != len(k.live)+2 {
		return differ
	}
	for i, c := range k.live {
		if kept[i].Name != c.Name || kept[i].Type != c.Type || kept[i].Spelled != c.Spelled {
			return differ
		}
	}
	return nil
}

// unchanged compares the columns under the lock with those of before.
func (k *keeper) unchanged(ctx context.Context, s Session) error {
	kept, err := tableColumns(ctx, s, k.t.Schema, k.name)
	if err != nil {
		return err
	}
	now, err := s.Columns(ctx, k.t.Schema, k.t.Table)
	if err != nil {
		return err
	}
	if !slices.Equal(now, k.live) {
		return fail.New(fail.TableDiffers, "the table's columns changed meanwhile").At("%s", k.t.name()).Try("run the command again")
	}
	return k.sameColumns(kept)
}

// putAside copies the rows behind FROM, which are about to be deleted.
func (k *keeper) putAside(ctx context.Context, s Session, slice int, from string) (*runplan.PutAside, error) {
	if err := k.unchanged(ctx, s); err != nil {
		return nil, err
	}
	out := &runplan.PutAside{Table: k.t.Schema + "." + k.name}
	var err error
	if out.Rows, err = s.Exec(ctx, k.copySQL(slice, sideReplaced, from)); err != nil {
		return nil, fmt.Errorf("putting rows aside: %w", err)
	}
	if out.Replaced, err = k.cells(ctx, s, k.keptSQL(slice, sideReplaced)); err != nil {
		return nil, err
	}
	if n := sumRows(out.Replaced); n != out.Rows {
		return nil, fail.New(fail.Break, "%d rows were put aside, %d are there; nothing was changed", out.Rows, n).At("%s", out.Table)
	}
	return out, nil
}

// cells reads rows with the fingerprints of all columns, by partition and group.
func (k *keeper) cells(ctx context.Context, s Session, from string) (account.Cells, error) {
	q := cellQuery{from: from, form: canon.Table, located: k.whole.Provenance, content: true}
	return k.whole.readCells(ctx, s, q, k.whole.cellsSQL(q))
}

// keepReplaced puts the rows aside that the slice is about to delete.
func (p *publisher) keepReplaced(ctx context.Context, c *change, from string) (err error) {
	if p.keeper == nil {
		return nil
	}
	c.aside, err = p.keeper.putAside(ctx, p.s, c.index, from)
	return err
}

// keepWritten remembers which rows the slice wrote and what they are: the
// whole window where the mode replaces it, else the rows that identity tells.
// source is what was inserted, as insertSQL takes it.
func (p *publisher) keepWritten(ctx context.Context, c *change, source string) (err error) {
	if p.keeper == nil {
		return nil
	}
	if c.aside == nil {
		c.aside = &runplan.PutAside{Table: p.t.Schema + "." + p.keeper.name, Replaced: account.Cells{}}
	}
	from := p.t.table + p.t.ownedSQL(c.slice.Window)
	if p.t.Mode != ReplaceWindow {
		rows, err := p.s.Exec(ctx, p.keeper.copySQL(c.index, sideWritten, p.keeper.insertedSQL(source, p.l.Head.Run)))
		if err != nil {
			return fmt.Errorf("remembering the written rows: %w", err)
		}
		if rows < c.insertedRows && p.t.Mode == Append {
			return fail.New(fail.NoUndo, "%d of the %d appended rows have no proven offset, and undo would find them by nothing else; nothing was changed",
				c.insertedRows-rows, c.insertedRows).At("%s", p.t.name()).
				Try("load without --keep-replaced, or give records.offset if the records carry their offsets")
		}
		if rows != c.insertedRows {
			return fail.New(fail.Break, "%d rows of the table look like the %d that were written: undo could not tell them apart; nothing was changed",
				rows, c.insertedRows).At("%s", p.t.name()).Try("load without --keep-replaced")
		}
		from = p.keeper.writtenSQL(c.index)
	}
	c.aside.Left, err = p.keeper.cells(ctx, p.s, from)
	return err
}

// openKeeper prepares --keep-replaced.
func (p *publisher) openKeeper(ctx context.Context) (err error) {
	if !p.l.Keep {
		return nil
	}
	if p.t.Mode == Append && !p.t.Provenance {
		return fail.New(fail.BadDataset, "--keep-replaced of an append needs table.provenance and proven offsets: nothing else tells appended rows from others").At("%s", p.t.name()).
			Try("set table.provenance, or load without --keep-replaced")
	}
	if p.keeper, err = newKeeper(ctx, p.s, p.t, p.l.Head.Seq); err != nil {
		return err
	}
	return p.keeper.create(ctx, p.s)
}

// Kept is a table of rows that a plan put aside.
type Kept struct {
	Seq   runplan.Seq   `json:"seq"`
	Table string        `json:"table"`
	Since kafka.Instant `json:"since"` // the plan's first commit
	Rows  int64         `json:"rows"`
}

// KeptRows returns what is kept for undo, newest plan first, as the ledger
// and the catalog say.
func KeptRows(ctx context.Context, s Session, t Target) ([]Kept, error) {
	history, err := History(ctx, s, t, kafka.Window{})
	if err != nil {
		return nil, err
	}
	bySeq := map[runplan.Seq]*Kept{}
	forgotten := map[runplan.Seq]bool{}
	var list []*Kept
	for _, row := range history {
		forgotten[row.Seq] = forgotten[row.Seq] || row.Kind == KindForget
		if row.Kind != KindLoad || !row.Has(FlagKeep) {
			continue
		}
		k := bySeq[row.Seq]
		if k == nil {
			k = &Kept{Seq: row.Seq, Table: t.Schema + "." + keptName(t.Table, row.Seq), Since: row.Committed}
			bySeq[row.Seq], list = k, append(list, k)
		}
		k.Since, k.Rows = min(k.Since, row.Committed), k.Rows+row.RowsPutAside
	}
	var out []Kept
	for _, k := range list {
		if forgotten[k.Seq] {
			continue
		}
		exists, err := tableExists(ctx, s, t.Schema, keptName(t.Table, k.Seq))
		if err != nil {
			return nil, err
		}
		if exists {
			out = append(out, *k)
		}
	}
	return out, nil
}
