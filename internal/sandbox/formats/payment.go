package formats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// PaymentSchema is the Avro schema of a payroll event as Connect makes it of a producer's: every field may be missing,
// amounts are Decimals of scale 2 without a stated precision, hours went through a double, instants stayed text.
var PaymentSchema = paymentSchema()

// RecordSchema is the schema of a record: each part is a name, a space and the type in JSON.
func RecordSchema(name, namespace string, parts ...string) string {
	fields := make([]string, len(parts))
	for i, part := range parts {
		field, kind, _ := strings.Cut(part, " ")
		fields[i] = fmt.Sprintf(`{"name":%q,"type":%s}`, field, kind)
		if strings.HasPrefix(kind, `["null"`) {
			fields[i] = fmt.Sprintf(`{"name":%q,"type":%s,"default":null}`, field, kind)
		}
	}
	return fmt.Sprintf(`{"type":"record","name":%q,"namespace":%q,"fields":[%s]}`, name, namespace, strings.Join(fields, ","))
}

// Nullable is the union of null and a type in JSON.
func Nullable(kind string) string { return `["null",` + kind + `]` }

const connectDecimal = `{"type":"bytes","scale":2,"precision":64,"connect.version":1,"connect.parameters":{"scale":"2"},` +
	`"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`

func paymentSchema() string {
	const space = "com.example.payroll"
	text, long, money := Nullable(`"string"`), Nullable(`"long"`), Nullable(connectDecimal)
	line := RecordSchema("Line", space, "code "+text, "hours "+Nullable(`"double"`), "taxable "+Nullable(`"boolean"`))
	return RecordSchema("Payment", space,
		"event_id "+text, "type "+text, "occurred_at "+text, "version "+long, "updated_at "+text, "company_id "+long,
		"pay_run_id "+text,
		"employee "+Nullable(RecordSchema("Employee", space, "id "+long, "name "+text, "department "+text)),
		"currency "+text, "gross_amount "+money, "tax_amount "+money, "net_amount "+money, "bank_account "+text,
		"details "+Nullable(RecordSchema("Details", space, "method "+text, "batch "+text,
			"lines "+Nullable(`{"type":"array","items":`+Nullable(line)+`}`), "note "+text, "approved "+Nullable(`"boolean"`))),
		"trace_id "+text, "schema_rev "+text,
		"_kafka "+Nullable(RecordSchema("Place", space, "partition "+long, "offset "+long, "timestamp "+long)))
}

// Payment turns one event in JSON into a datum of PaymentSchema. An event with a value that the schema cannot hold,
// such as an amount that is not exact at two decimals, is an error. The field flags, an array of mixed types, has no
// form in Avro and is left out, as Connect's converter would have refused it.
func Payment(line []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var event map[string]any
	if err := d.Decode(&event); err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value stands in %.60q", line)
	}
	delete(event, "flags")
	s, err := parseSchema(PaymentSchema)
	if err != nil {
		return nil, err
	}
	datum, err := fit(s, event)
	if err != nil {
		return nil, fmt.Errorf("giving the event the schema Payment: %w", err)
	}
	return datum.(map[string]any), nil
}

// fit turns a JSON value, its numbers as text, into a datum of s.
func fit(s *schema, v any) (any, error) {
	switch {
	case v == nil && s.nullable:
		return nil, nil
	case s.decimal:
		return unscaled(s, v)
	}
	switch v := v.(type) {
	case bool:
		if s.kind == "boolean" {
			return v, nil
		}
	case string:
		if s.kind == "string" {
			return v, nil
		}
	case json.Number:
		switch s.kind {
		case "long", "int":
			return v.Int64() // that an int holds it is checked when it is written
		case "double":
			return v.Float64()
		}
	case []any:
		if s.kind == "array" {
			return fitItems(s, v)
		}
	case map[string]any:
		if s.kind == "record" {
			return fitRecord(s, v)
		}
	}
	return nil, s.misfit(v)
}

func fitItems(s *schema, items []any) (any, error) {
	out := make([]any, len(items))
	for i, item := range items {
		var err error
		if out[i], err = fit(s.items, item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func fitRecord(s *schema, record map[string]any) (any, error) {
	out := make(map[string]any, len(s.fields))
	known := 0
	for _, f := range s.fields {
		v, ok := record[f.name]
		if ok {
			known++
		}
		var err error
		if out[f.name], err = fit(f.schema, v); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if known != len(record) {
		return nil, fmt.Errorf("the record %s has other fields, too", s.name)
	}
	return out, nil
}

// unscaled returns the digits of an amount at the schema's scale.
func unscaled(s *schema, v any) ([]byte, error) {
	switch v.(type) {
	case string, json.Number:
		return Unscaled(s.scale, v)
	}
	return nil, s.misfit(v)
}

// Unscaled returns the digits of an amount, a decimal as text or as a json.Number, at a scale: the shortest big-endian two's
// complement. One that is not exact there is an error.
func Unscaled(scale int, v any) ([]byte, error) {
	text := fmt.Sprint(v)
	r, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsAny(text, "/_") {
		return nil, fmt.Errorf("%q is no decimal", text)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	if !r.IsInt() {
		return nil, fmt.Errorf("%q is not exact at %d decimals", text, scale)
	}
	return TwosComplement(r.Num()), nil
}

// TwosComplement returns the shortest big-endian form of a signed integer, at least one byte.
func TwosComplement(n *big.Int) []byte {
	if n.Sign() >= 0 {
		b := n.Bytes()
		if len(b) == 0 || b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	// -n-1 has the inverted bits of n.
	b := new(big.Int).Not(n).Bytes()
	for i := range b {
		b[i] = ^b[i]
	}
	if len(b) == 0 || b[0] < 0x80 {
		b = append([]byte{0xff}, b...)
	}
	return b
}
