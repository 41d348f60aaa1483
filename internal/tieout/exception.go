package tieout

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// exceptions lists what a person should know although nothing differs.
func (r *Result) exceptions(in Input) {
	add := func(class string, n int64, text string) {
		if n > 0 {
			if r.Records > 0 {
				text += "; of the plans, whatever the day"
			}
			r.Exceptions = append(r.Exceptions, Exception{Class: class, Count: n, Text: text})
		}
	}
	add("unreadable", r.Tally[account.Unreadable], "records without a readable value, in quarantine")
	add("rejected", r.Tally[account.Rejected], "records with a value that does not fit its column, in quarantine")
	add("undatable", r.Tally[account.Undatable], "records without any time, in no window")
	r.schemas(add)
	add("float_damage", in.reasons(": float_damage"), "of the rejected records have amounts with the noise of 64-bit floats: whoever wrote them keeps money in floats")
	explained, unproven, conflicts, recreated := r.explained, int64(0), int64(0), int64(0)
	for _, s := range r.Sequences {
		for _, g := range s.Gaps {
			if g.Reason != "" {
				explained += int64(g.To - g.From)
			}
		}
		conflicts += s.conflicts
		recreated += s.recreated
		unproven += int64(s.Proofs[kafka.ProofUnproven])
	}
	add("explained_gap", explained, "offsets missing for a declared reason")
	add("unproven_offsets", unproven, "objects whose offsets nothing proves; the identity of their records is object and row")
	add("kept", r.Kept, "rows of the table that none of the staged ones is: no archived record explains them, or they are newer")
	if in.Upsert {
		add("tombstone", r.Tally[account.Tombstone], "records with a null value, which may delete a key: without a value the key can't be read, so they were not applied")
	}
	add("doubled_keys", in.Doubled, "keys of the appended rows that stood more than once after their load; all rows were kept")
	rows := func(class string, cells account.Cells, text string) {
		if n := sumRows(cells); n > 0 {
			r.Exceptions = append(r.Exceptions, Exception{Class: class, Count: n, Text: fmt.Sprintf(text, dayText(cells)), Rows: cells})
		}
	}
	rows("stale", in.Stale, "older versions of keys that were loaded for other days still stand on %s: run those days again")
	rows("stand_twice", in.Twins, "rows on %s have keys that were loaded for other days, too, and nothing says which version is newer")
	r.differing(in, add)
	if n := sumRows(in.Ties); n > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("%d keys have equal versions in several partitions or without proven offsets, on %s: one was taken, which is newest is not known", n, dayText(in.Ties)))
	}
	if n := in.DoubledOffsets; n > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("%d offsets of appended rows stood more than once after their load: their records were archived again in another object, or two records claim one offset; all rows were kept", n))
	}
	if recreated > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("topic re-created: offsets begin again in %d objects, with other and later records than before, so that offsets do not tell records apart; say in archive.recreated when the topic was made anew", recreated))
	}
	if conflicts > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("offsets that hold two different records: %d; which record is true is not known", conflicts))
	}
}

// reasons adds up the quarantined records whose reason ends so.
func (in Input) reasons(end string) (n int64) {
	for _, c := range in.Chunks {
		for reason, count := range c.Counts.Reasons {
			if strings.HasSuffix(reason, end) {
				n += count
			}
		}
	}
	return n
}

// schemas tells of each schema by which values were read: of all where there is
// more than one, and of those that were not known.
func (r *Result) schemas(add func(class string, n int64, text string)) {
	for _, s := range r.Schemas {
		where := fmt.Sprintf("the first in %s, row %d", s.Object, s.Row)
		if s.Offset != kafka.NoOffset {
			where += fmt.Sprintf(", offset %d", s.Offset)
		}
		switch {
		case s.Kind == "":
			add("unknown_schema", s.Records, fmt.Sprintf("records name schema %s, which the plan does not have, %s", s.ID, where))
		case len(r.Schemas) > 1:
			add("schema_version", s.Records, fmt.Sprintf("records are of version %d of subject %s (schema %s), %d of them rows, %s", s.Version, s.Subject, s.ID, s.Rows, where))
		}
		if s.Kind != "" {
			add("unknown_fields", s.Extra, fmt.Sprintf("records hold fields that schema %s does not have: the registry may not be the one that they were written with", s.ID))
		}
	}
}

// maxNamedDays bounds the days that a sentence names.
const maxNamedDays = 10

// differing tells of keys that the table holds with other content. To add what
// is missing keeps the table's rows, as was asked for. To bring newer versions
// must know which is newer.
func (r *Result) differing(in Input, add func(class string, n int64, text string)) {
	if r.Differing == 0 {
		return
	}
	days := dayText(in.Differing)
	if in.Upsert {
		r.Unknown = append(r.Unknown, fmt.Sprintf("%d staged rows and the table's rows of their keys have equal versions and other content, or come from different partitions, on %s: which is true is not known, the table's were kept",
			r.Differing, days))
		return
	}
	add("differing", r.Differing, "keys that the table holds with other content than the archive, on "+days+": the table's rows were kept")
}

// dayText names the first days of cells.
func dayText(cells account.Cells) string {
	var days []kafka.Day
	for p := range cells {
		days = append(days, p.Day)
	}
	slices.Sort(days)
	days = slices.Compact(days)
	names := make([]string, 0, maxNamedDays)
	for _, d := range days[:min(len(days), maxNamedDays)] {
		names = append(names, d.String())
	}
	text := strings.Join(names, ", ")
	if more := len(days) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more days", more)
	}
	return text
}

// Add takes in what was found beside the comparison.
func (r *Result) Add(e Exception) {
	r.Exceptions = append(r.Exceptions, e)
	r.verdict()
}
