package schema_test

import (
	"testing"

	"backfill/internal/schema"
)

func TestTypes(t *testing.T) {
	cases := []struct {
		kind  schema.Type
		text  string
		shape schema.Shape
	}{
		{schema.Type{Kind: schema.Smallint}, "smallint", schema.Int},
		{schema.Type{Kind: schema.Integer}, "integer", schema.Int},
		{schema.Type{Kind: schema.Bigint}, "bigint", schema.Int},
		{schema.Type{Kind: schema.Boolean}, "boolean", schema.Int},
		{schema.Type{Kind: schema.Date}, "date", schema.Int},
		{schema.Type{Kind: schema.Timestamp}, "timestamp", schema.Int},
		{schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 2}, "decimal(18,2)", schema.Int},
		{schema.Type{Kind: schema.Decimal, Precision: 19, Scale: 2}, "decimal(19,2)", schema.Wide},
		{schema.Type{Kind: schema.Decimal, Precision: 38, Scale: 37}, "decimal(38,37)", schema.Wide},
		{schema.Type{Kind: schema.Char, Length: 3}, "char(3)", schema.Bytes},
		{schema.Type{Kind: schema.Varchar, Length: schema.MaxVarchar}, "varchar(65535)", schema.Bytes},
		{schema.Type{Kind: schema.Super}, "super", schema.Bytes},
		{schema.Type{}, "unknown", schema.Int},
	}
	for _, c := range cases {
		if c.kind.String() != c.text || c.kind.Shape() != c.shape {
			t.Errorf("%s of shape %d, want %s of shape %d", c.kind, c.kind.Shape(), c.text, c.shape)
		}
	}
}

func TestHolds(t *testing.T) {
	whole := func(k schema.Kind) schema.Type { return schema.Type{Kind: k} }
	decimal := func(p, s int) schema.Type { return schema.Type{Kind: schema.Decimal, Precision: p, Scale: s} }
	text := func(n int) schema.Type { return schema.Type{Kind: schema.Varchar, Length: n} }
	for _, c := range []struct {
		column, value schema.Type
		want          bool
	}{
		{whole(schema.Bigint), whole(schema.Smallint), true}, {whole(schema.Integer), whole(schema.Bigint), false},
		{decimal(18, 2), decimal(17, 1), true}, {decimal(18, 2), decimal(18, 1), false}, {decimal(18, 2), decimal(18, 4), false}, {decimal(20, 4), decimal(18, 2), true},
		{decimal(19, 0), whole(schema.Bigint), true}, {decimal(18, 0), whole(schema.Bigint), false}, {decimal(12, 2), whole(schema.Integer), true},
		{text(10), text(9), true}, {text(9), text(10), false}, {text(9), schema.Type{Kind: schema.Char, Length: 3}, false},
		{whole(schema.Timestamp), whole(schema.Date), false}, {whole(schema.Super), whole(schema.Super), true}, {whole(schema.Bigint), decimal(5, 0), false},
	} {
		if got := c.column.Holds(c.value); got != c.want {
			t.Errorf("%s holds %s: %t", c.column, c.value, got)
		}
	}
}

// TestTechnical pins the columns that every stage has; existing tables carry
// their names. Only the offset may be unknown.
func TestTechnical(t *testing.T) {
	want := []schema.Column{
		{Name: "_kafka_topic", Type: schema.Type{Kind: schema.Varchar, Length: 249}, Required: true},
		{Name: "_kafka_partition", Type: schema.Type{Kind: schema.Integer}, Required: true},
		{Name: "_kafka_offset", Type: schema.Type{Kind: schema.Bigint}},
	}
	got := schema.Technical()
	if len(got) != len(want) {
		t.Fatalf("%d columns, want %d", len(got), len(want))
	}
	for i, c := range got {
		if c.Name != want[i].Name || c.Type != want[i].Type || c.Required != want[i].Required || c.Path != nil || c.Const != nil {
			t.Errorf("column %d is %+v, want %+v", i, c, want[i])
		}
	}
	got[0].Name = "changed"
	if schema.Technical()[0].Name != "_kafka_topic" {
		t.Error("callers share the list")
	}
}
