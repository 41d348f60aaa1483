package redshiftd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
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
