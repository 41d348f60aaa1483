package forecast

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

func object(partition int, first, size int64) runplan.Input {
	return runplan.Input{Partition: kafka.TopicPartition{Topic: "t", Partition: kafka.Partition(partition)},
		ObjectRef: runplan.ObjectRef{Key: fmt.Sprintf("p%d/%010d", partition, first), First: kafka.Offset(first), Size: size, Ordered: true}}
}

// TestTotalHoldsTheTruth: over many archives of uneven objects, of endings that
// take different bytes, the true number lies between the bounds, but for a few in
// a hundred.
func TestTotalHoldsTheTruth(t *testing.T) {
	const archives = 1000
	missed := 0
	for seed := range uint64(archives) {
		r := rand.New(rand.NewPCG(seed, 1))
		var objects []runplan.Input
		counts := map[string]int64{}
		var truth int64
		for i := range 40 + r.IntN(400) {
			n := int64(50 + r.IntN(2000))
			each := int64(90 + r.IntN(40))
			o := object(0, int64(i)*5000, n*each+200)
			if r.IntN(20) == 0 {
				o.Size, o.Key = o.Size*8, o.Key+".json"
			}
			objects = append(objects, o)
			counts[o.Key] = n
			truth += n
		}
		e := Total(strataOf(objects, counts, 18))
		if e.Exact || e.Low > e.Count || !e.Unbounded && e.High < e.Count {
			t.Fatalf("seed %d: %+v", seed, e)
		}
		if !e.Unbounded && (truth < e.Low || truth > e.High) {
			missed++
		}
	}
	if missed > archives*3/100 {
		t.Errorf("the bounds missed the truth in %d of %d archives", missed, archives)
	}
}

func strataOf(objects []runplan.Input, counts map[string]int64, n int) []Stratum {
	of, names := Strata(objects)
	strata := make([]Stratum, len(names))
	for i, o := range objects {
		strata[of[i]].Objects++
		strata[of[i]].Bytes += o.Size
	}
	for _, i := range Choose(objects, of, n, 1<<40) {
		s := &strata[of[i]]
		s.Sample = append(s.Sample, Observed{objects[i].Size, counts[objects[i].Key]})
	}
	return strata
}

func TestTotalOfSmallSamples(t *testing.T) {
	if e := Total([]Stratum{{2, 30, []Observed{{10, 3}, {20, 5}}}}); e != (Estimate{Count: 8, Low: 8, High: 8, Exact: true}) {
		t.Errorf("everything read: %+v", e)
	}
	if e := Total([]Stratum{{10, 100, []Observed{{10, 3}}}}); !e.Unbounded || e.Count != 30 || e.Low != 3 {
		t.Errorf("one object of ten: %+v", e)
	}
	if e := Total([]Stratum{{10, 100, nil}}); !e.Unbounded || e.Count != 0 {
		t.Errorf("nothing read: %+v", e)
	}
	if e := Total(nil); !e.Exact || e.Count != 0 {
		t.Errorf("an empty archive: %+v", e)
	}
	if e := Total([]Stratum{{1, 10, []Observed{{10, 3}}}, {50, 500, []Observed{{10, 5}, {10, 5}, {10, 5}}}}); e.Exact || e.Unbounded || e.Count != 253 || e.Low != 250 || e.High != 256 {
		t.Errorf("a stratum read whole beside an even one: %+v", e)
	}
}

func TestChooseKeepsWithinItsBounds(t *testing.T) {
	var objects []runplan.Input
	for i := range int64(100) {
		objects = append(objects, object(0, i*10, 1+i%7*100))
	}
	objects[99].Key += ".gz"
	of, _ := Strata(objects)
	chosen := Choose(objects, of, 30, 2000)
	var bytes int64
	seen := map[int]bool{}
	for _, i := range chosen {
		bytes += objects[i].Size
		if seen[i] {
			t.Errorf("%s twice", objects[i].Key)
		}
		seen[i] = true
	}
	if len(chosen) == 0 || len(chosen) > 30 || bytes > 2000 || !seen[99] {
		t.Errorf("%v, %d bytes", chosen, bytes)
	}
	if again := Choose(objects, of, 30, 2000); fmt.Sprint(again) != fmt.Sprint(chosen) {
		t.Error("the same listing gives another sample")
	}
}

// TestGapsBySteps: what is taken out of regular objects is found, and nothing else.
func TestGapsBySteps(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		var objects []runplan.Input
		var want []string
		at, n := int64(1000), 40+r.IntN(30)
		for i := range n {
			switch {
			case i > 0 && r.IntN(16) == 0:
				missing := int64(1 + r.IntN(900))
				want = append(want, fmt.Sprint(at, at+missing))
				at += missing
			case i > 0 && r.IntN(16) == 0:
				objects = append(objects, object(0, at-5, 90)) // repeats the five before
				at += 500
				continue
			}
			objects = append(objects, object(0, at, int64(50+r.IntN(100))))
			at += 500
		}
		g := FindGaps(objects)
		var got []string
		for _, gap := range g.Suspected {
			if gap.Evidence != BySteps {
				t.Fatalf("seed %d: by %s", seed, gap.Evidence)
			}
			got = append(got, fmt.Sprint(gap.First, int64(gap.Next)))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || g.Count != len(want) {
			t.Errorf("seed %d: found %v, taken out %v", seed, got, want)
		}
	}
}

func TestGapsBySizeAndByPartition(t *testing.T) {
	var objects []runplan.Input
	at := int64(0)
	for i, n := range []int64{100, 130, 90, 110, 300, 95, 120} {
		objects = append(objects, object(0, at, n*11+int64(i)))
		if at += n; i == 4 {
			at += 400
		}
	}
	for i, n := range []int64{100, 130, 90, 110} {
		o := object(3, int64(i)*n, 10)
		o.Lower = true
		objects = append(objects, o)
	}
	g := FindGaps(objects)
	if g.Count != 3 || g.Judged != 1 || g.Unjudged != 1 {
		t.Fatalf("%+v", g)
	}
	for i, want := range []string{"t/1: no object of this partition", "t/2: no object of this partition"} {
		if got := g.Suspected[i].String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if gap := g.Suspected[2]; gap.Next != 1130 || gap.Evidence != BySize || gap.First < 700 || gap.First > 760 {
		t.Errorf("%+v", gap)
	}
}

func TestCostIsRoundedUp(t *testing.T) {
	for _, c := range []struct {
		r    Requests
		want string
	}{{Requests{}, "$0.00"}, {Requests{Gets: 1}, "$0.01"}, {Requests{Gets: 1_000_000, Puts: 10_000, Lists: 1000}, "$0.46"}} {
		if got := c.r.Priced(); got.Cost != c.want || got.Prices == "" {
			t.Errorf("%+v cost %s, want %s", c.r, got.Cost, c.want)
		}
	}
}
