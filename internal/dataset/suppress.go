package dataset

import (
	"regexp"
	"strings"

	"backfill/internal/schema"
)

var sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)

// suppress reads records.suppress, which names the list of people whose records go
// nowhere. The list itself is read by who opens the dataset.
func (c *compiler) suppress() {
	if c.nodes.suppress == nil {
		return
	}
	s := c.section(suppressPath, suppressPath, c.nodes.suppress)
	out := Suppress{Column: -1}
	if s.values["uri"] == nil {
		c.missing(s, "uri", "add where the list is: s3://bucket/key or file:///path")
	} else if uri, ok := c.expanded(s, "uri"); ok {
		out.URI = c.storage(c.place(s, "uri"), s.key("uri"), uri)
		if _, path, _ := strings.Cut(out.URI, "://"); out.URI != "" && !strings.Contains(strings.TrimPrefix(path, "/"), "/") && strings.HasPrefix(out.URI, "s3://") {
			c.at(s.values["uri"], "write s3://bucket/key", "%s names a bucket and no object in it", s.key("uri"))
		}
	}
	if s.values["column"] == nil {
		c.missing(s, "column", "name the column that says whose record it is, such as employee_id")
	} else if name, ok := c.text(s, "column"); ok {
		out.Column = c.columnOf(s.values["column"], s.key("column"), name)
	}
	if text, ok := c.text(s, "sha256"); ok {
		if !sha256Text.MatchString(text) {
			c.at(s.values["sha256"], "leave it out to take the list as it is, or write 64 lower-case hexadecimal digits", "%s is no SHA-256", s.key("sha256"))
		}
		out.SHA256 = text
	}
	if out.Column < 0 {
		return
	}
	switch column := c.out.Columns[out.Column]; column.Type.Kind {
	case schema.Char, schema.Varchar, schema.Smallint, schema.Integer, schema.Bigint, 0:
		if column.Path == nil {
			c.at(s.values["column"], "choose the column that says whose record it is", "%s has its values from no record", column.Name)
		}
	default:
		c.at(s.values["column"], "choose text or integers", "%s can't use %s: it is %s", s.key("column"), column.Name, column.Type)
	}
	c.out.Records.Suppress = &out
}

// Suppressing returns the dataset with the list's SHA-256 in its digests: with
// another list it is another dataset, and another conversion.
func (d *Dataset) Suppressing(sha256 string) (*Dataset, error) {
	out, list := *d, *d.Records.Suppress
	list.SHA256 = sha256
	out.Records.Suppress = &list
	return &out, out.seal()
}
