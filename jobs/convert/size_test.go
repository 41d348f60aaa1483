package convert

import (
	"fmt"
	"strings"
	"testing"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/jobs/workspace"
)

func wide(t *testing.T, columns int) *workspace.Workspace {
	t.Helper()
	var text strings.Builder
	text.WriteString("version: 1\nname: wide\narchive: {uri: \"file:///srv/archive\", layout: confluent}\nrecords: {event_time: value.at}\ncolumns:\n" +
		"  - {name: at, type: timestamp, from: value.at, required: true}\n")
	for i := range columns {
		fmt.Fprintf(&text, "  - {name: c%d, type: varchar(64), from: value.c%d}\n", i, i)
	}
	text.WriteString("table: {name: pay.wide, mode: replace_window, scope: all, window_column: at}\n")
	ds, err := dataset.Compile("wide.yaml", []byte(text.String()), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &workspace.Workspace{Dataset: ds}
}

func TestFit(t *testing.T) {
	for _, test := range []struct {
		columns, objects, workers int
		memory                    int64 // MiB
		want, page                int   // workers, KiB
	}{
		{20, 100, 2, 0, 2, 512},
		{20, 100, 2, 1024, 2, 512},
		{20, 100, 8, 1024, 8, 256},
		{20, 100, 2, 128, 1, 128},
		{120, 100, 2, 128, 1, 32},
		{20, 100_000, 2, 160, 1, 128},
	} {
		n, s, err := fit(wide(t, test.columns), test.objects, Options{Workers: test.workers, Memory: test.memory << 20})
		if err != nil || n != test.want || s.pageBytes != test.page<<10 {
			t.Errorf("%+v: %d workers with pages of %d KiB, %v", test, n, s.pageBytes>>10, err)
		}
	}
}

// TestFitRefused: the least limit that the refusal names is taken.
func TestFitRefused(t *testing.T) {
	w, o := wide(t, 500), Options{Workers: 4, Memory: 64 << 20}
	_, _, err := fit(w, 10, o)
	if !fail.Is(err, fail.Memory) || !strings.Contains(err.Error(), "--memory 64 MiB is too little for one worker") {
		t.Fatal(err)
	}
	var least int64
	for least = 64; err != nil && least < 4096; least++ {
		_, _, err = fit(w, 10, Options{Workers: 4, Memory: least << 20})
	}
	_, _, refused := fit(w, 10, o)
	if want := fmt.Sprintf("give at least %d MiB", least-1); !strings.Contains(fail.HintOf(refused), want) {
		t.Errorf("the hint is %q, not %q", fail.HintOf(refused), want)
	}
}
