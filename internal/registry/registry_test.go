package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/objstore"
)

// one is a value that another client framed, with what it put in.
type one struct {
	Name, Framing string
	Value, Header []byte
	Want          any
}

func samples(t testing.TB) []one {
	t.Helper()
	text, err := os.ReadFile("testdata/samples.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []one
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func folder(t testing.TB, dir string) *objstore.Store {
	t.Helper()
	path, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := objstore.ParseURI("file://" + path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := objstore.Open(t.Context(), uri, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func read(t testing.TB, dir string) *Set {
	t.Helper()
	set, err := ReadFolder(t.Context(), folder(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// exact reads JSON with its numbers as they are spelled.
func exact(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// numbers replaces {"number": text} by the number.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["number"].(string); ok {
			return json.Number(text)
		}
		for k, x := range v {
			v[k] = numbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = numbers(x)
		}
	}
	return v
}

// TestOtherClientsValues opens what confluent-kafka, fastavro and protobuf
// wrote, with the schemas as text, as packed descriptors, and after the set was
// sealed and read again.
func TestOtherClientsValues(t *testing.T) {
	plain := read(t, "testdata/schemas")
	packed := read(t, "testdata/packed")
	sealed, err := plain.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if twice, err := again.Encode(); err != nil || Digest(twice) != Digest(sealed) || again.Difference(plain) != "" {
		t.Errorf("the set reads back as another one: %v, %s", err, again.Difference(plain))
	}
	for _, s := range samples(t) {
		sets := map[string]*Set{"text": plain, "sealed": again}
		if strings.HasPrefix(s.Name, "protobuf") {
			sets["packed"] = packed
		}
		for name, set := range sets {
			d := set.NewDecoder(Framing(s.Framing), 1<<20)
			text, opened, err := d.Open([]byte("before"), s.Value, s.Header)
			if err != nil {
				t.Errorf("%s, %s: %v", s.Name, name, err)
				continue
			}
			text = bytes.TrimPrefix(text, []byte("before"))
			if got, want := exact(t, text), numbers(s.Want); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s:\n%v\nwant\n%v", s.Name, name, got, want)
			}
			if _, ok := set.Lookup(opened.ID); !ok || opened.Extra != (s.Name == "protobuf, unknown field") {
				t.Errorf("%s: opened as %+v", s.Name, opened)
			}
		}
	}
}

func reason(err error) decode.Reason {
	var b *decode.BadRecord
	if errors.As(err, &b) {
		return b.Reason
	}
	return ""
}

func TestValuesThatCantBeOpened(t *testing.T) {
	set := read(t, "testdata/schemas")
	by := map[string]one{}
	for _, s := range samples(t) {
		by[s.Name] = s
	}
	avro, proto, glue := by["avro, version 1"].Value, by["protobuf, nested message"].Value, by["glue"].Value
	cut := func(b []byte, n int) []byte { return b[: len(b)-n : len(b)-n] }
	for _, c := range []struct {
		name    string
		framing Framing
		value   []byte
		header  []byte
		reason  decode.Reason
		says    string
	}{
		{"empty", Confluent, nil, nil, decode.NotFramed, "the value of 0 bytes does not begin with 00"},
		{"JSON", Confluent, []byte(`{"a":1}`), nil, decode.NotFramed, "does not begin with 00"},
		{"an unknown id", Confluent, []byte("\x00\x00\x00\x03\xe7body"), nil, decode.UnknownSchema, "schema 999 is not among the"},
		{"framed twice", Confluent, append([]byte{0, 0, 0, 0, 99}, avro...), nil, decode.DoubleFramed, "five bytes stand before the frame of schema 2"},
		{"a window of ksqlDB before it", Confluent, append([]byte("\x02abcd"), avro...), nil, decode.DoubleFramed, "five bytes stand before the frame of schema 2"},
		{"a short header", Confluent, avro, []byte{1, 2}, decode.NotFramed, "holds no schema id"},
		{"a cut Avro value", Confluent, cut(avro, 1), nil, decode.BadBody, "does not fit schema 2"},
		{"a long Avro value", Confluent, append(bytes.Clone(avro), 0), nil, decode.BadBody, "1 bytes are left behind it"},
		{"no JSON", Confluent, []byte("\x00\x00\x00\x00\x06{"), nil, decode.BadBody, "is no JSON text"},
		{"a cut message", Confluent, cut(proto, 1), nil, decode.BadBody, "is no acme.pay.Outer.Payment"},
		{"no such message", Confluent, []byte("\x00\x00\x00\x00\x08\x02\x63"), nil, decode.BadBody, "message index -50 at step 1"},
		{"no indexes", Confluent, []byte("\x00\x00\x00\x00\x08"), nil, decode.BadBody, "indexes can't be read"},
		{"too many indexes", Confluent, []byte("\x00\x00\x00\x00\x08\xfe\xff\xff\xff\x0f"), nil, decode.BadBody, "indexes can't be read"},
		{"Confluent's in Glue's", Glue, avro, nil, decode.NotFramed, "does not begin with 03"},
		{"an unknown compression", Glue, append([]byte{3, 9}, glue[2:]...), nil, decode.NotFramed, "unknown way 9"},
		{"no zlib", Glue, append([]byte{3, 5}, glue[2:]...), nil, decode.BadBody, "the compressed value is damaged"},
	} {
		d := set.NewDecoder(c.framing, 1<<20)
		for range 2 { // also when the schema is known
			out, _, err := d.Open([]byte("before"), c.value, c.header)
			if string(out) != "before" || reason(err) != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %q, %v", c.name, out, err)
			}
		}
	}
	if _, _, err := set.NewDecoder(Confluent, 10).Open(nil, avro, nil); reason(err) != decode.TooLong {
		t.Errorf("a long value: %v", err)
	}
}

func TestSchemasThatCantBeUsed(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		text string
		refs []Reference
		says string
	}{
		{Avro, `{"type":"record"}`, nil, "schema 1 can't be used"},
		{Avro, `"other.Type"`, []Reference{{"other.Type", "other", 3}}, `version 3 of "other", which is not among`},
		{Protobuf, `syntax = "proto3"; message {`, nil, "syntax error"},
		{Protobuf, `syntax = "proto3"; import "acme/none.proto"; message A {}`, nil, "acme/none.proto"},
		{Protobuf, `syntax = "proto3"; import "x.proto";`, []Reference{{"x.proto", "x", 1}}, `version 1 of "x", which is not among`},
		{Protobuf, `syntax = "proto3";`, nil, "message index 0 at step 1 is not in the schema"},
	} {
		set, err := NewSet([]Schema{{ID: "1", Kind: c.kind, Text: c.text, References: c.refs}})
		if err != nil {
			t.Fatal(err)
		}
		_, opened, err := set.NewDecoder(Confluent, 1000).Open(nil, []byte("\x00\x00\x00\x00\x01\x00"), nil)
		if opened.ID != "1" || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

func TestSets(t *testing.T) {
	a := Schema{ID: "1", Subject: "a", Version: 1, Kind: Avro, Text: `"int"`}
	b := Schema{ID: "2", Subject: "a", Version: 2, Kind: Avro, Text: `"long"`}
	with := func(s Schema, f func(*Schema)) Schema { f(&s); return s }
	for _, c := range []struct {
		list []Schema
		says string
	}{
		{[]Schema{a, with(b, func(s *Schema) { s.ID = "1" })}, "two schemas have the id 1"},
		{[]Schema{a, with(b, func(s *Schema) { s.Version = 1 })}, "stands there twice"},
		{[]Schema{with(a, func(s *Schema) { s.ID = "" })}, "has no id"},
		{[]Schema{with(a, func(s *Schema) { s.Kind = "XML" })}, "unknown kind"},
		{[]Schema{with(a, func(s *Schema) { s.Text = strings.Repeat("x", maxText+1) })}, "more than"},
	} {
		if _, err := NewSet(c.list); !fail.Is(err, fail.BadDataset) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.says, err)
		}
	}
	set := func(list ...Schema) *Set {
		s, err := NewSet(list)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		now, older *Set
		want       string
	}{
		{set(a, b), set(b, a, a), ""},
		{set(a, b), set(a), "1 added"},
		{set(b), set(a), "1 added, 1 gone"},
		{set(with(a, func(s *Schema) { s.Text = `"string"` })), set(a), "1 changed"},
		{set(with(a, func(s *Schema) { s.Version = 7 })), set(a), "other subjects or versions"},
	} {
		if got := c.now.Difference(c.older); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if _, err := Decode([]byte(`{"format":9}`)); !fail.Is(err, fail.Corrupt) {
		t.Error(err)
	}
}

func TestFoldersThatCantBeRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadFolder(t.Context(), folder(t, dir)); !fail.Is(err, fail.NotFoundInput) || !strings.Contains(fail.HintOf(err), "GET /subjects") {
		t.Errorf("an empty folder: %v", err)
	}
	for text, says := range map[string]string{"{": "unexpected end", "{}": "no answer of a schema registry", `[{"id":1,"schema":"\"int\""},{}]`: "no answer of a schema registry"} {
		if err := os.WriteFile(dir+"/a.json", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFolder(t.Context(), folder(t, dir)); !fail.Is(err, fail.BadDataset) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := os.WriteFile(dir+"/a.json", []byte(`[{"id":1,"schema":"\"int\""},{"id":2,"schema":"\"long\""}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	if set, err := ReadFolder(t.Context(), folder(t, dir)); err != nil || set.Len() != 2 {
		t.Errorf("a list: %v", err)
	}
}

// list is Records of texts.
type list []string

func (l *list) Next(dst []byte) ([]byte, error) {
	if len(*l) == 0 {
		return dst, io.EOF
	}
	text := (*l)[0]
	*l = (*l)[1:]
	if text == "bad" {
		return dst, &decode.BadRecord{Reason: decode.CutOff}
	}
	return append(dst, text...), nil
}

func TestRecords(t *testing.T) {
	by := map[string]one{}
	for _, s := range samples(t) {
		by[s.Name] = s
	}
	b64 := base64.StdEncoding.EncodeToString
	first, text := b64(by["protobuf, first message"].Value), b64(by["avro, string"].Value)
	guid := by["protobuf, id in a header"]
	lines := list{
		`{"k":1,"v":"` + first + `"}`,
		`{"k":2,"v":null}`,
		`{"k":3}`,
		"bad",
		`{"k":4,"v":"` + text + `","h":{}}`,
		`{"k":5,"v":"` + b64(guid.Value) + `","h":{"__value_schema_id":"` + b64(guid.Header) + `"}}`,
		`{"k":6,"v":"` + b64(guid.Value) + `","h":[{"key":"x","value":"y"},{"key":"__value_schema_id","value":"` + b64(guid.Header) + `"}]}`,
		`{"k":7,"v":"AAAAA+dib2R5"}`,
		`{"k":8,"v":17}`,
		`{"k":9,"v":"` + text + `","h":{"__value_schema_id":5}}`,
	}
	r := NewRecords(&lines, Place{Value: []string{"v"}, Headers: []string{"h"}}, read(t, "testdata/schemas").NewDecoder(Confluent, 1<<20))
	var got []string
	for {
		line, err := r.Next(nil)
		if err == io.EOF {
			break
		}
		if err != nil {
			got = append(got, "!"+string(reason(err)))
			continue
		}
		got = append(got, string(line[:min(len(line), 40)]))
	}
	const payment = `,"v":{"event_id":"e-1","employee_id":`
	want := []string{`{"k":1,"v":{"at":-5}}`, `{"k":2,"v":null}`, `{"k":3}`, "!cut_off", `{"k":4,"v":"text","h":{}}`,
		(`{"k":5` + payment)[:40], (`{"k":6` + payment)[:40], "!unknown_schema", "!not_framed", "!not_framed"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	var taken []string
	for n := range int64(10) {
		o, _ := r.Take(n)
		taken = append(taken, o.ID)
	}
	if id := guidOf(guid.Header); strings.Join(taken, " ") != "8    5 "+id+" "+id+" 999  " {
		t.Errorf("%q", taken)
	}
}

func guidOf(header []byte) string { return uuid(header[1:]) }

// FuzzOpen opens any bytes by each schema: no panic, and what comes out is JSON.
func FuzzOpen(f *testing.F) {
	set := read(f, "testdata/schemas")
	for _, s := range samples(f) {
		f.Add(s.Value, s.Header, s.Framing == "glue")
	}
	confluents, glues := set.NewDecoder(Confluent, 1<<20), set.NewDecoder(Glue, 1<<20)
	f.Fuzz(func(t *testing.T, value, header []byte, glue bool) {
		d := confluents
		if glue {
			d = glues
		}
		text, _, err := d.Open(nil, value, header)
		if err == nil && !json.Valid(text) {
			t.Fatalf("%q opens as %q", value, text)
		}
		if err != nil && reason(err) == "" {
			t.Fatalf("%q: %v", value, err)
		}
	})
}

// FuzzSchemas reads any text as a saved answer and uses its schema.
func FuzzSchemas(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, []byte("\x00\x00\x00\x00\x02\x00"))
	}
	f.Fuzz(func(t *testing.T, text, body []byte) {
		list, err := parseAnswers(text)
		if err != nil {
			return
		}
		set, err := NewSet(list)
		if err != nil {
			return
		}
		for _, s := range list {
			r, err := set.compile(s)
			if err != nil {
				continue
			}
			if out, _, err := guarded(r, nil, frame{id: s.ID, body: body}); err == nil && !json.Valid(out) {
				t.Fatalf("%q", out)
			}
		}
	})
}
