package scan

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// compileWith compiles the small dataset with a format and an envelope.
func compileWith(t testing.TB, format, records string) *dataset.Dataset {
	t.Helper()
	folder, err := filepath.Abs("testdata/frames/schemas")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(datasetText, strings.ReplaceAll(records, "SCHEMAS", folder), 4)
	text = strings.Replace(text, "layout: confluent}", "layout: confluent, format: "+format+"}", 1)
	ds, err := dataset.Compile("events.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func madeFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/formats/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scanFile reads one object that begins at offset 100, and the one behind it.
func scanFile(t testing.TB, ds *dataset.Dataset, body []byte, next string) (*recorder, *account.Chunk, error) {
	t.Helper()
	return scanFileAhead(t, ds, body, next, false)
}

// scanFileAhead reads, when ahead, as the last chunks of a plan are read:
// decompressed on a goroutine of its own.
func scanFileAhead(t testing.TB, ds *dataset.Dataset, body []byte, next string, ahead bool) (*recorder, *account.Chunk, error) {
	t.Helper()
	a := newArchive().add("A", 100, body)
	if next != "" {
		a.add("B", 120, []byte(next))
	}
	s := newScanner(t, ds, a)
	s.ReadAhead(ahead)
	sink := &recorder{}
	counts, err := s.Chunk(context.Background(), a.cut(1)[0], sink)
	return sink, counts, err
}

// same is how files of testdata/formats are read. Programs other than ours
// wrote them: make.py has how.
var same = []struct {
	file, format, records string
	proof                 kafka.Proof
}{
	{"plain.jsonl", "json", "", kafka.ProofDerived},
	{"firehose", "auto", "", kafka.ProofDerived},
	{"fastavro-null.avro", "auto", "", kafka.ProofDerived},
	{"fastavro-deflate.avro", "avro", "", kafka.ProofDerived},
	{"fastavro-bzip2.avro", "auto", "", kafka.ProofDerived},
	{"pyarrow-none.parquet", "auto", "", kafka.ProofDerived},
	{"pyarrow-snappy.parquet", "parquet", "", kafka.ProofDerived},
	{"pyarrow-gzip.parquet", "auto", "", kafka.ProofDerived},
	{"pyarrow-zstd.parquet", "auto", "", kafka.ProofDerived},
	{"pyarrow-brotli.parquet", "auto", "", kafka.ProofDerived},
	{"pyarrow-lz4.parquet", "auto", "", kafka.ProofDerived},
	{"header.csv", "csv", "", kafka.ProofDerived},
	{"bare.csv", "{csv: {columns: [id, type, at, amount, wide, currency, note], delimiter: ';'}}", "", kafka.ProofDerived},
	{"lenses.jsonl", "auto", "  envelope: lenses\n", kafka.ProofBody},
	{"lenses.avro", "auto", "  envelope: lenses\n", kafka.ProofBody},
	{"lenses.parquet", "auto", "  envelope: lenses\n", kafka.ProofBody},
	{"aiven.jsonl", "auto", "  envelope: aiven\n  offset: envelope.offset\n  timestamp: envelope.timestamp\n", kafka.ProofBody},
	{"aiven.json", "auto", "  envelope: aiven\n  offset: envelope.offset\n", kafka.ProofBody},
	{"aiven.jsonl", "auto", "  envelope: {value: value}\n", kafka.ProofDerived},
	{"connect.jsonl", "auto", "  envelope: connect\n", kafka.ProofDerived},
	{"debezium.jsonl", "auto", "  envelope: debezium\n", kafka.ProofDerived},
	{"connect-debezium.jsonl", "auto", "  envelope: [connect, debezium]\n", kafka.ProofDerived},
	{"cloudevents.jsonl", "auto", "  envelope: cloudevents\n", kafka.ProofDerived},
	{"strings.jsonl", "auto", "  unpack: text\n", kafka.ProofDerived},
	{"packed.csv", "{csv: {columns: [value, offset]}}", "  envelope: aiven\n  offset: envelope.offset\n  unpack: base64\n", kafka.ProofBody},
	{"packed-debezium.jsonl", "json", "  envelope: [lenses, connect, debezium]\n  unpack: base64\n", kafka.ProofBody},
	{"packed.avro", "avro", "  envelope: aiven\n  offset: envelope.offset\n  unpack: text\n", kafka.ProofBody},
	{"vector.jsonl", "auto", "  envelope: {value: message}\n  unpack: text\n  offset: envelope.offset\n", kafka.ProofBody},
	{"fluentbit.jsonl", "auto", "  envelope: {value: payload}\n  unpack: text\n  offset: envelope.offset\n", kafka.ProofBody},
	{"secor.seq", "auto", "  envelope: secor\n  unpack: base64\n", kafka.ProofBody},
	{"secor-msgpack.seq", "auto", "  envelope: secor\n  unpack: base64\n", kafka.ProofBody},
	{"../frames/avro.bin", framedBytes, framed, kafka.ProofDerived},
	{"../frames/json.bin", framedBytes, framed, kafka.ProofDerived},
	{"../frames/proto.bin", framedBytes, framed, kafka.ProofDerived},
	{"../frames/glue.bin", framedBytes, "  registry: {framing: glue, folder: 'file://SCHEMAS'}\n", kafka.ProofDerived},
	{"../frames/lenses.jsonl", "auto", "  envelope: lenses\n" + framed, kafka.ProofBody},
	{"../frames/lenses-header.jsonl", "auto", "  envelope: lenses\n  registry: {headers: envelope.headers, folder: 'file://SCHEMAS'}\n", kafka.ProofBody},
	{"../frames/aiven-header.jsonl", "auto", "  envelope: aiven\n  offset: envelope.offset\n  registry: {headers: envelope.headers, folder: 'file://SCHEMAS'}\n", kafka.ProofBody},
	{"../frames/msk.jsonl", "auto", "  envelope: msk\n" + framed, kafka.ProofBody},
	{"../frames/bytes.parquet", "auto", "  envelope: aiven\n  offset: envelope.offset\n" + framed, kafka.ProofBody},
	{"../frames/bytes.avro", "avro", "  envelope: aiven\n  offset: envelope.offset\n" + framed, kafka.ProofBody},
}

// How values that name their schema are archived: as bytes, with a delimiter.
const (
	framedBytes = `{bytes: {delimiter: "\r\n--\r\n"}}`
	framed      = "  registry: {folder: 'file://SCHEMAS'}\n"
)

// TestSameRecords reads the same records in all formats and envelopes: rows,
// offsets, money and dispositions are the same.
func TestSameRecords(t *testing.T) {
	var want *account.Chunk
	var rows []row
	for _, c := range same {
		t.Run(c.file+" "+strings.TrimSpace(c.records), func(t *testing.T) {
			for name, body := range map[string][]byte{"plain": madeFile(t, c.file), "gzip": gzipped(t, madeFile(t, c.file)), "ahead": madeFile(t, c.file)} {
				sink, counts, err := scanFileAhead(t, compileWith(t, c.format, c.records), body, "", name == "ahead")
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if want == nil {
					want, rows = counts, sink.rows
					if want.Tally[account.Row] < 10 || want.Tally[account.Filtered] < 5 {
						t.Fatalf("%+v", want.Tally)
					}
				}
				if !slices.Equal(sink.rows, rows) || counts.Tally != want.Tally || counts.Objects[0].Proof != c.proof {
					t.Fatalf("%s: %d rows, %v, %s; want %d, %v, %s\n%+v\n%+v", name, len(sink.rows), counts.Tally, counts.Objects[0].Proof,
						len(rows), want.Tally, c.proof, sink.rows[:min(2, len(sink.rows))], rows[:2])
				}
				for place, cell := range want.Cells {
					if got := counts.Cells[place]; got == nil || !got.Equal(cell) {
						t.Errorf("%s: at %+v %+v, want %+v", name, place, got, cell)
					}
				}
			}
		})
	}
}

// TestEnvelopes shows what becomes of records that are deletes, or in no
// envelope at all, and that paths may begin at the envelope.
func TestEnvelopes(t *testing.T) {
	value := event("a")
	for _, c := range []struct {
		envelope, record string
		want             account.Disposition
		reason           string
	}{
		{"lenses", `{"value":` + value + `,"metadata":{"offset":100,"partition":3,"timestamp":1772323200000}}`, account.Row, ""},
		{"lenses", `{"key":"k","value":null,"metadata":{"offset":100}}`, account.Tombstone, ""},
		{"lenses", `{"key":"k","metadata":{"offset":100}}`, account.Tombstone, ""},
		{"lenses", `null`, account.Tombstone, ""},
		{"lenses", value, account.Unreadable, "no_envelope"},
		{"lenses", `{"value":` + value + `,"metadata":{"offset":100,"partition":4}}`, account.Rejected, "partition_mismatch"},
		{"aiven", `{"value":null,"offset":100}`, account.Tombstone, ""},
		{"aiven", `{"offset":100}`, account.Unreadable, "no_envelope"},
		{"debezium", `{"before":` + value + `,"after":null,"op":"d"}`, account.Tombstone, ""},
		{"debezium", `{"op":"t"}`, account.Unreadable, "no_envelope"},
		{"[connect, debezium]", `{"schema":{},"payload":{"before":null,"after":` + value + `,"op":"c"}}`, account.Row, ""},
		{"[connect, debezium]", `{"before":null,"after":` + value + `,"op":"c"}`, account.Unreadable, "no_envelope"},
		{"[connect, debezium]", `{"schema":{},"payload":null}`, account.Tombstone, ""},
		{"[aiven, debezium]", `{"value":null}`, account.Tombstone, ""},
		{"[aiven, debezium]", `{"value":{"op":"t"}}`, account.Unreadable, "no_envelope"},
		{"[lenses, connect, debezium]", `{"value":null,"metadata":{"offset":100}}`, account.Tombstone, ""},
		{"[lenses, connect, debezium]", `{"value":{"schema":{},"payload":null},"metadata":{"offset":100}}`, account.Tombstone, ""},
		{"cloudevents", `{"specversion":"1.0","data_base64":"e30="}`, account.Unreadable, "no_envelope"},
		{"{value: a.b}", `{"a":{"b":` + value + `}}`, account.Row, ""},
		{"aiven\n  unpack: base64", `{"value":null}`, account.Tombstone, ""},
		{"aiven\n  unpack: base64", `{"value":"e30"}`, account.Unreadable, "not_packed"},
		{"aiven\n  unpack: text", `{"value":"{"}`, account.Unreadable, "not_packed"},
		{"aiven\n  unpack: text", `{"value":{}}`, account.Unreadable, "not_packed"},
		{"aiven\n  unpack: text", `{"valu`, account.Unreadable, "malformed_json"},
		{"{value: a.b}", `{"a":null}`, account.Unreadable, "no_envelope"},
	} {
		sink, counts, err := scanFile(t, compileWith(t, "auto", "  envelope: "+c.envelope+"\n"), []byte(c.record+"\n"), "")
		if err != nil || counts.Tally[c.want] != 1 || counts.Tally.Read() != 1 {
			t.Errorf("%s %s: %v, %v", c.envelope, c.record, counts.Tally, err)
			continue
		}
		if c.reason != "" && (len(sink.rejects) != 1 || sink.rejects[0].Reason != c.reason) {
			t.Errorf("%s %s: %+v", c.envelope, c.record, sink.rejects)
		}
	}
	ds := compileWith(t, "auto", "  envelope: debezium\n")
	ds2, err := dataset.Compile("again.yaml", ds.Text, nil, nil)
	if err != nil || ds2.Digest != ds.Digest || ds2.ConvertDigest != ds.ConvertDigest {
		t.Errorf("the dataset's text comes back as %v, %v", ds2, err)
	}
	text := strings.Replace(fmt.Sprintf(datasetText, "  envelope: debezium\n", 1), "from: value.note", "from: envelope.op", 1)
	text = strings.Replace(text, `value.type in ["paid", "void"]`, `envelope.op in ["c", "u"]`, 1)
	if ds, err = dataset.Compile("events.yaml", []byte(text), nil, nil); err != nil {
		t.Fatal(err)
	}
	sink, counts, err := scanFile(t, ds, []byte(`{"after":`+value+`,"op":"c"}{"after":`+value+`,"op":"x"}`), "")
	if err != nil || counts.Tally[account.Row] != 1 || counts.Tally[account.Filtered] != 1 || !strings.Contains(sink.rows[0].text, `"c"|`) {
		t.Errorf("%v, %+v, %v", counts, sink.rows, err)
	}
}

// TestRecordsOfOtherFormats shows how bad rows and objects of CSV, text and
// Parquet are told.
func TestRecordsOfOtherFormats(t *testing.T) {
	head := "id,type,at,amount,wide,currency\n"
	good := "a,paid,2026-03-05T10:00:00Z,12.50,1.5,USD\n"
	sink, counts, err := scanFile(t, compileWith(t, "csv", ""), []byte(head+good+"b,paid\n\"c\"x,paid\n"+strings.Replace(good, "a,", "d,", 1)), "")
	if err != nil || counts.Tally[account.Row] != 2 || counts.Tally[account.Unreadable] != 2 || sink.rows[1].offset != 103 {
		t.Fatalf("%v, %+v, %v", counts, sink.rows, err)
	}
	if r := sink.rejects; r[0].Reason != "field_count" || string(r[0].Raw) != "b,paid" || r[0].Row != 1 || r[1].Reason != "bad_quote" || string(r[1].Raw) != `"c"x,paid` {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		format, body, want string
		code               fail.Code
	}{
		{"csv", "id,id\n", "does not name each column once", fail.BadLayout},
		{"parquet", "{}", "the object is no Parquet file, and archive.format says parquet", fail.BadLayout},
		{"json", "PAR1xxxxPAR1", "Parquet", fail.BadLayout},
		{"auto", "PAR1" + strings.Repeat("\xff", 20) + "PAR1", "the Parquet file is damaged", fail.Damaged},
	} {
		_, _, err := scanFile(t, compileWith(t, c.format, ""), []byte(c.body), "")
		if !fail.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v", c.format, c.body, err)
		}
	}
}

// TestLowerBound: where names give lower bounds, a file may begin later.
func TestLowerBound(t *testing.T) {
	for lower, findings := range map[bool]int{true: 0, false: 1} {
		a := newArchive().add("A", 0, lines(at(5, "a"), at(6, "b"))).add("B", 7, lines(at(8, "c")))
		for i := range a.inputs {
			a.inputs[i].Lower = lower
		}
		sink := &recorder{}
		counts, err := newScanner(t, compile(t, bodyOffsets, 1), a).Chunk(context.Background(), a.cut(0)[0], sink)
		if err != nil || len(sink.rows) != 3 || len(counts.Findings) != findings {
			t.Errorf("lower %t: %d rows, %+v, %v", lower, len(sink.rows), counts.Findings, err)
		}
	}
}

// TestOffsetAroundUnreadable: where a value can't be opened, the offset beside it
// still says that the record is there.
func TestOffsetAroundUnreadable(t *testing.T) {
	good := func(offset int) string {
		return fmt.Sprintf(`{"offset":%d,"message":%q}`, offset, event(fmt.Sprint("e", offset)))
	}
	body := good(100) + "\n" + `{"message":"{\"id\":","offset":101}` + "\n" + `{"offset":102,"message":7}` + "\n" + good(103) + "\n" +
		"broken\n" + `{"offset":106,"message":"x"}` + "\n" + good(107) + "\n"
	ds := compileWith(t, "json", "  envelope: {value: message}\n  unpack: text\n  offset: envelope.offset\n")
	sink, counts, err := scanFile(t, ds, []byte(body), "")
	if err != nil || counts.Tally[account.Row] != 3 || counts.Tally[account.Unreadable] != 4 {
		t.Fatalf("%+v, %v", counts, err)
	}
	if got := fmt.Sprint(counts.Ranges); got != "[{100 104} {106 108}]" {
		t.Errorf("offsets found %s", got)
	}
	var got []string
	for _, r := range sink.rejects {
		got = append(got, fmt.Sprintf("%d@%d %s %s", r.Row, r.Offset, r.Reason, r.Raw))
	}
	want := []string{`1@101 not_packed {"message":"{\"id\":","offset":101}`, `2@102 not_packed {"offset":102,"message":7}`, `4@-1 malformed_json broken`, `5@106 not_packed {"offset":106,"message":"x"}`}
	if !slices.Equal(got, want) {
		t.Errorf("quarantined\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
