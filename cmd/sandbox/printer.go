package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// column is the name and the type of a result column; values arrive as text whatever the type.
type column struct {
	name string
	oid  uint32
}

// OIDs of the types that are not shown as plain text.
const (
	oidBool    = 16
	oidInt8    = 20
	oidInt2    = 21
	oidInt4    = 23
	oidFloat4  = 700
	oidFloat8  = 701
	oidNumeric = 1700
)

func (c column) integer() bool { return c.oid == oidInt2 || c.oid == oidInt4 || c.oid == oidInt8 }

func (c column) number() bool {
	return c.integer() || c.oid == oidNumeric || c.oid == oidFloat4 || c.oid == oidFloat8
}

// printer shows results: for each begin, its rows, end. A result without columns is a statement that returns no rows.
// Values are valid during the call only; nil is NULL.
type printer interface {
	begin(columns []column) error
	row(values [][]byte) error
	end(tag string) error
}

func newPrinter(w io.Writer, format string, maxRows int) (printer, error) {
	switch format {
	case "table":
		return &tablePrinter{w: w, maxRows: maxRows}, nil
	case "csv":
		return &csvPrinter{w: csv.NewWriter(w)}, nil
	case "json":
		return &jsonPrinter{w: bufio.NewWriter(w)}, nil
	}
	return nil, usagef("--output is table, csv or json, got %q", format)
}

// tablePrinter aligns columns, numbers to the right. It holds maxRows rows at most.
type tablePrinter struct {
	w       io.Writer
	maxRows int
	columns []column
	rows    [][]string
	count   int
}

func (t *tablePrinter) begin(columns []column) error {
	t.columns, t.rows, t.count = columns, nil, 0
	return nil
}

func (t *tablePrinter) row(values [][]byte) error {
	t.count++
	if len(t.rows) == t.maxRows {
		return nil
	}
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = "NULL"
		if v != nil {
			cells[i] = oneLine.Replace(string(v))
		}
	}
	t.rows = append(t.rows, cells)
	return nil
}

// oneLine keeps a value from breaking the table.
var oneLine = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`)

func (t *tablePrinter) end(tag string) error {
	var b strings.Builder
	if len(t.columns) == 0 {
		fmt.Fprintln(&b, tag)
	} else {
		t.render(&b)
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *tablePrinter) render(b *strings.Builder) {
	header, widths := make([]string, len(t.columns)), make([]int, len(t.columns))
	for i, c := range t.columns {
		header[i] = c.name
	}
	for _, cells := range append([][]string{header}, t.rows...) {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	t.line(b, header, widths)
	rules := make([]string, len(widths))
	for i, width := range widths {
		rules[i] = strings.Repeat("-", width)
	}
	t.line(b, rules, widths)
	for _, cells := range t.rows {
		t.line(b, cells, widths)
	}
	switch {
	case t.count > len(t.rows):
		fmt.Fprintf(b, "(the first %d of %d rows; --max-rows shows more)\n", len(t.rows), t.count)
	case t.count == 1:
		b.WriteString("(1 row)\n")
	default:
		fmt.Fprintf(b, "(%d rows)\n", t.count)
	}
}

func (t *tablePrinter) line(b *strings.Builder, cells []string, widths []int) {
	var line strings.Builder
	for i, cell := range cells {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i > 0 {
			line.WriteString("  ")
		}
		if t.columns[i].number() {
			line.WriteString(pad + cell)
		} else {
			line.WriteString(cell + pad)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// csvPrinter writes a header and rows for each result that has columns, one result after the other.
type csvPrinter struct {
	w       *csv.Writer
	columns int
}

func (c *csvPrinter) begin(columns []column) error {
	c.columns = len(columns)
	if c.columns == 0 {
		return nil
	}
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.name
	}
	return c.w.Write(names)
}

func (c *csvPrinter) row(values [][]byte) error {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = string(v)
	}
	return c.w.Write(cells)
}

func (c *csvPrinter) end(string) error {
	c.w.Flush()
	return c.w.Error()
}

// jsonPrinter writes one object per statement and line. Columns keep their order.
type jsonPrinter struct {
	w       *bufio.Writer
	columns []column
	names   [][]byte // encoded, with colon
	count   int
}

func (j *jsonPrinter) begin(columns []column) error {
	j.columns, j.names, j.count = columns, nil, 0
	for _, c := range columns {
		name, err := json.Marshal(c.name)
		if err != nil {
			return fmt.Errorf("encoding a column name: %w", err)
		}
		j.names = append(j.names, append(name, ':'))
	}
	_ = j.w.WriteByte('{') // bufio keeps its first error for Flush
	if len(columns) > 0 {
		_, _ = j.w.WriteString(`"rows":[`)
	}
	return nil
}

func (j *jsonPrinter) row(values [][]byte) error {
	separator := `{`
	if j.count > 0 {
		separator = `,{`
	}
	j.count++
	for i, v := range values {
		text, err := j.columns[i].json(v)
		if err != nil {
			return err
		}
		_, _ = j.w.WriteString(separator)
		_, _ = j.w.Write(j.names[i])
		_, _ = j.w.Write(text)
		separator = `,`
	}
	return j.w.WriteByte('}')
}

func (j *jsonPrinter) end(tag string) error {
	if len(j.columns) > 0 {
		_, _ = j.w.WriteString(`],`)
	}
	text, err := json.Marshal(tag)
	if err != nil {
		return fmt.Errorf("encoding a command tag: %w", err)
	}
	_, _ = fmt.Fprintf(j.w, "\"tag\":%s}\n", text)
	return j.w.Flush()
}

// json returns a value as JSON: decimals stay text, because readers of JSON numbers round them.
func (c column) json(value []byte) ([]byte, error) {
	switch {
	case value == nil:
		return []byte("null"), nil
	case c.integer():
		return value, nil
	case c.oid == oidBool:
		return []byte(map[string]string{"t": "true", "f": "false"}[string(value)]), nil
	}
	text, err := json.Marshal(string(value))
	if err != nil {
		return nil, fmt.Errorf("encoding a value of %s: %w", c.name, err)
	}
	return text, nil
}
