package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"backfill/internal/account"
)

// Limits of what a terminal shows; the JSON holds all.
const (
	maxShown  = 12 // lines of a list
	maxGroups = 20 // groups of the totals, those that differ first
	width     = 80 // columns that text is wrapped at
)

// Text writes the report for a person at a terminal. uri is where the JSON
// document stands; "" when it was not kept.
func (r *Report) Text(w io.Writer, uri string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", r.Verdict)
	fmt.Fprintf(&b, "  table    %s, scope %s\n  window   %s\n  dataset  %s\n\n", r.Target, r.Scope, windowText(r), r.Dataset)
	for _, p := range r.Plans {
		if len(p.Asked) > 0 || p.Reason != "" {
			wrap(&b, fmt.Sprintf("  plan %d   ", p.Seq), "           ", asked(p))
		}
	}
	r.textLadder(&b)
	r.textTotals(&b)
	r.textPeriods(&b)
	list(&b, "Breaks", len(r.Breaks), func(i int) string { return r.Breaks[i].Leg + " " + r.Breaks[i].Text })
	list(&b, "Unknown", len(r.Unknown), func(i int) string { return r.Unknown[i] })
	list(&b, "Exceptions", len(r.Exceptions), func(i int) string {
		e := r.Exceptions[i]
		return fmt.Sprintf("%s: %d (%s)", strings.ReplaceAll(e.Class, "_", " "), e.Count, e.Text)
	})
	wrap(&b, "", "", r.Basis)
	if uri != "" {
		fmt.Fprintf(&b, "Report: %s\n", uri)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// asked says what went round a rule, by whom and why.
func asked(p Plan) string {
	text := strings.Join(p.Asked, " ")
	if text == "" {
		text = "loaded"
	}
	if p.By != "" {
		text += ", by " + p.By
	}
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

func (r *Report) textLadder(b *strings.Builder) {
	var rows [][]string
	for _, s := range r.Ladder {
		if s.Rows != 0 || s.Sign != "-" && s.Sign != "+" {
			rows = append(rows, []string{s.Sign, fmt.Sprint(s.Rows), s.Name})
		}
	}
	table(b, rows, []bool{false, true, false})
	b.WriteString("\n")
}

// textTotals shows the legs of each group below each other, so that digits can
// be compared. Neighbours with the same figures share a line.
func (r *Report) textTotals(b *strings.Builder) {
	lines := r.Totals
	if len(lines) == 0 {
		return
	}
	if len(lines) > maxGroups {
		lines = slices.Clone(lines)
		slices.SortStableFunc(lines, func(x, y Line) int { return rank(x) - rank(y) })
	}
	head, right := []string{strings.Join(r.mainColumns(), " / "), "", "rows"}, []bool{false, false, true}
	for _, c := range r.TotalColumns {
		head, right = append(head, c.Name), append(right, true)
	}
	rows := [][]string{append(head, "")}
	right = append(right, false)
	for _, l := range lines[:min(len(lines), maxGroups)] {
		rows = append(rows, l.text()...)
	}
	table(b, rows, right)
	if hidden := lines[min(len(lines), maxGroups):]; len(hidden) > 0 {
		differ := 0
		for _, l := range hidden {
			differ += 1 - rank(l)
		}
		fmt.Fprintf(b, "  … and %d more in the report, %d of them with a break\n", len(hidden), differ)
	}
	b.WriteString("\n")
}

// rank is 0 for lines that differ, 1 for those that match.
func rank(l Line) int {
	if l.Match {
		return 1
	}
	return 0
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

// table writes rows of cells, two blanks apart; right says which columns are
// aligned to the right. A column without any text takes no room.
func table(b *strings.Builder, rows [][]string, right []bool) {
	widths := make([]int, len(right))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case widths[i] == 0:
			case right[i]:
				line += "  " + pad + cell
			default:
				line += "  " + cell + pad
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func list(b *strings.Builder, title string, n int, line func(int) string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", title)
	for i := range min(n, maxShown) {
		wrap(b, "  ", "    ", line(i))
	}
	if n > maxShown {
		fmt.Fprintf(b, "  … and %d more in the report\n", n-maxShown)
	}
	b.WriteString("\n")
}

// wrap writes text in lines of at most width columns where words allow it. The
// first line begins with first, the others with rest.
func wrap(b *strings.Builder, first, rest, text string) {
	line := first
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			b.WriteString(line + "\n")
			line = rest + word
		default:
			line += " " + word
		}
	}
	b.WriteString(line + "\n")
}
