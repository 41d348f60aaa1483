// Package account counts: every archived record in exactly one disposition,
// and every row in a cell with its offset sum, hash lanes and exact money
// sums. Counts merge: chunks into partitions, days into months, legs beside
// legs.
//
// It does no I/O. scan counts records, canon gives the lanes, publish reads the
// same cells back from the warehouse, tieout compares them.
package account

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"backfill/internal/kafka"
)

// recordsRead names the sum of all dispositions.
const recordsRead = "records_read"

// Disposition is the one class in which an archived record ends. The order of
// the constants is the order in which they are decided.
type Disposition uint8

// The dispositions.
const (
	Unreadable Disposition = iota // not a value: quarantined
	Tombstone                     // a null value
	Undatable                     // no event time, no Kafka time
	OutOfWindow
	Filtered // dropped by `where`
	Suppressed
	Rejected // a value does not fit its column: quarantined
	DuplicateOffset
	Row // became a Parquet row
	dispositions
)

var dispositionNames = [dispositions]string{
	"unreadable", "tombstone", "undatable", "out_of_window", "filtered", "suppressed", "rejected", "duplicate_offset", "parquet_rows",
}

// String gives the stable name used in receipts and reports.
func (d Disposition) String() string { return dispositionNames[d] }

// Dispositions returns all dispositions in the order in which they are decided.
func Dispositions() []Disposition {
	list := make([]Disposition, dispositions)
	for i := range list {
		list[i] = Disposition(i)
	}
	return list
}

// Tally counts records by disposition. In JSON it is an object of all names
// plus "records_read"; reading it fails when a name is missing or the numbers
// don't add up.
type Tally [dispositions]int64

// Read returns the number of records read: the sum of all dispositions.
func (t Tally) Read() int64 {
	var n int64
	for _, c := range t {
		n += c
	}
	return n
}

// Add adds the other tally.
func (t *Tally) Add(other Tally) {
	for i, c := range other {
		t[i] += c
	}
}

// MarshalJSON writes the object described at Tally.
func (t Tally) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `{%q:%d`, recordsRead, t.Read())
	for i, c := range t {
		fmt.Fprintf(&b, `,%q:%d`, Disposition(i), c)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// UnmarshalJSON reads what MarshalJSON wrote and fails when it does not add up.
func (t *Tally) UnmarshalJSON(text []byte) error {
	var m map[string]int64
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("reading a tally: %w", err)
	}
	read, ok := m[recordsRead]
	if !ok || len(m) != len(t)+1 {
		return fmt.Errorf("reading a tally: %d entries, want %s and %d dispositions", len(m), recordsRead, len(t))
	}
	for i := range t {
		name := Disposition(i).String()
		if t[i], ok = m[name]; !ok || t[i] < 0 {
			return fmt.Errorf("reading a tally: %s is missing or negative", name)
		}
	}
	if t.Read() != read {
		return fmt.Errorf("reading a tally: dispositions add up to %d, records read are %d", t.Read(), read)
	}
	return nil
}

// Group is the values of the columns that money is totalled by, in dataset
// order, packed into one comparable string: different values never give the
// same Group. The zero Group has no columns.
type Group string

// Values are joined by the separator, NULL is one mark. A byte of a value that
// is one of these three is written as groupEscape and the byte plus groupShift.
const (
	groupSeparator = '\x1f'
	groupNull      = '\x00'
	groupEscape    = '\x1b'
	groupShift     = 0x40
)

// AppendGroup appends one value to a packed group; first says that it is the
// first column. A NULL is given as null=true.
func AppendGroup(buf []byte, value []byte, null, first bool) []byte {
	if !first {
		buf = append(buf, groupSeparator)
	}
	if null {
		return append(buf, groupNull)
	}
	for _, c := range value {
		if c == groupSeparator || c == groupNull || c == groupEscape {
			buf = append(buf, groupEscape)
			c += groupShift
		}
		buf = append(buf, c)
	}
	return buf
}

// Values unpacks the group; a nil entry is NULL. n is the number of columns.
func (g Group) Values(n int) []*string {
	if n == 0 {
		return nil
	}
	out := make([]*string, 0, n)
	for part := range strings.SplitSeq(string(g), string(groupSeparator)) {
		if part == string(groupNull) {
			out = append(out, nil)
			continue
		}
		value := unescape(part)
		out = append(out, &value)
	}
	return out
}

// CutLast splits the value of the last column off, packed as a group of its own.
func (g Group) CutLast() (rest, last Group) {
	if i := strings.LastIndexByte(string(g), groupSeparator); i >= 0 {
		return g[:i], g[i+1:]
	}
	return "", g
}

func unescape(part string) string {
	if strings.IndexByte(part, groupEscape) < 0 {
		return part
	}
	value := make([]byte, 0, len(part))
	for i := 0; i < len(part); i++ {
		c := part[i]
		if c == groupEscape && i+1 < len(part) {
			i++
			c = part[i] - groupShift
		}
		value = append(value, c)
	}
	return string(value)
}

// String gives the values for people, see GroupText; "" for the zero Group.
func (g Group) String() string {
	if g == "" {
		return ""
	}
	return GroupText(g.Values(1))
}

// GroupText gives a group's values for people, joined by " / ". A nil entry is
// null; text that people could misread or a terminal would act on is quoted.
func GroupText(values []*string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		switch {
		case v == nil:
			parts[i] = "null"
		case *v == "" || *v == "null" || strings.TrimSpace(*v) != *v || strings.ContainsFunc(*v, unprintable):
			parts[i] = strconv.Quote(*v)
		default:
			parts[i] = *v
		}
	}
	return strings.Join(parts, " / ")
}

func unprintable(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }

// Place says which rows a cell holds.
type Place struct {
	Topic     string          `json:"topic"` // "" where the leg does not know it
	Partition kafka.Partition `json:"partition"`
	Day       kafka.Day       `json:"day"`    // load day; NoDay for datasets without event time
	Bucket    int32           `json:"bucket"` // key hash modulo the dataset's bucket count, sign kept
	Group     Group           `json:"group"`
}

// Less orders places for output.
func (p Place) Less(q Place) bool {
	switch {
	case p.Topic != q.Topic:
		return p.Topic < q.Topic
	case p.Partition != q.Partition:
		return p.Partition < q.Partition
	case p.Day != q.Day:
		return p.Day < q.Day
	case p.Bucket != q.Bucket:
		return p.Bucket < q.Bucket
	}
	return p.Group < q.Group
}
