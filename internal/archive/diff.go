package archive

import (
	"fmt"
	"slices"
	"strings"
)

// Diff is what happened to an archive between two listings, each by key.
type Diff struct {
	Changed  []Change
	Vanished []Object // planned, gone now
	Added    []Object // not planned, there now
}

// Change is one object before and after.
type Change struct{ Planned, Now Object }

// shownChanges is how many objects of each sort a person sees.
const shownChanges = 5

// Compare finds what changed since the plan. Objects are matched by key, in any
// order; one changed when size or ETag differ, or the versions where both
// listings know them. A different modification time alone is no change.
func Compare(planned, now []Object) Diff {
	var d Diff
	before, after := byKey(planned), byKey(now)
	for len(before) > 0 && len(after) > 0 {
		p, n := &planned[before[0]], &now[after[0]]
		switch {
		case p.Key < n.Key:
			d.Vanished = append(d.Vanished, *p)
			before = before[1:]
		case p.Key > n.Key:
			d.Added = append(d.Added, *n)
			after = after[1:]
		default:
			if p.Size != n.Size || p.ETag != n.ETag || p.Version != "" && n.Version != "" && p.Version != n.Version {
				d.Changed = append(d.Changed, Change{*p, *n})
			}
			before, after = before[1:], after[1:]
		}
	}
	for _, i := range before {
		d.Vanished = append(d.Vanished, planned[i])
	}
	for _, i := range after {
		d.Added = append(d.Added, now[i])
	}
	return d
}

// byKey returns the indexes of the objects in the order of their keys.
func byKey(objects []Object) []int {
	order := make([]int, len(objects))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(objects[a].Key, objects[b].Key) })
	return order
}

// IsEmpty reports whether both listings hold the same objects.
func (d Diff) IsEmpty() bool { return len(d.Changed)+len(d.Vanished)+len(d.Added) == 0 }

// String tells a person what happened: one line of counts, then the first
// objects of each sort, one per line.
func (d Diff) String() string {
	if d.IsEmpty() {
		return "no object changed"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d changed, %d vanished, %d added", len(d.Changed), len(d.Vanished), len(d.Added))
	for _, c := range d.Changed[:min(len(d.Changed), shownChanges)] {
		fmt.Fprintf(&b, "\n  changed  %s: %s", c.Now.Key, c.what())
	}
	more(&b, "changed", len(d.Changed))
	for _, o := range d.Vanished[:min(len(d.Vanished), shownChanges)] {
		fmt.Fprintf(&b, "\n  vanished %s (%d bytes)", o.Key, o.Size)
	}
	more(&b, "vanished", len(d.Vanished))
	for _, o := range d.Added[:min(len(d.Added), shownChanges)] {
		fmt.Fprintf(&b, "\n  added    %s (%d bytes)", o.Key, o.Size)
	}
	more(&b, "added", len(d.Added))
	return b.String()
}

func more(b *strings.Builder, sort string, n int) {
	if n > shownChanges {
		fmt.Fprintf(b, "\n  and %d more %s", n-shownChanges, sort)
	}
}

func (c Change) what() string {
	switch {
	case c.Planned.Size != c.Now.Size:
		return fmt.Sprintf("%d bytes, were %d", c.Now.Size, c.Planned.Size)
	case c.Planned.ETag != c.Now.ETag:
		return fmt.Sprintf("same size, ETag %s, was %s", c.Now.ETag, c.Planned.ETag)
	}
	return fmt.Sprintf("same bytes, version %s, was %s", c.Now.Version, c.Planned.Version)
}
