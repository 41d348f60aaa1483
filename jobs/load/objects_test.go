package load

import (
	"fmt"
	"testing"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/publish"
)

// An object gets only offsets of which it, or another of its chunk, holds
// every one.
func TestGiveRanges(t *testing.T) {
	object := func(proof kafka.Proof, first, last kafka.Offset, records int64, open bool) account.ObjectCount {
		return account.ObjectCount{Proof: proof, First: first, Last: last, Records: records, Open: open}
	}
	ranges := func(list ...kafka.Offset) (out []account.Range) {
		for i := 0; i < len(list); i += 2 {
			out = append(out, account.Range{From: list[i], To: list[i+1]})
		}
		return out
	}
	for _, test := range []struct {
		name    string
		objects []account.ObjectCount
		ranges  []account.Range
		cut     bool
		want    string
	}{
		{"contiguous and closed", []account.ObjectCount{object(kafka.ProofDerived, 0, 4, 5, false), object(kafka.ProofDerived, 5, 9, 5, false)}, ranges(0, 10), false, "[[{0 10}] []]"},
		{"holes of a compacted topic", []account.ObjectCount{object(kafka.ProofBody, 0, 9, 4, false), object(kafka.ProofBody, 12, 15, 4, false)}, ranges(0, 3, 9, 10, 12, 16), false, "[[{0 3} {9 10}] [{12 16}]]"},
		{"interleaved objects", []account.ObjectCount{object(kafka.ProofBody, 0, 4, 3, false), object(kafka.ProofBody, 1, 7, 4, false)}, ranges(0, 6, 7, 8), false, "[[{0 6}] [{7 8}]]"},
		{"the last is open", []account.ObjectCount{object(kafka.ProofDerived, 0, 4, 5, false), object(kafka.ProofDerived, 5, 9, 5, true)}, ranges(0, 10), false, "[[{0 5}] []]"},
		{"the last is open, the first has holes", []account.ObjectCount{object(kafka.ProofBody, 0, 4, 3, false), object(kafka.ProofDerived, 5, 9, 5, true)}, ranges(0, 10), false, "[[] []]"},
		{"nothing is proven", []account.ObjectCount{object(kafka.ProofUnproven, 0, 4, 5, false)}, ranges(0, 5), false, "[[]]"},
		{"too scattered", []account.ObjectCount{object(kafka.ProofBody, 0, 4, 5, false), object(kafka.ProofBody, 9, 99, 7, false)}, ranges(0, 5), true, "[[] []]"},
		{"a record twice hides a hole", []account.ObjectCount{object(kafka.ProofBody, 0, 2, 3, false), object(kafka.ProofUnproven, -1, -1, 2, false)}, ranges(0, 1, 2, 3), false, "[[] []]"},
		{"scattered, and contiguous by their names", []account.ObjectCount{object(kafka.ProofDerived, 0, 4, 5, false), object(kafka.ProofUnproven, 9, 99, 7, false)}, ranges(0, 5), true, "[[{0 5}] []]"},
		{"an empty object", []account.ObjectCount{object(kafka.ProofUnproven, -1, -1, 0, false), object(kafka.ProofBody, 3, 4, 2, false)}, ranges(3, 5), false, "[[] [{3 5}]]"},
	} {
		list := make([]publish.LoadedObject, len(test.objects))
		giveRanges(list, &account.Chunk{Objects: test.objects, Ranges: test.ranges, RangesCut: test.cut})
		var got [][]account.Range
		for _, o := range list {
			got = append(got, o.Ranges)
		}
		if text := fmt.Sprint(got); text != test.want {
			t.Errorf("%s: %s, want %s", test.name, text, test.want)
		}
	}
}
