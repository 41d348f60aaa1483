package load

import (
	"encoding/json"
	"fmt"

	"backfill/internal/runplan"
	"backfill/jobs/plan"
)

// maxDamaged is how many bytes of the objects that are left out the ledger names.
const maxDamaged = 16000

// damaged lists the objects that the plan leaves out, for the ledger.
func damaged(head *runplan.Head) string {
	if len(head.Damaged) == 0 {
		return ""
	}
	var uris []string
	size := 2
	for i, o := range head.Damaged {
		uri := plan.ObjectURI(head.Archive, o.Key)
		if size += 2*len(uri) + 3; size > maxDamaged {
			uris = append(uris, fmt.Sprintf("and %d more, see the plan", len(head.Damaged)-i))
			break
		}
		uris = append(uris, uri)
	}
	text, err := json.Marshal(uris)
	if err != nil {
		return "[]" // strings are always JSON
	}
	return string(text)
}
