package dataset

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"backfill/internal/fail"
)

// maxProblems bounds the list that a user gets at once.
const maxProblems = 20

// problem is one thing wrong with the dataset, where it stands and what to do.
type problem struct {
	line, column int    // in the file, from 1; line is past the file for other places
	where        string // file:line:column, the flag or the environment variable
	what, hint   string
}

func (p problem) String() string {
	text := p.where + ": " + p.what
	if p.hint != "" {
		text += " (" + p.hint + ")"
	}
	return text
}

// problems collects what is wrong; checks go on after a problem so that one
// run shows the user all of them.
type problems struct {
	file   string
	list   []problem
	origin map[*yaml.Node]string // nodes that came from a flag or the environment: which one
}

// at notes a problem at the node.
func (p *problems) at(n *yaml.Node, hint, format string, args ...any) {
	if origin, ok := p.origin[n]; ok {
		p.elsewhere(origin, hint, format, args...)
		return
	}
	p.position(n.Line, n.Column, hint, format, args...)
}

// position notes a problem at a line and column of the file.
func (p *problems) position(line, column int, hint, format string, args ...any) {
	line, column = max(line, 1), max(column, 1)
	p.list = append(p.list, problem{
		line: line, column: column, where: fmt.Sprintf("%s:%d:%d", p.file, line, column),
		what: fmt.Sprintf(format, args...), hint: hint,
	})
}

// elsewhere notes a problem of a flag or an environment variable.
func (p *problems) elsewhere(where, hint, format string, args ...any) {
	p.list = append(p.list, problem{line: math.MaxInt, where: where, what: fmt.Sprintf(format, args...), hint: hint})
}

// err returns all problems as one error in the order of the file, or nil.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	sort.SliceStable(p.list, func(i, j int) bool {
		a, b := p.list[i], p.list[j]
		if a.line != b.line {
			return a.line < b.line
		}
		return a.column < b.column
	})
	var lines []string
	for i, one := range p.list {
		if i == maxProblems {
			lines = append(lines, fmt.Sprintf("%s: %d more problems", p.file, len(p.list)-maxProblems))
			break
		}
		lines = append(lines, one.String())
	}
	return fail.New(fail.BadDataset, "%s", strings.Join(lines, "\n")).
		Try("correct what is named, then run the same command again")
}

// shown cuts a value of the user's for a message and makes it printable.
func shown(value string) string {
	const most = 60
	runes := []rune(value)
	if len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", value)
}
