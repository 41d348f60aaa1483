package gc

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"backfill/internal/runstore"
)

// Group is objects of one kind for one reason.
type Group struct {
	Kind    string    `json:"kind"`
	Why     string    `json:"why"`
	Objects int64     `json:"objects"`
	Bytes   int64     `json:"bytes"`
	Oldest  time.Time `json:"oldest"`
}

type groups map[[2]string]*Group

func (g *groups) add(it runstore.Item, why string) {
	if *g == nil {
		*g = groups{}
	}
	id := [2]string{string(it.Kind), why}
	one := (*g)[id]
	if one == nil {
		one = &Group{Kind: string(it.Kind), Why: why, Oldest: it.Modified}
		(*g)[id] = one
	}
	one.Objects++
	one.Bytes += it.Size
	if it.Modified.Before(one.Oldest) {
		one.Oldest = it.Modified
	}
}

// list returns the groups, the largest first.
func (g groups) list() []Group {
	list := []Group{}
	for _, one := range g {
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Objects, a.Objects), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Why, b.Why))
	})
	return list
}

// Text tells people what goes, or went, and what stays.
func (r *Result) Text() string {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	table(tw, r.Goes)
	_ = tw.Flush() // a strings.Builder takes everything
	for _, k := range r.Kept {
		fmt.Fprintf(&b, "%d rows that plan %d had replaced, kept since %s: %s\n", k.Rows, k.Seq, k.Since, k.Table)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	fmt.Fprintf(&b, "by the dataset's retain: %s\n", r.Retain)
	objects, bytes := sum(r.Goes)
	kept, size := sum(r.Stays)
	switch {
	case objects == 0 && len(r.Kept) == 0:
		fmt.Fprintf(&b, "nothing goes; %s of %s stay\n", counted(kept), amount(size))
	case r.Applied:
		fmt.Fprintf(&b, "removed %s of %s; %d of %s stay\n", counted(objects), amount(bytes), kept, amount(size))
	default:
		fmt.Fprintf(&b, "%s of %s would go, %d of %s stay; nothing was changed. To remove them, say --apply\n", counted(objects), amount(bytes), kept, amount(size))
	}
	return b.String()
}

func table(tw *tabwriter.Writer, list []Group) {
	if len(list) > 0 {
		fmt.Fprintln(tw, "objects\tsize\toldest\tkind\twhy")
	}
	for _, g := range list {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\n", g.Objects, amount(g.Bytes), g.Oldest.UTC().Format(time.DateOnly), g.Kind, g.Why)
	}
}

func sum(list []Group) (objects, bytes int64) {
	for _, g := range list {
		objects, bytes = objects+g.Objects, bytes+g.Bytes
	}
	return objects, bytes
}

func counted(objects int64) string {
	if objects == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", objects)
}

func amount(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
