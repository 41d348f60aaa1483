package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of what a terminal shows; the JSON holds all.
const (
	maxShown  = 12 // lines of a list
	maxGroups = 20 // groups of the totals, those that differ first
	width     = 80 // columns that text is wrapped at
)

// Text writes the report for a person. uri is where the JSON document stands; ""
// when it was not kept. columns is the terminal's width, which wider tables of
// money are turned upright for; 0: no terminal.
func (r *Report) Text(w io.Writer, uri string, columns int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", r.Verdict)
	fmt.Fprintf(&b, "  table    %s, scope %s\n  window   %s\n  dataset  %s\n\n", r.Target, r.Scope, windowText(r), r.Dataset)
	for _, p := range r.Plans {
		if len(p.Asked) > 0 || p.Reason != "" {
			wrap(&b, fmt.Sprintf("  plan %d   ", p.Seq), "           ", asked(p))
		}
	}
	r.textLadder(&b)
	r.textTotals(&b, columns)
	r.textPeriods(&b, columns)
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

// rank is 0 for lines that differ, 1 for those that match.
func rank(l Line) int {
	if l.Match {
		return 1
	}
	return 0
}

// table writes rows of cells, two blanks apart; right says which columns are
// aligned to the right. A column without any text takes no room.
func table(b *strings.Builder, rows [][]string, right []bool) {
	widths := widthsOf(rows, len(right))
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

// widthsOf gives the widest cell of each column.
func widthsOf(rows [][]string, columns int) []int {
	widths := make([]int, columns)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
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
