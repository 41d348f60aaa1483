package convert

import (
	"fmt"
	"strings"
	"testing"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/runplan"
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
	if want := fmt.Sprintf("give at least --memory %dMiB", least-1); !strings.Contains(fail.HintOf(refused), want) {
		t.Errorf("the hint is %q, not %q", fail.HintOf(refused), want)
	}
}

// TestFitParquet sets memory aside for the pages of archived Parquet, and gives
// each worker its share of the disk.
func TestFitParquet(t *testing.T) {
	w := wide(t, 20)
	for _, c := range []struct {
		memory, disk  int64 // MiB
		parquet       bool
		workers       int
		pages, object int64 // MiB
		file          int64
	}{
		{0, 0, true, 2, 0, 0, 0}, // the defaults of format
		{0, 400, true, 2, 0, 0, 150},
		{1024, 400, true, 2, 64, 4, 150},
		{256, 400, true, 1, 64, 4, 300},
		{160, 0, true, 1, 32, 4, 0},
		{160, 0, false, 1, 16, 4, 0},
	} {
		n, s, err := fit(w, 10, Options{Workers: 2, Memory: c.memory << 20, Disk: c.disk << 20, parquet: c.parquet})
		a := s.archived
		if err != nil || n != c.workers || a.PageBytes != c.pages<<20 || a.ObjectBytes != c.object<<20 || a.FileBytes != c.file<<20 {
			t.Errorf("%+v: %d workers, %+v, %v", c, n, a, err)
		}
	}
	_, _, err := fit(w, 10, Options{Workers: 2, Memory: 64 << 20, parquet: true})
	if !fail.Is(err, fail.Memory) {
		t.Error(err)
	}
	named := func(key string) []runplan.Chunk {
		return []runplan.Chunk{{Objects: []runplan.ObjectRef{{Key: key}}}}
	}
	for _, c := range []struct {
		format, key string
		want        bool
	}{{"auto", "a.json.gz", false}, {"auto", "a.snappy.parquet", true}, {"auto", "a.gz", true}, {"parquet", "a.json", true}, {"json", "a.parquet", false}} {
		if got := workspace.MayBeParquet(c.format, named(c.key)); got != c.want {
			t.Errorf("%s %s: %t", c.format, c.key, got)
		}
	}
}
