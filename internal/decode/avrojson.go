package decode

import (
	"backfill/internal/columns"
)

// appendAvroJSON appends the value at hand as JSON, for columns that hold it
// whole. Unions are written as the branch that is there.
func (s *Scanner) appendAvroJSON(dst []byte, t *avroType) (out []byte, ok bool) {
	if s.depth++; s.depth > s.limits.Depth {
		return dst, false
	}
	defer func() { s.depth-- }()
	switch t.kind {
	case avroUnion:
		i, ok := s.avro.long()
		if !ok || i < 0 || i >= int64(len(t.fields)) {
			return dst, false
		}
		return s.appendAvroJSON(dst, t.fields[i].typ)
	case avroRecord:
		dst = append(dst, '{')
		for i := range t.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(s.appendQuoted(dst, []byte(t.fields[i].name)), ':')
			if dst, ok = s.appendAvroJSON(dst, t.fields[i].typ); !ok {
				return dst, false
			}
		}
		return append(dst, '}'), true
	case avroArray, avroMap:
		return s.appendItems(dst, t)
	}
	// A scalar spells itself at the end of the arena, which is where dst is.
	s.arena = dst
	kind, text, ok := s.avroScalar(t)
	if !ok {
		return dst, false
	}
	switch kind {
	case columns.Null:
		return append(dst, "null"...), true
	case columns.String:
		s.key = append(s.key[:0], text...) // text may stand where it is to be quoted
		return s.appendQuoted(dst, s.key), true
	}
	return append(dst, text...), true
}

// maxAvroJSON is the most bytes of an array or map as JSON: elements may take no
// bytes in the file.
const maxAvroJSON = 64 << 20

// appendItems appends an array or map.
func (s *Scanner) appendItems(dst []byte, t *avroType) ([]byte, bool) {
	open, end := byte('['), byte(']')
	from := len(dst)
	if t.kind == avroMap {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	first := true
	ok := s.avroBlocks(func() (ok bool) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if t.kind == avroMap {
			key, ok := s.avroText()
			if !ok {
				return false
			}
			dst = append(s.appendQuoted(dst, key), ':')
		}
		dst, ok = s.appendAvroJSON(dst, t.items)
		return ok && len(dst)-from <= maxAvroJSON
	})
	return append(dst, end), ok
}

// appendQuoted appends a JSON string. Bytes that are no text make the record
// unreadable elsewhere.
func (s *Scanner) appendQuoted(dst, text []byte) []byte {
	dst, escaped := appendQuoted(dst, text)
	s.unicode = s.unicode || escaped // the escape is looked at again where it matters
	return dst
}

// appendQuoted appends a JSON string, and reports whether it has a \u escape.
func appendQuoted(dst, text []byte) (out []byte, escaped bool) {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			escaped = true
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"'), escaped
}
