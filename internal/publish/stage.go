package publish

import (
	"context"
	"fmt"
	"slices"
	"time"

	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// checkLoad refuses a load that contradicts itself. Slices must cover the
// window: a day between two slices would never be loaded.
func checkLoad(t *target, l Load) error {
	wrong := func(format string, args ...any) error {
		return fail.New(fail.Internal, "publishing a plan: "+format, args...).At("%s", t.name())
	}
	switch {
	case l.Head == nil || l.Evidence == nil:
		return wrong("no plan or no place for receipts")
	case l.Head.Target != t.name():
		return wrong("the plan is for %s", l.Head.Target)
	case l.Rows > 0 && l.ManifestURI == "":
		return wrong("%d rows and no manifest", l.Rows)
	case sumRows(l.Expected) != l.Rows:
		return wrong("the receipts' cells have %d rows, the manifest %d", sumRows(l.Expected), l.Rows)
	case t.Mode == Append && l.Rows > 0 && len(l.Objects) == 0:
		return wrong("an append without objects could be loaded twice")
	case l.AllowVanish < 0:
		return fail.New(fail.Usage, "the number of rows that may vanish is negative: %d", l.AllowVanish)
	case len(t.Scope) > maxScope:
		return fail.New(fail.BadDataset, "the scope is longer than %d bytes", maxScope)
	}
	if err := l.Actor.check(); err != nil {
		return err
	}
	if err := checkOnly(t, l); err != nil {
		return err
	}
	if !t.windowed() {
		if len(l.Head.Slices) != 1 || !l.Head.Slices[0].Window.IsAll() {
			return wrong("a dataset without event time has one slice of all rows")
		}
		return nil
	}
	if l.Calendar == nil {
		return wrong("no calendar")
	}
	if err := checkDays(l.Head.Window); err != nil {
		return err
	}
	at := l.Head.Window.From
	for i, s := range l.Head.Slices {
		if s.Index != i || s.Window.From != at || s.Window.To <= at {
			return wrong("slice %d does not begin where the one before ends", i)
		}
		at = s.Window.To
	}
	if at != l.Head.Window.To {
		return wrong("the slices do not cover the window")
	}
	return nil
}

// checkOnly refuses days that the plan does not hold, and a choice of slices
// where all of them are one change.
func checkOnly(t *target, l Load) error {
	switch {
	case len(l.Only) == 0:
		return nil
	case !t.windowed():
		return fail.New(fail.Usage, "a dataset without event time has no days to choose").At("%s", t.name())
	case l.Atomic:
		return fail.New(fail.Usage, "an atomic load changes all slices at once: single days can't be chosen").At("%s", t.name())
	}
	for _, d := range l.Only {
		if !slices.ContainsFunc(l.Head.Slices, func(s runplan.Slice) bool { return d >= s.DayFrom && d < s.DayTo }) {
			return fail.New(fail.Usage, "no slice of plan %d holds %s", l.Head.Seq, d).At("%s", t.name())
		}
	}
	return nil
}

// fillStage loads all Parquet rows into the stage and proves that it holds
// what the receipts counted, place by place. Nothing is locked meanwhile.
func (p *publisher) fillStage(ctx context.Context) error {
	begin := time.Now()
	name := stageName(p.l.Head.Seq)
	if err := p.createTemp(ctx, name, p.t.createStageSQL(name)); err != nil {
		return fmt.Errorf("creating the stage: %w", err)
	}
	if p.l.ManifestURI != "" {
		rows, err := p.s.Copy(ctx, p.t.copyStatement(name, p.l))
		if err != nil {
			return fmt.Errorf("copying into the stage: %w", err)
		}
		if rows != p.l.Rows {
			return fail.New(fail.Break, "COPY loaded %d rows, the receipts have %d; nothing was changed", rows, p.l.Rows).
				At("%s", p.l.ManifestURI)
		}
	}
	p.observe(Event{Step: StepCopy, Rows: p.l.Rows, Took: time.Since(begin)})
	begin = time.Now()
	q, err := p.stageQuery(name, canon.Stage, true)
	if err != nil {
		return err
	}
	p.texts.stage = p.t.cellsSQL(q)
	if p.stage, err = p.t.readCells(ctx, p.s, q, p.texts.stage); err != nil {
		return fmt.Errorf("checking the stage: %w", err)
	}
	if list := p.t.compare(p.l.Expected, p.stage); len(list) > 0 {
		return p.t.breakError("the stage differs from the receipts", legs{want: "the receipts", got: "the stage"}, list)
	}
	p.observe(Event{Step: StepStage, Rows: p.l.Rows, Took: time.Since(begin)})
	return nil
}

// stageQuery reads a temp table of this publish over the plan's whole window.
func (p *publisher) stageQuery(name string, form canon.Form, located bool) (cellQuery, error) {
	q := cellQuery{from: quoteOwn(name), form: form, located: located, content: true}
	if p.t.windowed() {
		day, err := p.t.daySQL(p.l.Head.Window, p.l.Calendar)
		if err != nil {
			return q, err
		}
		q.day = day
	}
	return q, nil
}

func (p *publisher) createTemp(ctx context.Context, name, sql string) error {
	_, err := p.s.Exec(ctx, sql)
	if err == nil {
		p.temp = append(p.temp, quoteOwn(name))
	}
	return err
}

// windowsLeft returns the event time of the slices that are not done.
func (p *publisher) windowsLeft() []kafka.Window {
	var windows []kafka.Window
	for i, s := range p.l.Head.Slices {
		if _, done := p.done[i]; done || !p.wanted(i) {
			continue
		}
		if n := len(windows); n > 0 && windows[n-1].To == s.Window.From {
			windows[n-1].To = s.Window.To
			continue
		}
		windows = append(windows, s.Window)
	}
	return windows
}
