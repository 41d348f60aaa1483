package dataset

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxText bounds the file; a dataset of 1,600 columns is far below it.
const maxText = 1 << 20

// yamlLine finds the line that the YAML parser names in its message.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parse reads the text into its root mapping. It returns nil after noting a
// problem if there is nothing to go on with.
func (c *compiler) parse(text []byte) *yaml.Node {
	if len(text) > maxText {
		c.position(1, 1, "datasets are small documents: is this the right file?", "the file has %d bytes, more than %d", len(text), maxText)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		c.position(1, 1, "start with `version: 1`", "the file is empty")
		return nil
	}
	if err != nil {
		c.syntax(err)
		return nil
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		c.at(&second, "one file is one dataset: put the other into its own file", "a second YAML document starts here")
		return nil
	case !errors.Is(err, io.EOF):
		c.syntax(err)
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		c.at(root, "start with `version: 1`", "the file is not a mapping of keys")
		return nil
	}
	return root
}

func (c *compiler) syntax(err error) {
	text := err.Error()
	found := yamlLine.FindStringSubmatch(text)
	if found == nil {
		c.position(1, 1, "", "the file is not YAML: %s", text)
		return
	}
	line, _ := strconv.Atoi(found[1])
	c.position(line, 1, "look at this line and the one before; quote text that holds `: ` or ` #`",
		"the file is not YAML: %s", strings.TrimPrefix(text, found[0]))
}

// section is a mapping whose keys were checked.
type section struct {
	path   string                // as in known, for the tables
	name   string                // as in messages: columns[3]
	node   *yaml.Node            // the mapping; the next mapping above it when the section is absent
	values map[string]*yaml.Node // nil when the section is absent
}

// key names a key of the section for messages.
func (s section) key(key string) string {
	if s.name == "" {
		return key
	}
	return s.name + "." + key
}

// section checks a mapping against the known keys. What is wrong is noted;
// what is right can be read from the result.
func (c *compiler) section(path, name string, n *yaml.Node) section {
	s := section{path: path, name: name, node: n, values: map[string]*yaml.Node{}}
	if !c.is(n, yaml.MappingNode, name, "a mapping of keys") {
		return s
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode, value := n.Content[i], n.Content[i+1]
		if keyNode.Kind != yaml.ScalarNode {
			c.at(keyNode, "", "a key must be a plain word")
			continue
		}
		key := keyNode.Value
		switch {
		case s.values[key] != nil:
			c.at(keyNode, "keep one of them", "%s is given twice", s.key(key))
		case contains(known[path], key):
			s.values[key] = value
		default:
			if hint, ok := later[path][key]; ok {
				c.at(keyNode, hint, "%s is not supported by this version", s.key(key))
				continue
			}
			c.at(keyNode, keyHint(path, key), "unknown key %s", shown(key))
		}
	}
	return s
}

// child checks the section below a key; absent, its values are all absent.
func (c *compiler) child(parent section, key string) section {
	n := parent.values[key]
	if n == nil {
		return section{path: key, name: key, node: parent.node}
	}
	return c.section(key, key, n)
}

// is reports whether the node has the kind, and notes a problem if not.
func (c *compiler) is(n *yaml.Node, kind yaml.Kind, name, wanted string) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		c.at(n, "write the value out", "anchors and aliases are not supported")
		return false
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		c.at(n, "give it a value or take the key away", "%s has no value", name)
		return false
	}
	if n.Kind != kind {
		c.at(n, "", "%s must be %s", name, wanted)
		return false
	}
	return true
}

// missing notes that a key must be there. A section that is no mapping has its
// own problem already.
func (c *compiler) missing(s section, key, hint string) {
	if s.node.Kind != yaml.MappingNode {
		return
	}
	c.at(s.node, hint, "%s is missing", s.key(key))
}

// scalar returns the text of a scalar as spelled, false if the key is absent
// or wrong.
func (c *compiler) scalar(s section, key, wanted string, tags ...string) (string, bool) {
	n := s.values[key]
	if n == nil || !c.is(n, yaml.ScalarNode, s.key(key), wanted) {
		return "", false
	}
	if !contains(tags, n.Tag) {
		c.at(n, "", "%s must be %s, not %s", s.key(key), wanted, shown(n.Value))
		return "", false
	}
	return n.Value, true
}

// text returns a key's text, trimmed; false if absent or wrong.
func (c *compiler) text(s section, key string) (string, bool) {
	value, ok := c.scalar(s, key, "text", "!!str")
	if !ok {
		return "", false
	}
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		c.at(s.values[key], "give it a value or take the key away", "%s is empty", s.key(key))
	case strings.Contains(value, "${"):
		c.at(s.values[key], "only addresses, the role and the password may refer to the environment; use --set for the rest",
			"%s can't refer to the environment", s.key(key))
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }):
		c.at(s.values[key], "", "%s holds a control character", s.key(key))
	default:
		return value, true
	}
	return "", false
}

// choice returns a key's text if it is one of the words.
func (c *compiler) choice(s section, key string, words ...string) (string, bool) {
	value, ok := c.text(s, key)
	if !ok {
		return "", false
	}
	if contains(words, value) {
		return value, true
	}
	c.at(s.values[key], "", "%s must be %s, not %s", s.key(key), strings.Join(words, " or "), shown(value))
	return "", false
}

// flagOf returns a key's truth value; absent or wrong is false.
func (c *compiler) flagOf(s section, key string) bool {
	value, ok := c.scalar(s, key, "true or false", "!!bool")
	return ok && strings.EqualFold(value, "true")
}

// integer returns a key's whole number between low and high.
func (c *compiler) integer(s section, key string, low, high int64) (int64, bool) {
	value, ok := c.scalar(s, key, "a whole number", "!!int")
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil || number < low || number > high {
		c.at(s.values[key], "", "%s must be a whole number from %d to %d, not %s", s.key(key), low, high, shown(value))
		return 0, false
	}
	return number, true
}

// items returns the nodes of a list, nil if absent or wrong.
func (c *compiler) items(s section, key string, most int) []*yaml.Node {
	n := s.values[key]
	if n == nil || !c.is(n, yaml.SequenceNode, s.key(key), "a list") {
		return nil
	}
	if len(n.Content) > most {
		c.at(n, "", "%s has %d items, more than %d", s.key(key), len(n.Content), most)
		return nil
	}
	return n.Content
}

// names returns the texts of a list of different names with their nodes.
func (c *compiler) names(s section, key string) ([]string, []*yaml.Node) {
	var texts []string
	var nodes []*yaml.Node
	for _, n := range c.items(s, key, maxColumns) {
		if !c.is(n, yaml.ScalarNode, "an item of "+s.key(key), "a column's name") {
			continue
		}
		if contains(texts, n.Value) {
			c.at(n, "keep one of them", "%s names %s twice", s.key(key), shown(n.Value))
			continue
		}
		texts, nodes = append(texts, n.Value), append(nodes, n)
	}
	return texts, nodes
}

func contains(list []string, word string) bool {
	for _, one := range list {
		if one == word {
			return true
		}
	}
	return false
}
