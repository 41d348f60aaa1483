// Package forecast says what a run will meet before it reads the archive: how
// many records there are, with an error, from a sample; which offsets names
// show to be missing; and what Amazon charges for the requests. All functions
// are pure.
package forecast

import (
	"cmp"
	"hash/fnv"
	"math"
	"path"
	"slices"
	"strings"

	"backfill/internal/runplan"
)

// Observed is a sampled object, read whole.
type Observed struct {
	Bytes int64 // as archived
	Count int64 // of what is estimated, in the object
}

// Estimate is a number with the bounds between which the true one lies.
type Estimate struct {
	Count int64 `json:"estimate"`
	Low   int64 `json:"low"`
	High  int64 `json:"high"`
	Exact bool  `json:"exact,omitempty"` // everything was read

	// Unbounded says that the sample is too small to tell an error: Low is what
	// was counted, High means nothing.
	Unbounded bool `json:"unbounded,omitempty"`
}

// leastSample is the smallest sample whose spread says something.
const leastSample = 3

// leastError is the part of an estimate by which it may always be off: the
// spread of a small sample can be small by chance.
const leastError = 0.01

// Stratum is objects that are alike, as far as names tell, and those of them
// that were read.
type Stratum struct {
	Objects int
	Bytes   int64
	Sample  []Observed
}

// Total estimates the count over all objects from a random sample of each
// stratum, by counts per byte. The bounds are those of 99 in 100 samples, by the
// spread of what bytes leave unexplained.
func Total(strata []Stratum) Estimate {
	e := Estimate{Exact: true}
	var squares float64
	for _, s := range strata {
		one := s.ratio()
		e.Count, e.Low = e.Count+one.Count, e.Low+one.Low
		e.Exact, e.Unbounded = e.Exact && one.Exact, e.Unbounded || one.Unbounded
		squares += float64(one.High-one.Count) * float64(one.High-one.Count)
	}
	switch {
	case e.Exact:
		e.High = e.Count
	case e.Unbounded: // Low is what was counted
		e.Low = 0
		for _, s := range strata {
			e.Low += s.counted()
		}
	default:
		seen := int64(0)
		for _, s := range strata {
			seen += s.counted()
		}
		off := int64(math.Ceil(max(math.Sqrt(squares), leastError*float64(e.Count))))
		e.Low, e.High = max(seen, e.Count-off), e.Count+off
	}
	return e
}

func (s Stratum) counted() (n int64) {
	for _, o := range s.Sample {
		n += o.Count
	}
	return n
}

// ratio is Total of one stratum, without the least error.
func (s Stratum) ratio() Estimate {
	y, x, n := s.counted(), int64(0), len(s.Sample)
	for _, o := range s.Sample {
		x += o.Bytes
	}
	if n == s.Objects && x == s.Bytes {
		return Estimate{Count: y, Low: y, High: y, Exact: true}
	}
	if n == 0 || x == 0 {
		return Estimate{Unbounded: true}
	}
	ratio := float64(y) / float64(x)
	e := Estimate{Count: int64(math.Round(ratio * float64(s.Bytes))), Low: y}
	if n < leastSample {
		e.Unbounded = true
		return e
	}
	var squares float64
	for _, o := range s.Sample {
		left := float64(o.Count) - ratio*float64(o.Bytes)
		squares += left * left
	}
	spread := math.Sqrt(squares / float64(n-1) / float64(n) * (1 - float64(n)/float64(s.Objects)))
	// Of the mean object; in proportion to bytes, of all.
	e.High = e.Count + int64(math.Ceil(student(n-1)*spread*float64(n)*float64(s.Bytes)/float64(x)))
	return e
}

// student is the two-sided 99 % point of Student's t, or of the next smaller
// degrees of freedom in the table.
func student(freedom int) float64 {
	table := []struct {
		freedom int
		t       float64
	}{{30, 2.75}, {20, 2.845}, {15, 2.947}, {10, 3.169}, {8, 3.355}, {6, 3.707}, {5, 4.032}, {4, 4.604}, {3, 5.841}, {2, 9.925}}
	for _, row := range table {
		if freedom >= row.freedom {
			return row.t
		}
	}
	return 63.657
}

// mostEndings bounds the strata: an archive whose names end in numbers has many
// endings.
const mostEndings = 8

// Ending is the stratum of a key: the last extension of its name.
func Ending(key string) string {
	name := strings.TrimPrefix(path.Ext(key), ".")
	if name == "" || len(name) > 12 {
		return "none"
	}
	return name
}

// Strata returns the number of each object's stratum, and the strata's names.
func Strata(objects []runplan.Input) (of []int, names []string) {
	numbers := map[string]int{}
	of = make([]int, len(objects))
	for i := range objects {
		name := Ending(objects[i].Key)
		n, known := numbers[name]
		if !known && len(names) >= mostEndings {
			name = "other"
			n, known = numbers[name]
		}
		if !known {
			n = len(names)
			numbers[name] = n
			names = append(names, name)
		}
		of[i] = n
	}
	return of, names
}

// Choose returns the places of at most n objects by chance, of at most so many
// bytes in all: those whose keys hash lowest, so that the same listing gives the
// same sample, and of each stratum enough to tell its spread, if n allows. An
// object that the bytes left have no room for is passed over.
func Choose(objects []runplan.Input, of []int, n int, bytes int64) []int {
	hashes := make([]uint64, len(objects))
	order := make([]int, len(objects))
	for i := range objects {
		h := fnv.New64a()
		h.Write([]byte(objects[i].Key)) // never fails
		hashes[i], order[i] = mix(h.Sum64()), i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(hashes[a], hashes[b]), a-b) })
	var chosen []int
	taken, have := map[int]bool{}, map[int]int{}
	for _, most := range []int{leastSample, n} { // of a stratum
		for _, i := range order {
			if len(chosen) < n && !taken[i] && have[of[i]] < most && objects[i].Size <= bytes {
				chosen, bytes = append(chosen, i), bytes-objects[i].Size
				taken[i] = true
				have[of[i]]++
			}
		}
	}
	return chosen
}

// mix spreads a hash over all bits: FNV's high ones hardly depend on a key's last
// letters, in which keys differ.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
