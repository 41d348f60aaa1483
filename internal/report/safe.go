package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// visible gives text that a reader sees as it is: what a terminal, a browser or
// a spreadsheet would act on instead of showing is written as \u{…}: control
// characters, marks that turn the direction of writing, characters of no
// width, bytes that are no UTF-8. Ordinary text is returned as it is.
func visible(text string) string {
	if !strings.ContainsFunc(text, hidden) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case hidden(r):
			fmt.Fprintf(&b, `\u{%X}`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	switch {
	case r == '\n':
		return false // query texts have lines
	case r < ' ', r >= 0x7f && r <= 0x9f:
		return true
	case r == 0xAD, r == 0x61C, r == 0x180E, r >= 0x200B && r <= 0x200F, r >= 0x2028 && r <= 0x202E, r >= 0x2060 && r <= 0x206F, r == 0xFEFF, r >= 0xFFF9 && r <= 0xFFFB:
		return true
	case r >= 0xE0000 && r <= 0xE007F: // tags
		return true
	}
	return false
}

// number is what may begin with a sign in a spreadsheet's cell: nothing that
// it could take for a formula.
var number = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

// cell makes text safe in a file that Excel opens: what a spreadsheet would
// take for a formula gets an apostrophe in front, which it shows as text.
func cell(text string) string {
	text = strings.ReplaceAll(visible(text), "\n", `\n`)
	if text == "" || number.MatchString(text) {
		return text
	}
	trimmed := strings.TrimLeft(text, " \u00a0\u3000")
	if trimmed != "" && strings.ContainsRune("=+-@|%\uff1d\uff0b\uff0d\uff20", []rune(trimmed)[0]) {
		return "'" + text
	}
	return text
}
