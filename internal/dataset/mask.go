package dataset

import (
	"regexp"
	"slices"
	"strings"

	"backfill/internal/schema"
)

var maskKeyID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// masks checks the masked columns, and which key masks them. Nothing else may
// read what is masked: the value would stand readable beside it.
func (c *compiler) masks(root section) {
	c.maskKeyID(root)
	for i, column := range c.out.Columns {
		if column.Mask == schema.NoMask {
			continue
		}
		n := c.nodes.mask[i]
		switch t := column.Type; {
		case t.Kind == 0:
		case t.Kind != schema.Varchar || t.Length < schema.MaskBytes:
			c.at(n, "make the column varchar(64)", "a masked value has %d bytes of text, and %s is %s", schema.MaskBytes, column.Name, t)
		}
		if column.Path == nil {
			if column.Const != nil {
				c.at(n, "take it away", "%s is a constant, and a constant in the dataset is no secret", column.Name)
			}
			continue
		}
		r := c.out.Records
		for _, other := range c.readers() {
			if other.name != column.Name && meet(r.Resolve(column.Path), r.Resolve(other.path)) {
				c.at(n, "mask it there, too, or read a part without it", "%s is masked, and %s reads the same value as it is", column.Name, other.name)
			}
		}
	}
}

// maskKeyID takes the id that the file pins, else the one of the key that is
// there. The text of a plan has it, so that only conversions need the key.
func (c *compiler) maskKeyID(root section) {
	n, pinned := root.values["mask_key_id"], ""
	if n != nil {
		pinned, _ = c.text(root, "mask_key_id")
		if pinned != "" && !maskKeyID.MatchString(pinned) {
			c.at(n, "leave it out, or write the 16 hexadecimal digits that an earlier plan's dataset has", "mask_key_id is no id of a key")
			return
		}
	}
	i := slices.IndexFunc(c.out.Columns, func(column schema.Column) bool { return column.Mask != schema.NoMask })
	there := c.lookup(maskKeyIDVar)
	switch {
	case i < 0 && n != nil:
		c.at(n, "take it away", "mask_key_id is given, and no column is masked")
	case i < 0:
	case pinned == "" && there == "":
		c.at(c.nodes.mask[i], "set BACKFILL_MASK_KEY or BACKFILL_MASK_KEY_FILE, from a secret", "the column %s is masked, and there is no key", c.out.Columns[i].Name)
	case pinned != "" && there != "" && pinned != there:
		c.at(n, "give the key that these rows were masked with, or take mask_key_id away: all values are then masked anew", "the mask key is another one: its id is %s, not %s", there, pinned)
	default:
		c.out.MaskKeyID = max(pinned, there)
	}
}

// reader is something that takes a value out of the records unmasked.
type reader struct {
	name string
	path []string
}

func (c *compiler) readers() []reader {
	var list []reader
	for _, column := range c.out.Columns {
		if column.Path != nil && column.Mask == schema.NoMask {
			list = append(list, reader{"the column " + column.Name, column.Path})
		}
	}
	r := c.out.Records
	if r.EventTime != nil && r.EventTime.Path != nil {
		list = append(list, reader{"records.event_time", r.EventTime.Path})
	}
	for name, path := range map[string][]string{"records.partition": r.Partition, "records.offset": r.Offset, "records.timestamp": r.Timestamp} {
		if path != nil {
			list = append(list, reader{name, path})
		}
	}
	if r.Where != nil {
		for _, path := range r.Where.Paths {
			list = append(list, reader{"records.where", path})
		}
	}
	slices.SortFunc(list, func(a, b reader) int { return strings.Compare(a.name, b.name) })
	return list
}

// meet reports whether one path leads to or through the other's end.
func meet(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}
