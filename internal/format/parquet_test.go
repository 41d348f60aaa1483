package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// all reads all records; those that can't be read are "!" and the reason.
func all(r decode.Records) ([]string, error) {
	var out []string
	for {
		text, err := r.Next(nil)
		var bad *decode.BadRecord
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case errors.As(err, &bad):
			out = append(out, "!"+string(bad.Reason))
			continue
		case err != nil:
			return out, err
		case !json.Valid(text) || bytes.ContainsAny(text, "\n\r"):
			return out, fmt.Errorf("record %d is not one line of JSON: %s", len(out), text)
		}
		out = append(out, string(text))
	}
}

func readParquet(object []byte) ([]string, error) {
	p, err := NewParquet(bytes.NewReader(object), Limits{})
	if err != nil {
		return nil, err
	}
	rows, err := all(p)
	return rows, errors.Join(err, p.Close())
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzParquet looks for panics, and errors without a code.
func FuzzParquet(f *testing.F) {
	for _, name := range []string{"int32_decimal", "nested_lists.snappy", "nonnullable.impala", "old_list_structure", "datapage_v2.snappy", "alltypes_dictionary", "map_no_value", "lz4_raw_compressed"} {
		f.Add(fixture(f, "parquet/"+name+".parquet"))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		p, err := NewParquet(bytes.NewReader(object), Limits{PageBytes: 8 << 20})
		if err == nil {
			n := 0
			for err == nil {
				var bad *decode.BadRecord
				if _, err = p.Next(nil); errors.As(err, &bad) {
					err = nil
				}
				if n++; n > 100_000 {
					break // few bytes may stand for many equal rows
				}
			}
			_ = p.Close()
		}
		if err != nil && !errors.Is(err, io.EOF) && fail.CodeOf(err) == fail.Internal {
			t.Fatalf("not coded: %v", err)
		}
	})
}

// TestParquetDamage flips bytes of sound files, of their metadata most of all:
// no file takes more than 256 MiB, panics, or fails without a code.
func TestParquetDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"int32_decimal", "nested_lists.snappy", "nonnullable.impala", "old_list_structure", "datapage_v2.snappy", "alltypes_dictionary", "map_no_value", "lz4_raw_compressed"} {
		sound := fixture(t, "parquet/"+name+".parquet")
		for i := range 80 {
			object := bytes.Clone(sound)
			for range 1 + r.IntN(3) {
				at := r.IntN(len(object))
				if i%2 == 0 {
					at = len(object) - 1 - r.IntN(min(len(object), 300))
				}
				object[at] = byte(r.Uint32())
			}
			if i%10 == 0 {
				object = object[:r.IntN(len(object))]
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := readParquet(object)
			runtime.ReadMemStats(&after)
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 256<<20 {
				t.Errorf("%s, damage %d: %d bytes were taken, %v", name, i, taken, err)
			}
			if err != nil && fail.CodeOf(err) == fail.Internal {
				t.Errorf("%s, damage %d: not coded: %v", name, i, err)
			}
		}
	}
}

// TestParquetInAFile puts an object that is not held in memory into a file of
// limited size.
func TestParquetInAFile(t *testing.T) {
	body := fixture(t, "parquet/alltypes_plain.snappy.parquet")
	for most, refused := range map[int64]bool{0: false, int64(len(body)): false, int64(len(body)) - 1: true} {
		p, err := NewParquet(bytes.NewReader(body), Limits{ObjectBytes: 100, FileBytes: most})
		if refused {
			if !fail.Is(err, fail.DiskSetting) || !strings.Contains(fail.HintOf(err), "--disk") {
				t.Errorf("at most %d bytes: %v", most, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := all(p); err != nil || len(rows) != 2 {
			t.Errorf("at most %d bytes: %d rows, %v", most, len(rows), err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
