package decode

import (
	"bytes"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/schema"
)

func avroFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "avro", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAvroFixtures(t *testing.T) {
	weather := Spec{Columns: []schema.Column{column("station", "varchar(20)", "station"), column("time", "bigint", "time"), column("temp", "integer", "temp")}}
	const readings = "011990-99999|-619524000000|0; 011990-99999|-619506000000|22; 011990-99999|-619484400000|-11; 012650-99999|-655531200000|111; 012650-99999|-655509600000|78"
	flat := Spec{Columns: []schema.Column{column("name", "varchar(100)", "name"), column("title", "varchar(100)", "title"), column("salary", "super", "salary")}}
	typed := Spec{Columns: []schema.Column{column("b", "boolean", "booleanField"), column("i", "integer", "intField"), column("l", "bigint", "longField"), column("s", "varchar(20)", "stringField")}}
	root := Spec{Columns: []schema.Column{column("v", "super")}}
	root.Columns[0].Path = []string{}
	for _, test := range []struct {
		file string
		spec Spec
		want string // the rows, or the beginning of them
		err  string
	}{
		{"weather.avro", weather, readings, ""},
		{"weather-deflate.avro", weather, readings, ""},
		{"weather-snappy.avro", weather, readings, ""},
		{"weather-zstd.avro", weather, readings, ""},
		{"lenses.avro", flat, "qkdfNkidzreMaxtgjtbjiphpksshcxuhjj|", ""},
		{"avro-1279-codec.avro", typed, "", ""},
		{"avro-1279-no-codec.avro", typed, "", ""},
		{"syncInMeta.avro", root, "", ""},
		{"avro-1238-good.avro", root, "", ""},
		{"avro-1237-good.avro", root, "", ""},
		{"avro-1238-truncated.avro", root, "", "the file is cut off"},
		{"avro-1237-bad-union-discriminant.avro", root, "", "a value does not fit the file's schema"},
		{"syncMarkerMismatch.avro", root, "", "a block does not end in the file's marker"},
		{"blockCountExceedsMaxBlockCount.avro", root, "", "the file is cut off"},
		{"blockSizeNotGreaterThanZero.avro", root, "", "the file is cut off"},
		{"cannotReadBlockSize.avro", root, "", "the file is cut off"},
	} {
		for _, n := range []int{1, 7, 1 << 20} {
			got, err := scanAll(t, test.spec, Limits{}, &pieces{string(avroFile(t, test.file)), n})
			var rows []string
			for _, r := range got {
				if r.Kind == Value && r.Reject != "" || r.Kind == Unreadable {
					t.Errorf("%s: %+v", test.file, r)
				}
				rows = append(rows, r.Cells)
			}
			switch text := strings.Join(rows, "; "); {
			case test.err == "" && err != nil, test.err != "" && (!fail.Is(err, fail.Damaged) || !strings.Contains(err.Error(), test.err)):
				t.Errorf("%s: %v, want %q", test.file, err, test.err)
			case test.err == "" && (!strings.HasPrefix(text, test.want) || text == "" && len(rows) == 0):
				t.Errorf("%s: %.200q, want %q", test.file, text, test.want)
			}
		}
	}
}

const paymentSchema = `{"type":"record","name":"Payment","namespace":"pay","fields":[
 {"name":"id","type":"string"},
 {"name":"employee","type":{"type":"record","name":"Employee","fields":[{"name":"id","type":"long"},{"name":"grade","type":["null","int"]}]}},
 {"name":"unused","type":{"type":"array","items":{"type":"map","values":["null","string","double"]}}},
 {"name":"gross","type":{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}},
 {"name":"net","type":["null",{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}]},
 {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
 {"name":"sent","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"day","type":{"type":"int","logicalType":"date"}},
 {"name":"paid","type":"boolean"},
 {"name":"note","type":["null","string"]},
 {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["SETTLED","REVERSED"]}},
 {"name":"ratio","type":"double"},
 {"name":"again","type":["null","Employee"]}]}`

type employee struct {
	ID    int64 `avro:"id"`
	Grade *int  `avro:"grade"`
}

type payment struct {
	ID       string           `avro:"id"`
	Employee employee         `avro:"employee"`
	Unused   []map[string]any `avro:"unused"`
	Gross    *big.Rat         `avro:"gross"`
	Net      *big.Rat         `avro:"net"`
	At       time.Time        `avro:"at"`
	Sent     time.Time        `avro:"sent"`
	Day      time.Time        `avro:"day"`
	Paid     bool             `avro:"paid"`
	Note     *string          `avro:"note"`
	Kind     string           `avro:"kind"`
	Ratio    float64          `avro:"ratio"`
	Again    *employee        `avro:"again"`
}

func paymentSpec() Spec {
	return Spec{
		Columns: []schema.Column{
			column("id", "varchar(40)", "id"), column("employee_id", "bigint", "employee", "id"), column("grade", "smallint", "employee", "grade"),
			column("gross", "decimal(38,2)", "gross"), column("net", "decimal(18,2)", "net"), column("at", "timestamp", "at"),
			column("day", "date", "day"), column("paid", "boolean", "paid"), column("note", "varchar(200)", "note"),
			column("kind", "varchar(10)", "kind"), column("ratio", "decimal(18,6)", "ratio"), column("again", "super", "again"),
		},
		EventTime: &TimeField{Path: []string{"at"}}, Timestamp: &TimeField{Path: []string{"sent"}}, Where: [][]string{{"kind"}},
	}
}

// randomPayment returns a payment and the cells it should become.
func randomPayment(r *rand.Rand) (payment, string) {
	cents := new(big.Int).Rand(mathrand.New(source{r}), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(1+r.IntN(37))), nil))
	if r.IntN(2) == 0 {
		cents.Neg(cents)
	}
	net := r.Int64N(1e17) - 5e16
	micros := r.Int64N(4e15) - 1e15
	p := payment{
		ID: fmt.Sprintf("é-%d", r.Uint64()), Employee: employee{ID: r.Int64() - r.Int64()}, Gross: new(big.Rat).SetFrac(cents, big.NewInt(100)),
		At: time.UnixMicro(micros).UTC(), Sent: time.UnixMilli(r.Int64N(2e12)).UTC(), Day: time.Unix(r.Int64N(40000)*86400, 0).UTC(),
		Paid: r.IntN(2) == 0, Kind: []string{"SETTLED", "REVERSED"}[r.IntN(2)], Ratio: float64(r.IntN(1e6)) / 64, // exact in six digits
		Unused: []map[string]any{{"a": "x", "b": nil, "c": 1.5}, {}},
	}
	text := []string{p.ID, fmt.Sprint(p.Employee.ID), "NULL", cents.String(), "NULL", fmt.Sprint(micros),
		fmt.Sprint(p.Day.Unix() / 86400), "0", "NULL", p.Kind, fmt.Sprint(int64(p.Ratio * 1e6)), "NULL"}
	if r.IntN(2) == 0 {
		grade := r.IntN(60000) - 30000
		p.Employee.Grade, text[2] = &grade, fmt.Sprint(grade)
		p.Again, text[11] = &p.Employee, fmt.Sprintf(`{"id":%d,"grade":%d}`, p.Employee.ID, grade)
	}
	if r.IntN(2) == 0 {
		p.Net, text[4] = big.NewRat(net, 100), fmt.Sprint(net)
	}
	if p.Paid {
		text[7] = "1"
	}
	if r.IntN(2) == 0 {
		note := strings.Repeat("a \"quoted\" note\n", r.IntN(10))
		p.Note, text[8] = &note, note
	}
	return p, strings.Join(text, "|")
}

func avroPayments(t testing.TB, codec ocf.Codec, n int) ([]byte, []string) {
	t.Helper()
	var out bytes.Buffer
	w, err := ocf.NewWriter(&out, avro.MustParse(paymentSchema), ocf.WithCodec(codec), ocf.WithBlockCount(100))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	var want []string
	for range n {
		p, cells := randomPayment(r)
		if err := w.Encode(p); err != nil {
			t.Fatal(err)
		}
		want = append(want, cells)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), want
}

// TestAvroAgainstLibrary reads what another implementation wrote, with every
// codec and cut anywhere.
func TestAvroAgainstLibrary(t *testing.T) {
	for _, codec := range []ocf.Codec{nil, ocf.DeflateCodec(-1), ocf.SnappyCodec(), ocf.MustZstdCodec(nil, nil)} {
		file, want := avroPayments(t, codec, 3000)
		for _, n := range []int{997, 1 << 20} {
			got, err := scanAll(t, paymentSpec(), Limits{BlockBytes: 4 << 10}, &pieces{string(file), n})
			if err != nil || len(got) != len(want) {
				t.Fatalf("%v: %d records, %v", codec, len(got), err)
			}
			for i := range want {
				if got[i].Cells != want[i] || got[i].Row != int64(i) || got[i].Where != "4:"+strings.Split(want[i], "|")[9] {
					t.Fatalf("%v, record %d: %+v, want %s", codec, i, got[i], want[i])
				}
			}
		}
	}
}

// TestAvroTruncated cuts a file at every byte: what is before the cut's block
// is read, and only a cut between blocks may pass for an end.
func TestAvroTruncated(t *testing.T) {
	file, want := avroPayments(t, nil, 250)
	passed := 0
	for n := 4; n < len(file); n += 1 + n/400 {
		got, err := scanAll(t, paymentSpec(), Limits{}, bytes.NewReader(file[:n]))
		if err == nil {
			passed++
		} else if !fail.Is(err, fail.Damaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		for i := range got {
			if got[i].Cells != want[i] {
				t.Fatalf("cut at %d, record %d: %+v", n, i, got[i])
			}
		}
	}
	if passed > 4 {
		t.Errorf("%d cuts pass for an end", passed)
	}
}

// TestAvroRows: a bad string costs one record, a null at the top is a tombstone,
// and what does not fit its column is a reject that names it.
func TestAvroRows(t *testing.T) {
	var f avroWriter
	f.begin(`["null",{"type":"record","name":"R","fields":[{"name":"s","type":"string"},{"name":"n","type":"long"},
		{"name":"d","type":{"type":"fixed","name":"D","size":3,"logicalType":"decimal","precision":6,"scale":5}}]}]`)
	f.block(4, "\x02\x02a\x0e\xff\xff\xf6", "\x00", "\x02\x04\xff\xfe\x02\x00\x00\x00", "\x02\x02b\x80\x80\x80\x80\x20\x00\x00\x00")
	got, err := scanAll(t, Spec{Columns: []schema.Column{column("s", "varchar(5)", "s"), column("n", "integer", "n"), column("d", "decimal(10,6)", "d")}}, Limits{}, &f)
	if err != nil || len(got) != 4 {
		t.Fatalf("%d records, %v", len(got), err)
	}
	if got[0].Cells != "a|7|-100" || got[1].Kind != Tombstone || got[2].Kind != Unreadable || got[2].Reason != InvalidUTF8 ||
		got[2].Detail != "a string that is not valid UTF-8 ends at byte 4" || got[3].Reject != "1: out_of_range, 4294967296 for integer" {
		t.Errorf("%+v", got)
	}
}

func TestAvroRefused(t *testing.T) {
	for name, schemaText := range map[string]string{
		`unknown type "none"`: `"none"`, "a type has no name": `{"type":"record","fields":[]}`, "has no fields": `{"type":"record","name":"R"}`,
		"deeper than 100": strings.Repeat("[", 150) + `"null"` + strings.Repeat("]", 150), "not JSON": "{", "a decimal has scale -1": `{"type":"bytes","logicalType":"decimal","scale":-1}`,
	} {
		var f avroWriter
		f.begin(schemaText)
		_, err := scanAll(t, Spec{Columns: []schema.Column{column("s", "varchar(5)", "s")}}, Limits{}, &f)
		if !fail.Is(err, fail.BadLayout) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

// TestDeclaredFormat: an object that is not what was declared is refused, and
// one without a byte is either.
func TestDeclaredFormat(t *testing.T) {
	avro, avroCells := avroPayments(t, nil, 3)
	columns := []schema.Column{column("s", "varchar(5)", "s")}
	for _, c := range []struct {
		declared Format
		object   string
		records  int
		refused  string
	}{
		{AnyFormat, "{}", 1, ""}, {JSON, "{}", 1, ""}, {JSON, "Obj", 1, ""}, {JSON, "", 0, ""}, {Avro, "", 0, ""},
		{AnyFormat, string(avro), len(avroCells), ""}, {Avro, string(avro), len(avroCells), ""},
		{JSON, string(avro), 0, "the object is an Avro file, and archive.format says json"},
		{Avro, "{}", 0, "the object is no Avro file, and archive.format says avro"},
		{Avro, "Obj", 0, "the object is no Avro file, and archive.format says avro"},
	} {
		got, err := scanAll(t, Spec{Columns: columns, Format: c.declared}, Limits{}, strings.NewReader(c.object))
		if len(got) != c.records || c.refused == "" && err != nil {
			t.Errorf("declared %d, %.4q: %d records, %v", c.declared, c.object, len(got), err)
		}
		if c.refused != "" && (!fail.Is(err, fail.BadLayout) || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("declared %d, %.4q: %v, want %s", c.declared, c.object, err, c.refused)
		}
	}
}

// avroWriter writes a file by hand, for what no library writes.
type avroWriter struct{ bytes.Buffer }

const avroMarker = "0123456789abcdef"

func (f *avroWriter) long(n int) {
	for v := uint64(n) << 1; ; v >>= 7 {
		if v < 0x80 {
			f.WriteByte(byte(v))
			return
		}
		f.WriteByte(byte(v) | 0x80)
	}
}

func (f *avroWriter) text(s string) {
	f.long(len(s))
	f.WriteString(s)
}

func (f *avroWriter) begin(schemaText string) {
	f.WriteString(ocfMagic)
	f.long(1)
	f.text("avro.schema")
	f.text(schemaText)
	f.long(0)
	f.WriteString(avroMarker)
}

func (f *avroWriter) block(count int, data ...string) {
	f.long(count)
	f.text(strings.Join(data, ""))
	f.WriteString(avroMarker)
}

// source makes a rand.Rand one that math/big takes.
type source struct{ r *rand.Rand }

func (s source) Int63() int64 { return s.r.Int64() }
func (s source) Seed(int64)   {}

// FuzzAvro looks for panics, endless work and errors without a code.
func FuzzAvro(f *testing.F) {
	for _, name := range []string{"weather.avro", "weather-deflate.avro", "weather-snappy.avro", "avro-1279-codec.avro", "avro-1238-good.avro"} {
		f.Add(avroFile(f, name))
	}
	file, _ := avroPayments(f, nil, 5)
	f.Add(file)
	p, err := Compile(paymentSpec())
	if err != nil {
		f.Fatal(err)
	}
	s, batch := p.NewScanner(Limits{RecordBytes: 1 << 16}), columns.NewBatch(paymentSpec().Columns)
	f.Fuzz(func(t *testing.T, text []byte) {
		if !bytes.HasPrefix(text, []byte(ocfMagic)) {
			return
		}
		s.Reset(bytes.NewReader(text))
		for range 1 << 12 {
			batch.N = 0
			err := s.Scan(batch, func(r *Record) bool { return r.Len < 1<<16 })
			if err == io.EOF {
				return
			}
			if err != nil {
				if !fail.Is(err, fail.Damaged) && !fail.Is(err, fail.BadLayout) {
					t.Fatal(err)
				}
				return
			}
		}
	})
}

func BenchmarkScanAvro(b *testing.B) {
	file, want := avroPayments(b, nil, 20000)
	p, err := Compile(paymentSpec())
	if err != nil {
		b.Fatal(err)
	}
	s, batch, r := p.NewScanner(Limits{}), columns.NewBatch(paymentSpec().Columns), bytes.NewReader(nil)
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		r.Reset(file)
		s.Reset(r)
		for err = nil; err == nil; {
			batch.N = 0
			err = s.Scan(batch, func(*Record) bool { rows++; return true })
		}
		if err != io.EOF {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	b.ReportMetric(float64(len(file))/float64(len(want)), "bytes/row")
}
