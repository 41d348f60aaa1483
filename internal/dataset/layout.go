package dataset

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDelimiter is the longest delimiter in bytes.
const maxDelimiter = 8

// layout reads archive.layout, the constants that stand in for what names do not
// say, and what archive.ignore and archive.join say of side files.
func (c *compiler) layout(s section) {
	n := s.values["layout"]
	switch {
	case n == nil:
		c.missing(s, "layout", "write `layout: confluent` or `layout: {key_pattern: …}`")
	case n.Kind == yaml.MappingNode:
		c.settledLayout(s, c.section(layoutPath, layoutPath, n))
	default:
		c.namedLayout(s, n)
	}
	l := &c.out.Archive.Layout
	l.Ignore = c.sides(s, "ignore")
	l.Join = c.sides(s, "join")
	for _, kind := range l.Join {
		if contains(l.Ignore, kind) {
			c.at(s.values["join"], "keep one of them", "archive.join and archive.ignore both name %s", kind)
		}
	}
}

const layoutHint = "use auto, confluent, lenses, aiven, firehose, msk, secor, wix, unnamed or {key_pattern: …}"

func (c *compiler) namedLayout(s section, n *yaml.Node) {
	name, ok := c.text(s, "layout")
	switch {
	case !ok:
		return
	case !contains(layouts, name):
		c.at(n, layoutHint, "archive.layout %s is not known", shown(name))
		return
	}
	l := Layout{Name: name}
	c.constantsOf(s, &l)
	c.out.Archive.Layout = l
}

// settledLayout reads a layout with settings: {key_pattern: …}, {confluent: {…}}
// or {aiven: {…}}.
func (c *compiler) settledLayout(s, layout section) {
	switch {
	case layout.values[LayoutConfluent] != nil:
		o := c.section(confluentPath, confluentPath, layout.values[LayoutConfluent])
		l := Layout{Name: LayoutConfluent, FileDelim: c.delimiter(o, "file_delim", "+"), DirectoryDelim: c.delimiter(o, "directory_delim", "/")}
		c.constantsOf(s, &l)
		c.out.Archive.Layout = l
	case layout.values[LayoutAiven] != nil:
		o := c.section(aivenPath, aivenPath, layout.values[LayoutAiven])
		l := Layout{Name: LayoutAiven}
		if template, ok := c.text(o, "template"); ok {
			l.Template = template
		} else if o.values["template"] == nil {
			c.missing(o, "template", "write the sink's file.name.template, or layout: aiven for its default")
		}
		c.constantsOf(s, &l)
		c.out.Archive.Layout = l
	default:
		c.keyPattern(s, layout)
		return
	}
	if len(layout.values) > 1 {
		c.at(layout.node, "keep one of them", "archive.layout names more than one layout")
	}
}

// delimiter returns a key's text, "" for the default.
func (c *compiler) delimiter(s section, key, standard string) string {
	text, ok := c.scalar(s, key, "text", "!!str")
	switch {
	case !ok || text == standard:
		return ""
	case text == "" || len(text) > maxDelimiter || strings.ContainsAny(text, "\x00\r\n"):
		c.at(s.values[key], "write it as the sink's setting has it", "%s must have 1 to %d bytes of one line", s.key(key), maxDelimiter)
	}
	return text
}

// constantsOf reads archive.topic and archive.partition for layouts whose names
// lack them.
func (c *compiler) constantsOf(s section, l *Layout) {
	may := l.Name == LayoutFirehose || l.Name == LayoutUnnamed || l.Template != ""
	for _, key := range []string{"topic", "partition"} {
		switch constant := s.values[key]; {
		case constant != nil && !may:
			c.at(constant, "take it away", "archive.%s does not go with the layout %s, whose keys say it", key, l.Name)
		case constant == nil && l.Name == LayoutUnnamed:
			c.at(s.values["layout"], "add archive."+key+": keys of this layout do not say it", "archive.%s is missing", key)
		}
	}
	if !may {
		return
	}
	c.constants(s, l)
}

func (c *compiler) constants(s section, l *Layout) {
	if topic, ok := c.text(s, "topic"); ok {
		l.Topic = topic
		c.topic(s.values["topic"], topic)
	}
	if partition, ok := c.integer(s, "partition", 0, 1<<31-1); ok {
		number := int32(partition)
		l.Partition = &number
	}
}

// sides reads archive.ignore or archive.join: which side files of the Confluent
// sink are left out, and which are read with their values.
func (c *compiler) sides(s section, key string) []string {
	n := s.values[key]
	if n == nil {
		return nil
	}
	if c.out.Archive.Layout.Name != LayoutConfluent {
		c.at(n, "take it away", "archive.%s goes with the confluent layout only", key)
		return nil
	}
	texts, nodes := c.names(s, key)
	for i, text := range texts {
		if !contains(sideFiles, text) {
			c.at(nodes[i], "use keys, headers, tombstones", "archive.%s %s is no kind of side file", key, shown(text))
		}
	}
	var list []string
	for _, known := range sideFiles { // in one order, whatever the file's
		if contains(texts, known) {
			list = append(list, known)
		}
	}
	return list
}

// keyPattern reads {key_pattern: …}: which of topic, partition and offset the
// pattern finds, and which constants stand in for the rest.
func (c *compiler) keyPattern(s, layout section) {
	n := layout.values["key_pattern"]
	text, ok := c.text(layout, "key_pattern")
	if n == nil && len(layout.values) == 0 && len(layout.node.Content) == 0 {
		c.at(layout.node, "write {key_pattern: …}", "archive.layout is empty")
	}
	if !ok {
		return
	}
	if len(text) > maxPattern {
		c.at(n, "", "the key_pattern has %d bytes, more than %d", len(text), maxPattern)
		return
	}
	pattern, err := regexp.Compile(`^(?:` + text + `)$`)
	if _, alone := regexp.Compile(text); err != nil || alone != nil {
		c.at(n, "it is a Go regular expression (RE2): no look-around, no back-references", "the key_pattern does not compile")
		return
	}
	l := Layout{Name: LayoutKeyPattern, KeyPattern: text, Pattern: pattern}
	groups := map[string]bool{}
	for _, group := range pattern.SubexpNames() {
		if group != "" && !contains([]string{"topic", "partition", "offset"}, group) {
			c.at(n, "groups are topic, partition and offset", "the key_pattern has an unknown group %s", shown(group))
		}
		groups[group] = true
	}
	c.layoutConstants(s, &l, groups)
	c.out.Archive.Layout = l
}

func (c *compiler) layoutConstants(s section, l *Layout, groups map[string]bool) {
	for _, key := range []string{"topic", "partition"} {
		constant := s.values[key]
		switch {
		case groups[key] && constant != nil:
			c.at(constant, "keep one of them", "archive.%s is given, and the key_pattern has a group %s", key, key)
		case !groups[key] && constant == nil:
			c.at(s.values["layout"], "add (?P<"+key+">…) or the constant archive."+key, "the key_pattern has no group %s", key)
		}
	}
	c.constants(s, l)
}

// Layouts returns the names that archive.layout takes.
func Layouts() []string {
	return []string{LayoutAuto, LayoutConfluent, LayoutLenses, LayoutAiven, LayoutFirehose, LayoutMSK, LayoutSecor, LayoutWix, LayoutUnnamed}
}
