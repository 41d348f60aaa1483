package account

import (
	"encoding/json"
	"fmt"
	"strconv"

	"backfill/internal/kafka"
)

// MarshalJSON writes a list of objects, place and cell together, in order. It
// is spelled out because receipts hold thousands of cells, and encoding/json
// would take memory for each of their numbers.
func (cs Cells) MarshalJSON() ([]byte, error) {
	w := cellWriter{out: append(make([]byte, 0, 64+len(cs)*cellText), '[')}
	for i, p := range cs.Places() {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if err := w.place(p); err != nil {
			return nil, err
		}
		w.cell(cs[p])
	}
	return append(w.out, ']'), nil
}

// cellText is about what a cell's JSON takes.
const cellText = 320

// cellWriter appends cells to out and remembers texts that come again.
type cellWriter struct {
	out   []byte
	texts map[string][]byte // as JSON
	day   kafka.Day
	date  []byte // of day
}

func (w *cellWriter) place(p Place) (err error) {
	w.out = append(w.out, `{"topic":`...)
	if err = w.text(p.Topic); err != nil {
		return err
	}
	w.out = append(w.out, `,"partition":`...)
	w.out = strconv.AppendInt(w.out, int64(p.Partition), 10)
	w.out = append(w.out, `,"day":`...)
	if w.date == nil || w.day != p.Day {
		if w.date, err = json.Marshal(p.Day); err != nil {
			return fmt.Errorf("writing cells: %w", err)
		}
		w.day = p.Day
	}
	w.out = append(w.out, w.date...)
	w.out = append(w.out, `,"bucket":`...)
	w.out = strconv.AppendInt(w.out, int64(p.Bucket), 10)
	w.out = append(w.out, `,"group":`...)
	return w.text(string(p.Group))
}

func (w *cellWriter) cell(c *Cell) {
	number := func(name string, n int64) {
		w.out = strconv.AppendInt(append(w.out, name...), n, 10)
	}
	number(`,"rows":`, c.Rows)
	number(`,"offsets":`, c.Offsets)
	w.out = append(w.out, `,"offset_sum":`...)
	w.sum(c.OffsetSum)
	w.out = append(w.out, `,"lane1":`...)
	w.sum(c.Lane1)
	w.out = append(w.out, `,"lane2":`...)
	w.sum(c.Lane2)
	w.out = append(w.out, `,"sums":`...)
	w.list(len(c.Sums), c.Sums == nil, func(i int) { w.sum(c.Sums[i]) })
	w.out = append(w.out, `,"counts":`...)
	w.list(len(c.Counts), c.Counts == nil, func(i int) { w.out = strconv.AppendInt(w.out, c.Counts[i], 10) })
	w.out = append(w.out, '}')
}

// list appends n elements, or null.
func (w *cellWriter) list(n int, null bool, element func(int)) {
	if null {
		w.out = append(w.out, "null"...)
		return
	}
	w.out = append(w.out, '[')
	for i := range n {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		element(i)
	}
	w.out = append(w.out, ']')
}

// sum appends a number as text, so that JSON readers lose nothing.
func (w *cellWriter) sum(n Int128) {
	w.out = append(w.out, '"')
	w.out, _ = n.AppendText(w.out) // never fails
	w.out = append(w.out, '"')
}

// text appends a text; encoding/json escapes it the first time.
func (w *cellWriter) text(s string) error {
	known, ok := w.texts[s]
	if !ok {
		var err error
		if known, err = json.Marshal(s); err != nil {
			return fmt.Errorf("writing cells: %w", err)
		}
		if w.texts == nil {
			w.texts = map[string][]byte{}
		}
		w.texts[s] = known
	}
	w.out = append(w.out, known...)
	return nil
}
