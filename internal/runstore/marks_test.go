package runstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// byRun accepts the plans of a run.
func byRun(run string) func(runplan.Mark) bool {
	return func(m runplan.Mark) bool { return string(m.Run) == run }
}

// A plan is found among others without reading them: they may be broken.
func TestMarksSpareReads(t *testing.T) {
	s, dir := open(t)
	for i := range 20 {
		seal(t, s, fmt.Sprintf("run%d", i), nil)
	}
	for seq := 2; seq <= 20; seq++ {
		edit(t, dir, fmt.Sprintf("targets/%s/plans/%012d.json", target, seq), func([]byte) []byte { return []byte("{") })
	}
	if h, err := s.Newest(t.Context(), target, byRun("run0")); err != nil || h == nil || h.Seq != 1 {
		t.Errorf("%+v, %v, want plan 1", h, err)
	}
	if h, err := s.Newest(t.Context(), target, byRun("run99")); err != nil || h != nil {
		t.Errorf("%+v, %v, want none", h, err)
	}
	if _, err := s.Newest(t.Context(), target, byRun("run7")); err == nil || !strings.Contains(err.Error(), "000000000008.json") {
		t.Errorf("the plan that is asked for is broken: %v", err)
	}
}

// Plans without marks are read, and what a mark says is asked of the plan.
func TestMarksAreNotBelieved(t *testing.T) {
	s, dir := open(t)
	for _, run := range []string{"a", "b", "c", "a"} {
		seal(t, s, run, nil)
	}
	marks := filepath.Join(dir, "targets", target, "marks")
	names, err := os.ReadDir(marks)
	if err != nil || len(names) != 4 {
		t.Fatalf("%d marks, %v", len(names), err)
	}
	// The newest is killed before its mark, the second one's says another run.
	if err := os.Remove(filepath.Join(marks, names[3].Name())); err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(names[2].Name(), ".c.", ".b.", 1)
	if err := os.Rename(filepath.Join(marks, names[2].Name()), filepath.Join(marks, wrong)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"000000000002", "000000000002.a.x.1", "2.zz.payroll_events.0.1", "000000000002.zz.d.0.1x", "000000000002.zz.d.00.1"} {
		if err := os.WriteFile(filepath.Join(marks, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for run, seq := range map[string]runplan.Seq{"a": 4, "b": 2} {
		if h, err := s.Newest(t.Context(), target, byRun(run)); err != nil || h == nil || h.Seq != seq {
			t.Errorf("run %s: %+v, %v, want plan %d", run, h, err, seq)
		}
	}
	if err := os.RemoveAll(marks); err != nil { // staging of an earlier version
		t.Fatal(err)
	}
	few, err := s.NewestFew(t.Context(), target, 2, func(m runplan.Mark) bool { return m.Run != "b" })
	if err != nil || len(few) != 2 || few[0].Seq != 4 || few[1].Seq != 3 {
		t.Errorf("%+v, %v, want plans 4 and 3", few, err)
	}
}

// A mark tells all that plans are looked for by: windows of all rows, of times
// before 1970, and long ones.
func TestMarksTellWindows(t *testing.T) {
	s, _ := open(t)
	for i, w := range []kafka.Window{{}, {From: -86400e6, To: 0}, {From: 1, To: 1 << 60}} {
		h := head("w")
		h.Window = w
		if _, err := s.Seal(t.Context(), h, nil); err != nil {
			t.Fatal(err)
		}
		asked := 0
		found, err := s.Newest(t.Context(), target, func(m runplan.Mark) bool {
			asked++
			return m == runplan.Mark{Seq: runplan.Seq(i + 1), Run: "w", Dataset: "payroll_events", Window: w}
		})
		if err != nil || found == nil || found.Window != w || asked != 2 {
			t.Errorf("%v: %+v, %v, asked %d times, want once by the mark and once by the plan", w, found, err, asked)
		}
	}
}
