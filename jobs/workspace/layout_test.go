package workspace

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/objstore"
)

// archiveOf makes a folder with the objects and a workspace that reads it.
func archiveOf(t *testing.T, layout string, keys ...string) *Workspace {
	t.Helper()
	dir := t.TempDir()
	for _, key := range keys {
		file := filepath.Join(dir, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := "version: 1\nname: x\narchive: {uri: 'file://" + dir + "', layout: " + layout + "}\nrecords: {event_time: none}\n" +
		"columns: [{name: id, type: bigint, from: value.id}]\ntable: {name: a.b, mode: append, scope: all}\n"
	ds, err := dataset.Compile("x.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := objstore.ParseURI(ds.Archive.URI)
	if err != nil {
		t.Fatal(err)
	}
	store, err := objstore.Open(context.Background(), uri, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &Workspace{Dataset: ds, Archive: store}
}

// TestLayouts lists an archive by each layout that a dataset can name.
func TestLayouts(t *testing.T) {
	for _, c := range []struct{ layout, key, first string }{
		{"confluent", "pay/partition=1/pay+1+0000000007.json", "7 ordered"},
		{"auto", "pay/partition=1/pay+1+0000000007.json", "7 ordered"},
		{"auto", "pay/1/000000000009_1_2.json", "0 ordered lower"},
		{"{confluent: {file_delim: '-'}}", "pay/partition=1/pay-1-0000000007.json", "7 ordered"},
		{"lenses", "pay/1/000000000009_1_2.json", "0 ordered lower"},
		{"aiven", "pay-1-7.gz", "7 ordered"},
		{"{aiven: {template: '{{topic}}/{{timestamp:unit=yyyy}}/{{partition}}-{{start_offset}}'}}", "pay/2026/1-7", "7 lower"},
		{"firehose", "2026/01/31/13/pay-1-2026-01-31-13-05-00-0a1b2c3d-0000-4000-8000-0123456789ab", "-1"},
		{"msk", "pay/pay+1+000000000000000017-000000-105a4e6efaa", "17"},
		{"secor", "pay/dt=2026-01-31/1_1_00000000000000000017", "17 lower"},
		{"wix", "2026-01-31/pay-00001-000000000017.gz", "17 ordered"},
		{"unnamed, topic: pay, partition: 1", "any.log", "-1"},
		{"{key_pattern: '(?P<topic>[a-z]+)/(?P<partition>[0-9]+)/(?P<offset>[0-9]+)[.]json'}", "pay/1/7.json", "7 ordered"},
	} {
		l, err := archiveOf(t, c.layout, c.key).List(t.Context())
		if err != nil || len(l.Objects) != 1 {
			t.Errorf("%s: %+v, %v", c.layout, l, err)
			continue
		}
		o := l.Objects[0]
		got := strings.TrimSpace(fmt.Sprint(int64(o.First)) + flag(o.Ordered, " ordered") + flag(o.Lower, " lower"))
		if got != c.first || o.Partition.Topic != "pay" || c.layout != "firehose" && o.Partition.Partition != 1 {
			t.Errorf("%s: %s of %s, want %s", c.layout, got, o.Partition, c.first)
		}
		if (l.Layout != "") != (c.layout == "auto") {
			t.Errorf("%s: says %q", c.layout, l.Layout)
		}
	}
	_, err := archiveOf(t, "auto", "readme").List(t.Context())
	if !fail.Is(err, fail.BadLayout) || !strings.Contains(err.Error(), "no known layout reads all of 1 sampled keys") {
		t.Error(err)
	}
}

func flag(set bool, name string) string {
	if set {
		return name
	}
	return ""
}
