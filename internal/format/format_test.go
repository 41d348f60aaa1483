package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

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

// TestLongestValue: a value of exactly the limit is whole, and one byte more is too long, whatever the delimiter's length
// and however the bytes come.
func TestLongestValue(t *testing.T) {
	for _, delimiter := range []string{"\n", "\r\n", strings.Repeat("0", 35)} {
		for n, long := range map[int]bool{63: false, 64: false, 65: true, 200: true} {
			value := strings.Repeat("v", n)
			for name, r := range map[string]io.Reader{"whole": strings.NewReader(value + delimiter + "next"), "pieces": iotest.OneByteReader(strings.NewReader(value + delimiter + "next"))} {
				records := NewText(r, Text{Delimiter: delimiter}, Limits{RecordBytes: 64})
				got, err := records.Next(nil)
				var bad *decode.BadRecord
				if errors.As(err, &bad) != long || !long && string(got) != `"`+value+`"` || long && bad.Reason != decode.TooLong {
					t.Errorf("%d bytes before a delimiter of %d, %s: %q, %v", n, len(delimiter), name, got, err)
				}
				if next, err := records.Next(nil); string(next) != `"next"` || err != nil {
					t.Errorf("%d bytes before a delimiter of %d, %s: the next value is %q, %v", n, len(delimiter), name, next, err)
				}
			}
		}
	}
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

// fixed gives texts as records.
type fixed []string

func (f *fixed) Next(dst []byte) ([]byte, error) {
	if len(*f) == 0 {
		return dst, io.EOF
	}
	text := (*f)[0]
	*f = (*f)[1:]
	return append(dst, text...), nil
}

func TestUnpack(t *testing.T) {
	for _, c := range []struct{ path, text, want string }{
		{"", `"{\"a\":1.50}"`, `{"a":1.50}`},
		{"", ` "[1,\n2]" `, ` [1, 2] `},
		{"", `null`, `null`},
		{"v", `{"k":"v","v":"{\"a\":\"x\"}","o":1}`, `{"k":"v","v":{"a":"x"},"o":1}`},
		{"v", `{ "x" : [ {"v":"1"} , "]}" ] , "v" : "12" }`, `{ "x" : [ {"v":"1"} , "]}" ] , "v" : 12 }`},
		{"v", `{"v":"1","v":"2"}`, `{"v":"1","v":2}`},
		{"a.v", `{"a":{"v":"1"},"v":"2"}`, `{"a":{"v":1},"v":"2"}`},
		{"v", `{"w":"1"}`, `{"w":"1"}`},
		{"v", `{}`, `{}`},
		{"v", `7`, `7`},
		{"v", `{"v":null}`, `{"v":null}`},
		{"\u0076", `{"\u0076":"true"}`, `{"\u0076":true}`},
		{"v", `{"v":1}`, `!not_packed`},
		{"v", `{"v":"{"}`, `!not_packed`},
		{"v", `{"v":""}`, `!not_packed`},
	} {
		var path []string
		if c.path != "" {
			path = strings.Split(c.path, ".")
		}
		got, err := all(NewUnpack(&fixed{c.text}, Unpack{Path: path}))
		if err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("%s of %s: %v, %v, want %s", c.path, c.text, got, err, c.want)
		}
	}
	got, err := all(NewUnpack(&fixed{`{"v":"eyJhIjoxfQ=="}`, `{"v":"eyJhIjoxfQ"}`}, Unpack{Path: []string{"v"}, Base64: true}))
	if err != nil || strings.Join(got, " ") != `{"v":{"a":1}} !not_packed` {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzUnpack: what stands at the path is what encoding/json finds there.
func FuzzUnpack(f *testing.F) {
	f.Add(`{"k":["}",{"v":"1"}],"v":"{\"a\":1}"}`, "v")
	f.Fuzz(func(t *testing.T, text, key string) {
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) || !utf8.ValidString(key) {
			return
		}
		var want map[string]json.RawMessage
		there := json.Unmarshal([]byte(text), &want) == nil && want != nil
		start, end, found := Find([]byte(text), []string{key})
		if raw, ok := want[key]; (there && ok) != found || found && string(raw) != text[start:end] {
			t.Fatalf("found %t %q, want %q", found, text[max(start, 0):end], raw)
		}
	})
}
