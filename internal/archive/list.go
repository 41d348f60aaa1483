package archive

import (
	"context"
	"fmt"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/folder"
	"backfill/internal/objstore"
)

// Lister is the store of an archive, as far as listing needs it.
type Lister interface {
	// List calls fn for every object under the root whose key, relative to
	// the root, begins with prefix.
	List(ctx context.Context, prefix string, fn func(objstore.Object) error) error
	// Folder calls object for every object right below the folder, and folder
	// for every folder there; both end their names with a slash.
	Folder(ctx context.Context, dir string, object func(objstore.Object) error, folder func(dir string) error) error
	// URI returns the full name of a key.
	URI(key string) objstore.URI
}

// Limits bounds a listing.
type Limits struct {
	// Objects is the largest number of data objects; 0 stands for 1,000,000.
	Objects int
}

const defaultObjects = 1_000_000

// shownKeys is how many keys a message names.
const shownKeys = 3

// List lists the wanted data objects of the store. Any key that it sees and the
// layout does not know makes it fail with fail.BadLayout, after all keys were
// seen. More data objects than the limit are fail.Memory.
func List(ctx context.Context, l Lister, layout Layout, wanted Wanted, limits Limits) (*Listing, error) {
	limit := limits.Objects
	if limit == 0 {
		limit = defaultObjects
	}
	c := &collector{lister: l, layout: layout, limit: limit, listing: newListing()}
	for _, at := range wanted.Recreated {
		c.listing.starts = append(c.listing.starts, at.Unix())
	}
	if err := c.list(ctx, wanted); err != nil {
		return nil, err
	}
	if c.unknown > 0 {
		return nil, c.refusal()
	}
	c.listing.sort()
	if err := c.pair(); err != nil {
		return nil, err
	}
	for partition := range c.listing.partitions() {
		c.listing.follow(partition)
	}
	wanted.since(c.listing)
	return c.listing, nil
}

// list takes all there is, or walks dated folders, and what an inventory has.
func (c *collector) list(ctx context.Context, wanted Wanted) error {
	if wanted.Folders == nil || len(wanted.Windows) == 0 && wanted.Inventory == nil {
		if wanted.Inventory == nil {
			return c.lister.List(ctx, "", c.add)
		}
		c.listing.AsOf = wanted.Inventory.Sure()
		return wanted.Inventory.List(ctx, c.add)
	}
	w := &walk{ctx: ctx, lister: c.lister, wanted: wanted, add: c.add, folders: &c.listing.Folders}
	if err := w.folder("", folder.Place{}); err != nil || wanted.Inventory == nil {
		return err
	}
	return wanted.Inventory.List(ctx, func(o objstore.Object) error {
		if !wanted.known(o.Key) {
			return nil
		}
		return c.add(o)
	})
}

type collector struct {
	lister  Lister
	layout  Layout
	limit   int
	listing *Listing
	seen    int
	unknown int
	samples []string
}

func (c *collector) add(o objstore.Object) error {
	c.seen++
	uri := c.lister.URI(o.Key)
	if strings.HasSuffix(uri.Key, "/") && o.Size == 0 {
		c.listing.Ignored[reasonFolder]++
		return nil
	}
	name, verdict := c.layout.Parse(uri.Key)
	switch verdict.Kind {
	case Ignored:
		c.listing.Ignored[verdict.Reason]++
		return nil
	case Unknown:
		c.unknown++
		if len(c.samples) < shownKeys {
			c.samples = append(c.samples, fmt.Sprintf("%s (%s)", uri, verdict.Reason))
		}
		return nil
	}
	if c.listing.count == c.limit {
		return fail.New(fail.Memory, "the archive holds more than %d data objects", c.limit).At("%s", c.lister.URI("")).
			Try("choose a narrower archive.uri, one topic for instance")
	}
	c.listing.add(o, name)
	return nil
}

func (c *collector) refusal() error {
	more := ""
	if n := c.unknown - len(c.samples); n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fail.New(fail.BadLayout, "%d of %d keys fit no layout: %s%s", c.unknown, c.seen, strings.Join(c.samples, ", "), more).
		At("%s", c.lister.URI("")).
		Try("correct archive.layout or archive.uri, or move these objects out of the archive: nothing is skipped silently")
}
