package redshiftd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// maxSuperString is the longest string, in bytes, inside a SUPER value.
const maxSuperString = 65535

// jsonParse is JSON_PARSE: the text of a SUPER value, compact. Numbers keep their spelling.
func jsonParse(s string) (any, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(s)); err != nil {
		return nil, marked("22P02", "error: Invalid JSON. code: 8001 context: %s", err.Error())
	}
	if len(s) <= maxSuperString {
		return out.String(), nil // no string in it can be too long
	}
	dec := json.NewDecoder(bytes.NewReader(out.Bytes()))
	dec.UseNumber()
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out.String(), nil
		}
		if err != nil {
			return nil, marked("22P02", "error: Invalid JSON. code: 8001 context: %s", err.Error())
		}
		if text, ok := t.(string); ok && len(text) > maxSuperString {
			return nil, marked("XX000", "String value exceeds the max size of 65535 bytes")
		}
	}
}

// jsonParseChunk is JSON_PARSE over a chunk. Most texts are compact already and stay as they are.
func jsonParseChunk(state *duckdb.ChunkIteratorState) error {
	vector, err := state.GetInputChunk().GetVector(0)
	if err != nil {
		return err
	}
	in, err := duckdb.GetVectorView[string](vector)
	if err != nil {
		return err
	}
	out, err := duckdb.GetVectorWriter[string](state.GetResultVector())
	if err != nil {
		return err
	}
	for i := range in.Len() {
		text, ok, err := in.GetValueBorrowed(i)
		if err != nil {
			return err
		}
		if !ok {
			continue // the row becomes NULL
		}
		if !compactJSON(text) {
			parsed, err := jsonParse(strings.Clone(text))
			if err != nil {
				return err
			}
			text = parsed.(string)
		}
		if err := out.Set(i, text); err != nil {
			return err
		}
	}
	return nil
}

// maxFastDepth is how deep compactJSON looks.
const maxFastDepth = 64

// compactJSON says that a text is valid JSON without blanks that JSON_PARSE would leave as it is. It may say no to some
// that are: those that are long or deep.
func compactJSON(s string) bool {
	if len(s) > maxSuperString {
		return false
	}
	end, ok := skipValue(s, 0, 0)
	return ok && end == len(s)
}

// skipValue gives the end of the compact JSON value that begins at i.
func skipValue(s string, i, depth int) (end int, ok bool) {
	if i >= len(s) || depth > maxFastDepth {
		return i, false
	}
	switch c := s[i]; {
	case c == '"':
		return skipString(s, i)
	case c == '{' || c == '[':
		return skipList(s, i, depth)
	case c == '-' || isDigit(c):
		return skipNumber(s, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s[i:], word) {
			return i + len(word), true
		}
	}
	return i, false
}

// skipList gives the end of an object or array.
func skipList(s string, i, depth int) (end int, ok bool) {
	object, last := s[i] == '{', s[i]+2 // the closing sign of either is two after the opening one
	i++
	if i < len(s) && s[i] == last {
		return i + 1, true
	}
	for {
		if object {
			if i >= len(s) || s[i] != '"' {
				return i, false
			}
			if i, ok = skipString(s, i); !ok || i >= len(s) || s[i] != ':' {
				return i, false
			}
			i++
		}
		if i, ok = skipValue(s, i, depth+1); !ok || i >= len(s) {
			return i, false
		}
		switch s[i] {
		case last:
			return i + 1, true
		case ',':
			i++
		default:
			return i, false
		}
	}
}

func skipString(s string, i int) (end int, ok bool) {
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return i, false
		case c == '\\':
			i++
			if i >= len(s) || strings.IndexByte(`"\/bfnrt`, s[i]) < 0 { // \u is left to the parser
				return i, false
			}
		}
	}
	return i, false
}

func skipNumber(s string, i int) (end int, ok bool) {
	digits := func() bool {
		from := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		return i > from
	}
	if s[i] == '-' {
		i++
	}
	zero := i < len(s) && s[i] == '0'
	from := i
	if !digits() || zero && i > from+1 {
		return i, false
	}
	if i < len(s) && s[i] == '.' {
		if i++; !digits() {
			return i, false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return i, false
		}
	}
	return i, true
}

// jsonValid is IS_VALID_JSON.
func jsonValid(s string) bool { return json.Valid([]byte(s)) }

// jsonExtract is JSON_EXTRACT_PATH_TEXT: the text at a path, empty if there is none, an error for invalid JSON.
func jsonExtract(s string, path []string) (any, error) {
	if !json.Valid([]byte(s)) {
		return nil, marked("22P02", "JSON parsing error")
	}
	at := json.RawMessage(s)
	for _, key := range path {
		at = bytes.TrimSpace(at)
		var next json.RawMessage
		switch {
		case len(at) > 0 && at[0] == '{':
			var m map[string]json.RawMessage
			if err := json.Unmarshal(at, &m); err != nil {
				return nil, marked("22P02", "JSON parsing error")
			}
			next = m[key]
		case len(at) > 0 && at[0] == '[':
			var l []json.RawMessage
			if err := json.Unmarshal(at, &l); err != nil {
				return nil, marked("22P02", "JSON parsing error")
			}
			if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(l) {
				next = l[i]
			}
		}
		if next == nil {
			return "", nil
		}
		at = next
	}
	var text string
	if json.Unmarshal(at, &text) == nil && string(at) != "null" {
		return text, nil
	}
	if string(at) == "null" {
		return "", nil
	}
	return string(at), nil
}
