package report

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The pictures are drawn with floating point: pixels need no cents. Every
// figure beside them is the exact text.

// calendar is the picture of days × partitions.
type calendar struct {
	Says          string
	Width, Height int
	Labels        []label
	Cells         []dayCell
	Table         []dayLine
}

type label struct {
	X, Y int
	Text string
	End  bool
}

type dayCell struct {
	X, Y, W, H  int
	State       string // match, break, unknown, none
	Title       string
	Cross, Dash string
}

type dayLine struct {
	Partition, Day, Expected, Table, State string
	Archive, Stage                         int64
}

// calendar draws one row per partition, one column per day of the window; nil
// for datasets without event time.
func (r *Report) calendar() *calendar {
	days := r.days()
	if len(days) == 0 {
		return nil
	}
	names, lines := r.partitionDays()
	open, wrong := map[string]bool{}, r.wrongDays()
	for _, d := range r.Open {
		open[d] = true
	}
	if len(names) == 0 {
		names = []string{"all partitions"}
	}
	c := &calendar{}
	counts := map[string]int{}
	shown := names[:min(len(names), pagePartitions)]
	left, right, top := 8+7*longest(shown), 90, 22
	width := max(3, min(26, (1060-left-right)/len(days)))
	high := 16
	c.Width, c.Height = left+width*len(days)+right, top+(high+3)*len(shown)+4
	for i, d := range days {
		if i == 0 || strings.HasSuffix(d, "-01") || (width >= 14 && (i%5 == 0)) {
			name := strings.TrimPrefix(d[len(d)-2:], "0")
			if width < 14 || i == 0 {
				name = d[5:]
			}
			c.Labels = append(c.Labels, label{X: left + i*width, Y: top - 8, Text: name})
		}
	}
	for n, name := range shown {
		y := top + n*(high+3)
		c.Labels = append(c.Labels, label{X: left - 8, Y: y + 12, Text: name, End: true})
		if missing := r.missing(name); missing > 0 {
			c.Labels = append(c.Labels, label{X: left + width*len(days) + 8, Y: y + 12, Text: fmt.Sprintf("gap: %d", missing)})
		}
		for i, d := range days {
			state, title := stateOf(lines[name+" "+d], open[d], wrong[d])
			counts[state]++
			x, w := left+i*width, max(width-2, 2)
			c.Cells = append(c.Cells, dayCell{X: x, Y: y, W: w, H: high, State: state, Title: fmt.Sprintf("%s, %s: %s", name, d, title),
				Cross: fmt.Sprintf("M%d %dl6 6M%d %dl-6 6", x+w/2-3, y+5, x+w/2+3, y+5), Dash: fmt.Sprintf("M%d %dh6", x+w/2-3, y+high/2)})
		}
	}
	c.Says = fmt.Sprintf("%d days of %d partitions: %d match, %d break, %d unknown, %d without rows.", len(days), len(shown), counts["match"], counts["break"], counts["unknown"], counts["none"])
	if len(names) > len(shown) {
		c.Says += fmt.Sprintf(" %d more partitions stand in report.json.", len(names)-len(shown))
	}
	c.table(r)
	return c
}

func longest(names []string) (n int) {
	for _, s := range names {
		n = max(n, len([]rune(visible(s))))
	}
	return n
}

// days are the days of the window by the calendar of its zone.
func (r *Report) days() (list []string) {
	from, err1 := time.Parse(time.RFC3339Nano, r.From)
	to, err2 := time.Parse(time.RFC3339Nano, r.To)
	if err1 != nil || err2 != nil {
		return nil
	}
	last := to.Add(-time.Microsecond)
	for d := from; len(list) < 400; d = d.AddDate(0, 0, 1) {
		text := d.Format(time.DateOnly)
		if text > last.Format(time.DateOnly) {
			break
		}
		list = append(list, text)
	}
	return list
}

// partitionDays gives the partitions in order, those with a difference first
// when not all can be shown, and the lines by "topic/partition day".
func (r *Report) partitionDays() (names []string, lines map[string]PartitionLine) {
	lines = map[string]PartitionLine{}
	broken := map[string]bool{}
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, l := range r.Partitions {
		name := fmt.Sprintf("%s/%d", l.Topic, l.Partition)
		lines[name+" "+l.Day] = l
		broken[name] = broken[name] || !l.Match
		if n := len(names); n == 0 || names[n-1] != name {
			add(name)
		}
	}
	for _, s := range r.Sequences {
		add(s.Partition.String())
	}
	if len(names) > pagePartitions {
		slices.SortStableFunc(names, func(a, b string) int {
			switch {
			case broken[a] == broken[b]:
				return 0
			case broken[a]:
				return -1
			}
			return 1
		})
	}
	return names, lines
}

// wrongDays are the days on which the table differs, where the table does not
// know partitions.
func (r *Report) wrongDays() map[string]bool {
	wrong := map[string]bool{}
	for _, l := range r.Days {
		if !l.Match {
			wrong[l.Day] = true
		}
	}
	return wrong
}

func (r *Report) missing(partition string) (n int64) {
	for _, s := range r.Sequences {
		if s.Partition.String() != partition {
			continue
		}
		for _, g := range s.Gaps {
			n += int64(g.To - g.From)
		}
	}
	return n
}

func stateOf(l PartitionLine, open, wrong bool) (state, title string) {
	switch {
	case open:
		return "unknown", "unknown: not loaded, or loaded before it had settled"
	case l.Topic == "" && wrong:
		return "break", "the table differs on this day"
	case l.Topic == "":
		return "none", "no rows"
	}
	title = fmt.Sprintf("archive %d, stage %d rows", l.Archive, l.Stage)
	if l.Expected != nil && l.Table != nil {
		title += fmt.Sprintf(", expected %d, table %d", *l.Expected, *l.Table)
	}
	switch {
	case !l.Match:
		return "break", title
	case l.Table == nil && wrong:
		return "break", title + "; the table, which knows no partitions, differs on this day"
	}
	return "match", title
}

func (c *calendar) table(r *Report) {
	open, wrong := map[string]bool{}, r.wrongDays()
	for _, d := range r.Open {
		open[d] = true
	}
	for _, l := range r.Partitions {
		if len(c.Table) == pageCells {
			return
		}
		line := dayLine{Partition: fmt.Sprintf("%s/%d", l.Topic, l.Partition), Day: l.Day, Expected: "–", Table: "–", Archive: l.Archive, Stage: l.Stage}
		if l.Expected != nil && l.Table != nil {
			line.Expected, line.Table = text(*l.Expected), text(*l.Table)
		}
		line.State, _ = stateOf(l, open[l.Day], wrong[l.Day])
		c.Table = append(c.Table, line)
	}
}

// chart shows one amount of one group by day.
type chart struct {
	Title, Sum, Says    string
	Width, Height, Zero int
	LabelY              int
	Bars                []bar
	Line                string
	First, Last         string
}

type bar struct {
	X, Y, W, H string
	Off        bool
	Title      string
}

// series is the days of one group.
type series struct {
	name  string
	lines map[string]Line
	off   bool
	rows  int64
}

// charts draws the amounts, series with differences first, then those of most
// rows.
func (p *page) charts() {
	days := p.R.days()
	if len(days) < 2 || len(p.R.TotalColumns) == 0 {
		return
	}
	var list []*series
	byName := map[string]*series{}
	for _, l := range p.R.Days {
		name := p.name(l.Group)
		s := byName[name]
		if s == nil {
			s = &series{name: name, lines: map[string]Line{}}
			byName[name], list = s, append(list, s)
		}
		s.lines[l.Day], s.off, s.rows = l, s.off || !l.Match, s.rows+l.Table.Rows
	}
	slices.SortStableFunc(list, func(a, b *series) int {
		switch {
		case a.off != b.off && a.off:
			return -1
		case a.off != b.off:
			return 1
		case a.rows > b.rows:
			return -1
		case a.rows < b.rows:
			return 1
		}
		return 0
	})
	total := len(list) * len(p.R.TotalColumns)
	for _, s := range list {
		for at, c := range p.R.TotalColumns {
			if len(p.Charts) < pageCharts {
				p.Charts = append(p.Charts, p.R.chart(s, at, c, days))
			}
		}
	}
	p.MoreCharts = total - len(p.Charts)
}

func approximately(amount string) float64 {
	f, err := strconv.ParseFloat(amount, 64)
	if err != nil {
		return 0
	}
	return f
}

func (r *Report) chart(s *series, at int, c Column, days []string) chart {
	const width, height, bottom = 520, 92, 16
	low, high := 0.0, 0.0
	for _, l := range s.lines {
		for _, f := range []Figures{l.Table, l.Expected} {
			low, high = min(low, approximately(f.Amounts[at])), max(high, approximately(f.Amounts[at]))
		}
	}
	if high == low {
		high = 1
	}
	scale := func(v float64) float64 { return 2 + (high-v)/(high-low)*float64(height-bottom-4) }
	ch := chart{Title: c.Name + ", " + s.name, Width: width, Height: height, Zero: int(scale(0)), LabelY: height - 3, First: days[0], Last: days[len(days)-1]}
	step := float64(width) / float64(len(days))
	sum, off := new(big.Rat), 0
	var line strings.Builder
	for i, d := range days {
		l, there := s.lines[d]
		if !there {
			continue
		}
		have, want := l.Table.Amounts[at], l.Expected.Amounts[at]
		if exact, ok := new(big.Rat).SetString(have); ok {
			sum.Add(sum, exact)
		}
		x, y, y0 := float64(i)*step, scale(approximately(have)), scale(0)
		b := bar{X: pixel(x + step*.12), Y: pixel(min(y, y0)), W: pixel(step * .76), H: pixel(max(abs(y-y0), .6)), Off: have != want, Title: d + ": " + have}
		if b.Off {
			off++
			b.Title += ", expected " + want
		}
		ch.Bars = append(ch.Bars, b)
		fmt.Fprintf(&line, "M%s %sh%s", pixel(x+step*.02), pixel(scale(approximately(want))), pixel(step*.96))
	}
	ch.Line, ch.Sum = line.String(), sum.FloatString(c.Scale)
	if ch.Says = "All days agree."; off > 0 {
		ch.Says = fmt.Sprintf("%d days differ.", off)
	}
	return ch
}

func abs(f float64) float64 { return max(f, -f) }

func pixel(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
