package redshiftd

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// loadZone gives a time zone by its name in the zone database. Names there are told apart by case; Redshift does not.
func loadZone(name string) (*time.Location, error) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "utc", "gmt":
		return time.UTC, nil
	case "", "local":
		return nil, errorf("22023", "unrecognized time zone name: %q", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, errorf("22023", "unrecognized time zone name: %q", name)
	}
	return zone, nil
}

// zone is the session's time zone.
func (s *session) zone() *time.Location {
	name, _ := s.setting("timezone")
	zone, err := loadZone(name)
	if err != nil { // it was checked when it was set
		return time.UTC
	}
	return zone
}

// zoneName is the zone for the engine's functions; empty for UTC, in which the engine itself runs.
func (b *binder) zoneName() string {
	if b.env.zone == nil || b.env.zone == time.UTC {
		return ""
	}
	return b.env.zone.String()
}

// clock writes an instant as the session's wall clock shows it.
func (b *binder) clock(t time.Time) string {
	if b.env.zone != nil {
		w := t.In(b.env.zone)
		t = time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), w.Nanosecond(), time.UTC)
	}
	return timestampSQL(t)
}

// timeCast writes a time as another type of time, by the session's wall clock where only one of the two has a zone.
func (b *binder) timeCast(x bound, t typ) string {
	tz, stamp := typ{kind: kTimestamptz}, typ{kind: kTimestamp}
	zone := b.zoneName()
	switch {
	case zone == "" || (x.t == tz) == (t == tz):
		return castSQL(x.sql, t)
	case x.t == tz:
		return castSQL(fmt.Sprintf("rs_timezone('UTC',%s,%s)", quoteText(zone), castSQL(x.sql, stamp)), t)
	}
	return castSQL(fmt.Sprintf("rs_timezone(%s,'UTC',%s)", quoteText(zone), castSQL(x.sql, stamp)), tz)
}

// withOffset is the pattern of a text that names its own zone, for the engine as for Go.
const withOffset = `.*:[0-9.]+ ?([+-][0-9]{1,2}(:?[0-9]{2})?|[zZ]|(utc|UTC|gmt|GMT))\s*`

var hasOffset = regexp.MustCompile("^" + withOffset + "$")

// zonedFromText reads a text as TIMESTAMPTZ; one without a zone is by the session's wall clock.
func (b *binder) zonedFromText(x bound) string {
	tz, stamp := typ{kind: kTimestamptz}, typ{kind: kTimestamp}
	switch {
	case b.zoneName() == "", x.text != nil && hasOffset.MatchString(*x.text):
		return castSQL(x.sql, tz)
	case x.text != nil:
		return b.timeCast(bound{sql: castSQL(x.sql, stamp), t: stamp}, tz)
	}
	x.sql = "rs_time(" + x.sql + ")"
	try := "TRY_CAST(" + x.sql + " AS TIMESTAMP)"
	return fmt.Sprintf("CASE WHEN regexp_full_match(%s,%s) THEN %s WHEN %[1]s IS NOT NULL AND %[4]s IS NULL THEN error('rs:22008:date/time field value out of range: \"'||%[1]s||'\"'||chr(3)) ELSE %[5]s END",
		x.sql, quoteText(withOffset), castSQL(x.sql, tz), try, b.timeCast(bound{sql: try, t: stamp}, tz))
}

// zonedText writes TIMESTAMPTZ as text.
func (b *binder) zonedText(sql string) string {
	if zone := b.zoneName(); zone != "" {
		return fmt.Sprintf("rs_zoned(%s,%s)", castSQL(sql, tStamp), quoteText(zone))
	}
	return "CAST(" + sql + " AS VARCHAR)"
}

// zonedTime is an instant as a zone's clock shows it, with the offset from UTC.
func zonedTime(t time.Time) string {
	text := t.Format("2006-01-02 15:04:05.999999")
	_, offset := t.Zone()
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	text += fmt.Sprintf("%c%02d", sign, offset/3600)
	if minutes := offset / 60 % 60; minutes != 0 {
		text += fmt.Sprintf(":%02d", minutes)
	}
	return text
}

// wall is a TIMESTAMPTZ by the session's clock; anything else is left as it is.
func (b *binder) wall(x bound) string {
	if x.t.kind == kTimestamptz {
		return b.timeCast(x, tStamp)
	}
	return x.sql
}

// zonedLike gives a TIMESTAMP the zone again that its argument had.
func (b *binder) zonedLike(x, argument bound, err error) (bound, error) {
	if err != nil || argument.t.kind != kTimestamptz {
		return x, err
	}
	return b.convert(x, argument.t)
}
