package preview

import (
	"fmt"
	"io"
	"strings"
	"time"

	"backfill/internal/forecast"
)

// The lines that lists may take; all of them are in the JSON.
const (
	shownGaps   = 4
	shownSlices = 5
	shownMoney  = 3 // of the first slices
	shownNotes  = 3
	width       = 80
	indent      = 12
)

// Text prints the result for people, in at most 40 lines of 80 columns.
func (r *Result) Text(out io.Writer) error {
	t := &text{}
	t.row("preview", "%s, %s", r.Target, r.Window)
	t.row("archive", "%s objects, %s, %s chunks", grouped(int64(r.Objects)), size(r.Bytes), grouped(int64(r.Chunks)))
	if len(r.Codecs) > 1 {
		var parts []string
		for _, c := range r.Codecs {
			parts = append(parts, fmt.Sprintf("%s: %s, %s", c.Name, grouped(int64(c.Objects)), size(c.Bytes)))
		}
		t.row("", "by name: %s", strings.Join(parts, "; "))
	}
	if r.Cold > 0 {
		t.row("", "%d in archive storage classes: `plan` says what restoring costs", r.Cold)
	}
	r.estimates(t)
	r.gaps(t)
	r.replaced(t)
	t.row("requests", "%s GET, %s PUT, %s LIST; %s read: about %s", grouped(r.Requests.Gets), grouped(r.Requests.Puts), grouped(r.Requests.Lists), size(r.Requests.BytesRead), r.Requests.Cost)
	t.row("", "%s", r.Requests.Prices)
	if r.NoFit != "" {
		t.row("memory", "%s", r.NoFit)
	} else {
		t.row("memory", "convert takes up to %s with %d workers", size(r.Memory), r.Workers)
	}
	t.row("staging", "about %s (%s to %s)", size(r.Staging.Expected), size(r.Staging.Low), size(r.Staging.High))
	t.row("", "by: %s", r.Staging.Basis)
	t.row("time", "convert, one pod: about %s", r.Convert)
	t.row("", "by: %s", r.Convert.Basis)
	if r.Load != nil {
		t.row("", "load: about %s, by: %s", r.Load, r.Load.Basis)
	} else {
		t.row("", "load: %s", r.LoadWhy)
	}
	t.row("airflow", "%s", r.advice())
	for _, n := range r.Notes[:min(len(r.Notes), shownNotes)] {
		t.row("note", "%s", n)
	}
	t.row("", "nothing was changed, no plan is sealed")
	_, err := io.WriteString(out, t.b.String())
	return err
}

func (r *Result) estimates(t *text) {
	if r.Records == nil {
		t.row("records", "not estimated: %s", r.Sample.Method)
		return
	}
	t.row("records", "%s", estimate(*r.Records))
	t.row("rows", "%s in the window", estimate(*r.Rows))
	t.row("", "from %d objects, %s: %s", r.Sample.Objects, size(r.Sample.Bytes), r.Sample.Method)
}

func (r *Result) gaps(t *text) {
	g := r.Gaps
	unjudged := ""
	if g.Unjudged > 0 {
		unjudged = fmt.Sprintf("; names tell nothing of %d more", g.Unjudged)
	}
	t.row("gaps", "%d suspected by names in %d partitions%s", g.Count, g.Judged, unjudged)
	for _, gap := range g.Suspected[:min(len(g.Suspected), shownGaps)] {
		t.row("", "%s", gap)
	}
	if n := g.Count - shownGaps; n > 0 {
		t.row("", "and %d more, in --output json", n)
	}
}

func (r *Result) replaced(t *text) {
	if r.NotAsked != "" {
		t.row("table", "not asked: %s", r.NotAsked)
		return
	}
	var rows int64
	for _, s := range r.Table {
		rows += s.Rows
	}
	t.row("table", "%s rows stand in %d slices", grouped(rows), len(r.Table))
	for i, s := range r.Table {
		if i == shownSlices {
			t.row("", "and %d slices more, in --output json", r.Slices-i)
			break
		}
		t.row("", "%s: %s rows%s", s.Days, grouped(s.Rows), s.money(i))
	}
}

// money is the first totals of a slice, on its line.
func (s Slice) money(slice int) string {
	var parts []string
	for i, m := range s.Money {
		if i == shownMoney || slice >= shownSlices {
			parts = append(parts, fmt.Sprintf("%d groups more", len(s.Money)+s.Cut-i))
			break
		}
		if len(m.Sums) > 0 {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s", m.Sums[0].Amount, m.name())))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + s.Money[0].Sums[0].Column + " " + strings.Join(parts, ", ")
}

func (r *Result) advice() string {
	if r.Pods == 1 {
		return "one pod is enough: no shards"
	}
	return fmt.Sprintf("%d shards (--shard i/%d), %d workers each", r.Pods, r.Pods, r.Workers)
}

// String spells a span of seconds.
func (s Span) String() string {
	d := func(n int64) string { return (time.Duration(n) * time.Second).String() }
	return fmt.Sprintf("%s (%s to %s)", d(s.Expected), d(s.Low), d(s.High))
}

func estimate(e forecast.Estimate) string {
	switch {
	case e.Exact:
		return grouped(e.Count) + ", counted"
	case e.Unbounded && e.Count == 0:
		return "not known: no object of the sample could be read"
	case e.Unbounded:
		return fmt.Sprintf("about %s; the sample is too small to tell an error", grouped(e.Count))
	}
	return fmt.Sprintf("about %s (%s to %s)", grouped(e.Count), grouped(e.Low), grouped(e.High))
}

// text is lines of a name and what is said of it, wrapped to the width.
type text struct{ b strings.Builder }

func (t *text) row(name, format string, args ...any) {
	const most = 3 // lines of one row
	line, lines := fmt.Sprintf("%-*s", indent, name), 0
	for word := range strings.FieldsSeq(fmt.Sprintf(format, args...)) {
		if len([]rune(line))+len([]rune(word)) >= width && len(line) > indent {
			if lines++; lines == most {
				line = strings.TrimRight(line, " ") + " …"
				break
			}
			t.b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", indent)
		}
		line += word + " "
	}
	t.b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// grouped spells a count with commas.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// size spells bytes with three digits.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	f, u := float64(n), 0
	for f >= 1000 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", f, units[u])
}
