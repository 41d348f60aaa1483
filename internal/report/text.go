package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// maxShown bounds the lines of a list on a terminal; the JSON holds all.
const maxShown = 12

// Text writes the report for a person at a terminal. uri is where the JSON
// document stands; "" when it was not kept.
func (r *Report) Text(w io.Writer, uri string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n%s %s, dataset %s, scope %s\n\n", r.Verdict, r.Target, windowText(r), r.Dataset, r.Scope)
	r.textLadder(&b)
	r.textTotals(&b)
	list(&b, "Breaks", len(r.Breaks), func(i int) string { return r.Breaks[i].Leg + "  " + r.Breaks[i].Text })
	list(&b, "Unknown", len(r.Unknown), func(i int) string { return r.Unknown[i] })
	list(&b, "Exceptions", len(r.Exceptions), func(i int) string {
		return fmt.Sprintf("%d %s", r.Exceptions[i].Count, r.Exceptions[i].Text)
	})
	if uri != "" {
		fmt.Fprintf(&b, "Report: %s\n", uri)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) textLadder(b *strings.Builder) {
	width := 0
	for _, s := range r.Ladder {
		width = max(width, len(fmt.Sprint(s.Rows)))
	}
	for _, s := range r.Ladder {
		if s.Sign != "-" || s.Rows != 0 {
			fmt.Fprintf(b, "  %1s %*d  %s\n", s.Sign, width, s.Rows, s.Name)
		}
	}
	b.WriteString("\n")
}

func (r *Report) textTotals(b *strings.Builder) {
	if len(r.TotalColumns) == 0 {
		return
	}
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "%s\t\tarchive\tstage\texpected\ttable\t\t\n", strings.Join(r.GroupColumns, " / "))
	for _, l := range r.Totals {
		group := groupText(l.Group)
		fmt.Fprintf(tw, "%s\trows\t%d\t%d\t%d\t%d\t%s\t\n", group, l.Archive.Rows, l.Stage.Rows, l.Expected.Rows, l.Table.Rows, mark(l.Match))
		for i, c := range r.TotalColumns {
			fmt.Fprintf(tw, "\t%s\t%s\t%s\t%s\t%s\t\t\n", c.Name, l.Archive.Amounts[i], l.Stage.Amounts[i], l.Expected.Amounts[i], l.Table.Amounts[i])
		}
	}
	tw.Flush()
	b.WriteString("\n")
}

func groupText(group []*string) string {
	parts := make([]string, len(group))
	for i, g := range group {
		parts[i] = "null"
		if g != nil {
			parts[i] = *g
		}
	}
	return strings.Join(parts, " / ")
}

func mark(match bool) string {
	if match {
		return "match"
	}
	return "BREAK"
}

func list(b *strings.Builder, title string, n int, line func(int) string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", title)
	for i := range min(n, maxShown) {
		fmt.Fprintf(b, "  %s\n", line(i))
	}
	if n > maxShown {
		fmt.Fprintf(b, "  … and %d more in the report\n", n-maxShown)
	}
	b.WriteString("\n")
}
