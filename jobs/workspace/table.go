package workspace

import (
	"context"
	"strings"

	"backfill/internal/publish"
)

// CheckTable compares the live table with the dataset. With create a table that
// is missing is created first; one that is there is never changed.
func (w *Workspace) CheckTable(ctx context.Context, s publish.Session, create bool) error {
	if create {
		ddl, err := publish.CreateTable(ctx, s, w.Target())
		if err != nil {
			return err
		}
		if ddl != "" {
			w.Created = ddl
			w.Step("created the table: %s", strings.Join(strings.Fields(ddl), " "))
		}
	}
	return publish.CheckTable(ctx, s, w.Target())
}
