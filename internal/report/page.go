package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"backfill/internal/account"
	"backfill/internal/tieout"
)

//go:embed page
var pageFiles embed.FS

// Limits of what the page shows; report.json and exceptions.csv hold all.
const (
	pageGroups     = 60
	pageItems      = 100 // without a script
	pageScripted   = 20_000
	pagePartitions = 64
	pageCharts     = 12
	pageGaps       = 200
	pageCells      = 4000 // days and partitions in the table below the calendar
)

// page is what the template shows.
type page struct {
	R            *Report
	Policy       string
	Style        template.CSS
	Script       template.JS
	Period, Tone string
	Says         string // the sentence without what the page's head says
	Facts        []Parameter
	Sections     []section
	Ladder       []step
	GroupName    string // of the totals
	AllName      string // of groups with the accounting period
	Groups       []group
	MoreGroups   int
	Periods      []period
	MorePeriods  int
	Controls     []group
	Restated     []group
	Sequences    []sequence
	HasEnds      bool
	Gaps         []string
	Calendar     *calendar
	Charts       []chart
	MoreCharts   int
	Items        []Item
	FirstItems   []row
	MoreItems    int
	ItemsSay     string
	States       []string
	Classes      []string
	Data         [][]string
}

type section struct{ ID, No, Title string }

type step struct {
	Step
	Strong bool
}

// group is the lines of one group of rows.
type group struct {
	Name     string
	Line     string
	Measures []measure
	Match    bool
}

type measure struct{ Name, Archive, Stage, Expected, Table, Diff string }

// row is an item as the page shows it.
type row struct{ ID, State, Tone, Class, Where, Expected, Found, Text string }

// HTML returns the report as one page that needs nothing else: styles, script
// and pictures are in it, and its policy forbids everything from outside. The
// same report gives the same bytes.
func (r *Report) HTML() ([]byte, error) {
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return nil, fmt.Errorf("reading the page's style: %w", err)
	}
	script, err := pageFiles.ReadFile("page/page.js")
	if err != nil {
		return nil, fmt.Errorf("reading the page's script: %w", err)
	}
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"show": visible, "digits": digits, "inc": func(n int) int { return n + 1 }, "parts": func(text string) []string { return strings.Split(text, between) },
	}).ParseFS(pageFiles, "page/page.html")
	if err != nil {
		return nil, fmt.Errorf("reading the page's template: %w", err)
	}
	p := r.page()
	p.Style, p.Script = template.CSS(style), template.JS(script)
	p.Policy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'", hashOf(script), hashOf(style))
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("writing the page: %w", err)
	}
	return []byte(visible(b.String())), nil // whatever way text came in: nothing in the page is invisible
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// digits sets thousands apart with a margin, not with a character: a copied
// number stays a number. Text that is no number is returned as it is.
func digits(n any) template.HTML {
	text := fmt.Sprint(n)
	sign, rest := "", text
	if strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
		sign, rest = rest[:1], rest[1:]
	}
	whole, fraction, point := strings.Cut(rest, ".")
	if !number.MatchString(text) || len(whole) < 5 {
		return template.HTML(template.HTMLEscapeString(visible(text)))
	}
	var b strings.Builder
	b.WriteString(sign)
	first := len(whole) % 3
	b.WriteString(whole[:first])
	for at := first; at < len(whole); at += 3 {
		if at == 0 {
			b.WriteString(whole[:3])
			continue
		}
		b.WriteString(`<span class="d">` + whole[at:at+3] + `</span>`)
	}
	if point {
		b.WriteString("." + fraction)
	}
	return template.HTML(b.String())
}

func (r *Report) page() *page {
	p := &page{R: r, Period: r.period(), GroupName: groupName(r.mainColumns()), AllName: groupName(r.GroupColumns)}
	p.Tone = map[tieout.Verdict]string{tieout.Reconciled: "ok", tieout.WithExceptions: "warn", tieout.NotReconciled: "bad"}[tieout.Verdict(r.Verdict)]
	if p.Tone == "" {
		p.Tone = "dunno"
	}
	_, p.Says, _ = strings.Cut(r.Sentence, ": "+r.Verdict+": ")
	p.Facts = r.facts()
	for _, s := range r.Ladder {
		if s.Rows != 0 || s.Sign != "-" && s.Sign != "+" {
			p.Ladder = append(p.Ladder, step{s, s.Sign == "=" || s.Sign == "≠"})
		}
	}
	p.groups()
	p.periods()
	p.sequences()
	p.Calendar = r.calendar()
	p.charts()
	p.items()
	p.sections()
	return p
}

func groupName(columns []string) string {
	if len(columns) == 0 {
		return "Group"
	}
	return strings.Join(columns, " / ")
}

// period names the window by its days where it is made of whole ones.
func (r *Report) period() string {
	if r.From == "" {
		return "all rows"
	}
	from, err1 := time.Parse(time.RFC3339Nano, r.From)
	to, err2 := time.Parse(time.RFC3339Nano, r.To)
	midnight := func(t time.Time) bool { return t.Format("15:04:05.999999") == "00:00:00" }
	if err1 != nil || err2 != nil || !midnight(from) || !midnight(to) {
		return r.From + " to " + r.To + ", exclusive, " + r.Calendar
	}
	last := to.AddDate(0, 0, -1)
	if from.Format(time.DateOnly) == last.Format(time.DateOnly) {
		return from.Format("2 January 2006") + ", " + r.Calendar
	}
	return from.Format("2 January 2006") + " to " + last.Format("2 January 2006") + ", " + r.Calendar
}

func (r *Report) facts() []Parameter {
	window := "all time"
	if r.From != "" {
		window = r.From + " to " + r.To + ", exclusive"
	}
	asked := r.By
	if r.Reason != "" {
		asked += ": " + r.Reason
	}
	return []Parameter{
		{"Dataset", r.Dataset}, {"Rows owned", r.Scope}, {"Window of event time", window},
		{"Cut-off: archive and table as of", r.Written.Format("2006-01-02 15:04:05") + " UTC"}, {"Asked for by", asked},
		{"Program", strings.TrimSpace("backfill " + r.Version + " " + r.Image)},
		{"Run", r.Run}, {"Dataset file, SHA-256", r.Digest}, {"Plans", strconv.Itoa(len(r.Plans))},
	}
}

func (p *page) sections() {
	add := func(id, title string, there bool) {
		if there {
			p.Sections = append(p.Sections, section{ID: id, No: strconv.Itoa(len(p.Sections) + 1), Title: title})
		}
	}
	add("ladder", "From records to rows", true)
	add("totals", "Control totals", true)
	add("periods", "Accounting periods", len(p.Periods) > 0)
	add("restatement", "Restatement of a closed period", p.R.Restates != nil)
	add("sequence", "Sequence check", true)
	add("calendar", "Days and partitions", true)
	add("amounts", "Amounts over time", len(p.Charts) > 0)
	add("exceptions", "Breaks, unknowns and exceptions", true)
	add("statement", "Completeness and accuracy", true)
	add("approvals", "Approvals", true)
}

// Section returns the section that the template is about to begin.
func (p *page) Section(id string) section {
	i := slices.IndexFunc(p.Sections, func(s section) bool { return s.ID == id })
	return p.Sections[i]
}

// groups are the totals, those that differ first.
func (p *page) groups() {
	lines := slices.Clone(p.R.Totals)
	slices.SortStableFunc(lines, func(x, y Line) int { return rank(x) - rank(y) })
	if len(lines) > pageGroups {
		p.MoreGroups, lines = len(lines)-pageGroups, lines[:pageGroups]
	}
	for _, l := range lines {
		p.Groups = append(p.Groups, p.group(l))
	}
	if c := p.R.Controls; c != nil {
		for _, l := range c.Lines {
			g := p.pair(l.Group, l.Given, l.Found, l.Diff, l.Match)
			if g.Line = text(l.Line); l.Line == 0 {
				g.Line = "none"
			}
			if l.Day != "" {
				g.Name = strings.TrimSuffix(l.Day+" "+g.Name, " all rows")
			}
			p.Controls = append(p.Controls, g)
		}
	}
	if c := p.R.Restates; c != nil {
		for _, l := range c.Lines {
			p.Restated = append(p.Restated, p.pair(l.Group, l.Old, l.New, l.Diff, l.Same))
		}
	}
}

// group gives a line's measures on all legs.
func (p *page) group(l Line) group {
	g := group{Name: p.name(l.Group), Match: l.Match, Measures: []measure{{
		"rows", text(l.Archive.Rows), text(l.Stage.Rows), text(l.Expected.Rows), text(l.Table.Rows), minus(l.Table.Rows, l.Expected.Rows)}}}
	for i, c := range p.R.TotalColumns {
		m := measure{c.Name, l.Archive.Amounts[i], l.Stage.Amounts[i], l.Expected.Amounts[i], l.Table.Amounts[i], ""}
		m.Diff = subtract(m.Table, m.Expected, c.Scale)
		g.Measures = append(g.Measures, m)
	}
	return g
}

func (p *page) name(values []*string) string {
	if len(values) == 0 {
		return "all rows"
	}
	return account.GroupText(values)
}

func (p *page) pair(values []*string, left, right, diff Figures, match bool) group {
	g := group{Name: p.name(values), Match: match, Measures: []measure{{Name: "rows", Expected: text(left.Rows), Table: text(right.Rows), Diff: minus(right.Rows, left.Rows)}}}
	for i, c := range p.R.TotalColumns {
		m := measure{Name: c.Name, Expected: left.Amounts[i], Table: right.Amounts[i]}
		if i < len(diff.Amounts) {
			m.Diff = diff.Amounts[i]
		}
		g.Measures = append(g.Measures, m)
	}
	return g
}

func text[T int | int64](n T) string { return fmt.Sprint(n) }

func minus(right, left int64) string {
	if right == left {
		return "0"
	}
	return fmt.Sprintf("%+d", right-left)
}

// subtract gives the exact difference of two amounts of one scale.
func subtract(right, left string, scale int) string {
	r, err1 := account.ParseDecimal(right, scale)
	l, err2 := account.ParseDecimal(left, scale)
	if err1 != nil || err2 != nil {
		return "?"
	}
	d := r.Sub(l)
	if d.IsZero() {
		return d.Decimal(scale)
	}
	return signed(d.Decimal(scale))
}
