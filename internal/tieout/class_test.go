package tieout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/schema"
	"backfill/internal/tieout"
)

// Rows of one key: id, amount, day.
const (
	idColumn = iota
	amountColumn
)

func classRules(cut tieout.Cutoff) *tieout.Rules {
	return &tieout.Rules{
		Columns: []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.Bigint}}, {Name: "amount", Type: schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}}},
		Key:     []int{idColumn}, Totals: []int{amountColumn}, Window: kafka.Window{From: 0, To: 31 * dayMicros}, Calendar: kafka.NewCalendar(time.UTC), Windowed: true, Cutoff: cut,
	}
}

const dayMicros = kafka.Instant(24 * 60 * 60 * 1_000_000)

// version is an archived record of key 7 in partition 0.
func version(v byte, offset kafka.Offset, amount string) tieout.ArchiveRow {
	id := "7"
	return tieout.ArchiveRow{At: dayMicros, Values: []*string{&id, &amount}, Version: []byte{v}, Disposition: account.Row, Recorded: kafka.Instant(offset) * 10,
		Lane1: int64(v), Lane2: int64(offset), Position: tieout.Position{Topic: "t", Offset: offset}}
}

func wanted(a tieout.ArchiveRow) tieout.ArchiveRow { a.Wanted = true; return a }

func elsewhere(a tieout.ArchiveRow) tieout.ArchiveRow {
	a.At, a.Disposition = 40*dayMicros, account.OutOfWindow
	return a
}

// stands is the table's row with a version's values.
func stands(a tieout.ArchiveRow) tieout.TableRow {
	return tieout.TableRow{At: a.At, Values: a.Values, Lane1: a.Lane1, Lane2: a.Lane2}
}

// TestClassesOfVersions: what versions of a key say of a row, with and without a cut-off.
func TestClassesOfVersions(t *testing.T) {
	one, two, three := version(1, 10, "1.00"), version(2, 20, "2.00"), version(3, 30, "3.00")
	cut := tieout.Cutoff{Offsets: map[kafka.TopicPartition]kafka.Offset{{Topic: "t"}: 20}}
	unproven := wanted(two)
	unproven.Position.Offset, unproven.Recorded = kafka.NoOffset, 0
	for _, c := range []struct {
		name    string
		cut     tieout.Cutoff
		key     tieout.Key
		class   tieout.Class
		outcome tieout.Outcome
		says    string
	}{
		{"nothing in the table", tieout.Cutoff{}, tieout.Key{Archive: []tieout.ArchiveRow{one, wanted(two)}}, tieout.MissingRow, tieout.IsBreak, "not in the table"},
		{"the older version in the table", tieout.Cutoff{}, tieout.Key{Archive: []tieout.ArchiveRow{one, wanted(two)}, Table: []tieout.TableRow{stands(one)}},
			tieout.Superseded, tieout.IsBreak, "the table holds an older version: differs in amount (other)"},
		{"the older version in the table, on a day out of the window", tieout.Cutoff{}, tieout.Key{Archive: []tieout.ArchiveRow{elsewhere(one), wanted(two)}, Outside: []tieout.TableRow{stands(elsewhere(one))}},
			tieout.Superseded, tieout.IsBreak, "the table holds an older version: differs in amount (other); its event time in the table lies outside of the window"},
		{"a newer version out of the window, which the table holds", tieout.Cutoff{}, tieout.Key{Archive: []tieout.ArchiveRow{wanted(one), elsewhere(two)}, Outside: []tieout.TableRow{stands(elsewhere(two))}},
			tieout.Superseded, tieout.IsException, "a newer version of its key lies outside of the window, and the table holds that"},
		{"a newer version out of the window, which the table holds with another amount", tieout.Cutoff{},
			tieout.Key{Archive: []tieout.ArchiveRow{wanted(one), elsewhere(two)}, Outside: []tieout.TableRow{stands(elsewhere(three))}},
			tieout.Superseded, tieout.IsException, "on 1970-02-10, and so does the table's row"},
		{"an older version out of the window, and a row of no version there", tieout.Cutoff{},
			tieout.Key{Archive: []tieout.ArchiveRow{elsewhere(one), wanted(two)}, Outside: []tieout.TableRow{stands(elsewhere(three))}},
			tieout.ChangedRow, tieout.IsBreak, "its event time in the table lies outside of the window"},
		{"missing and behind the cut-off", cut, tieout.Key{Archive: []tieout.ArchiveRow{wanted(two)}}, tieout.Late, tieout.IsException, "archived behind the cut-off 20 of t/0; not in the table"},
		{"missing and before the cut-off", cut, tieout.Key{Archive: []tieout.ArchiveRow{wanted(one)}}, tieout.MissingRow, tieout.IsBreak, "in the archive"},
		{"of another partition", tieout.Cutoff{Offsets: map[kafka.TopicPartition]kafka.Offset{{Topic: "u"}: 0}}, tieout.Key{Archive: []tieout.ArchiveRow{wanted(two)}}, tieout.MissingRow, tieout.IsBreak, "in the archive"},
		{"behind the close", tieout.Cutoff{Offsets: cut.Offsets, Closed: 4}, tieout.Key{Archive: []tieout.ArchiveRow{wanted(two)}}, tieout.Late, tieout.IsException, "archived behind offset 20 of t/0, where report 4 closed the period"},
		{"of a partition that came after the close", tieout.Cutoff{Offsets: map[kafka.TopicPartition]kafka.Offset{}, Closed: 4}, tieout.Key{Archive: []tieout.ArchiveRow{wanted(one)}}, tieout.Late, tieout.IsException, "which had nothing when report 4 closed the period"},
		{"without a known offset", tieout.Cutoff{Offsets: cut.Offsets, Time: 1}, tieout.Key{Archive: []tieout.ArchiveRow{unproven}}, tieout.MissingRow, tieout.IsBreak, "in the archive"},
		{"written at the cut-off", tieout.Cutoff{Time: 200}, tieout.Key{Archive: []tieout.ArchiveRow{wanted(two)}}, tieout.Late, tieout.IsException, "written to Kafka at "},
		{"written before the cut-off", tieout.Cutoff{Time: 201}, tieout.Key{Archive: []tieout.ArchiveRow{wanted(two)}}, tieout.MissingRow, tieout.IsBreak, "in the archive"},
		{"a newer version behind the cut-off", cut, tieout.Key{Archive: []tieout.ArchiveRow{one, wanted(two)}, Table: []tieout.TableRow{stands(one)}},
			tieout.Late, tieout.IsException, "the table holds what was the newest version before"},
		{"an older version than that of the cut-off", tieout.Cutoff{Offsets: map[kafka.TopicPartition]kafka.Offset{{Topic: "t"}: 30}},
			tieout.Key{Archive: []tieout.ArchiveRow{one, two, wanted(three)}, Table: []tieout.TableRow{stands(one)}}, tieout.Superseded, tieout.IsBreak, "the table holds an older version"},
		{"what no version is", cut, tieout.Key{Archive: []tieout.ArchiveRow{one, wanted(two)}, Table: []tieout.TableRow{stands(version(1, 10, "9.00"))}}, tieout.ChangedRow, tieout.IsBreak, "differs in amount"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := classRules(c.cut).Classify(c.key)
			if len(list) != 1 {
				t.Fatalf("%d rows: %+v", len(list), list)
			}
			if b := list[0]; b.Class != c.class || b.Outcome() != c.outcome || !strings.Contains(b.Text, c.says) {
				t.Errorf("%s, outcome %d: %q, want %s, %d: %q", b.Class, b.Outcome(), b.Text, c.class, c.outcome, c.says)
			}
		})
	}
}

// TestDaysOfLateRows: a day on which late rows are all that differs is no break, also beside one with a break; to the cent.
func TestDaysOfLateRows(t *testing.T) {
	rules := classRules(tieout.Cutoff{Offsets: map[kafka.TopicPartition]kafka.Offset{{Topic: "t"}: 20}})
	late, lost := wanted(version(2, 20, "2.00")), wanted(version(1, 10, "1.00"))
	lost.At = 2 * dayMicros
	list := slices.Concat(rules.Classify(tieout.Key{Archive: []tieout.ArchiveRow{late}}), rules.Classify(tieout.Key{Archive: []tieout.ArchiveRow{lost}}))
	at := func(day kafka.Day) account.Place {
		return account.Place{Partition: -1, Day: day, Group: ""}
	}
	cell := func(a tieout.ArchiveRow, cents int64) *account.Cell {
		return &account.Cell{Rows: 1, Lane1: account.FromInt64(a.Lane1), Lane2: account.FromInt64(a.Lane2), Sums: []account.Int128{account.FromInt64(cents)}, Counts: []int64{1}}
	}
	for _, c := range []struct {
		cents int64
		days  []kafka.Day
	}{{200, []kafka.Day{2}}, {201, []kafka.Day{1, 2}}} {
		cells := account.Cells{at(1): cell(late, c.cents), at(2): cell(lost, 100)}
		r := compare(t, tieout.Input{Way: tieout.ByArchive, Totals: 1, Archive: account.Cells{}, Stage: account.Cells{}, Expected: cells, Table: account.Cells{}, Inserted: 2,
			Rows: &tieout.Rows{List: slices.Clone(list), Complete: true}})
		r.Grant(nil, time.Time{}, 0, 1)
		var days []kafka.Day
		for _, b := range r.Breaks {
			days = append(days, b.Place.Day)
		}
		if r.Verdict != tieout.NotReconciled || !slices.Equal(days, c.days) {
			t.Errorf("%s: breaks on %v, want %v", r.Verdict, days, c.days)
		}
	}
}
