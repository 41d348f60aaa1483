package publish

import (
	"context"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

// scattered reads rows of the table outside of a window, and gives a window
// around them; zero for none. source makes what stands behind FROM of a WHERE
// clause. The rows may be years away, so that they are read in portions, whose
// days fit a statement.
func (p *publisher) scattered(ctx context.Context, outside kafka.Window, source func(owned string) string, content bool) (account.Cells, kafka.Window, error) {
	cells := account.Cells{}
	rows, span, err := p.span(ctx, source(p.t.outsideSQL(outside)))
	if err != nil || rows == 0 {
		return cells, kafka.Window{}, err
	}
	for _, side := range []kafka.Window{
		{From: span.From, To: min(span.To, outside.From)}, {From: max(span.From, outside.To), To: span.To},
	} {
		if err := p.portions(ctx, cells, side, source, content); err != nil {
			return nil, span, err
		}
	}
	if n := sumRows(cells); n != rows {
		return nil, span, fail.New(fail.Break, "%d rows stand on other days, %d were read; nothing was changed", rows, n).At("%s", p.t.name())
	}
	return cells, span, nil
}

// portions reads the rows of one side, from row to row that begins a portion.
func (p *publisher) portions(ctx context.Context, cells account.Cells, side kafka.Window, source func(string) string, content bool) error {
	const most = (maxDays - 1) * 24 * 60 * 60 * 1_000_000
	for range maxPortions {
		if side.From >= side.To {
			return nil
		}
		rows, span, err := p.span(ctx, source(p.t.ownedSQL(side)))
		if err != nil || rows == 0 {
			return err
		}
		w := kafka.Window{From: span.From, To: min(span.To, span.From+most)}
		day, err := p.t.daySQL(w, p.l.Calendar)
		if err != nil {
			return err
		}
		q := cellQuery{from: source(p.t.ownedSQL(w)), form: canon.Table, day: day, located: content && p.t.Provenance, content: content}
		part, err := p.t.readCells(ctx, p.s, q, p.t.cellsSQL(q))
		if err != nil {
			return err
		}
		if err := cells.Merge(part); err != nil {
			return fail.Wrap(err, fail.Internal, "adding rows of other days")
		}
		side.From = w.To
	}
	return fail.New(fail.Memory, "the other versions of the slice's keys are scattered over more than %d years", maxPortions).At("%s", p.t.name()).
		Try("load fewer days at a time with --slice-days")
}

// span counts rows and gives a window around their event times.
func (p *publisher) span(ctx context.Context, source string) (rows int64, w kafka.Window, err error) {
	var first, last *int64
	rows = -1
	err = p.s.Query(ctx, p.t.spanSQL(source), func(r redshift.Scanner) error { return r.Scan(&rows, &first, &last) })
	switch {
	case err != nil:
		return 0, w, err
	case rows == 0:
		return 0, w, nil
	case first == nil || last == nil:
		return 0, w, fail.New(fail.Internal, "%d rows have no event time", rows).At("%s", p.t.name())
	}
	return rows, kafka.Window{From: kafka.Instant(*first), To: kafka.Instant(*last) + 1}, nil
}
