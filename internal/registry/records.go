package registry

import (
	"encoding/base64"
	"encoding/json"

	"backfill/internal/decode"
	"backfill/internal/format"
)

// Place says where a framed value stands in a record.
type Place struct {
	Value   []string // path to its base64, from the record down; empty: the record is it
	Headers []string // path to the record's headers, where they may name the schema; nil: they don't
}

// Records opens framed values inside records.
type Records struct {
	from   decode.Records
	at     Place
	opener *Decoder
	number int64
	kept   []kept // of records that were read and not taken yet

	text, value, header, opened []byte // the record at hand
}

type kept struct {
	number int64
	Opened
}

// NewRecords returns the records with the base64 at the place replaced by the
// JSON of the value. A null stays one, and so does an absent value; what can't
// be opened is a *decode.BadRecord.
func NewRecords(from decode.Records, at Place, opener *Decoder) *Records {
	return &Records{from: from, at: at, opener: opener}
}

// Next gives the next record.
func (r *Records) Next(dst []byte) ([]byte, error) {
	number := r.number
	r.number++
	text, err := r.from.Next(r.text[:0])
	r.text = text
	if err != nil {
		return dst, err
	}
	start, end, found := format.Find(text, r.at.Value)
	if !found || string(text[start:end]) == "null" {
		return append(dst, text...), nil
	}
	if r.value, err = unquoted(r.value[:0], text[start:end]); err != nil {
		return dst, &decode.BadRecord{Reason: decode.NotFramed, Detail: "the value is no base64 text", Raw: text, Around: decode.Around(text, start, end)}
	}
	header, err := r.headerOf(text)
	if err != nil {
		return dst, &decode.BadRecord{Reason: decode.NotFramed, Detail: "the header " + HeaderName + " is no base64 text", Raw: text, Around: decode.Around(text, start, end)}
	}
	opened, what, err := r.opener.Open(r.opened[:0], r.value, header)
	r.opened = opened
	if what.ID != "" {
		r.kept = append(r.kept, kept{number, what})
	}
	if b, ok := err.(*decode.BadRecord); ok {
		return dst, &decode.BadRecord{Reason: b.Reason, Detail: b.Detail, Raw: text, Around: decode.Around(text, start, end)}
	}
	if err != nil {
		return dst, err
	}
	dst = append(append(dst, text[:start]...), opened...)
	return append(dst, text[end:]...), nil
}

// Take says what the value of the record with that number was, once and in
// their order; false where it had no frame.
func (r *Records) Take(number int64) (Opened, bool) {
	for len(r.kept) > 0 && r.kept[0].number < number {
		r.kept = r.kept[1:]
	}
	if len(r.kept) == 0 || r.kept[0].number != number {
		return Opened{}, false
	}
	what := r.kept[0].Opened
	r.kept = r.kept[1:]
	return what, true
}

// unquoted appends the bytes of base64 in a JSON string.
func unquoted(dst, quoted []byte) ([]byte, error) {
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return dst, err
	}
	return base64.StdEncoding.AppendDecode(dst, []byte(text))
}

// pair is a header in a list of them.
type pair struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// headerOf returns the header that names the schema, nil for none. Headers are
// an object of them, as Lenses archives, or a list of pairs, as Aiven does.
func (r *Records) headerOf(text []byte) ([]byte, error) {
	if r.at.Headers == nil {
		return nil, nil
	}
	start, end, found := format.Find(text, r.at.Headers)
	if !found || string(text[start:end]) == "null" {
		return nil, nil
	}
	headers := text[start:end]
	var value []byte
	if headers[0] == '[' {
		var list []pair
		if err := json.Unmarshal(headers, &list); err != nil {
			return nil, err
		}
		for _, one := range list { // the last one counts, as for consumers
			if one.Key == HeaderName {
				value = one.Value
			}
		}
	} else if start, end, found := format.Find(headers, []string{HeaderName}); found {
		value = headers[start:end]
	}
	if value == nil || string(value) == "null" {
		return nil, nil
	}
	var err error
	r.header, err = unquoted(r.header[:0], value)
	return r.header, err
}
