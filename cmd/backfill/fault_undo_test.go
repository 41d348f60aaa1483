package main

import (
	"fmt"
	"slices"
	"testing"
)

// TestFaultUndoAfterEachModeGivesTheTableBefore loads in every mode over a
// table with rows in it, takes the load back, and compares byte for byte; the
// second undo finds nothing to do.
func TestFaultUndoAfterEachModeGivesTheTableBefore(t *testing.T) {
	l := newLane(t)
	w := matrixWorld(t, l.harness)
	matrixTable(t, l, w)
	l.save(t, "undo table")
	for _, m := range matrixModes() {
		if m.load == nil || m.undoes {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			l.restore(t, "undo table")
			file := w.datasetFile(t, m.mode, m.dataset...)
			m.prepare(t, l, file)
			before, err := l.committed()
			if err != nil {
				t.Fatal(err)
			}
			args := append(slices.Clone(m.load), "--dataset", file)
			if !slices.Contains(args, "--keep-replaced") {
				args = append(args, "--keep-replaced")
			}
			o := l.run(t, m.exit, args...)
			loaded, err := l.committed()
			if err != nil {
				t.Fatal(err)
			}
			if slices.Equal(loaded, before) {
				t.Fatal("the load changed nothing")
			}
			for try := range 2 {
				l.run(t, 0, "load", "--undo", fmt.Sprint(o.result.Seq), "--reason", "wrong file", "--dataset", file)
				after, err := l.committed()
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(after, before) {
					t.Fatalf("after undo %d: %s", try+1, firstDifference(after, before))
				}
			}
		})
	}
}
