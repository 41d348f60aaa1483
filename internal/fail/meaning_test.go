package fail_test

import (
	"strings"
	"testing"

	"backfill/internal/fail"
)

// TestEveryCodeIsExplained: a person at night gets a meaning, a cause and a way on for each code.
func TestEveryCodeIsExplained(t *testing.T) {
	for _, c := range fail.Codes() {
		m, ok := c.Meaning()
		if !ok {
			t.Errorf("code %s has no meaning", c)
			continue
		}
		for part, text := range map[string]string{"means": m.Means, "cause": m.Cause, "do": m.Do} {
			if len(text) < 8 || !strings.HasSuffix(text, ".") || len(text) > 320 {
				t.Errorf("code %s, %s: no sentence, or too much to read: %q", c, part, text)
			}
		}
	}
	if _, ok := fail.Code("never_registered").Meaning(); ok {
		t.Error("an unregistered code has a meaning")
	}
}

// TestEveryExitIsExplained: each code's exit code is among those that are explained.
func TestEveryExitIsExplained(t *testing.T) {
	known := map[fail.Exit]bool{}
	for _, e := range fail.Exits() {
		known[e] = true
		if strings.Contains(e.Meaning(), "not an exit code") {
			t.Errorf("exit %d has no meaning", e)
		}
	}
	for _, c := range fail.Codes() {
		if !known[c.Exit()] {
			t.Errorf("exit %d of code %s is not listed", c.Exit(), c)
		}
	}
	if got := fail.Exit(77).Meaning(); got != "not an exit code of this program" {
		t.Errorf("exit 77: %q", got)
	}
}
