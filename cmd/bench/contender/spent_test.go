package contender

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSpent(t *testing.T) {
	out := t.TempDir()
	p := &Product{}
	if _, err := p.Spent(out); err == nil || !strings.Contains(err.Error(), "work.json below "+out+": 0 found") {
		t.Errorf("nothing there: %v", err)
	}
	folder := filepath.Join(out, "staging/targets/pay.t/work/run/20260301T000000.000Z-convert-AB")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "work.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"timing": {"bottleneck": "gzip is the limit", "stages": [{"stage": "decompress", "busy_seconds": 4, "waiting": [{"for": "fetch", "seconds": 1}]},
		{"stage": "decode", "busy_seconds": 2}, {"stage": "encode", "busy_seconds": 2.5}, {"stage": "claim", "busy_seconds": 0.5}]}}`)
	got, err := p.Spent(out)
	if err != nil || got.Limit != "gzip is the limit" || got.Waited != 0.1 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := []Stage{{"decompress", 0.4}, {"decode", 0.2}, {"account", 0}, {"encode", 0.25}}
	for i, s := range got.Stages {
		if s != want[i] {
			t.Errorf("%+v, want %+v", s, want[i])
		}
	}
	write(`{"timing": {}}`)
	if _, err := p.Spent(out); err == nil || !strings.Contains(err.Error(), "it tells no times") {
		t.Errorf("no times: %v", err)
	}
}
