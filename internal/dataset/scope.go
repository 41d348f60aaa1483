package dataset

import (
	"fmt"
	"strings"
)

const maxScope = 4096

// checkScope checks that a predicate can stand between parentheses in a
// statement of ours without reaching out of them. It is no SQL parser: the
// warehouse judges the rest. On failure it returns a hint and a clause.
func checkScope(text string) (hint, problem string) {
	if len(text) > maxScope {
		return "", fmt.Sprintf("has %d bytes, more than %d", len(text), maxScope)
	}
	if strings.ContainsRune(text, '\\') {
		// It could hide the end of a quote from one reader and not from another.
		return "Redshift takes it as an escape, other tools do not: compare with CHR(92)", "holds a backslash"
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch ch := text[i]; {
		case ch == '\'' || ch == '"':
			end := closing(text, i)
			if end < 0 {
				return "double a quote to have it inside", fmt.Sprintf("has an open quote %c", ch)
			}
			i = end
		case ch == '(':
			depth++
		case ch == ')':
			if depth--; depth < 0 {
				return "", "closes a parenthesis that it did not open"
			}
		case ch == ';':
			return "write one predicate", "holds a semicolon"
		case ch == '$':
			return "write the value itself", "holds a parameter or a dollar quote"
		case len(rest) > 1 && (rest[:2] == "--" || rest[:2] == "/*" || rest[:2] == "*/"):
			return "put comments into the YAML", "holds a comment"
		}
	}
	if depth > 0 {
		return "", "has an open parenthesis"
	}
	return "", ""
}

// closing returns where the quote that opens at i ends, or -1. A doubled quote
// reads as one quote that ends and another that opens, which comes to the same.
func closing(text string, i int) int {
	for j := i + 1; j < len(text); j++ {
		if text[j] == text[i] {
			return j
		}
	}
	return -1
}
