package format

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

func TestCSV(t *testing.T) {
	for _, c := range []struct {
		name, text string
		o          CSV
		want       string // records, joined by a space
	}{
		{"with a header", "a,b\n1,x\r\n2,\"y, \"\"z\"\"\"\n", CSV{}, `{"a":"1","b":"x"} {"a":"2","b":"y, \"z\""}`},
		{"without a line break at the end", "a\n1", CSV{}, `{"a":"1"}`},
		{"nothing", "", CSV{}, ""},
		{"a header alone", "a,b\n", CSV{}, ""},
		{"null and empty", ",\"\"\n", CSV{Columns: []string{"a", "b"}}, `{"a":null,"b":""}`},
		{"an empty line is a null", "x\n\ny\n", CSV{Columns: []string{"v"}}, `{"v":"x"} {"v":null} {"v":"y"}`},
		{"lines in quotes", "\"a\nb\",2\n", CSV{Columns: []string{"a", "b"}}, `{"a":"a\nb","b":"2"}`},
		{"another delimiter", "1;2,3\n", CSV{Columns: []string{"a", "b"}, Delimiter: ';'}, `{"a":"1","b":"2,3"}`},
		{"bad rows", "1\n1,2,3\n\"x\n4,5\n6,\xff\n7,8", CSV{Columns: []string{"a", "b"}}, `!field_count !field_count !bad_quote {"a":"4","b":"5"} !invalid_utf8 {"a":"7","b":"8"}`},
		{"a row that is too long", strings.Repeat("x", 200) + ",1\n2,3\n", CSV{Columns: []string{"a", "b"}}, `!too_long {"a":"2","b":"3"}`},
	} {
		for _, r := range []*strings.Reader{strings.NewReader(c.text)} {
			got, err := all(NewCSV(iotest.OneByteReader(r), c.o, Limits{RecordBytes: 100}))
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("%s: %v, %v, want %s", c.name, got, err, c.want)
			}
		}
	}
	for text, want := range map[string]string{"a,a\n": "does not name each column once", "a,\n": "does not name each column once", "\"a\nb": "can't be read"} {
		if _, err := all(NewCSV(strings.NewReader(text), CSV{}, Limits{})); !fail.Is(err, fail.BadLayout) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	lost := errors.New("connection reset")
	if _, err := all(NewCSV(iotest.ErrReader(lost), CSV{}, Limits{})); !errors.Is(err, lost) {
		t.Error(err)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		name, text string
		o          Text
		want       string
	}{
		{"lines", "a\nb\n", Text{Delimiter: "\n"}, `"a" "b"`},
		{"no line break at the end", "a\nb", Text{Delimiter: "\n"}, `"a" "b"`},
		{"empty values", "\n\n", Text{Delimiter: "\n"}, `"" ""`},
		{"nothing", "", Text{Delimiter: "\n"}, ""},
		{"several bytes", "a||b|c||", Text{Delimiter: "||"}, `"a" "b|c"`},
		{"bytes", "\x00\xff\n\n", Text{Delimiter: "\n", Binary: true}, `"AP8=" ""`},
		{"one record an object", "a\nb", Text{}, `"a\nb"`},
		{"one record that is a tombstone", "", Text{}, `null`},
		{"not UTF-8", "\xff\nb\n", Text{Delimiter: "\n"}, `!invalid_utf8 "b"`},
		{"too long", strings.Repeat("x", 300) + "\nb\n", Text{Delimiter: "\n"}, `!too_long "b"`},
	} {
		got, err := all(NewText(iotest.HalfReader(strings.NewReader(c.text)), c.o, Limits{RecordBytes: 100}))
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, %v, want %s", c.name, got, err, c.want)
		}
	}
	if _, err := all(NewText(strings.NewReader(strings.Repeat("x", 300)), Text{}, Limits{RecordBytes: 100})); !fail.Is(err, fail.Damaged) {
		t.Error(err)
	}
}

// TestTextFixtures reads the lines of another project's samples.
func TestTextFixtures(t *testing.T) {
	for file, want := range map[string]int{"uncompressed.log": 2, "multiline.log": 2, "invalid_utf8.gbk.log": 2, "json.log": 2} {
		b := fixture(t, "text/"+file)
		got, err := all(NewText(bytes.NewReader(b), Text{Delimiter: "\n"}, Limits{}))
		if n := bytes.Count(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) + 1; err != nil || len(got) != n || n < want {
			t.Errorf("%s: %d lines, %v, want %d", file, len(got), err, n)
		}
		if bad := strings.HasPrefix(got[0], "!invalid_utf8"); bad != (file == "invalid_utf8.gbk.log") {
			t.Errorf("%s: %s", file, got[0])
		}
	}
	got, err := all(NewCSV(bytes.NewReader(fixture(t, "text/lenses.csv")), CSV{}, Limits{}))
	if err != nil || len(got) != 200 {
		t.Fatal(len(got), err)
	}
	// Records with the same fields as JSON, by the same sink.
	records, err := decode.NewRecords(bytes.NewReader(fixture(t, "text/lenses.json")), decode.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := all(records)
	if err != nil || len(texts) != len(got) {
		t.Fatal(len(texts), err)
	}
	a, b := tree(t, got[0]).(map[string]any), tree(t, texts[0]).(map[string]any)
	for name := range b {
		if _, there := a[name]; !there || len(a) != len(b) {
			t.Errorf("CSV has %v, JSON %v", a, b)
		}
	}
	if a["name"] != "nkjdf" || b["name"] != "tgdrqcsnw" {
		t.Errorf("CSV begins with %v, JSON with %v", a, b)
	}
}

// FuzzCSV compares rows in one piece and in many, and looks for panics.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b\n1,\"x\"\"\"\r\n\"y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, l := CSV{Columns: []string{"a", "b"}}, Limits{RecordBytes: 64}
		whole, err := all(NewCSV(bytes.NewReader(text), o, l))
		pieces, err2 := all(NewCSV(iotest.OneByteReader(bytes.NewReader(text)), o, l))
		if err != nil || err2 != nil || strings.Join(whole, "\n") != strings.Join(pieces, "\n") {
			t.Fatalf("%q, %v\n%q, %v", whole, err, pieces, err2)
		}
	})
}

// FuzzText does the same for values with a delimiter.
func FuzzText(f *testing.F) {
	f.Add([]byte("a||b|c||"), "||", true)
	f.Fuzz(func(t *testing.T, text []byte, delimiter string, binary bool) {
		o, l := Text{Delimiter: delimiter, Binary: binary}, Limits{RecordBytes: 64}
		whole, err := all(NewText(bytes.NewReader(text), o, l))
		pieces, err2 := all(NewText(iotest.OneByteReader(bytes.NewReader(text)), o, l))
		if (err == nil) != (err2 == nil) || err == nil && strings.Join(whole, "\n") != strings.Join(pieces, "\n") {
			t.Fatalf("%q, %v\n%q, %v", whole, err, pieces, err2)
		}
	})
}
