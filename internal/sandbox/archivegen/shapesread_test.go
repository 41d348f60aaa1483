package archivegen

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/avro"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// opener reads values of a shape back, with the libraries of others. It is told nothing but an archive's objects.
type opener struct {
	t       *testing.T
	by      map[string]string // settings
	schemas map[string]schema // by id as a number, and by GUID without hyphens
	used    map[string]int    // values by schema
	ids     map[string]bool   // of CloudEvents
}

type schema struct {
	kind, text string
	avro       *avro.Schema
	proto      protoreflect.FileDescriptor
}

// learn reads the schemas that lie beside the archive.
func (o *opener) learn(objects map[string][]byte) {
	for key, body := range objects {
		if !strings.HasPrefix(key, "topics.schemas/payroll.events-value/") {
			continue
		}
		var a struct { // the answer of a registry, or of Glue
			ID                                            int64
			GUID, Schema, SchemaType                      string
			SchemaVersionID, SchemaDefinition, DataFormat string
		}
		if err := json.Unmarshal(body, &a); err != nil {
			o.t.Fatal(err)
		}
		s := schema{kind: a.SchemaType + a.DataFormat, text: a.Schema + a.SchemaDefinition}
		var err error
		switch s.kind {
		case "", "AVRO":
			s.kind = "AVRO"
			s.avro, err = avro.Parse(s.text)
		case "PROTOBUF":
			c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"a.proto": s.text})}}
			files, compileErr := c.Compile(context.Background(), "a.proto")
			if err = compileErr; err == nil {
				s.proto = files[0]
			}
		default:
			var v any
			err = json.Unmarshal([]byte(s.text), &v)
		}
		if err != nil {
			o.t.Fatalf("%s: %v", s.text, err)
		}
		o.schemas[fmt.Sprint(a.ID)] = s
		o.schemas[strings.ReplaceAll(a.GUID+a.SchemaVersionID, "-", "")] = s
	}
}

// open reads one value; what is none of the shape is nil.
func (o *opener) open(shape string, value []byte, headers map[string]string) map[string]any {
	switch shape {
	case "debezium":
		return o.debezium(parsed(value))
	case "cloudevents":
		return o.cloudEvent(parsed(value), headers)
	case "connect":
		v := parsed(value)
		if o.by["schemas.enable"] == "true" {
			v, _ = v["payload"].(map[string]any)
		}
		if o.by["decimal.format"] != "NUMERIC" {
			decimals(v)
		}
		return v
	case "glue":
		if len(value) < 18 || value[0] != 3 {
			return nil
		}
		body := value[18:]
		if value[1] == 5 {
			r, err := zlib.NewReader(bytes.NewReader(body))
			if err == nil {
				body, err = io.ReadAll(r)
			}
			if err != nil {
				o.t.Fatal(err)
			}
		}
		return o.datum(hex.EncodeToString(value[2:18]), body)
	}
	if name, ok := headers["__value_schema_id"]; ok {
		raw, err := base64.StdEncoding.DecodeString(name)
		if err != nil || len(raw) != 17 || raw[0] != 1 {
			o.t.Fatalf("the header %q names no schema: %v", name, err)
		}
		return o.datum(hex.EncodeToString(raw[1:]), value)
	}
	if len(value) < 5 || value[0] != 0 {
		return nil
	}
	return o.datum(fmt.Sprint(binary.BigEndian.Uint32(value[1:])), value[5:])
}

func parsed(text []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v map[string]any
	if d.Decode(&v) != nil || d.More() {
		return nil
	}
	return v
}

// decimals opens amounts in base64.
func decimals(v map[string]any) {
	for _, name := range []string{"gross_amount", "tax_amount", "net_amount"} {
		text, ok := v[name].(string)
		if !ok {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) == 0 {
			panic(fmt.Sprintf("%s: %q, %v", name, text, err))
		}
		n := new(big.Int).SetBytes(b)
		if b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		v[name] = new(big.Rat).SetFrac(n, big.NewInt(100))
	}
}

func (o *opener) debezium(v map[string]any) map[string]any {
	if o.by["value.converter.schemas.enable"] == "true" {
		block, _ := v["schema"].(map[string]any)
		if v != nil && block["type"] != "struct" {
			o.t.Errorf("the schema is %v", block)
		}
		v, _ = v["payload"].(map[string]any)
	}
	if v == nil {
		return nil
	}
	op, row := v["op"], v["after"]
	if op == "d" {
		row = v["before"]
	}
	out, ok := row.(map[string]any)
	source, _ := v["source"].(map[string]any)
	if !ok || (op == "d") != (v["after"] == nil) || !strings.Contains("crud", fmt.Sprint(op)) || source["lsn"] == nil || source["ts_ms"] == nil {
		o.t.Errorf("no change event: %v", v)
		return nil
	}
	if o.by["decimal.handling.mode"] == "" {
		decimals(out)
	}
	if n, ok := out["occurred_at"].(json.Number); ok {
		at, err := n.Int64()
		if err != nil || o.by["column.type"] != "timestamp" {
			o.t.Errorf("occurred_at is %s: %v", n, err)
		}
		out["occurred_at"] = time.UnixMicro(at).UTC().Format(time.RFC3339Nano)
	}
	return out
}

func (o *opener) cloudEvent(v map[string]any, headers map[string]string) map[string]any {
	attribute := func(name string) any {
		if o.by["content.mode"] == "binary" {
			if text, ok := headers["ce_"+name]; ok {
				return text
			}
			return nil
		}
		return v[name]
	}
	data := v
	if o.by["content.mode"] != "binary" {
		data, _ = v["data"].(map[string]any)
	}
	if v == nil {
		return nil
	}
	if _, twice := data["type"]; twice == (o.by["content.mode"] == "binary") {
		o.t.Errorf("the type stands in data: %t", twice)
	}
	if attribute("specversion") != "1.0" || attribute("source") == nil || attribute("id") == nil || attribute("time") != data["occurred_at"] && data["occurred_at"] != nil {
		o.t.Errorf("no CloudEvent: %v %v", v, headers)
	}
	o.ids[fmt.Sprint(attribute("id"))] = true
	data["type"] = attribute("type")
	return data
}

// datum reads what a frame holds by the schema that it names.
func (o *opener) datum(id string, body []byte) map[string]any {
	s, ok := o.schemas[id]
	if !ok {
		o.t.Fatalf("there is no schema %s", id)
	}
	o.used[id]++
	switch s.kind {
	case "JSON":
		return parsed(body)
	case "AVRO":
		var v any
		if rest, err := s.avro.Decode(body, &v); err != nil || len(rest) > 0 {
			o.t.Fatalf("schema %s: %v, %d bytes are left", id, err, len(rest))
		}
		out := v.(map[string]any)
		if at, ok := out["occurred_at"].(time.Time); ok {
			out["occurred_at"] = at.UTC().Format(time.RFC3339Nano)
		}
		return out
	}
	return o.message(s.proto, body)
}

// message reads Protobuf: the path to the message, and the message.
func (o *opener) message(file protoreflect.FileDescriptor, body []byte) map[string]any {
	next := func() int {
		n, size := binary.Varint(body)
		if size <= 0 {
			o.t.Fatal("the path to the message is cut off")
		}
		body = body[size:]
		return int(n)
	}
	path := []int{0}
	if n := next(); n > 0 {
		path = nil
		for range n {
			path = append(path, next())
		}
	}
	message := file.Messages().Get(path[0])
	for _, i := range path[1:] {
		message = message.Messages().Get(i)
	}
	m := dynamicpb.NewMessage(message)
	if err := proto.Unmarshal(body, m); err != nil || len(m.GetUnknown()) > 0 {
		o.t.Fatalf("%s: %v, unknown fields %x", message.FullName(), err, m.GetUnknown())
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		o.t.Fatal(err)
	}
	return parsed(text)
}

// values splits an object into its values, and gives the headers of each where the archive has them.
func values(t *testing.T, s shape, m *memory, key string) (out [][]byte, headers []map[string]string) {
	t.Helper()
	separator := "\n"
	if s.layout == "confluent-bytes" {
		separator = "\r\n--\r\n"
	}
	lines := func(key string) []string {
		body, err := unpack(m.objects[key])
		text, ok := strings.CutSuffix(string(body), separator)
		if err != nil || !ok {
			t.Fatalf("%s: %v, ended: %t", key, err, ok)
		}
		return strings.Split(text, separator)
	}
	for _, line := range lines(key) {
		var text string
		if json.Unmarshal([]byte(line), &text) == nil { // bytes in JSON
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			line = string(raw)
		}
		out = append(out, []byte(line))
	}
	if s.layout != "confluent-sides" {
		return out, make([]map[string]string, len(out))
	}
	for _, line := range lines(strings.Replace(key, ".json", ".headers.json", 1)) {
		var row struct{ Headers []struct{ Key, Value string } }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		h := map[string]string{}
		for _, header := range row.Headers {
			h[header.Key] = header.Value
		}
		headers = append(headers, h)
	}
	return out, headers
}

// TestShapesReadBack reads values with the slow reader: as many are unreadable as the truth says, the newest versions add
// up to its totals, and both versions of a schema are met.
func TestShapesReadBack(t *testing.T) {
	for _, s := range shapes {
		if !strings.HasPrefix(s.layout, "confluent-") {
			continue
		}
		t.Run(s.name(), func(t *testing.T) {
			options := s.options()
			options.Faults.BadValues = 0
			options = lenient(t, options)
			m, truth := generate(t, options)
			o := &opener{t: t, by: s.settings, schemas: map[string]schema{}, used: map[string]int{}, ids: map[string]bool{}}
			o.learn(m.objects)
			best := map[string]seen{}
			var broken, events int64
			for _, ob := range truth.Objects {
				if ob.Side || strings.Contains(ob.Key, "/tombstone/") {
					continue
				}
				all, headers := values(t, s, m, ob.Key)
				if int64(len(all)) != ob.Records || len(headers) != len(all) {
					t.Fatalf("%s has %d records and %d rows of headers, the truth says %d", ob.Key, len(all), len(headers), ob.Records)
				}
				for i, value := range all {
					v := o.open(s.values, value, headers[i])
					if v == nil {
						broken++
						continue
					}
					events++
					if e := flatten(v); inWindow(options, e) && (best[e["event_id"]] == nil || number(e["version"]) > number(best[e["event_id"]]["version"])) {
						best[e["event_id"]] = e
					}
				}
			}
			if broken != truth.Dispositions.Unreadable || events == 0 {
				t.Errorf("%d values are broken, the truth says %d; %d are sound", broken, truth.Dispositions.Unreadable, events)
			}
			if len(o.schemas) > 0 && len(o.used) != 2 {
				t.Errorf("values are of the schemas %v, want two", o.used)
			}
			if s.values == "cloudevents" && int64(len(o.ids)) < truth.TableRows {
				t.Errorf("%d ids for %d events", len(o.ids), events)
			}
			compareSums(t, truth, best)
		})
	}
}
