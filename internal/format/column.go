package format

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// errLevels is the cause where a row's values do not nest as the schema says.
var errLevels = errors.New("a row's values do not fit the file's schema")

// shape is what a column becomes.
type shape uint8

const (
	aScalar shape = iota
	anObject
	aList
	aMap
)

// column is a node of a file's schema. A repeated one is one element of its
// array: the array is made around it.
type column struct {
	name     string
	shape    shape
	repeated bool
	def, rep int // levels at which it is there
	first    int // its first leaf
	leaves   int
	parts    []*column // fields; a list's one element; a map's key and value
	cell     cell      // of a scalar
}

// builder makes the tree of a file's schema, which is a list, depth first.
type builder struct {
	elements []format.SchemaElement
	at       int
	leaves   int
}

// newTree makes the tree of a file's schema.
func newTree(elements []format.SchemaElement) (*column, error) {
	b := &builder{elements: elements}
	root, err := b.next(0, 0, 0)
	if err != nil {
		return nil, err
	}
	if b.at != len(elements) || root.shape == aScalar || root.leaves == 0 {
		return nil, damaged(errors.New("its schema is no tree"))
	}
	root.shape, root.repeated, root.def, root.rep = anObject, false, 0, 0
	return root, nil
}

func (b *builder) next(def, rep, depth int) (*column, error) {
	if b.at == len(b.elements) || depth > maxParquetTree {
		return nil, damaged(fmt.Errorf("its schema ends early or is deeper than %d levels", maxParquetTree))
	}
	e := &b.elements[b.at]
	b.at++
	c := &column{name: e.Name, first: b.leaves}
	if depth > 0 && e.RepetitionType.Valid {
		switch e.RepetitionType.V {
		case format.Optional:
			def++
		case format.Repeated:
			def, rep, c.repeated = def+1, rep+1, true
		}
	}
	c.def, c.rep = def, rep
	if e.Type.Valid {
		b.leaves++
		c.leaves = 1
		var err error
		c.cell, err = newCell(e)
		return c, err
	}
	c.shape = anObject
	for range e.NumChildren.V {
		part, err := b.next(def, rep, depth+1)
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, part)
	}
	c.leaves = b.leaves - c.first
	if c.leaves == 0 && depth > 0 {
		return nil, fail.New(fail.BadLayout, "the Parquet file's column %s has no fields", c.name)
	}
	c.annotate(e)
	return c, nil
}

// annotate makes a group a list or a map where the schema says so and its
// parts are those of one.
func (c *column) annotate(e *format.SchemaElement) {
	_, list := e.LogicalType.Value.(*format.ListType)
	_, aMapping := e.LogicalType.Value.(*format.MapType)
	if e.LogicalType.Value == nil && e.ConvertedType.Valid {
		list = e.ConvertedType.V == deprecated.List
		aMapping = e.ConvertedType.V == deprecated.Map || e.ConvertedType.V == deprecated.MapKeyValue
	}
	if len(c.parts) != 1 || !c.parts[0].repeated {
		return
	}
	inner := c.parts[0]
	switch {
	case aMapping && inner.shape == anObject && (len(inner.parts) == 1 || len(inner.parts) == 2) && !inner.parts[0].repeated && inner.parts[0].shape == aScalar:
		c.shape = aMap
	case list:
		c.shape = aList
		// Two levels: the repeated node is the element. Three: it only holds it.
		if inner.shape == anObject && len(inner.parts) == 1 && inner.name != "array" && inner.name != c.name+"_tuple" && !inner.parts[0].repeated {
			inner.shape, inner.parts = aList, inner.parts[:1:1]
			inner.name = "" // it stands for its one part
		}
	}
}

// cursor walks over the values of a row, leaf by leaf.
type cursor struct {
	values [][]parquet.Value // by leaf
	pos    []int
}

func newCursor(leaves int) cursor {
	return cursor{make([][]parquet.Value, leaves), make([]int, leaves)}
}

func (c *cursor) fill(row parquet.Row) error {
	for i := range c.values {
		c.values[i], c.pos[i] = c.values[i][:0], 0
	}
	for _, v := range row {
		if i := v.Column(); i < 0 || i >= len(c.values) {
			return errLevels
		}
		c.values[v.Column()] = append(c.values[v.Column()], v)
	}
	return nil
}

// used reports whether all values were taken.
func (c *cursor) used() bool {
	for i := range c.values {
		if c.pos[i] != len(c.values[i]) {
			return false
		}
	}
	return true
}

// peek returns the next value of a leaf.
func (c *cursor) peek(leaf int) (parquet.Value, bool) {
	if c.pos[leaf] == len(c.values[leaf]) {
		return parquet.Value{}, false
	}
	return c.values[leaf][c.pos[leaf]], true
}

// pass steps over one value of each leaf, which are the nulls of what is absent.
func (c *cursor) pass(n *column) error {
	for leaf := n.first; leaf < n.first+n.leaves; leaf++ {
		v, ok := c.peek(leaf)
		if !ok || v.DefinitionLevel() >= n.def {
			return errLevels
		}
		c.pos[leaf]++
	}
	return nil
}

// appendJSON appends the column's value at hand, an array where it is repeated.
func (n *column) appendJSON(dst []byte, c *cursor) ([]byte, error) {
	v, ok := c.peek(n.first)
	if !ok {
		return dst, errLevels
	}
	if !n.repeated {
		if v.DefinitionLevel() < n.def {
			return append(dst, "null"...), c.pass(n)
		}
		return n.appendOne(dst, c)
	}
	dst = append(dst, '[')
	if v.DefinitionLevel() < n.def {
		return append(dst, ']'), c.pass(n)
	}
	for first := true; ; first = false {
		if !first {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = n.appendOne(dst, c); err != nil {
			return dst, err
		}
		if v, ok = c.peek(n.first); !ok || v.RepetitionLevel() != n.rep {
			return append(dst, ']'), nil
		}
	}
}

// appendOne appends a value that is there.
func (n *column) appendOne(dst []byte, c *cursor) ([]byte, error) {
	switch n.shape {
	case aScalar:
		v, _ := c.peek(n.first)
		c.pos[n.first]++
		return n.cell.append(dst, v)
	case aList:
		return n.parts[0].appendJSON(dst, c)
	case aMap:
		return n.appendMap(dst, c)
	}
	dst = append(dst, '{')
	for i, part := range n.parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(decode.AppendString(dst, []byte(part.name)), ':')
		var err error
		if dst, err = part.appendJSON(dst, c); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendMap appends the entries of a map as an object. Keys that are no text
// are spelled as text; the null key of a damaged map can't be.
func (n *column) appendMap(dst []byte, c *cursor) ([]byte, error) {
	entry := n.parts[0]
	key := entry.parts[0]
	v, ok := c.peek(entry.first)
	if !ok {
		return dst, errLevels
	}
	dst = append(dst, '{')
	if v.DefinitionLevel() < entry.def {
		return append(dst, '}'), c.pass(entry)
	}
	for first := true; ; first = false {
		if !first {
			dst = append(dst, ',')
		}
		if v, _ := c.peek(key.first); v.DefinitionLevel() < key.def {
			return dst, errLevels
		}
		from := len(dst)
		var err error
		if dst, err = key.appendOne(dst, c); err != nil {
			return dst, err
		}
		if dst[from] != '"' {
			dst = strconv.AppendQuote(dst[:from], string(dst[from:]))
		}
		dst = append(dst, ':')
		if len(entry.parts) == 1 {
			dst = append(dst, "null"...)
		} else if dst, err = entry.parts[1].appendJSON(dst, c); err != nil {
			return dst, err
		}
		if v, ok = c.peek(entry.first); !ok || v.RepetitionLevel() != entry.rep {
			return append(dst, '}'), nil
		}
	}
}
