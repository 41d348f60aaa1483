package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
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

func tree(t testing.TB, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// agree compares with what pyarrow read: {"number": …} is a decimal with all
// its digits, {"float": …, "bits": …} the float that the digits are read as.
func agree(got, want any) bool {
	if w, ok := want.(map[string]any); ok {
		if n, ok := w["number"]; ok && len(w) == 1 {
			return got == json.Number(n.(string))
		}
		if f, ok := w["float"]; ok && len(w) == 2 {
			bits, _ := strconv.Atoi(string(w["bits"].(json.Number)))
			n, ok := got.(json.Number)
			a, err := strconv.ParseFloat(string(n), bits)
			b, err2 := strconv.ParseFloat(f.(string), 64)
			return ok && err == nil && err2 == nil && a == b
		}
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			if v, there := g[k]; !there || !agree(v, w[k]) {
				return false
			}
		}
		return true
	}
	if w, ok := want.([]any); ok {
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !agree(g[i], w[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}

// byHand begins the first row of files that pyarrow does not read, or reads
// otherwise: it takes a map without values for a list.
var byHand = map[string]string{
	"map_no_value":         `{"my_map":{"1":null,"2":null,"3":null},"my_map_no_v":{"1":null,"2":null,"3":null},"my_list":[1,2,3]}`,
	"incorrect_map_schema": `{"my_map":{"parent":"another","name":"report"}}`,
	"nested_structs.rust":  `{"roll_num":{"min":190406409000602,"max":190407175004000,"mean":190406671229999,`,
	"bad-ARROW-GH-43605":   `{"min_fl":0}`,
}

// TestParquetFixtures reads the files of other writers; what pyarrow read of
// them must be the same.
func TestParquetFixtures(t *testing.T) {
	refused := map[string]string{
		"hadoop_lz4_compressed":             "codec LZ4 is not read",
		"non_hadoop_lz4_compressed":         "codec LZ4 is not read",
		"bad-ARROW-GH-41321":                "damaged",
		"large_string_map.brotli":           "needs more than 134217728 bytes for its open pages", // 2 GiB of text
		"datapage_v2_empty_datapage.snappy": "a data page V2 of NULLs alone, compressed to nothing, which is not read",
	}
	rows := map[string]int{}
	s := bufio.NewScanner(bytes.NewReader(fixture(t, "parquet/rows.txt")))
	for s.Scan() {
		name, n, _ := strings.Cut(s.Text(), " ")
		rows[name], _ = strconv.Atoi(n)
	}
	files, err := filepath.Glob("testdata/parquet/*.parquet")
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".parquet")
		t.Run(name, func(t *testing.T) {
			got, err := readParquet(fixture(t, "parquet/"+name+".parquet"))
			if why := refused[name]; why != "" {
				if err == nil || !strings.Contains(err.Error(), why) || !fail.Is(err, fail.Damaged) && !fail.Is(err, fail.BadLayout) && !fail.Is(err, fail.Memory) {
					t.Fatalf("%d rows, %v, want %s", len(got), err, why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			expected, err := os.ReadFile("testdata/parquet/" + name + ".jsonl")
			if err != nil {
				if want := byHand[name]; want == "" || len(got) == 0 || !strings.HasPrefix(got[0], want) {
					t.Errorf("%d rows, the first %.400s", len(got), got[0])
				}
				return
			}
			if len(got) != rows[name] {
				t.Errorf("%d rows, want %d", len(got), rows[name])
			}
			for i, want := range strings.Split(strings.TrimSpace(string(expected)), "\n") {
				if want != "" && !agree(tree(t, got[i]), tree(t, want)) {
					t.Fatalf("row %d\n got %s\nwant %s", i, got[i], want)
				}
			}
		})
	}
}

// FuzzParquet looks for panics, and errors without a code.
func FuzzParquet(f *testing.F) {
	for _, name := range []string{"int32_decimal", "nested_lists.snappy", "nonnullable.impala", "old_list_structure", "datapage_v2.snappy", "alltypes_dictionary", "map_no_value"} {
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
	for _, name := range []string{"int32_decimal", "nested_lists.snappy", "nonnullable.impala", "old_list_structure", "datapage_v2.snappy", "alltypes_dictionary", "map_no_value"} {
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
