package workspace

import (
	"slices"
	"strings"

	"backfill/internal/dataset"
	"backfill/internal/format"
	"backfill/internal/runplan"
)

// SmallParquetBytes is the memory that archived Parquet takes by SmallParquet.
const SmallParquetBytes = 20 << 20

// SmallParquet are the limits by which archived Parquet is read beside other
// work: an object that is larger goes to a file.
func SmallParquet() format.Limits {
	return format.Limits{ObjectBytes: 4 << 20, PageBytes: SmallParquetBytes - 4<<20}
}

// MayBeParquet reports whether memory is set aside for archived Parquet: it was
// declared, or the bytes decide and names don't say that they are something else.
func MayBeParquet(declared string, chunks []runplan.Chunk) bool {
	if declared != dataset.FormatAuto {
		return declared == dataset.FormatParquet
	}
	return slices.ContainsFunc(chunks, func(c runplan.Chunk) bool {
		return slices.ContainsFunc(c.Objects, func(o runplan.ObjectRef) bool {
			return !strings.Contains(o.Key, ".json") && !strings.Contains(o.Key, ".avro")
		})
	})
}
