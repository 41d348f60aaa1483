package format

import (
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"backfill/internal/decode"
)

// Unpack says where a value stands that is JSON inside a string.
type Unpack struct {
	Path   []string // from the record down; empty: the record itself
	Base64 bool     // the string is base64 of the JSON
}

// unpacker replaces strings by the JSON that they hold.
type unpacker struct {
	from decode.Records
	o    Unpack
	text []byte // the record as it stands
	what []byte // scratch
}

// NewUnpack returns the records with the string at the path replaced by the JSON
// in it. A null stays one, and so does an absent value; what is no string, or
// holds no JSON, is a *decode.BadRecord with what stands around it.
func NewUnpack(from decode.Records, o Unpack) decode.Records { return &unpacker{from: from, o: o} }

// Next gives the next record.
func (u *unpacker) Next(dst []byte) ([]byte, error) {
	text, err := u.from.Next(u.text[:0])
	u.text = text
	if err != nil {
		return dst, err
	}
	start, end, found := Find(text, u.o.Path)
	if !found || string(text[start:end]) == "null" {
		return append(dst, text...), nil
	}
	bad := func(detail string) ([]byte, error) {
		return dst, &decode.BadRecord{Reason: decode.NotPacked, Detail: detail, Raw: text, Around: decode.Around(text, start, end)}
	}
	var packed string
	if text[start] != '"' || json.Unmarshal(text[start:end], &packed) != nil {
		return bad("the value is no string")
	}
	u.what = append(u.what[:0], packed...)
	if u.o.Base64 {
		if u.what, err = base64.StdEncoding.AppendDecode(u.what[:0], []byte(packed)); err != nil {
			return bad("the value is not base64")
		}
	}
	if !json.Valid(u.what) || !utf8.Valid(u.what) {
		return bad("the string does not hold JSON")
	}
	dst = append(dst, text[:start]...)
	dst = decode.AppendCompact(dst, u.what)
	return append(dst, text[end:]...), nil
}

// Find returns where the value at the path stands in a valid JSON text. The
// last of several equal keys counts, as in decode.
func Find(text []byte, path []string) (start, end int, found bool) {
	start, end = space(text, 0), len(text)
	for end > start && (text[end-1] == ' ' || text[end-1] == '\t') {
		end--
	}
	for _, key := range path {
		if start >= end || text[start] != '{' {
			return 0, 0, false
		}
		if start, end, found = member(text, start, key); !found {
			return 0, 0, false
		}
	}
	return start, end, start < end
}

// member finds a key's value in the object at p.
func member(text []byte, p int, key string) (start, end int, found bool) {
	p = space(text, p+1)
	for p < len(text) && text[p] == '"' {
		after := skip(text, p)
		var name string
		same := json.Unmarshal(text[p:after], &name) == nil && name == key
		p = space(text, space(text, after)+1) // behind the colon
		after = skip(text, p)
		if same {
			start, end, found = p, after, true
		}
		if p = space(text, after); p < len(text) && text[p] == ',' {
			p = space(text, p+1)
		}
	}
	return start, end, found
}

func space(text []byte, p int) int {
	for p < len(text) && (text[p] == ' ' || text[p] == '\t' || text[p] == '\n' || text[p] == '\r') {
		p++
	}
	return p
}

// skip returns the place behind the value at p.
func skip(text []byte, p int) int {
	depth := 0
	for ; p < len(text); p++ {
		switch text[p] {
		case '"':
			for p++; p < len(text) && text[p] != '"'; p++ {
				if text[p] == '\\' {
					p++
				}
			}
			if p++; depth == 0 {
				return min(p, len(text))
			}
			p--
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return p
			}
			if depth == 0 {
				return p + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return p
			}
		}
	}
	return len(text)
}
