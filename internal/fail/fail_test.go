package fail_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"backfill/internal/fail"
)

// TestCodes pins names and exit codes: both are read by scripts and schedulers.
func TestCodes(t *testing.T) {
	want := map[fail.Code]fail.Exit{
		"internal": 1,
		"usage":    2, "bad_window": 2, "bad_dataset": 2, "input_missing": 2, "memory_setting": 2, "disk_setting": 2,
		"credentials": 3, "permission": 3, "network": 3, "throttled": 3, "conflict": 3, "outcome_lost": 3, "service": 3, "disk_full": 3, "restoring": 3,
		"table_missing": 4, "table_differs": 4, "plan_overtaken": 4, "plan_stopped": 4, "undo_impossible": 4, "archive_damaged": 4, "archive_changed": 4, "bad_layout": 4, "archive_cold": 4,
		"too_many_rejects": 4, "rows_would_vanish": 4, "empty_window": 4, "load_refused": 4, "staging_corrupt": 4,
		"break": 5, "incomplete": 6, "unsettled": 6, "nothing_to_do": 99,
	}
	codes := fail.Codes()
	if !slices.IsSorted(codes) {
		t.Errorf("codes are not in alphabetical order: %q", codes)
	}
	if len(codes) != len(want) {
		t.Errorf("%d codes, want %d: a new code needs its line here", len(codes), len(want))
	}
	for _, c := range codes {
		if exit, ok := want[c]; !ok || c.Exit() != exit {
			t.Errorf("code %s: exit %d, want %d", c, c.Exit(), exit)
		}
	}
	if got := fail.Code("never_registered").Exit(); got != fail.ExitInternal {
		t.Errorf("an unregistered code: exit %d, want %d", got, fail.ExitInternal)
	}
}

func TestRetryable(t *testing.T) {
	for exit, want := range map[fail.Exit]bool{
		fail.ExitDone: false, fail.ExitInternal: false, fail.ExitUsage: false, fail.ExitEnvironment: true, fail.ExitData: false,
		fail.ExitBreak: false, fail.ExitIncomplete: false, fail.ExitNothing: false, fail.ExitInterrupted: true, fail.ExitTerminated: true,
		77: false,
	} {
		if exit.Retryable() != want {
			t.Errorf("exit %d: retryable %v, want %v", exit, !want, want)
		}
	}
}

func TestExitOf(t *testing.T) {
	network := fail.New(fail.Network, "no answer")
	cases := []struct {
		name string
		err  error
		exit fail.Exit
		code fail.Code
	}{
		{"nil", nil, fail.ExitDone, fail.Internal},
		{"no code", io.ErrUnexpectedEOF, fail.ExitInternal, fail.Internal},
		{"a deadline that nobody classified is unknown, so not retried", context.DeadlineExceeded, fail.ExitInternal, fail.Internal},
		{"code", network, fail.ExitEnvironment, fail.Network},
		{"code below a wrap", fmt.Errorf("loading: %w", network), fail.ExitEnvironment, fail.Network},
		{"the outermost code decides", fail.Wrap(network, fail.Break, "legs differ"), fail.ExitBreak, fail.Break},
		{"joined", errors.Join(io.EOF, network), fail.ExitEnvironment, fail.Network},
		{"cancelled", context.Canceled, fail.ExitTerminated, fail.Internal},
		{"cancelled below a code", fail.Wrap(context.Canceled, fail.Network, "reading"), fail.ExitTerminated, fail.Network},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := fail.ExitOf(c.err); got != c.exit {
				t.Errorf("exit %d, want %d", got, c.exit)
			}
			if got := fail.CodeOf(c.err); got != c.code {
				t.Errorf("code %s, want %s", got, c.code)
			}
			if fail.Is(c.err, c.code) != (c.err != nil) {
				t.Errorf("Is(%v, %s) = %v", c.err, c.code, c.err == nil)
			}
			if fail.Is(c.err, fail.Vanish) {
				t.Error("Is reports another code")
			}
		})
	}
}

func TestText(t *testing.T) {
	cases := []struct {
		err  error
		text string
		hint string
	}{
		{fail.New(fail.Usage, "flag %s is wrong", "--x"), "flag --x is wrong", ""},
		{fail.New(fail.Usage, "wrong").At("%s:%d", "d.yaml", 7).Try("correct line %d", 7), "d.yaml:7: wrong", "correct line 7"},
		{fail.Wrap(io.EOF, fail.Damaged, "reading").At("a/b.json"), "a/b.json: reading: EOF", ""},
		{fail.New(fail.Damaged, "what%%").At("100%%"), "100%: what%", ""},
	}
	for _, c := range cases {
		if c.err.Error() != c.text {
			t.Errorf("%q, want %q", c.err.Error(), c.text)
		}
		if got := fail.HintOf(c.err); got != c.hint {
			t.Errorf("hint %q, want %q", got, c.hint)
		}
	}
	if !errors.Is(fail.Wrap(io.EOF, fail.Damaged, "reading"), io.EOF) {
		t.Error("the cause is hidden")
	}
}

func TestHintOf(t *testing.T) {
	inner := fail.New(fail.Network, "no answer").Try("check the network")
	silent := fail.New(fail.Disk, "full")
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, ""},
		{"no hint anywhere", fail.Wrap(io.EOF, fail.Damaged, "reading"), ""},
		{"through a code without hint and a plain wrap", fail.Wrap(fmt.Errorf("once: %w", inner), fail.Break, "loading"), "check the network"},
		{"the outermost hint wins", fail.Wrap(inner, fail.Break, "loading").Try("ask the ledger"), "ask the ledger"},
		{"joined behind one without hint", errors.Join(silent, inner), "check the network"},
		{"joined below two wraps", fmt.Errorf("a: %w", fail.Wrap(errors.Join(io.EOF, silent, inner), fail.Service, "b")), "check the network"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := fail.HintOf(c.err); got != c.want {
				t.Errorf("hint %q, want %q", got, c.want)
			}
		})
	}
}
