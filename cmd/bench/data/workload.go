package data

import (
	"fmt"
	"path/filepath"
)

// Shape is what a record looks like.
type Shape string

// The shapes. Events has the fields of a payroll event (21 columns, about 716
// bytes), Wide 120 columns, Numbers five numbers in 100 bytes.
const (
	Events  Shape = "events"
	Wide    Shape = "wide"
	Numbers Shape = "numbers"
)

// Codec is how objects are compressed.
type Codec string

// The codecs.
const (
	Gzip  Codec = "gzip"
	Zstd  Codec = "zstd"
	Plain Codec = "plain"
)

func (c Codec) extension() string {
	return map[Codec]string{Gzip: ".json.gz", Zstd: ".json.zst", Plain: ".json"}[c]
}

// Workload is an archive to make.
type Workload struct {
	Name       string
	Title      string // for the table
	Shape      Shape
	Codec      Codec
	Rows       int64 // lines that are generated
	PerObject  int64 // lines of an object
	Partitions int
	Days       int  // that the events spread over; from 1 March 2026
	Shuffled   bool // event times are in no order
	RejectRate float64
	Copies     int // every object is archived so often, under other offsets
	Segments   int // one object: its deflate stream so often in one gzip member
	Seed       uint64
}

// Size says how large the workloads are.
type Size struct {
	Rows int64 // of the month
	Full bool  // 100,000 small objects and one of 4 GiB
	Seed uint64
}

const (
	perObject   = 125_000
	smallRows   = 193     // a compressed object of about 20 KiB
	bigRows     = 125_000 // a segment of the one large object
	bigSegments = 3
	fullBytes   = int64(4) << 30
	segment     = int64(14_600_000) // compressed bytes of bigRows, about
)

// Workloads returns what the benchmark knows, in the order of its table.
func Workloads(s Size) []Workload {
	month := Workload{Shape: Events, Rows: s.Rows, Partitions: 8, Days: 31, Copies: 1, Seed: s.Seed}
	with := func(name, title string, change func(*Workload)) Workload {
		w := month
		w.Name, w.Title = name, title
		change(&w)
		w.PerObject = perObject
		for w.PerObject > 1000 && w.Rows < 2*int64(w.Partitions)*w.PerObject {
			w.PerObject = (w.PerObject + 1) / 2 // two objects a partition at least
		}
		return w
	}
	list := []Workload{
		with("gzip", "the month, gzip", func(w *Workload) { w.Codec = Gzip }),
		with("zstd", "the month, zstd", func(w *Workload) { w.Codec = Zstd }),
		with("plain", "the month, plain", func(w *Workload) { w.Codec = Plain }),
		with("wide", "120 columns", func(w *Workload) { w.Codec, w.Shape, w.Rows = Gzip, Wide, max(1, s.Rows/5) }),
		with("numbers", "5 numbers", func(w *Workload) { w.Codec, w.Shape, w.Rows = Gzip, Numbers, s.Rows*4 }),
		with("rejects", "5 % rejects", func(w *Workload) { w.Codec, w.RejectRate = Gzip, 0.05 }),
		with("days", "60 event days in each chunk", func(w *Workload) { w.Codec, w.Days, w.Shuffled = Gzip, 60, true }),
	}
	small := with("objects", "", func(w *Workload) { w.Codec, w.Rows = Gzip, min(s.Rows, 2000*smallRows) })
	small.PerObject = smallRows
	if s.Full {
		small.Rows, small.Copies = 2000*smallRows, 50
	}
	small.Title = fmt.Sprintf("%d objects of 20 KiB", small.Objects())
	big := with("object", "", func(w *Workload) { w.Codec, w.Partitions, w.Rows = Gzip, 1, min(s.Rows, bigRows) })
	big.PerObject, big.Segments = big.Rows, bigSegments
	if s.Full {
		big.Segments = int(fullBytes/segment) + 1
	}
	big.Title = fmt.Sprintf("one object of %d rows", big.Lines())
	return append(list, small, big)
}

// Lines returns the lines of the archive, copies included.
func (w Workload) Lines() int64 { return w.Rows * int64(max(1, w.Copies)) * int64(max(1, w.Segments)) }

// Objects returns the number of files.
func (w Workload) Objects() int {
	n := 0
	for p := range w.Partitions {
		n += len(w.objects(p))
	}
	return n * max(1, w.Copies)
}

// object is one file to generate.
type object struct {
	partition int
	first     int64 // offset
	rows      int64
}

// objects cuts a partition's share of the rows.
func (w Workload) objects(partition int) []object {
	share := w.Rows / int64(w.Partitions)
	if int64(partition) < w.Rows%int64(w.Partitions) {
		share++
	}
	var list []object
	for at := int64(0); at < share; at += w.PerObject {
		list = append(list, object{partition: partition, first: at, rows: min(w.PerObject, share-at)})
	}
	return list
}

// Dir returns the archive's folder below root.
func (w Workload) Dir(root string) string { return filepath.Join(root, w.id()) }

// id names the archive by all that decides its bytes.
func (w Workload) id() string {
	return fmt.Sprintf("%s-v%d-%d-%d-%d-%d-%d", w.Name, version, w.Rows, w.PerObject, w.Copies, w.Segments, w.Seed)
}

// version changes when the same workload gives other bytes.
const version = 1
