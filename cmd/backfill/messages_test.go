package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
)

// spoken is a text of the source that a person may read: what an error says, or
// its hint.
type spoken struct {
	at   string
	hint bool
	text string
}

// messages reads the formats that fail.New, fail.Wrap and Try are called with,
// in the whole product; parts of a text that are no literals are "…".
func messages(t *testing.T) []spoken {
	t.Helper()
	var out []spoken
	files := token.NewFileSet()
	read := func(path string) error {
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			arg := map[string]int{"Try": 0, "New": 1, "Wrap": 2}
			pkg, _ := sel.X.(*ast.Ident)
			i, known := arg[sel.Sel.Name]
			if !known || len(call.Args) <= i || (sel.Sel.Name != "Try" && (pkg == nil || pkg.Name != "fail")) {
				return true
			}
			out = append(out, spoken{files.Position(call.Pos()).String(), sel.Sel.Name == "Try", literal(call.Args[i])})
			return true
		})
		return nil
	}
	for _, root := range []string{".", "../../jobs", "../../internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || strings.HasSuffix(path, "internal/sandbox")):
				return fs.SkipDir
			case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			return read(path)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 500 {
		t.Fatalf("only %d messages were found", len(out))
	}
	return out
}

func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	}
	return "…"
}

var (
	namedFlag    = regexp.MustCompile(`(?:^|[ (\x60])--([a-z][a-z-]*[a-z])`)
	namedCommand = regexp.MustCompile(`\bbackfill ([a-z]+(?: (?:ls|show|replay)\b)?)`)
	otherProgram = regexp.MustCompile(`\b(aws|openssl|kubectl) `)
)

// TestMessagesAreReadable holds what a machine can hold of messages: they begin
// small and end without a stop or a line's end, since they are put into
// sentences; and a hint names only commands and flags that exist.
func TestMessagesAreReadable(t *testing.T) {
	flagNames, commandNames := map[string]bool{}, map[string]bool{"explain": true, "help": true}
	for _, c := range commands() {
		commandNames[c.name] = true
		var p program
		own := p.commonFlags(c.name)
		if c.flags != nil {
			c.flags(&p.flags, own)
		}
		own.VisitAll(func(f *pflag.Flag) { flagNames[f.Name] = true })
	}
	flagNames["help"] = true
	for _, m := range messages(t) {
		text := strings.TrimSpace(m.text)
		if text != m.text {
			t.Errorf("%s: white space around %q", m.at, m.text)
		}
		if strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "..") {
			t.Errorf("%s: a stop at the end of %q", m.at, text)
		}
		if !m.hint && strings.Contains(text, "error:") {
			t.Errorf("%s: the level stands before it already: %q", m.at, text)
		}
		if word, _, _ := strings.Cut(text, " "); m.hint && word != "" && unicode.IsUpper([]rune(word)[0]) && word == capitalized(word) {
			t.Errorf("%s: the hint begins with a capital: %q", m.at, text)
		}
		for _, found := range namedCommand.FindAllStringSubmatch(text, -1) {
			if name := found[1]; m.hint && !commandNames[name] {
				t.Errorf("%s: there is no command %q: %q", m.at, name, text)
			}
		}
		if otherProgram.MatchString(text) {
			continue // flags of another program
		}
		for _, found := range namedFlag.FindAllStringSubmatch(text, -1) {
			if !flagNames[found[1]] {
				t.Errorf("%s: there is no flag --%s: %q", m.at, found[1], text)
			}
		}
	}
}

// capitalized is the word as a sentence begins with it: words in capitals, as
// SQL has them, and names such as DefaultCodec are not.
func capitalized(word string) string {
	lower := strings.ToLower(word)
	return strings.ToUpper(lower[:1]) + lower[1:]
}

// TestEveryErrorHasAHint: an error without a hint of its own gets that of its
// code, for people and for scripts.
func TestEveryErrorHasAHint(t *testing.T) {
	for _, c := range fail.Codes() {
		var r result
		r.failed(t.Context(), fail.New(c, "it went wrong"), c.Exit())
		m, _ := c.Meaning()
		if r.Hint == "" || !strings.EqualFold(r.Hint+".", m.Do) {
			t.Errorf("%s: the hint is %q, the code says %q", c, r.Hint, m.Do)
		}
	}
	var r result
	r.failed(t.Context(), errors.New("nobody gave it a code"), fail.ExitInternal)
	if !strings.HasPrefix(r.Hint, "report the ERROR line") {
		t.Errorf("an error without a code: the hint is %q", r.Hint)
	}
}

// TestErrorIsOneLine: however the hint is laid out, it is one line of the log.
func TestErrorIsOneLine(t *testing.T) {
	var errs bytes.Buffer
	p := &program{env: func(string) string { return "" }, stdout: &errs, stderr: &errs, started: now()}
	p.complain(result{Exit: 4, Code: "table_missing", Error: "payroll.events: the table does not exist", Hint: "make it:\nCREATE TABLE t (\n  a integer\n);"})
	want := "ERROR table_missing: payroll.events: the table does not exist\nERROR what to do: make it: CREATE TABLE t ( a integer );\n"
	if errs.String() != want {
		t.Errorf("got\n%swant\n%s", errs.String(), want)
	}
}
