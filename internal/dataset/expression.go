package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"go.yaml.in/yaml/v3"

	"backfill/internal/columns"
)

const (
	maxWhere      = 16 << 10 // bytes; also bounds the parser's recursion
	maxWherePaths = 16
)

const whereHint = "compare paths with ==, !=, <, <=, >, >=, in, not in; join with and, or, not"

// where compiles an expression: expr parses it, and of its tree only the
// language of Where is taken. expr's own evaluation would compare decimals as
// floats and accept functions that read the clock.
func (c *compiler) where(n *yaml.Node, text string) *Where {
	if len(text) > maxWhere {
		c.at(n, "", "records.where has %d bytes, more than %d", len(text), maxWhere)
		return nil
	}
	e := &expression{text: []rune(text), where: &Where{Text: text}, enveloped: c.out.Records.Envelope.Value != nil}
	e.note = func(at int, hint, format string, args ...any) { c.inside(n, text, at, hint, format, args...) }
	tree, err := parser.Parse(text)
	if err != nil {
		var parse *file.Error
		if errors.As(err, &parse) {
			c.inside(n, text, parse.From, whereHint, "records.where: %s", parse.Message)
		} else {
			c.at(n, whereHint, "records.where can't be read")
		}
		return nil
	}
	e.where.match = e.condition(tree.Node)
	if len(e.where.Paths) > maxWherePaths {
		c.at(n, "", "records.where looks at %d values, more than %d", len(e.where.Paths), maxWherePaths)
	}
	return e.where
}

// inside notes a problem at a character of an expression: at its place in the
// file where the source spells the expression as it is, else at the node.
func (c *compiler) inside(n *yaml.Node, text string, at int, hint, format string, args ...any) {
	runes := []rune(text)
	before := string(runes[:min(max(at, 0), len(runes))])
	line, column := strings.Count(before, "\n"), utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	texts := strings.Split(text, "\n")
	row, start := n.Line-1+line, n.Column-1
	switch n.Style {
	case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
		start++
	case yaml.LiteralStyle:
		row, start = row+1, -1 // indented by as much as the source has
	}
	_, flag := c.origin[n]
	if !flag && row < len(c.source) && (len(texts) == 1 || n.Style == yaml.LiteralStyle) {
		source := []rune(strings.TrimSuffix(c.source[row], "\r"))
		if start < 0 {
			start = strings.Index(string(source), texts[line])
		}
		if start >= 0 && start <= len(source) && strings.HasPrefix(string(source[start:]), texts[line]) {
			c.position(row+1, start+column+1, hint, format, args...)
			return
		}
	}
	c.at(n, hint, "%s (at character %d of the expression)", fmt.Sprintf(format, args...), at+1)
}

// expression turns a syntax tree into a Where.
type expression struct {
	text      []rune
	where     *Where
	enveloped bool // paths may begin at the envelope
	note      func(at int, hint, format string, args ...any)
}

// refuse notes that a part of the expression is not in the language.
func (e *expression) refuse(n ast.Node, hint, format string, args ...any) {
	e.note(n.Location().From, hint, "records.where: "+format, args...)
}

// condition compiles a part that is true or false; nil after a problem.
func (e *expression) condition(n ast.Node) condition {
	switch n := n.(type) {
	case *ast.BinaryNode:
		return e.binary(n)
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			if one := e.condition(n.Node); one != nil {
				return not(one)
			}
			return nil
		}
	case *ast.MemberNode, *ast.IdentifierNode:
		if path, ok := e.path(n); ok {
			e.refuse(n, "write value.… == true", "%s alone is not a condition", pathForm(path))
		}
		return nil
	case *ast.BoolNode, *ast.NilNode, *ast.StringNode, *ast.IntegerNode, *ast.FloatNode:
		e.refuse(n, whereHint, "a constant is not a condition")
		return nil
	}
	e.unsupported(n)
	return nil
}

func (e *expression) binary(n *ast.BinaryNode) condition {
	switch n.Operator {
	case "and", "&&", "or", "||":
		left, right := e.condition(n.Left), e.condition(n.Right)
		switch {
		case left == nil || right == nil:
			return nil
		case n.Operator == "and" || n.Operator == "&&":
			return both(left, right)
		}
		return either(left, right)
	case "in":
		return e.in(n)
	case "==", "!=", "<", "<=", ">", ">=":
		return e.comparison(n)
	}
	e.unsupported(n)
	return nil
}

func (e *expression) comparison(n *ast.BinaryNode) condition {
	left, ok := e.operand(n.Left)
	if !ok {
		return nil
	}
	right, ok := e.operand(n.Right)
	if !ok {
		return nil
	}
	if left.index < 0 && right.index < 0 {
		e.refuse(n, "compare a path with a constant", "the comparison looks at no value")
		return nil
	}
	switch n.Operator {
	case "==":
		return equals(left, right)
	case "!=":
		return not(equals(left, right))
	}
	for _, side := range []operand{left, right} {
		if side.index < 0 && side.literal.Kind != columns.Number && side.literal.Kind != columns.String {
			e.refuse(n, "only numbers and texts have an order", "%s with true, false or nil is never true", n.Operator)
			return nil
		}
	}
	return ordered(left, right, orders[n.Operator])
}

// orders judges the outcome of a comparison.
var orders = map[string]func(int) bool{
	"<":  func(order int) bool { return order < 0 },
	"<=": func(order int) bool { return order <= 0 },
	">":  func(order int) bool { return order > 0 },
	">=": func(order int) bool { return order >= 0 },
}

func (e *expression) in(n *ast.BinaryNode) condition {
	left, ok := e.operand(n.Left)
	if !ok {
		return nil
	}
	if left.index < 0 {
		e.refuse(n.Left, "write value.… in [constants]", "the left side of in must be a path")
		return nil
	}
	array, ok := n.Right.(*ast.ArrayNode)
	if !ok || len(array.Nodes) == 0 {
		e.refuse(n.Right, `write value.… in ["a", "b"]`, "the right side of in must be a list of constants")
		return nil
	}
	list := make([]columns.Scalar, 0, len(array.Nodes))
	for _, item := range array.Nodes {
		one, ok := e.operand(item)
		if !ok {
			return nil
		}
		if one.index >= 0 {
			e.refuse(item, "put comparisons together by or", "a list holds constants only")
			return nil
		}
		list = append(list, one.literal)
	}
	return among(left, list)
}

// operand compiles a path or a constant.
func (e *expression) operand(n ast.Node) (operand, bool) {
	constant := func(kind columns.ScalarKind, text string) (operand, bool) {
		return operand{index: -1, literal: columns.Scalar{Kind: kind, Text: []byte(text)}}, true
	}
	switch n := n.(type) {
	case *ast.NilNode:
		return constant(columns.Null, "")
	case *ast.BoolNode:
		if n.Value {
			return constant(columns.Bool, "true")
		}
		return constant(columns.Bool, "false")
	case *ast.StringNode:
		return constant(columns.String, n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		return e.number(n, "")
	case *ast.UnaryNode:
		switch n.Node.(type) {
		case *ast.IntegerNode, *ast.FloatNode:
			if n.Operator == "-" || n.Operator == "+" {
				return e.number(n.Node, n.Operator)
			}
		}
		if n.Operator == "not" || n.Operator == "!" {
			e.refuse(n, "not binds closer than a comparison: write not (value.x == …)", "a condition can't be compared")
			return operand{}, false
		}
	case *ast.MemberNode, *ast.IdentifierNode:
		path, ok := e.path(n)
		if !ok {
			return operand{}, false
		}
		return operand{index: e.look(path)}, true
	case *ast.BinaryNode:
		if slices.Contains([]string{"==", "!=", "<", "<=", ">", ">=", "in", "and", "or", "&&", "||"}, n.Operator) {
			e.refuse(n, "join comparisons with and, or and parentheses", "a condition can't be compared")
			return operand{}, false
		}
	}
	e.unsupported(n)
	return operand{}, false
}

// number takes a number as the file spells it: the parser's own value is a
// float.
func (e *expression) number(n ast.Node, sign string) (operand, bool) {
	at := n.Location()
	if at.From < 0 || at.To > len(e.text) || at.From >= at.To {
		e.unsupported(n)
		return operand{}, false
	}
	text := strings.ReplaceAll(string(e.text[at.From:at.To]), "_", "")
	if strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) {
		e.refuse(n, "write it in decimal digits", "the number %s is not decimal", shown(text))
		return operand{}, false
	}
	return operand{index: -1, literal: columns.Scalar{Kind: columns.Number, Text: []byte(sign + text)}}, true
}

// look returns the index of the path in Paths, adding it once.
func (e *expression) look(path []string) int {
	for i, known := range e.where.Paths {
		if slices.Equal(known, path) {
			return i
		}
	}
	e.where.Paths = append(e.where.Paths, path)
	return len(e.where.Paths) - 1
}

// path returns the steps of value.a.b or value["a"]; false after a problem.
func (e *expression) path(n ast.Node) ([]string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if n.Value == pathsStart {
			return []string{}, true
		}
		if n.Value == envelopeStart && e.enveloped {
			return []string{envelopeRoot}, true
		}
		e.refuse(n, "paths start with value, texts stand in quotes", "%s is not known", shown(n.Value))
		return nil, false
	case *ast.MemberNode:
		path, ok := e.path(n.Node)
		if !ok {
			return nil, false
		}
		step, ok := n.Property.(*ast.StringNode)
		if !ok || n.Method || n.Optional {
			e.refuse(n, "write value.a.b; an absent field is nil", "list indexes, computed fields and ?. are not supported")
			return nil, false
		}
		if len(path) == maxPath || step.Value == "" || len(step.Value) > maxStep {
			e.refuse(n, "", "a path has at most %d steps of 1 to %d bytes", maxPath, maxStep)
			return nil, false
		}
		return append(path, step.Value), true
	}
	e.unsupported(n)
	return nil, false
}

// unsupported names a part that expr knows and this language does not.
func (e *expression) unsupported(n ast.Node) {
	what := "this"
	switch n := n.(type) {
	case *ast.BinaryNode:
		what = "the operator " + n.Operator
	case *ast.UnaryNode:
		what = "the operator " + n.Operator
	case *ast.CallNode, *ast.BuiltinNode:
		what = "a function"
	case *ast.ChainNode:
		what = "?. (an absent field is nil anyhow)"
	case *ast.ConditionalNode:
		what = "a choice"
	case *ast.ArrayNode:
		what = "a list outside of in"
	case *ast.SequenceNode, *ast.VariableDeclaratorNode:
		what = "more than one expression"
	}
	e.refuse(n, whereHint, "%s is not supported", what)
}
