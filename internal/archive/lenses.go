package archive

import (
	"regexp"

	"backfill/internal/kafka"
)

// lenses is the layout of the Lenses Stream Reactor S3 sink.
type lenses struct{}

var (
	// <prefix>/<topic>/<partition>/<last offset>[_<earliest ms>_<latest ms>][<suffix>].<extension>
	lensesPlain = regexp.MustCompile(`^(?:.*/)?([A-Za-z0-9._-]{1,249})/(\d+)/(\d+)(?:_\d+_\d+)?[^/.]*\.[A-Za-z0-9]+$`)
	// <prefix>/<values>/<topic>(<partition>_<last offset>)[<suffix>].<extension>
	lensesBy = regexp.MustCompile(`^(?:.*/)?([A-Za-z0-9._-]{1,249})\((\d+)_(\d+)\)[^/]*\.[A-Za-z0-9]+$`)
)

// Lenses returns the layout of the Lenses Stream Reactor S3 sink. Its names
// have the offset of the last record. Without PARTITIONBY a partition's files
// follow each other, so that each begins behind the end of the one before; with
// it they interleave, and the offset says nothing about where a file begins.
func Lenses() Layout { return lenses{} }

// Parse reads both forms of names.
func (lenses) Parse(key string) (Name, Verdict) {
	if reason := junk(key); reason != "" {
		return Name{}, Verdict{Ignored, reason}
	}
	const neither = "the name is neither <topic>/<partition>/<offset>[_<from>_<to>].<extension> nor <topic>(<partition>_<offset>).<extension>"
	found, ordered := lensesPlain.FindStringSubmatch(key), true
	if found == nil {
		found, ordered = lensesBy.FindStringSubmatch(key), false
	}
	if found == nil || !isTopic(found[1]) {
		return foreign(key, neither)
	}
	name, reason := numbers(found[1], found[2], found[3])
	if reason != "" {
		return unknown(reason)
	}
	name.Last, name.Ordered = ordered, ordered
	if !ordered {
		name.FirstOffset = kafka.NoOffset
	}
	return name, Verdict{Kind: Data}
}

// follow replaces the last offsets of a partition's sorted objects by lower
// bounds of their first ones: a file begins behind the last record of the file
// before, and the first one nowhere below 0. Where that one begins, no name
// tells: a topic whose oldest records are gone begins anywhere.
func (l *Listing) follow(partition []int32) {
	next := kafka.Offset(0)
	for n, i := range partition {
		e := l.at(i)
		if e.flags&isLast == 0 {
			continue
		}
		// Names with one last offset are copies: they begin at one place.
		last := e.first
		e.first, e.end, e.flags = next, last+1, e.flags|isLower
		if n+1 == len(partition) || l.at(partition[n+1]).first != last {
			next = last + 1
		}
	}
}
