package dataset

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// DeletedField is the field of a value that says "true" of a deletion, as
// Debezium's ExtractNewRecordState names it. Where Records.Deletes is set, every
// value has it.
const DeletedField = "__deleted"

// TombstonesDelete makes tombstones deletions of their key.
const TombstonesDelete = "delete"

// tombstones reads records.tombstones. By default they are counted and lost.
func (c *compiler) tombstones(s section) {
	if s.values["tombstones"] == nil {
		return
	}
	word, ok := c.choice(s, "tombstones", "count", TombstonesDelete)
	c.out.Records.KeyDeletes = ok && word == TombstonesDelete
}

// deletions decides whether deletions become rows, and checks that such rows
// say what they must: the table's column of deleted keys reads DeletedField, and
// of a tombstone, which has no value, key and version come from the envelope.
func (c *compiler) deletions() {
	t, r := c.out.Table, &c.out.Records
	debezium := slices.Contains(r.Envelope.Layers, LayerDebezium)
	n := c.recordKeys.values["tombstones"]
	if t.Deleted == "" {
		if r.KeyDeletes {
			c.at(n, "name the column in table.deleted", "tombstones delete keys, and no column marks deleted keys")
		}
		return
	}
	i := columnIndex(c.out.Columns, t.Deleted)
	if reads := i >= 0 && slices.Equal(c.out.Columns[i].Path, []string{DeletedField}); (debezium || r.KeyDeletes) && i >= 0 && !reads {
		c.at(c.nodes.item[i], "write `from: value."+DeletedField+"`", "the column %s marks deleted keys, and deletions of this archive are told by the value's field %s", t.Deleted, DeletedField)
		return
	}
	r.Deletes = debezium || r.KeyDeletes
	if !r.KeyDeletes {
		return
	}
	if r.Envelope.Value == nil {
		c.at(n, "name the envelope", "tombstones delete keys, and outside of an envelope no key is archived")
		return
	}
	for _, name := range slices.Concat(t.Key, t.LatestBy) {
		c.fromEnvelope(n, name)
	}
	if f := r.EventTime; f != nil && (len(f.Path) == 0 || f.Path[0] != envelopeRoot) {
		c.at(n, "write records.event_time: envelope.…, or let tombstones be counted", "a tombstone has no value, and the event time is read from there")
	}
}

// fromEnvelope checks that a column is known of a record without a value.
func (c *compiler) fromEnvelope(n *yaml.Node, name string) {
	i := columnIndex(c.out.Columns, name)
	if i < 0 || c.out.Columns[i].Const != nil || len(c.out.Columns[i].Path) > 0 && c.out.Columns[i].Path[0] == envelopeRoot {
		return
	}
	c.at(n, "read the column from the envelope: `from: envelope.key.…`, or let tombstones be counted", "a tombstone has no value, and the column %s is read from there", name)
}
