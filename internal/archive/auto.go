package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

// sampleKeys is how many keys decide which layout an archive has.
const sampleKeys = 1000

// Candidate is a layout with the name that a dataset gives it.
type Candidate struct {
	Name   string
	Layout Layout
}

// Choice is what a sample of keys says.
type Choice struct {
	Candidate
	Why  string // for people
	Fits int    // candidates that read all keys; also of a refusal
}

var errSampled = errors.New("enough keys were seen")

// Choose lists up to 1,000 keys and returns the one candidate that reads all of
// them that are not known to hold no records. It refuses with fail.BadLayout
// where none does, or more than one: they would give records other offsets.
func Choose(ctx context.Context, l Lister, candidates []Candidate) (Choice, error) {
	var keys []string
	err := l.List(ctx, "", func(o objstore.Object) error {
		full := l.URI(o.Key).Key
		if strings.HasSuffix(full, "/") && o.Size == 0 || junk(full) != "" {
			return nil
		}
		if keys = append(keys, full); len(keys) == sampleKeys {
			return errSampled
		}
		return nil
	})
	if err != nil && !errors.Is(err, errSampled) {
		return Choice{}, err
	}
	const hint = "name the layout: archive.layout: confluent, lenses, aiven, firehose, msk, secor or {key_pattern: …}"
	if len(keys) == 0 {
		return Choice{}, fail.New(fail.BadLayout, "the archive holds no object that could tell its layout").At("%s", l.URI("")).Try(hint)
	}
	var fitting []Candidate
	var against []string
	for _, c := range candidates {
		if key, reason := c.refuses(keys); reason != "" {
			against = append(against, fmt.Sprintf("%s does not read %s: %s", c.Name, key, reason))
		} else {
			fitting = append(fitting, c)
		}
	}
	switch len(fitting) {
	case 1:
		return Choice{Candidate: fitting[0], Fits: 1, Why: fmt.Sprintf("%s, because it alone reads all of %d sampled keys, such as %s; %s",
			fitting[0].Name, len(keys), keys[0], strings.Join(against, "; "))}, nil
	case 0:
		return Choice{}, fail.New(fail.BadLayout, "no known layout reads all of %d sampled keys: %s", len(keys), strings.Join(against, "; ")).
			At("%s", l.URI("")).Try(hint)
	}
	var names []string
	for _, c := range fitting {
		names = append(names, c.Name)
	}
	return Choice{Fits: len(fitting)}, fail.New(fail.BadLayout, "the layouts %s each read all of %d sampled keys, such as %s", strings.Join(names, " and "), len(keys), keys[0]).
		At("%s", l.URI("")).Try(hint)
}

// refuses returns a key that the candidate does not read, and why; no key is
// data counts as that, too.
func (c Candidate) refuses(keys []string) (key, reason string) {
	data := 0
	for _, key := range keys {
		_, verdict := c.Layout.Parse(key)
		switch verdict.Kind {
		case Unknown:
			return key, verdict.Reason
		case Data:
			data++
		}
	}
	if data == 0 {
		return keys[0], "none of the keys holds records"
	}
	return "", ""
}
