package reconcile

import (
	"context"
	"fmt"

	"backfill/internal/fail"
	"backfill/internal/publish"
)

// erased looks for rows of people on the suppression list: none may stand in the
// table, whatever loaded it. Without the key that the list needs this is unknown.
func (g *gathering) erased(ctx context.Context, s publish.Session) error {
	list := g.w.SuppressionList()
	if list == nil {
		return nil
	}
	people, err := g.w.People()
	if fail.Is(err, fail.Credentials) {
		g.in.Unknown = append(g.in.Unknown, fmt.Sprintf("whether rows of the %d people on the suppression list stand in the table: %v", list.Len(), err))
		return nil
	}
	if err != nil {
		return err
	}
	g.in.Erased, g.in.People, err = publish.StandingOf(ctx, s, g.w.Target(), g.o.Window, *people)
	return err
}
