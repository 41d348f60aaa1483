package producer

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strings"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

const (
	setIDSerializer = "value.schema.id.serializer"
	idPrefix        = "PrefixSchemaIdSerializer"
	idHeader        = "HeaderSchemaIdSerializer"
	setCompression  = "compressionType"
	compressNone    = "NONE"
	compressZlib    = "ZLIB"
	compressMixed   = "MIXED" // some producers with it, some without
)

// The framings, by the names of the dataset file.
const (
	framingConfluent = "confluent"
	framingGlue      = "glue"
)

func framedShapes() []Shape {
	confluent := func(name, line string, versions func() ([2]version, error), cannot map[string]string) Shape {
		return Shape{Name: name, Line: line, Settings: archiver.Settings{setIDSerializer: idPrefix}, Open: func(c Config) (Producer, error) {
			ids, err := choice(c.Settings, setIDSerializer, idPrefix, idHeader)
			if err != nil {
				return nil, err
			}
			f := framed{framing: framingConfluent, header: ids == idHeader, cannot: cannot}
			return f.register(c, versions)
		}}
	}
	return []Shape{
		confluent("confluent-avro", "Avro framed for Confluent's registry, of two versions of the schema", avroVersions, avroCannot()),
		confluent("confluent-json", "JSON framed for it", jsonVersions, nil),
		confluent("confluent-protobuf", "Protobuf framed for it", protoVersions, typed("Protobuf")),
		{Name: "glue", Line: "Avro framed for AWS Glue Schema Registry, with and without compression", Settings: archiver.Settings{setCompression: compressMixed},
			Open: func(c Config) (Producer, error) {
				how, err := choice(c.Settings, setCompression, compressNone, compressZlib, compressMixed)
				if err != nil {
					return nil, err
				}
				f := framed{framing: framingGlue, compression: how, cannot: avroCannot()}
				return f.register(c, avroVersions)
			}},
	}
}

// version is a version of a schema, and how values are written by it.
type version struct {
	kind   string // AVRO, JSON or PROTOBUF
	text   string
	before []byte // what stands between the frame and the value: Protobuf's path to the message
	encode func(event map[string]any) ([]byte, error)

	id   uint32
	guid string
}

// framed writes values with what names their schema.
type framed struct {
	framing     string
	header      bool // the schema is named in a header, and the value has no frame
	compression string
	cannot      map[string]string
	versions    [2]version
	topic       string
	zlib        *zlib.Writer // kept, for it is large
}

// leastID is below the ids of all schemas: the registry has more than these.
const leastID = 100_000

// firstID is the id of the first version of a topic's schema: a registry gives none twice.
func firstID(topic, kind string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(kind + " " + topic)) // never fails
	return leastID + h.Sum32()%1_000_000
}

// register gives the versions their ids.
func (f *framed) register(c Config, versions func() ([2]version, error)) (Producer, error) {
	var err error
	if f.versions, err = versions(); err != nil {
		return nil, err
	}
	f.topic = c.Topic
	for i := range f.versions {
		v := &f.versions[i]
		v.id = firstID(c.Topic, v.kind) + uint32(7*i)
		v.guid = batch.UUID(c.Seed, "schema "+v.kind+" "+c.Topic, i)
	}
	return f, nil
}

// Facts lists both schemas as an export of the registry: the answers of GET /subjects/S/versions/V, or of
// aws glue get-schema-version.
func (f *framed) Facts() Facts {
	out := Facts{Bytes: true, Headers: f.header, Framing: f.framing, Cannot: f.cannot}
	subject := f.topic + "-value"
	for i, v := range f.versions {
		answer := map[string]any{"subject": subject, "version": i + 1, "id": v.id, "guid": v.guid, "schemaType": v.kind, "schema": v.text}
		if v.kind == "AVRO" {
			delete(answer, "schemaType") // as the registry does
		}
		if f.framing == framingGlue {
			answer = map[string]any{"SchemaVersionId": v.guid, "SchemaDefinition": v.text, "DataFormat": v.kind, "VersionNumber": i + 1, "Status": "AVAILABLE",
				"SchemaArn": "arn:aws:glue:eu-west-1:000000000000:schema/payroll/" + f.topic, "CreatedTime": fmt.Sprintf("2026-0%d-01T00:00:00.000Z", i+1)}
		}
		text, err := encode(answer)
		if err != nil {
			continue // text and numbers always encode
		}
		out.Schemas = append(out.Schemas, File{Name: fmt.Sprintf("%s/%d.json", subject, i+1), Body: append(text, '\n')})
	}
	return out
}

// valueHeader names the schema of a value whose producer puts it into a header.
const valueHeader = "__value_schema_id"

func (f *framed) Value(e Event) (Value, error) {
	event, err := object(e.JSON)
	if err != nil {
		return Value{}, err
	}
	v := &f.versions[0]
	if e.Later {
		v = &f.versions[1]
	}
	body, err := v.encode(event)
	if err != nil {
		return Value{}, err
	}
	guid, err := hex.DecodeString(strings.ReplaceAll(v.guid, "-", ""))
	if err != nil {
		return Value{}, fmt.Errorf("reading the id of a schema: %w", err)
	}
	switch {
	case f.framing == framingGlue:
		out, err := f.glue(guid, body, e)
		return Value{Bytes: out}, err
	case f.header:
		name := string(append(append([]byte{1}, guid...), v.before...))
		return Value{Bytes: body, Headers: []archiver.Header{{Key: valueHeader, Value: name, Binary: true}}}, nil
	}
	out := binary.BigEndian.AppendUint32([]byte{0}, v.id)
	return Value{Bytes: append(append(out, v.before...), body...)}, nil
}

// glue is the frame of 18 bytes.
func (f *framed) glue(id, body []byte, e Event) ([]byte, error) {
	pack := f.compression == compressZlib || f.compression == compressMixed && e.Offset%2 == 1
	if !pack {
		return append(append([]byte{3, 0}, id...), body...), nil
	}
	b := bytes.NewBuffer(append([]byte{3, 5}, id...))
	if f.zlib == nil {
		f.zlib = zlib.NewWriter(b)
	}
	f.zlib.Reset(b)
	if _, err := f.zlib.Write(body); err != nil {
		return nil, fmt.Errorf("compressing a value: %w", err)
	}
	if err := f.zlib.Close(); err != nil {
		return nil, fmt.Errorf("compressing a value: %w", err)
	}
	return b.Bytes(), nil
}
