package workspace

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
	"backfill/internal/scan"
)

const (
	archivesBegin = "<!-- archives: written by `make archives` from what the tests see -->"
	archivesEnd   = "<!-- end of archives -->"
)

// archiver is a way in which records 100 to 119 of partition 3 are archived:
// the key of their object, and of the objects around them.
type archiver struct {
	name, layout      string
	before, key, next string // before and next may be ""
	records           string // further keys of records
	formats           []sample
}

// sample is a format with a file of it, which holds the twenty records.
type sample struct {
	name, file string
	format     string // archive.format; "": auto
}

var (
	json    = sample{"JSON lines", "plain.jsonl", ""}
	joined  = sample{"JSON without separators", "firehose", ""}
	avro    = sample{"Avro", "fastavro-deflate.avro", ""}
	parquet = sample{"Parquet", "pyarrow-snappy.parquet", ""}
	csv     = sample{"CSV", "header.csv", "csv"}
	valued  = []sample{json, avro, parquet}
)

const (
	inSequence = "  envelope: secor\n  unpack: base64\n"
	nameless   = "unnamed, topic: pay, partition: 3"

	frames    = `{bytes: {delimiter: "\r\n--\r\n"}}`
	schemas   = "folder: 'file://SCHEMAS'"
	confluent = "  registry: {" + schemas + "}\n"
)

// framed are values that name a schema of a Confluent registry.
func framed() []sample {
	return []sample{
		{"framed Avro", "../frames/avro.bin", frames},
		{"framed JSON Schema", "../frames/json.bin", frames},
		{"framed Protobuf", "../frames/proto.bin", frames},
	}
}

// testdata has the samples.
const testdata = "../../internal/scan/testdata"

const inBody = "  envelope: aiven\n  offset: envelope.offset\n"

func archivers() []archiver {
	return []archiver{
		{"Confluent, default partitioner", "confluent", "", "pay/partition=3/pay+3+0000000100.x", "pay/partition=3/pay+3+0000000120.x", "", valued},
		{"Confluent, ByteArray, values framed for a Confluent registry", "confluent", "", "pay/partition=3/pay+3+0000000100.bin", "pay/partition=3/pay+3+0000000120.bin", confluent, framed()},
		{"Confluent, ByteArray, values framed for Glue Schema Registry", "confluent", "", "pay/partition=3/pay+3+0000000100.bin", "pay/partition=3/pay+3+0000000120.bin",
			"  registry: {framing: glue, " + schemas + "}\n", []sample{{"framed Avro", "../frames/glue.bin", frames}}},
		{"Confluent, time or field partitioner", "confluent", "", "pay/day=01/pay+3+0000000100.x", "pay/day=02/pay+3+0000000120.x", "", valued},
		{"Confluent, any partitioner, with inserted offsets", "confluent", "", "pay/day=01/pay+3+0000000100.x", "", inBody, []sample{{"JSON lines", "aiven.jsonl", ""}}},
		{"Lenses, without envelope", "lenses", "pay/3/000000000099_1_2.x", "pay/3/000000000119_1_2.x", "pay/3/000000000139_1_2.x", "", append(valued, csv)},
		{"Lenses, without envelope, first object of a partition", "lenses", "", "pay/3/000000000119_1_2.x", "pay/3/000000000139_1_2.x", "", valued},
		{"Lenses, with envelope, values framed for a Confluent registry", "lenses", "", "pay/3/000000000119_1_2.x", "", "  envelope: lenses\n" + confluent, []sample{{"framed Avro", "../frames/lenses.jsonl", ""}}},
		{"Lenses, with envelope, schema named in a header", "lenses", "", "pay/3/000000000119_1_2.x", "", "  envelope: lenses\n  registry: {headers: envelope.headers, " + schemas + "}\n", []sample{{"framed Avro", "../frames/lenses-header.jsonl", ""}}},
		{"Lenses, PARTITIONBY without envelope", "lenses", "", "country=US/pay(3_000000000119).x", "", "", valued},
		{"Lenses, with envelope", "lenses", "", "pay/3/000000000119_1_2.x", "", "  envelope: lenses\n",
			[]sample{{"JSON lines", "lenses.jsonl", ""}, {"Avro", "lenses.avro", ""}, {"Parquet", "lenses.parquet", ""}}},
		{"Aiven, default template, value alone", "aiven", "", "pay-3-100", "pay-3-120", "", append(valued, csv)},
		{"Aiven, default template, with offsets", "aiven", "", "pay-3-100", "", inBody, []sample{{"JSON lines", "aiven.jsonl", ""}, {"JSON array", "aiven.json", ""}}},
		{"Aiven, default template, values framed for a Confluent registry", "aiven", "", "pay-3-100", "", inBody + confluent, []sample{{"framed Avro in Avro", "../frames/bytes.avro", "avro"}, {"framed Avro in Parquet", "../frames/bytes.parquet", ""}}},
		{"Aiven, template with a timestamp", "{aiven: {template: '{{timestamp:unit=yyyy}}/{{topic}}-{{partition}}-{{start_offset}}'}}", "", "2026/pay-3-100", "", "", valued},
		{"Firehose", "firehose", "", "2026/03/05/10/pay-1-2026-03-05-10-05-00-0a1b2c3d-0000-4000-8000-0123456789ab", "", "", []sample{joined, json, parquet}},
		{"MSK Data Delivery", "msk", "", "pay/pay+3+000000000000000100-000000-105a4e6efaa", "", "", []sample{json}},
		{"Secor, delimited", "secor", "", "pay/dt=2026-03-05/1_3_00000000000000000100", "", "", []sample{json}},
		{"Secor, SequenceFile of values", "secor", "", "pay/offset=0/1_3_00000000000000000100", "", inSequence, []sample{{"SequenceFile, block-compressed", "secor.seq", ""}}},
		{"Secor, SequenceFile of MessagePack keys", "secor", "", "pay/dt=2026-03-05/hr=10/1_3_00000000000000000100", "", inSequence, []sample{{"SequenceFile", "secor-msgpack.seq", ""}}},
		{"Wix and its forks, text", "wix", "", "2026-03-05/pay-00003-000000000100.gz", "2026-03-05/pay-00003-000000000120.gz", "", []sample{json}},
		{"Vector, kafka source, json", nameless, "", "date=2026-03-051772668000-0a1b2c3d-0000-4000-8000-0123456789ab.log.gz", "", "  envelope: {value: message}\n  unpack: text\n  offset: envelope.offset\n", []sample{{"JSON lines", "vector.jsonl", ""}}},
		{"Vector, text", nameless, "", "date=2026-03-051772668000-0a1b2c3d-0000-4000-8000-0123456789ab.log", "", "", []sample{json}},
		{"Fluent Bit, kafka input", nameless, "", "fluent-bit-logs/kafka.pay/2026/03/05/10/00/00-object0a1B2c3D", "", "  envelope: {value: payload}\n  unpack: text\n  offset: envelope.offset\n", []sample{{"JSON lines", "fluentbit.jsonl", ""}}},
		{"Fluentd, json formatter", nameless, "", "logs/2026030510_0.gz", "", "", []sample{{"JSON lines", "fluentd.jsonl", ""}}},
		{"Logstash, json_lines codec", nameless, "", "ls.s3.0a1b2c3d-0000-4000-8000-0123456789ab.2026-03-05T10.00.tag_pay.part0.txt.gz", "", "", []sample{{"JSON lines", "logstash.jsonl", ""}}},
		{"Redpanda Connect, lines, concatenate or json_array", nameless, "", "17-1772668000000000000.txt", "", "", []sample{json, joined}},
		{"Redpanda Connect, offset mapped into the record", nameless, "", "17-1772668000000000000.json", "", inBody, []sample{{"JSON lines", "aiven.jsonl", ""}, {"JSON array", "aiven.json", ""}}},
		{"Camel, streaming upload", nameless, "", "pay-0a1b2c3d-0000-4000-8000-0123456789ab.json", "", "", []sample{joined}},
	}
}

// packer is a codec around an object.
type packer struct {
	name string
	pack func(t *testing.T, s sample, body []byte) []byte
}

// writing packs with a writer.
func writing(open func(io.Writer) (io.WriteCloser, error)) func(*testing.T, sample, []byte) []byte {
	return func(t *testing.T, _ sample, body []byte) []byte {
		t.Helper()
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
}

// packed takes what Python packed, for codecs that have no writer in Go.
func packed(extension string) func(*testing.T, sample, []byte) []byte {
	return func(t *testing.T, s sample, _ []byte) []byte {
		t.Helper()
		name := strings.ReplaceAll(strings.TrimPrefix(s.file, "../"), "/", "-")
		body, err := os.ReadFile(filepath.Join(testdata, "packed", name+extension))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
}

// framedSnappy is a snappy block behind what a dialect writes before it.
func framedSnappy(head func(plain, packed int) []byte) func(*testing.T, sample, []byte) []byte {
	return func(_ *testing.T, _ sample, body []byte) []byte {
		block := snappy.Encode(nil, body)
		return append(head(len(body), len(block)), block...)
	}
}

// packers are the codecs around an object, as README names them.
func packers() []packer {
	zipped := writing(func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	length := func(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }
	return []packer{
		{"no codec", func(_ *testing.T, _ sample, body []byte) []byte { return body }},
		{"gzip", zipped},
		{"gzip of several members", func(t *testing.T, s sample, body []byte) []byte {
			return append(zipped(t, s, body[:len(body)/3]), zipped(t, s, body[len(body)/3:])...)
		}},
		{"zstd", writing(func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })},
		{"lz4", writing(func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil })},
		{"snappy (raw)", framedSnappy(func(_, _ int) []byte { return nil })},
		{"snappy (xerial)", framedSnappy(func(_, n int) []byte {
			return length([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), n)
		})},
		{"snappy (Hadoop)", framedSnappy(func(plain, n int) []byte { return length(length(nil, plain), n) })},
		{"snappy (standard framing)", writing(func(w io.Writer) (io.WriteCloser, error) { return snappy.NewBufferedWriter(w), nil })},
		{"zlib", writing(func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil })},
		{"bzip2", packed(".bz2")},
		{"xz", packed(".xz")},
	}
}

// counted is a Sink that only counts.
type counted struct{ rows int }

func (c *counted) Rows(b *columns.Batch) error { c.rows += b.N; return nil }
func (c *counted) Reject(r *scan.Rejected) error {
	return fmt.Errorf("rejected: %s %s", r.Reason, r.Detail)
}
func (c *counted) Restart() error { c.rows = 0; return nil }

// identity archives the sample and says what its records' identity rests on.
func (a archiver) identity(t *testing.T, s sample, codec packer) kafka.Proof {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(testdata, "formats", s.file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, key := range []string{a.before, a.key, a.next} {
		if key == "" {
			continue
		}
		content := []byte{}
		if key == a.key {
			content = codec.pack(t, s, body)
		}
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := filepath.Abs(filepath.Join(testdata, "frames", "schemas"))
	if err != nil {
		t.Fatal(err)
	}
	records := strings.ReplaceAll(a.records, "SCHEMAS", folder)
	text := "version: 1\nname: x\narchive: {uri: 'file://" + dir + "', format: " + cmp.Or(s.format, "auto") + ", layout: " + a.layout + "}\nrecords:\n  event_time: none\n" + records +
		"columns: [{name: id, type: varchar(20), from: value.id, required: true}, {name: amount, type: 'decimal(18,2)', from: value.amount}]\ntable: {name: a.b, mode: append, scope: all}\n"
	ds, err := dataset.Compile("x.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := objstore.ParseURI(ds.Archive.URI)
	if err != nil {
		t.Fatal(err)
	}
	store, err := objstore.Open(context.Background(), uri, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &Workspace{Dataset: ds, Archive: store}
	listing, err := w.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known, err := w.Schemas(t.Context(), listing.Objects)
	if err != nil {
		t.Fatal(err)
	}
	scanner, err := scan.New(scan.Options{Dataset: ds, Source: w, Schemas: known})
	if err != nil {
		t.Fatal(err)
	}
	defer scanner.Close()
	for _, chunk := range runplan.Cut(listing.Objects, 1, runplan.Basis{}) {
		if chunk.Objects[0].Key != a.key {
			continue
		}
		sink := &counted{}
		counts, err := scanner.Chunk(t.Context(), chunk, sink)
		if err != nil {
			t.Fatal(err)
		}
		if sink.rows != 20 || counts.Tally[account.Row] != 20 {
			t.Fatalf("%d rows of 20", sink.rows)
		}
		o := counts.Objects[0]
		if o.Proof != kafka.ProofUnproven && (o.First != 100 || o.Last != 119) {
			t.Fatalf("%s offsets %d to %d, want 100 to 119", o.Proof, o.First, o.Last)
		}
		return o.Proof
	}
	t.Fatalf("%s is in no chunk", a.key)
	return ""
}

// TestArchivers reads each archiver's objects in each format and codec: one
// named test a cell of README's table, which is written from what they saw.
func TestArchivers(t *testing.T) {
	var table strings.Builder
	table.WriteString("| archiver | format | identity of a record |\n|---|---|---|\n")
	seen := map[string]bool{}
	for _, a := range archivers() {
		for _, s := range a.formats {
			row := a.name + " | " + s.name
			if seen[row] {
				t.Errorf("%s stands twice in the table", row)
			}
			seen[row] = true
			var proof kafka.Proof
			for _, codec := range packers() {
				t.Run(a.name+"/"+s.name+"/"+codec.name, func(t *testing.T) {
					got := a.identity(t, s, codec)
					if proof = cmp.Or(proof, got); got != proof {
						t.Errorf("%s with %s, %s with others", got, codec.name, proof)
					}
				})
			}
			if proof == "" {
				t.Fatalf("%s: no test saw its identity", row)
			}
			fmt.Fprintf(&table, "| %s | %s |\n", row, proof)
		}
	}
	var names []string
	for _, codec := range packers() {
		names = append(names, codec.name)
	}
	fmt.Fprintf(&table, "\nEach line was read with %s around its objects.\n", strings.Join(names, ", "))
	if t.Failed() {
		t.Fatal("README's table is not looked at: cells failed")
	}
	inReadme(t, table.String())
}

// inReadme compares the table with README's, or writes it there.
func inReadme(t *testing.T, table string) {
	t.Helper()
	const file = "../../README.md"
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(body), archivesBegin)
	_, tail, ok2 := strings.Cut(rest, archivesEnd)
	if !ok || !ok2 {
		t.Fatalf("README.md has no place for the table: it belongs between\n%s\n%s", archivesBegin, archivesEnd)
	}
	want := head + archivesBegin + "\n" + table + archivesEnd + tail
	if want == string(body) {
		return
	}
	if os.Getenv("BACKFILL_UPDATE_README") == "" {
		t.Fatal("README's table of archives is not what the tests see: run `make archives`")
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
