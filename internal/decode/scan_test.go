package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/schema"
)

// framed renders records as kind@start:raw, Unreadable with its reason.
func framed(all []seenRecord) string {
	var texts []string
	for i, r := range all {
		kind := map[RecordKind]string{Value: "value", Tombstone: "tombstone", Unreadable: string(r.Reason)}[r.Kind]
		if r.Row != int64(i) {
			kind = "misnumbered " + kind
		}
		if int64(len(r.Raw)) != r.Len {
			kind = "cut " + kind
		}
		texts = append(texts, fmt.Sprintf("%s@%d:%s", kind, r.Start, r.Raw))
	}
	return strings.Join(texts, " ; ")
}

func TestFraming(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"nothing", "", ""},
		{"white space", " \n\r\n\t", ""},
		{"lines", "{\"a\":1}\n{\"a\":2}\n", `value@0:{"a":1} ; value@8:{"a":2}`},
		{"no newline at the end", "{}\n{}", `value@0:{} ; value@3:{}`},
		{"carriage returns and blank lines", "{}\r\n\r\n\n{}\r\n", `value@0:{} ; value@7:{}`},
		{"nothing between", `{}{}{}`, `value@0:{} ; value@2:{} ; value@4:{}`},
		{"tombstones", "null\n{}\nnull", `tombstone@0:null ; value@5:{} ; tombstone@8:null`},
		{"scalars", "1 \"two\" true\n-3.5e1", `value@0:1 ; value@2:"two" ; value@8:true ; value@13:-3.5e1`},
		{"scalars with nothing between", `1{}"a""b"[]null{}`, `value@0:1 ; value@1:{} ; value@3:"a" ; value@6:"b" ; value@9:[] ; tombstone@11:null ; value@15:{}`},
		{"a number at the end of the stream", "12", "value@0:12"},
		{"leading zero", "01\n{}", "malformed_json@0:01 ; value@3:{}"},
		{"literals glued", "truefalse\n{}", "malformed_json@0:truefalse ; value@10:{}"},
		{"a key's line outside an object", "\"a\": 1,\n{}", `malformed_json@0:"a": 1, ; value@8:{}`},
		{"over many lines", "{\n \"a\": [\n 1\n ]\n}\n{}", "value@0:{\n \"a\": [\n 1\n ]\n} ; value@18:{}"},
		{"garbage", "garbage\n{}\n", "malformed_json@0:garbage ; value@8:{}"},
		{"garbage behind a value", "{} garbage\n{}\n", "value@0:{} ; malformed_json@3:garbage ; value@11:{}"},
		{"a line cut off in a string", "{\"a\":\"b\n{}\n", "malformed_json@0:{\"a\":\"b ; value@8:{}"},
		{"a line cut off behind a key", "{\"a\":1,\"b\"\n{}\n{}", "malformed_json@0:{\"a\":1,\"b\" ; value@11:{} ; value@14:{}"},
		{"a line cut off behind a colon", "{\"a\":\n{}\n{}", "malformed_json@0:{\"a\": ; value@6:{} ; value@9:{}"},
		{"a line cut off in an array", "{\"a\":[\n{}\n{}", "malformed_json@0:{\"a\":[ ; value@7:{} ; value@10:{}"},
		{"a stream cut off", "{}\n{\"a\":", "value@0:{} ; cut_off@3:{\"a\":"},
		{"a stream cut off in a literal", "{}\ntru", "value@0:{} ; cut_off@3:tru"},
		{"a stream cut off in an escape", `{"a":"\u00`, `cut_off@0:{"a":"\u00`},
		{"invalid UTF-8", "{\"a\":\"\xff\"}\n{}", "invalid_utf8@0:{\"a\":\"\xff\"} ; value@10:{}"},
		{"invalid UTF-8 in a key", "{\"\xc3\":1}\n{}", "invalid_utf8@0:{\"\xc3\":1} ; value@8:{}"},
		{"invalid UTF-8 in a long string", "\"01234567\xff1234567012345670\"\n{}", "invalid_utf8@0:\"01234567\xff1234567012345670\" ; value@28:{}"},
		{"surrogates in UTF-8", "\"\xed\xa0\x80\"", "invalid_utf8@0:\"\xed\xa0\x80\""},
		{"NUL bytes", "{}\x00\x00\n{}", "value@0:{} ; malformed_json@2:\x00\x00 ; value@5:{}"},
		{"array", "[{},{}]", "value@1:{} ; value@4:{}"},
		{"array over lines", "[\n{},\n{}\n]\n", "value@2:{} ; value@6:{}"},
		{"array of everything", " [null,1,\"a\",[2]]", "tombstone@2:null ; value@7:1 ; value@9:\"a\" ; value@13:[2]"},
		{"empty array", "[ ]\n", ""},
		{"arrays in a row", "[{}]\n[{},{}][]", "value@1:{} ; value@6:{} ; value@9:{}"},
		{"an array behind a value is a record", "{}[1]", "value@0:{} ; value@2:[1]"},
		{"array not closed", "[{},{}", "value@1:{} ; value@4:{} ; cut_off@6:"},
		{"array not closed behind a comma", "[{},\n", "value@1:{} ; cut_off@5:"},
		{"array cut off in a record", "[{},\n{\"a\"", "value@1:{} ; cut_off@5:{\"a\""},
		{"comma before the array's end", "[{},]", "value@1:{} ; malformed_json@4:]"},
		{"comma at the array's start", "[,{}]", "malformed_json@1:,{}]"},
		{"no comma in the array", "[{}\n{}\n,{}]", "value@1:{} ; malformed_json@4:{} ; value@8:{}"},
		{"malformed element", "[{},\n{\"a\"},\n{},\nx\n]", "value@1:{} ; malformed_json@5:{\"a\"}, ; value@12:{} ; malformed_json@16:x"},
		{"text behind the array", "[{}]\n{}\n[{}]", "value@1:{} ; malformed_json@5:{} ; value@9:{}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := scanAll(t, Spec{}, Limits{}, strings.NewReader(test.input))
			if err != nil || framed(got) != test.want {
				t.Errorf("%q\ngot  %s, %v\nwant %s", test.input, framed(got), err, test.want)
			}
		})
	}
}

// TestSyntax holds texts that RFC 8259 does not allow, some of which lenient
// readers take, with what is said of them.
func TestSyntax(t *testing.T) {
	deep := strings.Repeat("[", 128)
	tests := []struct{ input, detail string }{
		{`{"a":01}`, "a comma or } must follow the value at byte 6"},
		{`{"a":1,}`, "a key must begin here at byte 7"},
		{`{"a":[1,]}`, "a value must begin here at byte 8"},
		{`{,}`, "a key must begin here at byte 1"},
		{`{a:1}`, "a key must begin here at byte 1"},
		{`{'a':1}`, "a key must begin here at byte 1"},
		{`{"a" 1}`, "a colon must follow the key at byte 5"},
		{`{"a":1 "b":2}`, "a comma or } must follow the value at byte 7"},
		{`{"x":[1 2]}`, "a comma or ] must follow the value at byte 8"},
		{`{"x":{"y":1]}`, "a comma or } must follow the value at byte 11"},
		{`{"a":+1}`, "a value must begin here at byte 5"},
		{`{"a":-}`, "a digit must follow the sign at byte 6"},
		{`{"a":.5}`, "a value must begin here at byte 5"},
		{`{"a":1.}`, "a digit must follow the point at byte 7"},
		{`{"a":1e}`, "a digit must follow the e at byte 7"},
		{`{"a":1e+}`, "a digit must follow the e at byte 8"},
		{`{"a":NaN}`, "a value must begin here at byte 5"},
		{`{"a":nul}`, "neither true, false nor null at byte 8"},
		{`{"a":True}`, "a value must begin here at byte 5"},
		{"{\"a\":\"x\ty\"}", "a control character stands in a string at byte 7"},
		{"{\"a\":\"12345678\x01\"}", "a control character stands in a string at byte 14"},
		{`{"a":"\x41"}`, "not an escape at byte 7"},
		{`{"a":"\u12g4"}`, "not a hexadecimal digit of an escape at byte 10"},
		{"{\"a\":1\u00a0}", "a comma or } must follow the value at byte 6"},
		{"{\"a\":1\f}", "a comma or } must follow the value at byte 6"},
		{"{\"a\":\"12345\xff\"}", "a string that is not valid UTF-8 ends at byte 12"},
		{`{"a":1} // comment`, "a value must begin here at byte 0"},
		{`{"x":` + deep, "too many objects and arrays are open at byte 132"},
		{`{"a":` + deep, "too many objects and arrays are open at byte 132"},
	}
	for _, test := range tests {
		spec := Spec{Columns: []schema.Column{column("a", "super", "a")}}
		for _, behind := range []string{"\n", "\n{\"a\":1}"} {
			got, err := scanAll(t, spec, Limits{}, strings.NewReader(test.input+behind))
			if err != nil || len(got) == 0 {
				t.Fatal(test.input, got, err)
			}
			bad := got[0]
			if bad.Kind == Value {
				bad = got[1] // what stands behind a sound value
			}
			if bad.Kind != Unreadable || bad.Detail != test.detail {
				t.Errorf("%s: kind %d, %s, want %s", test.input, bad.Kind, bad.Detail, test.detail)
			}
		}
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	spec := Spec{Columns: []schema.Column{column("a", "super", "a", "a")}}
	got, err := scanAll(t, spec, Limits{Depth: 5}, strings.NewReader(nested(5)+"\n"+nested(6)+"\n"+nested(5)))
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	if got[0].Cells != `{"a":{"a":{}}}` || got[1].Reason != TooDeep || got[2].Kind != Value {
		t.Error(got)
	}
}

func TestFields(t *testing.T) {
	spec := Spec{
		Columns: []schema.Column{
			column("whole", "super", "after"), column("id", "bigint", "after", "id"), column("deep", "varchar(9)", "after", "in", "key"),
			column("quoted", "bigint", `a"b\`), column("empty", "bigint", ""), column("root", "super"),
		},
		EventTime: &TimeField{Path: []string{"after", "at"}}, Timestamp: &TimeField{Path: []string{"ts"}},
		Partition: []string{"partition"}, Offset: []string{"offset"},
		Where: [][]string{{"type"}, {"after", "id"}, {"after"}},
	}
	spec.Columns[5].Path = []string{}
	tests := []struct{ name, input, cells, fields, where string }{
		{"all", `{"type":"x","after":{"id":1,"in":{"key":"k"},"at":"2024-01-01T00:00:00Z"},"a\"b\\":2,"":3,"partition":4,"offset":"5","ts":6}`,
			`{"id":1,"in":{"key":"k"},"at":"2024-01-01T00:00:00Z"}|1|k|2|3|`,
			"2024-01-01T00:00:00Z 1970-01-01T00:00:00.006Z 4 5", "4:x|3:1|5:"},
		{"none", `{}`, `NULL|NULL|NULL|NULL|NULL|`, "missing missing missing missing", "0:|0:|0:"},
		{"nulls", `{"type":null,"after":null,"ts":null,"partition":null,"offset":null}`, `NULL|NULL|NULL|NULL|NULL|`,
			"missing missing missing missing", "1:|0:|1:"},
		{"scalars for objects", `{"after":7,"type":["x"]}`, `7|NULL|NULL|NULL|NULL|`, "missing missing missing missing", "5:|0:|3:7"},
		{"arrays for objects", `{"after":[{"id":1}],"type":true}`, `[{"id":1}]|NULL|NULL|NULL|NULL|`, "missing missing missing missing", "2:true|0:|5:"},
		{"bad ones", `{"after":{"at":"soon"},"ts":"","partition":-1,"offset":1.5}`, `{"at":"soon"}|NULL|NULL|NULL|NULL|`,
			"bad bad bad bad", "0:|0:|5:"},
		{"out of range", `{"partition":2147483648,"offset":-1}`, `NULL|NULL|NULL|NULL|NULL|`, "missing missing bad bad", "0:|0:|0:"},
		{"the last one counts", `{"after":{"id":"no","in":{"key":"k"},"at":"2024-01-01T00:00:00Z"},"after":{"id":2},"offset":1,"offset":null}`,
			`{"id":2}|2|NULL|NULL|NULL|`, "missing missing missing missing", "0:|3:2|5:"},
		{"an object after a scalar", `{"after":1,"after":{"id":2}}`, `{"id":2}|2|NULL|NULL|NULL|`, "missing missing missing missing", "0:|3:2|5:"},
		{"a scalar after an object", `{"after":{"id":2},"after":1}`, `1|NULL|NULL|NULL|NULL|`, "missing missing missing missing", "0:|0:|3:1"},
		{"escaped keys", `{"\u0061fter":{"\u0069d":3},"\u0074ype":"\u0078\ud800"}`, `{"\u0069d":3}|3|NULL|NULL|NULL|`, "missing missing missing missing", "4:x\ufffd|3:3|5:"},
		{"exact case", `{"After":{"id":3},"TYPE":1,"after":{"ID":1}}`, `{"ID":1}|NULL|NULL|NULL|NULL|`, "missing missing missing missing", "0:|0:|5:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := spec
			if strings.Contains(test.input, "ud800") { // half a pair fits no column
				root.Columns = append([]schema.Column{}, spec.Columns[:5]...)
				test.cells = strings.TrimSuffix(test.cells, "|")
			} else {
				test.cells += test.input
			}
			got, err := scanAll(t, root, Limits{}, strings.NewReader(test.input))
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			fields := strings.Join([]string{got[0].EventTime, got[0].Timestamp, got[0].Partition, got[0].Offset}, " ")
			if got[0].Cells != test.cells || fields != test.fields || got[0].Where != test.where {
				t.Errorf("%s\ngot  %s, %s, %s\nwant %s, %s, %s", test.input, got[0].Cells, fields, got[0].Where, test.cells, test.fields, test.where)
			}
		})
	}
}

func TestScalarRoot(t *testing.T) {
	c := column("root", "varchar(9)")
	c.Path = []string{}
	got, err := scanAll(t, Spec{Columns: []schema.Column{c}}, Limits{}, strings.NewReader(`"a" 12 null {}`))
	if err != nil || len(got) != 4 {
		t.Fatal(got, err)
	}
	if got[0].Cells != "a" || got[1].Cells != "12" || got[2].Kind != Tombstone || got[3].Reject != "0: wrong_type, {} for varchar(9)" {
		t.Error(got)
	}
}

// TestKeyOrder changes the order of keys, leaves keys out and adds unknown
// ones, more than the scanner learns.
func TestKeyOrder(t *testing.T) {
	keys := []string{"a", "b", "c", "d"}
	spec := Spec{}
	for _, k := range keys {
		spec.Columns = append(spec.Columns, column(k, "bigint", "o", k))
	}
	var input strings.Builder
	var want []string
	for i := range 2000 {
		var pairs, cells []string
		for j, k := range keys {
			if i>>j&1 == 0 {
				pairs = append(pairs, fmt.Sprintf(`%q:%d`, k, i+j))
				cells = append(cells, fmt.Sprint(i+j))
			} else {
				cells = append(cells, "NULL")
			}
		}
		if i%5 == 0 {
			pairs = append(pairs, fmt.Sprintf(`"unknown %d":{"a":0}`, i))
		}
		if n := len(pairs); n > 0 {
			pairs = append(pairs[i%n:n:n], pairs[:i%n]...)
		}
		fmt.Fprintf(&input, "{\"o\":{%s}}\n", strings.Join(pairs, " , "))
		want = append(want, strings.Join(cells, "|"))
	}
	got, err := scanAll(t, spec, Limits{}, strings.NewReader(input.String()))
	if err != nil || len(got) != len(want) {
		t.Fatal(len(got), err)
	}
	for i, w := range want {
		if got[i].Cells != w {
			t.Fatalf("row %d: %s, want %s", i, got[i].Cells, w)
		}
	}
}

// TestLearningIsBounded meets more unknown keys than a node remembers.
func TestLearningIsBounded(t *testing.T) {
	p, _ := Compile(Spec{Where: [][]string{{"a"}}})
	s := p.NewScanner(Limits{})
	var input strings.Builder
	for i := range 3 * maxLearned {
		fmt.Fprintf(&input, "{%q:1,\"key %d\":1,\"a\":1}", strings.Repeat("k", maxLearnedKey+1), i)
	}
	s.Reset(strings.NewReader(input.String()))
	got, err := drain(t, s, columns.NewBatch(nil))
	if err != nil || len(got) != 3*maxLearned {
		t.Fatal(len(got), err)
	}
	for _, r := range got {
		if r.Where != "3:1" {
			t.Fatal(r)
		}
	}
	if n := len(s.tree.root.child.fields); n != maxLearned+2 {
		t.Errorf("%d fields are remembered", n)
	}
}

// TestManyPlaces needs more than one word of bits.
func TestManyPlaces(t *testing.T) {
	for _, n := range []int{62, 63, 64, 127, 130} {
		spec := Spec{}
		var pairs, want []string
		for i := range n {
			key := fmt.Sprintf("k%d", i)
			spec.Columns = append(spec.Columns, column(key, "bigint", key))
			if i%3 == 0 {
				want = append(want, "NULL")
				continue
			}
			pairs = append(pairs, fmt.Sprintf("%q:%d", key, i))
			want = append(want, fmt.Sprint(i))
		}
		got, err := scanAll(t, spec, Limits{}, strings.NewReader("{"+strings.Join(pairs, ",")+"}"))
		if err != nil || len(got) != 1 || got[0].Cells != strings.Join(want, "|") {
			t.Errorf("%d places: %v, %v", n, got, err)
		}
	}
}

func TestTooLong(t *testing.T) {
	line := func(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }
	input := line(50) + "\n" + line(51) + "\n" + line(50) + line(500) + "{}\n{}\n" + strings.Repeat("[1,\n", 20) + "{}\n"
	for block := 1; block < 80; block++ {
		got, err := scanAll(t, Spec{}, Limits{BlockBytes: block, RecordBytes: 50, RawBytes: 20}, strings.NewReader(input))
		if err != nil || len(got) < 6 {
			t.Fatal(got, err)
		}
		var kinds []string
		for _, r := range got[:6] {
			kinds = append(kinds, fmt.Sprintf("%d%s %d+%d %d %t", r.Kind, r.Reason, r.Start, r.Len, len(r.Raw), r.Truncated))
		}
		want := "1 0+50 20 true, 3too_long 51+51 20 true, 1 103+50 20 true, 3too_long 153+502 20 true, 1 656+2 2 false, 3too_long 659+3 3 false"
		if text := strings.Join(kinds, ", "); text != want {
			t.Errorf("block %d: %s, want %s", block, text, want)
		}
		if got[1].Detail != "the record goes on at byte 50" {
			t.Error(got[1].Detail)
		}
	}
}

var xs = strings.Repeat("x", 1<<16)

// endless gives a line of n bytes that begins like a record.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < min(len(p), e.left) {
		n += copy(p[n:min(len(p), e.left)], xs)
	}
	if e.left -= n; e.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

func TestHugeLineTakesBoundedMemory(t *testing.T) {
	const size = 200 << 20
	input := io.MultiReader(strings.NewReader(`{"a":1}`+"\n"+`{"a":"`), &endless{size}, strings.NewReader("\n{\"a\":2}\n"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := scanAll(t, Spec{Columns: []schema.Column{column("a", "bigint", "a")}}, Limits{RecordBytes: 2 << 20}, input)
	runtime.ReadMemStats(&after)
	if err != nil || len(got) != 3 || got[1].Reason != TooLong || got[1].Len != size+6 || len(got[1].Raw) != 64<<10 || got[2].Cells != "2" {
		t.Fatal(len(got), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes allocated", used)
	}
}

const sample = `{"id":1,"name":"plain","in":{"x":"1.50"},"skip":[1,{"a":"b"},true]}
{"id":2,"name":"esc\u00e9\n\"q\"","in":{"x":-2e1},"d":null}
{"id":3,"name":"ünï😀","in":{}}{"id":4}
not json
null
{"id":"5","in":{"x":"\u0031"},"name":"\\"} 12 "s"
`

func sampleSpec() Spec {
	return Spec{
		Columns: []schema.Column{
			column("id", "bigint", "id"), column("name", "varchar(20)", "name"), column("x", "decimal(10,2)", "in", "x"),
			column("wide", "decimal(38,2)", "in", "x"), column("in", "super", "in"),
		},
		Offset: []string{"id"}, Where: [][]string{{"name"}, {"in"}},
	}
}

// TestBlockCuts reads the sample in every way of cutting it into blocks and
// reads.
func TestBlockCuts(t *testing.T) {
	for _, input := range []string{sample, "[\n" + strings.ReplaceAll(sample[:strings.Index(sample, "}{")+2], "\n{", ",\n{") + "]"} {
		want, err := scanAll(t, sampleSpec(), Limits{}, strings.NewReader(input))
		if err != nil || len(want) < 3 {
			t.Fatal(want, err)
		}
		for block := 1; block <= len(input)+1; block++ {
			for _, n := range []int{1, 2, 7, len(input)} {
				got, err := scanAll(t, sampleSpec(), Limits{BlockBytes: block}, &pieces{input, n})
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("block %d, reads of %d: %v\n got %+v\nwant %+v", block, n, err, got, want)
				}
			}
		}
	}
}

func TestTruncationAtEachByte(t *testing.T) {
	whole, _ := scanAll(t, sampleSpec(), Limits{}, strings.NewReader(sample))
	for n := range len(sample) {
		got, err := scanAll(t, sampleSpec(), Limits{}, iotest.DataErrReader(strings.NewReader(sample[:n])))
		if err != nil {
			t.Fatal(err)
		}
		if err := sameFrames(got, oracle([]byte(sample[:n]))); err != nil {
			t.Errorf("cut at %d: %v", n, err)
		}
		for i, r := range got {
			if r.Kind == Value && r.Raw == whole[i].Raw && r.Cells != whole[i].Cells {
				t.Errorf("cut at %d: record %d is %q, want %q", n, i, r.Cells, whole[i].Cells)
			}
		}
	}
}

func TestBatchIsNeverOverfull(t *testing.T) {
	const n = 3*columns.BatchRows + 10
	spec := Spec{Columns: []schema.Column{column("a", "bigint", "a")}}
	p, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	s := p.NewScanner(Limits{})
	for range 2 { // the second time after a Reset
		s.Reset(strings.NewReader(strings.Repeat(`{"a":1}`, n)))
		got, err := drain(t, s, columns.NewBatch(spec.Columns))
		if err != nil || len(got) != n || got[n-1].Row != n-1 || got[n-1].Start != 7*(n-1) {
			t.Fatal(len(got), err)
		}
	}
}

func TestRowsAreKeptOnlyIfAdmitted(t *testing.T) {
	spec := Spec{Columns: []schema.Column{column("a", "smallint", "a")}}
	p, _ := Compile(spec)
	s, b := p.NewScanner(Limits{}), columns.NewBatch(spec.Columns)
	s.Reset(strings.NewReader(`{"a":1}{"a":2}null{"a":99999}{"a":3}` + "\nx"))
	records := 0
	err := s.Scan(b, func(r *Record) bool {
		records++
		return string(r.Raw) != `{"a":2}`
	})
	if err != nil || records != 6 || b.N != 2 || b.Cols[0].I[0] != 1 || b.Cols[0].I[1] != 3 || b.Row[1] != 4 {
		t.Errorf("%v, %d records, %d rows: %v", err, records, b.N, b.Cols[0].I[:2])
	}
}

func TestBrokenInput(t *testing.T) {
	broken := errors.New("connection lost")
	input := io.MultiReader(strings.NewReader("{\"a\":1}\n{\"a\":2}\n{\"a\""), iotest.ErrReader(broken))
	got, err := scanAll(t, Spec{}, Limits{}, input)
	if len(got) != 2 || !errors.Is(err, broken) || err.Error() != "reading records: connection lost" {
		t.Errorf("%v, %v", got, err)
	}
	got, err = scanAll(t, Spec{}, Limits{}, io.MultiReader(strings.NewReader("nonsense"), iotest.ErrReader(broken)))
	if len(got) != 0 || !errors.Is(err, broken) {
		t.Errorf("%v, %v", got, err)
	}
	stuck := readerFunc(func([]byte) (int, error) { return 0, nil })
	if _, err = scanAll(t, Spec{}, Limits{}, stuck); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestMisuse(t *testing.T) {
	spec := Spec{Columns: []schema.Column{column("a", "smallint", "a")}}
	p, _ := Compile(spec)
	s, b := p.NewScanner(Limits{}), columns.NewBatch(spec.Columns)
	expect := func(want string, b *columns.Batch) {
		t.Helper()
		err := s.Scan(b, func(*Record) bool { return true })
		if err == nil || err.Error() != want || !fail.Is(err, fail.Internal) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	expect("scanning before a reset", b)
	s.Reset(bytes.NewReader(nil))
	b.N = 1
	expect("scanning into a batch that still holds 1 rows", b)
	expect("scanning 1 columns into a batch of 0", columns.NewBatch(nil))
}
