package archivegen

import (
	"fmt"
	"math/bits"
	"sort"
	"time"
)

// Volume weights of a day, per hundred of an ordinary working day.
const (
	weightWorkday = 100
	weightWeekend = 15
	weightPayday  = 900 // the 15th and the last day of the month
)

// day is one day of the calendar zone: [start, end) in microseconds since the epoch, 23 to 25 hours long.
type day struct {
	start, end int64
	name       string // 2006-01-02
	compact    string // 20060102
	weight     int64
}

// calendar holds the days that are generated, the window among them as days[from:to], and how a day's
// events are spread over its hours.
type calendar struct {
	loc      *time.Location
	days     []day
	from, to int
	curve    [curveCells + 1]uint64 // share of the day's events → share of the day's length, scaled to 1<<curveBits
}

const (
	curveCells = 256
	curveBits  = 30
)

// hourWeights say how busy each 24th of a day is.
var hourWeights = [24]uint64{2, 1, 1, 1, 2, 4, 10, 25, 60, 90, 95, 90, 70, 75, 90, 95, 85, 60, 30, 18, 12, 8, 5, 3}

// newCalendar refuses an unknown zone and a window that does not begin and end at midnight.
func newCalendar(o Options) (*calendar, error) {
	loc, err := time.LoadLocation(o.Zone)
	if err != nil {
		return nil, fmt.Errorf("loading the zone: %w", err)
	}
	first, last := o.From.In(loc), o.To.In(loc)
	for _, t := range []time.Time{first, last} {
		if !startOfDay(t.Year(), t.Month(), t.Day(), loc).Equal(t) {
			return nil, fmt.Errorf("%s is not midnight in %s", t.Format(time.RFC3339Nano), o.Zone)
		}
	}
	around := max(o.DaysAround, 0)
	c := &calendar{loc: loc, from: around}
	for i := -around; ; i++ {
		start := startOfDay(first.Year(), first.Month(), first.Day()+i, loc)
		if start.Equal(o.To) {
			c.to = len(c.days)
		}
		if c.to > 0 && len(c.days) == c.to+around {
			break
		}
		if len(c.days) == maxDays {
			return nil, fmt.Errorf("the window and the days around it are longer than %d days", maxDays)
		}
		date := time.Date(first.Year(), first.Month(), first.Day()+i, 12, 0, 0, 0, time.UTC)
		end := startOfDay(date.Year(), date.Month(), date.Day()+1, loc)
		c.days = append(c.days, day{
			start: start.UnixMicro(), end: end.UnixMicro(),
			name: date.Format(time.DateOnly), compact: date.Format("20060102"), weight: dayWeight(date),
		})
	}
	c.fillCurve()
	return c, nil
}

// startOfDay returns the first instant of a date, also where clocks skip or repeat midnight.
func startOfDay(y int, m time.Month, d int, loc *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	date := time.Date(y, m, d, 12, 0, 0, 0, time.UTC).Day()
	if t.Day() != date { // midnight was skipped, and Date chose the instant before
		return t.Add(time.Hour)
	}
	if before := t.Add(-time.Hour); before.Day() == date { // midnight is repeated, and Date chose the second
		return before
	}
	return t
}

func dayWeight(date time.Time) int64 {
	switch {
	case date.Day() == 15, date.AddDate(0, 0, 1).Day() == 1:
		return weightPayday
	case date.Weekday() == time.Saturday, date.Weekday() == time.Sunday:
		return weightWeekend
	}
	return weightWorkday
}

// fillCurve inverts the cumulated hour weights, in integers so that every machine draws the same instants.
func (c *calendar) fillCurve() {
	var total uint64
	for _, w := range hourWeights {
		total += w
	}
	hour, below := uint64(0), uint64(0) // weight of the hours before hour
	for k := range c.curve {
		target := total * uint64(k) // in 1/curveCells of a weight
		for hour < 23 && (below+hourWeights[hour])*curveCells <= target {
			below += hourWeights[hour]
			hour++
		}
		within := (target - below*curveCells) << curveBits / (hourWeights[hour] * curveCells)
		c.curve[k] = (hour<<curveBits + within) / 24
	}
}

// instant places event i of n of a day: increasing in i, and within the day. spread moves it between
// its neighbours.
func (c *calendar) instant(d *day, i, n int64, spread uint32) int64 {
	share := (uint64(i)<<32 + uint64(spread)) / uint64(n) // of 1<<32
	cell, rest := share>>24, share&(1<<24-1)
	part := c.curve[cell] + (c.curve[cell+1]-c.curve[cell])*rest>>24
	into, _ := bits.Mul64(part<<(64-curveBits), uint64(d.end-d.start))
	return d.start + int64(into)
}

// dayOf returns the index of the day that holds an instant; ok is false outside the generated days.
func (c *calendar) dayOf(micros int64) (i int, ok bool) {
	i = sort.Search(len(c.days), func(k int) bool { return c.days[k].end > micros })
	return i, i < len(c.days) && micros >= c.days[i].start
}

// dateOf returns the calendar date of any instant.
func (c *calendar) dateOf(micros int64) string {
	return time.UnixMicro(micros).In(c.loc).Format(time.DateOnly)
}

func (c *calendar) inWindow(micros int64) bool {
	return micros >= c.days[c.from].start && micros < c.days[c.to-1].end
}

// eventsPerDay spreads the window's events over its days by weight, exactly, and gives the days around it
// the same density.
func (c *calendar) eventsPerDay(inWindow int64) []int64 {
	var total, cum int64
	for _, d := range c.days[c.from:c.to] {
		total += d.weight
	}
	counts := make([]int64, len(c.days))
	for i, d := range c.days {
		if i < c.from || i >= c.to {
			counts[i] = inWindow * d.weight / total
			continue
		}
		counts[i] = inWindow*(cum+d.weight)/total - inWindow*cum/total
		cum += d.weight
	}
	return counts
}
