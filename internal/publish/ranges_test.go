package publish

import (
	"math/rand/v2"
	"testing"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// The offsets that two sets of ranges share are found one by one, too.
func TestIntersect(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	tp, other := kafka.TopicPartition{Topic: "t"}, kafka.TopicPartition{Topic: "t", Partition: 1}
	draw := func() ([]account.Range, map[kafka.Offset]bool) {
		var list []account.Range
		set := map[kafka.Offset]bool{}
		for range random.IntN(6) {
			r := account.Range{From: kafka.Offset(random.IntN(30))}
			r.To = r.From + kafka.Offset(1+random.IntN(8))
			list = append(list, r)
			for o := r.From; o < r.To; o++ {
				set[o] = true
			}
		}
		return list, set
	}
	for range 2000 {
		a, inA := draw()
		b, inB := draw()
		both, n := offsets{tp: a, other: a}.intersect(offsets{tp: b})
		if len(both[other]) > 0 || n != len(both[tp]) {
			t.Fatalf("%v ∩ %v: %v, %d ranges", a, b, both, n)
		}
		got := map[kafka.Offset]int{}
		for _, r := range both[tp] {
			for o := r.From; o < r.To; o++ {
				got[o]++
			}
		}
		for o := kafka.Offset(0); o < 50; o++ {
			want := 0
			if inA[o] && inB[o] {
				want = 1
			}
			if got[o] != want {
				t.Fatalf("%v ∩ %v holds %d %d times, want %d", a, b, o, got[o], want)
			}
		}
	}
}

func TestSQLOfKnownOffsets(t *testing.T) {
	c := mustCompile(t, payroll())
	golden(t, "known_create", createKnownSQL(knownName(7)))
	golden(t, "known_insert", insertKnownSQL(knownName(7), 2))
	golden(t, "known_source", "SELECT COUNT(*)\nFROM "+unknownSource(quoteOwn(stageName(7)), knownName(7)))
	golden(t, "doubled", c.doubledSQL(stageName(7)))
}
