package account

import (
	"sort"

	"backfill/internal/kafka"
)

// Limits of what a chunk's counts list by name; what is over a limit is
// counted under Other.
const (
	MaxDroppedValues = 1000
	MaxReasons       = 1000
	MaxOutDays       = 20000
	MaxFindings      = 1000
	MaxRanges        = 100000

	Other = "(other)"
)

// Range is a half-open interval of offsets.
type Range struct {
	From kafka.Offset `json:"from"`
	To   kafka.Offset `json:"to"`
}

// ObjectCount is what was found in one object.
type ObjectCount struct {
	Key     string       `json:"key"`
	Records int64        `json:"records"`
	Proof   kafka.Proof  `json:"proof"`
	Open    bool         `json:"open,omitempty"` // derived, and no later object confirms the end
	First   kafka.Offset `json:"first_offset"`   // -1: none known
	Last    kafka.Offset `json:"last_offset"`
}

// FindingClass names something about the archive that a person should know.
type FindingClass string

// The classes of findings.
const (
	ArchiveConflict FindingClass = "archive_conflict" // same offset, other bytes
	TopicRecreated  FindingClass = "topic_recreated"  // the same, and their times show that the topic was made anew
	UnprovenOffsets FindingClass = "unproven_offsets" // names and row counts disagree
	ShortObject     FindingClass = "short_object"     // fewer records than names lead to expect
	FloatDamage     FindingClass = "float_damage"     // amounts that went through a float
)

// Finding is one observation with its coordinates.
type Finding struct {
	Class  FindingClass `json:"class"`
	Object string       `json:"object"`
	Offset kafka.Offset `json:"offset"`
	Text   string       `json:"text"`
}

// Chunk is everything that converting one chunk counted. It is the heart of
// the chunk's receipt.
type Chunk struct {
	Tally       Tally               `json:"tally"`
	OutOfWindow map[kafka.Day]int64 `json:"out_of_window_by_day,omitempty"`
	Dropped     map[string]int64    `json:"dropped_by_value,omitempty"` // by the values that `where` looked at
	Reasons     map[string]int64    `json:"quarantined_by_reason,omitempty"`
	Undatable   map[string]int64    `json:"undatable_by_object,omitempty"`
	Cells       Cells               `json:"cells"` // the Parquet rows
	Objects     []ObjectCount       `json:"objects"`
	Ranges      []Range             `json:"offset_ranges"` // offsets found, merged, ascending
	RangesCut   bool                `json:"offset_ranges_cut,omitempty"`
	LastRecord  kafka.Instant       `json:"last_record"` // latest Kafka time, else event time, of any record; 0: none
	Findings    []Finding           `json:"findings,omitempty"`
	Schemas     []SchemaCount       `json:"schemas,omitempty"` // of values that name theirs
}

// NewChunk returns empty counts.
func NewChunk() *Chunk {
	return &Chunk{
		OutOfWindow: map[kafka.Day]int64{}, Dropped: map[string]int64{}, Reasons: map[string]int64{},
		Undatable: map[string]int64{}, Cells: Cells{},
	}
}

// Count adds one to m[name], or to m[Other] when m is full.
func Count(m map[string]int64, name string, limit int) {
	if _, ok := m[name]; !ok && len(m) >= limit {
		name = Other
	}
	m[name]++
}

// MergeRanges sorts ranges and joins those that touch or overlap.
func MergeRanges(list []Range) []Range {
	sort.Slice(list, func(i, j int) bool { return list[i].From < list[j].From })
	var out []Range
	for _, r := range list {
		if n := len(out); n > 0 && r.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Gaps returns the offsets between merged ranges.
func Gaps(merged []Range) []Range {
	var gaps []Range
	for i := 1; i < len(merged); i++ {
		gaps = append(gaps, Range{From: merged[i-1].To, To: merged[i].From})
	}
	return gaps
}
