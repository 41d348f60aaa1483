package redshiftd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kind is a Redshift type without its modifier.
type kind uint8

const (
	kUnknown kind = iota // untyped literal, NULL or parameter
	kBool
	kInt2
	kInt4
	kInt8
	kNumeric
	kFloat4
	kFloat8
	kChar
	kVarchar
	kDate
	kTimestamp
	kTimestamptz
	kInterval
	kSuper
	kRegtype // only to be refused
)

const (
	maxVarchar   = 65535
	maxChar      = 4096
	maxPrecision = 38
	maxScale     = 37
)

// typ is a Redshift type. p is the length in bytes of CHAR and VARCHAR or the precision of NUMERIC, s its scale.
type typ struct {
	kind kind
	p, s int
}

func numeric(p, s int) typ { return typ{kNumeric, p, s} }
func varchar(n int) typ    { return typ{kVarchar, min(n, maxVarchar), 0} }

// kindFacts are the wire OID, the wire size (-1: variable), the catalog's spelling and the engine's type.
var kindFacts = map[kind]struct {
	oid  uint32
	size int16
	name string
	duck string
}{
	kUnknown:     {1043, -1, "unknown", "VARCHAR"},
	kBool:        {16, 1, "boolean", "BOOLEAN"},
	kInt2:        {21, 2, "smallint", "SMALLINT"},
	kInt4:        {23, 4, "integer", "INTEGER"},
	kInt8:        {20, 8, "bigint", "BIGINT"},
	kNumeric:     {1700, -1, "numeric", "DECIMAL"},
	kFloat4:      {700, 4, "real", "FLOAT"},
	kFloat8:      {701, 8, "double precision", "DOUBLE"},
	kChar:        {1042, -1, "character", "VARCHAR"},
	kVarchar:     {1043, -1, "character varying", "VARCHAR"},
	kDate:        {1082, 4, "date", "DATE"},
	kTimestamp:   {1114, 8, "timestamp without time zone", "TIMESTAMP"},
	kTimestamptz: {1184, 8, "timestamp with time zone", "TIMESTAMPTZ"},
	kInterval:    {1186, 16, "interval", "INTERVAL"},
	kSuper:       {4000, -1, "super", "VARCHAR"},
	kRegtype:     {2206, 4, "regtype", "VARCHAR"},
}

// typeOfOID is the type a client means by a parameter OID; ok is false for one that Redshift does not have.
func typeOfOID(oid uint32) (t typ, ok bool) {
	switch oid {
	case 0, 705:
		return typ{}, true
	case 25, 1043:
		return varchar(maxVarchar), true
	case 1700:
		return typ{kNumeric, 0, 0}, true // the value says precision and scale
	}
	for k, f := range kindFacts {
		if f.oid == oid && k != kUnknown && k != kInterval && k != kRegtype {
			return typ{kind: k}, true
		}
	}
	return typ{}, false
}

// name is the type as svv_columns spells it, without its modifier.
func (t typ) name() string { return kindFacts[t.kind].name }

// String is the type with its modifier, as format_type spells it.
func (t typ) String() string {
	switch t.kind {
	case kNumeric:
		return fmt.Sprintf("numeric(%d,%d)", t.p, t.s)
	case kChar, kVarchar:
		return fmt.Sprintf("%s(%d)", t.name(), t.p)
	}
	return t.name()
}

// internal is the type and the length that the load views tell: the length is 0 where a type has none.
func (t typ) internal() (name, length string) {
	switch t.kind {
	case kChar, kVarchar:
		return map[kind]string{kChar: "char", kVarchar: "varchar"}[t.kind], strconv.Itoa(t.p)
	case kNumeric:
		return "numeric", fmt.Sprintf("%d,%d", t.p, t.s)
	}
	for short, u := range typeNames {
		if u.kind == t.kind && slices.Contains(shortNames, short) {
			return short, "0"
		}
	}
	return t.name(), "0"
}

// duck is the engine's type that holds values of t.
func (t typ) duck() string {
	if t.kind == kNumeric {
		return fmt.Sprintf("DECIMAL(%d,%d)", t.p, t.s)
	}
	return kindFacts[t.kind].duck
}

func (t typ) oid() uint32 { return kindFacts[t.kind].oid }
func (t typ) size() int16 { return kindFacts[t.kind].size }

// typmod is the wire type modifier, -1 where a type has none.
func (t typ) typmod() int32 {
	switch t.kind {
	case kNumeric:
		return int32(t.p)<<16 | int32(t.s) + 4
	case kChar, kVarchar:
		return int32(t.p) + 4
	}
	return -1
}

func (t typ) isInt() bool    { return t.kind == kInt2 || t.kind == kInt4 || t.kind == kInt8 }
func (t typ) isFloat() bool  { return t.kind == kFloat4 || t.kind == kFloat8 }
func (t typ) isNumber() bool { return t.isInt() || t.isFloat() || t.kind == kNumeric }
func (t typ) isText() bool   { return t.kind == kChar || t.kind == kVarchar }
func (t typ) isTime() bool {
	return t.kind == kDate || t.kind == kTimestamp || t.kind == kTimestamptz
}

// asNumeric is the NUMERIC that holds every value of an integer or NUMERIC type.
func (t typ) asNumeric() typ {
	switch t.kind {
	case kInt2:
		return numeric(5, 0)
	case kInt4:
		return numeric(10, 0)
	case kInt8:
		return numeric(19, 0)
	}
	return t
}

// shortNames are the types as system tables spell them.
var shortNames = []string{"int2", "int4", "int8", "bool", "float4", "float8", "date", "timestamp", "timestamptz"}

// typeNames are the spellings of types that take no modifier.
var typeNames = map[string]typ{
	"smallint": {kind: kInt2}, "int2": {kind: kInt2},
	"integer": {kind: kInt4}, "int": {kind: kInt4}, "int4": {kind: kInt4},
	"bigint": {kind: kInt8}, "int8": {kind: kInt8},
	"boolean": {kind: kBool}, "bool": {kind: kBool},
	"real": {kind: kFloat4}, "float4": {kind: kFloat4},
	"float": {kind: kFloat8}, "float8": {kind: kFloat8},
	"date": {kind: kDate}, "super": {kind: kSuper},
	"timestamp": {kind: kTimestamp}, "timestamptz": {kind: kTimestamptz},
	"text": {kVarchar, 256, 0}, "bpchar": {kChar, 256, 0}, "regtype": {kind: kRegtype},
}

// lengthTypes are the spellings of character types that may take a length.
var lengthTypes = map[string]kind{
	"varchar": kVarchar, "nvarchar": kVarchar, "char": kChar, "character": kChar, "nchar": kChar,
}

// knownUnsupported are real Redshift types that this stand-in does not model.
var knownUnsupported = map[string]bool{
	"time": true, "timetz": true, "varbyte": true, "varbinary": true, "geometry": true, "geography": true,
	"hllsketch": true, "interval": true,
}

// errUnknownType says that a type does not exist on Redshift, or not here.
func errUnknownType(name string) error {
	if knownUnsupported[name] {
		return strict("type %q is not supported", name)
	}
	return errorf("42704", "type %q does not exist", name)
}

// columnType rebuilds a type from what the catalog stores.
func columnType(name string, p, s int) typ {
	for k, f := range kindFacts {
		if f.name == name {
			return typ{k, p, s}
		}
	}
	return typ{}
}

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteText is a string constant for the engine, where a backslash is an ordinary character.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
