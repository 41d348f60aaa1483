package format

import (
	"backfill/internal/decode"
)

// Deletes says how deletions are archived.
type Deletes struct {
	Value   []string // path to the value, from the record down; empty: the record is it
	Before  []string // path to what a deletion's row was, of Debezium; nil: nobody tells
	Op      []string // path to Debezium's operation; "d" deletes
	Witness []string // path that only records in the envelope have; nil: the value's place is enough
	Keys    bool     // values that are null delete their key
	Field   string   // of the value, that tells
}

// deleter marks deletions.
type deleter struct {
	from decode.Records
	o    Deletes
	text []byte
}

// NewDeletes returns the records with a field in each value that tells whether
// it is a deletion. The value of a deletion is what the row was, as Debezium
// tells it, or nothing but that field.
func NewDeletes(from decode.Records, o Deletes) decode.Records { return &deleter{from: from, o: o} }

// Next gives the next record.
func (d *deleter) Next(dst []byte) ([]byte, error) {
	text, err := d.from.Next(d.text[:0])
	d.text = text
	if err != nil {
		return dst, err
	}
	start, end, found := Find(text, d.o.Value)
	switch {
	case found && text[start] == '{':
		if _, _, told := Find(text[start:end], []string{d.o.Field}); told {
			return append(dst, text...), nil
		}
		return d.marked(dst, text, start, end, text[start:end], "false"), nil
	case found && string(text[start:end]) != "null":
		return append(dst, text...), nil
	}
	if before := d.before(text); before != nil && found {
		return d.marked(dst, text, start, end, before, "true"), nil
	}
	if !d.o.Keys || !found && !d.within(text) {
		return append(dst, text...), nil
	}
	if found {
		return d.marked(dst, text, start, end, []byte("{}"), "true"), nil
	}
	return d.added(dst, text), nil
}

// before returns the row that Debezium says was deleted; nil if it does not.
func (d *deleter) before(text []byte) []byte {
	if d.o.Before == nil {
		return nil
	}
	if start, end, found := Find(text, d.o.Op); !found || string(text[start:end]) != `"d"` {
		return nil
	}
	if start, end, found := Find(text, d.o.Before); found && text[start] == '{' {
		return text[start:end]
	}
	return nil
}

func (d *deleter) within(text []byte) bool {
	if d.o.Witness == nil || len(d.o.Value) != 1 {
		return false
	}
	_, _, found := Find(text, d.o.Witness)
	return found
}

// marked appends the record with the object as its value, and the field in it.
func (d *deleter) marked(dst, text []byte, start, end int, value []byte, told string) []byte {
	dst = append(dst, text[:start]...)
	dst = append(decode.AppendString(append(dst, '{'), []byte(d.o.Field)), ':')
	dst = append(dst, told...)
	if rest := value[space(value, 1):]; rest[0] != '}' {
		dst = append(append(dst, ','), rest...)
	} else {
		dst = append(dst, '}')
	}
	return append(dst, text[end:]...)
}

// added appends a record that lacks its value, with one.
func (d *deleter) added(dst, text []byte) []byte {
	at := space(text, 0)
	dst = append(dst, '{')
	dst = append(decode.AppendString(dst, []byte(d.o.Value[0])), `:{`...)
	dst = append(decode.AppendString(dst, []byte(d.o.Field)), `:true}`...)
	if rest := text[space(text, at+1):]; rest[0] != '}' {
		return append(append(dst, ','), rest...)
	}
	return append(dst, '}')
}
