package workspace

import (
	"context"
	"errors"
	"testing"
)

// TestHalt: the first cause stands, and a job is told before it asks anybody
// else whether to go on.
func TestHalt(t *testing.T) {
	var never *Halt
	if never.Cause() != nil || never.Asked() != nil {
		t.Error("a nil halt asks")
	}
	h, first := NewHalt(), errors.New("stopped by SIGTERM")
	if h.Cause() != nil {
		t.Error(h.Cause())
	}
	h.Ask(first)
	h.Ask(errors.New("later"))
	<-h.Asked()
	if h.Cause() != first {
		t.Error(h.Cause())
	}
	w := &Workspace{Options: Options{Halt: h}}
	if err := w.Stopped(context.Background(), nil); err != first {
		t.Error(err)
	}
}
