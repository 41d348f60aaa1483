package scan

import (
	"bytes"
	"strconv"

	"backfill/internal/account"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/schema"
	"backfill/internal/suppression"
)

// matcher demands the list that the dataset names: without it erased people would
// come back.
func matcher(o Options) (*suppression.Matcher, error) {
	s := o.Dataset.Records.Suppress
	switch {
	case s == nil:
		return nil, nil
	case o.Suppressed == nil || o.Suppressed.List.SHA256 != s.SHA256:
		return nil, fail.New(fail.Internal, "the dataset's suppression list was not given")
	}
	return o.Suppressed.Matcher(), nil
}

// person returns the text of the column that says whose record it is, false where
// the record does not say it.
func (p *pass) person(r *decode.Record) ([]byte, bool) {
	at := p.o.Dataset.Records.Suppress.Column
	v, n := &p.batch.Cols[at], p.batch.N
	if r.Kind != decode.Value || v.Null[n] || r.Misfit(at) {
		return nil, false
	}
	if v.Shape == schema.Int {
		p.text = strconv.AppendInt(p.text[:0], v.I[n], 10)
		return p.text, true
	}
	if p.stage[at].Type.Kind == schema.Char {
		return bytes.TrimRight(v.S[n], " "), true
	}
	return v.S[n], true
}

// isErased reports whether the record is of somebody on the list.
func (p *pass) isErased(r *decode.Record) bool {
	if p.erased == nil {
		return false
	}
	person, known := p.person(r)
	return known && p.erased.Has(person)
}

// withholds reports whether a rejected record's bytes must stay in the archive:
// somebody's on the list may be among them, or a masked value.
func (p *pass) withholds(r *decode.Record, d account.Disposition) bool {
	if p.o.Dataset.MaskKeyID != "" {
		return true
	}
	if p.erased == nil {
		return false
	}
	_, known := p.person(r)
	return d == account.Unreadable || !known
}

// unknownPerson stands in the quarantine for the detail of a record of which nobody
// knows whose it is.
const unknownPerson = "not told: it may be of somebody on the suppression list"
