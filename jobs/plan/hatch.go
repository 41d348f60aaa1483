package plan

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/runplan"
)

// accepted finds the listed objects that a person declared damaged. Such an
// object is left out whole, what of it can be read, too: a checksum stands behind
// what it proves (a gzip member's, a zstd frame's, an Avro block's), so that of a
// part before a break nothing says whether its digits are those that were
// archived. Leaving it out says one thing about all its records: they are
// unknown. Who trusts a part can archive it as an object of its own.
func (p *planner) accepted() ([]runplan.Input, error) {
	var list []runplan.Input
	for _, name := range p.o.Damaged {
		key := strings.TrimPrefix(name, p.w.Dataset.Archive.URI+"/")
		i := slices.IndexFunc(p.now.Objects, func(in runplan.Input) bool { return in.Key == key })
		if i < 0 {
			return nil, fail.New(fail.NotFoundInput, "the archive lists no object %s", name).At("%s", p.w.Dataset.Archive.URI).
				Try("give the object's URI as the error named it, or its key below archive.uri")
		}
		if !slices.ContainsFunc(list, func(in runplan.Input) bool { return in.Key == key }) {
			list = append(list, p.now.Objects[i])
		}
	}
	slices.SortFunc(list, func(a, b runplan.Input) int { return strings.Compare(a.Key, b.Key) })
	return list, nil
}

// hatch returns why the options ask for another plan than the sealed one; "":
// they don't. An unfinished plan that was sealed for the same asking is gone on
// with: the same command is the retry.
func (st standing) hatch(o Options) string {
	retry := st.loaded < st.slices && st.listing.IsEmpty() && st.stopped == nil
	switch {
	case len(o.Damaged) > 0 && !st.sameDamaged:
		return "objects are left out with --accept-damaged"
	case o.Reconvert && !(retry && slices.Contains(st.asked, "reconvert")):
		return "asked for with --reconvert"
	case o.Replan && !(retry && slices.Contains(st.asked, "replan")):
		return "asked for with --replan"
	}
	return ""
}

// asked are the options that go round a rule, as plan and ledger spell them.
func (o Options) asked() []string {
	var words []string
	if o.Replan {
		words = append(words, "replan")
	}
	if o.Reconvert {
		words = append(words, "reconvert")
	}
	if n := len(o.Damaged); n > 0 {
		words = append(words, fmt.Sprintf("accept_damaged=%d", n))
	}
	return words
}
