package status

import (
	"fmt"
	"strings"
)

// Text writes the result for people: what stands, what is open, what to do.
func (r *Result) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s → %s\n", r.Dataset, r.Target)
	if v := r.Verified; v != nil {
		fmt.Fprintf(&b, "  verified from %s through %s\n", v.From, v.Through)
		for _, w := range v.Also {
			fmt.Fprintf(&b, "  verified, too, but beyond a gap: %s\n", w)
		}
	}
	if len(r.Plans) == 0 {
		b.WriteString("  no plan yet: backfill run --dataset … --from … --to …\n")
	}
	for _, p := range r.Plans {
		p.write(&b)
	}
	for _, d := range r.Stale {
		fmt.Fprintf(&b, "  %s holds %d rows of which other days have newer versions: run it again, --from %s --to %s\n", d.Day, d.Rows, d.Day, d.Day+1)
	}
	return b.String()
}

func (p *Plan) write(b *strings.Builder) {
	fmt.Fprintf(b, "  plan %d  %s  %s\n", p.Seq, p.Window, p.State)
	for _, s := range p.Parts {
		switch s.State {
		case "open":
			fmt.Fprintf(b, "    slice %d  %s  NOT loaded: the table has the rows of before\n", s.Slice, s.Days)
		case "undone":
			fmt.Fprintf(b, "    slice %d  %s  undone at %s, %d rows came back\n", s.Slice, s.Days, s.Committed, s.Rows)
		default:
			fmt.Fprintf(b, "    slice %d  %s  loaded at %s, %d rows\n", s.Slice, s.Days, s.Committed, s.Rows)
		}
	}
	if p.Report != nil {
		current := ""
		if !p.Report.Current {
			current = ", before this load"
		}
		fmt.Fprintf(b, "    last report%s: %s (%s)\n", current, p.Report.Verdict, p.Report.URI)
	}
	if p.Behind != nil {
		fmt.Fprintf(b, "    STALE: since it was sealed %d objects came to the archive, %d were rewritten or went\n", p.Behind.Added, p.Behind.Changed)
		for _, d := range p.Behind.Days {
			fmt.Fprintf(b, "      %s: up to %d records in new objects\n", d.Day, d.Rows)
		}
	}
	for _, text := range p.Quiet {
		fmt.Fprintf(b, "    quiet: %s\n", text)
	}
	if p.Kept != nil {
		fmt.Fprintf(b, "    can be undone: %d replaced rows are kept since %s in %s\n", p.Kept.Rows, p.Kept.Since, p.Kept.Table)
	}
	if p.Removed != "" {
		fmt.Fprintf(b, "    gone: %s; whatever loads the window again converts it anew\n", p.Removed)
	}
	for _, w := range p.Work {
		fmt.Fprintf(b, "    time of %s\n", w)
	}
	if p.Next != "" {
		fmt.Fprintf(b, "    go on with: %s\n", p.Next)
	}
}

// Short is the result without the slices of plans that are half done, for
// places that take little.
func (r *Result) Short() *Result {
	if r == nil {
		return nil
	}
	short := *r
	short.Plans = nil
	for _, p := range r.Plans {
		p.Parts, p.Work = nil, nil
		short.Plans = append(short.Plans, p)
	}
	return &short
}
