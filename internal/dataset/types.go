package dataset

import (
	"regexp"
	"strconv"
	"strings"

	"backfill/internal/schema"
)

// typeText is a type's name, which may have several words, and its arguments.
var typeText = regexp.MustCompile(`^([a-z][a-z0-9 ]*?) *(?:\( *([a-z0-9]+) *(?:, *([0-9]+) *)?\) *)?$`)

// plainTypes are the names of types without arguments.
var plainTypes = map[string]schema.Kind{
	"smallint": schema.Smallint, "int2": schema.Smallint,
	"integer": schema.Integer, "int": schema.Integer, "int4": schema.Integer,
	"bigint": schema.Bigint, "int8": schema.Bigint,
	"boolean": schema.Boolean, "bool": schema.Boolean,
	"date":      schema.Date,
	"timestamp": schema.Timestamp, "timestamp without time zone": schema.Timestamp,
	"super": schema.Super,
}

// sizedTypes are the names of types that need arguments.
var sizedTypes = map[string]schema.Kind{
	"decimal": schema.Decimal, "numeric": schema.Decimal,
	"char": schema.Char, "character": schema.Char,
	"varchar": schema.Varchar, "character varying": schema.Varchar,
}

// bareTypes says why a sized type needs its arguments.
var bareTypes = map[schema.Kind][2]string{
	schema.Decimal: {"a bare DECIMAL is DECIMAL(18,0) in Redshift and drops the cents", "write decimal(18,2)"},
	schema.Char:    {"a bare CHAR is CHAR(1) in Redshift", "write char(n), n in bytes"},
	schema.Varchar: {"a bare VARCHAR is VARCHAR(256) in Redshift", "write varchar(n), n in bytes"},
}

// refusedTypes says why a Redshift type can't be loaded, and what to use.
var refusedTypes = map[string][2]string{
	"real":                     {floatReason, floatHint},
	"float":                    {floatReason, floatHint},
	"float4":                   {floatReason, floatHint},
	"float8":                   {floatReason, floatHint},
	"double":                   {floatReason, floatHint},
	"double precision":         {floatReason, floatHint},
	"timestamptz":              {zonedReason, zonedHint},
	"timestamp with time zone": {zonedReason, zonedHint},
	"time":                     {timeReason, timeHint},
	"time without time zone":   {timeReason, timeHint},
	"timetz":                   {timeReason, timeHint},
	"time with time zone":      {timeReason, timeHint},
	"varbyte":                  {bytesReason, bytesHint},
	"varbinary":                {bytesReason, bytesHint},
	"binary varying":           {bytesReason, bytesHint},
	"text":                     {"TEXT is VARCHAR(256) in Redshift", "write varchar(n), n in bytes"},
	"bpchar":                   {"BPCHAR is CHAR(256) in Redshift", "write char(n), n in bytes"},
	"nchar":                    {"NCHAR is CHAR in Redshift", "write char(n), n in bytes"},
	"nvarchar":                 {"NVARCHAR is VARCHAR in Redshift", "write varchar(n), n in bytes"},
}

const (
	floatReason = "no two engines print floating point alike, so it can't be proven"
	floatHint   = "declare a decimal(p,s)"
	zonedReason = "loading it from Parquet is not documented"
	zonedHint   = "store UTC in a timestamp"
	timeReason  = "a time of day can't be loaded from Parquet"
	timeHint    = "use a timestamp, or a varchar(15) for the text"
	bytesReason = "raw bytes can't be carried in JSON"
	bytesHint   = "use a varchar(n) for the text"
)

// parseType reads a Redshift type. On failure it returns what is wrong and a
// hint.
func parseType(text string) (t schema.Type, hint, problem string) {
	folded := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	parts := typeText.FindStringSubmatch(folded)
	if parts == nil {
		return t, "write a Redshift type, such as varchar(36) or decimal(18,2)", shown(text) + " is not a type"
	}
	name, first, second := parts[1], parts[2], parts[3]
	if refused, ok := refusedTypes[name]; ok {
		return t, refused[1], "the type " + name + " is not supported: " + refused[0]
	}
	if kind, ok := plainTypes[name]; ok {
		if first != "" {
			return t, "write " + name, "the type " + name + " takes no arguments"
		}
		return schema.Type{Kind: kind}, "", ""
	}
	kind, ok := sizedTypes[name]
	if !ok {
		return t, typeHint(name), shown(text) + " is not a type"
	}
	if first == "" {
		return t, bareTypes[kind][1], bareTypes[kind][0]
	}
	return sizedType(kind, first, second)
}

// sizedType checks the arguments of decimal, char and varchar.
func sizedType(kind schema.Kind, first, second string) (t schema.Type, hint, problem string) {
	size, err := strconv.Atoi(first)
	if kind == schema.Varchar && first == "max" {
		size, err = schema.MaxVarchar, nil
	}
	switch {
	case err != nil:
		return t, "", shown(first) + " is not a number of digits or bytes"
	case kind == schema.Decimal && second == "":
		return t, "write decimal(" + first + ",2), or decimal(" + first + ",0) for whole numbers", "a decimal needs its scale"
	case kind != schema.Decimal && second != "":
		return t, "", "the type takes one argument, its length in bytes"
	}
	switch kind {
	case schema.Decimal:
		scale, err := strconv.Atoi(second)
		if size < 1 || size > 38 || err != nil || scale > min(37, size) {
			return t, "precision is 1 to 38, scale 0 to 37 and at most the precision", "Redshift has no decimal(" + first + "," + second + ")"
		}
		return schema.Type{Kind: kind, Precision: size, Scale: scale}, "", ""
	case schema.Char:
		if size < 1 || size > 4096 {
			return t, "", "a char has 1 to 4096 bytes, not " + first
		}
	default:
		if size < 1 || size > schema.MaxVarchar {
			return t, "", "a varchar has 1 to 65535 bytes, not " + first
		}
	}
	return schema.Type{Kind: kind, Length: size}, "", ""
}

func typeHint(name string) string {
	names := []string{"smallint", "integer", "bigint", "decimal", "boolean", "date", "timestamp", "char", "varchar", "super"}
	if near := nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return "types are " + strings.Join(names, ", ")
}
