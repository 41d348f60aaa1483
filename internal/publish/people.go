package publish

import (
	"context"
	"fmt"
	"slices"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// People tells whose rows must not stand in the table. It is asked from one
// goroutine.
type People struct {
	Column int                    // of the target's columns: says whose row it is
	Has    func(text string) bool // whether a value of it, as the warehouse has it, is of somebody who was erased
}

// StandingOf reads the rows of the table in window ∧ scope that are of people who
// were erased, by group and person, and returns rows and money by group and the
// number of people. No value of theirs leaves this function.
func StandingOf(ctx context.Context, s Session, t Target, w kafka.Window, people People) (account.Cells, int, error) {
	c, err := compile(t)
	if err != nil {
		return nil, 0, err
	}
	cells, persons, known := account.Cells{}, 0, map[string]bool{}
	q := cellQuery{from: c.table + c.ownedSQL(w), form: canon.Table}
	err = c.eachPerson(ctx, s, q, people, func(place account.Place, person string, erased bool, cell *account.Cell) error {
		if !erased {
			return nil
		}
		if !known[person] {
			if len(known) == maxCells {
				return fail.New(fail.Memory, "rows of more than %d erased people stand in the table", maxCells).Try("take a shorter window")
			}
			known[person] = true
			persons++
		}
		return cells.At(place, len(c.Totals)).Add(cell)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("looking for rows of erased people in %s: %w", c.name(), err)
	}
	return cells, persons, nil
}

// byPerson is the target with one more column that splits its groups.
func (t *target) byPerson(column int) *target {
	by := *t
	by.By = append(slices.Clone(t.By), column)
	return &by
}

// eachPerson hands over the rows of a cell query by place and person.
func (t *target) eachPerson(ctx context.Context, s Session, q cellQuery, people People, take func(place account.Place, person string, erased bool, cell *account.Cell) error) error {
	by := t.byPerson(people.Column)
	return by.eachCell(ctx, s, q, by.cellsSQL(q), func(place account.Place, cell *account.Cell) error {
		values := place.Group.Values(len(by.By))
		var group []byte
		for i, v := range values[:len(t.By)] {
			if v == nil {
				group = account.AppendGroup(group, nil, true, i == 0)
				continue
			}
			group = account.AppendGroup(group, []byte(*v), false, i == 0)
		}
		place.Group = account.Group(group)
		if last := values[len(t.By)]; last != nil {
			return take(place, *last, people.Has(*last), cell)
		}
		return take(place, "", false, cell)
	})
}

// checkErased refuses when rows of people who were erased would come back.
func (u *undoing) checkErased(ctx context.Context) error {
	if u.o.Erased == nil {
		return nil
	}
	rows := int64(0)
	err := u.t.eachPerson(ctx, u.s, cellQuery{from: u.keeper.table, form: canon.Table}, *u.o.Erased, func(_ account.Place, _ string, erased bool, cell *account.Cell) error {
		if erased {
			rows += cell.Rows
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking for rows of erased people in %s: %w", u.keeper.name, err)
	}
	if rows == 0 {
		return nil
	}
	return u.refuse("%d of the kept rows are of people on the suppression list", rows).Try("load the window again from the archive, and drop the kept rows with `backfill load --forget %d --dataset F`", u.o.Head.Seq)
}

// guarded reads the rows that must not go unnoticed: those of people who were
// erased must go.
func (p *publisher) guarded(ctx context.Context, q cellQuery) (account.Cells, error) {
	if p.l.Erased == nil {
		return p.t.readCells(ctx, p.s, q, p.t.cellsSQL(q))
	}
	cells := account.Cells{}
	err := p.t.eachPerson(ctx, p.s, q, *p.l.Erased, func(place account.Place, _ string, erased bool, cell *account.Cell) error {
		if erased {
			return nil
		}
		if len(cells) == maxCells && cells[place] == nil {
			return fail.New(fail.Memory, "more than %d groups", maxCells).Try("take a shorter window or fewer buckets")
		}
		return cells.At(place, len(p.t.Totals)).Add(cell)
	})
	return cells, err
}
