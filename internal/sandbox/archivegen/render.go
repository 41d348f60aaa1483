package archivegen

import (
	"strconv"
	"time"
)

// field is a top-level key of an event.
type field uint8

const (
	fieldEventID field = iota
	fieldType
	fieldOccurred
	fieldVersion
	fieldUpdated
	fieldCompany
	fieldPayRun
	fieldEmployee
	fieldCurrency
	fieldGross
	fieldTax
	fieldNet
	fieldBank
	fieldDetails
	fieldExtra
	fieldKafka
	fieldCount
)

var usualOrder = [fieldCount]field{
	fieldEventID, fieldType, fieldOccurred, fieldVersion, fieldUpdated, fieldCompany, fieldPayRun, fieldEmployee,
	fieldCurrency, fieldGross, fieldTax, fieldNet, fieldBank, fieldDetails, fieldExtra, fieldKafka,
}

var otherOrders = [...][fieldCount]field{
	{fieldKafka, fieldDetails, fieldNet, fieldTax, fieldGross, fieldCurrency, fieldEmployee, fieldEventID,
		fieldOccurred, fieldType, fieldBank, fieldPayRun, fieldExtra, fieldCompany, fieldUpdated, fieldVersion},
	{fieldType, fieldEventID, fieldVersion, fieldOccurred, fieldCompany, fieldEmployee, fieldExtra, fieldGross,
		fieldNet, fieldTax, fieldCurrency, fieldPayRun, fieldBank, fieldUpdated, fieldDetails, fieldKafka},
}

// coordinates are what Kafka knows about a record.
type coordinates struct {
	partition int
	offset    int64
	timestamp int64 // milliseconds; negative: none
}

// writer appends events as JSON. It remembers the last date it formatted; not safe for concurrent use.
type writer struct {
	cal      *calendar
	body     bool // write coordinates
	dateDay  int64
	dateText [10]byte
}

func newWriter(l *layout) *writer {
	return &writer{cal: l.cal, body: l.o.BodyOffsets, dateDay: -1 << 62}
}

// appendEvent appends one object, without a newline.
func (w *writer) appendEvent(buf []byte, e *event, at coordinates) []byte {
	order := &usualOrder
	if e.has(traitShuffled) {
		order = &otherOrders[e.style>>40%uint64(len(otherOrders))]
	}
	buf = append(buf, '{')
	for _, f := range order {
		var wrote bool
		if e.defect != nil && e.defect.field == f {
			buf, wrote = e.defect.render(w, buf, e)
		} else {
			buf, wrote = w.appendField(buf, f, e, at)
		}
		if wrote {
			buf = append(buf, ',')
		}
	}
	buf[len(buf)-1] = '}'
	return buf
}

// appendField appends one key and value, or nothing where the event does not carry the field.
func (w *writer) appendField(buf []byte, f field, e *event, at coordinates) ([]byte, bool) {
	if e.kind == viewed && f >= fieldCurrency && f <= fieldBank {
		return buf, false
	}
	switch f {
	case fieldEventID:
		return appendUUID(append(buf, `"event_id":`...), e.idHigh, e.idLow), true
	case fieldType:
		buf = append(append(buf, `"type":"`...), kindNames[e.kind]...)
		return append(buf, '"'), true
	case fieldOccurred:
		return w.appendTime(append(buf, `"occurred_at":`...), e.occurred, e.has(traitLocalOffset)), true
	case fieldVersion:
		return strconv.AppendInt(append(buf, `"version":`...), e.version, 10), true
	case fieldUpdated:
		return w.appendTime(append(buf, `"updated_at":`...), e.updated, false), true
	case fieldCompany:
		return strconv.AppendInt(append(buf, `"company_id":`...), e.company, 10), true
	case fieldPayRun:
		return w.appendPayRun(buf, e), true
	case fieldEmployee:
		return appendEmployee(buf, e), true
	case fieldCurrency:
		buf = append(append(buf, `"currency":"`...), currencies[e.currency]...)
		return append(buf, '"'), true
	case fieldGross:
		return appendMoney(append(buf, `"gross_amount":`...), e, e.gross), true
	case fieldTax:
		if e.has(traitNullTax) {
			return append(buf, `"tax_amount":null`...), true
		}
		return appendMoney(append(buf, `"tax_amount":`...), e, e.tax), true
	case fieldNet:
		return appendMoney(append(buf, `"net_amount":`...), e, e.net), true
	case fieldBank:
		return appendBank(buf, e), true
	case fieldDetails:
		return w.appendDetails(buf, e), true
	case fieldExtra:
		return appendExtraKeys(buf, e)
	case fieldKafka:
		return w.appendCoordinates(buf, at)
	}
	return buf, false
}

func (w *writer) appendCoordinates(buf []byte, at coordinates) ([]byte, bool) {
	if !w.body {
		return buf, false
	}
	buf = strconv.AppendInt(append(buf, `"_kafka":{"partition":`...), int64(at.partition), 10)
	buf = strconv.AppendInt(append(buf, `,"offset":`...), at.offset, 10)
	if at.timestamp >= 0 {
		buf = strconv.AppendInt(append(buf, `,"timestamp":`...), at.timestamp, 10)
	}
	return append(buf, '}'), true
}

// appendMoney spells an amount of hundredths: "1234.50", 1234.50, "1.2345e3".
func appendMoney(buf []byte, e *event, hundredths int64) []byte {
	quoted := !e.has(traitNumber)
	if quoted {
		buf = append(buf, '"')
	}
	n := uint64(hundredths)
	if hundredths < 0 {
		buf = append(buf, '-')
		n = -n
	} else if hundredths == 0 && e.negativeZero {
		buf = append(buf, '-')
	}
	if e.has(traitExponent) && n != 0 {
		buf = appendExponent(buf, n, e.style>>50&1 == 0)
	} else {
		buf = strconv.AppendUint(buf, n/100, 10)
		buf = append(buf, '.', byte('0'+n/10%10), byte('0'+n%10))
	}
	if quoted {
		buf = append(buf, '"')
	}
	return buf
}

// appendExponent spells n hundredths with one digit before the point: 123450 → 1.2345e3 or 1.2345E+3.
func appendExponent(buf []byte, n uint64, lower bool) []byte {
	exponent := -3
	for k := n; k > 0; k /= 10 {
		exponent++
	}
	for n%10 == 0 {
		n /= 10
	}
	first := len(buf)
	buf = strconv.AppendUint(buf, n, 10)
	if len(buf) > first+1 {
		buf = append(buf, 0)
		copy(buf[first+2:], buf[first+1:])
		buf[first+1] = '.'
	}
	if lower {
		return strconv.AppendInt(append(buf, 'e'), int64(exponent), 10)
	}
	buf = append(buf, 'E')
	if exponent >= 0 {
		buf = append(buf, '+')
	}
	return strconv.AppendInt(buf, int64(exponent), 10)
}

// appendTime appends a quoted RFC 3339 instant with six fractional digits, in UTC or with the zone's offset.
func (w *writer) appendTime(buf []byte, micros int64, local bool) []byte {
	offset := 0
	if local {
		_, offset = time.UnixMicro(micros).In(w.cal.loc).Zone()
	}
	second := floorDiv(micros, 1_000_000)
	fraction := micros - second*1_000_000
	buf = w.appendSecond(append(buf, '"'), second+int64(offset))
	buf = append(buf, '.')
	for scale := int64(100_000); scale > 0; scale /= 10 {
		buf = append(buf, byte('0'+fraction/scale%10))
	}
	if !local {
		return append(buf, 'Z', '"')
	}
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	buf = appendTwo(append(buf, sign), offset/3600)
	buf = appendTwo(append(buf, ':'), offset/60%60)
	return append(buf, '"')
}

// appendSecond appends 2006-01-02T15:04:05 for a second since the epoch.
func (w *writer) appendSecond(buf []byte, second int64) []byte {
	const secondsPerDay = 24 * 3600
	if d := floorDiv(second, secondsPerDay); d != w.dateDay {
		w.dateDay = d
		time.Unix(d*secondsPerDay, 0).UTC().AppendFormat(w.dateText[:0], time.DateOnly)
	}
	rest := int(second - w.dateDay*secondsPerDay)
	buf = append(append(buf, w.dateText[:]...), 'T')
	buf = append(appendTwo(buf, rest/3600), ':')
	buf = append(appendTwo(buf, rest/60%60), ':')
	return appendTwo(buf, rest%60)
}

func appendTwo(buf []byte, n int) []byte { return append(buf, byte('0'+n/10), byte('0'+n%10)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
