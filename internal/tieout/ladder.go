package tieout

import (
	"fmt"
	"slices"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// ladder checks that the steps between the legs add up.
func (r *Result) ladder(in Input) error {
	archive, stage, expected := sumRows(in.Archive), sumRows(in.Stage), sumRows(in.Expected)
	r.OtherDays = r.Tally[account.Row] - archive
	if r.OtherDays < 0 {
		return fmt.Errorf("the archive's cells hold %d rows, the receipts' tallies only %d", archive, r.Tally[account.Row])
	}
	known := r.Superseded + r.Outdated + r.Already + r.Differing + r.Repeated + r.Inserted
	if lost := stage - known; lost != 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("of %d staged rows %d were inserted, %d superseded and %d there already: what became of the other %d is not known",
			stage, r.Inserted, r.Superseded+r.Outdated, r.Already+r.Differing+r.Repeated, lost))
	}
	// Several loads make up the window, and rows of an earlier one had gone when a later one looked.
	if r.Kept = expected + r.Taken - r.Inserted - r.Already; r.Kept < 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("the loads inserted %d rows and found %d, and the last of them saw only %d: who took %d away is not known",
			r.Inserted, r.Already, expected+r.Taken, -r.Kept))
		r.Kept = 0
	}
	return nil
}

// preliminary says what is not known of days that were loaded before they were
// settled. More rows than the load left there are no break: others may still
// bring them.
func (r *Result) preliminary(days []kafka.Day) {
	if len(days) == 0 {
		return
	}
	days = slices.Clone(days)
	slices.Sort(days)
	r.Unknown = append(r.Unknown, fmt.Sprintf("%d days, %s to %s, were loaded as preliminary: their window was not settled; run again without --preliminary once it is",
		len(days), days[0], days[len(days)-1]))
	var more int64
	r.Breaks = slices.DeleteFunc(r.Breaks, func(b Break) bool {
		extra := b.Leg != ArchiveStage && b.Kind == Extra && slices.Contains(days, b.Place.Day)
		if extra {
			more += b.Rows
		}
		return extra
	})
	if more > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("%d rows came to the table's preliminary days after the load", more))
	}
}

func (r *Result) verdict() {
	switch {
	case len(r.Breaks) > 0 || r.Rows.open():
		r.Verdict = NotReconciled
	case len(r.Unknown) > 0:
		r.Verdict = Incomplete
	case len(r.Exceptions) > 0:
		r.Verdict = WithExceptions
	default:
		r.Verdict = Reconciled
	}
}
