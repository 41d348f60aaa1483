package load

import (
	"slices"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/jobs/plan"
)

// maxRanges bounds the ranges of offsets that are kept of a chunk. Offsets that
// are more scattered are known by their objects only.
const maxRanges = 10_000

// objects lists what append remembers; other modes need none.
func objects(head *runplan.Head, chunks []runplan.Chunk, receipts []*runplan.ChunkReceipt) []publish.LoadedObject {
	if !head.Window.IsAll() {
		return nil
	}
	var out []publish.LoadedObject
	for i, c := range chunks {
		first := len(out)
		for _, o := range c.Objects {
			out = append(out, publish.LoadedObject{URI: plan.ObjectURI(head.Archive, o.Key), ETag: o.ETag, Partition: c.Partition})
		}
		giveRanges(out[first:], receipts[i].Counts)
	}
	return out
}

// giveRanges gives the objects of a chunk the offsets that they prove. Where
// all do, the chunk's ranges are exact, holes included, and each goes to the
// object that it begins in. Else only an object without holes is exact by its
// first and last offset.
func giveRanges(objects []publish.LoadedObject, counts *account.Chunk) {
	all := !counts.RangesCut && len(counts.Ranges) <= maxRanges
	for _, o := range counts.Objects {
		all = all && (o.Records == 0 || proven(o))
	}
	if !all {
		for i, o := range counts.Objects {
			own := account.Range{From: o.First, To: o.Last + 1}
			if proven(o) && o.Records == int64(own.To-own.From) && (o.Proof == kafka.ProofDerived || found(counts, own)) {
				objects[i].Ranges = []account.Range{own}
			}
		}
		return
	}
	for _, r := range counts.Ranges {
		at := 0
		for i, o := range counts.Objects {
			if o.First != kafka.NoOffset && o.First <= r.From && r.From <= o.Last {
				at = i
				break
			}
		}
		objects[at].Ranges = append(objects[at].Ranges, r)
	}
}

// found reports whether the chunk holds every offset of the range: an object's
// own records may stand twice, and hide a hole.
func found(counts *account.Chunk, r account.Range) bool {
	return !counts.RangesCut && slices.ContainsFunc(counts.Ranges, func(f account.Range) bool { return f.From <= r.From && r.To <= f.To })
}

// proven reports whether the object's offsets are known for sure: from its
// records, or counted up to a later object's first.
func proven(o account.ObjectCount) bool {
	return o.First != kafka.NoOffset && (o.Proof == kafka.ProofBody || o.Proof == kafka.ProofDerived && !o.Open)
}
