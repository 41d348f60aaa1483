package decode

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/bits"
	"slices"
	"unicode/utf8"

	"backfill/internal/columns"
	"backfill/internal/kafka"
	"backfill/internal/mask"
	"backfill/internal/schema"
)

// store gives a value to everyone who wants it.
func (s *Scanner) store(pl *place, t *token) {
	for i := range pl.sinks {
		if k := &pl.sinks[i]; k.op <= lastColumnOp {
			s.storeColumn(k, t)
		} else {
			s.storeField(k, t)
		}
	}
}

// storeAbsent does for the places not met what a null does, once a record.
func (s *Scanner) storeAbsent() {
	absent := token{kind: columns.Absent}
	all := len(s.tree.places)
	for word, seen := range s.seen {
		missing := ^seen
		if last := all - word<<6; last < 64 {
			missing &= 1<<last - 1
		}
		for ; missing != 0; missing &= missing - 1 {
			s.store(s.tree.places[word<<6+bits.TrailingZeros64(missing)], &absent)
		}
	}
}

// storeColumn converts the value to its column's type, in the batch's row.
func (s *Scanner) storeColumn(k *sink, t *token) {
	v, row := &s.cols[k.index], s.row
	if k.overflow {
		s.dropLarge(k.index) // of an earlier value of the same key
	}
	if t.kind == columns.Null || t.kind == columns.Absent {
		v.Null[row] = true
		if k.required {
			s.misfit(k, t, Required)
		}
		return
	}
	v.Null[row] = false
	var r Reason
	if k.unscaled != nil && (k.op == toDecimal || k.op == toWide) {
		if t, r = s.spelled(t, *k.unscaled); r != fits {
			s.misfit(k, t, r)
			return
		}
	}
	if t.kind == columns.Other && (k.op == toDecimal || k.op == toWide) {
		if t, r = s.scaled(t); r != fits {
			s.misfit(k, t, r)
			return
		}
	}
	switch k.op {
	case toInt:
		v.I[row], r = t.integer(k.min, k.max)
	case toDecimal:
		v.I[row], r = t.decimal(k.typ.Precision, k.typ.Scale)
	case toWide:
		start := len(s.arena)
		s.arena, r = t.wide(s.arena, k.typ.Precision, k.typ.Scale)
		v.S[row] = s.arena[start:len(s.arena):len(s.arena)]
	case toBool:
		v.I[row], r = t.boolean()
	case toDate:
		v.I[row], r = t.date(k.days)
	case toTimestamp:
		v.I[row], r = t.timestamp(k.moment)
	case toChar, toVarchar:
		v.S[row], r = t.text, t.fitsText(k)
	case toMasked:
		start := len(s.arena)
		s.arena, r = t.masked(s.arena, s.masker)
		v.S[row] = s.arena[start:len(s.arena):len(s.arena)]
	case toSuper:
		v.S[row], r = t.raw, s.fitsSuper(t)
		if r == TooLongValue && k.overflow {
			v.Null[row], r = true, fits
			s.rec.Large = append(s.rec.Large, Large{Column: k.index, Raw: t.raw})
		}
	}
	if r != fits {
		s.misfit(k, t, r)
	}
}

func (s *Scanner) dropLarge(column int) {
	s.rec.Large = slices.DeleteFunc(s.rec.Large, func(l Large) bool { return l.Column == column })
}

func (s *Scanner) misfit(k *sink, t *token, r Reason) {
	s.bad[k.index] = Reject{Column: k.index, Reason: r, raw: t.raw, typ: k.typ, masked: k.op == toMasked}
	s.misfits = true
}

// storeField stores what the record carries beside its columns.
func (s *Scanner) storeField(k *sink, t *token) {
	r := &s.rec
	switch k.op {
	case toEventTime:
		var n int64
		n, r.EventTimeState = fieldOf(t, func() (int64, Reason) { return t.timestamp(k.moment) })
		r.EventTime = kafka.Instant(n)
	case toKafkaTime:
		var n int64
		n, r.TimestampState = fieldOf(t, func() (int64, Reason) { return t.timestamp(k.moment) })
		r.Timestamp = kafka.Instant(n)
	case toPartition:
		var n int64
		n, r.PartitionState = fieldOf(t, func() (int64, Reason) { return t.integer(k.min, k.max) })
		r.Partition = kafka.Partition(n)
	case toOffset:
		var n int64
		n, r.OffsetState = fieldOf(t, func() (int64, Reason) { return t.integer(k.min, k.max) })
		if r.Offset = kafka.Offset(n); r.OffsetState != OK {
			r.Offset = kafka.NoOffset
		}
	case toValue:
		s.inside = t.kind
	case toAround:
		s.around = s.around || t.kind == columns.Null
	case toWitness:
		s.witness = t.kind != columns.Absent
	case toWhere:
		r.Where[k.index] = columns.Scalar{Kind: t.kind}
		switch t.kind {
		case columns.Bool, columns.Number, columns.String:
			r.Where[k.index].Text = t.text
		}
	}
}

// fieldOf tells missing, bad and sound values of a field apart.
func fieldOf(t *token, read func() (int64, Reason)) (int64, State) {
	if t.kind == columns.Null || t.kind == columns.Absent {
		return 0, Missing
	}
	n, r := read()
	if r != fits {
		return 0, Bad
	}
	return n, OK
}

// numeric reports whether the value may be a number.
func (t *token) numeric() bool { return t.kind == columns.Number || t.kind == columns.String }

// integer returns a whole number within [low, high].
func (t *token) integer(low, high int64) (int64, Reason) {
	if !t.numeric() {
		return 0, WrongType
	}
	return parseInteger(t.text, low, high)
}

// decimal returns a number of at most 18 digits, times ten to the scale.
func (t *token) decimal(precision, scale int) (int64, Reason) {
	if !t.numeric() {
		return 0, WrongType
	}
	return parseDecimal(t.text, precision, scale)
}

// wide appends a number, times ten to the scale, as 16 bytes.
func (t *token) wide(dst []byte, precision, scale int) ([]byte, Reason) {
	if !t.numeric() {
		return dst, WrongType
	}
	return appendWide(dst, t.text, precision, scale)
}

// boolean returns 1 for true and 0 for false.
func (t *token) boolean() (int64, Reason) {
	if t.kind == columns.Bool || t.kind == columns.String {
		switch string(t.text) {
		case "true":
			return 1, fits
		case "false":
			return 0, fits
		}
	}
	return 0, WrongType
}

// spelled returns a decimal in base64 as a number. Its raw text stays.
func (s *Scanner) spelled(t *token, scale int) (*token, Reason) {
	if t.kind != columns.String {
		return t, WrongType
	}
	var room [64]byte
	bytes, err := base64.StdEncoding.AppendDecode(room[:0], t.text)
	if err != nil || len(bytes) == 0 || len(bytes) > maxUnscaledBytes {
		return t, BadUnscaled
	}
	from := len(s.arena)
	s.arena = AppendUnscaled(s.arena, bytes, scale)
	return &token{kind: columns.Number, text: s.arena[from:len(s.arena):len(s.arena)], raw: t.raw}, fits
}

// scaled returns a decimal that carries its scale, Debezium's {"scale": 2, "value":
// base64}, as a number. Anything else stays what it is.
func (s *Scanner) scaled(t *token) (*token, Reason) {
	var d struct {
		Scale *int    `json:"scale"`
		Value *string `json:"value"`
	}
	in := json.NewDecoder(bytes.NewReader(t.raw))
	in.DisallowUnknownFields()
	if in.Decode(&d) != nil || d.Scale == nil || d.Value == nil {
		return t, WrongType
	}
	if *d.Scale < 0 || *d.Scale > maxDecimalScale {
		return t, BadUnscaled
	}
	text := []byte(*d.Value)
	return s.spelled(&token{kind: columns.String, text: text, raw: t.raw}, *d.Scale)
}

// maxDecimalScale is the most digits behind the point of a decimal that carries
// its scale.
const maxDecimalScale = 100

// maxUnscaledBytes bounds a decimal in base64: 38 digits take 16 bytes, and some
// writers pad them.
const maxUnscaledBytes = 64

// date returns days since 1970-01-01; numbers are such, where days says so.
func (t *token) date(days bool) (int64, Reason) {
	if days && t.kind == columns.Number {
		return parseInteger(t.text, firstDay, lastDay)
	}
	if t.kind != columns.String {
		return 0, WrongType
	}
	return parseDate(t.text)
}

// timestamp returns microseconds since 1970-01-01T00:00:00Z.
func (t *token) timestamp(m *moment) (int64, Reason) {
	switch t.kind {
	case columns.String:
		return m.text(t.text)
	case columns.Number:
		return m.number(t.text)
	}
	return 0, WrongType
}

// fitsText checks a char or varchar.
func (t *token) fitsText(k *sink) Reason {
	switch {
	case t.kind == columns.Number && k.op == toVarchar:
	case t.kind != columns.String:
		return WrongType
	case t.hurt&halfPair != 0:
		return InvalidUnicode
	case t.hurt&nul != 0:
		return NulCharacter
	}
	if len(t.text) > k.typ.Length {
		return TooLongValue
	}
	if k.op == toChar && !isASCII(t.text) {
		return NotASCII
	}
	return fits
}

// masked appends what stands for a text, of whatever length. The text itself is
// kept nowhere.
func (t *token) masked(dst []byte, m *mask.Masker) ([]byte, Reason) {
	switch {
	case t.kind != columns.String && t.kind != columns.Number:
		return dst, WrongType
	case t.hurt&halfPair != 0:
		return dst, InvalidUnicode
	}
	return m.Append(dst, t.text), fits
}

// fitsSuper checks the raw JSON of a super value. It is staged as text of at most
// 65,535 bytes, so that no string within can exceed the 65,535 bytes that SUPER
// takes, and no value its 16 MB. Characters that the
// warehouse can't hold are looked for where there are \u escapes at all.
func (s *Scanner) fitsSuper(t *token) Reason {
	if len(t.raw) > schema.MaxVarchar {
		return TooLongValue
	}
	if s.unicode {
		switch h := inspect(t.raw); {
		case h&halfPair != 0:
			return InvalidUnicode
		case h&nul != 0:
			return NulCharacter
		}
	}
	return fits
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
