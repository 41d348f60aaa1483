package archivegen

import (
	"math/big"
	"math/bits"
)

// disposition is the one class in which a record ends, in the order of decision.
type disposition int

const (
	unreadable disposition = iota
	tombstone
	undatable
	outOfWindow
	filtered
	suppressed
	rejected
	duplicateOffset
	row
	dispositions
)

// decide returns the disposition of a record; damaged means that its amounts are not what they were, again that its
// offset was archived before. A nil event is a line without one.
func decide(cal *calendar, e *event, kind FaultKind, damaged, again bool) disposition {
	switch {
	case kind == MalformedJSON:
		return unreadable
	case e == nil:
		return tombstone
	case kind == Undatable:
		return undatable
	case !cal.inWindow(e.occurred):
		return outOfWindow
	case !e.kind.wanted():
		return filtered
	case e.defect != nil || damaged:
		return rejected
	case again:
		return duplicateOffset
	}
	return row
}

// wide is a 128-bit sum: a few amounts of 18 digits already overflow 64 bits.
type wide struct {
	high int64
	low  uint64
}

func (s *wide) add(n int64) { s.addWide(wide{high: n >> 63, low: uint64(n)}) }

func (s *wide) addWide(o wide) {
	low, carry := bits.Add64(s.low, o.low, 0)
	high, _ := bits.Add64(uint64(s.high), uint64(o.high), carry)
	s.low, s.high = low, int64(high)
}

// decimal returns the sum of hundredths with two decimals.
func (s wide) decimal() string {
	n := new(big.Int).Lsh(big.NewInt(s.high), 64)
	n.Add(n, new(big.Int).SetUint64(s.low))
	text := new(big.Int).Abs(n).String()
	for len(text) < 3 {
		text = "0" + text
	}
	text = text[:len(text)-2] + "." + text[len(text)-2:]
	if n.Sign() < 0 {
		return "-" + text
	}
	return text
}

// money adds up the rows of one day and currency.
type money struct {
	rows            int64
	gross, tax, net wide
}

func (m *money) add(e *event) {
	m.rows++
	m.gross.add(e.gross)
	m.tax.add(e.tax)
	m.net.add(e.net)
}

func (m *money) merge(o *money) {
	m.rows += o.rows
	m.gross.addWide(o.gross)
	m.tax.addWide(o.tax)
	m.net.addWide(o.net)
}

// less returns m without o.
func (m money) less(o money) money {
	for _, s := range []*wide{&o.gross, &o.tax, &o.net} {
		low, carry := bits.Add64(^s.low, 1, 0)
		s.low, s.high = low, ^s.high+int64(carry)
	}
	o.rows = -o.rows
	m.merge(&o)
	return m
}

// tally adds up what one worker wrote, damaged objects left out. Tallies merge in any order.
type tally struct {
	cal         *calendar
	counts      [dispositions]int64
	rows, older []money // by day and currency: all rows, and those that another version supersedes
	filtered    [eventKinds]int64
	around      []int64          // out of window, by generated day
	far         map[string]int64 // out of window, on other days
}

func newTally(cal *calendar) *tally {
	n := len(cal.days)
	return &tally{
		cal: cal, rows: make([]money, n*len(currencies)), older: make([]money, n*len(currencies)),
		around: make([]int64, n), far: make(map[string]int64),
	}
}

// count adds a record of known disposition. day is a guess of the event's day.
func (t *tally) count(e *event, d disposition, day int) {
	t.counts[d]++
	switch d {
	case row:
		t.rows[t.bucket(e, day)].add(e)
	case filtered:
		t.filtered[e.kind]++
	case outOfWindow:
		if i, ok := t.dayIndex(e, day); ok {
			t.around[i]++
		} else {
			t.far[t.cal.dateOf(e.occurred)]++
		}
	}
}

// supersede notes that a counted row loses to another version.
func (t *tally) supersede(e *event, day int) { t.older[t.bucket(e, day)].add(e) }

func (t *tally) bucket(e *event, day int) int {
	i, _ := t.dayIndex(e, day) // rows are inside the window, hence inside the days
	return i*len(currencies) + int(e.currency)
}

func (t *tally) dayIndex(e *event, guess int) (int, bool) {
	if d := &t.cal.days[guess]; e.occurred >= d.start && e.occurred < d.end {
		return guess, true
	}
	return t.cal.dayOf(e.occurred)
}

func (t *tally) merge(o *tally) {
	for i := range t.counts {
		t.counts[i] += o.counts[i]
	}
	for i := range t.rows {
		t.rows[i].merge(&o.rows[i])
		t.older[i].merge(&o.older[i])
	}
	for i := range t.filtered {
		t.filtered[i] += o.filtered[i]
	}
	for i := range t.around {
		t.around[i] += o.around[i]
	}
	for date, n := range o.far {
		t.far[date] += n
	}
}
