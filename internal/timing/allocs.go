package timing

import "runtime/metrics"

// Allocs is what the process allocated on the heap in a time, freed or not, by
// runtime/metrics: /gc/heap/allocs:bytes and /gc/heap/allocs:objects. Objects of
// less than 16 bytes without pointers share a block, which counts as one. The
// runtime counts a small object only when the span that it lies in is full or
// the collector runs, so that a short step may show nothing, or what another
// one allocated just before.
type Allocs struct {
	Bytes   uint64 `json:"allocated_bytes"`
	Objects uint64 `json:"allocated_objects"`
}

// ReadAllocs reads what the process allocated since it began. It doesn't stop
// the program.
func ReadAllocs() Allocs {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/allocs:objects"}}
	metrics.Read(samples)
	return Allocs{Bytes: count(samples[0].Value), Objects: count(samples[1].Value)}
}

// count is a counter of the runtime; 0 if this version of Go has none by that name.
func count(v metrics.Value) uint64 {
	if v.Kind() != metrics.KindUint64 {
		return 0
	}
	return v.Uint64()
}

func (a Allocs) since(b Allocs) Allocs { return Allocs{a.Bytes - b.Bytes, a.Objects - b.Objects} }
func (a Allocs) plus(b Allocs) Allocs  { return Allocs{a.Bytes + b.Bytes, a.Objects + b.Objects} }
