package tieout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"backfill/internal/account"
)

// Named is one exception that people granted: differences that it covers are
// listed under its name and no longer break. Nothing is granted by default.
type Named struct {
	ID      string    `json:"id"`
	Class   string    `json:"class"` // of the differences: missing, extra, changed, …
	Keys    []string  `json:"keys,omitempty"`
	Bucket  *At       `json:"bucket,omitempty"`
	MaxRows int64     `json:"max_rows,omitempty"` // 0: as many as the keys, or any number in the bucket
	Reason  string    `json:"reason"`
	Owner   string    `json:"owner"`
	Expires time.Time `json:"expires"` // first instant at which it no longer holds
}

// At is where a bucket of rows is. What is not given fits everything.
type At struct {
	Leg       string    `json:"leg,omitempty"`
	Topic     string    `json:"topic,omitempty"`
	Partition *int32    `json:"partition,omitempty"`
	Day       string    `json:"day,omitempty"`
	Bucket    *int32    `json:"bucket,omitempty"`
	Group     []*string `json:"group,omitempty"`
}

// Effect says what a named exception did.
type Effect struct {
	Named
	Covers  int      `json:"covers"` // differences
	Rows    int64    `json:"rows"`
	Expired bool     `json:"expired"`
	What    []string `json:"what"` // the first of them, in words
}

// maxWhat bounds the differences that an effect names.
const maxWhat = 20

// fits reports whether the bucket holds the break.
func (a *At) fits(b Break, columns int) bool {
	switch {
	case a.Leg != "" && a.Leg != string(b.Leg),
		a.Topic != "" && a.Topic != b.Place.Topic,
		a.Partition != nil && *a.Partition != int32(b.Place.Partition),
		a.Day != "" && a.Day != b.Place.Day.String(),
		a.Bucket != nil && *a.Bucket != b.Place.Bucket:
		return false
	}
	return len(a.Group) == 0 || slices.EqualFunc(a.Group, b.Place.Group.Values(columns), func(x, y *string) bool {
		return (x == nil) == (y == nil) && (x == nil || *x == *y)
	})
}

// Grant takes the breaks out that a named exception covers and says what each
// did. Columns is the number of group columns. An expired exception covers
// nothing and is named at the breaks that it would cover.
func (r *Result) Grant(list []Named, now time.Time, columns int) []Effect {
	effects := make([]Effect, len(list))
	for i, n := range list {
		effects[i] = Effect{Named: n, Expired: !now.Before(n.Expires), What: []string{}}
	}
	var left []Break
	for _, b := range r.Breaks {
		if !grant(effects, &b, columns) {
			left = append(left, b)
		}
	}
	r.Breaks = append([]Break{}, left...)
	for _, e := range effects {
		if e.Covers > 0 {
			r.Exceptions = append(r.Exceptions, Exception{Class: "granted", Count: int64(e.Covers),
				Text: fmt.Sprintf("%s, %s: %s; owner %s, until %s", e.ID, e.Class, e.Reason, e.Owner, e.Expires.Format(time.DateOnly))})
		}
	}
	r.verdict()
	return effects
}

// grant finds the first exception that covers the break.
func grant(effects []Effect, b *Break, columns int) bool {
	for i := range effects {
		e := &effects[i]
		if e.Class != string(b.Kind) || e.Bucket == nil || !e.Bucket.fits(*b, columns) {
			continue
		}
		rows := max(b.Rows, 1)
		switch {
		case e.Expired:
			b.Note = strings.TrimPrefix(b.Note+fmt.Sprintf("; the named exception %s expired on %s", e.ID, e.Expires.Format(time.DateOnly)), "; ")
			continue
		case e.MaxRows > 0 && e.Rows+rows > e.MaxRows:
			b.Note = strings.TrimPrefix(b.Note+fmt.Sprintf("; the named exception %s covers %d rows and no more", e.ID, e.MaxRows), "; ")
			continue
		}
		e.Covers, e.Rows = e.Covers+1, e.Rows+rows
		if len(e.What) < maxWhat {
			e.What = append(e.What, fmt.Sprintf("%s %s %s", b.Leg, b.Kind, b.where(columns)))
		}
		return true
	}
	return false
}

// where names the break's place in words.
func (b *Break) where(columns int) string {
	if b.Where != "" {
		return b.Where
	}
	text := b.Place.Day.String()
	if b.Place.Topic != "" {
		text = fmt.Sprintf("%s/%d %s", b.Place.Topic, b.Place.Partition, text)
	}
	if columns > 0 {
		text += " " + account.GroupText(b.Place.Group.Values(columns))
	}
	return text
}
