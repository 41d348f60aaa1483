package dataset

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// envelopeRoot begins paths from the archived record itself, where value is
// inside an envelope. No step that a dataset names can hold a dot.
const envelopeRoot = ".envelope"

const envelopeStart = "envelope"

// maxLayers bounds how deep envelopes are nested.
const maxLayers = 4

// Layer is an envelope around the record's value.
type Layer string

// The layers, each with the step that leads into it.
const (
	LayerLenses      Layer = "lenses"      // {key, value, headers, metadata{timestamp, topic, partition, offset}}
	LayerAiven       Layer = "aiven"       // {key, value, offset, timestamp, headers}, as far as they are on
	LayerMSK         Layer = "msk"         // {topic, partition, offset, timestamp, key, value, headers}, key and value base64: MSK's event for a function
	LayerSecor       Layer = "secor"       // {offset, value[, key, timestamp]}, key and value base64: Secor's SequenceFiles as they are read
	LayerConnect     Layer = "connect"     // {schema, payload}: JsonConverter with schemas.enable
	LayerDebezium    Layer = "debezium"    // {before, after, source, op, ts_ms}
	LayerCloudEvents Layer = "cloudevents" // {specversion, id, source, type, data}
)

var layerSteps = map[Layer]string{
	LayerLenses: "value", LayerAiven: "value", LayerMSK: "value", LayerSecor: "value", LayerConnect: "payload", LayerDebezium: "after", LayerCloudEvents: "data",
}

var layerNames = []string{string(LayerLenses), string(LayerAiven), string(LayerMSK), string(LayerSecor), string(LayerConnect), string(LayerDebezium), string(LayerCloudEvents)}

// Envelope says where the value stands in an archived record.
type Envelope struct {
	Joined bool     // side files are joined: the record is {key, headers, value} around all layers
	Layers []Layer  // from the outside
	Value  []string // steps to the value; nil: the record is the value
}

// Resolve returns a compiled path from the archived record down.
func (r Records) Resolve(path []string) []string {
	switch {
	case path == nil:
		return nil
	case len(path) > 0 && path[0] == envelopeRoot:
		return path[1:]
	}
	return append(append(make([]string, 0, len(r.Envelope.Value)+len(path)), r.Envelope.Value...), path...)
}

// Packed returns where the string stands that Unpack reads: inside the
// archiver's envelope, around what the value itself is.
func (r Records) Packed() []string {
	e := r.Envelope
	for i, layer := range e.Layers {
		switch layer {
		case LayerLenses, LayerAiven, LayerMSK, LayerSecor:
		default:
			return e.Value[:e.Depth(i)]
		}
	}
	return e.Value
}

// Depth returns how many steps lead into what the layer is written around.
func (e Envelope) Depth(layer int) int { return len(e.Value) - len(e.Layers) + layer }

// join puts the record that joined side files make around what the file says.
func (e *Envelope) join() {
	e.Joined, e.Value = true, append([]string{"value"}, e.Value...)
}

// envelope reads records.envelope: a name, a list of names from the outside in,
// or {value: steps}.
func (c *compiler) envelope(s section) {
	n := s.values["envelope"]
	if n == nil || n.Kind == yaml.ScalarNode && n.Value == "none" {
		return
	}
	var names []string
	var nodes []*yaml.Node
	switch n.Kind {
	case yaml.MappingNode:
		c.ownEnvelope(c.section(envelopePath, envelopePath, n))
		return
	case yaml.SequenceNode:
		names, nodes = c.names(s, "envelope")
	default:
		if name, ok := c.text(s, "envelope"); ok {
			names, nodes = []string{name}, []*yaml.Node{n}
		}
	}
	if len(names) > maxLayers {
		c.at(n, "", "records.envelope has more than %d layers", maxLayers)
	}
	e := &c.out.Records.Envelope
	for i, name := range names {
		step, known := layerSteps[Layer(name)]
		if !known {
			c.at(nodes[i], "use none, "+strings.Join(layerNames, ", ")+", a list of them from the outside in, or {value: …}", "records.envelope %s is not known", shown(name))
			continue
		}
		e.Layers, e.Value = append(e.Layers, Layer(name)), append(e.Value, step)
	}
}

// ownEnvelope reads {value: a.b}.
func (c *compiler) ownEnvelope(o section) {
	text, ok := c.text(o, "value")
	if !ok {
		if o.values["value"] == nil {
			c.missing(o, "value", "write where the value stands: {value: payload.body}")
		}
		return
	}
	steps := strings.Split(text, ".")
	for _, step := range steps {
		if step == "" || len(step) > maxStep || len(steps) > maxPath || strings.ContainsAny(step, badStep) {
			c.at(o.values["value"], "steps are the exact names of fields, put together by dots", "records.envelope.value %s is no path", shown(text))
			return
		}
	}
	c.out.Records.Envelope.Value = steps
}

// bindEnvelope takes from an envelope in which each record has its place in
// Kafka what the file does not place elsewhere.
func (r *Records) bindEnvelope() {
	place := r.Envelope.Witness()
	if place == nil {
		return
	}
	place = append([]string{envelopeRoot}, place[:len(place)-1]...)
	for field, path := range map[string]*[]string{"partition": &r.Partition, "offset": &r.Offset, "timestamp": &r.Timestamp} {
		if *path == nil {
			*path = append(place[:len(place):len(place)], field)
		}
	}
}

// Witness is where an envelope that holds each record's place in Kafka has its
// offset; nil for others. A record that has it is in the envelope, also where
// it has no value.
func (e Envelope) Witness() []string {
	if len(e.Layers) == 0 || e.Joined {
		return nil
	}
	switch e.Layers[0] {
	case LayerLenses:
		return []string{"metadata", "offset"}
	case LayerMSK, LayerSecor:
		return []string{"offset"}
	}
	return nil
}

// form is the envelope as the file has it.
func (e Envelope) form() any {
	if e.Joined {
		e.Value = e.Value[1:]
	}
	switch {
	case len(e.Value) == 0:
		return nil
	case len(e.Layers) == 1:
		return string(e.Layers[0])
	case len(e.Layers) > 1:
		return e.Layers
	}
	return map[string]string{"value": strings.Join(e.Value, ".")}
}
