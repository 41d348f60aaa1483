package canon

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dgryski/go-farm"
	"pgregory.net/rapid"

	"backfill/internal/schema"
)

func TestSQLOfEachType(t *testing.T) {
	tests := []struct {
		typ  schema.Type
		form Form
		want string // the expression instead of NULL, of a column c
	}{
		{schema.Type{Kind: schema.Smallint}, Stage, `"c"::VARCHAR`},
		{schema.Type{Kind: schema.Integer}, Table, `"c"::VARCHAR`},
		{schema.Type{Kind: schema.Bigint}, Inserted, `"c"::VARCHAR`},
		{schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}, Stage, `"c"::VARCHAR`},
		{schema.Type{Kind: schema.Decimal, Precision: 38, Scale: 2}, Stage, `"c"::VARCHAR`},
		{schema.Type{Kind: schema.Boolean}, Stage, `CASE WHEN "c" THEN 't' ELSE 'f' END`},
		{schema.Type{Kind: schema.Date}, Stage, `DATEDIFF(day, DATE '1970-01-01', "c")::VARCHAR`},
		{schema.Type{Kind: schema.Timestamp}, Stage, `DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', "c")::VARCHAR`},
		{schema.Type{Kind: schema.Char, Length: 300}, Stage, `OCTET_LENGTH(RTRIM("c"::VARCHAR(300)))::VARCHAR || ':' || RTRIM("c"::VARCHAR(300))`},
		{schema.Type{Kind: schema.Varchar, Length: 256}, Stage, `OCTET_LENGTH("c")::VARCHAR || ':' || "c"`},
		{schema.Type{Kind: schema.Varchar, Length: 257}, Stage, `OCTET_LENGTH("c")::VARCHAR || '#' || FARMFINGERPRINT64("c")::VARCHAR`},
		{schema.Type{Kind: schema.Super}, Stage, `OCTET_LENGTH("c")::VARCHAR || '#' || FARMFINGERPRINT64("c")::VARCHAR`},
		{schema.Type{Kind: schema.Super}, Table, `OCTET_LENGTH(JSON_SERIALIZE("c"))::VARCHAR || '#' || FARMFINGERPRINT64(JSON_SERIALIZE("c"))::VARCHAR`},
	}
	for _, tt := range tests {
		text := mustNew(t, []schema.Column{col("c", tt.typ)})
		want := `CASE WHEN "c" IS NULL THEN '~' ELSE ` + tt.want + ` END || '|'`
		one, two := text.SQL("", tt.form)
		if one != "FARMFINGERPRINT64("+want+")" || two != "FARMFINGERPRINT64('#' || "+want+")" {
			t.Errorf("%s: lanes\n%s\n%s\nwant\n%s", tt.typ, one, two, want)
		}
	}
	one, _ := mustNew(t, []schema.Column{col("c", schema.Type{Kind: schema.Super})}).SQL("s", Inserted)
	want := `FARMFINGERPRINT64(CASE WHEN JSON_PARSE(s."c") IS NULL THEN '~' ELSE OCTET_LENGTH(JSON_SERIALIZE(JSON_PARSE(s."c")))::VARCHAR || '#' || FARMFINGERPRINT64(JSON_SERIALIZE(JSON_PARSE(s."c")))::VARCHAR END || '|')`
	if one != want {
		t.Errorf("inserted super: %s\nwant %s", one, want)
	}
}

var update = flag.Bool("update", false, "write the golden files")

func TestSQLGolden(t *testing.T) {
	cols := everyType()
	for name, text := range map[string]*Text{"row": mustNew(t, cols), "groups": mustNew(t, wideColumns(9))} {
		one, two := text.SQL("s", Inserted)
		got := one + "\n\n" + two + "\n\n" + text.BucketSQL("", Table, 64) + "\n"
		file := filepath.Join("testdata", name+".sql")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; got\n%s", file, got)
		}
	}
}

func TestBucketSQLWithoutBuckets(t *testing.T) {
	text := mustNew(t, everyType())
	for _, n := range []int{0, 1} {
		if got := text.BucketSQL("s", Stage, n); got != "0" {
			t.Errorf("%d buckets: %s", n, got)
		}
	}
}

func TestNamesAreQuoted(t *testing.T) {
	one, _ := mustNew(t, []schema.Column{col(`a"b`, schema.Type{Kind: schema.Integer})}).SQL("s", Stage)
	if !strings.Contains(one, `s."a""b"::VARCHAR`) {
		t.Error(one)
	}
}

// TestSQLHasOnlyAgreedWords keeps the SQL within what every engine that runs
// it must know, and free of the escapes that Redshift sees in literals.
func TestSQLHasOnlyAgreedWords(t *testing.T) {
	agreed := map[string]bool{}
	for word := range strings.FieldsSeq(`CASE WHEN IS NULL THEN ELSE END VARCHAR OCTET_LENGTH RTRIM DATEDIFF DATE TIMESTAMP
		FARMFINGERPRINT64 MOD JSON_PARSE JSON_SERIALIZE day microsecond s t f`) {
		agreed[word] = true
	}
	for _, f := range []Form{Stage, Inserted, Table} {
		one, two := mustNew(t, everyType()).SQL("s", f)
		if strings.Contains(one+two, `\`) {
			t.Errorf("a backslash in %s", one)
		}
		for _, token := range tokens(one + " " + two) {
			if token[0] >= 'A' && token[0] != '_' && token[0] != '|' && !agreed[token] {
				t.Errorf("%s is not agreed", token)
			}
		}
	}
}

// TestSQLEqualsGo runs the SQL with the meaning that Redshift documents for its
// functions, over the same values as Go.
func TestSQLEqualsGo(t *testing.T) {
	for name, cols := range map[string][]schema.Column{"row": everyType(), "groups": append(wideColumns(9), everyType()...)} {
		t.Run(name, func(t *testing.T) {
			text := mustNew(t, cols)
			one, two := text.SQL("s", Stage)
			bucket := text.BucketSQL("s", Stage, 31)
			rapid.Check(t, func(rt *rapid.T) {
				row := drawRow(rt, cols)
				b := batchOf(cols, row)
				var buf Buffer
				lane1, lane2 := text.Lanes(b, 0, &buf)
				e := engine{cols: cols, row: row}
				if got := e.run(one); got != lane1 {
					rt.Fatalf("lane 1 is %d in Go, %v in SQL", lane1, got)
				}
				if got := e.run(two); got != lane2 {
					rt.Fatalf("lane 2 is %d in Go, %v in SQL", lane2, got)
				}
				if got := e.run(bucket); got != int64(text.Bucket(b, 0, 31, &buf)) {
					rt.Fatalf("bucket is %d in Go, %v in SQL", text.Bucket(b, 0, 31, &buf), got)
				}
			})
		})
	}
}

func TestInsertedEqualsTable(t *testing.T) {
	cols := []schema.Column{col("id", schema.Type{Kind: schema.Integer}), col("details", schema.Type{Kind: schema.Super})}
	text := mustNew(t, cols)
	inserted, _ := text.SQL("s", Inserted)
	table, _ := text.SQL("t", Table)
	for _, raw := range []any{nil, "null", ` { "b" : 1,"a":[ 1 , null]} `, `"ü"`, "{}", "12"} {
		stage := engine{cols: cols, row: []any{int64(1), raw}}
		var parsed any
		if raw != nil {
			parsed = parse(raw.(string))
		}
		target := engine{cols: cols, row: []any{int64(1), parsed}}
		if a, b := stage.run(inserted), target.run(table); a != b {
			t.Errorf("%v: inserted %v, table %v", raw, a, b)
		}
	}
}

// super is a parsed JSON value; null is NULL, which is the harder case.
type super string

func parse(raw string) super {
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		panic(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return super(out)
}

// number is a DECIMAL, as its text.
type number string

// engine evaluates the expressions of this package, and nothing else, over one
// row with the meaning that Redshift documents. It shares no code with them.
type engine struct {
	cols   []schema.Column
	row    []any
	tokens []string
}

func (e *engine) run(sql string) any {
	e.tokens = tokens(sql)
	v := e.concat()
	if len(e.tokens) != 0 {
		panic("left over: " + strings.Join(e.tokens, " "))
	}
	return v
}

// tokens splits SQL into literals with their quotes, names, words and signs.
func tokens(sql string) []string {
	var list []string
	for i := 0; i < len(sql); {
		start := i
		switch c := sql[i]; {
		case c == ' ':
			i++
			continue
		case c == '\'' || c == '"':
			for i++; sql[i] != c; i++ {
			}
			i++
		case strings.HasPrefix(sql[i:], "||"), strings.HasPrefix(sql[i:], "::"):
			i += 2
		case strings.ContainsRune("(),.", rune(c)):
			i++
		default:
			for i < len(sql) && !strings.ContainsRune(" '\"|:(),.", rune(sql[i])) {
				i++
			}
		}
		list = append(list, sql[start:i])
	}
	return list
}

func (e *engine) next() string {
	token := e.tokens[0]
	e.tokens = e.tokens[1:]
	return token
}

func (e *engine) peek(want string) bool { return len(e.tokens) > 0 && e.tokens[0] == want }

func (e *engine) expect(want string) {
	if got := e.next(); got != want {
		panic("got " + got + ", want " + want)
	}
}

func (e *engine) concat() any {
	v := e.cast()
	for e.peek("||") {
		e.next()
		w := e.cast()
		if v == nil || w == nil {
			v = nil
			continue
		}
		v = v.(string) + w.(string)
	}
	return v
}

func (e *engine) cast() any {
	v := e.primary()
	for e.peek("::") {
		e.next()
		e.expect("VARCHAR")
		limit := 256
		if e.peek("(") {
			e.next()
			limit, _ = strconv.Atoi(e.next())
			e.expect(")")
		}
		if v == nil {
			continue
		}
		s := fmt.Sprint(v)
		v = s[:min(len(s), limit)]
	}
	return v
}

func (e *engine) primary() any {
	token := e.next()
	switch {
	case token[0] == '\'':
		return token[1 : len(token)-1]
	case token[0] == '"':
		return e.column(token[1 : len(token)-1])
	case token == "s" || token == "t":
		e.expect(".")
		return e.primary()
	case token == "CASE":
		return e.choice()
	case token == "DATE" || token == "TIMESTAMP":
		if epoch := e.next(); !strings.HasPrefix(epoch, "'1970-01-01") {
			panic(epoch)
		}
		return int64(0)
	case e.peek("("):
		return e.call(token)
	}
	if n, err := strconv.ParseInt(token, 10, 64); err == nil {
		return n
	}
	return token
}

func (e *engine) choice() any {
	e.expect("WHEN")
	condition := e.concat()
	if e.peek("IS") {
		e.next()
		e.expect("NULL")
		condition = condition == nil || condition == super("null")
	}
	e.expect("THEN")
	yes := e.concat()
	e.expect("ELSE")
	no := e.concat()
	e.expect("END")
	if condition == true {
		return yes
	}
	return no
}

func (e *engine) call(name string) any {
	var args []any
	for e.expect("("); ; e.expect(",") {
		args = append(args, e.concat())
		if e.peek(")") {
			e.next()
			break
		}
	}
	last := args[len(args)-1]
	if last == nil {
		return nil
	}
	switch name {
	case "OCTET_LENGTH":
		return int64(len(last.(string)))
	case "RTRIM":
		return strings.TrimRight(last.(string), " ")
	case "DATEDIFF":
		return last.(int64) - args[1].(int64)
	case "FARMFINGERPRINT64":
		return int64(farm.Fingerprint64([]byte(last.(string))))
	case "MOD":
		return args[0].(int64) % last.(int64)
	case "JSON_PARSE":
		return parse(last.(string))
	case "JSON_SERIALIZE":
		return string(last.(super))
	}
	panic("no function " + name)
}

// column gives a value as the engine's type: CHAR blank-padded, DECIMAL with
// all digits of its scale.
func (e *engine) column(name string) any {
	for i, c := range e.cols {
		if c.Name != name {
			continue
		}
		v := e.row[i]
		switch {
		case v == nil:
			return nil
		case c.Type.Kind == schema.Char:
			return fmt.Sprintf("%-*s", c.Type.Length, v)
		case c.Type.Kind == schema.Boolean:
			return v.(int64) == 1
		case c.Type.Kind == schema.Decimal:
			n, ok := v.(*big.Int)
			if !ok {
				n = big.NewInt(v.(int64))
			}
			scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Type.Scale)), nil)
			return number(new(big.Rat).SetFrac(n, scale).FloatString(c.Type.Scale))
		}
		return v
	}
	panic("no column " + name)
}
