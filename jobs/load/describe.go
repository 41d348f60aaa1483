package load

import (
	"fmt"
	"time"

	"backfill/internal/progress"
	"backfill/internal/publish"
)

// describe gives a step of publish as a log line.
func describe(e publish.Event) string {
	took := e.Took.Round(time.Millisecond)
	switch e.Step {
	case publish.StepCopy:
		return fmt.Sprintf("copied %d rows to the stage in %s", e.Rows, took)
	case publish.StepStage:
		return fmt.Sprintf("the stage equals the receipts, record by record and cent by cent, checked in %s", took)
	case publish.StepWinners:
		return fmt.Sprintf("%d rows are the newest versions of their keys, found in %s", e.Rows, took)
	case publish.StepGuard:
		if e.Rows == 0 {
			return "no row of the table would vanish"
		}
		return fmt.Sprintf("%d rows of the table will vanish, as allowed", e.Rows)
	case publish.StepConflict:
		return fmt.Sprintf("another session was in the way of slice %d (%s), try %d", e.Slice, e.Name, e.Attempt)
	case publish.StepSlice:
		return fmt.Sprintf("slice %d of %d committed: %s, %s, in %s", e.Slice, e.Slices, e.Name, changeText(e.Result), took)
	case publish.StepSkipped:
		return fmt.Sprintf("slice %d of %d was committed before: %s", e.Slice, e.Slices, e.Name)
	}
	return fmt.Sprintf("%s %s", e.Step, e.Name)
}

// follow counts the slices of a load and says what it does after a step.
func follow(m *progress.Meter, e publish.Event) {
	switch e.Step {
	case publish.StepCopy, publish.StepStage, publish.StepWinners, publish.StepGuard:
		m.Begin() // slices come after these: only they tell how fast slices are
	}
	switch e.Step {
	case publish.StepCopy:
		m.Step("checking the stage against the receipts")
	case publish.StepStage:
		m.Step("looking for the newest version of every key")
	case publish.StepWinners:
		m.Step("looking for rows that would vanish")
	case publish.StepGuard:
		m.Step("changing slice 1")
	case publish.StepSlice:
		m.Done(1, e.Rows)
		m.Step("changing the next slice")
	case publish.StepSkipped:
		m.Found(1, e.Rows)
	}
}

// changeText says what a slice's change did.
func changeText(r publish.SliceResult) string {
	text := fmt.Sprintf("%d rows replaced by %d", r.Deleted, r.Inserted)
	for _, more := range []struct {
		rows int64
		what string
	}{{r.Already, "were there already"}, {r.Repeated, "have offsets that were loaded before"}, {r.Outdated, "are newer in the table"}, {r.Differing, "are there with other content, which was kept"},
		{r.Stale, "older versions stay outside of the window: run their days again"}, {r.Twins, "versions of unknown order stay outside of the window"}} {
		if more.rows > 0 {
			text += fmt.Sprintf(", %d %s", more.rows, more.what)
		}
	}
	return text
}
