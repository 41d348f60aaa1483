package dataset

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"backfill/internal/schema"
)

// table reads the table section and checks it against columns and event time.
func (c *compiler) table(root section) {
	s := c.child(root, "table")
	t := &c.out.Table
	c.tableName(s)
	c.mode(s)
	switch scope, ok := c.text(s, "scope"); {
	case s.values["scope"] == nil:
		c.missing(s, "scope", "write the predicate of the rows that this dataset owns, or `all` for the whole table")
	case ok && scope != "all":
		if hint, problem := checkScope(scope); problem != "" {
			c.at(s.values["scope"], hint, "table.scope %s", problem)
		}
		t.Scope = scope
	}
	t.Key = c.columnNames(s, "key")
	t.LatestBy = c.columnNames(s, "latest_by")
	for _, name := range t.LatestBy {
		if i := columnIndex(c.out.Columns, name); i >= 0 && c.out.Columns[i].Mask != schema.NoMask {
			c.at(s.values["latest_by"], "choose another column", "latest_by names %s, which is masked: masked values have no order", name)
		}
	}
	if len(t.LatestBy) > 0 && s.values["key"] == nil {
		c.at(s.values["latest_by"], "add table.key or take latest_by away", "latest_by chooses among rows of one key, and there is no key")
	}
	c.keyRequired(s)
	c.notLoaded(s)
	t.Provenance = c.flagOf(s, "provenance")
	c.deleted(s)
	c.versions(s)
	c.generations(s)
	c.window(s)
}

func (c *compiler) tableName(s section) {
	if s.values["name"] == nil {
		c.missing(s, "name", "write schema.table")
		return
	}
	name, ok := c.text(s, "name")
	if !ok {
		return
	}
	parts := strings.Split(name, ".")
	if len(parts) != 2 {
		c.at(s.values["name"], "write schema.table", "table.name %s is not schema.table", shown(name))
		return
	}
	if c.identifier(s.values["name"], "the schema", parts[0]) && c.identifier(s.values["name"], "the table", parts[1]) {
		c.out.Table.Schema, c.out.Table.Name = parts[0], parts[1]
	}
}

func (c *compiler) mode(s section) {
	if s.values["mode"] == nil {
		c.missing(s, "mode", "write "+modes)
		return
	}
	mode, ok := c.text(s, "mode")
	switch {
	case !ok:
	case slices.Contains([]Mode{ReplaceWindow, InsertMissing, Upsert, Append}, Mode(mode)):
		c.out.Table.Mode = Mode(mode)
	default:
		c.at(s.values["mode"], "use "+modes, "table.mode %s is not known", shown(mode))
	}
}

const modes = "replace_window, upsert, append or insert_missing"

// versions checks that a mode which looks for keys in the table can tell rows
// and their versions apart there.
func (c *compiler) versions(s section) {
	t := &c.out.Table
	mode := s.or("mode")
	if (t.Mode == Upsert || t.Mode == InsertMissing) && s.values["key"] == nil {
		c.at(mode, "add table.key, or use replace_window", "%s finds rows by their key, and there is no key", t.Mode)
	}
	if t.Mode != Upsert {
		return
	}
	if s.values["latest_by"] == nil {
		c.at(mode, "add table.latest_by, such as the event time or a version number", "upsert replaces a row by a newer version only, and without latest_by no version is newer")
	}
	if !t.Provenance {
		c.at(mode, "add `provenance: true` and the columns to the table", "upsert orders equal versions by their Kafka offset, which the table does not hold without provenance")
	}
}

// generations checks that rows of a topic that was made anew can be told apart
// without their offsets.
func (c *compiler) generations(s section) {
	t := &c.out.Table
	switch {
	case len(c.out.Archive.Recreated) == 0:
	case t.Mode == Append:
		c.at(s.or("mode"), "use insert_missing, or a dataset for each topic", "append knows records by their offset, and archive.recreated says that offsets began again")
	case len(t.Key) > 0 && len(t.LatestBy) == 0:
		c.at(s.or("key"), "add table.latest_by, such as the event time", "without latest_by the version with the highest offset wins, and archive.recreated says that offsets began again")
	}
}

// deleted reads the column that marks a key as deleted.
func (c *compiler) deleted(s section) {
	name, ok := c.text(s, "deleted")
	if !ok {
		return
	}
	i := c.columnOf(s.values["deleted"], "table.deleted", name)
	switch {
	case i < 0:
	case c.out.Columns[i].Type.Kind != schema.Boolean && c.out.Columns[i].Type.Kind != 0:
		c.at(s.values["deleted"], "choose a boolean column", "table.deleted names %s, which is %s", name, c.out.Columns[i].Type)
	case c.out.Table.Mode != Upsert && c.out.Table.Mode != "":
		c.at(s.values["deleted"], "take it away, or use upsert", "table.deleted belongs to mode upsert: in %s every row is what the archive says last", c.out.Table.Mode)
	default:
		c.out.Table.Deleted = name
	}
}

// columnNames returns a list of names of the dataset's columns that can be
// compared, so no SUPER.
func (c *compiler) columnNames(s section, key string) []string {
	names, nodes := c.names(s, key)
	for i, name := range names {
		c.comparable(nodes[i], s.key(key), name)
	}
	return names
}

// comparable returns the index of a column that can be compared, or -1 after
// noting a problem.
func (c *compiler) comparable(n *yaml.Node, what, name string) int {
	index := c.columnOf(n, what, name)
	if index >= 0 && c.out.Columns[index].Type.Kind == schema.Super {
		c.at(n, "choose a column of another type", "%s can't use %s: SUPER values can't be compared", what, name)
		return -1
	}
	return index
}

// columnOf returns the index of a column, or -1 after noting a problem.
func (c *compiler) columnOf(n *yaml.Node, what, name string) int {
	index := columnIndex(c.out.Columns, name)
	if index < 0 {
		c.at(n, c.columnHint(name), "%s names %s, which is not a column of the dataset", what, shown(name))
	}
	return index
}

func (c *compiler) columnHint(name string) string {
	var names []string
	for _, column := range c.out.Columns {
		names = append(names, column.Name)
	}
	if near := nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return "add it to columns"
}

// keyRequired checks that no key column can be NULL: NULL equals nothing, so
// such rows would never be found again.
func (c *compiler) keyRequired(s section) {
	for _, name := range c.out.Table.Key {
		i := columnIndex(c.out.Columns, name)
		if i >= 0 && !c.out.Columns[i].Required && c.out.Columns[i].Const == nil {
			c.at(c.nodes.required[i], "add `required: true`", "the key column %s may be NULL", name)
		}
	}
	if n := s.values["key"]; n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		c.at(n, "take it away for rows without a key", "table.key is empty")
	}
}

// notLoaded reads the table's columns that no column of the dataset fills.
func (c *compiler) notLoaded(s section) {
	names, nodes := c.names(s, "not_loaded")
	for i, name := range names {
		if !c.identifier(nodes[i], "the column name", name) {
			continue
		}
		if columnIndex(c.out.Columns, name) >= 0 {
			c.at(nodes[i], "keep it in one place", "table.not_loaded names %s, which is a column of the dataset", name)
		}
	}
	c.out.Table.NotLoaded = names
}

// window checks that event time, mode and window column go together.
func (c *compiler) window(s section) {
	t, event := &c.out.Table, c.out.Records.EventTime
	n := s.values["window_column"]
	name, ok := c.text(s, "window_column")
	t.WindowColumn = name
	if event == nil {
		if t.Mode != Append && t.Mode != "" {
			c.at(s.or("mode"), "use append, or give records.event_time", "%s needs an event time", t.Mode)
		}
		if n != nil {
			c.at(n, "take it away, or give records.event_time", "a window column needs an event time")
		}
		return
	}
	if t.Mode == Append {
		c.at(s.or("mode"), "use insert_missing, which knows rows by their key, or take records.event_time away", "append has no windows: it knows archived objects and offset ranges, and a range may lie in several windows")
	}
	if n == nil && t.Mode != Append {
		c.missing(s, "window_column", "name the required timestamp column that carries the event time")
	}
	if !ok {
		return
	}
	if i := c.columnOf(n, "table.window_column", name); i >= 0 && event.Path != nil {
		c.windowColumn(n, i, event)
	}
}

// windowColumn checks that the column carries the event time unchanged: rows
// are deleted by the column and loaded by the event time, so a difference
// between them would lose or double rows.
func (c *compiler) windowColumn(n *yaml.Node, i int, event *TimeField) {
	column := c.out.Columns[i]
	if column.Type.Kind != schema.Timestamp {
		if column.Type.Kind != 0 {
			c.at(n, "choose a timestamp column", "the window column %s is %s", column.Name, column.Type)
		}
		return
	}
	if !slices.Equal(column.Path, event.Path) || column.Path == nil {
		c.at(c.nodes.item[i], "give it the same path as records.event_time", "the window column %s does not carry the event time", column.Name)
		return
	}
	if !column.Required {
		c.at(c.nodes.required[i], "add `required: true`", "the window column %s may be NULL", column.Name)
	}
	if column.Zone != event.Zone {
		c.at(c.nodes.zone[i], "make them the same", "the zone %s of the window column differs from records.event_time_zone %s", shown(column.Zone), shown(event.Zone))
	}
	if unit := cmp.Or(column.Unit, UnitMillis); event.Unit != unit {
		c.at(n, "give the column `unit: "+event.Unit+"`", "the window column %s counts in %s, and records.event_time_unit is %s", column.Name, unit, event.Unit)
	}
	event.Fraction = column.Fraction
}
