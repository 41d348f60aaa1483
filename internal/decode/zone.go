package decode

import (
	"math"
	"slices"
	"time"
)

// zone turns wall-clock times of one time zone into instants. It remembers
// the last stretch of time without a clock change.
type zone struct {
	location *time.Location
	// Wall times in [low, high) happen exactly once, at this many seconds east
	// of UTC.
	low, high, east int64
}

// newZone returns nil for "": times without a zone are refused.
func newZone(name string) *zone {
	if name == "" {
		return nil
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil // checkZone was there first
	}
	return &zone{location: location}
}

// stretch is the time between two clock changes, as instants in seconds.
type stretch struct{ from, to, east int64 }

// around returns the stretch that holds the instant.
func (z *zone) around(instant int64) stretch {
	t := time.Unix(instant, 0).In(z.location)
	_, east := t.Zone()
	s := stretch{from: math.MinInt64 / 2, to: math.MaxInt64 / 2, east: int64(east)}
	from, to := t.ZoneBounds()
	if !from.IsZero() {
		s.from = from.Unix()
	}
	if !to.IsZero() {
		s.to = to.Unix()
	}
	return s
}

// reach is more than any zone is away from UTC, twice: only stretches so near
// a wall time read as UTC can hold it.
const reach = 2 * daySeconds

// step is how far to look on where a stretch seems to end before it begins:
// the standard library ends a leap year's last stretch a day early.
const step = daySeconds / 2

// maxStretches bounds the stretches looked at; four days have at most a few.
const maxStretches = 16

// instant returns the instant, in seconds, of a wall time given as if it were
// UTC. Times that clocks skip or repeat are refused.
func (z *zone) instant(wall int64) (int64, Reason) {
	if wall >= z.low && wall < z.high {
		return wall - z.east, fits
	}
	var hit stretch
	var room [2]int64
	hits := room[:0] // distinct instants whose wall time this is
	at := wall - reach
	for range maxStretches {
		s := z.around(at)
		// Ask the zone, not the stretch, what the clock shows at the instant.
		there := z.around(wall - s.east)
		if instant := wall - s.east; there.east == s.east && !slices.Contains(hits, instant) {
			hit, hits = there, append(hits, instant)
		}
		if s.to <= at {
			s.to = at + step
		}
		if at = s.to; at > wall+reach {
			break
		}
	}
	switch len(hits) {
	case 0:
		return 0, NonexistentTime
	case 1:
		z.remember(hit)
		return hits[0], fits
	}
	return 0, AmbiguousTime
}

// remember keeps the part of the stretch whose wall times no neighbour shares.
func (z *zone) remember(s stretch) {
	before, after := z.around(s.from-1), z.around(s.to)
	z.east = s.east
	z.low = s.from + max(s.east, before.east)
	z.high = s.to + min(s.east, after.east)
}
