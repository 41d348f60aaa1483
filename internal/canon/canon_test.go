package canon

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/dgryski/go-farm"
	"pgregory.net/rapid"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

func col(name string, t schema.Type) schema.Column { return schema.Column{Name: name, Type: t} }

// everyType is a column of each kind of canonical text.
func everyType() []schema.Column {
	return []schema.Column{
		col("small", schema.Type{Kind: schema.Smallint}),
		col("int", schema.Type{Kind: schema.Integer}),
		col("big", schema.Type{Kind: schema.Bigint}),
		col("d5", schema.Type{Kind: schema.Decimal, Precision: 5}),
		col("d18", schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}),
		col("d18all", schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 18}),
		col("d19", schema.Type{Kind: schema.Decimal, Precision: 19, Scale: 0}),
		col("d38", schema.Type{Kind: schema.Decimal, Precision: 38, Scale: 37}),
		col("flag", schema.Type{Kind: schema.Boolean}),
		col("day", schema.Type{Kind: schema.Date}),
		col("at", schema.Type{Kind: schema.Timestamp}),
		col("code", schema.Type{Kind: schema.Char, Length: 3}),
		col("name", schema.Type{Kind: schema.Varchar, Length: 256}),
		col("note", schema.Type{Kind: schema.Varchar, Length: 257}),
		col("details", schema.Type{Kind: schema.Super}),
	}
}

func all(cols []schema.Column) []int {
	list := make([]int, len(cols))
	for i := range list {
		list[i] = i
	}
	return list
}

func mustNew(t testing.TB, cols []schema.Column) *Text {
	t.Helper()
	text, err := New(cols, all(cols))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// set puts nil, an int64, a big integer or a string into a cell.
func set(v *columns.Vector, row int, value any) {
	v.Null[row] = value == nil
	switch value := value.(type) {
	case int64:
		v.I[row] = value
	case *big.Int:
		v.S[row] = wide(value)
	case string:
		v.S[row] = []byte(value)
	}
}

// wide returns 16 bytes of big-endian two's complement.
func wide(n *big.Int) []byte {
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return n.FillBytes(make([]byte, 16))
}

func batchOf(cols []schema.Column, rows ...[]any) *columns.Batch {
	b := columns.NewBatch(cols)
	b.N = len(rows)
	for row, values := range rows {
		for i, v := range values {
			set(&b.Cols[i], row, v)
		}
	}
	return b
}

// rowText returns the canonical text of a row.
func rowText(t *Text, b *columns.Batch, row int) string {
	return string(t.appendRow(nil, b, row, new(Buffer)))
}

func TestTextOfEachType(t *testing.T) {
	ten37 := new(big.Int).Exp(big.NewInt(10), big.NewInt(37), nil)
	decimal := func(p, s int) schema.Type { return schema.Type{Kind: schema.Decimal, Precision: p, Scale: s} }
	varchar := func(n int) schema.Type { return schema.Type{Kind: schema.Varchar, Length: n} }
	char := func(n int) schema.Type { return schema.Type{Kind: schema.Char, Length: n} }
	tests := []struct {
		typ   schema.Type
		value any
		want  string
	}{
		{schema.Type{Kind: schema.Smallint}, int64(-32768), "-32768|"},
		{schema.Type{Kind: schema.Integer}, int64(0), "0|"},
		{schema.Type{Kind: schema.Bigint}, int64(math.MinInt64), "-9223372036854775808|"},
		{schema.Type{Kind: schema.Bigint}, nil, "~|"},
		{decimal(18, 2), int64(-5), "-0.05|"},
		{decimal(18, 2), int64(1250), "12.50|"},
		{decimal(18, 2), int64(0), "0.00|"},
		{decimal(18, 2), int64(-999999999999999999), "-9999999999999999.99|"},
		{decimal(18, 18), int64(1), "0.000000000000000001|"},
		{decimal(18, 0), int64(-7), "-7|"},
		{decimal(19, 2), big.NewInt(-5), "-0.05|"},
		{decimal(38, 0), new(big.Int).Neg(ten37), "-1" + strings.Repeat("0", 37) + "|"},
		{decimal(38, 37), new(big.Int).Sub(ten37, big.NewInt(1)), "0." + strings.Repeat("9", 37) + "|"},
		{decimal(38, 10), new(big.Int).Lsh(big.NewInt(1), 64), "1844674407.3709551616|"},
		{schema.Type{Kind: schema.Boolean}, int64(1), "t|"},
		{schema.Type{Kind: schema.Boolean}, int64(0), "f|"},
		{schema.Type{Kind: schema.Date}, int64(-1), "-1|"},
		{schema.Type{Kind: schema.Timestamp}, int64(1717200000000001), "1717200000000001|"},
		{char(5), "ab  ", "2:ab|"},
		{char(5), "     ", "0:|"},
		{char(5), "a\t ", "2:a\t|"},
		{varchar(256), "", "0:|"},
		{varchar(256), "~", "1:~|"},
		{varchar(256), nil, "~|"},
		{varchar(256), "ü| ", "4:ü| |"},
		{varchar(257), "", "0#-7286425919675154353|"},
		{varchar(65535), "Amazon Redshift", "15#8085098817162212970|"},
		{schema.Type{Kind: schema.Super}, `{}`, "2#7028916702750116725|"},
		{schema.Type{Kind: schema.Super}, nil, "~|"},
	}
	for _, tt := range tests {
		cols := []schema.Column{col("c", tt.typ)}
		if got := rowText(mustNew(t, cols), batchOf(cols, []any{tt.value}), 0); got != tt.want {
			t.Errorf("%s of %v is %q, want %q", tt.typ, tt.value, got, tt.want)
		}
	}
}

// TestFingerprint fixes the hash by the one value that AWS documents: a group of
// text that is "Amazon Redshift" has no column form, so the lanes are asked.
func TestFingerprint(t *testing.T) {
	if one, _ := lanes([]byte("#Amazon Redshift")); one != 8085098817162212970 {
		t.Errorf("FARMFINGERPRINT64('Amazon Redshift') = %d", one)
	}
	one, two := lanes([]byte("#a"))
	if hash, _ := lanes([]byte("##a")); two != hash || one == two {
		t.Errorf("lane 2 %d is not lane 1 of the marked text %d", two, hash)
	}
}

// naive is the canonical text written from its description alone.
func naive(c schema.Column, value any) string {
	if value == nil {
		return "~|"
	}
	whole := func(s string) string { return fmt.Sprintf("%d:%s|", len(s), s) }
	switch c.Type.Kind {
	case schema.Decimal:
		n, ok := value.(*big.Int)
		if !ok {
			n = big.NewInt(value.(int64))
		}
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Type.Scale)), nil)
		return new(big.Rat).SetFrac(n, scale).FloatString(c.Type.Scale) + "|"
	case schema.Boolean:
		return map[int64]string{0: "f|", 1: "t|"}[value.(int64)]
	case schema.Char:
		return whole(strings.TrimRight(value.(string), " "))
	case schema.Varchar, schema.Super:
		s := value.(string)
		if c.Type.Kind == schema.Varchar && c.Type.Length <= 256 {
			return whole(s)
		}
		return fmt.Sprintf("%d#%d|", len(s), int64(farm.Fingerprint64([]byte(s))))
	}
	return fmt.Sprintf("%d|", value)
}

// drawValue draws a value of the column's type, often a telling one.
func drawValue(t *rapid.T, c schema.Column) any {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return nil
	}
	switch c.Type.Kind {
	case schema.Smallint:
		return int64(rapid.Int16().Draw(t, c.Name))
	case schema.Integer, schema.Date:
		return int64(rapid.Int32().Draw(t, c.Name))
	case schema.Boolean:
		return int64(rapid.IntRange(0, 1).Draw(t, c.Name))
	case schema.Decimal:
		digits := rapid.StringMatching(fmt.Sprintf(`-?[0-9]{1,%d}`, c.Type.Precision)).Draw(t, c.Name)
		n, _ := new(big.Int).SetString(digits, 10)
		if c.Type.Shape() == schema.Int {
			return n.Int64()
		}
		return n
	case schema.Bigint, schema.Timestamp:
		return rapid.Int64().Draw(t, c.Name)
	case schema.Char:
		return rapid.StringMatching(fmt.Sprintf(`[ a|~:0]{0,%d}`, min(c.Type.Length, 60))).Draw(t, c.Name)
	}
	return rapid.OneOf(rapid.StringMatching(`[ |~:#0-9]{0,9}`), rapid.StringN(0, 60, 240)).Draw(t, c.Name)
}

func drawRow(t *rapid.T, cols []schema.Column) []any {
	row := make([]any, len(cols))
	for i, c := range cols {
		row[i] = drawValue(t, c)
	}
	return row
}

func TestTextEqualsItsDescription(t *testing.T) {
	cols := everyType()
	text := mustNew(t, cols)
	rapid.Check(t, func(rt *rapid.T) {
		row := drawRow(rt, cols)
		var want strings.Builder
		for i, c := range cols {
			want.WriteString(naive(c, row[i]))
		}
		b := batchOf(cols, row)
		if got := rowText(text, b, 0); got != want.String() {
			rt.Fatalf("text %q, want %q", got, want.String())
		}
		var buf Buffer
		one, two := text.Lanes(b, 0, &buf)
		wantOne, wantTwo := lanes([]byte("#" + want.String()))
		if one != wantOne || two != wantTwo {
			rt.Fatalf("lanes %d %d, want %d %d", one, two, wantOne, wantTwo)
		}
		if n := rapid.IntRange(2, math.MaxInt32).Draw(rt, "n"); int64(text.Bucket(b, 0, n, &buf)) != wantOne%int64(n) {
			rt.Fatalf("bucket of %d by %d is %d", wantOne, n, text.Bucket(b, 0, n, &buf))
		}
	})
}

// value makes values comparable: CHAR's padding is no part of its value.
func value(c schema.Column, v any) string {
	if s, ok := v.(string); ok && c.Type.Kind == schema.Char {
		v = strings.TrimRight(s, " ")
	}
	if v == nil {
		return "NULL"
	}
	return fmt.Sprintf("%T %v", v, v)
}

func TestDifferentRowsHaveDifferentTexts(t *testing.T) {
	cols := []schema.Column{
		col("a", schema.Type{Kind: schema.Varchar, Length: 9}),
		col("b", schema.Type{Kind: schema.Char, Length: 4}),
		col("c", schema.Type{Kind: schema.Integer}),
		col("d", schema.Type{Kind: schema.Varchar, Length: 999}),
		col("e", schema.Type{Kind: schema.Decimal, Precision: 4, Scale: 2}),
		col("f", schema.Type{Kind: schema.Varchar, Length: 9}),
	}
	text := mustNew(t, cols)
	rapid.Check(t, func(rt *rapid.T) {
		x, y := drawRow(rt, cols), drawRow(rt, cols)
		same := rapid.SliceOfN(rapid.Bool(), len(cols), len(cols)).Draw(rt, "same")
		equal := true
		for i, c := range cols {
			if same[i] {
				y[i] = x[i]
			}
			equal = equal && value(c, x[i]) == value(c, y[i])
		}
		b := batchOf(cols, x, y)
		if got := rowText(text, b, 0) == rowText(text, b, 1); got != equal {
			rt.Fatalf("equal rows: %t, equal texts: %t: %q %q", equal, got, rowText(text, b, 0), rowText(text, b, 1))
		}
	})
}

func TestTextsThatLookAlike(t *testing.T) {
	cols := []schema.Column{
		col("a", schema.Type{Kind: schema.Varchar, Length: 20}),
		col("b", schema.Type{Kind: schema.Varchar, Length: 20}),
	}
	rows := [][]any{
		{nil, nil}, {nil, ""}, {"", nil}, {"", ""}, {"~", nil}, {"~", "~"}, {"~|~|", nil},
		{"a", "b"}, {"a|1:b", ""}, {"a|", "b"}, {"ab", ""}, {" ", ""}, {"  ", ""}, {"0:", ""},
	}
	text := mustNew(t, cols)
	b := batchOf(cols, rows...)
	seen := map[int64]int{}
	var buf Buffer
	for row := range rows {
		one, two := text.Lanes(b, row, &buf)
		for _, lane := range []int64{one, two} {
			if other, ok := seen[lane]; ok {
				t.Errorf("%v and %v share a lane", rows[row], rows[other])
			}
			seen[lane] = row
		}
	}
}

func TestOrderAndChoiceOfColumns(t *testing.T) {
	cols := everyType()[:3]
	text, err := New(cols, []int{2, 0})
	if err != nil {
		t.Fatal(err)
	}
	if got := rowText(text, batchOf(cols, []any{int64(1), int64(2), int64(3)}), 0); got != "3|1|" {
		t.Errorf("text %q", got)
	}
}

// wideColumns need several groups: each takes 4,102 bytes with its end.
func wideColumns(n int) []schema.Column {
	var cols []schema.Column
	for i := range n {
		cols = append(cols, col(fmt.Sprintf("c%02d", i), schema.Type{Kind: schema.Char, Length: 4096}))
	}
	return cols
}

func TestWideRowsAreGrouped(t *testing.T) {
	cols := wideColumns(16)
	text := mustNew(t, cols)
	var sizes []int
	for _, g := range text.groups {
		sizes = append(sizes, len(g))
	}
	if fmt.Sprint(sizes) != "[7 7 2]" {
		t.Errorf("groups of %v columns", sizes)
	}
	row := make([]any, len(cols))
	for i := range row {
		row[i] = strings.Repeat(string(rune('a'+i)), 4096)
	}
	b := batchOf(cols, row)
	var want bytes.Buffer
	for _, g := range [][2]int{{0, 7}, {7, 14}, {14, 16}} {
		var group string
		for i := g[0]; i < g[1]; i++ {
			group += naive(cols[i], row[i])
		}
		one, two := lanes([]byte("#" + group))
		fmt.Fprintf(&want, "%d|%d|", one, two)
	}
	if got := rowText(text, b, 0); got != want.String() {
		t.Errorf("text %q, want %q", got, want.String())
	}
	for i := range row {
		var buf Buffer
		one, two := text.Lanes(b, 0, &buf)
		b.Cols[i].S[0][4095]++
		if a, z := text.Lanes(b, 0, &buf); a == one || z == two {
			t.Errorf("a change in column %d does not show", i)
		}
	}
}

// TestWidthHolds fills every type to its limits: no text may be longer than
// the width that groups are cut by.
func TestWidthHolds(t *testing.T) {
	ten38 := new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)
	for _, c := range append(everyType(), wideColumns(1)...) {
		r, _ := ruleOf(c.Type)
		extremes := []any{int64(math.MinInt64)}
		switch {
		case c.Type.Kind == schema.Smallint:
			extremes = []any{int64(math.MinInt16)}
		case c.Type.Kind == schema.Integer:
			extremes = []any{int64(math.MinInt32)}
		case c.Type.Kind == schema.Decimal && c.Type.Precision == 38:
			extremes = []any{new(big.Int).Sub(big.NewInt(1), ten38)}
		case c.Type.Kind == schema.Decimal:
			n := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Type.Precision)), nil)
			n.Sub(big.NewInt(1), n)
			if extremes = []any{n.Int64()}; c.Type.Shape() == schema.Wide {
				extremes = []any{n}
			}
		case c.Type.Kind == schema.Super:
			extremes = []any{strings.Repeat("x", 16_000_000)}
		case c.Type.Shape() == schema.Bytes:
			extremes = []any{strings.Repeat("x", c.Type.Length), ""}
		}
		for _, v := range extremes {
			b := batchOf([]schema.Column{c}, []any{v})
			got := string(r.text(nil, &b.Cols[0], 0, c.Type))
			if len(got) > r.width(c.Type) {
				t.Errorf("%s: a text of %d bytes, width %d", c.Type, len(got), r.width(c.Type))
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	cols := []schema.Column{col("a", schema.Type{Kind: schema.Integer}), col("odd", schema.Type{})}
	tests := []struct {
		include []int
		want    string
	}{
		{nil, "building a canonical text: no columns"},
		{[]int{0, 2}, "building a canonical text: no column 2 among 2"},
		{[]int{-1}, "building a canonical text: no column -1 among 2"},
		{[]int{0, 0}, "building a canonical text: column a is named twice"},
		{[]int{1}, "building a canonical text: column odd has no canonical text for type unknown"},
	}
	for _, tt := range tests {
		if _, err := New(cols, tt.include); err == nil || err.Error() != tt.want {
			t.Errorf("New(%v) says %v, want %s", tt.include, err, tt.want)
		}
	}
	many := wideColumns(1)
	many = append(many, make([]schema.Column, 8000)...)
	for i := range many {
		many[i] = col(fmt.Sprintf("c%d", i), schema.Type{Kind: schema.Char, Length: 4096})
	}
	if _, err := New(many, all(many)); err == nil || !strings.Contains(err.Error(), "too wide together") {
		t.Errorf("8001 wide columns: %v", err)
	}
}

func TestBucket(t *testing.T) {
	cols := []schema.Column{col("id", schema.Type{Kind: schema.Bigint})}
	text := mustNew(t, cols)
	b := batchOf(cols, []any{int64(1)}, []any{int64(2)}, []any{int64(3)}, []any{int64(4)})
	var buf Buffer
	negative := false
	for row := range b.N {
		for _, n := range []int{-1, 0, 1} {
			if got := text.Bucket(b, row, n, &buf); got != 0 {
				t.Errorf("bucket %d of %d buckets", got, n)
			}
		}
		got := text.Bucket(b, row, 16, &buf)
		if got <= -16 || got >= 16 {
			t.Errorf("bucket %d of 16", got)
		}
		negative = negative || got < 0
	}
	if !negative {
		t.Error("no negative hash kept its sign")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for name, cols := range map[string][]schema.Column{"one group": everyType(), "groups": wideColumns(16)} {
		text := mustNew(t, cols)
		row := make([]any, len(cols))
		for i, c := range cols {
			if row[i] = any("some text"); c.Type.Shape() == schema.Int {
				row[i] = int64(1)
			} else if c.Type.Shape() == schema.Wide {
				row[i] = new(big.Int).Lsh(big.NewInt(1), 100)
			}
		}
		b := batchOf(cols, row)
		var buf Buffer
		text.Lanes(b, 0, &buf)
		if n := testing.AllocsPerRun(100, func() {
			text.Lanes(b, 0, &buf)
			text.Bucket(b, 0, 64, &buf)
		}); n != 0 {
			t.Errorf("%s: %v allocations a row", name, n)
		}
	}
}

func FuzzWideDecimal(f *testing.F) {
	f.Add(uint64(0), uint64(0), uint8(2))
	f.Add(uint64(1), uint64(0), uint8(37))
	f.Add(uint64(math.MaxUint64), uint64(math.MaxUint64), uint8(0))
	f.Add(uint64(1)<<63, uint64(0), uint8(5))
	f.Add(uint64(math.MaxInt64), uint64(math.MaxUint64), uint8(19))
	f.Fuzz(func(t *testing.T, hi, lo uint64, scale uint8) {
		s := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, hi), lo)
		c := col("d", schema.Type{Kind: schema.Decimal, Precision: 38, Scale: int(scale % 38)})
		n := new(big.Int).SetBytes(s)
		if s[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		b := batchOf([]schema.Column{c}, []any{n})
		if got := rowText(mustNew(t, []schema.Column{c}), b, 0); got != naive(c, n) {
			t.Errorf("text %q, want %q", got, naive(c, n))
		}
	})
}

// BenchmarkLanes hashes rows of 15 columns as payroll events have them.
func BenchmarkLanes(b *testing.B) {
	cols := []schema.Column{
		col("event_id", schema.Type{Kind: schema.Varchar, Length: 36}),
		col("employee_id", schema.Type{Kind: schema.Bigint}),
		col("company_id", schema.Type{Kind: schema.Bigint}),
		col("gross", schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}),
		col("net", schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}),
		col("tax", schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}),
		col("bonus", schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}),
		col("currency", schema.Type{Kind: schema.Char, Length: 3}),
		col("pay_run_id", schema.Type{Kind: schema.Varchar, Length: 36}),
		col("type", schema.Type{Kind: schema.Varchar, Length: 32}),
		col("occurred_at", schema.Type{Kind: schema.Timestamp}),
		col("settled_at", schema.Type{Kind: schema.Timestamp}),
		col("pay_day", schema.Type{Kind: schema.Date}),
		col("final", schema.Type{Kind: schema.Boolean}),
		col("country", schema.Type{Kind: schema.Char, Length: 2}),
	}
	row := []any{
		"0190b6a2-3c1f-7d2e-9a44-5b8c2f1e7d90", int64(48151623), int64(42), int64(512345), int64(398012), int64(114333), nil,
		"EUR", "2f1e7d90-3c1f-4d2e-9a44-0190b6a25b8c", "payment.settled", int64(1717200000123456), int64(1717203600000000),
		int64(19875), int64(1), "DE",
	}
	text := mustNew(b, cols)
	batch := batchOf(cols, row)
	var buf Buffer
	b.ReportAllocs()
	for b.Loop() {
		text.Lanes(batch, 0, &buf)
	}
}
