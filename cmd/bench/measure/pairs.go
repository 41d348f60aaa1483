package measure

import (
	"cmp"
	"slices"
	"time"
)

// Pair is one run of ours and one of a peer, one right after the other.
type Pair struct{ Ours, Peer Usage }

// Pairs are all pairs against one peer.
type Pairs []Pair

// Ours returns the medians of our runs.
func (p Pairs) Ours() Usage { return p.medians(func(q Pair) Usage { return q.Ours }) }

// Peer returns the medians of the peer's runs.
func (p Pairs) Peer() Usage { return p.medians(func(q Pair) Usage { return q.Peer }) }

func (p Pairs) medians(side func(Pair) Usage) Usage {
	return Usage{
		CPU:  median(p, func(q Pair) time.Duration { return side(q).CPU }),
		Wall: median(p, func(q Pair) time.Duration { return side(q).Wall }),
		Peak: median(p, func(q Pair) int64 { return side(q).Peak }),
	}
}

// CPU returns the median of ours divided by the peer's, pair by pair.
func (p Pairs) CPU() float64 {
	return median(p, func(q Pair) float64 { return q.Ours.CPU.Seconds() / q.Peer.CPU.Seconds() })
}

// Wall returns the same of wall time.
func (p Pairs) Wall() float64 {
	return median(p, func(q Pair) float64 { return q.Ours.Wall.Seconds() / q.Peer.Wall.Seconds() })
}

// Peak returns the same of peak memory.
func (p Pairs) Peak() float64 {
	return median(p, func(q Pair) float64 { return float64(q.Ours.Peak) / float64(q.Peer.Peak) })
}

// median returns the middle one, of an even number the lower of the two; of
// nothing, nothing.
func median[T cmp.Ordered](pairs Pairs, of func(Pair) T) (middle T) {
	var list []T
	for _, p := range pairs {
		list = append(list, of(p))
	}
	if len(list) == 0 {
		return middle
	}
	slices.Sort(list)
	return list[(len(list)-1)/2]
}
