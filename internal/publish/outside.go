package publish

import (
	"context"
	"fmt"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

// outside is what a replacement must know of the table outside of its window:
// keys whose event time was corrected over the window's border stand there.
type outside struct {
	met    string // temp table; "": nothing was asked
	rows   int64  // staged rows whose key stands there
	change int64  // last change of the table that it has seen
	try    int
}

// meetOutside looks for all staged keys outside of the plan's window, before
// any lock is taken: it may read the whole table.
func (p *publisher) meetOutside(ctx context.Context) error {
	if p.t.Mode != ReplaceWindow || len(p.t.Key) == 0 || p.l.Rows == 0 {
		return nil
	}
	last, err := p.lastChange(ctx)
	if err != nil {
		return err
	}
	out := outside{met: outsideName(p.l.Head.Seq, p.out.try+1), change: last, try: p.out.try + 1}
	sql := p.t.metSQL(stageName(p.l.Head.Seq), out.met, kafka.Window{}, p.t.outsideSQL(p.l.Head.Window))
	if err := p.createTemp(ctx, out.met, sql); err != nil {
		return fmt.Errorf("looking for the staged keys outside of the window: %w", err)
	}
	err = p.s.Query(ctx, "SELECT COUNT(*)\nFROM "+quoteOwn(out.met), func(r redshift.Scanner) error { return r.Scan(&out.rows) })
	if err != nil {
		return fmt.Errorf("looking for the staged keys outside of the window: %w", err)
	}
	p.out = out
	return nil
}

// freshOutside looks again, under the lock, when another plan changed the table
// since.
func (p *publisher) freshOutside(ctx context.Context) error {
	if p.out.met == "" {
		return nil
	}
	last, err := p.lastChange(ctx)
	if err != nil || last == p.out.change {
		return err
	}
	return p.meetOutside(ctx)
}

func (p *publisher) lastChange(ctx context.Context) (last int64, err error) {
	err = p.s.Query(ctx, p.t.lastChangeSQL(), func(r redshift.Scanner) error { return r.Scan(&last) })
	if err != nil {
		return 0, fmt.Errorf("reading the number of the last change: %w", err)
	}
	return last, nil
}

// judgeOutside decides what becomes of the slice's rows whose key stands
// outside of the window. A newer version there supersedes the row. An older one
// may not be touched: it is named, until its day is loaded again. So is one of
// which nothing says whether it is older.
func (p *publisher) judgeOutside(ctx context.Context, c *change) error {
	c.inserted = c.source
	if p.out.rows == 0 {
		return nil
	}
	c.met = p.out.met
	counts, err := p.metCounts(ctx, c)
	if err != nil {
		return err
	}
	if c.outdated, err = p.metCells(ctx, c, metNewer, counts[metNewer]); err != nil {
		return err
	}
	if err := p.newRows(ctx, c, metNewer); err != nil {
		return err
	}
	for _, class := range []struct {
		outcome int
		cells   *account.Cells
	}{{metOlder, &c.stale}, {metDiffers, &c.twins}} {
		if counts[class.outcome] == 0 {
			continue
		}
		source := func(owned string) string { return p.t.oldSource(c.met, owned, c.slice.Window, class.outcome) }
		var span kafka.Window
		if *class.cells, span, err = p.scattered(ctx, p.l.Head.Window, source, false); err != nil {
			return fmt.Errorf("reading the versions outside of the window: %w", err)
		}
		if c.staleSpan.IsAll() {
			c.staleSpan = span
		} else if !span.IsAll() {
			c.staleSpan = kafka.Window{From: min(c.staleSpan.From, span.From), To: max(c.staleSpan.To, span.To)}
		}
	}
	return nil
}
