package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"backfill/internal/sandbox/archivegen"
)

// previewed is the part of a preview's JSON that tests look at.
type previewed struct {
	Plan    string `json:"plan"`
	Preview struct {
		Objects int
		Records struct {
			Estimate, Low, High int64
			Exact, Unbounded    bool
		}
		Rows struct{ Estimate, Low, High int64 }
		Gaps struct {
			Count     int
			Suspected []struct {
				Partition   struct{ Partition int }
				FirstOffset int64 `json:"first_offset"`
				NextOffset  int64 `json:"next_offset"`
				Evidence    string
			}
		}
		Sample struct{ Objects int }
		Table  []struct {
			Rows  int64
			Money []struct {
				Group []string
				Rows  int64
				Sums  []struct{ Column, Amount string }
			}
		}
		NotAsked string                               `json:"table_not_asked"`
		Convert  struct{ Basis string }               `json:"convert_seconds"`
		Load     *struct{ Low, Expected, High int64 } `json:"load_seconds"`
		Requests struct{ Gets int64 }
	}
}

func (h *harness) preview(t *testing.T, a archive, extra ...string) previewed {
	t.Helper()
	args := append(append([]string{"plan"}, a.window("--preview", "--output", "json")...), extra...)
	var out previewed
	if got := h.run(t, 0, args...); json.Unmarshal([]byte(got.stdout), &out) != nil {
		t.Fatalf("no JSON: %s", got.stdout)
	}
	return out
}

// TestPreviewHoldsTheTruth: of generated archives of every codec the true
// numbers of records and rows lie within the stated error.
func TestPreviewHoldsTheTruth(t *testing.T) {
	for _, codec := range []string{"gzip", "zstd", "mixed"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s%d", codec, seed), func(t *testing.T) {
				faults := archivegen.DefaultFaults()
				a := shared.generate(t, archivegen.Options{Seed: 70 + seed, Events: 6000, Partitions: 3, Codec: codec, EventsPerObject: 60, Faults: faults})
				var truth, rows int64
				for _, o := range a.truth.Objects {
					truth += o.Records
				}
				rows = truth - a.truth.Dispositions.OutOfWindow - a.truth.Dispositions.Filtered - a.truth.Dispositions.Tombstone -
					a.truth.Dispositions.Unreadable - a.truth.Dispositions.Undatable - a.truth.Dispositions.Rejected
				got := shared.preview(t, a, "--without-table").Preview
				if r := got.Records; r.Exact || r.Unbounded || truth < r.Low || truth > r.High {
					t.Errorf("%d records, estimated %+v", truth, r)
				}
				// Offsets that several objects hold are staged once and estimated as often as they are read.
				if r := got.Rows; rows < r.Low || rows > r.High {
					t.Errorf("%d rows, estimated %+v", rows, r)
				}
				if got.Sample.Objects != 20 || got.Objects != len(a.truth.Objects) || got.NotAsked == "" {
					t.Errorf("sampled %d of %d objects, the truth has %d; %q", got.Sample.Objects, got.Objects, len(a.truth.Objects), got.NotAsked)
				}
				all := shared.preview(t, a, "--without-table", "--sample-objects", "1000").Preview.Records
				if !all.Exact || all.Estimate != truth {
					t.Errorf("everything read gives %+v, not %d", all, truth)
				}
			})
		}
	}
}

// TestPreviewSuspectsThePlantedGaps and no others.
func TestPreviewSuspectsThePlantedGaps(t *testing.T) {
	a := shared.generate(t, archivegen.Options{Seed: 5, Events: 5000, Partitions: 2, EventsPerObject: 100, Faults: archivegen.Faults{OffsetGaps: 6}})
	var want, got []string
	for _, p := range a.truth.Partitions {
		for _, g := range p.Gaps {
			want = append(want, fmt.Sprintf("%d: %d-%d", p.Partition, g.First, g.Last))
		}
	}
	out := shared.preview(t, a, "--without-table", "--sample-objects", "0").Preview
	for _, g := range out.Gaps.Suspected {
		got = append(got, fmt.Sprintf("%d: %d-%d", g.Partition.Partition, g.FirstOffset, g.NextOffset-1))
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) != 6 || !slices.Equal(got, want) {
		t.Errorf("suspected %q, planted %q", got, want)
	}
}

// TestPreviewOfALoadedMonth: money stands as the truth says, times come from
// the run before, nothing is written, and the text is short.
func TestPreviewOfALoadedMonth(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 8, Events: 3000, Partitions: 2, EventsPerObject: 200})
	flags := h.table(t, "previewed")
	before := h.preview(t, a, flags...).Preview
	if len(before.Table) == 0 || !strings.Contains(before.Convert.Basis, "no earlier run") || before.Load != nil {
		t.Errorf("before any run: %+v", before)
	}
	if keys := h.keys(t, "staging", prefixOf(t)); len(keys) != 0 {
		t.Errorf("a preview wrote %q", keys)
	}
	h.run(t, 0, append(append([]string{"run"}, a.window()...), flags...)...)
	keys := h.keys(t, "staging", "")
	out := h.preview(t, a, flags...)
	sums, rows := map[string]string{}, map[string]int64{}
	for _, s := range out.Preview.Table {
		for _, m := range s.Money {
			rows[m.Group[0]] += m.Rows
			sums[m.Group[0]] = m.Sums[0].Column
		}
	}
	var total int64
	for _, n := range rows {
		total += n
	}
	if total != a.truth.TableRows || len(sums) == 0 {
		t.Errorf("%d rows stand by %v, the truth has %d", total, rows, a.truth.TableRows)
	}
	if out.Plan != "" || !strings.Contains(out.Preview.Convert.Basis, "receipts of 1 earlier") {
		t.Errorf("after a run: %+v", out.Preview)
	}
	month := h.preview(t, a, append(flags, "--slice-days", "400")...).Preview.Table
	if len(month) != 1 {
		t.Fatalf("%d slices", len(month))
	}
	for _, m := range month[0].Money {
		i := slices.IndexFunc(a.truth.Totals, func(x archivegen.Total) bool { return x.Currency == m.Group[0] })
		if i < 0 || m.Sums[0].Column != "gross_amount" || m.Sums[0].Amount != a.truth.Totals[i].After.Gross {
			t.Errorf("%+v stands, the truth says %+v", m, a.truth.Totals)
		}
	}
	cmd := exec.Command(h.binary, append(append([]string{"plan", "--preview"}, a.window()...), flags...)...)
	cmd.Env = h.env()
	printed, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	text := string(printed)
	for _, want := range []string{"archive ", "records ", "gaps ", "table ", "requests ", "memory ", "staging ", "time ", "airflow ", "no plan is sealed"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\n"); n > 40 || n < 10 {
		t.Errorf("%d lines:\n%s", n, text)
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	if after := h.keys(t, "staging", ""); !slices.Equal(after, keys) {
		t.Error("a preview wrote into staging")
	}
	for flag, want := range map[string]string{"--create-table": "changes nothing", "--restore": "changes nothing", "--sample-objects=1001": "from 0 to 1000"} {
		if got := h.run(t, 2, append(append([]string{"plan", "--preview", flag}, a.window()...), flags...)...); !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %s", flag, got.stderr)
		}
	}
}
