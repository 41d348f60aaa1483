package runplan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"backfill/internal/kafka"
)

// Following is how many later objects a chunk lists at most: it may read past
// its end to learn whether they hold the same records. With fewer, the
// partition ends behind them.
const Following = 4

// maxObjects bounds the objects of a chunk, which its receipt lists: an archive
// of tiny objects has chunks of fewer bytes.
const maxObjects = 10_000

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
	Schemas       string `json:",omitempty"` // SHA-256 of the set of schemas
	Salt          string `json:",omitempty"` // of a conversion that must not use earlier receipts
}

// ID names the basis: chunks can be the same only where their bases are.
func (b Basis) ID() string { return hash("basis", b) }

// Cut sorts the objects and cuts each partition's, of each generation apart, into chunks of about
// chunkBytes and at most maxObjects objects (an object is never split). Objects appended to a partition
// leave the chunks before the last ones as they were.
func Cut(inputs []Input, chunkBytes int64, basis Basis) []Chunk {
	return CutWithout(inputs, nil, chunkBytes, basis)
}

// CutWithout is Cut for archives of which some objects were loaded before: they
// are in no chunk, but a chunk sees them among the objects that follow it.
func CutWithout(inputs []Input, loaded func(Input) bool, chunkBytes int64, basis Basis) []Chunk {
	if loaded == nil {
		loaded = func(Input) bool { return false }
	}
	order := func(a, b Input) int {
		return cmp.Or(strings.Compare(a.Partition.Topic, b.Partition.Topic), cmp.Compare(a.Partition.Partition, b.Partition.Partition),
			cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.First, b.First), strings.Compare(a.Key, b.Key))
	}
	if !slices.IsSortedFunc(inputs, order) { // a listing is
		inputs = slices.Clone(inputs)
		slices.SortFunc(inputs, order)
	}
	var chunks []Chunk
	for start := 0; start < len(inputs); {
		end, bytes := start, int64(0)
		first := inputs[start]
		near := func(in Input) bool { return in.Partition == first.Partition && in.Generation == first.Generation }
		if loaded(inputs[start]) {
			start++
			continue
		}
		for end < min(len(inputs), start+maxObjects) && near(inputs[end]) && !loaded(inputs[end]) &&
			(end == start || bytes+inputs[end].Size <= chunkBytes) {
			bytes += inputs[end].Size
			end++
		}
		c := Chunk{Partition: first.Partition, Bytes: bytes}
		c.Objects = make([]ObjectRef, 0, end-start)
		for _, in := range inputs[start:end] {
			c.Objects = append(c.Objects, in.ObjectRef)
		}
		for i := end; i < len(inputs) && i < end+Following && near(inputs[i]) && inputs[i].Ordered; i++ {
			c.Following = append(c.Following, inputs[i].ObjectRef)
		}
		c.ID = ChunkID(hash("chunk", basis, c.Partition, c.Objects, c.Following))
		chunks = append(chunks, c)
		start = end
	}
	return chunks
}

// ListingID returns the digest of all objects: equal digests mean that the
// archive holds the same objects. It is the hash of all inputs, made one by one.
func ListingID(inputs []Input) string {
	h := sha256.New()
	fmt.Fprintf(h, `[%d,"listing",[`, Format)
	for i := range inputs {
		text, err := json.Marshal(&inputs[i])
		if err != nil {
			panic(fmt.Sprintf("runplan: hashing an object that is not JSON: %v", err)) // it has texts and numbers only
		}
		if i > 0 {
			h.Write([]byte{','})
		}
		h.Write(text)
	}
	h.Write([]byte("]]"))
	return hex.EncodeToString(h.Sum(nil))
}

// CutSlices returns slices of perSlice whole days, at least one, that cover the
// window without gap or overlap.
func CutSlices(w kafka.Window, cal *kafka.Calendar, perSlice int) []Slice {
	if w.IsAll() {
		return []Slice{{DayFrom: kafka.NoDay, DayTo: kafka.NoDay}}
	}
	var out []Slice
	days, step := cal.Days(w), max(1, perSlice)
	for start := 0; start < len(days); start += step {
		last := days[min(start+step, len(days))-1]
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
// about equal bytes. Every chunk falls in exactly one shard; a shard is empty
// where chunks are larger than their share.
func Shard(chunks []Chunk, i, n int) []Chunk {
	if i < 1 || i > n {
		return nil
	}
	var total uint64
	for _, c := range chunks {
		total += uint64(c.Bytes) + 1
	}
	var out []Chunk
	var before uint64
	for _, c := range chunks {
		size := uint64(c.Bytes) + 1
		hi, lo := bits.Mul64(before+size/2, uint64(n)) // in 128 bits: petabytes times shards
		if shard, _ := bits.Div64(hi, lo, total); shard == uint64(i-1) {
			out = append(out, c)
		}
		before += size
	}
	return out
}
