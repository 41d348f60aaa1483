package report

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/account"
)

// textTotals shows the legs of each group below each other, so that digits can
// be compared. Neighbours with the same figures share a line.
func (r *Report) textTotals(b *strings.Builder, columns int) {
	lines := r.Totals
	if len(lines) == 0 {
		return
	}
	if len(lines) > maxGroups {
		lines = slices.Clone(lines)
		slices.SortStableFunc(lines, func(x, y Line) int { return rank(x) - rank(y) })
	}
	var blocks [][][]string
	for _, l := range lines[:min(len(lines), maxGroups)] {
		blocks = append(blocks, l.text())
	}
	r.figures(b, strings.Join(r.mainColumns(), " / "), blocks, columns)
	if hidden := lines[min(len(lines), maxGroups):]; len(hidden) > 0 {
		differ := 0
		for _, l := range hidden {
			differ += 1 - rank(l)
		}
		fmt.Fprintf(b, "  … and %d more in the report, %d of them with a break\n", len(hidden), differ)
	}
	b.WriteString("\n")
}

// figures writes blocks of legs, a leg a line, below the names of their columns;
// upright where that is wider than the terminal.
func (r *Report) figures(b *strings.Builder, name string, blocks [][][]string, columns int) {
	head, right := []string{name, "", "rows"}, []bool{false, false, true}
	for _, c := range r.TotalColumns {
		head, right = append(head, c.Name), append(right, true)
	}
	rows := [][]string{head}
	for _, block := range blocks {
		rows = append(rows, block...)
	}
	right = append(right, false) // the mark
	across := 0
	for _, w := range widthsOf(rows, len(right)) {
		across += 2 + w
	}
	if columns > 0 && across > columns {
		rows, right = upright(head, blocks)
	}
	table(b, rows, right)
}

// upright turns blocks: the legs stand side by side, a figure takes a line, so
// that amounts stay whole on a narrow terminal.
func upright(head []string, blocks [][][]string) (rows [][]string, right []bool) {
	legs := 0
	for _, block := range blocks {
		legs = max(legs, len(block))
	}
	right = append(make([]bool, 1+legs), false)
	for i := range legs {
		right[1+i] = true
	}
	if head[0] != "" {
		rows = append(rows, head[:1])
	}
	for _, block := range blocks {
		names, below := make([]string, len(right)), []string{""}
		for i, leg := range block {
			if i > 0 && leg[0] != "" {
				below[0] = leg[0] // what belongs to the name
			}
			if len(leg) > 1 {
				names[1+i] = leg[1]
			}
			if len(leg) > len(head) {
				names[len(names)-1] = leg[len(head)]
			}
		}
		names[0] = block[0][0]
		rows = append(rows, names)
		if below[0] != "" {
			rows = append(rows, below)
		}
		for at := 2; at < len(head); at++ {
			row := []string{"  " + head[at]}
			for _, leg := range block {
				if len(leg) > at {
					row = append(row, leg[at])
				}
			}
			rows = append(rows, row)
		}
	}
	return rows, right
}

// text gives the line's cells: group, legs, rows, amounts, mark.
func (l Line) text() [][]string {
	names := []string{"archive", "stage", "expected", "table"}
	legs := []Figures{l.Archive, l.Stage, l.Expected, l.Table}
	var rows [][]string
	for i := 0; i < len(legs); {
		end := i + 1
		for end < len(legs) && legs[end].Rows == legs[i].Rows && slices.Equal(legs[end].Amounts, legs[i].Amounts) {
			end++
		}
		name := strings.Join(names[i:end], ", ")
		switch {
		case end-i == len(legs):
			name = "all legs"
		case end-i == len(legs)-1 && i == 0:
			name = "all but table"
		case end-i == len(legs)-1:
			name = "all but archive"
		}
		rows = append(rows, append([]string{"", name, fmt.Sprint(legs[i].Rows)}, legs[i].Amounts...))
		i = end
	}
	rows[0][0] = account.GroupText(l.Group)
	mark := "match"
	switch {
	case !l.Match && len(rows) == 1:
		mark = "BREAK (content)"
	case !l.Match:
		mark = "BREAK"
	}
	rows[len(rows)-1] = append(rows[len(rows)-1], mark)
	return rows
}
