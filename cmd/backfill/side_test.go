package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"backfill/internal/sandbox/s3d"
)

const sideDataset = `version: 1
name: sides
archive: {uri: "s3://archive/%[1]s", layout: confluent, join: [keys, headers, tombstones], idle: 80000h}
records: {tombstones: delete, event_time: envelope.key.day}
columns:
  - {name: id,     type: varchar(36),     from: envelope.key.id,  required: true}
  - {name: at,     type: timestamp,       from: envelope.key.day, required: true}
  - {name: amount, type: "decimal(18,2)", from: value.amount}
  - {name: trace,  type: varchar(36),     from: envelope.headers.trace}
  - {name: gone,   type: boolean,         from: value.__deleted}
table: {name: payroll.%[1]s, mode: upsert, scope: all, window_column: at, key: [id], latest_by: [at], provenance: true, deleted: gone}
staging: {uri: "s3://staging/%[1]s"}
`

// sideRow is what a record has, in the shapes of the sink.
type (
	sideKey struct {
		ID  string `avro:"id" parquet:"id"`
		Day string `avro:"day" parquet:"day"`
	}
	sideValue struct {
		Amount string `avro:"amount" parquet:"amount"`
	}
	sideHeader struct {
		Key   string `avro:"key" parquet:"key"`
		Value string `avro:"value" parquet:"value"`
	}
	wrappedKey struct {
		Key sideKey `parquet:"key"`
	}
	wrappedHeaders struct {
		Headers []sideHeader `parquet:"headers,list"`
	}
)

func avroRows[T any](t *testing.T, schema string, list []T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := ocf.NewWriter(&b, avro.MustParse(schema))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if err := w.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func parquetRows[T any](t *testing.T, list []T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b)
	if _, err := w.Write(list); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func textRows(list []string) []byte { return []byte(strings.Join(list, "\n") + "\n") }

// sideArchive writes objects as the sink does with one format for all.
type sideArchive struct {
	t      *testing.T
	h      *harness
	name   string
	format string // extension
}

func (a sideArchive) put(path string, body []byte) {
	a.t.Helper()
	if err := a.h.put(a.t.Context(), "archive", a.name+"/pay/"+path, body); err != nil {
		a.t.Fatal(err)
	}
}

func sideKeys(ids string) (list []sideKey) {
	for _, id := range strings.Fields(ids) {
		list = append(list, sideKey{ID: id, Day: "2026-03-05T00:00:00Z"})
	}
	return list
}

func (a sideArchive) keys(path, ids string) {
	a.t.Helper()
	list := sideKeys(ids)
	var body []byte
	switch a.format {
	case ".avro":
		body = avroRows(a.t, `{"type":"record","name":"K","fields":[{"name":"id","type":"string"},{"name":"day","type":"string"}]}`, list)
	case ".snappy.parquet":
		var wrapped []wrappedKey
		for _, k := range list {
			wrapped = append(wrapped, wrappedKey{k})
		}
		body = parquetRows(a.t, wrapped)
	default:
		var text []string
		for _, k := range list {
			text = append(text, fmt.Sprintf(`{"id":%q,"day":%q}`, k.ID, k.Day))
		}
		body = textRows(text)
	}
	a.put(path+".keys"+a.format, body)
}

// values writes an object of values with its keys and headers; the amount and
// the trace of a record are told by its offset.
func (a sideArchive) values(first int, ids string) {
	a.t.Helper()
	path := fmt.Sprintf("partition=0/pay+0+%010d", first)
	var values []sideValue
	var headers [][]sideHeader
	var texts, named []string
	var wrapped []wrappedHeaders
	for i := range strings.Fields(ids) {
		v := sideValue{fmt.Sprintf("%d.10", first+i)}
		h := []sideHeader{{"other", "x"}, {"trace", fmt.Sprintf("t%d", first+i)}}
		values, headers, wrapped = append(values, v), append(headers, h), append(wrapped, wrappedHeaders{h})
		texts = append(texts, fmt.Sprintf(`{"amount":%q}`, v.Amount))
		named = append(named, fmt.Sprintf(`{"headers":[{"key":"other","value":"x"},{"key":"trace","value":%q}]}`, h[1].Value))
	}
	a.keys(path, ids)
	switch a.format {
	case ".avro":
		a.put(path+a.format, avroRows(a.t, `{"type":"record","name":"V","fields":[{"name":"amount","type":"string"}]}`, values))
		a.put(path+".headers"+a.format, avroRows(a.t, `{"type":"array","items":{"type":"record","name":"H","fields":[{"name":"key","type":"string"},{"name":"value","type":"string"}]}}`, headers))
	case ".snappy.parquet":
		a.put(path+a.format, parquetRows(a.t, values))
		a.put(path+".headers"+a.format, parquetRows(a.t, wrapped))
	default:
		a.put(path+a.format, textRows(texts))
		a.put(path+".headers"+a.format, textRows(named))
	}
}

// month writes values, tombstones and values again, and makes table and file.
func (a sideArchive) month() (args []string) {
	a.t.Helper()
	a.values(0, "a b c")
	a.keys(fmt.Sprintf("tombstone/pay+0+%010d", 3), "a c")
	a.values(5, "c d")
	a.h.sql(a.t, "CREATE TABLE payroll."+a.name+` (id varchar(36) NOT NULL, at timestamp NOT NULL, amount decimal(18,2), trace varchar(36), gone boolean,
		_kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64), PRIMARY KEY (id))`)
	file := filepath.Join(a.t.TempDir(), "sides.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, sideDataset, a.name), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return []string{"--dataset", file, "--from", "2026-03-01", "--to", "2026-04-01"}
}

func (a sideArchive) table() string {
	a.t.Helper()
	return strings.Join(a.h.rows(a.t, "SELECT id, amount, trace, gone, _kafka_offset FROM payroll."+a.name+" ORDER BY id"), " ")
}

const sideRows = "a|NULL|NULL|t|3| b|1.10|t1|f|1| c|5.10|t5|f|5| d|6.10|t6|f|6|"

// TestSideFilesMakeRows loads keys, headers and tombstones beside values, kills
// the worker between chunks, and ties the table out both ways.
func TestSideFilesMakeRows(t *testing.T) {
	h := shared
	for format, name := range map[string]string{".json": "sides_json", ".avro": "sides_avro", ".snappy.parquet": "sides_parquet"} {
		t.Run(name, func(t *testing.T) {
			a := sideArchive{t, h, name, format}
			args := a.month()
			run := append([]string{"run", "--chunk-bytes", "1KiB"}, args...)
			var k killer
			ready := make(chan struct{})
			h.watch(t, func(op s3d.Op) s3d.Action {
				<-ready
				if op.Phase == s3d.After && op.Kind == "PutObject" && strings.Contains(op.Key, "/receipt.json") && k.kill() {
					return s3d.Cut
				}
				return s3d.Continue
			}, nil)
			cmd, wait := h.start(t, h.env(), run...)
			k.cmd.Store(cmd)
			close(ready)
			first := wait()
			h.unwatch()
			if first.exit != -1 {
				t.Fatalf("the worker ended with exit code %d before it was killed\n%s", first.exit, first.stderr)
			}
			if r := h.run(t, 0, run...).result; r.Inserted != 4 || r.Tally[1] != 0 {
				t.Errorf("%+v, %v", r, r.Tally)
			}
			if rows := a.table(); rows != sideRows {
				t.Errorf("%s, want %s", rows, sideRows)
			}
			for _, way := range []string{"receipts", "archive"} {
				if o := h.run(t, 0, append([]string{"reconcile", "--way", way}, args...)...); !strings.HasPrefix(o.result.Verdict, "RECONCILED") {
					t.Errorf("by %s: %s: %s", way, o.result.Verdict, o.result.Sentence)
				}
			}
		})
	}
}

// TestChangedSideFileIsANewPlan rewrites one key file after a load: the same
// command loads what changed. Then the file is gone, and nothing is loaded.
func TestChangedSideFileIsANewPlan(t *testing.T) {
	h := shared
	a := sideArchive{t, h, "sides_changed", ".json"}
	args := a.month()
	run := append([]string{"run"}, args...)
	h.run(t, 0, run...)
	a.keys(fmt.Sprintf("partition=0/pay+0+%010d", 5), "c e")
	h.run(t, 0, run...)
	if rows, want := a.table(), sideRows+" e|6.10|t6|f|6|"; rows != want {
		t.Errorf("%s, want %s", rows, want)
	}
	a.keys(fmt.Sprintf("partition=0/pay+0+%010d", 5), "c")
	o := h.run(t, 4, run...)
	for _, want := range []string{"pay+0+0000000005.keys.json ends before row 1 (offset 6", "it has fewer records than the values"} {
		if !strings.Contains(o.result.Error, want) {
			t.Errorf("%s lacks %s", o.result.Error, want)
		}
	}
	if o.result.Hint == "" {
		t.Error("no hint says what to do")
	}
}
