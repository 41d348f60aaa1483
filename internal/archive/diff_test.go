package archive_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"backfill/internal/archive"
	"backfill/internal/objstore"
)

func object(key string, size int64, etag, version string) archive.Object {
	return archive.Object{Object: objstore.Object{Key: key, Size: size, ETag: etag, Version: version}}
}

func TestCompare(t *testing.T) {
	planned := []archive.Object{
		object("same", 1, "e", ""), object("sized", 1, "e", ""), object("edited", 1, "e", ""), object("versioned", 1, "e", "v1"),
		object("learned", 1, "e", "v1"), object("gone", 7, "e", ""), object("touched", 1, "e", ""),
	}
	now := []archive.Object{
		object("touched", 1, "e", ""), object("new", 9, "e", ""), object("learned", 1, "e", ""), object("versioned", 1, "e", "v2"),
		object("edited", 1, "f", ""), object("sized", 2, "f", ""), object("same", 1, "e", ""),
	}
	now[0].Modified = time.Unix(1, 0)
	d := archive.Compare(planned, now)
	want := `3 changed, 1 vanished, 1 added
  changed  edited: same size, ETag f, was e
  changed  sized: 2 bytes, were 1
  changed  versioned: same bytes, version v2, was v1
  vanished gone (7 bytes)
  added    new (9 bytes)`
	if d.String() != want || d.IsEmpty() {
		t.Errorf("got\n%s\nwant\n%s", d, want)
	}
	if d := archive.Compare(planned, planned); !d.IsEmpty() || d.String() != "no object changed" {
		t.Errorf("got %s", d)
	}
	if d := archive.Compare(nil, nil); !d.IsEmpty() {
		t.Errorf("got %s", d)
	}
}

func TestDiffTextIsShort(t *testing.T) {
	var planned, now []archive.Object
	for i := range 100 {
		planned = append(planned, object(fmt.Sprintf("changed %02d", i), 1, "", ""), object(fmt.Sprintf("gone %02d", i), 1, "", ""))
		now = append(now, object(fmt.Sprintf("changed %02d", i), 2, "", ""), object(fmt.Sprintf("new %02d", i), 1, "", ""))
	}
	text := archive.Compare(planned, now).String()
	if lines := strings.Split(text, "\n"); len(lines) != 19 || lines[6] != "  and 95 more changed" || lines[18] != "  and 95 more added" {
		t.Errorf("got %d lines:\n%s", len(lines), text)
	}
}

// TestCompareAgainstOracle checks against two maps.
func TestCompareAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) ([]archive.Object, map[string]string) {
			m := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), rapid.SampledFrom([]string{"1", "2"}), 0, 6).Draw(t, label)
			var list []archive.Object
			for key, etag := range m {
				list = append(list, object(key, 1, etag, ""))
			}
			return list, m
		}
		planned, before := draw("planned")
		now, after := draw("now")
		var changed, vanished, added []string
		for key, etag := range before {
			if other, there := after[key]; !there {
				vanished = append(vanished, key)
			} else if other != etag {
				changed = append(changed, key)
			}
		}
		for key := range after {
			if _, there := before[key]; !there {
				added = append(added, key)
			}
		}
		d := archive.Compare(planned, now)
		var gotChanged []string
		for _, c := range d.Changed {
			if c.Planned.Key != c.Now.Key || before[c.Now.Key] != c.Planned.ETag || after[c.Now.Key] != c.Now.ETag {
				t.Fatalf("%+v", c)
			}
			gotChanged = append(gotChanged, c.Now.Key)
		}
		for _, p := range [][2][]string{{changed, gotChanged}, {vanished, keysOf(d.Vanished)}, {added, keysOf(d.Added)}} {
			slices.Sort(p[0])
			if !slices.Equal(p[0], p[1]) {
				t.Fatalf("got %q, want %q", p[1], p[0])
			}
		}
	})
}

func keysOf(objects []archive.Object) []string {
	var keys []string
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}
