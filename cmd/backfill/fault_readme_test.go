package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const (
	tableBegin = "<!-- guarantees: written by `make guarantees` from the names of the tests -->"
	tableEnd   = "<!-- end of guarantees -->"
)

// updateEnv makes TestGuaranteesTable write the table instead of comparing it.
const updateEnv = "BACKFILL_UPDATE_README"

// TestGuaranteesTable holds README's table of guarantees to the tests that show them.
func TestGuaranteesTable(t *testing.T) {
	const file = "../../README.md"
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(body), tableBegin)
	_, tail, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("README.md has no place for the table: it belongs between\n%s\n%s", tableBegin, tableEnd)
	}
	want := head + tableBegin + "\n" + guaranteesTable(t) + tableEnd + tail
	if want == string(body) {
		return
	}
	if os.Getenv(updateEnv) == "" {
		t.Fatal("README's table of guarantees is not what the tests' names say: run `make guarantees`")
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// guaranteesTable is the matrix, then a line for each test that shows one thing.
func guaranteesTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| every S3 operation and every SQL statement of |")
	for _, k := range kinds() {
		fmt.Fprintf(&b, " %s |", strings.ReplaceAll(string(k), "_", " "))
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(kinds())) + "\n")
	for _, m := range matrixModes() {
		fmt.Fprintf(&b, "| `%s` |%s\n", m.name, strings.Repeat(" ✓ |", len(kinds())))
	}
	b.WriteString("\n| also shown | test |\n|---|---|\n")
	for _, name := range guaranteeTests(t) {
		fmt.Fprintf(&b, "| %s | `%s` |\n", inWords(name), name)
	}
	return b.String()
}

var guarantee = regexp.MustCompile(`^Test(Fault|Sequence|Secrets|Killed|LostAnswer$|VanishGuard$|NeighboursStay|UpsertOfMarch)`)

// guaranteeTests finds the tests by name in this package's files.
func guaranteeTests(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && guarantee.MatchString(f.Name.Name) && f.Name.Name != "TestFaultMatrix" {
				names = append(names, f.Name.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// inWords turns TestFaultCopyThatLoadsTwice into: copy that loads twice.
func inWords(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "Test"), "Fault")
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
