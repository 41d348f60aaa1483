package scan

import (
	"backfill/internal/account"
	"backfill/internal/kafka"
)

// coverage is the set of offsets found, as ranges. It merges them only when
// their number has doubled, so that scattered offsets stay cheap.
type coverage struct {
	ranges []account.Range
	cut    bool // more ranges than are kept
}

// add notes one offset.
func (c *coverage) add(offset kafka.Offset) {
	if n := len(c.ranges); n > 0 && offset >= c.ranges[n-1].From && offset <= c.ranges[n-1].To {
		c.ranges[n-1].To = max(c.ranges[n-1].To, offset+1)
		return
	}
	if len(c.ranges) >= 2*account.MaxRanges {
		if c.cut {
			return
		}
		c.ranges = account.MergeRanges(c.ranges)
		c.cut = len(c.ranges) > account.MaxRanges
	}
	c.ranges = append(c.ranges, account.Range{From: offset, To: offset + 1})
}

// result returns the merged ranges, at most account.MaxRanges, and whether
// some are missing.
func (c *coverage) result() ([]account.Range, bool) {
	merged := account.MergeRanges(c.ranges)
	if len(merged) > account.MaxRanges {
		return merged[:account.MaxRanges], true
	}
	return merged, c.cut
}
