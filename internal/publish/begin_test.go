package publish

import (
	"slices"
	"testing"

	"backfill/internal/fail"
)

// TestBeginThatWasDone answers BEGIN with a conflict although the transaction
// was opened: it must be rolled back before the next try, which the server
// would refuse otherwise.
func TestBeginThatWasDone(t *testing.T) {
	clean := newScene(t)
	if _, err := clean.publish(); err != nil {
		t.Fatal(err)
	}
	s := newScene(t)
	s.w.failAt, s.w.late, s.w.failErr = slices.Index(clean.w.log, "begin")+1, true, fail.New(fail.Conflict, "injected")
	if _, err := s.publish(); err != nil {
		t.Fatalf("a conflict is tried again: %v", err)
	}
	checkLog(t, "begin answered late", s.w.log, nil)
	if diff := s.w.target.compare(s.want(t), s.w.table); len(diff) > 0 {
		t.Errorf("the table differs: %v", diff)
	}
}
