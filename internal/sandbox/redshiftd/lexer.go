package redshiftd

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tEOF tokenKind = iota
	tIdent
	tQuoted // "quoted" identifier, folded like any other
	tString
	tNumber
	tParam
	tOp
)

// token is one lexical unit. text is folded for identifiers, unescaped for strings; raw is the source.
type token struct {
	kind     tokenKind
	text     string
	raw      string
	pos, end int
}

const (
	maxStatement  = 16 << 20 // bytes, Redshift's limit of a statement
	maxIdentifier = 127      // bytes
)

var operators = []string{"::", "<=", ">=", "<>", "!=", "||"}

// lex splits sql into tokens; the last one is tEOF.
func lex(sql string) ([]token, error) {
	if len(sql) > maxStatement {
		return nil, errorf("54000", "Statement is too large. Statement Size: %d bytes. Maximum Allowed: %d bytes", len(sql), maxStatement)
	}
	if !utf8.ValidString(sql) || strings.IndexByte(sql, 0) >= 0 {
		return nil, errorf("22021", "invalid byte sequence for encoding \"UNICODE\"")
	}
	l := lexer{sql: sql}
	var out []token
	for {
		if err := l.skipBlank(); err != nil {
			return nil, err
		}
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		if t.kind == tEOF {
			return out, nil
		}
	}
}

type lexer struct {
	sql string
	i   int
}

func (l *lexer) peek(n int) byte {
	if l.i+n < len(l.sql) {
		return l.sql[l.i+n]
	}
	return 0
}

// skipBlank passes white space and comments; block comments nest.
func (l *lexer) skipBlank() error {
	for l.i < len(l.sql) {
		switch c := l.sql[l.i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			l.i++
		case c == '-' && l.peek(1) == '-':
			for l.i < len(l.sql) && l.sql[l.i] != '\n' {
				l.i++
			}
		case c == '/' && l.peek(1) == '*':
			depth := 0
			for {
				switch {
				case l.i >= len(l.sql):
					return errorf("42601", "unterminated /* comment")
				case l.sql[l.i] == '/' && l.peek(1) == '*':
					depth, l.i = depth+1, l.i+2
				case l.sql[l.i] == '*' && l.peek(1) == '/':
					depth, l.i = depth-1, l.i+2
				default:
					l.i++
				}
				if depth == 0 {
					break
				}
			}
		default:
			return nil
		}
	}
	return nil
}

func isLetter(c byte) bool { return c == '_' || c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func (l *lexer) next() (token, error) {
	start := l.i
	done := func(k tokenKind, text string) (token, error) {
		return token{kind: k, text: text, raw: l.sql[start:l.i], pos: start, end: l.i}, nil
	}
	if l.i >= len(l.sql) {
		return done(tEOF, "")
	}
	c := l.sql[l.i]
	switch {
	case isLetter(c) || c == '#' && isLetter(l.peek(1)):
		l.i++
		for l.i < len(l.sql) && (isLetter(l.sql[l.i]) || isDigit(l.sql[l.i]) || l.sql[l.i] == '$') {
			l.i++
		}
		name := strings.ToLower(l.sql[start:l.i])
		if l.peek(0) == '\'' && len(name) == 1 { // E'…', B'…', X'…', N'…' are casts to types that do not exist
			return token{}, errorf("42704", "type %q does not exist", name)
		}
		return done(tIdent, truncate(name))
	case c == '"':
		name, err := l.quoted('"')
		if err != nil {
			return token{}, err
		}
		if name == "" {
			return token{}, errorf("42601", "zero-length delimited identifier")
		}
		return done(tQuoted, truncate(strings.ToLower(name)))
	case c == '\'':
		text, err := l.str()
		if err != nil {
			return token{}, err
		}
		return done(tString, text)
	case isDigit(c) || c == '.' && isDigit(l.peek(1)):
		l.number()
		if isLetter(l.peek(0)) {
			return token{}, errSyntax(string(l.peek(0)))
		}
		return done(tNumber, l.sql[start:l.i])
	case c == '$' && isDigit(l.peek(1)):
		l.i++
		for isDigit(l.peek(0)) {
			l.i++
		}
		return done(tParam, l.sql[start+1:l.i])
	}
	for _, op := range operators {
		if strings.HasPrefix(l.sql[l.i:], op) {
			l.i += 2
			return done(tOp, op)
		}
	}
	l.i++
	if !strings.ContainsRune("+-*/%<>=(),.;[]{}:~!@#&|^?$", rune(c)) {
		return token{}, errSyntax(string(c))
	}
	return done(tOp, string(c))
}

func (l *lexer) number() {
	digits := func() {
		for isDigit(l.peek(0)) {
			l.i++
		}
	}
	digits()
	if l.peek(0) == '.' {
		l.i++
		digits()
	}
	if l.peek(0)|0x20 == 'e' {
		n := 1
		if l.peek(1) == '+' || l.peek(1) == '-' {
			n = 2
		}
		if isDigit(l.peek(n)) {
			l.i += n
			digits()
		}
	}
}

// quoted reads a quoted identifier, where a doubled quote stands for one.
func (l *lexer) quoted(q byte) (string, error) {
	var b strings.Builder
	for l.i++; l.i < len(l.sql); l.i++ {
		if l.sql[l.i] != q {
			b.WriteByte(l.sql[l.i])
			continue
		}
		if l.peek(1) != q {
			l.i++
			return b.String(), nil
		}
		b.WriteByte(q)
		l.i++
	}
	return "", errorf("42601", "unterminated quoted identifier")
}

// str reads a string constant: quotes double and backslashes escape, as in PostgreSQL 8.0.
func (l *lexer) str() (string, error) {
	var b strings.Builder
	for l.i++; l.i < len(l.sql); l.i++ {
		switch c := l.sql[l.i]; {
		case c == '\'' && l.peek(1) == '\'':
			b.WriteByte('\'')
			l.i++
		case c == '\'':
			l.i++
			s := b.String()
			if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
				return "", errorf("22021", "invalid byte sequence for encoding \"UNICODE\"")
			}
			return s, nil
		case c == '\\' && l.i+1 < len(l.sql):
			l.i++
			b.WriteByte(l.escape())
		default:
			b.WriteByte(c)
		}
	}
	return "", errorf("42601", "unterminated quoted string")
}

// escape reads what follows a backslash and stays on its last byte.
func (l *lexer) escape() byte {
	c := l.sql[l.i]
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	if c < '0' || c > '7' {
		return c
	}
	v := int(c - '0')
	for n := 1; n < 3 && l.peek(1) >= '0' && l.peek(1) <= '7'; n++ {
		l.i++
		v = v*8 + int(l.sql[l.i]-'0')
	}
	return byte(v)
}

// truncate cuts an identifier at its limit without splitting a character.
func truncate(s string) string {
	if len(s) <= maxIdentifier {
		return s
	}
	n := maxIdentifier
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// splitStatements cuts the tokens of a simple query at its semicolons; empty statements are dropped.
// Each part ends with tEOF.
func splitStatements(tokens []token) [][]token {
	var out [][]token
	var part []token
	for _, t := range tokens {
		if t.kind == tEOF || t.kind == tOp && t.text == ";" {
			if len(part) > 0 {
				out = append(out, append(part, token{kind: tEOF, pos: t.pos, end: t.pos}))
			}
			part = nil
			continue
		}
		part = append(part, t)
	}
	return out
}
