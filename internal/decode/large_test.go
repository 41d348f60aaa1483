package decode

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// A value too long for its super column is handed on with the column NULL,
// where an overflow is declared, and the last of equal keys counts there, too.
func TestLarge(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", schema.MaxVarchar) + `"}`
	super := func(name, overflow string) schema.Column {
		return schema.Column{Name: name, Type: schema.Type{Kind: schema.Super}, Path: []string{"v", name}, Overflow: overflow}
	}
	spec := Spec{Columns: []schema.Column{super("a", "o"), super("b", ""), super("c", "q"),
		{Name: "o", Type: schema.Type{Kind: schema.Varchar, Length: schema.OverflowBytes}}, {Name: "q", Type: schema.Type{Kind: schema.Varchar, Length: schema.OverflowBytes}}}}
	tests := []struct{ record, want string }{
		{`{"v":{"a":1}}`, "1 NULL NULL"},
		{`{"v":{"a":` + long + `}}`, "NULL NULL NULL 0:65543"},
		{`{"v":{"c":` + long + `,"a":` + long + ` }}`, "NULL NULL NULL 2:65543 0:65543"},
		{`{"v":{"a":` + long + `,"a":2}}`, "2 NULL NULL"},
		{`{"v":{"a":2,"a":` + long + `}}`, "NULL NULL NULL 0:65543"},
		{`{"v":{"a":` + long + `},"v":{"b":3}}`, "NULL 3 NULL"},
		{`{"v":{"a":` + long + `,"a":null}}`, "NULL NULL NULL"},
		{`{"v":{"a":4}}`, "4 NULL NULL"}, // nothing is left of the records before
		{`{"v":{"b":` + long + `}}`, "reject 1 too_long_value"},
	}
	p, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	s, b := p.NewScanner(Limits{}), columns.NewBatch(spec.Columns)
	var input strings.Builder
	for _, test := range tests {
		input.WriteString(test.record + "\n")
	}
	s.Reset(strings.NewReader(input.String()))
	n := 0
	for err == nil {
		err = s.Scan(b, func(r *Record) bool {
			if r.Reject != nil {
				if got := fmt.Sprintf("reject %d %s", r.Reject.Column, r.Reject.Reason); got != tests[n].want {
					t.Errorf("record %d: %s, want %s", n, got, tests[n].want)
				}
				n++
				return false
			}
			var parts []string
			for c := range 3 {
				text := "NULL"
				if v := &b.Cols[c]; !v.Null[b.N] {
					text = string(v.S[b.N])
				}
				parts = append(parts, text)
			}
			for _, l := range r.Large {
				if string(l.Raw) != long {
					t.Errorf("record %d: the value is not as archived", n)
				}
				parts = append(parts, fmt.Sprintf("%d:%d", l.Column, len(l.Raw)))
			}
			if got := strings.Join(parts, " "); got != tests[n].want {
				t.Errorf("record %d: %.80s, want %s", n, got, tests[n].want)
			}
			n++
			return true
		})
		b.N = 0
	}
	if !errors.Is(err, io.EOF) || n != len(tests) {
		t.Errorf("%d records, %v", n, err)
	}
}
