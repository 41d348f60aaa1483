package scan

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/schema"
)

// fixtureFolders hold the files of other projects and writers, one named case
// each; what ends so is no archive.
var (
	fixtureFolders = []string{"../decode/testdata/avro", "../format/testdata/parquet", "../format/testdata/text", writersFolder}
	notArchives    = []string{".md", ".py", ".java"}
)

// fixtureMemory is the most memory that reading a file of these may take.
const fixtureMemory = 256 << 20

// fixtureTime ends a reader that hangs; a sound one takes milliseconds.
const fixtureTime = 5 * time.Minute

// fixture is how a file is read and what is found in it.
type fixture struct {
	file    string // name in one of fixtureFolders
	format  string // archive.format; "": auto
	records string // further keys of records
	columns string // of the dataset; "": the whole value as super

	expected string   // testdata/fixtures/<expected>.jsonl has the values; "": the file's own name
	rows     []string // the rows, where columns are given
	tally    account.Tally
	reasons  map[string]int64

	code    fail.Code // of a file that is refused
	refused string    // what the error says

	compiled func(t testing.TB) *dataset.Dataset // in place of format, records and columns
}

func (f fixture) name() string {
	return strings.TrimSpace(f.file + " " + strings.Join(strings.Fields(f.records), " "))
}

// dataset compiles the case's dataset.
func (f fixture) dataset(t testing.TB) *dataset.Dataset {
	t.Helper()
	if f.compiled != nil {
		return f.compiled(t)
	}
	format, cols := f.format, f.columns
	if format == "" {
		format = "auto"
	}
	if cols == "" {
		cols = "  - {name: whole, type: super, from: value}\n"
	}
	text := "version: 1\nname: fixtures\narchive: {uri: 'file:///srv/archive', layout: confluent, format: " + format + "}\n" +
		"records:\n  event_time: none\n" + f.records + "columns:\n" + cols +
		"table: {name: a.b, mode: append, scope: all}\n"
	ds, err := dataset.Compile("fixtures.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// kept is a Sink that spells all rows, a column's value between bars.
type kept struct {
	types   []schema.Type
	rows    []string
	rejects []Rejected
}

func (k *kept) Rows(b *columns.Batch) error {
	for row := range b.N {
		var cells []string
		for i, t := range k.types {
			cells = append(cells, cellOf(t, &b.Cols[i], row))
		}
		k.rows = append(k.rows, strings.Join(cells, " | "))
	}
	return nil
}

func (k *kept) Reject(r *Rejected) error {
	bad := *r
	bad.Raw = bytes.Clone(r.Raw)
	k.rejects = append(k.rejects, bad)
	return nil
}

func (k *kept) Restart() error { k.rows, k.rejects = nil, nil; return nil }

// cellOf spells a value as a person writes it.
func cellOf(t schema.Type, v *columns.Vector, row int) string {
	switch {
	case v.Null[row]:
		return "NULL"
	case t.Kind == schema.Decimal:
		if v.Shape == schema.Int {
			return scaled(strconv.FormatInt(v.I[row], 10), t.Scale)
		}
		n, err := account.FromBytes(v.S[row])
		if err != nil {
			return err.Error()
		}
		text, _ := n.AppendText(nil)
		return scaled(string(text), t.Scale)
	case t.Kind == schema.Timestamp:
		return time.UnixMicro(v.I[row]).UTC().Format("2006-01-02T15:04:05.999999Z")
	case t.Kind == schema.Date:
		return time.Unix(v.I[row]*86400, 0).UTC().Format(time.DateOnly)
	case t.Kind == schema.Boolean:
		return strconv.FormatBool(v.I[row] != 0)
	case v.Shape == schema.Int:
		return strconv.FormatInt(v.I[row], 10)
	}
	return string(v.S[row])
}

// scaled puts the point into an unscaled number.
func scaled(digits string, scale int) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	if scale == 0 {
		return sign + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// read reads the object within the limits of time and memory.
func (f fixture) read(t testing.TB, ds *dataset.Dataset, body []byte) (*kept, *account.Chunk, error) {
	t.Helper()
	a := newArchive().add(f.file, 100, body)
	s, err := New(Options{Dataset: ds, Window: window, Source: a, BlockBytes: 1 << 20, Schemas: schemasOf(t, ds)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sink := &kept{}
	for _, c := range ds.Columns {
		sink.types = append(sink.types, c.Type)
	}
	ctx, cancel := context.WithTimeout(t.Context(), fixtureTime)
	defer cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var counts *account.Chunk
	done := make(chan struct{})
	go func() {
		defer close(done)
		counts, err = s.Chunk(ctx, a.cut(0)[0], sink)
	}()
	for look := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-look.C:
			// A reader that takes ever more must not take the machine's memory along: nothing but this ends it.
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 8*fixtureMemory {
				panic(fmt.Sprintf("%s: %d bytes of memory were taken, and it is still being read", f.file, after.TotalAlloc-before.TotalAlloc))
			}
			continue
		case <-ctx.Done():
			t.Fatalf("%s is still being read after %s", f.file, fixtureTime)
		case <-done:
		}
		look.Stop()
		break
	}
	runtime.ReadMemStats(&after)
	// All that was ever taken, freed or not: what is held at once can't be more.
	if taken := after.TotalAlloc - before.TotalAlloc; taken > fixtureMemory {
		t.Errorf("%s: %d bytes of memory were taken, more than %d", f.file, taken, fixtureMemory)
	}
	return sink, counts, err
}

// fixtureBody reads a file from the folder that has it.
func fixtureBody(t testing.TB, name string) []byte {
	t.Helper()
	for _, folder := range append(fixtureFolders, "testdata/formats") {
		if b, err := os.ReadFile(filepath.Join(folder, name)); err == nil {
			return b
		}
	}
	t.Fatalf("no folder has %s", name)
	return nil
}

// TestFixtures reads the files of other projects as the archive's objects are
// read, from their bytes to rows, and compares all values with what another
// reader found (testdata/fixtures/expect.py), or wants the refusal.
func TestFixtures(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name(), func(t *testing.T) {
			f.check(t, fixtureBody(t, f.file))
		})
	}
}

func (f fixture) check(t *testing.T, body []byte) {
	t.Helper()
	sink, counts, err := f.read(t, f.dataset(t), body)
	if f.refused != "" {
		if !fail.Is(err, f.code) || !strings.Contains(err.Error(), f.refused) {
			t.Fatalf("%d rows, %v; want %s: %s", len(sink.rows), err, f.code, f.refused)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := f.tally
	if want == (account.Tally{}) {
		want[account.Row] = int64(len(sink.rows))
	}
	if counts.Tally != want || !maps.Equal(f.reasons, counts.Reasons) {
		t.Errorf("%v, %v; want %v, %v; %+v", counts.Tally, counts.Reasons, want, f.reasons, sink.rejects)
	}
	if f.columns != "" {
		if got := strings.Join(sink.rows, "\n"); got != strings.Join(f.rows, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(f.rows, "\n"))
		}
		return
	}
	f.compare(t, sink.rows)
}

// compare compares whole values with what another reader found.
func (f fixture) compare(t *testing.T, rows []string) {
	t.Helper()
	name := f.expected
	if name == "" {
		name = f.file
	}
	text, err := os.ReadFile("testdata/fixtures/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	total, digest := totalOf(t, name)
	given := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	given = slices.DeleteFunc(given, func(line string) bool { return line == "null" }) // tombstones
	tombstones := int(f.tally[account.Tombstone])
	if len(rows)+tombstones != total || digest == "-" && len(given) != len(rows) {
		t.Fatalf("%d rows of %d, and %d to compare with", len(rows), total, len(given))
	}
	sum := sha256.New()
	for i, got := range rows {
		value := jsonTree(t, got)
		if i < len(given) && !sameValue(value, jsonTree(t, given[i])) {
			t.Fatalf("row %d\n got %s\nwant %s", i, got, given[i])
		}
		sum.Write(append(canonicalJSON(t, value), '\n'))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); digest != "-" && tombstones == 0 && got != digest {
		t.Errorf("all %d rows have the digest %s, want %s", total, got, digest)
	}
}

// totalOf gives what totals.txt says of a file.
func totalOf(t testing.TB, name string) (total int, digest string) {
	t.Helper()
	text, err := os.ReadFile("testdata/fixtures/totals.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			if total, err = strconv.Atoi(f[1]); err != nil {
				t.Fatal(err)
			}
			return total, f[2]
		}
	}
	t.Fatalf("totals.txt does not have %s", name)
	return 0, ""
}

// jsonTree reads a JSON text whose numbers keep their digits.
func jsonTree(t testing.TB, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return v
}

// canonicalJSON spells a value as expect.py does for its digests.
func canonicalJSON(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// sameValue compares with what another reader found: {"number": …} is a number
// with all its digits, {"float": …, "bits": …} the float that is meant.
func sameValue(got, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		if n, ok := w["number"].(string); ok && len(w) == 1 {
			return got == json.Number(n)
		}
		if f, ok := w["float"].(string); ok && len(w) == 2 {
			return sameFloat(got, f, w["bits"])
		}
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			if v, there := g[k]; !there || !sameValue(v, w[k]) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		return ok && slices.EqualFunc(g, w, sameValue)
	}
	return got == want
}

func sameFloat(got any, want string, bits any) bool {
	n, ok := got.(json.Number)
	size, err := strconv.Atoi(fmt.Sprint(bits))
	if !ok || err != nil {
		return false
	}
	a, err := strconv.ParseFloat(string(n), size)
	b, err2 := strconv.ParseFloat(want, 64)
	return err == nil && err2 == nil && a == b
}

// TestFixturesAreNamed wants a case for every file, so that none lies unread.
func TestFixturesAreNamed(t *testing.T) {
	named := map[string]bool{}
	for _, f := range append(fixtures(), writerFixtures()...) {
		named[f.file] = true
	}
	for _, folder := range fixtureFolders {
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) < 10 {
			t.Fatalf("%s: %d files, %v", folder, len(entries), err)
		}
		for _, e := range entries {
			if name := e.Name(); !named[name] && !slices.Contains(notArchives, filepath.Ext(name)) {
				t.Errorf("%s is in %s and no case reads it", name, folder)
			}
		}
	}
}
