package dataset

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxOverrides bounds the number of --set flags.
const maxOverrides = 100

// override applies the --set flags to the tree, each as path=value with the
// value in YAML. An empty value or None takes the key away, as templates render
// a missing value so.
func (c *compiler) override(root *yaml.Node, overrides []string) {
	if len(overrides) > maxOverrides {
		c.elsewhere("--set", "put them into the dataset file", "%d flags are given, more than %d", len(overrides), maxOverrides)
		return
	}
	for _, one := range overrides {
		path, value, ok := strings.Cut(one, "=")
		path = strings.TrimSpace(path)
		if !ok || path == "" {
			// The text is not shown: it may be a secret given by mistake.
			c.elsewhere("--set", "write --set path=value, as in --set archive.lateness=72h", "a flag is not path=value")
			continue
		}
		if strings.ContainsAny(path, "[]") {
			c.elsewhere("--set "+path, "give the whole list", "items of a list can't be set one by one")
			continue
		}
		c.set(root, path, strings.TrimSpace(value))
	}
}

func (c *compiler) set(root *yaml.Node, path, value string) {
	steps := strings.Split(path, ".")
	at := root
	for i, step := range steps[:len(steps)-1] {
		next := lookup(at, step)
		if next == nil {
			if value == "" || value == "None" {
				return
			}
			next = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			c.put(at, path, step, next)
		}
		if next.Kind != yaml.MappingNode {
			whole := strings.Join(steps[:i+1], ".")
			c.elsewhere("--set "+path, "set "+whole+" as a whole", "%s is not a mapping of keys", whole)
			return
		}
		at = next
	}
	last := steps[len(steps)-1]
	if value == "" || value == "None" {
		remove(at, last)
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(value), &doc); err != nil || len(doc.Content) != 1 {
		c.elsewhere("--set "+path, "quote the value for YAML as well as for the shell", "the value is not YAML")
		return
	}
	c.put(at, path, last, doc.Content[0])
}

// put sets a key of the mapping to the node and notes where the node came from.
func (c *compiler) put(mapping *yaml.Node, flag, key string, n *yaml.Node) {
	c.mark(n, "--set "+flag)
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i+1] = n
			return
		}
	}
	keyNode := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}
	c.mark(keyNode, "--set "+flag)
	mapping.Content = append(mapping.Content, keyNode, n)
}

// mark notes where a node that is not in the file comes from.
func (c *compiler) mark(n *yaml.Node, origin string) {
	c.origin[n] = origin
	for _, below := range n.Content {
		c.mark(below, origin)
	}
}

func lookup(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func remove(mapping *yaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = append(mapping.Content[:i], mapping.Content[i+2:]...)
			return
		}
	}
}
