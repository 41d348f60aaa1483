package scan

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// compileJoined compiles the small dataset with two columns of side files.
func compileJoined(t testing.TB, join, from string) *dataset.Dataset {
	t.Helper()
	text := fmt.Sprintf(datasetText, "", 4)
	text = strings.Replace(text, "layout: confluent}", "layout: confluent, join: ["+join+"]}", 1)
	text = strings.Replace(text, "from: value.note", "from: "+from, 1)
	ds, err := dataset.Compile("events.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := dataset.Compile("again.yaml", ds.Text, nil, nil)
	if err != nil || again.Digest != ds.Digest {
		t.Fatalf("the canonical text reads as another dataset: %v\n%s", err, ds.Text)
	}
	return ds
}

// avroSide writes an Avro file of one value a row, of any schema.
func avroSide[T any](t testing.TB, schema string, list ...T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := ocf.NewWriter(&b, avro.MustParse(schema), ocf.WithBlockCount(2))
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

func parquetSide(t testing.TB, keys ...string) []byte {
	t.Helper()
	type recordKey struct {
		Key string `parquet:"key"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[recordKey](&b)
	for _, k := range keys {
		if _, err := w.Write([]recordKey{{k}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withSide archives an object of values with one side file.
func (a *archive) withSide(first int64, body []byte, view, key string, side []byte) *archive {
	a.bodies[key] = side
	return a.put(runplan.ObjectRef{Key: fmt.Sprintf("A%d", first), First: kafka.Offset(first), Ordered: true, Sides: []runplan.SideRef{{View: view, Key: key, Size: int64(len(side))}}}, body)
}

const headerSchema = `{"type":"array","items":{"type":"record","name":"H","fields":[{"name":"key","type":"string"},{"name":"value","type":"string"}]}}`

type header struct {
	Key   string `avro:"key"`
	Value string `avro:"value"`
}

// TestSidesAreJoined reads keys and headers in each format of the sink beside
// the same values: each row has its own.
func TestSidesAreJoined(t *testing.T) {
	for name, c := range map[string]struct {
		view, from, key string
		side            []byte
	}{
		"Avro text keys":     {"keys", "envelope.key", "A.keys.avro", avroSide(t, `"string"`, "k0", "k1", "k2")},
		"JSON text keys":     {"keys", "envelope.key", "A.keys.json", lines(`"k0"`, `"k1"`, `"k2"`)},
		"JSON keys in gzip":  {"keys", "envelope.key.id", "A.keys.json.gz", gzipped(t, lines(`{"id":"k0"}`, `{"id":"k1"}`, `{"id":"k2"}`))},
		"Parquet keys":       {"keys", "envelope.key", "A.keys.snappy.parquet", parquetSide(t, "k0", "k1", "k2")},
		"keys of bytes":      {"keys", "envelope.key", "A.keys.bin", lines("k0", "k1", "k2")},
		"headers of JSON":    {"headers", "envelope.headers.trace", "A.headers.json", lines(`{"headers":[{"key":"trace","value":"k0"}]}`, `{"headers":[{"key":"x","value":"y"},{"key":"trace","value":"k1"}]}`, `{"headers":[{"key":"trace","value":"old"},{"key":"trace","value":"k2"}]}`)},
		"headers of Avro":    {"headers", "envelope.headers.trace", "A.headers.avro", avroSide(t, headerSchema, []header{{"trace", "k0"}}, []header{{"x", "y"}, {"trace", "k1"}}, []header{{"trace", "k2"}})},
		"Avro keys and more": {"keys", "envelope.key.id", "A.keys.avro", avroSide(t, `{"type":"record","name":"K","fields":[{"name":"id","type":"string"}]}`, map[string]any{"id": "k0"}, map[string]any{"id": "k1"}, map[string]any{"id": "k2"})},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive().withSide(100, lines(events(100, 3)...), c.view, c.key, c.side)
			sink := &recorder{}
			counts, err := newScanner(t, compileJoined(t, c.view, c.from), a).Chunk(context.Background(), a.cut(0)[0], sink)
			if err != nil {
				t.Fatal(err)
			}
			if len(sink.rows) != 3 || counts.Tally[account.Row] != 3 || a.closed < 2 {
				t.Fatalf("%d rows, %v, %d closed", len(sink.rows), counts.Tally, a.closed)
			}
			for i, r := range sink.rows {
				if !strings.Contains(r.text, fmt.Sprintf("k%d", i)) || r.offset != kafka.Offset(100+i) {
					t.Errorf("row %d at %d is %s", i, r.offset, r.text)
				}
			}
		})
	}
}

// TestSidesThatDisagree wants each set that does not fit refused with its place.
func TestSidesThatDisagree(t *testing.T) {
	whole := gzipped(t, lines(`"k0"`, `"k1"`, `"k2"`))
	for name, c := range map[string]struct {
		key  string
		side []byte
		want string
	}{
		"fewer":     {"A.keys.json", lines(`"k0"`, `"k1"`), "the side file A.keys.json ends before row 2 (offset 102, counted from the name): it has fewer records than the values"},
		"more":      {"A.keys.json", lines(`"k0"`, `"k1"`, `"k2"`, `"k3"`), "the side file A.keys.json goes on at row 3 (offset 103, counted from the name), where the values end"},
		"none":      {"A.keys.json", nil, "the side file A.keys.json ends before row 0 (offset 100"},
		"truncated": {"A.keys.json.gz", whole[:len(whole)-6], "the side file A.keys.json.gz can't be read to its end"},
		"no Avro":   {"A.keys.avro", []byte("Obj\x01 nothing"), "the side file A.keys.avro"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive().withSide(100, lines(events(100, 3)...), "keys", c.key, c.side)
			_, err := newScanner(t, compileJoined(t, "keys", "envelope.key"), a).Chunk(context.Background(), a.cut(0)[0], &recorder{})
			if !fail.Is(err, fail.Damaged) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "A100") || fail.HintOf(err) == "" {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		a := newArchive().add("A", 100, lines(events(100, 1)...))
		_, err := newScanner(t, compileJoined(t, "keys", "envelope.key"), a).Chunk(context.Background(), a.cut(0)[0], &recorder{})
		if !fail.Is(err, fail.Damaged) || !strings.Contains(err.Error(), "no .keys side file beside it") {
			t.Errorf("%v", err)
		}
	})
}

// TestSpoiledKeySpoilsItsRecordAlone has a key that is no JSON: its record goes
// to quarantine, and the rows behind it keep their own keys.
func TestSpoiledKeySpoilsItsRecordAlone(t *testing.T) {
	a := newArchive().withSide(100, lines(events(100, 3)...), "keys", "A.keys.json", lines(`"k0"`, `"k1`, `"k2"`))
	sink := &recorder{}
	counts, err := newScanner(t, compileJoined(t, "keys", "envelope.key"), a).Chunk(context.Background(), a.cut(0)[0], sink)
	if err != nil {
		t.Fatal(err)
	}
	if counts.Tally[account.Unreadable] != 1 || len(sink.rows) != 2 || !strings.Contains(sink.rows[1].text, "k2") || sink.rows[1].offset != 102 {
		t.Errorf("%v, %v", counts.Tally, sink.rows)
	}
	if len(sink.rejects) != 1 || sink.rejects[0].Row != 1 || !strings.Contains(sink.rejects[0].Detail, "A.keys.json") {
		t.Errorf("%+v", sink.rejects)
	}
}

// TestFramedKeysAreNamed has keys as a schema registry's serializers write them,
// archived as bytes: what is said of one that can't be read, and of a file that
// the delimiter cuts inside of keys, names the frame and what to do.
func TestFramedKeysAreNamed(t *testing.T) {
	const framed, todo = "the five bytes that a schema registry's serializers put before a key", "archive.ignore"
	a := newArchive().withSide(100, lines(events(100, 3)...), "keys", "A.keys.bin", lines("\x00\x00\x00\x00\x07plain", "\x00\x00\x00\x00\x07\xff", "\x00\x00\x00\x00\x07\x04k2"))
	sink := &recorder{}
	counts, err := newScanner(t, compileJoined(t, "keys", "value.note"), a).Chunk(context.Background(), a.cut(0)[0], sink)
	if err != nil {
		t.Fatal(err)
	}
	if counts.Tally[account.Unreadable] != 1 || len(sink.rejects) != 1 || sink.rejects[0].Reason != "invalid_utf8" || !strings.Contains(sink.rejects[0].Detail, framed) || !strings.Contains(sink.rejects[0].Detail, todo) {
		t.Errorf("%v, %+v", counts.Tally, sink.rejects)
	}
	a = newArchive().withSide(100, lines(events(100, 2)...), "keys", "A.keys.bin", lines("\x00\x00\x00\x00\x0ak0", "\x00\x00\x00\x00\x0ak1"))
	_, err = newScanner(t, compileJoined(t, "keys", "value.note"), a).Chunk(context.Background(), a.cut(0)[0], &recorder{})
	if !fail.Is(err, fail.Damaged) || !strings.Contains(err.Error(), "goes on at row 2") || !strings.Contains(err.Error(), framed) || !strings.Contains(err.Error(), todo) {
		t.Errorf("%v", err)
	}
	a = newArchive().withSide(100, lines(events(100, 1)...), "keys", "A.keys.bin", lines("\xff"))
	sink = &recorder{}
	if _, err = newScanner(t, compileJoined(t, "keys", "value.note"), a).Chunk(context.Background(), a.cut(0)[0], sink); err != nil || len(sink.rejects) != 1 || strings.Contains(sink.rejects[0].Detail, framed) {
		t.Errorf("a key without a frame: %v, %+v", err, sink.rejects)
	}
}

// TestTombstoneFilesAreNoGap has tombstones between values: their offsets are
// found, and prove those of the values before them.
func TestTombstoneFilesAreNoGap(t *testing.T) {
	a := newArchive().add("A", 100, lines(events(100, 3)...))
	a.put(runplan.ObjectRef{Key: "tombstone/A+103.keys.avro", First: 103, Ordered: true, Tombstones: true}, avroSide(t, `"string"`, "k0", "k1"))
	a.add("B", 105, lines(events(105, 1)...))
	counts, err := newScanner(t, compileJoined(t, "tombstones", "value.note"), a).Chunk(context.Background(), a.cut(0)[0], &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	if counts.Tally[account.Tombstone] != 2 || counts.Tally[account.Row] != 4 || len(counts.Findings) != 0 {
		t.Errorf("%v, %v", counts.Tally, counts.Findings)
	}
	if len(counts.Ranges) != 1 || counts.Ranges[0] != (account.Range{From: 100, To: 106}) {
		t.Errorf("%v", counts.Ranges)
	}
}
