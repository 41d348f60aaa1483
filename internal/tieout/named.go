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
	ID      string     `json:"id"`
	Class   string     `json:"class"`          // of the differences: missing, extra, changed, …
	Keys    [][]string `json:"keys,omitempty"` // values of table.key, in its order, as reports show them
	Bucket  *At        `json:"bucket,omitempty"`
	MaxRows int64      `json:"max_rows,omitempty"` // 0: as many as the keys, or any number in the bucket
	Reason  string     `json:"reason"`
	Owner   string     `json:"owner"`
	Expires time.Time  `json:"expires"` // first instant at which it no longer holds
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
	Refused int      `json:"refused,omitempty"` // differences that it would cover, had it not expired or were it for more rows
	Expired bool     `json:"expired"`
	Hidden  int      `json:"keys_hidden,omitempty"` // keys that the dataset does not let reports show
	What    []string `json:"what"`                  // the first of them, in words
}

// Does says in words what the exception did.
func (e Effect) Does() string {
	switch {
	case e.Covers == 0 && e.Refused == 0:
		return "matches nothing"
	case e.Expired:
		return fmt.Sprintf("expired: %d differences are breaks again", e.Refused)
	case e.Refused > 0:
		return fmt.Sprintf("exceeded: %d differences are breaks", e.Refused)
	}
	return ""
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
// did. Columns is the number of group columns, totals that of money totals. Rows
// come first: what they explain of a day to the cent is no break any more. An
// expired exception covers nothing and is named at the breaks that it would cover.
// What is unknown can't be granted.
func (r *Result) Grant(list []Named, now time.Time, columns, totals int) []Effect {
	effects := make([]Effect, len(list))
	for i, n := range list {
		effects[i] = Effect{Named: n, Expired: !now.Before(n.Expires), What: []string{}}
	}
	r.grantRows(effects, columns)
	r.settle(columns, totals)
	left := []Break{}
	for _, b := range r.Breaks {
		fits := func(e *Effect) bool { return e.Class == string(b.Kind) && e.Bucket != nil && e.Bucket.fits(b, columns) }
		id, note := grant(effects, max(b.Rows, 1), fits, fmt.Sprintf("%s %s %s", b.Leg, b.Kind, b.where(columns)))
		if id == "" {
			b.Note = strings.TrimPrefix(b.Note+note, "; ")
			left = append(left, b)
		}
	}
	r.Breaks = left
	for _, e := range effects {
		if e.Covers > 0 {
			r.Exceptions = append(r.Exceptions, Exception{Class: "granted", Count: int64(e.Covers),
				Text: fmt.Sprintf("%s, %s: %s; owner %s, until %s", e.ID, e.Class, e.Reason, e.Owner, e.Expires.Format(time.DateOnly))})
		}
	}
	r.verdict()
	return effects
}

// limit is how many rows the exception covers at most; 0: any number.
func (n Named) limit() int64 {
	if n.MaxRows == 0 {
		return int64(len(n.Keys))
	}
	return n.MaxRows
}

// grant finds the first exception that covers a difference of so many rows, and
// returns its id, else what is to be said of those that no longer do.
func grant(effects []Effect, rows int64, fits func(*Effect) bool, what string) (id, note string) {
	for i := range effects {
		e := &effects[i]
		if !fits(e) {
			continue
		}
		switch limit := e.limit(); {
		case e.Expired:
			note += fmt.Sprintf("; the named exception %s expired on %s", e.ID, e.Expires.Format(time.DateOnly))
			e.Refused++
			continue
		case limit > 0 && e.Rows+rows > limit:
			note += fmt.Sprintf("; the named exception %s covers %d rows and no more", e.ID, limit)
			e.Refused++
			continue
		}
		e.Covers, e.Rows = e.Covers+1, e.Rows+rows
		if len(e.What) < maxWhat {
			e.What = append(e.What, what)
		}
		return e.ID, ""
	}
	return "", note
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
