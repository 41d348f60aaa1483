package runplan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/runplan"
)

func listedAs(key string, size int64, etag, version string) runplan.Input {
	return runplan.Input{ObjectRef: runplan.ObjectRef{Key: key, Size: size, ETag: etag, Version: version}}
}

func compare(planned, now []runplan.Input) runplan.Diff {
	c := runplan.Compare(now)
	for _, o := range planned {
		c.Planned(o.ObjectRef)
	}
	return c.Diff()
}

func TestCompare(t *testing.T) {
	planned := []runplan.Input{
		listedAs("same", 1, "e", ""), listedAs("sized", 1, "e", ""), listedAs("edited", 1, "e", ""), listedAs("versioned", 1, "e", "v1"),
		listedAs("learned", 1, "e", "v1"), listedAs("gone", 7, "e", ""), listedAs("touched", 1, "e", ""),
	}
	now := []runplan.Input{
		listedAs("touched", 1, "e", ""), listedAs("new", 9, "e", ""), listedAs("learned", 1, "e", ""), listedAs("versioned", 1, "e", "v2"),
		listedAs("edited", 1, "f", ""), listedAs("sized", 2, "f", ""), listedAs("same", 1, "e", ""),
	}
	d := compare(planned, now)
	want := `3 changed, 1 vanished, 1 added
  changed  edited: same size, ETag f, was e
  changed  sized: 2 bytes, were 1
  changed  versioned: same bytes, version v2, was v1
  vanished gone (7 bytes)
  added    new (9 bytes)`
	if d.String() != want || d.IsEmpty() {
		t.Errorf("got\n%s\nwant\n%s", d, want)
	}
	if d := compare([]runplan.Input{listedAs("a", 9, "e", "")}, []runplan.Input{listedAs("a", 4, "f", "")}); d.String() != "1 changed, 0 vanished, 0 added\n  changed  a: 4 bytes, were 9: it shrank, and may have lost records" {
		t.Errorf("got %s", d)
	}
	if d := compare(planned, planned); !d.IsEmpty() || d.String() != "no object changed" {
		t.Errorf("got %s", d)
	}
	if d := compare(nil, nil); !d.IsEmpty() {
		t.Errorf("got %s", d)
	}
}

func TestDiffTextIsShort(t *testing.T) {
	var planned, now []runplan.Input
	for i := range 100 {
		planned = append(planned, listedAs(fmt.Sprintf("changed %02d", i), 1, "", ""), listedAs(fmt.Sprintf("gone %02d", i), 1, "", ""))
		now = append(now, listedAs(fmt.Sprintf("changed %02d", i), 2, "", ""), listedAs(fmt.Sprintf("new %02d", i), 1, "", ""))
	}
	text := compare(planned, now).String()
	if lines := strings.Split(text, "\n"); len(lines) != 19 || lines[6] != "  and 95 more changed" || lines[18] != "  and 95 more added" {
		t.Errorf("got %d lines:\n%s", len(lines), text)
	}
}

// TestCompareAgainstOracle checks against two maps.
func TestCompareAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) ([]runplan.Input, map[string]string) {
			m := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), rapid.SampledFrom([]string{"1", "2"}), 0, 6).Draw(t, label)
			var list []runplan.Input
			for key, etag := range m {
				list = append(list, listedAs(key, 1, etag, ""))
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
		d := compare(planned, now)
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

func keysOf(objects []runplan.ObjectRef) []string {
	var keys []string
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}
