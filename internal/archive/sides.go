package archive

import (
	"slices"

	"backfill/internal/fail"
)

// pair gives side files to the objects whose values they belong to, which have
// their name but for the extension, and takes them out of the list. A side file
// without values, two of one kind for the same values, and one for two objects
// of values are fail.BadLayout: whose records they belong to can't be told.
// Values without a side file are the reader's business.
func (c *collector) pair() error {
	l := c.listing
	if !slices.ContainsFunc(l.order, func(i int32) bool { return l.at(i).view > 0 }) {
		return nil
	}
	stem := func(i int32) string { e := l.at(i); return e.key[:len(e.key)-int(e.extension)] }
	kept := make([]int32, 0, len(l.order))
	for start, end := 0, 0; start < len(l.order); start = end { // equal stems stand together
		for end = start + 1; end < len(l.order) && stem(l.order[end]) == stem(l.order[start]); end++ {
		}
		values, err := c.family(l.order[start:end])
		if err != nil {
			return err
		}
		kept = append(kept, values...)
	}
	l.order = kept
	for partition := range l.partitions() {
		l.orderTombstones(partition)
	}
	return nil
}

// family pairs the objects of one name, and returns those that hold records.
func (c *collector) family(of []int32) (values []int32, err error) {
	l := c.listing
	var sides []int32
	for _, i := range of {
		if v := l.at(i).view; v == 0 || views[v-1] == Tombstones {
			values = append(values, i)
		} else {
			sides = append(sides, i)
		}
	}
	if len(sides) == 0 {
		return values, nil
	}
	refuse := func(i int32, hint, format string, args ...any) error {
		return fail.New(fail.BadLayout, format, args...).At("%s (first offset %d)", c.lister.URI(l.at(i).key), l.at(i).first).Try("%s", hint)
	}
	switch len(values) {
	case 0:
		return nil, refuse(sides[0], "restore the object of the values, which the archiver writes before it, or move the side file out of the archive: its records would be lost",
			"the side file has no object with values beside it")
	case 1:
	default:
		return nil, refuse(sides[0], "keep one of the two objects with values in the archive", "the side file belongs to %s and to %s: whose rows it has can't be told", l.at(values[0]).key, l.at(values[1]).key)
	}
	e := l.at(values[0])
	for _, i := range sides {
		n := l.at(i).view - 1
		if other := e.sides[n]; other > 0 {
			return nil, refuse(i, "keep the one that belongs to "+e.key, "%s is a second .%s side file of the same values", l.at(other-1).key, views[n])
		}
		e.sides[n] = i + 1
	}
	return values, nil
}

// orderTombstones takes the order from tombstone files where the partition's
// values have none: their own folder does not tell the partitioner. With the
// default one the sink closes its file where values turn into tombstones and
// back, so that the files of both follow each other.
func (l *Listing) orderTombstones(partition []int32) {
	values, unordered := false, false
	for _, i := range partition {
		if e := l.at(i); e.view == 0 {
			values = true
			unordered = unordered || e.flags&isOrdered == 0
		}
	}
	if values && !unordered {
		return
	}
	for _, i := range partition {
		if e := l.at(i); e.view > 0 {
			e.flags &^= isOrdered
		}
	}
}
