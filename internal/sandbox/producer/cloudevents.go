package producer

import (
	"fmt"

	"backfill/internal/sandbox/archiver"
)

const (
	setMode        = "content.mode"
	modeStructured = "structured"
	modeBinary     = "binary"
)

func cloudEventsShapes() []Shape {
	return []Shape{{Name: "cloudevents", Line: "CloudEvents 1.0: the event in data; with content.mode=binary its attributes in headers",
		Settings: archiver.Settings{setMode: modeStructured}, Open: openCloudEvents}}
}

type cloudEvents struct{ binary bool }

func openCloudEvents(c Config) (Producer, error) {
	mode, err := choice(c.Settings, setMode, modeStructured, modeBinary)
	return cloudEvents{binary: mode == modeBinary}, err
}

// Facts says that in the binary mode the type is known from a header alone.
func (c cloudEvents) Facts() Facts {
	if c.binary {
		return Facts{Headers: true, Paths: map[string]string{"value.type": "envelope.headers.ce_type"}}
	}
	return Facts{Layers: []string{"cloudevents"}}
}

// Value wraps an event. Each version of an event is a CloudEvent of its own, with an id of its own.
func (c cloudEvents) Value(e Event) (Value, error) {
	event, err := object(e.JSON)
	if err != nil {
		return Value{}, err
	}
	id := fmt.Sprintf("%v/%v", event["event_id"], event["version"])
	if event["event_id"] == nil {
		id = fmt.Sprintf("%d-%d", e.Partition, e.Offset)
	}
	const source = "/payroll/core"
	kind := fmt.Sprint(event["type"])
	at, timed := event["occurred_at"].(string)
	if c.binary {
		delete(event, "type")
		text, err := encode(event)
		headers := []archiver.Header{{Key: "ce_specversion", Value: "1.0"}, {Key: "ce_id", Value: id}, {Key: "ce_source", Value: source},
			{Key: "ce_type", Value: kind}, {Key: "content-type", Value: "application/json"}}
		if timed {
			headers = append(headers, archiver.Header{Key: "ce_time", Value: at})
		}
		return Value{Bytes: text, Headers: headers}, err
	}
	out := map[string]any{"specversion": "1.0", "id": id, "source": source, "type": kind, "datacontenttype": "application/json", "data": event}
	if timed {
		out["time"] = at
	}
	text, err := encode(out)
	return Value{Bytes: text, Headers: []archiver.Header{{Key: "content-type", Value: "application/cloudevents+json; charset=UTF-8"}}}, err
}
