package tieout

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// The comparisons with what others say, which this program can't know.
const (
	ControlTable Leg = "control→table" // totals of a payroll register or general ledger against the table
	KafkaArchive Leg = "kafka→archive" // the topic's end offsets against the archive
)

// Controls are totals from outside. Each line is about the rows of one group,
// on one day if the file has days.
type Controls struct {
	By    []int // columns of the groups that the file has, in their order; none: all rows are one group
	Days  bool
	Lines []Control
}

// Control is one line. What is nil was not given and is not compared.
type Control struct {
	Line  int       // of the file, from 1
	Day   kafka.Day // NoDay without days
	Group []*string // one per column of By; nil is NULL
	Rows  *int64
	Sums  []*account.Int128 // one per total
}

// ControlLine is one comparison with a total from outside. Where nothing was
// given, Given is Found.
type ControlLine struct {
	Line  int           `json:"line"` // of the file; 0: the table has a group that the file does not have
	Day   kafka.Day     `json:"day"`
	Group []*string     `json:"group"`
	Given *account.Cell `json:"given"`
	Found *account.Cell `json:"found"` // in the table
	Match bool          `json:"match"`
}

// place is where a control stands: the group is packed from the file's columns.
func (c *Controls) place(day kafka.Day, values []*string) account.Place {
	p := account.Place{Partition: -1, Day: kafka.NoDay}
	if c.Days {
		p.Day = day
	}
	var group []byte
	for i, v := range values {
		text := ""
		if v != nil {
			text = *v
		}
		group = account.AppendGroup(group, []byte(text), v == nil, i == 0)
	}
	p.Group = account.Group(group)
	return p
}

// fold gives the table's cells at the places of the controls.
func (c *Controls) fold(cells account.Cells, columns int) (account.Cells, error) {
	return cells.Fold(func(p account.Place) account.Place {
		all := p.Group.Values(columns)
		values := make([]*string, len(c.By))
		for i, at := range c.By {
			values[i] = all[at]
		}
		return c.place(p.Day, values)
	})
}

// CompareControls compares the table's cells, of groups of so many columns, with the totals. A group of the
// table that has no line is a difference, too: the totals would not be all.
func CompareControls(c *Controls, table account.Cells, columns, totals int) ([]ControlLine, []Break, error) {
	found, err := c.fold(table, columns)
	if err != nil {
		return nil, nil, err
	}
	var lines []ControlLine
	seen := map[account.Place]bool{}
	for _, control := range c.Lines {
		p := c.place(control.Day, control.Group)
		seen[p] = true
		there := found.At(p, totals)
		given := there.Clone()
		given.Lane1, given.Lane2, given.Offsets, given.OffsetSum = account.Int128{}, account.Int128{}, 0, account.Int128{}
		if control.Rows != nil {
			given.Rows = *control.Rows
		}
		for i, sum := range control.Sums {
			if sum != nil {
				given.Sums[i] = *sum
			}
		}
		lines = append(lines, controlLine(control.Line, p.Day, control.Group, given, there))
	}
	for _, p := range found.Places() {
		if !seen[p] && found[p].Rows > 0 {
			none := &account.Cell{Sums: make([]account.Int128, totals), Counts: make([]int64, totals)}
			lines = append(lines, controlLine(0, p.Day, p.Group.Values(len(c.By)), none, found[p]))
		}
	}
	return lines, controlBreaks(lines), nil
}

func controlLine(line int, day kafka.Day, group []*string, given, there *account.Cell) ControlLine {
	found := there.Clone() // files know nothing of offsets and lanes
	found.Lane1, found.Lane2, found.Offsets, found.OffsetSum = account.Int128{}, account.Int128{}, 0, account.Int128{}
	given.Counts = found.Counts
	return ControlLine{Line: line, Day: day, Group: group, Given: given, Found: found, Match: given.Equal(found)}
}

func controlBreaks(lines []ControlLine) (breaks []Break) {
	for _, l := range lines {
		if l.Match {
			continue
		}
		b := Break{Leg: ControlTable, Kind: Changed, Place: account.Place{Partition: -1, Day: l.Day}, Left: l.Given, Right: l.Found}
		switch {
		case l.Given.Rows > l.Found.Rows:
			b.Kind, b.Rows = Missing, l.Given.Rows-l.Found.Rows
		case l.Given.Rows < l.Found.Rows:
			b.Kind, b.Rows = Extra, l.Found.Rows-l.Given.Rows
		}
		var where []string
		if l.Day != kafka.NoDay {
			where = append(where, l.Day.String())
		}
		if len(l.Group) > 0 {
			where = append(where, account.GroupText(l.Group))
		}
		where = append(where, fmt.Sprintf("line %d of the control totals", l.Line))
		if l.Line == 0 {
			where[len(where)-1] = "not in the control totals"
		}
		b.Where = strings.Join(where, ", ")
		breaks = append(breaks, b)
	}
	return breaks
}

// Ends are the end offsets of partitions as Kafka gave them: the offset behind
// the last record.
type Ends map[kafka.TopicPartition]kafka.Offset

// ends compares each partition's last archived offset with the topic's end.
// What the topic had and the archive has not is a break, unless a declared gap
// explains it.
func (r *Result) ends(in Input) {
	if in.Ends == nil {
		return
	}
	known := map[kafka.TopicPartition]bool{}
	for i := range r.Sequences {
		s := &r.Sequences[i]
		known[s.Partition] = true
		if next := i + 1; next < len(r.Sequences) && r.Sequences[next].Partition == s.Partition {
			continue // the topic that it was has no end any more
		}
		end, given := in.Ends[s.Partition]
		if !given {
			r.Unknown = append(r.Unknown, fmt.Sprintf("%s: the archive has this partition and the end offsets don't name it", s.Partition))
			continue
		}
		s.End = &end
		r.behind(s.Partition, s.Last+1, end, in)
	}
	var missing []kafka.TopicPartition
	for tp, end := range in.Ends {
		if !known[tp] && end > 0 {
			missing = append(missing, tp)
		}
	}
	slices.SortFunc(missing, func(a, b kafka.TopicPartition) int {
		if a.Less(b) {
			return -1
		}
		return 1
	})
	for _, tp := range missing {
		r.behind(tp, 0, in.Ends[tp], in)
	}
}

func (r *Result) behind(tp kafka.TopicPartition, next, end kafka.Offset, in Input) {
	if next >= end {
		return
	}
	var lost int64
	first := kafka.NoOffset
	for _, g := range splitGap(tp, account.Range{From: max(next, 0), To: end}, in.Declared) {
		if g.Reason != "" {
			r.explained += int64(g.To - g.From)
			continue
		}
		if first == kafka.NoOffset {
			first = g.From
		}
		lost += int64(g.To - g.From)
	}
	if lost == 0 {
		return
	}
	r.Breaks = append(r.Breaks, Break{
		Leg: KafkaArchive, Kind: Missing, Rows: lost, Place: account.Place{Topic: tp.Topic, Partition: tp.Partition, Day: kafka.NoDay},
		Where: fmt.Sprintf("%s: the topic ends at offset %d, the archive at %d; %d offsets from %d on are not archived", tp, end, next, lost, first),
		Left:  offsets(end, in.Totals), Right: offsets(next, in.Totals),
	})
}

// offsets is a cell that only counts.
func offsets(n kafka.Offset, totals int) *account.Cell {
	return &account.Cell{Rows: int64(n), Sums: make([]account.Int128, totals), Counts: make([]int64, totals)}
}
