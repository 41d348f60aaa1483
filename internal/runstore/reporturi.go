package runstore

import (
	"context"
	"strings"

	"backfill/internal/fail"
)

// ReportAt reads the JSON of a report by the URI that reconcile printed, and
// returns its key, too.
func (s *Store) ReportAt(ctx context.Context, uri string) (key string, body []byte, err error) {
	root := strings.TrimSuffix(s.URI("-"), "-")
	key, ok := strings.CutPrefix(uri, root)
	if !ok || !strings.Contains(key, "/reports/") || !strings.HasSuffix(key, ".json") {
		return "", nil, fail.New(fail.Usage, "%s is not the JSON of a report below %s", uri, root).Try("give --report the URI that `backfill reconcile` printed")
	}
	body, _, err = s.objects.ReadAll(ctx, key, maxReceipt)
	return key, body, err
}
