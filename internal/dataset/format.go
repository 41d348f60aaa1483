package dataset

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// format reads archive.format, a name or {csv: …}, {text: …} or {bytes: …}; its
// default is to look at the bytes.
func (c *compiler) format(s section) string {
	n := s.values["format"]
	a := &c.out.Archive
	a.Delimiter = "\n"
	switch {
	case n == nil:
		return FormatAuto
	case n.Kind == yaml.MappingNode:
		return c.settledFormat(c.section(formatPath, formatPath, n))
	}
	name, ok := c.text(s, "format")
	if ok && !contains(formats, name) {
		c.at(n, "use "+strings.Join(formats, ", ")+"; compression is always read from the bytes", "archive.format %s is not known", shown(name))
	}
	return name
}

// settledFormat reads a format with settings.
func (c *compiler) settledFormat(s section) string {
	a := &c.out.Archive
	if len(s.values) != 1 {
		c.at(s.node, "write one of {csv: …}, {text: …}, {bytes: …}", "archive.format names %d formats", len(s.values))
	}
	if n := s.values[FormatCSV]; n != nil {
		o := c.section(csvPath, csvPath, n)
		a.CSV.Columns, _ = c.names(o, "columns")
		if o.values["columns"] != nil && len(a.CSV.Columns) == 0 {
			c.at(o.values["columns"], "name the fields, or leave it out if each object's first row does", "%s is empty", o.key("columns"))
		}
		a.CSV.Delimiter = c.delimiter(o, "delimiter", ",")
		if len(a.CSV.Delimiter) > 1 || a.CSV.Delimiter == `"` {
			c.at(o.values["delimiter"], "", "%s must be one byte and no quote", o.key("delimiter"))
		}
		return FormatCSV
	}
	for _, name := range []string{FormatText, FormatBytes} {
		if n := s.values[name]; n != nil {
			path := formatPath + "." + name
			o := c.section(path, path, n)
			if text, ok := c.scalar(o, "delimiter", "text", "!!str"); ok {
				if a.Delimiter = text; len(text) > maxDelimiter {
					c.at(o.values["delimiter"], "", "%s has more than %d bytes", o.key("delimiter"), maxDelimiter)
				}
			}
			return name
		}
	}
	return FormatAuto
}

// formatForm is the format as the file has it.
func (a Archive) formatForm() any {
	switch {
	case a.Format == FormatCSV && (a.CSV.Columns != nil || a.CSV.Delimiter != ""):
		settings := map[string]any{}
		if a.CSV.Columns != nil {
			settings["columns"] = a.CSV.Columns
		}
		if a.CSV.Delimiter != "" {
			settings["delimiter"] = a.CSV.Delimiter
		}
		return map[string]any{FormatCSV: settings}
	case (a.Format == FormatText || a.Format == FormatBytes) && a.Delimiter != "\n":
		return map[string]any{a.Format: map[string]string{"delimiter": a.Delimiter}}
	}
	return a.Format
}
