package kafka

import "time"

// Calendar cuts instants into the days of one time zone, 23- and 25-hour days
// included. A day reaches from its Start to the next day's Start, so that days
// never interleave, even where a clock set back over midnight repeats the end
// of a date. It is not safe for concurrent use: it remembers days.
type Calendar struct {
	zone   *time.Location
	recent [recentDays][2]span // by half days, in which one day may end and another begin
}

// span is the day from start to end.
type span struct {
	day        Day
	start, end Instant
}

// recentDays bounds the days remembered: records of a few months may come in
// any order at the price of one day's.
const (
	recentDays = 256
	halfDay    = 12 * 60 * 60 * 1_000_000
)

// NewCalendar returns the calendar of the zone.
func NewCalendar(zone *time.Location) *Calendar { return &Calendar{zone: zone} }

// Zone returns the calendar's zone.
func (c *Calendar) Zone() *time.Location { return c.zone }

// DayOf returns the day that holds the instant.
func (c *Calendar) DayOf(i Instant) Day {
	s := &c.recent[uint64(i/halfDay)%recentDays]
	if i >= s[0].start && i < s[0].end {
		return s[0].day
	}
	if i >= s[1].start && i < s[1].end {
		return s[1].day
	}
	y, m, d := i.Time().In(c.zone).Date()
	day := Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
	if i >= c.Start(day+1) { // a date that is left and entered again: the later day holds it
		day++
	}
	s[0], s[1] = span{day: day, start: c.Start(day), end: c.Start(day + 1)}, s[0]
	return day
}

// Start returns the first instant at which the local date is d or later: local
// midnight, the earlier one where it comes twice, or the clock change that
// skips it. A date that the zone skips as a whole starts with the next one.
func (c *Calendar) Start(d Day) Instant {
	midnight := time.Unix(int64(d)*86400, 0)       // as a clock on UTC shows it
	at := midnight.Add(-26 * time.Hour).In(c.zone) // before it in every zone that ever was
	for {
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		first := midnight.Add(-time.Duration(offset) * time.Second)
		if first.Before(at) {
			first = at
		}
		if end.IsZero() || first.Before(end) {
			return InstantOf(first)
		}
		at = end
	}
}

// Days returns the days that the window touches, in order, without dates that
// the zone skips as a whole; nil for a window that holds everything.
func (c *Calendar) Days(w Window) []Day {
	if w.IsAll() || w.To <= w.From {
		return nil
	}
	var days []Day
	for d := c.DayOf(w.From); c.Start(d) < w.To; d++ {
		if c.Start(d) < c.Start(d+1) {
			days = append(days, d)
		}
	}
	return days
}
