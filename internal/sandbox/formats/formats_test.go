package formats_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zlib"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"backfill/internal/sandbox/formats"
)

var events = []string{
	`{"event_id":"a","type":"payment.settled","occurred_at":"2026-10-01T00:00:00.000001Z","version":2,"company_id":7,` +
		`"employee":{"id":9007199254740993,"name":"zoë","department":"Legal"},"currency":"USD","gross_amount":"1.2345e3",` +
		`"tax_amount":-0.00,"net_amount":"-9999999999999999.99","details":{"method":"wire","batch":"B-1","lines":[` +
		`{"code":"REG","hours":60.25,"taxable":true},{"code":"OT","hours":1.5,"taxable":false}],"note":"n","approved":true},` +
		`"trace_id":"x","schema_rev":"2026.3","flags":["a",null,{"b":[]}]}`,
	`{"event_id":"b","employee":{"id":null},"details":null,"gross_amount":null,"_kafka":{"partition":3,"offset":9,"timestamp":5}}`,
	`{"event_id":"c","details":{"lines":[]}}`,
}

func data(t *testing.T) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, e := range events {
		d, err := formats.Payment([]byte(e))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestAvroIsReadByAnotherLibrary(t *testing.T) {
	for _, codec := range []string{formats.AvroNull, formats.AvroDeflate, formats.AvroSnappy, formats.AvroZstd} {
		var b bytes.Buffer
		f, err := formats.NewAvroFile(&b, formats.PaymentSchema, codec, [16]byte{1, 2})
		if err != nil {
			t.Fatal(err)
		}
		all := data(t)
		const rounds = 300 // more than a block
		for range rounds {
			for _, d := range all {
				if err := f.Append(d); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := ocf.NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rounds * len(all) {
			var got map[string]any
			if err := r.Decode(&got); err != nil {
				t.Fatalf("%s: record %d: %v", codec, i, err)
			}
			if i == 0 {
				checkFirst(t, got)
			}
			if want := all[i%3]["event_id"]; got["event_id"] != want {
				t.Fatalf("%s: record %d is %v, want %v", codec, i, got["event_id"], want)
			}
		}
		if err := r.Decode(new(any)); err != io.EOF {
			t.Fatalf("%s: behind the last record: %v", codec, err)
		}
	}
}

func checkFirst(t *testing.T, got map[string]any) {
	t.Helper()
	for field, want := range map[string]*big.Rat{
		"gross_amount": big.NewRat(123450, 100), "tax_amount": new(big.Rat), "net_amount": big.NewRat(-999999999999999999, 100),
	} {
		var have *big.Rat
		switch v := got[field].(type) {
		case *big.Rat:
			have = v
		case big.Rat:
			have = &v
		}
		if have == nil || have.Cmp(want) != 0 {
			t.Errorf("%s is %T %v, want %v", field, got[field], got[field], want)
		}
	}
	employee := got["employee"].(map[string]any)
	if employee["id"] != int64(9007199254740993) || employee["name"] != "zoë" {
		t.Errorf("the employee is %v", employee)
	}
	lines := got["details"].(map[string]any)["lines"].([]any)
	if len(lines) != 2 || lines[0].(map[string]any)["hours"] != 60.25 {
		t.Errorf("the lines are %v", lines)
	}
}

func TestParquetIsReadByAnotherLibrary(t *testing.T) {
	for _, codec := range []string{"none", "snappy", "gzip", "zstd", "brotli"} {
		var b bytes.Buffer
		f, err := formats.NewParquetFile(&b, formats.PaymentSchema, codec)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range data(t) {
			if err := f.Append(d); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		got, order := columns(t, b.Bytes())
		if want := "event_id type occurred_at"; !strings.HasPrefix(order, want) {
			t.Errorf("%s: the columns are %s, not in the schema's order", codec, order)
		}
		for name, want := range map[string]string{
			"event_id":                         "a/1/0 b/1/0 c/1/0",
			"version":                          "2/1/0 -/0/0 -/0/0",
			"employee.id":                      "9007199254740993/2/0 -/1/0 -/0/0",
			"employee.name":                    "zoë/2/0 -/1/0 -/0/0",
			"gross_amount":                     "\x01\xe2:/1/0 -/0/0 -/0/0",
			"details.lines.list.element.code":  "REG/5/0 OT/5/1 -/0/0 -/2/0",
			"details.lines.list.element.hours": "60.25/5/0 1.5/5/1 -/0/0 -/2/0",
			"_kafka.offset":                    "-/0/0 9/2/0 -/0/0",
		} {
			if got[name] != want {
				t.Errorf("%s: %s is %q, want %q", codec, name, got[name], want)
			}
		}
	}
}

// columns reads every value as value/definition/repetition.
func columns(t *testing.T, body []byte) (map[string]string, string) {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got, order := map[string]string{}, []string{}
	for i := range r.MetaData().Schema.NumColumns() {
		chunk, err := r.RowGroup(0).Column(i)
		if err != nil {
			t.Fatal(err)
		}
		levels, repeats := make([]int16, 100), make([]int16, 100)
		var values []string
		var total int64
		switch c := chunk.(type) {
		case *file.Int64ColumnChunkReader:
			list := make([]int64, 100)
			n := 0
			total, n, err = c.ReadBatch(100, list, levels, repeats)
			for _, v := range list[:n] {
				values = append(values, fmt.Sprint(v))
			}
		case *file.Float64ColumnChunkReader:
			list := make([]float64, 100)
			n := 0
			total, n, err = c.ReadBatch(100, list, levels, repeats)
			for _, v := range list[:n] {
				values = append(values, fmt.Sprint(v))
			}
		case *file.BooleanColumnChunkReader:
			list := make([]bool, 100)
			n := 0
			total, n, err = c.ReadBatch(100, list, levels, repeats)
			for _, v := range list[:n] {
				values = append(values, fmt.Sprint(v))
			}
		case *file.ByteArrayColumnChunkReader:
			list := make([]parquet.ByteArray, 100)
			n := 0
			total, n, err = c.ReadBatch(100, list, levels, repeats)
			for _, v := range list[:n] {
				values = append(values, string(v))
			}
		default:
			t.Fatalf("no reader for %T", chunk)
		}
		if err != nil {
			t.Fatal(err)
		}
		column := r.MetaData().Schema.Column(i)
		var out []string
		for k, level := range levels[:total] {
			text := "-"
			if level == column.MaxDefinitionLevel() {
				text, values = values[0], values[1:]
			}
			out = append(out, fmt.Sprintf("%s/%d/%d", text, level, repeats[k]))
		}
		got[column.Path()] = strings.Join(out, " ")
		order = append(order, column.Path())
	}
	return got, strings.Join(order, " ")
}

func TestPaymentRefusesWhatItCannotHold(t *testing.T) {
	for line, want := range map[string]string{
		`{"gross_amount":"1.234"}`:                `gross_amount: "1.234" is not exact at 2 decimals`,
		`{"gross_amount":"1,234.50"}`:             `gross_amount: "1,234.50" is no decimal`,
		`{"net_amount":true}`:                     `net_amount: bool is no bytes`,
		`{"employee":{"id":9223372036854775808}}`: `value out of range`,
		`{"employee":{"id":12.5}}`:                `invalid syntax`,
		`{"else":1}`:                              `the record Payment has other fields, too`,
		`{"event_id":"a"`:                         `reading the event: unexpected EOF`,
		`{} {}`:                                   `more than one value`,
		`{"details":{"blob":"x"}}`:                `details: the record Details has other fields, too`,
	} {
		if _, err := formats.Payment([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func avroDatum(schema string, datum any) ([]byte, error) {
	a, err := formats.ParseAvro(schema)
	if err != nil {
		return nil, err
	}
	return a.Append(nil, datum)
}

func TestDatumThatDoesNotFit(t *testing.T) {
	if _, err := avroDatum(`["null","long"]`, "x"); err == nil || err.Error() != "string is no long" {
		t.Errorf("a string as a long: %v", err)
	}
	if _, err := formats.NewAvroFile(io.Discard, `"long"`, "bzip2", [16]byte{}); err == nil || !strings.Contains(err.Error(), `avro codec "bzip2"`) {
		t.Errorf("bzip2: %v", err)
	}
	if _, err := formats.NewParquetFile(io.Discard, `"long"`, "none"); err == nil || !strings.Contains(err.Error(), "holds records") {
		t.Errorf("Parquet of longs: %v", err)
	}
	schema := formats.RecordSchema("R", "s", "m "+`{"type":"map","values":"long"}`)
	got, err := avroDatum(schema, map[string]any{"m": map[string]any{"b": int64(2), "a": int64(-1)}})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if _, err := avro.MustParse(schema).Decode(got, &back); err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"a": int64(-1), "b": int64(2)}; !reflect.DeepEqual(back["m"], want) {
		t.Errorf("the map came back as %v", back)
	}
}

func TestTwosComplement(t *testing.T) {
	for n, want := range map[int64]string{0: "00", 127: "7f", 128: "0080", -1: "ff", -128: "80", -129: "ff7f", 256: "0100", -256: "ff00"} {
		if got := fmt.Sprintf("%x", formats.TwosComplement(big.NewInt(n))); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestSnappyDialects(t *testing.T) {
	body := bytes.Repeat([]byte(`{"a":1}`), 100_000)
	got, err := xerial.Decode(formats.SnappyXerial(body))
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("xerial: %v, %d bytes", err, len(got))
	}
	got, err = snappy.Decode(nil, formats.SnappyRaw(body))
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("raw: %v, %d bytes", err, len(got))
	}
	var back []byte
	for rest := formats.SnappyHadoop(body); len(rest) > 0; {
		length, packed := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:])
		block, err := snappy.Decode(nil, rest[8:8+packed])
		if err != nil || len(block) != int(length) {
			t.Fatalf("hadoop: %v, %d bytes of %d", err, len(block), length)
		}
		back, rest = append(back, block...), rest[8+packed:]
	}
	if !bytes.Equal(back, body) {
		t.Errorf("hadoop: %d bytes of %d", len(back), len(body))
	}
}

func TestZip(t *testing.T) {
	packed, err := formats.Zip("entry", []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || string(got) != "body" || len(r.File) != 1 || r.File[0].Name != "entry" {
		t.Errorf("%q %v in %d entries", got, err, len(r.File))
	}
}

// The reader is as simple as the layout of a sequence file allows.
func TestSequenceFile(t *testing.T) {
	sync := [16]byte{9, 8, 7}
	value := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, i%5*150) }
	const n = 4000
	for _, blocks := range []bool{false, true} {
		var b bytes.Buffer
		f, err := formats.NewSequenceFile(&b, formats.LongWritable, blocks, sync)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := f.AppendLong(int64(1000+i), value(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		_, rest, found := bytes.Cut(b.Bytes(), sync[:])
		if !found || !bytes.HasPrefix(b.Bytes(), []byte("SEQ\x06\x21org.apache.hadoop.io.LongWritable")) {
			t.Fatalf("the header is %q", b.Bytes()[:60])
		}
		i := 0
		record := func(key, v []byte) {
			if binary.BigEndian.Uint64(key) != uint64(1000+i) || !bytes.Equal(v[4:], value(i)) || int(binary.BigEndian.Uint32(v)) != len(v)-4 {
				t.Fatalf("blocks %t: record %d is %x %x", blocks, i, key, v)
			}
			i++
		}
		for len(rest) > 0 {
			length := int32(binary.BigEndian.Uint32(rest))
			switch {
			case length == -1 && blocks:
				rest = readBlock(t, rest[20:], record)
			case length == -1:
				rest = rest[20:]
			default:
				key := binary.BigEndian.Uint32(rest[4:])
				record(rest[8:8+key], rest[8+key:8+length])
				rest = rest[8+length:]
			}
		}
		if i != n {
			t.Errorf("blocks %t: %d records, want %d", blocks, i, n)
		}
	}
}

func readBlock(t *testing.T, rest []byte, record func(key, value []byte)) []byte {
	t.Helper()
	n, rest := vint(rest)
	var columns [4][]byte
	for c := range columns {
		var size int
		size, rest = vint(rest)
		z, err := zlib.NewReader(bytes.NewReader(rest[:size]))
		if err != nil {
			t.Fatal(err)
		}
		if columns[c], err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
		rest = rest[size:]
	}
	for range n {
		var key, value int
		key, columns[0] = vint(columns[0])
		value, columns[2] = vint(columns[2])
		record(columns[1][:key], columns[3][:value])
		columns[1], columns[3] = columns[1][key:], columns[3][value:]
	}
	return rest
}

func vint(b []byte) (int, []byte) {
	first := int(int8(b[0]))
	if first >= -112 {
		return first, b[1:]
	}
	n, size := 0, -112-first
	for _, c := range b[1 : 1+size] {
		n = n<<8 | int(c)
	}
	return n, b[1+size:]
}

func TestSecorKey(t *testing.T) {
	got := fmt.Sprintf("%x", formats.SecorKey(258, []byte("k"), 3))
	if want := "8301d3000000000000010202c6000000016b03d30000000000000003"; got != want {
		t.Errorf("the key is %s, want %s", got, want)
	}
	if got := formats.SecorKey(1, nil, -1); got[0] != 0x81 || len(got) != 11 {
		t.Errorf("without a key and a time: %x", got)
	}
	if got := formats.SecorKey(1, nil, 3); got[0] != 0x82 || len(got) != 21 {
		t.Errorf("without a key: %x", got)
	}
}
