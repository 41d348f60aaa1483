package runplan

import (
	"fmt"
	"time"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// File is one object that a step wrote to staging.
type File struct {
	Key  string `json:"key"` // relative to the staging URI
	Size int64  `json:"size"`
	ETag string `json:"etag"`
	Rows int64  `json:"rows"`
}

// ChunkReceipt says that a chunk is converted.
type ChunkReceipt struct {
	Format     int                  `json:"format"`
	Chunk      ChunkID              `json:"chunk"`
	Attempt    string               `json:"attempt"`
	Converter  int                  `json:"converter"`
	Version    string               `json:"version"`
	Partition  kafka.TopicPartition `json:"partition"`
	Window     kafka.Window         `json:"window"`
	Parquet    []File               `json:"parquet"`              // none when no row came out
	Quarantine *File                `json:"quarantine,omitempty"` // none when nothing was rejected
	Counts     *account.Chunk       `json:"counts"`
	Done       time.Time            `json:"done"`
}

// SliceReceipt is what one slice's transaction saw and did. It is written
// before the commit; it counts only when the ledger names it.
type SliceReceipt struct {
	Format  int    `json:"format"`
	Run     RunID  `json:"run"`
	Seq     Seq    `json:"seq"`
	Attempt string `json:"attempt"`
	Target  string `json:"target"`
	Slice   Slice  `json:"slice"`

	Mode  string `json:"mode,omitempty"`  // "": as the dataset says
	Lanes int    `json:"lanes,omitempty"` // canon.Format of the lanes; absent: 1

	Stage      account.Cells `json:"stage"`    // leg 2: all staged rows of the slice, lanes over the stage's values
	Inserted   account.Cells `json:"inserted"` // rows that the change inserted, as the table holds them
	Deleted    account.Cells `json:"deleted"`  // rows of the slice that it deleted, as the table held them
	Superseded int64         `json:"superseded"`
	Vanished   int64         `json:"vanished"`
	Queries    []string      `json:"queries"` // texts that gave the figures

	Kind  string    `json:"kind,omitempty"`  // "undo", or nothing: a load
	Aside *PutAside `json:"aside,omitempty"` // with --keep-replaced

	// After is leg 3 at the commit: all rows of the slice, also those that the
	// change left as they were. It is absent where they are Inserted.
	After account.Cells `json:"after,omitempty"`
	// Taken is rows of other days that the change deleted, because their newer
	// version is in the slice. What a day must hold is After of the newest change
	// of the day, less Taken on it of all later changes.
	Taken account.Cells `json:"taken,omitempty"`
	// Staged rows that were not inserted, rows and money by day and group: the
	// table has a newer version, the same row, another row of the key.
	Outdated  account.Cells `json:"superseded_by_table,omitempty"`
	Already   account.Cells `json:"already,omitempty"`
	Differing account.Cells `json:"differing,omitempty"`
	// Keys whose newest version stood in several partitions of the archive, or had
	// no proven offset and a rival of other content: one was taken, nothing says that it is the newest.
	Ties account.Cells `json:"ties,omitempty"`
	// Rows of the table outside of the plan's window whose key the slice inserted:
	// older versions, and such of which nothing says whether they are older. They
	// stay until their days are loaded again.
	Stale account.Cells `json:"stale,omitempty"`
	Twins account.Cells `json:"twins,omitempty"`

	Repeated int64 `json:"repeated,omitempty"`     // of an append: an earlier one accounted for their offsets
	Doubled  int64 `json:"doubled_keys,omitempty"` // keys of an append that the table holds more than once now

	DoubledOffsets int64 `json:"doubled_offsets,omitempty"` // likewise offsets
}

// Held returns what the slice of the table held at the commit.
func (r *SliceReceipt) Held() account.Cells {
	if r.After != nil {
		return r.After
	}
	return r.Inserted
}

// Abort says that a plan was stopped: no pod goes on with it.
type Abort struct {
	Format int       `json:"format"`
	Seq    Seq       `json:"seq"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`

	// Removed: nobody had used the plan for long, and it is taken out of staging.
	Removed bool `json:"removed,omitempty"`
}

// String says what happened to the plan.
func (a *Abort) String() string {
	what := "aborted"
	if a.Removed {
		what = "removed from staging"
	}
	text := fmt.Sprintf("plan %d was %s by %s at %s", a.Seq, what, a.By, a.At.Format(time.RFC3339))
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	return text
}

// Swept says that Parquet of a basis was removed: receipts of its chunks stand,
// what they name may be gone. A plan of the basis that is sealed later takes a
// salt, and so other chunks.
type Swept struct {
	Format int       `json:"format"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// PutAside says which rows a load keeps for undo. Its cells are over all
// columns of the table that can be fingerprinted, and know no days.
type PutAside struct {
	Table    string        `json:"table"`    // schema.table of the kept rows
	Rows     int64         `json:"rows"`     // that were replaced and are kept
	Replaced account.Cells `json:"replaced"` // these rows
	Left     account.Cells `json:"left"`     // what the load wrote, as the table held it at the commit
}
