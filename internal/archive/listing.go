package archive

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"backfill/internal/kafka"
	"backfill/internal/objstore"
)

// Object is one data object. Its Key is relative to the root of the store.
type Object struct {
	objstore.Object
	Name Name
	// Generation counts how often the topic had been made anew when the object was
	// last written.
	Generation int
	Sides      []Side // that belong to its records, row by row
}

// Side is an object that holds what else belongs to the records of another.
type Side struct {
	objstore.Object
	View View
}

// Listing is everything that an archive held when it was listed, or what of it
// was wanted. It holds about 220 bytes an object with keys of 100 bytes.
type Listing struct {
	Ignored map[string]int // reason to number of objects
	Folders Folders        // that were listed or not, where dates prune
	AsOf    time.Time      // of which everything is there; zero: now

	pages    [][]entry
	order    []int32 // of entries: by topic, partition, generation, first offset, key
	starts   []int64 // of the generations after the first, in seconds since 1970
	count    int
	texts    arena
	words    []string // topics and storage classes, one copy each
	numbers  map[string]uint32
	versions map[int32]string // of the few objects that have one
}

// entry is an object in a form that takes little memory.
type entry struct {
	key, etag    string
	cold         *objstore.Cold
	size         int64
	first, end   kafka.Offset
	modified     int64 // seconds since 1970
	topic, class uint32
	partition    kafka.Partition
	flags        uint8
	generation   uint8
	view         uint8    // 1 + number in views; 0: values
	extension    uint16   // bytes
	sides        [2]int32 // 1 + entry, of views; 0: none
}

// views are numbered as entries have them.
var views = [...]View{Keys, Headers, Tombstones}

const (
	isOrdered uint8 = 1 << iota
	isLast
	isLower
)

const pageEntries = 4096

// arena puts short texts behind each other, so that each takes its length.
type arena struct{ b *strings.Builder }

const arenaBytes = 256 << 10

func (a *arena) put(s string) string {
	if a.b == nil || a.b.Cap()-a.b.Len() < len(s) {
		a.b = &strings.Builder{}
		a.b.Grow(max(arenaBytes, len(s)))
	}
	start := a.b.Len()
	a.b.WriteString(s)
	return a.b.String()[start:] // it never grows, so that what was given stays
}

func newListing() *Listing {
	return &Listing{Ignored: map[string]int{}, numbers: map[string]uint32{}, versions: map[int32]string{}}
}

// Len returns the number of objects.
func (l *Listing) Len() int { return len(l.order) }

// All gives the objects by topic, partition, generation, first offset and key.
func (l *Listing) All() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for _, i := range l.order {
			if !yield(l.object(i)) {
				return
			}
		}
	}
}

func (l *Listing) at(i int32) *entry { return &l.pages[i/pageEntries][i%pageEntries] }

func (l *Listing) word(s string) uint32 {
	n, known := l.numbers[s]
	if !known {
		n = uint32(len(l.words))
		s = strings.Clone(s) // it may be a part of a long text
		l.words = append(l.words, s)
		l.numbers[s] = n
	}
	return n
}

func (l *Listing) add(o objstore.Object, name Name) {
	if l.count%pageEntries == 0 {
		l.pages = append(l.pages, make([]entry, 0, pageEntries))
	}
	e := entry{
		key: l.texts.put(o.Key), etag: l.texts.put(o.ETag), cold: o.Cold, size: o.Size, first: name.FirstOffset, modified: o.Modified.Unix(),
		topic: l.word(name.Topic), class: l.word(o.StorageClass), partition: name.Partition,
	}
	for flag, set := range map[uint8]bool{isOrdered: name.Ordered, isLast: name.Last, isLower: name.Lower} {
		if set {
			e.flags |= flag
		}
	}
	for e.generation = 0; int(e.generation) < len(l.starts) && e.modified >= l.starts[e.generation]; e.generation++ {
	}
	e.view, e.extension = uint8(1+slices.Index(views[:], name.View)), uint16(name.Extension)
	if o.Version != "" {
		l.versions[int32(l.count)] = o.Version
	}
	page := &l.pages[len(l.pages)-1]
	*page = append(*page, e)
	l.count++
}

func (l *Listing) stored(i int32) objstore.Object {
	e := l.at(i)
	return objstore.Object{Key: e.key, Size: e.size, ETag: e.etag, Version: l.versions[i], Modified: time.Unix(e.modified, 0).UTC(),
		StorageClass: l.words[e.class], Cold: e.cold}
}

func (l *Listing) object(i int32) Object {
	e := l.at(i)
	o := Object{
		Object: l.stored(i),
		Name: Name{TopicPartition: kafka.TopicPartition{Topic: l.words[e.topic], Partition: e.partition}, FirstOffset: e.first, End: e.end,
			Ordered: e.flags&isOrdered != 0, Last: e.flags&isLast != 0, Lower: e.flags&isLower != 0},
		Generation: int(e.generation),
	}
	if e.view > 0 {
		o.Name.View = views[e.view-1]
	}
	for n, side := range e.sides {
		if side > 0 {
			o.Sides = append(o.Sides, Side{l.stored(side - 1), views[n]})
		}
	}
	return o
}

// sort orders all that was added.
func (l *Listing) sort() {
	l.order = make([]int32, l.count)
	for i := range l.order {
		l.order[i] = int32(i)
	}
	slices.SortFunc(l.order, func(i, j int32) int {
		a, b := l.at(i), l.at(j)
		return cmp.Or(
			strings.Compare(l.words[a.topic], l.words[b.topic]),
			cmp.Compare(a.partition, b.partition),
			cmp.Compare(a.generation, b.generation),
			cmp.Compare(a.first, b.first),
			strings.Compare(a.key, b.key),
		)
	})
}

// partitions gives the places of each partition's entries in the order, of each
// generation apart.
func (l *Listing) partitions() iter.Seq[[]int32] {
	return func(yield func([]int32) bool) {
		for start := 0; start < len(l.order); {
			first, end := l.at(l.order[start]), start
			for ; end < len(l.order); end++ {
				if e := l.at(l.order[end]); e.topic != first.topic || e.partition != first.partition || e.generation != first.generation {
					break
				}
			}
			if !yield(l.order[start:end]) {
				return
			}
			start = end
		}
	}
}
