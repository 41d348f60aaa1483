package format

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"backfill/internal/decode"
)

// given is Records of texts.
type given []string

func (g *given) Next(dst []byte) ([]byte, error) {
	if len(*g) == 0 {
		return dst, io.EOF
	}
	text := (*g)[0]
	*g = (*g)[1:]
	return append(dst, text...), nil
}

func TestDeletes(t *testing.T) {
	debezium := Deletes{Value: []string{"after"}, Before: []string{"before"}, Op: []string{"op"}, Field: "__deleted"}
	inside := Deletes{Value: []string{"value", "after"}, Before: []string{"value", "before"}, Op: []string{"value", "op"}, Field: "__deleted"}
	lenses := Deletes{Value: []string{"value"}, Witness: []string{"metadata", "offset"}, Keys: true, Field: "__deleted"}
	for _, c := range []struct {
		name      string
		o         Deletes
		text, out string
	}{
		{"an insert", debezium, `{"before":null,"after":{"id":1},"op":"c"}`, `{"before":null,"after":{"__deleted":false,"id":1},"op":"c"}`},
		{"a delete", debezium, `{"before": {"id":1,"b":null}, "after": null,"op":"d"}`, `{"before": {"id":1,"b":null}, "after": {"__deleted":true,"id":1,"b":null},"op":"d"}`},
		{"a delete without the row", debezium, `{"before":null,"after":null,"op":"d"}`, `{"before":null,"after":null,"op":"d"}`},
		{"a truncate", debezium, `{"before":{},"after":null,"op":"t"}`, `{"before":{},"after":null,"op":"t"}`},
		{"no after", debezium, `{"before":{"id":1},"op":"d"}`, `{"before":{"id":1},"op":"d"}`},
		{"a tombstone", debezium, `null`, `null`},
		{"told already", debezium, `{"after":{"__deleted":"true"},"op":"c"}`, `{"after":{"__deleted":"true"},"op":"c"}`},
		{"an empty row", debezium, `{"after":{ },"op":"c"}`, `{"after":{"__deleted":false},"op":"c"}`},
		{"no row", debezium, `{"after":5,"op":"c"}`, `{"after":5,"op":"c"}`},
		{"inside another envelope", inside, `{"value":{"op":"d","before":{"id":1},"after":null}}`, `{"value":{"op":"d","before":{"id":1},"after":{"__deleted":true,"id":1}}}`},
		{"a tombstone with its key", lenses, `{"key":"k","value":null,"metadata":{"offset":1}}`, `{"key":"k","value":{"__deleted":true},"metadata":{"offset":1}}`},
		{"a tombstone without a value", lenses, ` {"key":"k","metadata":{"offset":1}}`, `{"value":{"__deleted":true},"key":"k","metadata":{"offset":1}}`},
		{"a value", lenses, `{"value":{"a":1}}`, `{"value":{"__deleted":false,"a":1}}`},
		{"not in the envelope", lenses, `{"key":"k"}`, `{"key":"k"}`},
		{"a bare null", lenses, `null`, `null`},
	} {
		lines := given{c.text}
		if got, err := NewDeletes(&lines, c.o).Next([]byte("")); err != nil || string(got) != c.out {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.out)
		}
	}
	lost := errors.New("lost")
	if _, err := NewDeletes(failed{lost}, debezium).Next(nil); !errors.Is(err, lost) {
		t.Error(err)
	}
}

type failed struct{ err error }

func (f failed) Next(dst []byte) ([]byte, error) { return dst, f.err }

// FuzzDeletes: JSON stays JSON, and what it said besides the value stays.
func FuzzDeletes(f *testing.F) {
	f.Add(`{"before":{"id":1},"after":null,"op":"d"}`, true)
	f.Add(`{"after":{"a":[1,{"b":"}"}]},"op":"c"}`, false)
	f.Add(` { "metadata":{"offset":1}}`, true)
	f.Fuzz(func(t *testing.T, text string, keys bool) {
		if !json.Valid([]byte(text)) || strings.TrimSpace(text) == "" {
			return
		}
		o := Deletes{Value: []string{"after"}, Before: []string{"before"}, Op: []string{"op"}, Witness: []string{"metadata", "offset"}, Keys: keys, Field: "__deleted"}
		compact := string(decode.AppendCompact(nil, []byte(text)))
		lines := given{compact}
		got, err := NewDeletes(&lines, o).Next(nil)
		if err != nil || !json.Valid(got) {
			t.Fatalf("%q becomes %q, %v", compact, got, err)
		}
		var before, after map[string]json.RawMessage
		if json.Unmarshal([]byte(compact), &before) != nil || json.Unmarshal(got, &after) != nil || before == nil {
			return
		}
		delete(before, "after")
		delete(after, "after")
		if len(before) != len(after) {
			t.Fatalf("%q becomes %q", compact, got)
		}
		for k, v := range before {
			if string(after[k]) != string(v) {
				t.Fatalf("%s of %q becomes %q", k, compact, after[k])
			}
		}
	})
}
