package survey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// always reports whether nearly every record has the column's field.
func (p *proposer) always(c *Column) bool {
	return c.node.seen()*1000 >= (p.s.records-p.s.broken)*990
}

// eventTime chooses the column that says when an event took place.
func (p *proposer) eventTime() {
	names := []string{"occurred_at", "event_time", "event_timestamp", "happened_at", "occurred", "event_at", "effective_at", "event_date", "timestamp", "time", "ts", "created_at", "created", "date"}
	rank := func(c *Column) int {
		for i, name := range names {
			if c.Name == name {
				return i
			}
			if strings.HasSuffix(c.Name, "_"+name) {
				return len(names) + i
			}
		}
		return 3 * len(names)
	}
	var best *Column
	var others []string
	for i := range p.p.Columns {
		c := &p.p.Columns[i]
		if c.Type != "timestamp" || c.Masked || !p.always(c) {
			continue
		}
		if best == nil || rank(c) < rank(best) {
			best = c
		}
		others = append(others, c.Name)
	}
	if best == nil {
		p.note("no field has a time in nearly every record, so that there is no event time: rows are appended, and --from and --to mean nothing")
		return
	}
	best.Required = true
	p.p.EventTime, p.p.EventZone = best, best.Zone
	if others = slices.DeleteFunc(others, func(name string) bool { return name == best.Name }); len(others) > 0 {
		p.note("event time: %s by its name; also possible: %s", best.Name, strings.Join(others, ", "))
	}
}

// key chooses what tells rows apart: a field that is always there and nearly
// always another. Archives hold copies and corrections, so that not all differ.
func (p *proposer) key() {
	var candidates []*Column
	for i := range p.p.Columns {
		c := &p.p.Columns[i]
		plain := strings.HasPrefix(c.Type, "varchar") || c.Type == "bigint" || c.Type == "integer"
		if plain && p.always(c) && !money(c.Name) && p.differs(c) >= 0.5 {
			candidates = append(candidates, c)
		}
	}
	rank := func(c *Column) int {
		switch {
		case slices.Contains([]string{"event_id", "id", "uuid", "record_id", "message_id", "event_uuid", "transaction_id"}, c.Name):
			return 0
		case strings.HasSuffix(c.Name, "_id") || strings.HasSuffix(c.Name, "uuid"):
			return 1
		case c.node.strings.uuid == c.node.seen():
			return 2
		}
		return 3
	}
	slices.SortStableFunc(candidates, func(a, b *Column) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(p.differs(b), p.differs(a)))
	})
	if len(candidates) == 0 || rank(candidates[0]) == 3 {
		p.note("no field tells records apart: rows are not de-duplicated by key, and replaced rows are guarded by their number alone")
		return
	}
	p.p.Key = candidates[0]
	p.p.Key.Required = true
	p.p.KeyWhy = fmt.Sprintf("%s of %s records differ in it", count(len(p.p.Key.node.distinct), p.p.Key.node.more), fmt.Sprint(p.p.Key.node.seen()))
	p.latest()
}

func count(n int, more bool) string {
	if more {
		return fmt.Sprintf("more than %d", n)
	}
	return fmt.Sprint(n)
}

// differs is the share of distinct values.
func (p *proposer) differs(c *Column) float64 {
	if c.node.more {
		return 1
	}
	return float64(len(c.node.distinct)) / float64(max(c.node.seen(), 1))
}

// latest chooses which version of a key wins.
func (p *proposer) latest() {
	for _, name := range []string{"version", "revision", "sequence", "seq", "updated_at", "modified_at", "last_modified", "updated"} {
		for i := range p.p.Columns {
			c := &p.p.Columns[i]
			ordered := c.Type == "bigint" || c.Type == "integer" || c.Type == "timestamp"
			if ordered && p.always(c) && (c.Name == name || strings.HasSuffix(c.Name, "_"+name)) {
				c.Required = true
				p.p.LatestBy = c
				return
			}
		}
	}
	if p.p.LatestBy = p.p.EventTime; p.p.LatestBy != nil {
		p.note("no version number was found: of two records with one key the later event wins")
	}
}

// currency finds what amounts are counted in, and the amounts. Money without a
// currency is never summed.
func (p *proposer) currency() {
	for i := range p.p.Columns {
		c := &p.p.Columns[i]
		if c.Type == "char(3)" && says(c.Name, "currency", "ccy", "curr") {
			p.p.Currency = c
			break
		}
	}
	for i := range p.p.Columns {
		c := &p.p.Columns[i]
		if (strings.HasPrefix(c.Type, "decimal") || c.Type == "bigint") && money(c.Name) && !c.Masked {
			p.p.Totals = append(p.p.Totals, *c)
		}
	}
	if p.p.Currency == nil && len(p.p.Totals) > 0 {
		p.note("amounts were found, but no currency: they are loaded exactly and not summed. If all are of one currency, add a constant column: {name: currency, type: char(3), const: EUR}")
	}
}

// types says which kinds of events there are, for records.where.
func (p *proposer) types() {
	for i := range p.p.Columns {
		c := &p.p.Columns[i]
		if c.Masked || c.node.tags == nil || len(c.node.tags) < 2 || !says(c.Name, "type", "kind", "event") || !strings.HasPrefix(c.Type, "varchar") {
			continue
		}
		type tag struct {
			text string
			n    int64
		}
		var tags []tag
		for text, n := range c.node.tags {
			tags = append(tags, tag{text, n})
		}
		slices.SortFunc(tags, func(a, b tag) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.text, b.text)) })
		var list []string
		for _, t := range tags {
			list = append(list, fmt.Sprintf("%q (%s)", t.text, share(t.n, c.node.seen())))
		}
		p.p.Types = "value." + strings.Join(c.Path, ".") + ": " + strings.Join(list, ", ")
		return
	}
}
