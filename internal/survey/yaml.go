package survey

import (
	"fmt"
	"strings"
	"time"
)

// Source is what is known of the archive besides its records.
type Source struct {
	URI       string
	Layout    string // a name that datasets know
	LayoutWhy string
	Constants bool // the layout needs topic and partition said
	Topic     string
	Join      []string // kinds of side files that the dataset reads
	JoinWhy   string
	Ignore    []string // kinds of side files that it leaves out
	IgnoreWhy string
	Format    string
	Sampled   string // which objects were looked at, for people
	Idle      time.Duration
	IdleWhy   string

	Name, Table, Calendar string
}

// writer writes lines; a comment follows a value on its line.
type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// say writes a value and, if there is one, a comment behind it.
func (w *writer) say(comment, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if comment != "" {
		text += "  # " + oneLine(comment)
	}
	w.line("%s", text)
}

func (w *writer) comment(indent, text string) { w.line("%s# %s", indent, oneLine(text)) }

// oneLine keeps a comment a comment, whatever the archive's names hold.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, text)
}

// quoted is a text as a YAML scalar in double quotes.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(oneLine(text)) + `"`
}

// YAML writes the proposal as a dataset file, with the reason of each choice.
func (p *Proposal) YAML(src Source) string {
	w := &writer{}
	w.comment("", "Proposed by `backfill infer`. "+src.Sampled)
	w.comment("", fmt.Sprintf("%d records were looked at, %d of them no JSON object. Read the lines that say LOOK; then: backfill doctor --create-table, backfill run.", p.Records, p.Broken))
	for _, n := range p.Notes {
		w.comment("", n)
	}
	if len(p.Personal) > 0 {
		w.comment("", "Personal data is suspected and masked in: "+strings.Join(p.Personal, ", ")+". That needs a key, kept as a secret: BACKFILL_MASK_KEY=$(openssl rand -hex 32)")
	}
	w.line("version: 1")
	w.line("name: %s", src.Name)
	p.archive(w, src)
	p.records(w)
	w.say("zone of load days and of dates given to --from and --to; set it to the business's own before the first load", "calendar: %s", src.Calendar)
	w.line("columns:")
	for i := range p.Columns {
		p.column(w, &p.Columns[i])
	}
	for _, left := range p.LeftOut {
		w.comment("  ", "left out: "+left)
	}
	p.table(w, src)
	w.comment("", "staging: {uri: s3://…}, warehouse: {url: redshift://user@host/database, iam_role: arn:…}: or from BACKFILL_STAGING_URI, BACKFILL_WAREHOUSE_URL, BACKFILL_WAREHOUSE_IAM_ROLE")
	w.say("a larger share of rejected records stops a run before it loads", "quarantine: {max_rate: %s}", p.rate())
	p.reconcile(w)
	return w.String()
}

func (p *Proposal) archive(w *writer, src Source) {
	w.line("archive:")
	w.line("  uri: %s", quoted(src.URI))
	w.say(src.LayoutWhy, "  layout: %s", src.Layout)
	if src.Constants {
		w.say("names say neither topic nor partition", "  topic: %s", quoted(src.Topic))
		w.line("  partition: 0")
	}
	if len(src.Join) > 0 {
		w.say(src.JoinWhy, "  join: [%s]", strings.Join(src.Join, ", "))
	}
	if len(src.Ignore) > 0 {
		w.say(src.IgnoreWhy, "  ignore: [%s]", strings.Join(src.Ignore, ", "))
	}
	w.say("codec and format are told from each object's bytes", "  format: %s", src.Format)
	w.say("a guess: how much later than its event time a record may be archived", "  lateness: 72h")
	w.say(src.IdleWhy, "  idle: %s", hours(src.Idle))
}

func hours(d time.Duration) string { return fmt.Sprintf("%dh", (d+time.Hour-1)/time.Hour) }

func (p *Proposal) records(w *writer) {
	w.line("records:")
	switch {
	case len(p.Envelope) == 1:
		w.line("  envelope: %s", p.Envelope[0])
	case len(p.Envelope) > 1:
		w.line("  envelope: [%s]", strings.Join(p.Envelope, ", "))
	default:
		w.line("  envelope: none")
	}
	if p.Unpack != "" {
		w.line("  unpack: %s", p.Unpack)
	}
	if p.Types != "" {
		w.comment("  ", p.Types)
		w.comment("  ", "all are loaded; to take some: where: 'value.… in [\"…\", \"…\"]'")
	}
	if p.EventTime == nil {
		w.line("  event_time: none")
		return
	}
	w.line("  event_time: %s", from(p.EventTime.Path))
	if p.EventZone != "" {
		w.say("LOOK: a guess, the texts have no zone", "  event_time_zone: %s", p.EventZone)
	}
}

func from(path []string) string { return "value." + strings.Join(path, ".") }

func (p *Proposal) column(w *writer, c *Column) {
	kind := c.Type
	if strings.Contains(kind, ",") {
		kind = `"` + kind + `"`
	}
	text := fmt.Sprintf("  - {name: %s, type: %s, from: %s", c.Name, kind, quoted(from(c.Path)))
	if c.Required {
		text += ", required: true"
	}
	if c.Fraction != "" {
		text += ", fraction: " + c.Fraction
	}
	if c.Zone != "" {
		text += ", zone: " + c.Zone
	}
	if c.Masked {
		text += ", mask: hmac_sha256"
	}
	w.say(c.Why, "%s}", text)
}

func (p *Proposal) table(w *writer, src Source) {
	w.line("table:")
	w.line("  name: %s", src.Table)
	if p.EventTime == nil {
		w.line("  mode: append")
	} else {
		w.line("  mode: replace_window")
	}
	w.say("this dataset owns the whole table; if others write there, say which rows are ours, such as \"source = 'payroll'\"", "  scope: all")
	if p.EventTime != nil {
		w.line("  window_column: %s", p.EventTime.Name)
	}
	if p.Key != nil {
		w.say(p.KeyWhy, "  key: [%s]", p.Key.Name)
	}
	if p.Key != nil && p.LatestBy != nil {
		w.line("  latest_by: [%s]", p.LatestBy.Name)
	}
	w.say("the columns _kafka_topic, _kafka_partition, _kafka_offset, _backfill_run", "  provenance: true")
}

// rate allows three times what the sample would reject, and at least 0.1 %.
func (p *Proposal) rate() string {
	bad := p.Broken
	for _, c := range p.Columns {
		bad += c.misfits
	}
	if p.Records == 0 || bad*3*1000 <= p.Records {
		return "0.001"
	}
	return fmt.Sprintf("%.4f", min(1, float64(bad)*3/float64(p.Records)))
}

func (p *Proposal) reconcile(w *writer) {
	if p.Currency == nil || len(p.Totals) == 0 {
		return
	}
	var names []string
	for _, t := range p.Totals {
		names = append(names, t.Name)
	}
	w.say("summed exactly on every leg, never across currencies", "reconcile: {totals: [%s], by: [%s]}", strings.Join(names, ", "), p.Currency.Name)
}
