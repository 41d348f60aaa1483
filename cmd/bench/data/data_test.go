package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// small returns a workload of few rows, in the form that it has at any size.
func small(t *testing.T, name string) Workload {
	t.Helper()
	for _, w := range Workloads(Size{Rows: 3000, Seed: 7}) {
		if w.Name == name {
			w.Copies = max(w.Copies, 1)
			return w
		}
	}
	t.Fatalf("no workload %s", name)
	return Workload{}
}

func made(t *testing.T, w Workload) *Spec {
	t.Helper()
	s, err := Make(context.Background(), t.TempDir(), w)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines reads an object with other libraries' readers where there are any.
func lines(t *testing.T, s *Spec, path string) [][]byte {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = bytes.NewReader(packed)
	switch s.Codec {
	case Gzip:
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false) // one member, the large object too
		r = z
	case Zstd:
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(text) == 0 || text[len(text)-1] != '\n' {
		t.Fatalf("%s does not end with a line", path)
	}
	return bytes.Split(text[:len(text)-1], []byte("\n"))
}

// fits says whether a line is a row by the spec, decoded with encoding/json.
func fits(s *Spec, line []byte) bool {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var record map[string]any
	if d.Decode(&record) != nil {
		return false
	}
	for _, c := range s.Columns {
		var value any = record
		for _, step := range c.Path {
			fields, ok := value.(map[string]any)
			if !ok {
				return false
			}
			value = fields[step]
		}
		if value == nil && c.Nullable {
			continue
		}
		if !fitsColumn(c, value) {
			return false
		}
	}
	return true
}

func fitsColumn(c Column, value any) bool {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	layout := map[Kind]string{Timestamp: time.RFC3339Nano, Date: time.DateOnly}[c.Kind]
	switch c.Kind {
	case Text:
		return isText && len(text) <= c.Length
	case Int, Millis:
		_, err := number.Int64()
		return isNumber && err == nil
	case Decimal:
		if isText != c.Number {
			number = json.Number(text + number.String())
		}
		_, err := number.Float64()
		return err == nil
	case Timestamp, Date:
		_, err := time.Parse(layout, text)
		return err == nil
	case Bool:
		_, ok := value.(bool)
		return ok
	}
	return value != nil
}

func TestArchiveIsWhatTheSpecSays(t *testing.T) {
	for _, name := range []string{"gzip", "zstd", "plain", "wide", "numbers", "rejects", "days", "objects", "object"} {
		t.Run(name, func(t *testing.T) {
			s := made(t, small(t, name))
			objects, err := filepath.Glob(s.Pattern())
			if err != nil || len(objects) != s.Objects {
				t.Fatalf("%d objects (%v), the spec says %d", len(objects), err, s.Objects)
			}
			var all, rows, raw int64
			next := map[string]int64{} // by partition
			for _, path := range objects {
				var partition string
				var first int64
				if _, err := fmt.Sscanf(strings.Replace(filepath.Base(path), "+", " ", 2), Topic+" %1s %d", &partition, &first); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				if first != next[partition] {
					t.Errorf("%s begins at %d, the one before ends at %d", path, first, next[partition])
				}
				list := lines(t, s, path)
				next[partition] += int64(len(list))
				for _, line := range list {
					all++
					raw += int64(len(line)) + 1
					if fits(s, line) {
						rows++
					}
				}
			}
			if all != s.Lines || rows != s.Rows || raw != s.RawBytes {
				t.Errorf("%d lines, %d rows, %d bytes; the spec says %d, %d, %d", all, rows, raw, s.Lines, s.Rows, s.RawBytes)
			}
			if s.Broken == (rows == all) {
				t.Errorf("broken is %t, and %d of %d lines are rows", s.Broken, rows, all)
			}
		})
	}
}

func TestCopiesAreOtherObjects(t *testing.T) {
	w := small(t, "objects")
	w.Copies = 3
	s := made(t, w)
	objects, err := filepath.Glob(s.Pattern())
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != s.Objects || s.Lines != 3*w.Rows || s.Objects != w.Objects() {
		t.Errorf("%d objects with %d lines, the spec says %d", len(objects), s.Lines, s.Objects)
	}
	last := objects[len(objects)-1]
	if n := len(lines(t, s, last)); n == 0 {
		t.Errorf("%s is empty", last)
	}
}

// sums are the digests of all objects, by name.
func sums(t *testing.T, s *Spec) map[string][32]byte {
	t.Helper()
	objects, err := filepath.Glob(s.Pattern())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][32]byte{}
	for _, path := range objects {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = sha256.Sum256(text)
	}
	return out
}

func TestSameSeedSameBytes(t *testing.T) {
	w := small(t, "gzip")
	a, b := sums(t, made(t, w)), sums(t, made(t, w))
	if !reflect.DeepEqual(a, b) {
		t.Error("two archives of one workload differ")
	}
	w.Seed++
	if reflect.DeepEqual(a, sums(t, made(t, w))) {
		t.Error("another seed gives the same archive")
	}
}

func TestMakeKeepsWhatIsWholeAndMendsWhatIsNot(t *testing.T) {
	root, w := t.TempDir(), small(t, "gzip")
	first, err := Make(context.Background(), root, w)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := filepath.Glob(first.Pattern())
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(objects[0])
	if err != nil {
		t.Fatal(err)
	}
	again, err := Make(context.Background(), root, w)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Fatalf("the second call gives %+v (%v), the first %+v", again, err, first)
	}
	if after, err := os.Stat(objects[0]); err != nil || !os.SameFile(before, after) {
		t.Errorf("an archive that was there was made again (%v)", err)
	}
	// Stopped before the spec was written, with an object cut off.
	if err := os.Remove(filepath.Join(first.Dir, specFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(objects[0], 10); err != nil {
		t.Fatal(err)
	}
	mended, err := Make(context.Background(), root, w)
	if err != nil || !reflect.DeepEqual(first, mended) {
		t.Errorf("after a stop: %+v (%v), want %+v", mended, err, first)
	}
	if n := len(lines(t, mended, objects[0])); n == 0 {
		t.Error("the object is still cut off")
	}
}

func TestEventIsOfTheStudysSize(t *testing.T) {
	w := small(t, "gzip")
	s := made(t, w)
	if size := float64(s.RawBytes) / float64(s.Lines); size < 700 || size > 760 {
		t.Errorf("an event has %.0f bytes", size)
	}
	if len(s.Columns) != 21 || len(columns(small(t, "wide"))) != 120 || len(columns(small(t, "numbers"))) != 5 {
		t.Error("the shapes have 21, 120 and 5 columns")
	}
	text := bufio.NewScanner(bytes.NewReader(bytes.Join(lines(t, s, mustGlob(t, s)[0]), []byte("\n"))))
	var nulls, n int
	for text.Scan() {
		n++
		nulls += bytes.Count(text.Bytes(), []byte(`"note":null`))
	}
	if share := float64(nulls) / float64(n); share < 0.25 || share > 0.55 {
		t.Errorf("%.2f of the notes are null", share)
	}
}

func mustGlob(t *testing.T, s *Spec) []string {
	t.Helper()
	list, err := filepath.Glob(s.Pattern())
	if err != nil || len(list) == 0 {
		t.Fatalf("no objects (%v)", err)
	}
	return list
}
