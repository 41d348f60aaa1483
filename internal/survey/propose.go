package survey

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Column is a proposed column.
type Column struct {
	Name, Type string
	Path       []string // below the record's value
	Required   bool
	Fraction   string // reject or floor; "" for other types
	Zone       string // of texts without one
	Masked     bool
	Why        string // what it rests on

	node    *node
	misfits int64 // values of the sample that it will not take
}

// Proposal is what a sample suggests. It is a start for a person, and complete.
type Proposal struct {
	Records, Broken int64
	Envelope        []string // from the outside
	Unpack          string
	BodyOffsets     bool // the envelope has topic, partition and offset
	Columns         []Column
	EventTime       *Column // nil: none was found
	EventZone       string
	EventUnit       string
	Key             *Column
	KeyWhy          string
	LatestBy        *Column
	Currency        *Column
	Totals          []Column
	Types           string   // of events, with their shares; "" if no field says it
	LeftOut         []string // fields without a column, each with the reason
	Notes           []string // for the top of the file
	Personal        []string // columns that are masked
}

// most columns and steps of a proposal.
const (
	mostColumns  = 300
	flattenKeys  = 12 // an object with more fields stays one SUPER column
	flattenDepth = 2
)

// proposer builds a proposal.
type proposer struct {
	s     *Survey
	p     *Proposal
	value *node // the record's value, inside envelopes
	taken map[string]bool
}

// Propose says what the sample suggests.
func (s *Survey) Propose() *Proposal {
	p := &proposer{s: s, p: &Proposal{Records: s.records, Broken: s.broken}, taken: map[string]bool{}}
	p.value = p.open()
	p.fields(p.value, nil)
	p.eventTime()
	p.key()
	p.currency()
	p.types()
	if s.overflow > 0 {
		p.p.LeftOut = append(p.p.LeftOut, fmt.Sprintf("%d values of fields beyond the first %d, or nested deeper than %d", s.overflow, maxNodes, maxDepth))
	}
	return p.p
}

// open finds the envelopes around the value and returns the value.
func (p *proposer) open() *node {
	n := p.s.root
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			c := n.children[name]
			return c == nil || (c.seen()+c.nulls)*100 < n.objects*95
		})
	}
	only := func(names ...string) bool {
		return !slices.ContainsFunc(n.order, func(c *node) bool { return !slices.Contains(names, c.name) })
	}
	for range 4 {
		layer, into := "", ""
		switch {
		case has("value", "metadata") && n.children["metadata"].children["offset"] != nil:
			layer, into, p.p.BodyOffsets = "lenses", "value", true
		case has("value") && only("key", "value", "offset", "timestamp", "headers", "topic", "partition") && len(n.order) > 1:
			layer, into = "aiven", "value"
			p.p.BodyOffsets = has("offset")
		case has("schema", "payload") && only("schema", "payload"):
			layer, into = "connect", "payload"
		case has("op", "source") && n.children["after"] != nil:
			layer, into = "debezium", "after"
		case has("specversion", "data"):
			layer, into = "cloudevents", "data"
		}
		if layer == "" {
			return n
		}
		p.p.Envelope = append(p.p.Envelope, layer)
		n = n.children[into]
		if n.strings.packed*2 > n.seen() {
			p.p.Unpack = "text"
			p.note("values are JSON inside strings: their fields can't be seen in this sample; they come as one column. Name fields as value.FIELD by hand")
			return n
		}
	}
	return n
}

func (p *proposer) note(format string, args ...any) {
	p.p.Notes = append(p.p.Notes, fmt.Sprintf(format, args...))
}

func (p *proposer) leave(path []string, format string, args ...any) {
	p.p.LeftOut = append(p.p.LeftOut, "value."+strings.Join(path, ".")+": "+fmt.Sprintf(format, args...))
}

// fields proposes a column for each field below n.
func (p *proposer) fields(n *node, path []string) {
	for _, c := range n.order {
		at := append(slices.Clone(path), c.name)
		switch {
		case !named(c.name):
			p.leave(at, "a path can't name it; it stays readable in the archive")
		case len(p.p.Columns) >= mostColumns:
			p.leave(at, "there are more than %d columns already", mostColumns)
		case c.seen() == 0:
			p.leave(at, "null in every record of the sample, so its type is not known")
		case p.flat(c, len(at)):
			p.fields(c, at)
		default:
			p.column(c, at, n)
		}
	}
}

// named reports whether a path can lead through a field of this name.
func named(name string) bool {
	return name != "" && len(name) <= 255 && utf8.ValidString(name) && oneLine(name) == name && !strings.ContainsAny(name, ". \"'`*?[]\ufffd")
}

// flat reports whether an object becomes columns of its fields: few fields, each
// of them mostly there. Others stay whole, as SUPER.
func (p *proposer) flat(c *node, depth int) bool {
	if c.objects == 0 || c.objects != c.seen() || len(c.order) == 0 || len(c.order) > flattenKeys || depth >= flattenDepth+1 {
		return false
	}
	return !slices.ContainsFunc(c.order, func(f *node) bool { return (f.seen()+f.nulls)*2 < c.objects })
}

// column proposes one column, and says how often its field is there.
func (p *proposer) column(c *node, path []string, parent *node) {
	name := column(path)
	for i := 2; p.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", column(path), i)
	}
	p.taken[name] = true
	col := Column{Name: name, Path: path, node: c}
	why := []string{"in " + share(c.seen(), parent.objects) + " of the records"}
	if len(path) > 1 {
		why[0] = "in " + share(c.seen(), parent.objects) + " of the objects around it"
	}
	if c.seen()*100 < parent.objects {
		why[0] += ", so rare"
	}
	why = append(why, typeOf(c, &col)...)
	p.mask(&col, &why)
	col.Why = strings.Join(why, "; ")
	p.p.Columns = append(p.p.Columns, col)
}

// mask hides what may be personal, by name or by shape.
func (p *proposer) mask(col *Column, why *[]string) {
	t := &col.node.strings
	what := personal(strings.Join(col.Path, "_"))
	switch {
	case t.n > 0 && t.email*2 > t.n:
		what = "an e-mail address"
	case t.n > 0 && t.iban*2 > t.n:
		what = "a bank account"
	case t.n > 0 && t.ssn*2 > t.n:
		what = "a national identity number"
	}
	if what == "" {
		p.inside(col, why)
		return
	}
	if t.n != col.node.seen() {
		*why = append(*why, "LOOK: may be "+what+", and only texts can be masked")
		return
	}
	col.Type, col.Masked, col.Fraction, col.Zone = "varchar(64)", true, "", ""
	*why = append(*why, "may be "+what+": masked")
	p.p.Personal = append(p.p.Personal, col.Name)
}

// inside warns of personal data in an object that stays whole.
func (p *proposer) inside(col *Column, why *[]string) {
	var look func(n *node) string
	look = func(n *node) string {
		for _, c := range n.order {
			if what := personal(c.name); what != "" {
				return c.name + " may be " + what
			}
			if found := look(c); found != "" {
				return c.name + "." + found
			}
		}
		return ""
	}
	if found := look(col.node); found != "" {
		*why = append(*why, "LOOK: inside, "+found+"; parts of a column can't be masked")
	}
}
