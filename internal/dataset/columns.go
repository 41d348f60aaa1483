package dataset

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"backfill/internal/schema"
)

// maxColumns is Redshift's limit for a table less our technical columns.
const maxColumns = 1600 - 4

// columnNodes keeps where the parts of a column stand, by its index, for
// problems that other sections find.
type columnNodes struct {
	item, required, zone, overflow, mask []*yaml.Node // all but item: the item where the key is absent
	bare                                 []bool       // neither from nor const

	suppress *yaml.Node // records.suppress, which names a column; nil: absent
}

// columns reads the list of columns. A column with problems is kept as far as
// it is known, so that sections which name it do not complain again.
func (c *compiler) columns(root section) {
	if root.values["columns"] == nil {
		c.missing(root, "columns", "add a list of {name, type, from}")
		return
	}
	for i, n := range c.items(root, "columns", maxColumns) {
		s := c.section(columnPath, fmt.Sprintf("columns[%d]", i), n)
		column := c.column(s)
		if column.Name != "" && columnIndex(c.out.Columns, column.Name) >= 0 {
			c.at(s.values["name"], "keep one of them", "the column %s is given twice", column.Name)
		}
		c.out.Columns = append(c.out.Columns, column)
		c.nodes.item = append(c.nodes.item, n)
		c.nodes.required = append(c.nodes.required, s.or("required"))
		c.nodes.zone = append(c.nodes.zone, s.or("zone"))
		c.nodes.overflow = append(c.nodes.overflow, s.or("overflow"))
		c.nodes.mask = append(c.nodes.mask, s.or("mask"))
		c.nodes.bare = append(c.nodes.bare, s.node.Kind == yaml.MappingNode && s.values["from"] == nil && s.values["const"] == nil)
	}
	c.overflows()
	if n := root.values["columns"]; n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		c.at(n, "add a list of {name, type, from}", "columns is empty")
	}
}

// or returns a key's node, or the section's where the key is absent.
func (s section) or(key string) *yaml.Node {
	if n := s.values[key]; n != nil {
		return n
	}
	return s.node
}

func (c *compiler) column(s section) schema.Column {
	var column schema.Column
	if s.values["name"] == nil {
		c.missing(s, "name", "the table's column")
	} else if name, ok := c.text(s, "name"); ok {
		column.Name = name
		c.columnName(s.values["name"], name)
	}
	if s.values["type"] == nil {
		c.missing(s, "type", "the Redshift type, such as varchar(36) or decimal(18,2)")
	} else if text, ok := c.text(s, "type"); ok {
		t, hint, problem := parseType(text)
		if problem != "" {
			c.at(s.values["type"], hint, "%s", problem)
		}
		column.Type = t
	}
	column.Required = c.flagOf(s, "required")
	c.timestampOptions(s, &column)
	c.numberOptions(s, &column)
	switch from, constant := s.values["from"], s.values["const"]; {
	case from != nil && constant != nil:
		c.at(constant, "keep one of them", "%s has both from and const", s.name)
	case from != nil:
		column.Path = c.path(s, "from")
	case constant != nil:
		column.Const = c.constant(s, column.Type)
	}
	if s.values["overflow"] != nil {
		column.Overflow, _ = c.text(s, "overflow")
	}
	if m, ok := c.choice(s, "mask", string(schema.HMACMask)); ok {
		column.Mask = schema.Mask(m)
	}
	return column
}

// overflows checks the columns that take a value's place where it is too long
// for SUPER, and that every other column says where its values come from.
func (c *compiler) overflows() {
	used := map[string]string{}
	for i, column := range c.out.Columns {
		if column.Overflow == "" {
			continue
		}
		n, to := c.nodes.overflow[i], columnIndex(c.out.Columns, column.Overflow)
		switch {
		case column.Type.Kind != schema.Super && column.Type.Kind != 0:
			c.at(n, "take it away", "overflow is for super columns, and %s is %s", column.Name, column.Type)
		case column.Required:
			c.at(n, "take one of them away", "the column %s is required and would be NULL where it overflows", column.Name)
		case to < 0:
			c.at(n, fmt.Sprintf("add {name: %s, type: varchar(%d)} to columns", column.Overflow, schema.OverflowBytes),
				"the overflow column %s is not a column of the dataset", shown(column.Overflow))
			continue
		}
		if to < 0 {
			continue
		}
		target := c.out.Columns[to]
		switch {
		case used[column.Overflow] != "":
			c.at(n, "give each its own", "the columns %s and %s overflow into the same column", used[column.Overflow], column.Name)
		case !c.nodes.bare[to]:
			c.at(c.nodes.item[to], "take from and const away", "the overflow column %s gets its value by itself", target.Name)
		case target.Required:
			c.at(c.nodes.required[to], "take it away", "the overflow column %s is NULL for all values that fit", target.Name)
		case target.Type.Kind != 0 && (target.Type.Kind != schema.Varchar || target.Type.Length < schema.OverflowBytes):
			c.at(c.nodes.item[to], fmt.Sprintf("make it varchar(%d)", schema.OverflowBytes), "the overflow column %s is %s and may be too short", target.Name, target.Type)
		}
		used[column.Overflow] = column.Name
	}
	for i, column := range c.out.Columns {
		if c.nodes.bare[i] && used[column.Name] == "" {
			c.at(c.nodes.item[i], "say where the value comes from: `from: value.…` or `const: …`", "columns[%d] has neither from nor const", i)
		}
	}
}

// systemColumns are names that Redshift keeps for itself.
var systemColumns = []string{"oid", "tableoid", "ctid", "xmin", "cmin", "xmax", "cmax", "deletexid", "insertxid"}

func (c *compiler) columnName(n *yaml.Node, name string) {
	if !c.identifier(n, "the column name", name) {
		return
	}
	switch {
	case strings.HasPrefix(name, "_kafka_"), strings.HasPrefix(name, "_backfill_"):
		c.at(n, "choose another name; table.provenance adds these columns", "the column name %s is kept for technical columns", name)
	case contains(systemColumns, name):
		c.at(n, "choose another name", "the column name %s is kept by Redshift", name)
	}
}

// timestampOptions reads the keys that only timestamps have.
func (c *compiler) timestampOptions(s section, column *schema.Column) {
	for _, key := range []string{"fraction", "zone"} {
		if n := s.values[key]; n != nil && column.Type.Kind != schema.Timestamp && column.Type.Kind != 0 {
			c.at(n, "take it away", "%s is for timestamps, and the column is %s", s.key(key), column.Type)
		}
	}
	if fraction, ok := c.choice(s, "fraction", "reject", "floor"); ok && fraction == "floor" {
		column.Fraction = schema.FloorFraction
	}
	if zone, _, ok := c.zone(s, "zone"); ok {
		column.Zone = zone
	}
}

// numberOptions reads how numbers stand for times, and bytes for decimals.
func (c *compiler) numberOptions(s section, column *schema.Column) {
	if n := s.values["unit"]; n != nil {
		switch column.Type.Kind {
		case schema.Timestamp:
			if column.Unit, _ = c.choice(s, "unit", UnitSeconds, UnitMillis, UnitMicros, UnitNanos); column.Unit == UnitMillis {
				column.Unit = ""
			}
		case schema.Date:
			column.Unit, _ = c.choice(s, "unit", schema.UnitDays)
		case 0:
		default:
			c.at(n, "take it away", "%s is for timestamps and dates, and the column is %s", s.key("unit"), column.Type)
		}
	}
	n := s.values["unscaled"]
	if n == nil {
		return
	}
	if column.Type.Kind != schema.Decimal && column.Type.Kind != 0 {
		c.at(n, "take it away", "%s is for decimals, and the column is %s", s.key("unscaled"), column.Type)
	}
	if scale, ok := c.integer(s, "unscaled", 0, maxUnscaled); ok {
		digits := int(scale)
		column.Unscaled = &digits
	}
}

// maxUnscaled is the most digits behind the point of a decimal in base64.
const maxUnscaled = 100

// constant returns the text of const, checked and spelled as its type does.
func (c *compiler) constant(s section, t schema.Type) *string {
	n := s.values["const"]
	if !c.is(n, yaml.ScalarNode, s.key("const"), "one value") {
		return nil
	}
	if n.Tag == "!!binary" {
		c.at(n, "write text", "%s must be one value", s.key("const"))
		return nil
	}
	if strings.Contains(n.Value, "${") {
		c.at(n, "use --set", "%s can't refer to the environment", s.key("const"))
		return nil
	}
	if t.Kind == 0 {
		return nil // the type's own problem is noted
	}
	text, problem := parseConstant(n.Value, t)
	if problem != "" {
		c.at(n, "", "the constant %s does not fit %s: %s", shown(n.Value), t, problem)
		return nil
	}
	return &text
}
