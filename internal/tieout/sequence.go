package tieout

import (
	"fmt"
	"slices"
	"sort"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// maxNamedGaps bounds the gaps of a partition that get a sentence of their own.
const maxNamedGaps = 100

// sequences joins the chunks of each partition: offsets found, gaps with their
// reason or as unknown, findings.
func (r *Result) sequences(in Input) {
	type log struct {
		kafka.TopicPartition
		generation int
	}
	byPartition := map[log]*Sequence{}
	for _, c := range in.Chunks {
		s := byPartition[log{c.Partition, c.Generation}]
		if s == nil {
			s = &Sequence{Partition: c.Partition, Generation: c.Generation, First: kafka.NoOffset, Last: kafka.NoOffset, Proofs: map[kafka.Proof]int{}}
			byPartition[log{c.Partition, c.Generation}] = s
		}
		s.add(c.Counts)
		if c.Counts.RangesCut {
			s.Scattered = true
			r.Unknown = append(r.Unknown, fmt.Sprintf("%s: offsets are so scattered that gaps can't be listed", s))
		}
	}
	for _, s := range byPartition {
		s.close(in.Declared)
		r.Sequences = append(r.Sequences, *s)
	}
	sort.Slice(r.Sequences, func(i, j int) bool {
		a, b := &r.Sequences[i], &r.Sequences[j]
		return a.Partition.Less(b.Partition) || a.Partition == b.Partition && a.Generation < b.Generation
	})
	for _, s := range r.Sequences {
		r.Unknown = append(r.Unknown, s.unexplained()...)
	}
}

// String names the log for people.
func (s *Sequence) String() string {
	if s.Generation == 0 {
		return s.Partition.String()
	}
	return fmt.Sprintf("%s (topic re-created, generation %d)", s.Partition, s.Generation)
}

// Holed reports whether records are missing, or may be, and nothing explains why.
func (s Sequence) Holed() bool {
	return s.Scattered || slices.ContainsFunc(s.Gaps, func(g Gap) bool { return g.Reason == "" })
}

// unexplained says which gaps have no reason. A compacted topic may have one
// at every record, so that only the first are named.
func (s *Sequence) unexplained() (texts []string) {
	var more, records int64
	for _, g := range s.Gaps {
		switch n := int64(g.To - g.From); {
		case g.Reason != "":
		case len(texts) == maxNamedGaps:
			more, records = more+1, records+n
		case n == 1:
			texts = append(texts, fmt.Sprintf("%s: offset %d is not in the archive, and nothing explains why", s, g.From))
		default:
			texts = append(texts, fmt.Sprintf("%s: offsets %d to %d (%d records) are not in the archive, and nothing explains why",
				s, g.From, g.To-1, n))
		}
	}
	if more > 0 {
		texts = append(texts, fmt.Sprintf("%s: %d more gaps, of %d records in all, have no reason", s, more, records))
	}
	return texts
}

func (s *Sequence) add(c *account.Chunk) {
	s.Tally.Add(c.Tally)
	s.Objects += len(c.Objects)
	for _, o := range c.Objects {
		s.Proofs[o.Proof]++
		s.OpenEnd = s.OpenEnd || o.Open
	}
	for _, f := range c.Findings {
		switch f.Class {
		case account.ArchiveConflict:
			s.conflicts++
		case account.TopicRecreated:
			s.recreated++
		}
	}
	if room := account.MaxFindings - len(s.Findings); room > 0 {
		s.Findings = append(s.Findings, c.Findings[:min(room, len(c.Findings))]...)
	}
	s.ranges = append(s.ranges, c.Ranges...)
}

func (s *Sequence) close(declared []Gap) {
	merged := account.MergeRanges(s.ranges)
	s.ranges = nil
	for _, m := range merged {
		s.Found += int64(m.To - m.From)
	}
	if len(merged) > 0 {
		s.First, s.Last = merged[0].From, merged[len(merged)-1].To-1
	}
	for _, g := range account.Gaps(merged) {
		s.Gaps = append(s.Gaps, splitGap(s.Partition, g, declared)...)
	}
}

// splitGap cuts a gap at the borders of declared ones and gives each part its
// reason.
func splitGap(tp kafka.TopicPartition, g account.Range, declared []Gap) []Gap {
	var out []Gap
	for g.From < g.To {
		part, reason := g, ""
		for _, d := range declared {
			if d.Partition.Partition != tp.Partition || (d.Partition.Topic != "" && d.Partition.Topic != tp.Topic) {
				continue
			}
			if d.From <= g.From && d.To > g.From {
				part.To, reason = min(part.To, d.To), d.Reason
				break
			}
			if d.From > g.From && d.From < part.To {
				part.To = d.From
			}
		}
		out = append(out, Gap{Partition: tp, Range: part, Reason: reason})
		g.From = part.To
	}
	return out
}
