package reconcile

import (
	"context"
	"fmt"
	"strings"

	"backfill/internal/kafka"
	"backfill/internal/report"
)

// maxExamples bounds the objects that a report names as new, rewritten or gone.
const maxExamples = 20

// archiveNow lists the archive anew and compares keys and ETags with what the
// receipts read: what came, went or changed since makes the result incomplete.
func (g *gathering) archiveNow(ctx context.Context) error {
	if len(g.heads) == 0 {
		return nil
	}
	var windows []kafka.Window
	for _, h := range g.heads {
		windows = append(windows, h.Window)
	}
	now, err := g.w.List(ctx, windows...)
	if err != nil {
		return err
	}
	l := report.ArchiveNow{URI: g.w.Archive.Root().String(), Objects: len(now.Objects), Bytes: now.Bytes, Listing: now.ID}
	read := map[string]bool{}
	for id := range g.seen {
		key, _, _ := strings.Cut(id, "\x00")
		read[key] = true
	}
	example := func(format string, args ...any) {
		if len(l.Examples) < maxExamples {
			l.Examples = append(l.Examples, fmt.Sprintf(format, args...))
		}
	}
	there := map[string]bool{}
	for _, o := range now.Objects {
		there[o.Key] = true
		if _, same := g.seen[o.Key+"\x00"+o.ETag]; same {
			continue
		}
		if read[o.Key] {
			l.Rewritten++
			example("rewritten: %s has ETag %s now", o.Key, o.ETag)
			continue
		}
		l.Added++
		example("new: %s", o.Key)
	}
	for _, link := range g.links {
		if link.ETag != "" && !there[link.Key] {
			l.Gone++
			example("gone: %s, ETag %s", link.Key, link.ETag)
		}
	}
	g.listed = l
	if n := l.Added + l.Rewritten; n > 0 {
		g.in.Unknown = append(g.in.Unknown, fmt.Sprintf("%d objects of the archive are new or were rewritten since the load; run the backfill again to include them", n))
	}
	if n := l.Gone + l.Rewritten; n > 0 {
		g.in.Unknown = append(g.in.Unknown, fmt.Sprintf("%d objects that were loaded are gone from the archive or were rewritten", n))
	}
	return nil
}
