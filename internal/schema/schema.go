// Package schema holds the columns of a target table: Redshift types, what
// Parquet carries for each, and how a value is named in messages.
//
// It does no I/O and imports nothing of the project. dataset fills it from the
// user's file, decode converts by it, parquetio writes by it, canon hashes by it
// and redshift compares it with the live table.
package schema

import "fmt"

// Kind is a Redshift type without its arguments.
type Kind uint8

// The supported kinds. REAL and DOUBLE PRECISION are left out on purpose: no
// two engines print them alike, so they can't be proven; declare a DECIMAL.
const (
	Smallint Kind = iota + 1
	Integer
	Bigint
	Decimal
	Boolean
	Date
	Timestamp
	Char
	Varchar
	Super
)

// MaxVarchar is the longest VARCHAR, in bytes.
const MaxVarchar = 65535

// Type is a Redshift column type.
type Type struct {
	Kind      Kind
	Precision int // Decimal: 1 to 38
	Scale     int // Decimal: 0 to min(37, Precision)
	Length    int // Char (to 4096), Varchar (to 65535): bytes
}

// String spells the type as DDL does.
func (t Type) String() string {
	switch t.Kind {
	case Smallint:
		return "smallint"
	case Integer:
		return "integer"
	case Bigint:
		return "bigint"
	case Decimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case Boolean:
		return "boolean"
	case Date:
		return "date"
	case Timestamp:
		return "timestamp"
	case Char:
		return fmt.Sprintf("char(%d)", t.Length)
	case Varchar:
		return fmt.Sprintf("varchar(%d)", t.Length)
	case Super:
		return "super"
	}
	return "unknown"
}

// Holds reports whether a column of type t holds every value of type v
// unchanged, so that v's values may be moved into it.
func (t Type) Holds(v Type) bool {
	whole := map[Kind]int{Smallint: 5, Integer: 10, Bigint: 19} // digits
	switch {
	case t == v:
		return true
	case t.Kind == v.Kind && (t.Kind == Varchar || t.Kind == Char):
		return t.Length >= v.Length
	case t.Kind == Decimal && v.Kind == Decimal:
		return t.Scale >= v.Scale && t.Precision-t.Scale >= v.Precision-v.Scale
	case t.Kind == Decimal && whole[v.Kind] > 0:
		return t.Precision-t.Scale >= whole[v.Kind]
	case whole[t.Kind] > 0 && whole[v.Kind] > 0:
		return whole[t.Kind] >= whole[v.Kind]
	}
	return false
}

// Shape says how a vector holds values of a type.
type Shape uint8

const (
	// Int: one int64 a value: integers, booleans (0, 1), days, microseconds,
	// and decimals of at most 18 digits as scaled integers.
	Int Shape = iota + 1
	// Bytes: text for Char, Varchar and Super (raw JSON).
	Bytes
	// Wide: decimals of 19 to 38 digits, as 16 bytes, big-endian two's complement.
	Wide
)

// Shape returns how vectors hold the type.
func (t Type) Shape() Shape {
	switch {
	case t.Kind == Char, t.Kind == Varchar, t.Kind == Super:
		return Bytes
	case t.Kind == Decimal && t.Precision > 18:
		return Wide
	}
	return Int
}

// Fraction says what happens to digits past microseconds in a timestamp.
type Fraction uint8

const (
	RejectFraction Fraction = iota // the record is rejected
	FloorFraction                  // the digits are cut, towards the past
)

// Mask says how a column's value is made unreadable before anything holds it.
type Mask string

// The masks.
const (
	NoMask   Mask = ""
	HMACMask Mask = "hmac_sha256" // HMAC-SHA-256 of the text, MaskBytes hexadecimal digits
)

// MaskBytes is the length of a masked value.
const MaskBytes = 64

// Column is one column of the stage and, unless it is technical, of the table.
type Column struct {
	Name     string
	Type     Type
	Path     []string // where the value stands below the record's value; nil for a constant or technical column
	Const    *string  // a constant's text, already valid for Type; nil otherwise
	Required bool     // NULL is rejected
	Fraction Fraction // Timestamp only
	Zone     string   // Timestamp only: zone of text without one; "" refuses such text
	Unit     string   // of numbers. Timestamp: one of the units since 1970, "" for UnitMillis; Date: UnitDays, "" refuses numbers
	Unscaled *int     // Decimal only: the value is base64 of a big-endian two's complement integer, to be divided by ten to this; nil: it is a number
	Mask     Mask     // how the value is made unreadable
	Overflow string   // Super only: the column that names a value too long for this one, which is then NULL; "" rejects it
}

// The units of times that are given as numbers since 1970-01-01.
const (
	UnitSeconds = "seconds"
	UnitMillis  = "millis"
	UnitMicros  = "micros"
	UnitNanos   = "nanos"
	UnitDays    = "days"
)

// OverflowBytes is the longest text in an overflow column: digest and length of
// the value, topic (249 bytes), partition and offset.
const OverflowBytes = 384

// The technical columns that every stage has, in this order after the
// dataset's columns; a table has them, and _backfill_run, with `provenance: true`.
const (
	TopicColumn     = "_kafka_topic"
	PartitionColumn = "_kafka_partition"
	OffsetColumn    = "_kafka_offset"
	RunColumn       = "_backfill_run"
)

// Technical returns the technical columns of a stage.
func Technical() []Column {
	return []Column{
		{Name: TopicColumn, Type: Type{Kind: Varchar, Length: 249}, Required: true},
		{Name: PartitionColumn, Type: Type{Kind: Integer}, Required: true},
		{Name: OffsetColumn, Type: Type{Kind: Bigint}},
	}
}
