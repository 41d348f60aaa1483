package convert

import (
	"math"
	"runtime"

	"backfill/internal/fail"
	"backfill/internal/format"
	"backfill/internal/objstore"
	"backfill/internal/parquetio"
	"backfill/internal/runplan"
	"backfill/internal/scan"
	"backfill/internal/schema"
	"backfill/jobs/workspace"
)

// What a worker holds whatever its sizes, in bytes: the decoder's block while
// it grows to the longest record, the decompressor's window, two upload parts,
// and as much with an encoder for rejected records.
const (
	blockBytes  = 1 << 20
	recordBytes = 8 << 20
	growBytes   = recordBytes + recordBytes/2
	codecBytes  = 9 << 20
	uploadBytes = 2 * 5 << 20
	rejectBytes = uploadBytes + 4<<20
)

// What the process holds besides its workers, in bytes.
const (
	programBytes = 20 << 20
	objectBytes  = 300 // a planned object, with the chunk that lists it
)

// GCPercent makes the collector run early while chunks are converted. That
// allocates next to nothing a row, so it costs next to nothing, and what waits
// to be collected is a small part of the peak: a long run has no higher one.
const GCPercent = 15

// maxWorkers bounds the workers where no memory limit does.
const maxWorkers = 64

// sizes are the buffers of one worker that may be larger or smaller.
type sizes struct {
	pageBytes     int
	rowGroupBytes int64
	pieceBytes    int // of an object that is got ahead

	archived format.Limits // of archived Parquet
}

// ladder holds the sizes to choose from. Smaller ones cost little time: a few
// per cent more Parquet. Row groups are small, too, since what they hold stays
// in memory until they end.
func ladder() []sizes {
	return []sizes{
		{pageBytes: 512 << 10, rowGroupBytes: 8 << 20, pieceBytes: 2 << 20}, {pageBytes: 256 << 10, rowGroupBytes: 8 << 20, pieceBytes: 1 << 20},
		{pageBytes: 128 << 10, rowGroupBytes: 8 << 20, pieceBytes: 512 << 10},
		{pageBytes: 64 << 10, rowGroupBytes: 4 << 20, pieceBytes: 256 << 10}, {pageBytes: 32 << 10, rowGroupBytes: 4 << 20, pieceBytes: 256 << 10},
	}
}

// RoomyFiles returns how Parquet is written where memory is no concern.
func RoomyFiles() parquetio.Options { return ladder()[0].parquet() }

func (s sizes) parquet() parquetio.Options {
	return parquetio.Options{PageBytes: s.pageBytes, RowGroupBytes: s.rowGroupBytes}
}

// worker returns the most bytes that a worker of these sizes holds.
func (s sizes) worker(stage []schema.Column) int64 {
	return blockBytes + growBytes + codecBytes + uploadBytes + rejectBytes + pipeBytes + objstore.SequenceBytes(s.pieceBytes) +
		parquetio.MemoryBound(stage, s.parquet())
}

// Workers returns how many chunks Convert would work on at a time; fail.Memory
// when the limit can't hold one.
func Workers(w *workspace.Workspace, objects int, o Options) (int, error) {
	n, _, err := fit(w, objects, o)
	return n, err
}

// Need is what converting takes of the machine.
type Need struct {
	Workers    int   // chunks at a time
	Bytes      int64 // of memory, at most
	PieceBytes int64 // of an object that one request gets
}

// NeedOf says what Convert would take for the chunks of so many objects;
// fail.Memory when the limit can't hold one worker.
func NeedOf(w *workspace.Workspace, chunks []runplan.Chunk, objects int, o Options) (Need, error) {
	o.parquet = workspace.MayBeParquet(w.Dataset.Archive.Format, chunks)
	n, s, err := fit(w, objects, o)
	if err != nil {
		return Need{}, err
	}
	n = min(n, max(1, len(chunks)))
	each := s.worker(scan.StageColumns(w.Dataset))
	if o.parquet {
		each += archivedBytes + max(s.archived.PageBytes, fewPages)
	}
	used := int64(programBytes+objects*objectBytes) + int64(n)*each
	return Need{Workers: n, Bytes: used / 4 * 5, PieceBytes: int64(s.pieceBytes)}, nil
}

// archivedPages are the most bytes for open pages of an archived Parquet object
// to choose from: writers open about a megabyte for each column.
func archivedPages(parquet bool) []int64 {
	if parquet {
		return []int64{64 << 20, 32 << 20, 16 << 20}
	}
	return []int64{0} // where one is met nevertheless, the fifth below is there for it
}

const (
	archivedBytes = 4 << 20  // of an archived Parquet object that is held in memory; a larger one goes to a file
	fewPages      = 16 << 20 // for open pages, where no Parquet is expected
)

// fit chooses how many chunks are converted at a time, and the sizes of their
// workers: as many as asked for, else as fit, with the largest sizes that fit.
// A limit that can't hold one is refused. A fifth of the limit is left to
// memory that waits to be collected.
func fit(w *workspace.Workspace, objects int, o Options) (int, sizes, error) {
	workers := o.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, maxWorkers)
	list := ladder()
	if o.Memory == 0 {
		s := list[0]
		s.archived.FileBytes = o.diskOf(workers)
		return workers, s, nil
	}
	stage := scan.StageColumns(w.Dataset)
	fixed := int64(programBytes + objects*objectBytes)
	least := int64(math.MaxInt64)
	for _, pages := range archivedPages(o.parquet) {
		aside := pages
		if o.parquet {
			aside += archivedBytes
		}
		for n := workers; n > 0; n-- {
			for _, s := range list {
				if fixed+int64(n)*(s.worker(stage)+aside) <= o.Memory/5*4 {
					s.archived = format.Limits{ObjectBytes: archivedBytes, PageBytes: max(pages, fewPages), FileBytes: o.diskOf(n)}
					return n, s, nil
				}
			}
		}
		least = min(least, (fixed+list[len(list)-1].worker(stage)+aside)/4*5)
	}
	return 0, sizes{}, fail.New(fail.Memory, "--memory %d MiB is too little for one worker", o.Memory>>20).
		Try("give at least --memory %dMiB", least>>20+1)
}

// diskOf is the share of each of n workers in three quarters of the disk; 0: no
// limit is known.
func (o Options) diskOf(n int) int64 {
	if o.Disk == 0 {
		return 0
	}
	return max(1, o.Disk/4*3/int64(n))
}
