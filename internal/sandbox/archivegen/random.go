package archivegen

import "math/bits"

// random is a splitmix64 generator. It is a value: one costs nothing to seed, so that every event has its own.
type random struct{ state uint64 }

// What a generator draws for; keeps streams with equal coordinates apart.
const (
	drawEvent   = 0x9e37
	drawExtra   = 0x7f4a
	drawPlan    = 0x7c15
	drawCompany = 0xbf58
	drawPerson  = 0x476d
	drawObject  = 0x1ce4
)

// randomAt returns the generator of one coordinate.
func randomAt(seed, purpose, a, b uint64) random {
	s := mix(seed ^ purpose<<48)
	s = mix(s + a*0xd1342543de82ef95)
	return random{mix(s ^ b*0x2545f4914f6cdd1d)}
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// below returns a number in [0, n).
func (r *random) below(n uint64) uint64 {
	hi, _ := bits.Mul64(r.uint64(), n)
	return hi
}

// chance is a share scaled to 1<<32, so that it is drawn without floating point.
type chance uint64

func chanceOf(share float64) chance { return chance(share * (1 << 32)) }

// of reports whether 32 drawn bits fall under c.
func (c chance) of(draw uint32) bool { return uint64(draw) < uint64(c) }
