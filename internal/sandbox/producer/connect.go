package producer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/formats"
)

const (
	setDecimalFormat = "decimal.format"
	setSchemasEnable = "schemas.enable"
)

func connectShapes() []Shape {
	return []Shape{{Name: "connect", Line: "Connect's JsonConverter: amounts are Decimals, in base64 or as numbers, with or without a schema",
		Settings: archiver.Settings{setDecimalFormat: "BASE64", setSchemasEnable: "false"}, Open: openConnect}}
}

type connect struct{ base64, schemas bool }

func openConnect(c Config) (Producer, error) {
	format, err := choice(c.Settings, setDecimalFormat, "BASE64", "NUMERIC")
	if err != nil {
		return nil, err
	}
	schemas, err := choice(c.Settings, setSchemasEnable, "true", "false")
	return connect{base64: format == "BASE64", schemas: schemas == "true"}, err
}

// Facts says that the scale of amounts in base64 has to be told.
func (c connect) Facts() Facts {
	f := Facts{Columns: map[string]string{}, Cannot: typed("a Connect schema")}
	if c.schemas {
		f.Layers = []string{"connect"}
	}
	for _, name := range amounts {
		if c.base64 {
			f.Columns[name] = "unscaled: 2"
		}
	}
	return f
}

func (c connect) Value(e Event) (Value, error) {
	event, err := object(e.JSON)
	if err != nil {
		return Value{}, err
	}
	for _, name := range amounts {
		v := event[name]
		if v == nil {
			continue
		}
		digits, err := formats.Unscaled(2, v)
		if err != nil {
			return Value{}, fmt.Errorf("%s: %w", name, err)
		}
		if c.base64 {
			event[name] = base64.StdEncoding.EncodeToString(digits)
			continue
		}
		r, _ := new(big.Rat).SetString(fmt.Sprint(v)) // Unscaled has read it
		event[name] = json.Number(r.FloatString(2))
	}
	var out any = event
	if c.schemas {
		out = map[string]any{"schema": connectSchema(), "payload": event}
	}
	text, err := encode(out)
	return Value{Bytes: text}, err
}

// connectSchema names the fields whose types matter; JsonConverter would name all.
func connectSchema() any {
	fields := []any{connectField("event_id", "string", ""), connectField("type", "string", ""), connectField("occurred_at", "string", ""),
		connectField("version", "int64", ""), connectField("company_id", "int64", ""), connectField("currency", "string", "")}
	for _, name := range amounts {
		fields = append(fields, connectDecimal(name))
	}
	return map[string]any{"type": "struct", "optional": false, "name": "com.example.payroll.Payment", "fields": fields}
}
