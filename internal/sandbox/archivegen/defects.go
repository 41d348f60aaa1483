package archivegen

import (
	"bytes"
	"strings"
)

// defect replaces one field of an event, key and value, or leaves it out where text is empty. In text,
// # stands for the event's second in UTC (2006-01-02T15:04:05) and $ for a JSON string of 70,000 bytes.
type defect struct {
	field  field
	text   string
	reason string
}

// badValues fit JSON, not the columns of DatasetYAML. Their event time is usable.
var badValues = []defect{
	{fieldGross, `"gross_amount":"1234.567"`, "gross_amount is not exact at scale 2"},
	{fieldEventID, ``, "event_id is absent and required"},
	{fieldEmployee, `"employee":{"id":9223372036854775808,"name":"Over Flow"}`, "employee.id is beyond bigint"},
	{fieldGross, `"gross_amount":"10000000000000000.00"`, "gross_amount has 19 digits"},
	{fieldCurrency, `"currency":"EURO"`, "currency is longer than char(3)"},
	{fieldOccurred, `"occurred_at":"#.1234567Z"`, "occurred_at has digits past microseconds"},
	{fieldTax, `"tax_amount":"1.005"`, "tax_amount is not exact at scale 2"},
	{fieldEmployee, `"employee":{"id":null,"name":"No Id"}`, "employee.id is null and required"},
	{fieldGross, `"gross_amount":"1,234.50"`, "gross_amount is not a number: thousands separator"},
	{fieldEventID, `"event_id":null`, "event_id is null and required"},
	{fieldGross, `"gross_amount":1.2345e-1`, "gross_amount is not exact at scale 2, in exponent spelling"},
	{fieldPayRun, `"pay_run_id":"PR-0123456789-0123456789-0123456789-X"`, "pay_run_id is longer than 36 bytes"},
	{fieldEmployee, `"employee":{"id":12.5,"name":"Half Id"}`, "employee.id is not an integer"},
	{fieldGross, `"gross_amount":"NaN"`, "gross_amount is not a number: NaN"},
	{fieldEventID, `"event_id":"ééééééééééééééééééé"`, "event_id has 19 characters in 38 bytes"},
	{fieldNet, `"net_amount":true`, "net_amount is not a number: boolean"},
	{fieldCurrency, `"currency":"€"`, "currency holds a multi-byte character, which char cannot"},
	{fieldBank, `"bank_account":"XX0123456789012345678901234567890123456789012345678901234567890123"`, "bank_account is longer than 64 bytes"},
	{fieldGross, `"gross_amount":{"value":"12.00"}`, "gross_amount is not a number: object"},
	{fieldDetails, `"details":{"blob":$}`, "details is longer than 65,535 bytes"},
}

// undatables have no usable event time.
var undatables = []defect{
	{fieldOccurred, ``, "occurred_at is absent"},
	{fieldOccurred, `"occurred_at":null`, "occurred_at is null"},
	{fieldOccurred, `"occurred_at":""`, "occurred_at is empty"},
	{fieldOccurred, `"occurred_at":"soon"`, "occurred_at is not a time"},
	{fieldOccurred, `"occurred_at":"2026-02-30T08:00:00.000000Z"`, "occurred_at is a date that does not exist"},
}

const blobBytes = 70_000

// render writes the defect's field; it reports whether it wrote anything.
func (d *defect) render(w *writer, buf []byte, e *event) ([]byte, bool) {
	for i := range len(d.text) {
		switch c := d.text[i]; c {
		case '#':
			buf = w.appendSecond(buf, floorDiv(e.occurred, 1_000_000))
		case '$':
			buf = append(buf, '"')
			buf = append(buf, strings.Repeat("x", blobBytes)...)
			buf = append(buf, '"')
		default:
			buf = append(buf, c)
		}
	}
	return buf, d.text != ""
}

// malformations turn the line of an event into something that is not JSON, nor several JSON values.
var malformations = []struct {
	reason string
	mangle func(line []byte) []byte
}{
	{"the line is cut in the middle", func(line []byte) []byte { return line[:len(line)/2] }},
	{"the last brace is missing", func(line []byte) []byte { return line[:len(line)-1] }},
	{"a colon became an equals sign", func(line []byte) []byte { return bytes.Replace(line, []byte(`":`), []byte(`"=`), 1) }},
	{"a comma stands before the last brace", func(line []byte) []byte { return append(line[:len(line)-1], ",}"...) }},
	{"the line is an error page", func(line []byte) []byte {
		return append(line[:0], "<html><body>503 Service Unavailable</body></html>"...)
	}},
	{"strings stand in single quotes", func(line []byte) []byte { return bytes.ReplaceAll(line, []byte(`"`), []byte(`'`)) }},
}
