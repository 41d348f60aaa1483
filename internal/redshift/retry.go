package redshift

import (
	"context"
	"math/rand/v2"
	"time"

	"backfill/internal/fail"
)

// Retry limits how often something is repeated: by number and by time,
// whichever ends first. Pauses double from First to Most; half of each is
// chance, so that pods which failed together don't come back together.
type Retry struct {
	Tries  int           // all tries, the first included
	Within time.Duration // no try begins later than this after the first
	First  time.Duration // the first pause
	Most   time.Duration // the longest pause
}

// or fills what is zero from the default.
func (r Retry) or(d Retry) Retry {
	if r.Tries == 0 {
		r.Tries = d.Tries
	}
	if r.Within == 0 {
		r.Within = d.Within
	}
	if r.First == 0 {
		r.First = d.First
	}
	if r.Most == 0 {
		r.Most = d.Most
	}
	return r
}

// attempt counts the tries of one thing.
type attempt struct {
	limit Retry
	begin time.Time
	tries int
}

func (r Retry) start() *attempt { return &attempt{limit: r, begin: time.Now()} }

// pause reports whether another try is left, and after how long.
func (a *attempt) pause() (time.Duration, bool) {
	a.tries++
	d := a.limit.Most
	if shift := a.tries - 1; shift < 30 { // beyond that any pause is longer than Most
		d = min(d, a.limit.First<<shift)
	}
	d = d/2 + rand.N(d/2+1)
	return d, a.tries < a.limit.Tries && time.Since(a.begin)+d <= a.limit.Within
}

// sleep waits; an error means that the caller stopped meanwhile.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fail.Wrap(ctx.Err(), fail.Network, "stopped while waiting for another try")
	}
}
