package survey

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object with its fields in the order in which they stand.
type object []field

type field struct {
	name  string
	value any // nil, bool, json.Number, string, []any (without its items) or object
}

// with sets a field; of fields with one name the last one counts.
func (o object) with(name string, value any) object {
	for i := range o {
		if o[i].name == name {
			o[i].value = value
			return o
		}
	}
	if len(o) == maxNodes {
		return o // more than a survey has room for
	}
	return append(o, field{name, value})
}

// parse returns the value of a JSON text; nil for null, for what is none, and
// for what is nested deeper than a survey looks.
func parse(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, ok := next(d, 0)
	if !ok {
		return nil
	}
	return v
}

// next reads one value. Lists are read over: only that there is one counts.
func next(d *json.Decoder, depth int) (v any, ok bool) {
	token, err := d.Token()
	if err != nil || depth > 4*maxDepth {
		return nil, false
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return token, true
	}
	list, fields := []any{}, object{}
	for d.More() {
		name := ""
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return nil, false
			}
			name, _ = key.(string) // a key is a string, or Token fails
		}
		item, ok := next(d, depth+1)
		if !ok {
			return nil, false
		}
		if delim == '{' {
			fields = fields.with(name, item)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	if delim == '{' {
		return fields, true
	}
	return list, true
}
