package forecast

import (
	"fmt"
	"slices"

	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// Gap is offsets that names suggest to be missing before an object.
type Gap struct {
	Partition kafka.TopicPartition `json:"partition"`
	First     kafka.Offset         `json:"first_offset"` // the first one that is missing; with evidence size: about
	Next      kafka.Offset         `json:"next_offset"`  // of the object behind the gap
	Key       string               `json:"key"`          // of that object
	Evidence  string               `json:"evidence"`     // BySteps, BySize, or NoObject
}

// What speaks for a gap.
const (
	BySteps  = "steps"     // the partition's objects hold equally many offsets, and before this one some are left over
	BySize   = "size"      // the object before has too few bytes for the offsets up to this one
	NoObject = "no object" // the partition has none, although ones with higher numbers do
)

// Gaps are the suspicions of a listing.
type Gaps struct {
	Suspected []Gap `json:"suspected"` // at most MostGaps
	Count     int   `json:"count"`
	Judged    int   `json:"partitions_judged"`
	Unjudged  int   `json:"partitions_without_evidence"` // names tell no first offsets, or there are fewer than four objects
}

// MostGaps bounds the gaps that are named.
const MostGaps = 50

const (
	leastSteps = 3   // of a partition that is judged
	tooFew     = 1.8 // offsets per byte above the median by which an object is suspected
	mostHoles  = 100_000
)

// FindGaps looks for gaps in the first offsets that names tell. A listing that
// was narrowed to a window leaves out objects at its ends only, which are not
// looked at. Nothing is proven: compacted topics and transactions leave offsets
// out, and only reading tells.
func FindGaps(objects []runplan.Input) Gaps {
	type line struct {
		partition  kafka.TopicPartition
		generation int
	}
	var order []line
	lines := map[line][]runplan.Input{}
	for _, o := range objects {
		l := line{o.Partition, o.Generation}
		if lines[l] == nil {
			order = append(order, l)
		}
		lines[l] = append(lines[l], o)
	}
	g := Gaps{Suspected: []Gap{}}
	g.holes(objects)
	for _, l := range order {
		named := ordered(lines[l])
		if len(named) <= leastSteps {
			g.Unjudged++
			continue
		}
		g.Judged++
		g.partition(l.partition, named)
	}
	return g
}

// ordered returns the objects whose names tell where they begin, one of each
// first offset.
func ordered(list []runplan.Input) []runplan.Input {
	var named []runplan.Input
	for _, o := range list {
		if o.Ordered && !o.Lower && o.First >= 0 {
			named = append(named, o)
		}
	}
	slices.SortStableFunc(named, func(a, b runplan.Input) int {
		switch {
		case a.First < b.First:
			return -1
		case a.First > b.First:
			return 1
		}
		return int(max(-1, min(1, b.Size-a.Size)))
	})
	return slices.CompactFunc(named, func(a, b runplan.Input) bool { return a.First == b.First })
}

func (g *Gaps) add(gap Gap) {
	g.Count++
	if len(g.Suspected) < MostGaps {
		g.Suspected = append(g.Suspected, gap)
	}
}

func (g *Gaps) partition(tp kafka.TopicPartition, list []runplan.Input) {
	steps := make([]int64, len(list)-1)
	for i := range steps {
		steps[i] = int64(list[i+1].First - list[i].First)
	}
	if usual, regular := mode(steps); regular {
		g.bySteps(tp, list, usual)
		return
	}
	g.bySize(tp, list, steps)
}

// mode is the most frequent step, and whether more than half are equal to it.
func mode(steps []int64) (usual int64, regular bool) {
	count, most := map[int64]int{}, 0
	for _, s := range steps {
		count[s]++
		if count[s] > most {
			usual, most = s, count[s]
		}
	}
	return usual, 2*most > len(steps)
}

// bySteps finds objects that begin later than the one before can end. One that
// begins a little before that repeats the end of its predecessor, and holds so
// many more; one that begins long before it shows that the predecessor was short.
func (g *Gaps) bySteps(tp kafka.TopicPartition, list []runplan.Input, usual int64) {
	step := kafka.Offset(usual)
	end := list[0].First + step
	for _, o := range list[1:] {
		if o.First > end {
			g.add(Gap{Partition: tp, First: end, Next: o.First, Key: o.Key, Evidence: BySteps})
		}
		repeated := max(0, end-o.First)
		if repeated > step/2 {
			repeated = 0
		}
		end = o.First + repeated + step
	}
}

// bySize finds objects that are small for the offsets up to the next one.
func (g *Gaps) bySize(tp kafka.TopicPartition, list []runplan.Input, steps []int64) {
	density := make([]float64, len(steps))
	for i := range steps {
		density[i] = float64(steps[i]) / float64(max(1, list[i].Size))
	}
	sorted := slices.Sorted(slices.Values(density))
	median := sorted[len(sorted)/2]
	for i := range steps {
		if density[i] > tooFew*median {
			end := list[i].First + kafka.Offset(median*float64(list[i].Size))
			g.add(Gap{Partition: tp, First: end, Next: list[i+1].First, Key: list[i+1].Key, Evidence: BySize})
		}
	}
}

// holes finds partitions without objects below the highest number of a topic.
func (g *Gaps) holes(objects []runplan.Input) {
	there := map[string]map[kafka.Partition]bool{}
	var topics []string
	for _, o := range objects {
		topic := o.Partition.Topic
		if there[topic] == nil {
			there[topic] = map[kafka.Partition]bool{}
			topics = append(topics, topic)
		}
		there[topic][o.Partition.Partition] = true
	}
	for _, topic := range topics {
		highest := kafka.Partition(0)
		for p := range there[topic] {
			highest = max(highest, p)
		}
		for p := range min(highest, mostHoles) {
			if !there[topic][p] {
				g.add(Gap{Partition: kafka.TopicPartition{Topic: topic, Partition: p}, Evidence: NoObject})
			}
		}
	}
}

// String says where the gap is.
func (g Gap) String() string {
	if g.Evidence == NoObject {
		return fmt.Sprintf("%s: no object of this partition", g.Partition)
	}
	about := ""
	if g.Evidence == BySize {
		about = "about "
	}
	return fmt.Sprintf("%s: %s%d offsets before %d, by %s", g.Partition, about, g.Next-g.First, g.Next, g.Evidence)
}
