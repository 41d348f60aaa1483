package producer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/formats"
)

// Debezium's settings that are modelled, by its names and the converter's; the last one is the database's.
const (
	setDecimals = "decimal.handling.mode"
	setSchemas  = "value.converter.schemas.enable"
	setTimeType = "column.type"
)

const (
	decimalsPrecise = "precise"
	decimalsString  = "string"
	decimalsDouble  = "double"
)

const (
	typeZoned = "timestamptz"
	typeMicro = "timestamp"
)

func debeziumShapes() []Shape {
	return []Shape{{Name: "debezium", Line: "Debezium's change events in JSON: before, after, op, source; decimals in base64, text or doubles, with or without a schema",
		Settings: archiver.Settings{setDecimals: decimalsPrecise, setSchemas: "false", setTimeType: typeZoned}, Open: openDebezium}}
}

// debezium captures a table of payroll events: its rows are flat, and nested values are its columns of type json.
type debezium struct {
	decimals, timeType string
	schemas            bool
}

func openDebezium(c Config) (Producer, error) {
	d := &debezium{}
	var err error
	if d.decimals, err = choice(c.Settings, setDecimals, decimalsPrecise, decimalsString, decimalsDouble); err != nil {
		return nil, err
	}
	if d.timeType, err = choice(c.Settings, setTimeType, typeZoned, typeMicro); err != nil {
		return nil, err
	}
	schemas, err := choice(c.Settings, setSchemas, "true", "false")
	d.schemas = schemas == "true"
	return d, err
}

// Facts says that details is text that holds JSON, and what decimals and instants have become.
func (d *debezium) Facts() Facts {
	const columns = "the columns of the table hold no such values"
	f := Facts{
		Position: "source.lsn", Layers: []string{"debezium"}, Records: []string{"json_in: [value.details]"}, Columns: map[string]string{},
		Paths:  map[string]string{"value.employee.id": "value.employee_id"},
		Cannot: map[string]string{"bad_values": columns, "undatable": "the column occurred_at is NOT NULL"},
	}
	if d.schemas {
		f.Layers = []string{"connect", "debezium"}
	}
	switch d.decimals {
	case decimalsPrecise:
		for _, name := range amounts {
			f.Columns[name] = "unscaled: 2"
		}
	case decimalsDouble:
		f.Damages = damaged
	}
	if d.timeType == typeMicro {
		f.Columns["occurred_at"] = "unit: micros"
		f.Records = append(f.Records, "event_time_unit: micros")
	}
	return f
}

// Value is a change event. Only deletes have what the row was, as with a replica identity that is not full for updates.
func (d *debezium) Value(e Event) (Value, error) {
	row, err := d.row(e.JSON)
	if err != nil {
		return Value{}, err
	}
	op, before, after := "c", any(nil), any(row)
	switch {
	case e.Delete:
		op, before, after = "d", row, nil
	case e.Update:
		op = "u"
	case e.Offset%97 == 3:
		op = "r"
	}
	lsn := 24_000_000 + 96*(e.Offset*64+int64(e.Partition))
	envelope := map[string]any{
		"before": before, "after": after, "op": op, "ts_ms": e.Committed + 340, "ts_us": (e.Committed+340)*1000 + 17, "transaction": nil,
		"source": map[string]any{
			"version": "2.7.3.Final", "connector": "postgresql", "name": "payroll", "ts_ms": e.Committed, "snapshot": strconv.FormatBool(op == "r"),
			"db": "hr", "sequence": fmt.Sprintf(`["%d","%d"]`, lsn-96, lsn), "schema": "public", "table": "payroll_events",
			"txId": 5_000 + e.Offset, "lsn": lsn, "xmin": nil,
		},
	}
	var out any = envelope
	if d.schemas {
		out = map[string]any{"schema": d.schema(), "payload": envelope}
	}
	text, err := encode(out)
	if err != nil {
		return Value{}, err
	}
	key, err := encode(map[string]any{"event_id": row["event_id"]})
	return Value{Bytes: text, Key: key}, err
}

// row is the table's row.
func (d *debezium) row(event []byte) (map[string]any, error) {
	row, err := object(event)
	if err != nil {
		return nil, err
	}
	employee, _ := row["employee"].(map[string]any)
	delete(row, "employee")
	row["employee_id"], row["employee_name"] = employee["id"], employee["name"]
	for name, v := range row {
		switch v.(type) {
		case map[string]any, []any:
			text, err := encode(v)
			if err != nil {
				return nil, err
			}
			row[name] = string(text)
		}
	}
	for _, name := range amounts {
		if row[name], err = d.amount(row[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range []string{"occurred_at", "updated_at"} {
		at, err := micros(row[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		row[name] = at
		if n, ok := at.(int64); ok && d.timeType == typeZoned {
			row[name] = time.UnixMicro(n).UTC().Format("2006-01-02T15:04:05.000000Z")
		}
	}
	return row, nil
}

func (d *debezium) amount(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if d.decimals == decimalsDouble {
		f, err := double(v)
		return json.RawMessage(javaDouble(f)), err
	}
	digits, err := formats.Unscaled(2, v)
	if err != nil || d.decimals == decimalsPrecise {
		return base64.StdEncoding.EncodeToString(digits), err
	}
	r, _ := new(big.Rat).SetString(fmt.Sprint(v)) // Unscaled has read it
	return r.FloatString(2), nil
}

func double(v any) (float64, error) {
	f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil {
		return 0, fmt.Errorf("reading an amount: %w", err)
	}
	return f, nil
}

// javaDouble is Java's Double.toString, which JsonConverter writes: 1.0E7 from ten millions on.
func javaDouble(f float64) string {
	if a := math.Abs(f); f == 0 || a >= 1e-3 && a < 1e7 {
		text := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent) // FormatFloat writes a whole number
	return mantissa + "E" + strconv.Itoa(n)
}

// exactDigits is how many significant decimal digits every double keeps.
const exactDigits = 15

// damaged tells whether an amount has more digits than a double keeps.
func damaged(e Event) (bool, error) {
	event, err := object(e.JSON)
	if err != nil {
		return false, err
	}
	for _, name := range amounts {
		if event[name] == nil {
			continue
		}
		r, ok := new(big.Rat).SetString(fmt.Sprint(event[name]))
		if !ok {
			return false, fmt.Errorf("%s: %v is no amount", name, event[name])
		}
		if digits := strings.Trim(strings.NewReplacer("-", "", ".", "").Replace(r.FloatString(2)), "0"); len(digits) > exactDigits {
			return true, nil
		}
	}
	return false, nil
}

// schema is the block that JsonConverter writes beside each payload.
func (d *debezium) schema() any {
	at := connectField("occurred_at", "string", "io.debezium.time.ZonedTimestamp")
	if d.timeType == typeMicro {
		at = connectField("occurred_at", "int64", "io.debezium.time.MicroTimestamp")
	}
	row := []any{connectField("event_id", "string", "io.debezium.data.Uuid"), connectField("type", "string", ""), at, connectField("version", "int32", ""),
		connectField("employee_id", "int64", ""), connectField("company_id", "int64", ""), connectField("currency", "string", ""),
		connectField("details", "string", "io.debezium.data.Json")}
	for _, name := range amounts {
		switch d.decimals {
		case decimalsPrecise:
			row = append(row, connectDecimal(name))
		default:
			row = append(row, connectField(name, d.decimals, "")) // string and double are types, too
		}
	}
	part := func(name string) any {
		return map[string]any{"type": "struct", "optional": true, "field": name, "name": "payroll.public.payroll_events.Value", "fields": row}
	}
	return map[string]any{"type": "struct", "optional": false, "name": "payroll.public.payroll_events.Envelope", "version": 2,
		"fields": []any{part("before"), part("after"), connectField("op", "string", ""), connectField("ts_ms", "int64", "")}}
}

// connectField is a field of a schema as JsonConverter writes it.
func connectField(name, kind, logical string) map[string]any {
	f := map[string]any{"type": kind, "optional": true, "field": name}
	if logical != "" {
		f["name"], f["version"] = logical, 1
	}
	return f
}

func connectDecimal(name string) map[string]any {
	f := connectField(name, "bytes", "org.apache.kafka.connect.data.Decimal")
	f["parameters"] = map[string]string{"scale": "2", "connect.decimal.precision": "18"}
	return f
}
