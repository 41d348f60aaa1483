package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"backfill/internal/kafka"
)

// sequence is one partition's line in the sequence check.
type sequence struct {
	Name, First, Last, End, Expected, Found, Missing, Explained, Proofs, Result, Tone string
	Objects                                                                           int
}

func (p *page) sequences() {
	for _, s := range p.R.Sequences {
		p.HasEnds = p.HasEnds || s.End != nil
	}
	for _, s := range p.R.Sequences {
		line := sequence{Name: s.String(), First: "–", Last: "–", End: "–", Expected: "–", Found: text(s.Found), Objects: s.Objects, Result: "complete", Tone: "ok"}
		var missing, explained int64
		for _, g := range s.Gaps {
			n := int64(g.To - g.From)
			why := "nothing explains why"
			if g.Reason != "" {
				explained += n
				why = g.Reason
			} else {
				missing += n
			}
			if len(p.Gaps) < pageGaps {
				p.Gaps = append(p.Gaps, fmt.Sprintf("%s: offsets %d to %d (%d): %s", s.String(), g.From, g.To-1, n, why))
			}
		}
		line.Missing, line.Explained = text(missing), text(explained)
		if s.First != kafka.NoOffset {
			line.First, line.Last = fmt.Sprint(s.First), fmt.Sprint(s.Last)
			line.Expected = text(int64(s.Last-s.First) + 1)
		}
		if s.End != nil {
			line.End = fmt.Sprint(*s.End)
		}
		for _, proof := range []kafka.Proof{kafka.ProofBody, kafka.ProofDerived, kafka.ProofUnproven} {
			if n := s.Proofs[proof]; n > 0 {
				line.Proofs += fmt.Sprintf(", %s %d", proof, n)
			}
		}
		line.Proofs = strings.TrimPrefix(line.Proofs, ", ")
		switch {
		case s.End != nil && s.Last+1 < *s.End:
			line.Result, line.Tone = "ends early", "bad"
		case missing > 0:
			line.Result, line.Tone = "gap", "dunno"
		case s.First == kafka.NoOffset || s.Proofs[kafka.ProofUnproven] > 0:
			line.Result, line.Tone = "not proven", "warn"
		case explained > 0:
			line.Result, line.Tone = "explained", "warn"
		}
		p.Sequences = append(p.Sequences, line)
	}
}

// tone is the colour of an item's state.
func (i Item) tone() string {
	switch i.State {
	case StateBreak:
		return "bad"
	case StateUnknown:
		return "dunno"
	}
	return "warn"
}

// row gives an item's figures in short: rows where they differ, else the first
// amount that does.
func (r *Report) row(i Item) row {
	out := row{ID: i.ID, State: i.State, Tone: i.tone(), Class: strings.ReplaceAll(i.Class, "_", " "), Where: i.Where(), Text: i.Text}
	if i.Left == nil || i.Right == nil {
		if i.Count > 0 {
			out.Found = text(i.Count)
		}
		return out
	}
	out.Expected, out.Found = text(i.Left.Rows), text(i.Right.Rows)
	if i.Left.Rows == i.Right.Rows {
		for n := range i.Left.Amounts {
			if i.Left.Amounts[n] != i.Right.Amounts[n] {
				out.Expected, out.Found = i.Left.Amounts[n], i.Right.Amounts[n]
				break
			}
		}
	}
	return out
}

// items fills the list, and what the page's script filters.
func (p *page) items() {
	p.Items = p.R.Items()
	p.Data = [][]string{}
	states, classes := map[string]int{}, map[string]bool{}
	for n, i := range p.Items {
		line := p.R.row(i)
		states[i.State]++
		classes[line.Class] = true
		if n < pageItems {
			p.FirstItems = append(p.FirstItems, line)
		}
		if n < pageScripted {
			p.Data = append(p.Data, []string{line.ID, line.State, visible(line.Class), visible(line.Where), line.Expected, line.Found, visible(line.Text)})
		}
	}
	p.MoreItems = len(p.Items) - len(p.FirstItems)
	var says []string
	for _, s := range []struct{ state, one, many string }{
		{StateBreak, "break", "breaks"}, {StateUnknown, "thing unknown", "things unknown"}, {StateGranted, "exception granted", "exceptions granted"}, {StateException, "exception", "exceptions"},
	} {
		switch n := states[s.state]; {
		case n == 1:
			says = append(says, "1 "+s.one)
		case n > 1:
			says = append(says, fmt.Sprintf("%d %s", n, s.many))
		default:
			continue
		}
		p.States = append(p.States, s.state)
	}
	switch {
	case len(says) == 0:
		p.ItemsSay = "There is none: all legs agree, and nothing is unknown."
	default:
		p.ItemsSay = strings.Join(says, ", ") + "."
	}
	if hidden := len(p.Items) - pageScripted; hidden > 0 {
		p.ItemsSay += fmt.Sprintf(" This page holds the first %d.", pageScripted)
	}
	for c := range classes {
		p.Classes = append(p.Classes, c)
	}
	slices.SortFunc(p.Classes, cmp.Compare[string])
}
