package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"backfill/internal/schema"
)

var (
	wholeNumber   = regexp.MustCompile(`^[+-]?[0-9]{1,40}$`)
	decimalNumber = regexp.MustCompile(`^[+-]?[0-9]{1,40}(\.[0-9]{1,40})?$`)
)

// parseConstant checks a constant against its column's type and returns it in
// the spelling that all readers agree on: decimals with their scale, timestamps
// in UTC. The problem is a clause, "" if there is none.
func parseConstant(text string, t schema.Type) (value, problem string) {
	switch t.Kind {
	case schema.Smallint:
		return wholeConstant(text, 16)
	case schema.Integer:
		return wholeConstant(text, 32)
	case schema.Bigint:
		return wholeConstant(text, 64)
	case schema.Decimal:
		return decimalConstant(text, t)
	case schema.Boolean:
		if folded := strings.ToLower(text); folded == "true" || folded == "false" {
			return folded, ""
		}
		return "", "write true or false"
	case schema.Date:
		if day, err := time.Parse(time.DateOnly, text); err != nil || day.Year() < 1 {
			return "", "write YYYY-MM-DD"
		}
		return text, ""
	case schema.Timestamp:
		return timestampConstant(text)
	case schema.Super:
		return superConstant(text)
	}
	return textConstant(text, t)
}

func wholeConstant(text string, bits int) (value, problem string) {
	if !wholeNumber.MatchString(text) {
		return "", "it is not a whole number"
	}
	number, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return "", "it is out of range"
	}
	return strconv.FormatInt(number, 10), ""
}

func decimalConstant(text string, t schema.Type) (value, problem string) {
	exact := exactNumber(text)
	if exact == nil {
		return "", "it is not a decimal number"
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Scale)), nil)
	scaled := new(big.Rat).Mul(exact, new(big.Rat).SetInt(power))
	if !scaled.IsInt() {
		return "", fmt.Sprintf("it has more than %d digits after the point", t.Scale)
	}
	if limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil); scaled.Num().CmpAbs(limit) >= 0 {
		return "", "it has too many digits"
	}
	return exact.FloatString(t.Scale), ""
}

func timestampConstant(text string) (value, problem string) {
	at, err := time.Parse(time.RFC3339Nano, strings.Replace(text, " ", "T", 1))
	if err != nil {
		return "", "write RFC 3339 with its offset, such as 2024-01-31T00:00:00Z"
	}
	utc := at.UTC()
	if utc.Nanosecond()%1000 != 0 {
		return "", "it has digits past microseconds"
	}
	if utc.Year() < 1 || utc.Year() > 9999 {
		return "", "it is out of range"
	}
	return utc.Format("2006-01-02T15:04:05.999999Z"), ""
}

func superConstant(text string) (value, problem string) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return "", "it is not JSON; a string needs its double quotes inside the YAML quotes"
	}
	if compact.Len() > schema.MaxVarchar {
		return "", "it has more than 65535 bytes"
	}
	if compact.String() == "null" {
		return "", "leave the column out for NULL"
	}
	return compact.String(), ""
}

func textConstant(text string, t schema.Type) (value, problem string) {
	if len(text) > t.Length {
		return "", fmt.Sprintf("it has %d bytes", len(text))
	}
	if strings.ContainsRune(text, 0) {
		return "", "Redshift can't hold the character U+0000"
	}
	if t.Kind == schema.Char && strings.ContainsFunc(text, func(r rune) bool { return r > 0x7f }) {
		return "", "a char holds ASCII only"
	}
	return text, ""
}
