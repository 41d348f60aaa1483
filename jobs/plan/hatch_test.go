package plan

import (
	"errors"
	"slices"
	"testing"

	"backfill/internal/runplan"
)

// A retry goes on with the plan that it has sealed: only what is asked for
// anew, or meets another archive, seals the next.
func TestHatch(t *testing.T) {
	half := standing{loaded: 1, slices: 2, asked: []string{"replan", "reconvert"}}
	finished := standing{loaded: 2, slices: 2, asked: []string{"replan", "reconvert"}}
	moved := half
	moved.listing = runplan.Diff{Added: []runplan.ObjectRef{{}}}
	stopped := half
	stopped.stopped = errors.New("aborted")
	tests := []struct {
		name string
		st   standing
		o    Options
		want string
	}{
		{"nothing asked", half, Options{}, ""},
		{"the same again", half, Options{Replan: true, Reconvert: true}, ""},
		{"finished", finished, Options{Replan: true}, "asked for with --replan"},
		{"finished, reconvert", finished, Options{Replan: true, Reconvert: true}, "asked for with --reconvert"},
		{"the archive moved", moved, Options{Replan: true}, "asked for with --replan"},
		{"stopped", stopped, Options{Replan: true}, "asked for with --replan"},
		{"asked for the first time", standing{slices: 2}, Options{Reconvert: true}, "asked for with --reconvert"},
		{"another damaged object", half, Options{Damaged: []string{"a"}}, "objects are left out with --accept-damaged"},
		{"the same damaged object", standing{slices: 2, sameDamaged: true}, Options{Damaged: []string{"a"}}, ""},
	}
	for _, test := range tests {
		if got := test.st.hatch(test.o); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	o := Options{Replan: true, Reconvert: true, Damaged: []string{"a", "b"}}
	if got := o.asked(); !slices.Equal(got, []string{"replan", "reconvert", "accept_damaged=2"}) {
		t.Errorf("asked %q", got)
	}
}

func TestStoppedPlanNeedsReplan(t *testing.T) {
	st := standing{slices: 2, stopped: errors.New("plan 1 was aborted by ana")}
	if _, err := decide(st, Options{}); err != st.stopped {
		t.Errorf("%v", err)
	}
	d, err := decide(st, Options{Replan: true})
	if err != nil || d.keep || !slices.Equal(d.reasons, []string{"plan 1 was aborted by ana"}) {
		t.Errorf("%+v, %v", d, err)
	}
}
