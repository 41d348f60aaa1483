package reconcile

import (
	"fmt"
	"slices"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
)

// part is what one plan contributes to a window: its ledger rows and the days
// on which no newer plan counts.
type part struct {
	seq     runplan.Seq
	planKey string
	rows    []publish.LedgerRow
	days    map[kafka.Day]bool // nil: everything (datasets without event time)
}

// text names the part's days.
func (p part) text() string {
	if p.days == nil {
		return "all"
	}
	var days []kafka.Day
	for d := range p.days {
		days = append(days, d)
	}
	slices.Sort(days)
	return fmt.Sprintf("%s to %s (%d days)", days[0], days[len(days)-1], len(days))
}

// cover gives each day of the window to the newest plan that committed it.
// Days that none committed are unknown. Ledger rows come newest first.
func cover(rows []publish.LedgerRow, w kafka.Window, cal *kafka.Calendar) (parts []part, unknown []string, err error) {
	byPlan := map[runplan.Seq]*part{}
	order := []runplan.Seq{}
	use := func(row publish.LedgerRow) *part {
		p := byPlan[row.Seq]
		if p == nil {
			p = &part{seq: row.Seq, planKey: row.PlanKey}
			byPlan[row.Seq], order = p, append(order, row.Seq)
		}
		if !slices.ContainsFunc(p.rows, func(r publish.LedgerRow) bool { return r.SliceIndex == row.SliceIndex }) {
			p.rows = append(p.rows, row)
		}
		return p
	}
	if w.IsAll() {
		for _, row := range rows {
			use(row)
		}
	} else {
		unknown, err = coverDays(rows, w, cal, use)
	}
	if len(rows) == 0 {
		unknown = []string{"the ledger names no load of this window; archive and table were not compared"}
	}
	for _, seq := range order {
		parts = append(parts, *byPlan[seq])
	}
	return parts, unknown, err
}

func coverDays(rows []publish.LedgerRow, w kafka.Window, cal *kafka.Calendar, use func(publish.LedgerRow) *part) ([]string, error) {
	var missing []kafka.Day
	for _, day := range cal.Days(w) {
		span := kafka.Window{From: max(w.From, cal.Start(day)), To: min(w.To, cal.Start(day+1))}
		i := slices.IndexFunc(rows, func(r publish.LedgerRow) bool { return r.Window.Overlaps(span) })
		if i < 0 {
			missing = append(missing, day)
			continue
		}
		row := rows[i]
		loaded := kafka.Window{From: max(row.Window.From, cal.Start(day)), To: min(row.Window.To, cal.Start(day+1))}
		if loaded != span {
			return nil, fail.New(fail.BadWindow, "the window %s cuts through %s, of which plan %d loaded %s", w, day, row.Seq, loaded).
				Try("reconcile whole days, or exactly the window that was loaded")
		}
		p := use(row)
		if p.days == nil {
			p.days = map[kafka.Day]bool{}
		}
		p.days[day] = true
	}
	if len(missing) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("%d days of the window, from %s, were never loaded by this tool", len(missing), missing[0])}, nil
}

// notCovered are the days of the window that no part has.
func notCovered(parts []part, w kafka.Window, cal *kafka.Calendar) (open []kafka.Day) {
	if w.IsAll() {
		return nil
	}
	for _, day := range cal.Days(w) {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.days[day] }) {
			open = append(open, day)
		}
	}
	return open
}
