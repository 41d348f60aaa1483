package folder

import (
	"time"

	"backfill/internal/kafka"
)

// Time is when the records of dated folders were, by the archiver's clock.
type Time struct {
	Path     *Path
	Zone     *time.Location
	Duration time.Duration // of one folder where it holds more than its finest unit says; 0: it does not
}

// buffered is the least by which folder and records may differ: managed
// services name a folder by the oldest record of a buffer of up to 15 minutes.
const buffered = 15 * time.Minute

// nominal are the longest lengths of the units.
var nominal = [units]time.Duration{366 * 24 * time.Hour, 31 * 24 * time.Hour, 25 * time.Hour, time.Hour, time.Minute}

// Granule is the longest time that one folder stands for, at least a quarter of
// an hour. Windows are widened by it on both sides.
func (t *Time) Granule() time.Duration {
	return max(nominal[t.Path.last], t.Duration, buffered)
}

// Span returns the instants that folders at the place stand for. It is not
// known above the dates, below a folder that does not follow the path, for dates
// that don't exist, and where so far a bare number alone was matched, which may
// be something else than a year.
func (t *Time) Span(at Place) (span kafka.Window, known bool) {
	if at.off || at.known == 0 || !at.named {
		return span, false
	}
	f := at.fields
	if at.known < 2 {
		f[month] = 1
	}
	if at.known < 3 {
		f[day] = 1
	}
	start := time.Date(f[year], time.Month(f[month]), f[day], f[hour], f[minute], 0, 0, time.UTC)
	if start.Year() != f[year] || int(start.Month()) != f[month] || start.Day() != f[day] || start.Hour() != f[hour] || start.Minute() != f[minute] {
		return span, false
	}
	var end time.Time
	switch at.known - 1 {
	case year:
		end = start.AddDate(1, 0, 0)
	case month:
		end = start.AddDate(0, 1, 0)
	case day:
		end = start.AddDate(0, 0, 1)
	case hour:
		end = start.Add(time.Hour)
	default:
		end = start.Add(time.Minute)
	}
	if at.known-1 < t.Path.last {
		end = end.Add(t.Duration) // its last folder reaches so far
	} else if whole := start.Add(t.Duration); whole.After(end) {
		end = whole
	}
	return hull(start, end, t.Zone)
}

// widest is more than any zone ever was away from UTC.
const widest = 26 * time.Hour

// hull returns the shortest interval that holds all instants at which clocks of
// the zone show from start to end; both are given as clocks on UTC show them.
// Where clocks are set back that is longer than the wall says; a time that they
// skip gives none.
func hull(start, end time.Time, zone *time.Location) (span kafka.Window, known bool) {
	for at := start.Add(-widest); ; {
		_, offset := at.In(zone).Zone()
		_, change := at.In(zone).ZoneBounds()
		from, to := start.Add(-time.Duration(offset)*time.Second), end.Add(-time.Duration(offset)*time.Second)
		if from.Before(at) {
			from = at
		}
		if !change.IsZero() && change.Before(to) {
			to = change
		}
		if from.Before(to) {
			if !known {
				span.From = kafka.InstantOf(from)
			}
			span.To, known = kafka.InstantOf(to), true
		}
		if change.IsZero() || change.After(end.Add(widest)) {
			return span, known
		}
		at = change
	}
}
