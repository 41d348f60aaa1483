package archiver_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/aiven"
	"backfill/internal/sandbox/archiver/camel"
	"backfill/internal/sandbox/archiver/firehose"
	"backfill/internal/sandbox/archiver/fluent"
	"backfill/internal/sandbox/archiver/lenses"
	"backfill/internal/sandbox/archiver/logstash"
	"backfill/internal/sandbox/archiver/msk"
	"backfill/internal/sandbox/archiver/redpanda"
	"backfill/internal/sandbox/archiver/secor"
	"backfill/internal/sandbox/archiver/vector"
	"backfill/internal/sandbox/archiver/wix"
)

func layouts() []archiver.Layout {
	return slices.Concat(lenses.Layouts(), aiven.Layouts(), firehose.Layouts(), msk.Layouts(), secor.Layouts(), wix.Layouts(),
		vector.Layouts(), fluent.Layouts(), logstash.Layouts(), redpanda.Layouts(), camel.Layouts())
}

const size = 40

// log is two days of two partitions; a tombstone is in each where these are wanted.
func log(tombstones bool) []archiver.Record {
	const start, step = 1_790_812_800_000, 3_600_000 // 2026-10-01T00:00Z
	var out []archiver.Record
	for i := range 90 {
		for p := range 2 {
			at := int64(start + i*step/2 + p)
			r := archiver.Record{
				Topic: "pay", Partition: p, Offset: int64(100*p + i), Timestamp: at, Arrived: at + 3, Event: (at - 5) * 1000, HasEvent: true,
				Key: fmt.Append(nil, 7+i%3), Headers: []archiver.Header{{Key: "k-1", Value: "é\xc3"}, {Key: "n", Value: "x"}},
				Value: fmt.Appendf(nil, `{"event_id":"e-%d-%d","currency":%q,"gross_amount":"%d.50","employee":{"id":%d,"name":"zoë, \"q\""}}`,
					p, i, []string{"USD", "EUR"}[i%2], i, i),
			}
			if tombstones && i == 5 {
				r.Value, r.HasEvent = nil, false
			}
			if i == 20 {
				r.Timestamp, r.Key, r.Headers = -1, nil, nil
			}
			out = append(out, r)
		}
	}
	return out
}

type object struct {
	archiver.Object
	log []archiver.Record
}

// archive writes a log as the layout does, and checks what the seam promises of each object.
func archive(t *testing.T, l archiver.Layout, c archiver.Config, r archiver.Retries) (archiver.Facts, []object) {
	t.Helper()
	a, err := l.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	f := a.Facts()
	if f.Cannot["duplicate_objects"] != "" {
		r.Duplicates = 0
	}
	if f.Cannot["overlap_objects"] != "" {
		r.Overlaps = 0
	}
	records := log(f.Cannot["tombstones"] == "")
	logs := [][]archiver.Record{records}
	if !f.Together {
		slices.SortStableFunc(records, func(a, b archiver.Record) int { return cmp.Compare(a.Partition, b.Partition) })
		logs = [][]archiver.Record{records[:90], records[90:]}
	}
	var out []object
	seen := map[string]bool{}
	for _, one := range logs {
		held := make([]bool, len(one))
		err := a.Archive(one, r, func(ob archiver.Object) error {
			if seen[ob.Key] {
				t.Errorf("%s is put twice", ob.Key)
			}
			seen[ob.Key] = true
			if !strings.HasPrefix(ob.Key, f.Root+"/") {
				t.Errorf("%s is not below %s", ob.Key, f.Root)
			}
			for _, row := range ob.Rows {
				held[row] = true
			}
			ob.Body, ob.Rows = bytes.Clone(ob.Body), slices.Clone(ob.Rows)
			out = append(out, object{ob, one})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, ok := range held {
			if lost := f.Lost != nil && f.Lost(one[i]); ok == lost {
				t.Errorf("partition %d, offset %d: held %t, lost %t", one[i].Partition, one[i].Offset, ok, lost)
			}
		}
	}
	return f, out
}

// codecs are tried of each layout; those that it refuses it must name.
var codecs = []string{"", archiver.None, archiver.Gzip, archiver.Zstd, "snappy-xerial", "snappy-hadoop", "snappy-raw", "zip"}

func TestEachLayoutIsReadBack(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.Name, func(t *testing.T) {
			written := 0
			for _, codec := range codecs {
				c := archiver.Config{Topic: "pay", Prefix: "arch", Zone: "UTC", Size: size, Codec: codec, Seed: 5}
				if _, err := l.Open(c); err != nil {
					if codec == "" || !strings.Contains(err.Error(), codec) {
						t.Errorf("codec %q: %v", codec, err)
					}
					continue
				}
				written++
				f, objects := archive(t, l, c, archiver.Retries{Duplicates: 1, Overlaps: 1})
				for _, ob := range objects {
					if ob.Rows != nil {
						check(t, l.Name, f, ob)
					}
				}
			}
			if written < 2 {
				t.Errorf("only %d codecs are written", written)
			}
		})
	}
}

// found is what a reader sees of a record; offset is -1 where it sees none.
type found struct {
	value  string // "": none
	offset int64
}

func check(t *testing.T, name string, f archiver.Facts, ob object) {
	t.Helper()
	body, members := unpack(t, ob.Codec, ob.Body)
	if members != ob.Members {
		t.Errorf("%s has %d members, not %d", ob.Key, members, ob.Members)
	}
	got := read(t, name, body)
	if len(got) != len(ob.Rows) {
		t.Fatalf("%s has %d records, not %d", ob.Key, len(got), len(ob.Rows))
	}
	for i, row := range ob.Rows {
		r := ob.log[row]
		if f.Identity == archiver.Body && got[i].offset != r.Offset {
			t.Fatalf("%s, row %d: offset %d, not %d", ob.Key, i, got[i].offset, r.Offset)
		}
		if typed(name) {
			var want struct {
				ID string `json:"event_id"`
			}
			if r.Value != nil && json.Unmarshal(r.Value, &want) != nil || got[i].value != want.ID {
				t.Fatalf("%s, row %d: event %q, not %q", ob.Key, i, got[i].value, want.ID)
			}
			continue
		}
		if strings.HasPrefix(name, "logstash") { // two fields stand in front
			at := strings.Index(got[i].value, `"event_id"`)
			got[i].value = "{" + got[i].value[max(at, 0):]
		}
		if want := string(r.Value); got[i].value != want {
			t.Fatalf("%s, row %d: %s, not %s", ob.Key, i, got[i].value, want)
		}
	}
}

func typed(name string) bool {
	return strings.HasSuffix(name, "-avro") || strings.HasSuffix(name, "-parquet")
}

// TestRetries sees more rows with retries than without, wherever the layout does not say why there are none.
func TestRetries(t *testing.T) {
	for _, l := range layouts() {
		c := archiver.Config{Topic: "pay", Prefix: "arch", Zone: "UTC", Size: size, Codec: "", Seed: 5}
		f, without := archive(t, l, c, archiver.Retries{})
		for fault, r := range map[string]archiver.Retries{"duplicate_objects": {Duplicates: 1}, "overlap_objects": {Overlaps: 1}} {
			_, with := archive(t, l, c, r)
			if more := rows(with) > rows(without); more == (f.Cannot[fault] != "") {
				t.Errorf("%s, %s: %d rows with, %d without, and it says %q", l.Name, fault, rows(with), rows(without), f.Cannot[fault])
			}
		}
	}
}

func rows(objects []object) int {
	n := 0
	for _, ob := range objects {
		n += len(ob.Rows)
	}
	return n
}

// TestKeys compares the first and the last key of each layout, and the lines for its dataset, with a file.
func TestKeys(t *testing.T) {
	var out strings.Builder
	for _, l := range layouts() {
		c := archiver.Config{Topic: "pay", Prefix: "arch", Zone: "UTC", Size: size, Seed: 5}
		f, objects := archive(t, l, c, archiver.Retries{})
		fmt.Fprintf(&out, "%s: %d objects, %s\n  %s\n  %s\n", l.Name, len(objects), f.Identity, objects[0].Key, objects[len(objects)-1].Key)
		for _, line := range slices.Concat(f.Archive, f.Records) {
			fmt.Fprintf(&out, "    %s\n", line)
		}
	}
	path := filepath.Join("testdata", "keys.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("keys are now\n%s\nwant\n%s", out.String(), want)
	}
}

func TestSameBytesEachTime(t *testing.T) {
	for _, l := range layouts() {
		c := archiver.Config{Topic: "pay", Prefix: "arch", Zone: "UTC", Size: size, Seed: 5}
		_, first := archive(t, l, c, archiver.Retries{Duplicates: 1})
		_, again := archive(t, l, c, archiver.Retries{Duplicates: 1})
		for i := range first {
			if first[i].Key != again[i].Key || !bytes.Equal(first[i].Body, again[i].Body) {
				t.Errorf("%s: %s changes from one time to the next", l.Name, first[i].Key)
				break
			}
		}
	}
}
