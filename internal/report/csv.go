package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// CSV lists the items for a spreadsheet: UTF-8 with a mark at the start, so that
// Excel knows, every cell quoted, lines ended by CR LF, and no cell that a
// spreadsheet would take for a formula.
func (r *Report) CSV() []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	head := []string{"id", "state", "class", "leg", "topic", "partition", "offset", "day", "bucket"}
	head = append(head, r.GroupColumns...)
	head = append(head, "key", "columns", "count", "rows_expected", "rows_found")
	for _, c := range r.TotalColumns {
		head = append(head, c.Name+"_expected", c.Name+"_found", c.Name+"_difference")
	}
	writeCSV(&b, append(head, "text"))
	for _, item := range r.Items() {
		writeCSV(&b, r.csvLine(item))
	}
	return b.Bytes()
}

func (r *Report) csvLine(i Item) []string {
	line := []string{i.ID, i.State, i.Class, i.Leg, i.Topic, optional(i.Partition), optional(i.Offset), strings.TrimSuffix(i.Day, "all"), optional(i.Bucket)}
	for n := range r.GroupColumns {
		value := ""
		switch {
		case n >= len(i.Group):
		case i.Group[n] == nil:
			value = "(null)"
		default:
			value = *i.Group[n]
		}
		line = append(line, value)
	}
	count := ""
	if i.Count > 0 {
		count = strconv.FormatInt(i.Count, 10)
	}
	line = append(line, i.Key, i.Columns, count)
	if i.Left == nil || i.Right == nil {
		line = append(line, make([]string, 2+3*len(r.TotalColumns))...)
		return append(line, i.Text)
	}
	line = append(line, strconv.FormatInt(i.Left.Rows, 10), strconv.FormatInt(i.Right.Rows, 10))
	for n := range r.TotalColumns {
		diff := ""
		if n < len(i.Diff) {
			diff = i.Diff[n]
		}
		line = append(line, i.Left.Amounts[n], i.Right.Amounts[n], diff)
	}
	return append(line, i.Text)
}

func optional[T int32 | int64](n *T) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

func writeCSV(b *bytes.Buffer, cells []string) {
	for i, c := range cells {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + strings.ReplaceAll(cell(c), `"`, `""`) + `"`)
	}
	b.WriteString("\r\n")
}
