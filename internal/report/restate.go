package report

import (
	"fmt"
	"maps"
	"slices"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// Signed is a signed-off report with its place in the ledger of reports.
type Signed struct {
	Report   *Report
	Number   int64
	URI      string
	Seal     string
	SignedBy string
	SignedAt kafka.Instant
}

// Restate compares the table's figures of a tie-out under way with those of a
// signed-off report on the same period. It fails when the two can't be
// compared: other totals or groups.
func Restate(h Head, old Signed, table account.Cells, sequences []tieout.Sequence) (*Restatement, error) {
	if !slices.Equal(old.Report.TotalColumns, append([]Column{}, h.Totals...)) || !slices.Equal(old.Report.GroupColumns, append([]string{}, h.By...)) {
		return nil, fmt.Errorf("the signed-off report %d has other totals or groups than the dataset has now", old.Number)
	}
	b := builder{h: h}
	group := func(p account.Place) account.Place { return account.Place{Group: p.Group} }
	before, err := old.Report.Legs.Table.Fold(group)
	if err != nil {
		return nil, err
	}
	now, err := table.Fold(group)
	if err != nil {
		return nil, err
	}
	r := &Restatement{Number: old.Number, URI: old.URI, Seal: old.Seal, SignedBy: old.SignedBy, SignedAt: old.SignedAt,
		Verdict: old.Report.Verdict, Lines: []Restated{}, Late: []Late{}, Same: true}
	all := maps.Clone(now)
	maps.Copy(all, before)
	for _, p := range all.Places() {
		was, is := before.At(p, len(h.Totals)), now.At(p, len(h.Totals))
		line := Restated{Group: p.Group.Values(len(h.By)), Old: b.figures(was), New: b.figures(is), Diff: b.difference(is, was), Same: was.Equal(is)}
		r.Lines, r.Same = append(r.Lines, line), r.Same && line.Same
	}
	r.late(old.Report, table, sequences)
	return r, nil
}

// late lists partitions that archived something behind the old cut-off.
func (r *Restatement) late(old *Report, table account.Cells, sequences []tieout.Sequence) {
	cutoff := map[kafka.TopicPartition]kafka.Offset{}
	for _, s := range old.Sequences {
		cutoff[s.Partition] = s.Last
	}
	rows := func(cells account.Cells, tp kafka.TopicPartition) (n int64) {
		for p, c := range cells {
			if p.Topic == tp.Topic && p.Partition == tp.Partition {
				n += c.Rows
			}
		}
		return n
	}
	for i, s := range sequences {
		if i+1 < len(sequences) && sequences[i+1].Partition == s.Partition {
			continue // of a topic that was made anew since
		}
		was, known := cutoff[s.Partition]
		if !known {
			was = kafka.NoOffset
		}
		if s.Last <= was {
			continue
		}
		r.Late = append(r.Late, Late{Topic: s.Partition.Topic, Partition: int32(s.Partition.Partition), Cutoff: was, Last: s.Last,
			OldRows: rows(old.Legs.Table, s.Partition), NewRows: rows(table, s.Partition)})
	}
}

// Exception says that the period was closed and is restated; a period whose
// figures are as they were needs none.
func (r *Restatement) Exception() tieout.Exception {
	changed := 0
	for _, l := range r.Lines {
		if !l.Same {
			changed++
		}
	}
	return tieout.Exception{Class: "restated", Count: int64(changed),
		Text: fmt.Sprintf("groups of a period that %s signed off at %s (report %d) have other figures now", r.SignedBy, r.SignedAt, r.Number)}
}
