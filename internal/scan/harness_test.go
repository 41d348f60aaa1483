package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	_ "time/tzdata" // zones are there whatever the machine has

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/registry"
	"backfill/internal/runplan"
)

// datasetText is a small dataset; %[1]s stands for further keys of records,
// %[2]d for the number of buckets.
const datasetText = `version: 1
name: events
archive: {uri: "file:///srv/archive", layout: confluent}
records:
  where: 'value.type in ["paid", "void"]'
  event_time: value.at
%[1]s
calendar: America/Los_Angeles
columns:
  - {name: id,       type: varchar(20),      from: value.id, required: true}
  - {name: type,     type: varchar(10),      from: value.type}
  - {name: at,       type: timestamp,        from: value.at, required: true}
  - {name: amount,   type: "decimal(18,2)",  from: value.amount}
  - {name: wide,     type: "decimal(30,4)",  from: value.wide}
  - {name: currency, type: char(3),          from: value.currency}
  - {name: note,     type: varchar(65535),   from: value.note}
table: {name: pay.events, mode: replace_window, scope: all, window_column: at, key: [id]}
reconcile: {totals: [amount, wide], by: [currency], buckets: %[2]d}
`

// Further keys of records.
const (
	derivedOffsets = ""
	bodyOffsets    = "  partition: value.k.p\n  offset: value.k.o\n  timestamp: value.k.t\n"
)

func compile(t testing.TB, records string, buckets int) *dataset.Dataset {
	t.Helper()
	ds, err := dataset.Compile("events.yaml", fmt.Appendf(nil, datasetText, records, buckets), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// window is [2026-03-01, 2026-04-01) in UTC.
var window = kafka.Window{From: 1772323200_000000, To: 1775001600_000000}

// partition is what all test objects belong to.
var partition = kafka.TopicPartition{Topic: "pay", Partition: 3}

// event gives the text of a record that becomes a row.
func event(id string) string {
	return fmt.Sprintf(`{"id":%q,"type":"paid","at":"2026-03-05T10:00:00Z","amount":"12.50","wide":"1.5","currency":"USD"}`, id)
}

// at gives the text of a record that carries its offset.
func at(offset int64, id string) string {
	return fmt.Sprintf(`{"k":{"o":%d,"p":3},"id":%q,"type":"paid","at":"2026-03-05T10:00:00Z","amount":"1.00","currency":"EUR"}`, offset, id)
}

// events gives n rows whose texts depend on their offsets.
func events(from, n int) []string {
	var lines []string
	for i := range n {
		lines = append(lines, event(fmt.Sprintf("e%d", from+i)))
	}
	return lines
}

func lines(list ...string) []byte { return []byte(strings.Join(list, "\n") + "\n") }

// fataler is what tests and properties have in common.
type fataler interface{ Fatal(args ...any) }

func gzipped(t fataler, text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t fataler, text []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(text, nil)
}

// archive is a Source in memory and the partition's objects in it.
type archive struct {
	bodies map[string][]byte
	opened []string
	closed int
	inputs []runplan.Input
	fault  func(key string, r io.Reader) (io.Reader, error)
}

func newArchive() *archive { return &archive{bodies: map[string][]byte{}} }

// add archives an ordered object.
func (a *archive) add(key string, first kafka.Offset, body []byte) *archive {
	return a.put(runplan.ObjectRef{Key: key, First: first, Ordered: true}, body)
}

func (a *archive) put(ref runplan.ObjectRef, body []byte) *archive {
	ref.Size = int64(len(body))
	a.bodies[ref.Key] = body
	a.inputs = append(a.inputs, runplan.Input{Partition: partition, ObjectRef: ref})
	return a
}

// cut gives chunks of about so many bytes; 1: one object each, 0: one chunk.
func (a *archive) cut(bytes int64) []runplan.Chunk {
	if bytes == 0 {
		bytes = 1 << 60
	}
	return runplan.Cut(a.inputs, bytes, runplan.Basis{})
}

type closer struct {
	io.Reader
	closed *int
}

func (c closer) Close() error { *c.closed++; return nil }

func (a *archive) Open(_ context.Context, o runplan.ObjectRef) (io.ReadCloser, error) {
	a.opened = append(a.opened, o.Key)
	var r io.Reader = bytes.NewReader(a.bodies[o.Key])
	if a.fault != nil {
		var err error
		if r, err = a.fault(o.Key, r); err != nil {
			return nil, err
		}
	}
	return closer{r, &a.closed}, nil
}

// row is a row as a sink saw it: canonical enough to compare.
type row struct {
	id     string
	offset kafka.Offset
	text   string // all values
}

// recorder is a Sink that keeps copies of everything.
type recorder struct {
	rows     []row
	rejects  []Rejected
	restarts int
	batches  []int
	fail     string // the call that fails
}

var errSink = errors.New("the sink is full")

func (s *recorder) Rows(b *columns.Batch) error {
	if s.fail == "rows" {
		return errSink
	}
	s.batches = append(s.batches, b.N)
	for i := range b.N {
		s.rows = append(s.rows, row{id: string(b.Cols[0].S[i]), offset: b.Offset[i], text: rowText(b, i)})
	}
	return nil
}

func rowText(b *columns.Batch, i int) string {
	var text strings.Builder
	for c := range b.Cols {
		switch v := &b.Cols[c]; {
		case v.Null[i]:
			text.WriteString("NULL|")
		case v.S != nil:
			fmt.Fprintf(&text, "%q|", v.S[i])
		default:
			fmt.Fprintf(&text, "%d|", v.I[i])
		}
	}
	return text.String()
}

func (s *recorder) Reject(r *Rejected) error {
	if s.fail == "reject" {
		return errSink
	}
	kept := *r
	kept.Raw = bytes.Clone(r.Raw)
	s.rejects = append(s.rejects, kept)
	return nil
}

func (s *recorder) Restart() error {
	if s.fail == "restart" {
		return errSink
	}
	s.rows, s.rejects, s.batches = nil, nil, nil
	s.restarts++
	return nil
}

// ids gives the rows as id@offset, sorted; without @ where unknown.
func (s *recorder) ids() string {
	var list []string
	for _, r := range s.rows {
		if r.offset == kafka.NoOffset {
			list = append(list, r.id)
		} else {
			list = append(list, fmt.Sprintf("%s@%d", r.id, r.offset))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func newScanner(t testing.TB, ds *dataset.Dataset, src Source) *Scanner {
	t.Helper()
	s, err := New(Options{Dataset: ds, Window: window, Source: src, BlockBytes: 4 << 10, RecordBytes: 256 << 10, Schemas: schemasOf(t, ds)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// schemasOf reads the folder of the dataset's schemas; nil where there is none.
func schemasOf(t testing.TB, ds *dataset.Dataset) *registry.Set {
	t.Helper()
	if ds.Records.Registry == nil {
		return nil
	}
	uri, err := objstore.ParseURI(ds.Records.Registry.Folder)
	if err != nil {
		t.Fatal(err)
	}
	store, err := objstore.Open(context.Background(), uri, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := registry.ReadFolder(context.Background(), store)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// result is what scanning some chunks gave.
type result struct {
	recorder
	counts []*account.Chunk
	tally  account.Tally
}

func (r *result) findings() []account.Finding {
	var list []account.Finding
	for _, c := range r.counts {
		list = append(list, c.Findings...)
	}
	return list
}

// scanAll reads all chunks with one scanner, each into its own sink.
func scanAll(t testing.TB, ds *dataset.Dataset, a *archive, chunks []runplan.Chunk) *result {
	t.Helper()
	s := newScanner(t, ds, a)
	out := &result{}
	for _, c := range chunks {
		sink := &recorder{}
		counts, err := s.Chunk(context.Background(), c, sink)
		if err != nil {
			t.Fatalf("chunk of %d objects from %s: %v", len(c.Objects), c.Objects[0].Key, err)
		}
		out.rows = append(out.rows, sink.rows...)
		out.rejects = append(out.rejects, sink.rejects...)
		out.restarts += sink.restarts
		out.batches = append(out.batches, sink.batches...)
		out.counts = append(out.counts, counts)
		out.tally.Add(counts.Tally)
	}
	if len(a.opened) != a.closed {
		t.Errorf("%d objects were opened and %d closed", len(a.opened), a.closed)
	}
	return out
}
