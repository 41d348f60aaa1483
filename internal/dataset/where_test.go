package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/columns"
)

// filter compiles an expression alone.
func filter(t testing.TB, text string) *Where {
	t.Helper()
	d, err := Compile("where.yaml", minimal, []string{"records.where=" + quoted(text)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.Records.Where
}

var minimal = []byte(`version: 1
name: x
archive: {uri: s3://acme-archive/x, layout: confluent}
records: {event_time: none}
columns: [{name: id, type: bigint, from: value.id}]
table: {name: a.b, mode: append, scope: all}
`)

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// scalars reads the values at the paths as a reader of records would.
func scalars(t testing.TB, record string, paths [][]string) []columns.Scalar {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(record))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	list := make([]columns.Scalar, len(paths))
	for i, path := range paths {
		list[i] = scalar(value, path)
	}
	return list
}

func scalar(value any, path []string) columns.Scalar {
	for _, step := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return columns.Scalar{}
		}
		if value, ok = object[step]; !ok {
			return columns.Scalar{}
		}
	}
	switch v := value.(type) {
	case nil:
		return columns.Scalar{Kind: columns.Null, Text: []byte("null")}
	case bool:
		return columns.Scalar{Kind: columns.Bool, Text: fmt.Append(nil, v)}
	case json.Number:
		return columns.Scalar{Kind: columns.Number, Text: []byte(v)}
	case string:
		return columns.Scalar{Kind: columns.String, Text: []byte(v)}
	}
	return columns.Scalar{Kind: columns.Other}
}

func TestWhere(t *testing.T) {
	const record = `{"type": "payment.settled", "n": 3, "big": 9007199254740993, "cents": 0.10, "no": null, "yes": true,
		"list": [1], "object": {"deep": {"er": "x"}}, "odd-key": 1, "text": "3", "huge": 1e400, "empty": ""}`
	for text, want := range map[string]bool{
		`value.type in ["payment.settled", "payment.reversed"]`:    true,
		`value.type not in ["payment.settled"]`:                    false,
		`value.type == "payment.settled" and value.n > 3`:          false,
		`value.type == 'payment.settled' && value.n >= 3`:          true,
		`not (value.x == nil)`:                                     false,
		`!(value.no == nil)`:                                       false,
		`value.x == nil and value.no == nil`:                       true,
		`value.x == value.no`:                                      true,
		`value.no != "a"`:                                          true,
		`value.no in ["a", nil]`:                                   true,
		`value.n == 3.000 or value.n == 4`:                         true,
		`value.n in [1, 2, 30e-1]`:                                 true,
		`value.n == -3 || value.n == +3`:                           true,
		`value.big == 9007199254740992`:                            false,
		`value.big > 9007199254740992`:                             true,
		`value.big == 9_007_199_254_740_993`:                       true,
		`value.cents == 0.1`:                                       true,
		`value.cents < 0.1000000000000000055511151231257827`:       true,
		`value.huge > 1e300`:                                       true,
		`value.text == 3`:                                          false,
		`value.text != 3`:                                          true,
		`value.text < 4`:                                           false,
		`value.text >= "3"`:                                        true,
		`value.text == value.n`:                                    false,
		`value.yes == true`:                                        true,
		`value.yes == "true"`:                                      false,
		`value.yes > value.no`:                                     false,
		`value.yes <= value.yes`:                                   false,
		`value.list == nil`:                                        false,
		`value.list == value.list`:                                 false,
		`value.object != value.object`:                             true,
		`value.object.deep.er == "x" and value.n.deep.er == nil`:   true,
		`value["odd-key"] == 1 and value["object"].deep.er > "w"`:  true,
		`value.empty == "" and value.empty != nil`:                 true,
		`1 < value.n and 5 > value.n`:                              true,
		`1 < value.n < 3`:                                          false,
		`value != nil`:                                             true,
		"value.n == 3 and\n  (value.n == 4 or value.type < \"q\")": true,
	} {
		w := filter(t, text)
		if got := w.Match(scalars(t, record, w.Paths)); got != want {
			t.Errorf("%s is %t, want %t", text, got, want)
		}
	}
}

func TestWherePaths(t *testing.T) {
	w := filter(t, `value.a == 1 or value.b.c == 2 and value.a != 3 or value["b"].c == 4 or value == nil`)
	if want := [][]string{{"a"}, {"b", "c"}, {}}; !reflect.DeepEqual(w.Paths, want) {
		t.Errorf("paths are %q, want %q: each once, in the order of the text", w.Paths, want)
	}
}

func TestWhereRefused(t *testing.T) {
	for text, want := range map[string]string{
		`value.a`:                     "1:16: records.where: value.a alone is not a condition",
		`not value.a == 1`:            "not binds closer than a comparison",
		`not value.a`:                 "value.a alone is not a condition",
		`true`:                        "a constant is not a condition",
		`1 == 1`:                      "the comparison looks at no value",
		`value.a == a`:                `"a" is not known`,
		`value.a + 1 == 2`:            "the operator + is not supported",
		`value.a == 1 == true`:        "a condition can't be compared",
		`value.a[0] == 1`:             "list indexes, computed fields and ?. are not supported",
		`value[value.b] == 1`:         "list indexes",
		`value.a?.b == 1`:             "?. (an absent field is nil anyhow) is not supported",
		`len(value.a) == 1`:           "a function is not supported",
		`value.a.b() == 1`:            "a function is not supported",
		`value.a matches "x"`:         "the operator matches is not supported",
		`value.a contains "x"`:        "the operator contains is not supported",
		`value.a in 1..3`:             "the right side of in must be a list of constants",
		`value.a in []`:               "the right side of in must be a list of constants",
		`value.a in [value.b]`:        "a list holds constants only",
		`1 in [1]`:                    "the left side of in must be a path",
		`value.a == [1]`:              "a list outside of in is not supported",
		`(value.a ?? 1) == 1`:         "the operator ?? is not supported",
		`value.a == 1 ? true : true`:  "a choice is not supported",
		`let x = 1; value.a == x`:     "more than one expression is not supported",
		`value.a == 1; value.b == 2`:  "more than one expression is not supported",
		`value.a < nil`:               "< with true, false or nil is never true",
		`value.a == 0x10`:             `the number "0x10" is not decimal`,
		`value.a == 1e999`:            "invalid float literal",
		`value.a ==`:                  "unexpected token EOF",
		`value.a == "open`:            "literal not terminated",
		`value.a == -value.b`:         "the operator - is not supported",
		`value.a = 1`:                 "unexpected token",
		`value.a == b"x"`:             "this is not supported",
		strings.Repeat("(", 20000):    "records.where has 20000 bytes, more than 16384",
		strings.Repeat("(", 9000):     "unexpected token EOF",
		deep(40):                      "a path has at most 32 steps of 1 to 255 bytes",
		`value.a0 == 1` + manyPaths(): "records.where looks at 18 values, more than 16",
	} {
		text := "records: {event_time: none, where: " + quoted(text) + "}"
		source := bytes.Replace(minimal, []byte("records: {event_time: none}"), []byte(text), 1)
		_, err := Compile("f", source, nil, nil)
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, "1:16: ")) {
			t.Errorf("%.60s: got %v, want %s", text, err, want)
		}
	}
}

func deep(n int) string { return "value" + strings.Repeat(".a", n) + " == 1" }

func manyPaths() string {
	var b strings.Builder
	for i := range 17 {
		fmt.Fprintf(&b, " or value.b%d == 1", i)
	}
	return b.String()
}

// A problem inside the expression is shown where it stands in the file, for
// each way in which YAML writes text on one line.
func TestWherePosition(t *testing.T) {
	for style, want := range map[string]string{
		`value.a == 1 and other == 2`:               "f:4:53: ",
		`'value.a == 1 and other == 2'`:             "f:4:54: ",
		`"value.a == 1 and other == 2"`:             "f:4:54: ",
		`"value.a == \"1\" and other"`:              "f:4:36: records.where: \"other\" is not known (at character 20 of the expression)",
		`'value.ü == ''1'' or other'`:               "f:4:36: ",
		"\n    value.ü == 1\n    and other == 2\n ": "f:5:5: ",
	} {
		source := bytes.Replace(minimal, []byte("records: {event_time: none}"), []byte("records: {event_time: none, where: "+style+"}"), 1)
		_, err := Compile("f", source, nil, nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s…", style, err, want)
		}
	}
}

func TestLooked(t *testing.T) {
	w := filter(t, `value.a == 1 and value.b == 2 and value.c == 3 and value.d == 4`)
	long := strings.Repeat("é", 40)
	for record, want := range map[string]string{
		`{"a": "payment.settled", "b": 1.50, "c": true}`: "payment.settled | 1.50 | true | (absent)",
		`{"a": null, "b": {}, "c": [], "d": ""}`:         "(null) | (container) | (container) | ",
		`{"a": "tab\there", "b": "a|b", "c": "\u0085"}`:  "tab?here | a?b | ? | (absent)",
		`{"a": "` + long + `"}`:                          long[:60] + "… | (absent) | (absent) | (absent)",
		`{"a": "` + strings.Repeat("x", 64) + `"}`:       strings.Repeat("x", 64) + " | (absent) | (absent) | (absent)",
	} {
		if got := string(w.Looked(scalars(t, record, w.Paths))); got != want {
			t.Errorf("%s shows as %q, want %q", record, got, want)
		}
	}
}

func TestWhereDoesNotAllocate(t *testing.T) {
	w := filter(t, `value.type in ["payment.settled", "payment.reversed"] and value.n > 3.5 and not (value.x == nil)`)
	v := scalars(t, `{"type": "payment.reversed", "n": 12.75e0, "x": 1}`, w.Paths)
	buffer := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		if !w.Match(v) {
			t.Error("the record does not match")
		}
		buffer = w.AppendLooked(buffer[:0], v)
	}); n != 0 {
		t.Errorf("a record costs %v allocations, want none", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	w := filter(b, `value.type in ["payment.settled", "payment.reversed"] and value.n > 3`)
	v := scalars(b, `{"type": "payment.reversed", "n": 12.75}`, w.Paths)
	b.ReportAllocs()
	for b.Loop() {
		w.Match(v)
	}
}

// node is an expression that the oracle evaluates on decoded JSON.
type node struct {
	text string
	eval func(record map[string]any) bool
}

var (
	genField  = rapid.SampledFrom([]string{"a", "b", "c"})
	genNumber = rapid.SampledFrom([]string{"0", "-0", "1", "1.0", "10e-1", "-1", "100", "1e2", "0.1", "1.01", "1E+2", "123456789012345678901234567890", "1e-30", "-2.5"})
	genText   = rapid.SampledFrom([]string{`""`, `"a"`, `"b"`, `"1"`, `"true"`, `"é"`})
	genOther  = rapid.SampledFrom([]string{"nil", "true", "false"})
)

func genConstant(t *rapid.T) string {
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		if n := genNumber.Draw(t, "number"); !strings.HasPrefix(n, "1234") {
			return n
		}
		return "7" // the parser takes no whole number past 64 bits
	case 1:
		return genText.Draw(t, "text")
	}
	return genOther.Draw(t, "other")
}

// oracle reads a constant or field into Go's own values.
func oracle(text string, record map[string]any) any {
	if field, ok := strings.CutPrefix(text, "value."); ok {
		return record[field]
	}
	if text == "nil" {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

func same(a, b any) bool {
	x, isX := a.(json.Number)
	y, isY := b.(json.Number)
	if isX && isY {
		return rat(x).Cmp(rat(y)) == 0
	}
	if reflect.TypeOf(a) != reflect.TypeOf(b) || a != nil && !reflect.TypeOf(a).Comparable() {
		return false
	}
	return a == b
}

func rat(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		panic(n)
	}
	return r
}

func genComparison(t *rapid.T) node {
	left := "value." + genField.Draw(t, "field")
	right := genConstant(t)
	if rapid.Bool().Draw(t, "two fields") {
		right = "value." + genField.Draw(t, "other field")
	}
	op := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">=", "in", "not in"}).Draw(t, "op")
	switch op {
	case "in", "not in":
		list := []string{genConstant(t), genConstant(t)}
		return node{left + " " + op + " [" + strings.Join(list, ", ") + "]", func(r map[string]any) bool {
			found := slices.ContainsFunc(list, func(one string) bool { return same(oracle(left, r), oracle(one, r)) })
			return found == (op == "in")
		}}
	case "==", "!=":
		return node{left + " " + op + " " + right, func(r map[string]any) bool {
			return same(oracle(left, r), oracle(right, r)) == (op == "==")
		}}
	}
	if slices.Contains([]string{"nil", "true", "false"}, right) {
		right = "0"
	}
	return node{left + " " + op + " " + right, func(r map[string]any) bool { return order(op, oracle(left, r), oracle(right, r)) }}
}

func order(op string, a, b any) bool {
	var c int
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		if !ok {
			return false
		}
		c = rat(x).Cmp(rat(y))
	case string:
		y, ok := b.(string)
		if !ok {
			return false
		}
		c = strings.Compare(x, y)
	default:
		return false
	}
	return map[string]bool{"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op]
}

func genNode(t *rapid.T, depth int) node {
	if depth == 0 || rapid.IntRange(0, 2).Draw(t, "leaf") == 0 {
		return genComparison(t)
	}
	left := genNode(t, depth-1)
	switch rapid.SampledFrom([]string{"and", "or", "not"}).Draw(t, "join") {
	case "not":
		return node{"not (" + left.text + ")", func(r map[string]any) bool { return !left.eval(r) }}
	case "and":
		right := genNode(t, depth-1)
		return node{"(" + left.text + ") and (" + right.text + ")", func(r map[string]any) bool { return left.eval(r) && right.eval(r) }}
	}
	right := genNode(t, depth-1)
	return node{"(" + left.text + ") or (" + right.text + ")", func(r map[string]any) bool { return left.eval(r) || right.eval(r) }}
}

// Any expression gives what a slow evaluator over decoded JSON gives.
func TestWhereAgainstOracle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := genNode(rt, 3)
		w := filter(t, n.text)
		for range 4 {
			fields := []string{}
			for _, name := range []string{"a", "b", "c"} {
				value := rapid.OneOf(genNumber, genText, rapid.SampledFrom([]string{"null", "true", "false", "[]", `{"a":1}`, ""})).Draw(rt, name)
				if value != "" {
					fields = append(fields, quoted(name)+":"+value)
				}
			}
			record := "{" + strings.Join(fields, ",") + "}"
			var decoded map[string]any
			decoder := json.NewDecoder(strings.NewReader(record))
			decoder.UseNumber()
			if err := decoder.Decode(&decoded); err != nil {
				rt.Fatal(err)
			}
			if got, want := w.Match(scalars(t, record, w.Paths)), n.eval(decoded); got != want {
				rt.Fatalf("%s of %s is %t, want %t", n.text, record, got, want)
			}
		}
	})
}

// Numbers compare as exact rationals do.
func TestCompareNumbersAgainstOracle(t *testing.T) {
	gen := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?`)
	rapid.Check(t, func(rt *rapid.T) {
		a, b := gen.Draw(rt, "a"), gen.Draw(rt, "b")
		want := rat(json.Number(a)).Cmp(rat(json.Number(b)))
		if got := compareNumbers([]byte(a), []byte(b)); sign(got) != want {
			rt.Fatalf("%s against %s is %d, want %d", a, b, got, want)
		}
	})
}

func sign(n int) int { return max(-1, min(1, n)) }

func TestCompareFarExponents(t *testing.T) {
	ascending := []string{"-1e99999999999999999999", "-1e400", "-1", "-1e-400", "0e99999999999999999999", "1e-99999999999999999999", "1e-400", "0.1", "1", "1e400", "1e99999999999999999999"}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := compareNumbers([]byte(a), []byte(b)); sign(got) != sign(i-j) {
				t.Errorf("%s against %s is %d", a, b, got)
			}
		}
	}
}
