package runplan

import (
	"slices"
	"strings"

	"backfill/internal/kafka"
)

// following is how many later objects a chunk may read past its end to learn
// whether they hold the same records.
const following = 2

// Input is one listed object with its partition.
type Input struct {
	Partition kafka.TopicPartition
	ObjectRef
}

// Basis is what decides a chunk's output besides its objects.
type Basis struct {
	ConvertDigest string
	Archive       string
	Window        kafka.Window
	Converter     int
}

// Cut sorts the objects and cuts each partition's into chunks of about
// chunkBytes (an object is never split). Objects appended to a partition
// leave the chunks before the last ones as they were.
func Cut(inputs []Input, chunkBytes int64, basis Basis) []Chunk {
	inputs = slices.Clone(inputs)
	slices.SortFunc(inputs, func(a, b Input) int {
		switch {
		case a.Partition.Less(b.Partition):
			return -1
		case b.Partition.Less(a.Partition):
			return 1
		case a.First != b.First:
			return int(min(max(a.First-b.First, -1), 1))
		}
		return strings.Compare(a.Key, b.Key)
	})
	var chunks []Chunk
	for start := 0; start < len(inputs); {
		end, bytes := start, int64(0)
		tp := inputs[start].Partition
		for end < len(inputs) && inputs[end].Partition == tp && (end == start || bytes+inputs[end].Size <= chunkBytes) {
			bytes += inputs[end].Size
			end++
		}
		c := Chunk{Partition: tp, Bytes: bytes}
		for _, in := range inputs[start:end] {
			c.Objects = append(c.Objects, in.ObjectRef)
		}
		for i := end; i < len(inputs) && i < end+following && inputs[i].Partition == tp && inputs[i].Ordered; i++ {
			c.Following = append(c.Following, inputs[i].ObjectRef)
		}
		c.ID = ChunkID(hash("chunk", basis, c.Partition, c.Objects, c.Following))
		chunks = append(chunks, c)
		start = end
	}
	return chunks
}

// ListingID returns the digest of all objects: equal digests mean that the
// archive holds the same objects.
func ListingID(inputs []Input) string { return hash("listing", inputs) }

// CutSlices returns slices of perSlice whole days that cover the window.
func CutSlices(w kafka.Window, cal *kafka.Calendar, perSlice int) []Slice {
	if w.IsAll() {
		return []Slice{{DayFrom: kafka.NoDay, DayTo: kafka.NoDay}}
	}
	var out []Slice
	days := cal.Days(w)
	for start := 0; start < len(days); start += perSlice {
		last := days[min(start+perSlice, len(days))-1]
		out = append(out, Slice{
			Index:   len(out),
			DayFrom: days[start],
			DayTo:   last + 1,
			Window: kafka.Window{
				From: max(w.From, cal.Start(days[start])),
				To:   min(w.To, cal.Start(last+1)),
			},
		})
	}
	return out
}

// Shard returns the chunks of shard i of n (from 1): contiguous ranges of
// about equal bytes. Every chunk falls in exactly one shard.
func Shard(chunks []Chunk, i, n int) []Chunk {
	var total int64
	for _, c := range chunks {
		total += c.Bytes + 1
	}
	var out []Chunk
	var before int64
	for _, c := range chunks {
		size := c.Bytes + 1
		middle := before + size/2
		if int(middle*int64(n)/total) == i-1 {
			out = append(out, c)
		}
		before += size
	}
	return out
}
