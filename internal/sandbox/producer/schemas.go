package producer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"

	"backfill/internal/sandbox/archiver/batch"
	"backfill/internal/sandbox/formats"
)

const namespace = "com.example.payroll"

// The newer version of each schema knows fields that the older one lacks. What no version knows is not sent.
var (
	newFields = []string{"trace_id", "schema_rev"}
	noFields  = []string{"flags"}
)

// known takes away what a version doesn't know, and adds what only the newer one has.
func known(event map[string]any, later bool) map[string]any {
	event = maps.Clone(event)
	for _, name := range noFields {
		delete(event, name)
	}
	if later {
		event["channel"] = "core"
		return event
	}
	for _, name := range newFields {
		delete(event, name)
	}
	return event
}

func avroCannot() map[string]string {
	return batch.Cannot(typed("an Avro schema"), map[string]string{"undatable": "a timestamp-micros is an instant, and required"})
}

// avroVersions has amounts as decimals of 18 digits and instants in microseconds. The newer version orders its fields in
// another way and has widened the version's number.
func avroVersions() (out [2]version, err error) {
	const (
		at    = `{"type":"long","logicalType":"timestamp-micros"}`
		money = `["null",{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}]`
	)
	text, long := formats.Nullable(`"string"`), formats.Nullable(`"long"`)
	line := formats.RecordSchema("Line", namespace, "code "+text, "hours "+formats.Nullable(`"double"`), "taxable "+formats.Nullable(`"boolean"`))
	fields := []string{"event_id " + text, `type "string"`, "occurred_at " + at, `version "int"`, "updated_at " + at, "company_id " + long, "pay_run_id " + text,
		"employee " + formats.Nullable(formats.RecordSchema("Employee", namespace, "id "+long, "name "+text, "department "+text)),
		"currency " + text, "gross_amount " + money, "tax_amount " + money, "net_amount " + money, "bank_account " + text,
		"details " + formats.Nullable(formats.RecordSchema("Details", namespace, "method "+text, "batch "+text,
			"lines "+formats.Nullable(`{"type":"array","items":`+line+`}`), "note "+text, "approved "+formats.Nullable(`"boolean"`)))}
	newer := []string{"trace_id " + text, `channel "string"`}
	for i := len(fields) - 1; i >= 0; i-- {
		f := fields[i]
		if f == `version "int"` {
			f = `version "long"`
		}
		newer = append(newer, f)
	}
	newer = append(newer, "schema_rev "+text)
	for i, parts := range [2][]string{fields, newer} {
		schema := formats.RecordSchema("Payment", namespace, parts...)
		avro, err := formats.ParseAvro(schema)
		if err != nil {
			return out, err
		}
		out[i] = version{kind: "AVRO", text: schema, encode: func(event map[string]any) ([]byte, error) {
			event = known(event, i == 1)
			for _, name := range []string{"occurred_at", "updated_at"} {
				at, err := micros(event[name])
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				event[name] = json.Number(fmt.Sprint(at))
			}
			return avro.AppendJSON(nil, event)
		}}
	}
	return out, nil
}

// protoVersions has amounts and instants as text. In the newer version the message is the first one inside the second
// one of the file, so that its path is [1, 0]; the older path [0] is written as one byte.
func protoVersions() (out [2]version, err error) {
	field := func(n int, name, kind string) formats.ProtoField {
		return formats.ProtoField{Number: n, Name: name, Kind: kind}
	}
	message := func(newer bool) *formats.ProtoMessage {
		line := &formats.ProtoMessage{Name: "Line", Fields: []formats.ProtoField{field(1, "code", "string"), field(2, "hours", "double"), field(3, "taxable", "bool")}}
		details := &formats.ProtoMessage{Name: "Details", Fields: []formats.ProtoField{field(1, "method", "string"), field(2, "batch", "string"),
			{Number: 3, Name: "lines", Of: line, Repeated: true}, field(4, "note", "string"), field(5, "approved", "bool")}}
		employee := &formats.ProtoMessage{Name: "Employee", Fields: []formats.ProtoField{field(1, "id", "int64"), field(2, "name", "string"), field(3, "department", "string")}}
		m := &formats.ProtoMessage{Name: "Payment", Fields: []formats.ProtoField{field(1, "event_id", "string"), field(2, "type", "string"), field(3, "occurred_at", "string"),
			field(4, "version", "int64"), field(5, "updated_at", "string"), field(6, "company_id", "int64"), field(7, "pay_run_id", "string"),
			{Number: 8, Name: "employee", Of: employee}, field(9, "currency", "string"), field(10, "gross_amount", "string"), field(11, "tax_amount", "string"),
			field(12, "net_amount", "string"), field(16, "bank_account", "string"), {Number: 17, Name: "details", Of: details}}}
		if newer {
			m.Fields = append(m.Fields, field(300, "channel", "string"), field(301, "trace_id", "string"), field(302, "schema_rev", "string"))
		}
		return m
	}
	older, newer := message(false), message(true)
	audit := &formats.ProtoMessage{Name: "Audit", Fields: []formats.ProtoField{field(1, "sent_by", "string")}}
	events := &formats.ProtoMessage{Name: "Events", Nested: []*formats.ProtoMessage{newer}}
	out[0] = version{kind: "PROTOBUF", text: formats.ProtoFile(namespace, older), before: []byte{0}, encode: protoEncoder(older, false)}
	path := binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(nil, 2), 1), 0)
	out[1] = version{kind: "PROTOBUF", text: formats.ProtoFile(namespace, audit, events), before: path, encode: protoEncoder(newer, true)}
	return out, nil
}

func protoEncoder(m *formats.ProtoMessage, later bool) func(map[string]any) ([]byte, error) {
	return func(event map[string]any) ([]byte, error) {
		event = known(event, later)
		for _, name := range amounts {
			if n, ok := event[name].(json.Number); ok {
				event[name] = string(n)
			}
		}
		return m.AppendJSON(nil, event)
	}
}

// jsonVersions leaves the event as it is: the serializer checks nothing unless it is told to.
func jsonVersions() (out [2]version, err error) {
	for i := range out {
		properties := map[string]any{}
		for _, name := range []string{"event_id", "type", "occurred_at", "updated_at", "pay_run_id", "currency", "bank_account"} {
			properties[name] = map[string]any{"type": []string{"string", "null"}}
		}
		for _, name := range amounts {
			properties[name] = map[string]any{"type": []string{"string", "number", "null"}}
		}
		schema := map[string]any{"$schema": "http://json-schema.org/draft-07/schema#", "title": "Payment", "type": "object", "properties": properties}
		if i == 1 {
			properties["channel"] = map[string]any{"type": "string"}
			schema["additionalProperties"] = true
		}
		text, err := encode(schema)
		if err != nil {
			return out, err
		}
		out[i] = version{kind: "JSON", text: string(text), encode: func(event map[string]any) ([]byte, error) {
			if i == 1 {
				event = maps.Clone(event)
				event["channel"] = "core"
			}
			return encode(event)
		}}
	}
	return out, nil
}
