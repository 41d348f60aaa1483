package archiver_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/twmb/avro/ocf"

	"backfill/internal/sandbox/archiver"
)

// unpack undoes a codec and counts the members.
func unpack(t *testing.T, codec string, body []byte) ([]byte, int) {
	t.Helper()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
	}
	switch codec {
	case archiver.Gzip:
		var out bytes.Buffer
		members := 0
		rest := bytes.NewReader(body) // gives single bytes, so that nothing is read past a member
		for ; rest.Len() > 0; members++ {
			z, err := gzip.NewReader(rest)
			ok(err)
			z.Multistream(false)
			_, err = io.Copy(&out, z)
			ok(err)
		}
		return out.Bytes(), members
	case archiver.Zstd:
		d, err := zstd.NewReader(nil)
		ok(err)
		defer d.Close()
		out, err := d.DecodeAll(body, nil)
		ok(err)
		return out, bytes.Count(body, []byte{0x28, 0xb5, 0x2f, 0xfd})
	case "snappy-xerial":
		out, err := xerial.Decode(body)
		ok(err)
		return out, 1
	case "snappy-raw":
		out, err := snappy.Decode(nil, body)
		ok(err)
		return out, 1
	case "snappy-hadoop":
		var out []byte
		for rest := body; len(rest) > 0; {
			n := 8 + binary.BigEndian.Uint32(rest[4:])
			block, err := snappy.Decode(nil, rest[8:n])
			ok(err)
			out, rest = append(out, block...), rest[n:]
		}
		return out, 1
	case "zip":
		z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		ok(err)
		f, err := z.File[0].Open()
		ok(err)
		out, err := io.ReadAll(f)
		ok(err)
		return out, 1
	}
	return body, 1
}

// read finds the records of a body, as slowly and plainly as its layout allows.
func read(t *testing.T, name string, body []byte) []found {
	t.Helper()
	switch {
	case strings.HasSuffix(name, "-avro"):
		return readAvro(t, body)
	case strings.HasSuffix(name, "-parquet"):
		return readParquet(t, body)
	case strings.HasSuffix(name, "csv"):
		return readCSV(t, body)
	case strings.HasPrefix(name, "secor-sequence"), name == "secor-msgpack":
		return readSequence(t, body, name)
	}
	var out []found
	for _, value := range readJSON(t, body) {
		out = append(out, unwrap(t, name, value))
	}
	return out
}

// readJSON reads values one behind the other, or the elements of one array.
func readJSON(t *testing.T, body []byte) []json.RawMessage {
	t.Helper()
	if bytes.HasPrefix(body, []byte("[")) {
		var all []json.RawMessage
		if err := json.Unmarshal(body, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	var all []json.RawMessage
	for d := json.NewDecoder(bytes.NewReader(body)); ; {
		var value json.RawMessage
		switch err := d.Decode(&value); err {
		case nil:
			all = append(all, value)
		case io.EOF:
			return all
		default:
			t.Fatal(err)
		}
	}
}

func unwrap(t *testing.T, name string, text json.RawMessage) found {
	t.Helper()
	var e struct {
		Value    json.RawMessage
		Message  string
		Payload  string
		Offset   *int64
		Metadata struct{ Offset *int64 }
	}
	family, _, _ := strings.Cut(name, "-")
	enveloped := family == "aiven" || strings.HasPrefix(name, "lenses-envelope") || name == "firehose-msk-envelope" || name == "vector-json" || family == "fluentbit"
	if !enveloped {
		if string(text) == "null" {
			text = nil
		}
		return found{string(text), -1}
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	out := found{string(e.Value), -1}
	switch {
	case name == "firehose-msk-envelope":
		var packed []byte
		if err := json.Unmarshal(e.Value, &packed); err != nil {
			t.Fatal(err)
		}
		out.value = string(packed)
	case family == "vector":
		out.value = e.Message
	case family == "fluentbit":
		out.value = e.Payload
	case out.value == "null":
		out.value = ""
	}
	switch {
	case e.Offset != nil:
		out.offset = *e.Offset
	case e.Metadata.Offset != nil:
		out.offset = *e.Metadata.Offset
	}
	return out
}

func readCSV(t *testing.T, body []byte) []found {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []found
	for _, row := range rows {
		f, at := found{offset: -1}, 0
		if len(row) == 5 {
			at = 1
			if f.offset, err = strconv.ParseInt(row[2], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		value, err := base64.StdEncoding.DecodeString(row[at])
		if err != nil {
			t.Fatal(err)
		}
		f.value = string(value)
		out = append(out, f)
	}
	return out
}

// datum looks for the event and the offset wherever the envelopes have them.
func datum(record map[string]any) found {
	f := found{offset: -1}
	if value, ok := record["value"].(map[string]any); ok {
		record["event_id"] = value["event_id"]
	}
	switch id := record["event_id"].(type) {
	case string:
		f.value = id
	case []byte:
		f.value = string(id)
	}
	if metadata, ok := record["metadata"].(map[string]any); ok {
		record = metadata
	}
	if offset, ok := record["offset"].(int64); ok {
		f.offset = offset
	}
	return f
}

func readAvro(t *testing.T, body []byte) []found {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var out []found
	for {
		var record map[string]any
		switch err := r.Decode(&record); err {
		case nil:
			out = append(out, datum(record))
		case io.EOF:
			return out
		default:
			t.Fatal(err)
		}
	}
}

// readParquet reads the two columns that matter by their names, which no other column shares.
func readParquet(t *testing.T, body []byte) []found {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]parquet.Row, f.NumRows())
	group := f.RowGroups()[0].Rows()
	defer group.Close()
	if n, err := group.ReadRows(rows); err != nil && err != io.EOF || int64(n) != f.NumRows() {
		t.Fatal(n, err)
	}
	columns := f.Schema().Columns()
	var out []found
	for _, row := range rows {
		one := found{offset: -1}
		for _, v := range row {
			path := columns[v.Column()]
			switch {
			case v.IsNull():
			case path[len(path)-1] == "event_id":
				one.value = string(v.ByteArray())
			case path[len(path)-1] == "offset" && !strings.Contains(strings.Join(path, "."), "_kafka"):
				one.offset = v.Int64()
			}
		}
		out = append(out, one)
	}
	return out
}

// readSequence knows the three kinds of files that are written, not sequence files at large.
func readSequence(t *testing.T, body []byte, name string) []found {
	t.Helper()
	var out []found
	record := func(key, value []byte) {
		if name == "secor-msgpack" {
			key = key[4+3:] // the length, a map, 1, and the mark of eight bytes
		}
		out = append(out, found{string(value[4:]), int64(binary.BigEndian.Uint64(key))})
	}
	header := bytes.Index(body, []byte("org.apache.hadoop.io.BytesWritable\x00\x00\x00\x00\x00\x00"))
	if name == "secor-sequence" {
		codec := []byte("org.apache.hadoop.io.compress.DefaultCodec")
		readBlocks(t, body[bytes.Index(body, codec)+len(codec)+4+16:], record)
		return out
	}
	if name == "secor-msgpack" {
		header = bytes.LastIndex(body[:140], []byte("org.apache.hadoop.io.BytesWritable\x00\x00\x00\x00\x00\x00"))
	}
	for rest := body[header+34+6+16:]; len(rest) > 0; {
		length := binary.BigEndian.Uint32(rest)
		if length == 0xffffffff {
			rest = rest[20:]
			continue
		}
		key := binary.BigEndian.Uint32(rest[4:])
		record(rest[8:8+key], rest[8+key:8+length])
		rest = rest[8+length:]
	}
	return out
}

func readBlocks(t *testing.T, rest []byte, record func(key, value []byte)) {
	t.Helper()
	for len(rest) > 0 {
		var n int
		n, rest = vint(rest[20:])
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
	}
}

// vint reads a positive integer of Hadoop.
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
