package decode

import "backfill/internal/schema"

// The range of timestamps and dates: the years 0001 to 9999.
const (
	firstDay    = -719162
	lastDay     = 2932896
	firstMicros = firstDay * dayMicros
	lastMicros  = (lastDay+1)*dayMicros - 1

	daySeconds    = 86400
	secondMicros  = 1_000_000
	dayMicros     = daySeconds * secondMicros
	microsDigits  = 6
	maxMicrosSize = 18 // digits of lastMicros
)

// moment says how the values of one field become instants. It remembers the
// last date, so it belongs to one scanner.
type moment struct {
	zone     *zone // of text without one; nil refuses such text
	fraction schema.Fraction
	unit     Unit

	date [10]byte // the last date read, and its days
	days int64
}

// newMoment returns a moment for a zone that checkZone let pass.
func newMoment(zoneName string, f schema.Fraction, u Unit) *moment {
	return &moment{zone: newZone(zoneName), fraction: f, unit: u, date: [10]byte([]byte("1970-01-01"))}
}

// number reads a count of units since 1970.
func (m *moment) number(text []byte) (int64, Reason) {
	n, ok := int64(0), false
	if scale := m.unit.scale(); scale >= 0 {
		n, ok = scaleShort(text, scale)
	}
	if !ok {
		d, r := scaleText(text, maxMicrosSize, m.unit.scale())
		if r != fits {
			return 0, r
		}
		n, _ = d.int64()
		if !d.exact {
			if m.fraction != schema.FloorFraction {
				return 0, FractionLost
			}
			if text[0] == '-' {
				n-- // scaleText cut towards zero
			}
		}
	}
	if n < firstMicros || n > lastMicros {
		return 0, OutOfRange
	}
	return n, fits
}

// text reads YYYY-MM-DDThh:mm[:ss[.fraction]][zone]. T may be t or a space; the
// zone is Z, z, UTC, ±hh:mm, ±hhmm or ±hh, and may stand behind a space.
func (m *moment) text(t []byte) (int64, Reason) {
	if len(t) < len("YYYY-MM-DDThh:mm") || t[10] != 'T' && t[10] != ' ' && t[10] != 't' || t[13] != ':' {
		return 0, BadTimestamp
	}
	if [10]byte(t) != m.date {
		days, r := parseDate(t[:10])
		switch {
		case r == BadDate:
			return 0, BadTimestamp
		case r != fits:
			return 0, r
		}
		m.date, m.days = [10]byte(t), days
	}
	hour, minute := twoDigits(t, 11), twoDigits(t, 14)
	second, micros, lost := 0, 0, false
	rest := t[16:]
	if len(rest) > 0 && rest[0] == ':' {
		second = twoDigits(rest, 1)
		if second < 0 {
			return 0, BadTimestamp
		}
		rest = rest[3:]
		if len(rest) > 0 && rest[0] == '.' {
			var n int
			if micros, n, lost = parseFraction(rest[1:]); n == 0 {
				return 0, BadTimestamp
			}
			rest = rest[1+n:]
		}
	}
	switch {
	case hour < 0 || hour > 23 || minute < 0 || minute > 59 || second > 60:
		return 0, BadTimestamp
	case second == 60:
		return 0, LeapSecond
	case lost && m.fraction != schema.FloorFraction:
		return 0, FractionLost
	}
	wall := m.days*daySeconds + int64(hour*3600+minute*60+second)
	seconds, r := m.instant(wall, rest)
	if r != fits {
		return 0, r
	}
	n := seconds*secondMicros + int64(micros)
	if n < firstMicros || n > lastMicros {
		return 0, OutOfRange
	}
	return n, fits
}

// instant turns seconds of a wall clock into seconds of UTC, by the zone at
// the end of the text or the declared one.
func (m *moment) instant(wall int64, zone []byte) (int64, Reason) {
	switch {
	case len(zone) == 1 && (zone[0] == 'Z' || zone[0] == 'z'):
		return wall, fits
	case len(zone) == 0 && m.zone == nil:
		return 0, ZoneMissing
	case len(zone) == 0:
		return m.zone.instant(wall)
	}
	if zone[0] == ' ' {
		zone = zone[1:]
	}
	switch string(zone) {
	case "Z", "z", "UTC":
		return wall, fits
	}
	east, ok := parseShift(zone)
	if !ok {
		return 0, BadTimestamp
	}
	return wall - east, fits
}

// parseShift reads ±hh:mm, ±hhmm or ±hh as seconds east of UTC.
func parseShift(t []byte) (int64, bool) {
	if len(t) < 3 || t[0] != '+' && t[0] != '-' {
		return 0, false
	}
	hours, minutes := twoDigits(t, 1), 0
	switch {
	case len(t) == 6 && t[3] == ':':
		minutes = twoDigits(t, 4)
	case len(t) == 5:
		minutes = twoDigits(t, 3)
	case len(t) != 3:
		return 0, false
	}
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	east := int64(hours*3600 + minutes*60)
	if t[0] == '-' {
		east = -east
	}
	return east, true
}

// parseFraction reads the n digits that t begins with as microseconds. It
// reports whether a digit past them is not 0.
func parseFraction(t []byte) (micros, n int, lost bool) {
	for n < len(t) && t[n]-'0' <= 9 {
		if n < microsDigits {
			micros = micros*10 + int(t[n]-'0')
		} else if t[n] != '0' {
			lost = true
		}
		n++
	}
	for i := n; i < microsDigits; i++ {
		micros *= 10
	}
	return micros, n, lost
}

// parseDate reads YYYY-MM-DD as days since 1970-01-01.
func parseDate(t []byte) (int64, Reason) {
	if len(t) != 10 || t[4] != '-' || t[7] != '-' {
		return 0, BadDate
	}
	century, year, month, day := twoDigits(t, 0), twoDigits(t, 2), twoDigits(t, 5), twoDigits(t, 8)
	if century < 0 || year < 0 || month < 1 || month > 12 || day < 1 {
		return 0, BadDate
	}
	year += century * 100
	if day > daysIn(year, month) {
		return 0, BadDate
	}
	if year == 0 {
		return 0, OutOfRange
	}
	return daysSince1970(year, month, day), fits
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts from March, so that the leap day is the year's last.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	inYear := (153*(month-3)+2)/5 + day - 1
	return int64(year*365 + year/4 - year/100 + year/400 + inYear - 719468)
}

// twoDigits returns the number of two digits at t[i], or -1.
func twoDigits(t []byte, i int) int {
	if len(t) < i+2 {
		return -1
	}
	tens, units := t[i]-'0', t[i+1]-'0'
	if tens > 9 || units > 9 {
		return -1
	}
	return int(tens)*10 + int(units)
}
