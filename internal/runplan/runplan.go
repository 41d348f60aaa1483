// Package runplan holds what a run is made of and how it is kept: the plan
// with its chunks and slices, and the receipts that say what was done. All
// types here are persistent formats with a version; all functions are pure.
//
// Identity is content: a run's id is the hash of what it was asked for, a
// chunk's id is the hash of everything that decides its output. runstore
// writes these types, jobs composes them, publish fills slice receipts.
package runplan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// Format is the version of every persistent format of this package. A reader
// refuses another one.
const Format = 1

// Converter is the version of the code that turns records into Parquet. It
// rises whenever the same input could give other output, hash lanes included;
// chunks converted by another version are converted again.
const Converter = 5

// RunID names a run: dataset, window and format. The same command gives the same id.
type RunID string

// ChunkID names a chunk by everything that decides its output.
type ChunkID string

// Seq numbers the plans of one target table; a newer plan supersedes older ones.
type Seq int64

// Head is the sealed plan, without its chunks, which stand in segments.
type Head struct {
	Format    int          `json:"format"`
	Run       RunID        `json:"run"`
	Seq       Seq          `json:"seq"`
	Attempt   string       `json:"attempt"` // random, tells our own repeated write from another's
	Target    string       `json:"target"`  // schema.table
	Dataset   Dataset      `json:"dataset"`
	Archive   string       `json:"archive"` // URI that object keys are relative to
	Warehouse Warehouse    `json:"warehouse"`
	Window    kafka.Window `json:"window"`
	Converter int          `json:"converter"`
	Version   string       `json:"version"`                   // of the program
	KMSKey    string       `json:"staging_kms_key,omitempty"` // as staging.kms_key: all pods encrypt alike
	Sealed    time.Time    `json:"sealed"`

	Objects int            `json:"objects"`
	Bytes   int64          `json:"bytes"`
	Ignored map[string]int `json:"ignored,omitempty"` // listed keys that are no data, by reason
	// SkippedFolders counts dated folders of other times, of which nothing was listed.
	SkippedFolders int `json:"skipped_folders,omitempty"`
	// Inventory names the report that was read instead of listing. AsOf is the time
	// of which everything is in the listing; zero: of the sealing.
	Inventory string    `json:"inventory,omitempty"`
	AsOf      time.Time `json:"as_of,omitzero"`

	Chunks   int       `json:"chunks"`
	Segments []Segment `json:"segments"`
	Slices   []Slice   `json:"slices"`
	// What the slices of the table held at the sealing, and the last change of
	// the table then; only where a replacement has no key to guard rows by.
	Standing   []Standing `json:"standing,omitempty"`
	LastChange int64      `json:"last_change,omitempty"`

	ListingID string `json:"listing"` // digest of all objects with size, ETag and version

	Schemas *Schemas `json:"schemas,omitempty"` // of values that name theirs; nil: they don't

	Supersedes *Supersedes `json:"supersedes,omitempty"`
	Damaged    []Input     `json:"damaged,omitempty"` // objects that a person declared damaged: they are in no chunk, their records are unknown
	Salt       string      `json:"salt,omitempty"`    // tells chunks that were converted anew from those of before
	Asked      []string    `json:"asked,omitempty"`   // what goes round a rule, such as replan, one word each
	By         string      `json:"by,omitempty"`      // who or what asked for the plan
	Reason     string      `json:"reason,omitempty"`  // why

	// Seal is the hex SHA-256 of the document's bytes with an empty Seal; it
	// shows damage and edits. runstore fills and checks it.
	Seal string `json:"seal"`
}

// Dataset is the dataset as the plan was made from it; it travels with the
// plan so that all pods agree.
type Dataset struct {
	Name          string `json:"name"`
	Digest        string `json:"digest"`
	ConvertDigest string `json:"convert_digest"`
	Text          string `json:"text"`
}

// Warehouse says where the plan loads to; it holds no secret.
type Warehouse struct {
	URL         string `json:"url"`
	IAMRole     string `json:"iam_role"`
	TLS         bool   `json:"tls"`
	TLSOptions  string `json:"tls_options,omitempty"` // as warehouse.tls of the dataset file, when it is more than on or off
	SignIn      string `json:"sign_in,omitempty"`     // as warehouse.sign_in of the dataset file: names, no secret
	PasswordEnv string `json:"password_env"`          // "" when the login has no password variable
}

// Standing is the rows of a slice and the sums of their hash lanes.
type Standing struct {
	Rows  int64          `json:"rows"`
	Lane1 account.Int128 `json:"lane1"`
	Lane2 account.Int128 `json:"lane2"`
}

// Schemas names the set of schemas that values are read by.
type Schemas struct {
	Key    string `json:"key"` // relative to the staging URI
	SHA256 string `json:"sha256"`
	Count  int    `json:"count"`
}

// Supersedes says which plan this one replaces, and why.
type Supersedes struct {
	Seq     Seq      `json:"seq"`
	Reasons []string `json:"reasons"`
}

// Segment is a compressed part of the chunk list.
type Segment struct {
	Key    string `json:"key"`
	Chunks int    `json:"chunks"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Slice is the whole load days that one transaction changes. From and To are
// the days' instants cut to the window. A dataset without event time has one
// slice of all time.
type Slice struct {
	Index   int          `json:"index"`
	DayFrom kafka.Day    `json:"day_from"` // first day
	DayTo   kafka.Day    `json:"day_to"`   // day after the last
	Window  kafka.Window `json:"window"`
}

// String names the slice for people.
func (s Slice) String() string {
	if s.Window.IsAll() {
		return "all rows"
	}
	if s.DayTo-s.DayFrom == 1 {
		return s.DayFrom.String()
	}
	return s.DayFrom.String() + " to " + (s.DayTo - 1).String()
}

// ObjectRef is one archived object as it was listed.
type ObjectRef struct {
	Key     string       `json:"key"` // relative to the archive URI
	Size    int64        `json:"size"`
	ETag    string       `json:"etag"`
	Version string       `json:"version,omitempty"`
	First   kafka.Offset `json:"first_offset"`      // from the name; -1: none
	Ordered bool         `json:"ordered,omitempty"` // first offsets of such names order the partition's records
	Lower   bool         `json:"lower,omitempty"`   // First is a lower bound: the first record's may be higher

	End kafka.Offset `json:"end_offset,omitempty"` // past its last record, from the name; 0: the name does not tell

	Generation int `json:"generation,omitempty"` // how often the topic had been made anew: offsets of another one are other records

	Sides      []SideRef `json:"sides,omitempty"`      // objects that hold what else belongs to its records, row by row
	Tombstones bool      `json:"tombstones,omitempty"` // it holds keys of records without a value
}

// SideRef is a side file as it was listed.
type SideRef struct {
	View    string `json:"view"` // keys or headers
	Key     string `json:"key"`  // relative to the archive URI
	Size    int64  `json:"size"`
	ETag    string `json:"etag"`
	Version string `json:"version,omitempty"`
}

// Adrift reports whether names tell where the object ends and not where it
// begins, since no object of its partition lies before it. First is 0 then.
func (r *ObjectRef) Adrift() bool { return r.End > 0 && r.First == 0 }

// Object returns what opens the side file.
func (s SideRef) Object() ObjectRef {
	return ObjectRef{Key: s.Key, Size: s.Size, ETag: s.ETag, Version: s.Version, First: kafka.NoOffset}
}

// Equal reports whether both are the same objects of the same partition.
func (in Input) Equal(other Input) bool { return reflect.DeepEqual(in, other) }

// Chunk is consecutive objects of one topic-partition and generation. Following are the next
// objects of the partition, which are read only where this chunk's records
// reach past their first offset.
type Chunk struct {
	ID        ChunkID              `json:"id"`
	Partition kafka.TopicPartition `json:"partition"`
	Objects   []ObjectRef          `json:"objects"`
	Following []ObjectRef          `json:"following,omitempty"`
	Bytes     int64                `json:"bytes"`
}

// Generation counts how often the topic had been made anew before the chunk's records.
func (c *Chunk) Generation() int {
	if len(c.Objects) == 0 {
		return 0
	}
	return c.Objects[0].Generation
}

// Basis returns what decided the output of the plan's chunks besides their objects.
func (h *Head) Basis() Basis {
	b := Basis{ConvertDigest: h.Dataset.ConvertDigest, Archive: h.Archive, Window: h.Window, Converter: h.Converter, Salt: h.Salt}
	if h.Schemas != nil {
		b.Schemas = h.Schemas.SHA256
	}
	return b
}

// NewRunID returns the id of the run for a dataset digest and a window.
func NewRunID(datasetDigest string, w kafka.Window) RunID {
	return RunID(hash("run", datasetDigest, w)[:24])
}

// hash returns the hex SHA-256 of the parts' JSON, with the format's version.
func hash(parts ...any) string {
	text, err := json.Marshal(append([]any{Format}, parts...))
	if err != nil {
		panic(fmt.Sprintf("runplan: hashing parts that are not JSON: %v", err)) // only our own types come here
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
