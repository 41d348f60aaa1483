package redshift

import (
	"strings"
	"unicode/utf8"

	"backfill/internal/fail"
)

// maxIdentifier is the longest name in bytes; Redshift cuts longer ones
// without an error.
const maxIdentifier = 127

// QuoteIdent returns the name in double quotes. It refuses what Redshift would
// change without an error: names over 127 bytes, and upper case, which folds.
func QuoteIdent(name string) (string, error) {
	switch {
	case name == "":
		return "", fail.New(fail.Internal, "quoting a name: it is empty")
	case len(name) > maxIdentifier:
		return "", fail.New(fail.Usage, "the name %q has %d bytes, the limit is %d", name, len(name), maxIdentifier)
	case strings.ContainsRune(name, 0) || !utf8.ValidString(name):
		return "", fail.New(fail.Usage, "the name %q holds a NUL or is not UTF-8", name)
	case strings.ToLower(name) != name:
		return "", fail.New(fail.Usage, "the name %q is not lower-case, Redshift would fold it", name)
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`, nil
}

// QuoteTable returns schema.table, both quoted.
func QuoteTable(schema, table string) (string, error) {
	s, err := QuoteIdent(schema)
	if err != nil {
		return "", err
	}
	t, err := QuoteIdent(table)
	if err != nil {
		return "", err
	}
	return s + "." + t, nil
}

var literalQuotes = strings.NewReplacer(`\`, `\\`, `'`, `''`)

// QuoteLiteral returns the text as an SQL literal. Backslashes are doubled
// too: they are escapes in Redshift. NUL is refused.
func QuoteLiteral(text string) (string, error) {
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return "", fail.New(fail.Usage, "quoting a text: it holds a NUL or is not UTF-8")
	}
	return "'" + literalQuotes.Replace(text) + "'", nil
}
