package canon

import (
	"fmt"
	"strconv"

	"github.com/dgryski/go-farm"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// The marks of the text. Nothing else is constant in it.
const (
	null = "~"       // instead of a NULL's text, which no other text begins with
	end  = "|"       // after every column
	mark = byte('#') // before the text, for lane 2
)

// longText is the longest declared VARCHAR that enters whole; longer ones enter
// by digest, so that a row of many of them keeps its place in one expression.
const longText = 256

// digestWidth is the most bytes of a digest: a BIGINT in decimal digits.
const digestWidth = laneWidth

// rule is the canonical text of a type in both languages.
type rule struct {
	// width is the most bytes the text takes.
	width func(t schema.Type) int
	// text appends the text of a value that is not NULL.
	text func(dst []byte, v *columns.Vector, row int, t schema.Type) []byte
	// sql is the same text of ref, an expression of the type, as a VARCHAR
	// expression; its value does not matter where ref is NULL.
	sql func(ref string, t schema.Type) string
}

// ruleOf returns the type's rule. This is the one place where a type's Go form
// and SQL form meet.
func ruleOf(t schema.Type) (rule, bool) {
	switch t.Kind {
	case schema.Smallint:
		return rule{fixed(6), integerText, integerSQL}, true
	case schema.Integer:
		return rule{fixed(11), integerText, integerSQL}, true
	case schema.Bigint:
		return rule{fixed(20), integerText, integerSQL}, true
	case schema.Decimal:
		if t.Shape() == schema.Wide {
			return rule{decimalWidth, wideText, integerSQL}, true
		}
		return rule{decimalWidth, decimalText, integerSQL}, true
	case schema.Boolean:
		return rule{fixed(1), booleanText, booleanSQL}, true
	case schema.Date:
		return rule{fixed(20), integerText, dateSQL}, true
	case schema.Timestamp:
		return rule{fixed(20), integerText, timestampSQL}, true
	case schema.Char:
		return rule{wholeWidth, charText, charSQL}, true
	case schema.Varchar:
		if t.Length > longText {
			return rule{fixed(5 + 1 + digestWidth), digestText, digestSQL}, true
		}
		return rule{wholeWidth, varcharText, varcharSQL}, true
	case schema.Super:
		return rule{fixed(8 + 1 + digestWidth), digestText, digestSQL}, true
	}
	return rule{}, false
}

func fixed(n int) func(schema.Type) int { return func(schema.Type) int { return n } }

// Integers, dates as days and timestamps as microseconds since 1970-01-01:
// decimal digits.

func integerText(dst []byte, v *columns.Vector, row int, _ schema.Type) []byte {
	return appendInt(dst, v.I[row])
}

func integerSQL(ref string, _ schema.Type) string { return ref + "::VARCHAR" }

func dateSQL(ref string, _ schema.Type) string {
	return "DATEDIFF(day, DATE '1970-01-01', " + ref + ")::VARCHAR"
}

func timestampSQL(ref string, _ schema.Type) string {
	return "DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', " + ref + ")::VARCHAR"
}

// Booleans: t or f.

func booleanText(dst []byte, v *columns.Vector, row int, _ schema.Type) []byte {
	if v.I[row] != 0 {
		return append(dst, 't')
	}
	return append(dst, 'f')
}

func booleanSQL(ref string, _ schema.Type) string {
	return "CASE WHEN " + ref + " THEN 't' ELSE 'f' END"
}

// Texts of at most longText declared bytes, and CHAR: byte length, colon,
// bytes. CHAR's padding is no part of its value.

func wholeWidth(t schema.Type) int { return len(strconv.Itoa(t.Length)) + 1 + t.Length }

func varcharText(dst []byte, v *columns.Vector, row int, _ schema.Type) []byte {
	return appendWhole(dst, v.S[row])
}

func varcharSQL(ref string, _ schema.Type) string {
	return "OCTET_LENGTH(" + ref + ")::VARCHAR || ':' || " + ref
}

func charText(dst []byte, v *columns.Vector, row int, _ schema.Type) []byte {
	s := v.S[row]
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return appendWhole(dst, s)
}

// charSQL casts with the column's length: VARCHAR alone is VARCHAR(256) in a
// cast and would cut.
func charSQL(ref string, t schema.Type) string {
	return varcharSQL(fmt.Sprintf("RTRIM(%s::VARCHAR(%d))", ref, t.Length), t)
}

func appendWhole(dst, s []byte) []byte {
	dst = append(appendDigits(dst, uint64(len(s))), ':')
	return append(dst, s...)
}

// Long texts and SUPER: byte length, number sign, FARMFINGERPRINT64 in decimal
// digits, of the empty text too.

func digestText(dst []byte, v *columns.Vector, row int, _ schema.Type) []byte {
	s := v.S[row]
	dst = append(appendDigits(dst, uint64(len(s))), '#')
	return appendInt(dst, int64(farm.Fingerprint64(s)))
}

func digestSQL(ref string, _ schema.Type) string {
	return "OCTET_LENGTH(" + ref + ")::VARCHAR || '#' || FARMFINGERPRINT64(" + ref + ")::VARCHAR"
}
