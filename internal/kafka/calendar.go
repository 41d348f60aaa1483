package kafka

import (
	"sort"
	"time"
)

// Calendar cuts instants into the days of one time zone, 23- and 25-hour days
// included. It is not safe for concurrent use: it remembers the last day.
type Calendar struct {
	zone       *time.Location
	day        Day
	start, end Instant
}

// NewCalendar returns the calendar of the zone.
func NewCalendar(zone *time.Location) *Calendar { return &Calendar{zone: zone} }

// Zone returns the calendar's zone.
func (c *Calendar) Zone() *time.Location { return c.zone }

// DayOf returns the day that holds the instant.
func (c *Calendar) DayOf(i Instant) Day {
	if i >= c.start && i < c.end {
		return c.day
	}
	y, m, d := i.Time().In(c.zone).Date()
	c.day = Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
	c.start, c.end = c.Start(c.day), c.Start(c.day+1)
	return c.day
}

// Start returns the first instant of the day: local midnight, or the first
// instant after it where a clock change skips midnight.
func (c *Calendar) Start(d Day) Instant {
	noon := time.Unix(int64(d)*86400, 0).UTC()
	y, m, dd := noon.Date()
	first := time.Date(y, m, dd, 0, 0, 0, 0, c.zone)
	if _, _, got := first.Date(); got == dd {
		return InstantOf(first)
	}
	// Midnight does not exist: the day begins where the local date changes.
	base := time.Date(y, m, dd, 12, 0, 0, 0, c.zone).Add(-12 * time.Hour)
	minutes := sort.Search(24*60, func(n int) bool {
		_, _, got := base.Add(time.Duration(n) * time.Minute).Date()
		return got == dd
	})
	return InstantOf(base.Add(time.Duration(minutes) * time.Minute))
}

// Days returns the days that the window touches, in order; nil for a window
// that holds everything.
func (c *Calendar) Days(w Window) []Day {
	if w.IsAll() || w.To <= w.From {
		return nil
	}
	var days []Day
	for d := c.DayOf(w.From); c.Start(d) < w.To; d++ {
		days = append(days, d)
	}
	return days
}
