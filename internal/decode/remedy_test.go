package decode

import (
	"strings"
	"testing"
)

// TestEveryReasonHasARemedy: a person who finds records in quarantine is told what to do.
func TestEveryReasonHasARemedy(t *testing.T) {
	if len(Reasons()) != len(remedies) {
		t.Errorf("%d reasons, %d remedies", len(Reasons()), len(remedies))
	}
	for _, r := range Reasons() {
		if text := r.Remedy(); len(text) < 12 || !strings.HasSuffix(text, ".") {
			t.Errorf("reason %s: no sentence: %q", r, text)
		}
	}
	if got := Reason("never_registered").Remedy(); got != "" {
		t.Errorf("an unknown reason has a remedy: %q", got)
	}
}
