package redshift

import (
	"fmt"
	"strconv"
)

// textRow is one row as the server sent it, in text; nil is NULL. Reading by
// text instead of by the server's type numbers leaves nothing to the driver's
// idea of types, which differs for NUMERIC and SUPER.
type textRow [][]byte

// Scan implements Scanner.
func (r textRow) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("the row has %d columns, not %d", len(r), len(dest))
	}
	for i, d := range dest {
		if err := scanText(d, r[i]); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

func scanText(dest any, text []byte) error {
	switch d := dest.(type) {
	case **string:
		*d = nil
		if text == nil {
			return nil
		}
		*d = new(string)
		return scanText(*d, text)
	case **int64:
		*d = nil
		if text == nil {
			return nil
		}
		*d = new(int64)
		return scanText(*d, text)
	}
	if text == nil {
		return fmt.Errorf("NULL does not fit %T", dest)
	}
	switch d := dest.(type) {
	case *string:
		*d = string(text)
	case *int64:
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no 64-bit integer", text)
		}
		*d = n
	default:
		return fmt.Errorf("%T is no destination", dest)
	}
	return nil
}
