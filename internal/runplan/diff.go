package runplan

import (
	"fmt"
	"slices"
	"strings"
)

// Diff is what happened to an archive between two listings, each by key.
type Diff struct {
	Changed  []Change
	Vanished []ObjectRef // planned, gone now
	Added    []ObjectRef // not planned, there now
}

// Change is one object before and after.
type Change struct {
	Planned, Now ObjectRef
	Side         string // what happened to its side files alone; "": it changed itself
}

// shownChanges is how many objects of each sort a person sees.
const shownChanges = 5

// Comparison finds what changed since a plan, whose objects it is told one by
// one, so that they need not be held at once.
type Comparison struct {
	now   []Input
	order []int32 // by key
	seen  []bool  // by the same
	diff  Diff
}

// Compare begins a comparison with the objects that are there now, each key once.
func Compare(now []Input) *Comparison {
	c := &Comparison{now: now, order: make([]int32, len(now)), seen: make([]bool, len(now))}
	for i := range c.order {
		c.order[i] = int32(i)
	}
	slices.SortFunc(c.order, func(a, b int32) int { return strings.Compare(now[a].Key, now[b].Key) })
	return c
}

// Planned takes one object of the plan. It changed when size or ETag differ, or
// the versions where both listings know them.
func (c *Comparison) Planned(p ObjectRef) {
	i, found := slices.BinarySearchFunc(c.order, p.Key, func(i int32, key string) int { return strings.Compare(c.now[i].Key, key) })
	if !found {
		c.diff.Vanished = append(c.diff.Vanished, p)
		return
	}
	c.seen[i] = true
	n := c.now[c.order[i]].ObjectRef
	if p.Size != n.Size || p.ETag != n.ETag || p.Version != "" && n.Version != "" && p.Version != n.Version {
		c.diff.Changed = append(c.diff.Changed, Change{Planned: p, Now: n})
	} else if what := sidesChanged(p.Sides, n.Sides); what != "" {
		c.diff.Changed = append(c.diff.Changed, Change{p, n, what})
	}
}

// Diff returns the differences, each sort in the order of keys.
func (c *Comparison) Diff() Diff {
	d := c.diff
	for i, seen := range c.seen {
		if !seen {
			d.Added = append(d.Added, c.now[c.order[i]].ObjectRef)
		}
	}
	slices.SortFunc(d.Changed, func(a, b Change) int { return strings.Compare(a.Now.Key, b.Now.Key) })
	slices.SortFunc(d.Vanished, func(a, b ObjectRef) int { return strings.Compare(a.Key, b.Key) })
	return d
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

// sidesChanged says what happened to an object's side files; "": nothing.
func sidesChanged(planned, now []SideRef) string {
	view := func(list []SideRef, name string) *SideRef {
		if i := slices.IndexFunc(list, func(s SideRef) bool { return s.View == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for _, p := range planned {
		n := view(now, p.View)
		switch {
		case n == nil:
			return "its side file " + p.Key + " vanished"
		case p.Key != n.Key:
			return "its side file is " + n.Key + ", was " + p.Key
		case p.Size != n.Size || p.ETag != n.ETag || p.Version != "" && n.Version != "" && p.Version != n.Version:
			return fmt.Sprintf("its side file %s has %d bytes and ETag %s, were %d and %s", p.Key, n.Size, n.ETag, p.Size, p.ETag)
		}
	}
	for _, n := range now {
		if view(planned, n.View) == nil {
			return "the side file " + n.Key + " came beside it"
		}
	}
	return ""
}

func (c Change) what() string {
	switch {
	case c.Side != "":
		return c.Side
	case c.Planned.Size > c.Now.Size: // a task that lost its partition may win with a shorter object
		return fmt.Sprintf("%d bytes, were %d: it shrank, and may have lost records", c.Now.Size, c.Planned.Size)
	case c.Planned.Size != c.Now.Size:
		return fmt.Sprintf("%d bytes, were %d", c.Now.Size, c.Planned.Size)
	case c.Planned.ETag != c.Now.ETag:
		return fmt.Sprintf("same size, ETag %s, was %s", c.Now.ETag, c.Planned.ETag)
	}
	return fmt.Sprintf("same bytes, version %s, was %s", c.Now.Version, c.Planned.Version)
}
