package report

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// PeriodLine compares the legs of one accounting period. Its rows may happen on
// any days of the window: those of a run that pays for an earlier period, or of
// one besides the calendar, have a line of their own here.
type PeriodLine struct {
	Period *string `json:"period"`              // null: NULL
	First  string  `json:"first_day,omitempty"` // of event time, of its rows on any leg; absent: the dataset has no event time
	Last   string  `json:"last_day,omitempty"`
	Line
}

// name is the period's for people.
func (l PeriodLine) name() string { return account.GroupText([]*string{l.Period}) }

// days names the first and the last day of the period's rows.
func (l PeriodLine) days() string {
	if l.First == l.Last {
		return l.First
	}
	return l.First + " to " + l.Last
}

// main returns the columns that split the totals: all but the accounting period's.
func (h Head) main() []string {
	if h.Period {
		return h.By[:len(h.By)-1]
	}
	return h.By
}

// group is a place's group without the accounting period.
func (h Head) group(p account.Place) account.Group {
	if !h.Period {
		return p.Group
	}
	rest, _ := p.Group.CutLast()
	return rest
}

// periods gives one line per accounting period and group, in the order of the
// periods' names.
func (b *builder) periods() error {
	if !b.h.Period {
		return nil
	}
	b.rep.PeriodColumn, b.rep.Periods = b.h.By[len(b.h.By)-1], []PeriodLine{}
	type days struct{ first, last kafka.Day }
	seen := map[account.Group]days{}
	for _, leg := range []account.Cells{b.r.Cells.Archive, b.r.Cells.Stage, b.r.Cells.Expected, b.r.Cells.Table} {
		for p, c := range leg {
			if c.Rows == 0 || p.Day == kafka.NoDay {
				continue
			}
			d, there := seen[p.Group]
			if !there {
				d = days{p.Day, p.Day}
			}
			seen[p.Group] = days{min(d.first, p.Day), max(d.last, p.Day)}
		}
	}
	legs, places, err := b.fold(func(p account.Place) account.Place { return account.Place{Group: p.Group} })
	if err != nil {
		return err
	}
	slices.SortStableFunc(places, func(p, q account.Place) int {
		_, one := p.Group.CutLast()
		_, other := q.Group.CutLast()
		return strings.Compare(string(one), string(other))
	})
	for _, p := range places {
		rest, last := p.Group.CutLast()
		l := PeriodLine{Period: last.Values(1)[0], Line: b.line(legs, p)}
		l.Group = rest.Values(len(b.h.main()))
		if d, there := seen[p.Group]; there {
			l.First, l.Last = d.first.String(), d.last.String()
		}
		b.rep.Periods = append(b.rep.Periods, l)
	}
	return nil
}

// textPeriods shows the legs of each accounting period.
func (r *Report) textPeriods(b *strings.Builder, columns int) {
	if len(r.Periods) == 0 {
		return
	}
	lines := slices.Clone(r.Periods)
	if len(lines) > maxGroups {
		slices.SortStableFunc(lines, func(x, y PeriodLine) int { return rank(x.Line) - rank(y.Line) })
	}
	var blocks [][][]string
	for _, l := range lines[:min(len(lines), maxGroups)] {
		cells := l.text()
		if cells[0][0] = l.name(); len(l.Group) > 0 {
			cells[0][0] += " / " + account.GroupText(l.Group)
		}
		if l.First != "" {
			if len(cells) == 1 {
				cells = append(cells, []string{""})
			}
			cells[1][0] = "  " + l.days()
		}
		blocks = append(blocks, cells)
	}
	b.WriteString("Accounting periods, with the event days of their rows:\n")
	r.figures(b, strings.Join(append([]string{r.PeriodColumn}, r.mainColumns()...), " / "), blocks, columns)
	if hidden := lines[min(len(lines), maxGroups):]; len(hidden) > 0 {
		differ := 0
		for _, l := range hidden {
			differ += 1 - rank(l.Line)
		}
		fmt.Fprintf(b, "  … and %d more in the report, %d of them with a break\n", len(hidden), differ)
	}
	b.WriteString("\n")
}

// mainColumns are the columns that split the totals: all but the accounting
// period's.
func (r *Report) mainColumns() []string {
	if r.PeriodColumn == "" {
		return r.GroupColumns
	}
	return r.GroupColumns[:len(r.GroupColumns)-1]
}

// period is one accounting period on the page.
type period struct {
	Name, Days string
	Of         string // the other columns' values
	Measures   []measure
	Match      bool
}

// periods are the page's lines of accounting periods, those that differ first.
func (p *page) periods() {
	lines := slices.Clone(p.R.Periods)
	slices.SortStableFunc(lines, func(x, y PeriodLine) int { return rank(x.Line) - rank(y.Line) })
	if len(lines) > pageGroups {
		p.MorePeriods, lines = len(lines)-pageGroups, lines[:pageGroups]
	}
	for _, l := range lines {
		g := p.group(l.Line)
		p.Periods = append(p.Periods, period{Name: l.name(), Days: l.days(), Of: g.Name, Measures: g.Measures, Match: l.Match})
	}
}
