package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// section is a part of the results that is measured by itself. A run writes the
// sections that it measured and keeps the others, so that long measurements
// needn't be repeated with the short ones.
type section struct {
	name string
	text string // Markdown, without its marks
}

func sectionBegins(name string) string { return "<!-- begin " + name + " -->\n" }
func sectionEnds(name string) string   { return "<!-- end " + name + " -->\n" }

// kept returns the named section of an earlier text; "" if it has none.
func kept(text, name string) string {
	_, after, found := strings.Cut(text, sectionBegins(name))
	if !found {
		return ""
	}
	inside, _, whole := strings.Cut(after, sectionEnds(name))
	if !whole {
		return ""
	}
	return inside
}

// keptSizes returns the rows of the months that the earlier text's workloads
// have, the most first.
func keptSizes(text string) []int64 {
	var list []int64
	for line := range strings.Lines(text) {
		var rows int64
		if n, _ := fmt.Sscanf(line, "<!-- begin workloads of %d rows -->", &rows); n == 1 {
			list = append(list, rows)
		}
	}
	slices.SortFunc(list, func(a, b int64) int { return cmp.Compare(b, a) })
	return list
}

func workloadsOf(rows int64) string { return fmt.Sprintf("workloads of %d rows", rows) }

// merged returns the sections in order, empty ones as the earlier text has them.
func merged(earlier string, list []section) string {
	var out strings.Builder
	for _, s := range list {
		if s.text == "" {
			s.text = kept(earlier, s.name)
		}
		if s.text != "" {
			out.WriteString("\n" + sectionBegins(s.name) + s.text + sectionEnds(s.name))
		}
	}
	return out.String()
}

// earlierResults returns the file of results; "" if there is none.
func earlierResults(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading earlier results: %w", err)
	}
	return string(text), nil
}
