package quarantine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The bounds of what is shown of a record.
const (
	maxShown = 2048 // bytes
	maxDepth = 64
)

// Shown gives a record's bytes as a person may see them: the names of fields and
// the kinds of values, and values only at the paths that reports may show (see
// reconcile.show). paths lead down from the record, steps joined by dots.
func Shown(raw []byte, paths map[string]bool) string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var b strings.Builder
	if err := shown(&b, d, "", paths, 0); err != nil {
		return fmt.Sprintf("‹%d bytes, no JSON›", len(raw))
	}
	if b.Len() > maxShown {
		return strings.ToValidUTF8(b.String()[:maxShown], "") + "…"
	}
	return b.String()
}

func shown(b *strings.Builder, d *json.Decoder, path string, paths map[string]bool, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, nested := token.(json.Delim)
	if !nested {
		b.WriteString(value(token, paths[path]))
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	b.WriteString(delim.String())
	for n := 0; d.More(); n++ {
		if n > 0 {
			b.WriteString(", ")
		}
		below := path
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := name.(string) // a key is a string, or Token fails
			below = strings.TrimPrefix(path+"."+text, ".")
			fmt.Fprintf(b, "%q: ", text)
		}
		if err := shown(b, d, below, paths, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	b.WriteString(map[json.Delim]string{'{': "}", '[': "]"}[delim])
	return nil
}

// value is a scalar, or what kind it is.
func value(token json.Token, show bool) string {
	switch v := token.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(v)
	case json.Number:
		if show {
			return v.String()
		}
		return fmt.Sprintf("‹number of %d characters›", len(v.String()))
	case string:
		if show {
			return fmt.Sprintf("%q", v)
		}
		return fmt.Sprintf("‹text of %d characters›", utf8.RuneCountInString(v))
	}
	return "‹?›"
}
