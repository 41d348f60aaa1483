package decode

// Reason is the stable code of why a record can't be read or a value does not
// fit its column. Codes stand in quarantine files and reports: they are never
// renamed.
type Reason string

// Why a record is Unreadable.
const (
	MalformedJSON Reason = "malformed_json"
	CutOff        Reason = "cut_off"
	InvalidUTF8   Reason = "invalid_utf8"
	TooLong       Reason = "too_long"
	TooDeep       Reason = "too_deep"
	NoEnvelope    Reason = "no_envelope"
	FieldCount    Reason = "field_count"
	BadQuote      Reason = "bad_quote"
	NotPacked     Reason = "not_packed"
	NotFramed     Reason = "not_framed"
	DoubleFramed  Reason = "double_framed"
	UnknownSchema Reason = "unknown_schema"
	BadSchema     Reason = "bad_schema"
	BadBody       Reason = "bad_body"
)

// Why a value does not fit.
const (
	Required        Reason = "required"
	WrongType       Reason = "wrong_type"
	NotANumber      Reason = "not_a_number"
	OutOfRange      Reason = "out_of_range"
	Inexact         Reason = "inexact"
	FloatDamage     Reason = "float_damage"
	BadUnscaled     Reason = "bad_unscaled"
	BadDate         Reason = "bad_date"
	BadTimestamp    Reason = "bad_timestamp"
	LeapSecond      Reason = "leap_second"
	FractionLost    Reason = "fraction"
	ZoneMissing     Reason = "zone_missing"
	AmbiguousTime   Reason = "ambiguous_time"
	NonexistentTime Reason = "nonexistent_time"
	TooLongValue    Reason = "too_long_value"
	NotASCII        Reason = "not_ascii"
	NulCharacter    Reason = "nul_character"
	InvalidUnicode  Reason = "invalid_unicode"
)

// fits is the Reason of a value that fits.
const fits Reason = ""

var sentences = map[Reason]string{
	MalformedJSON: "The text is not valid JSON.",
	CutOff:        "The object ends in the middle of the record.",
	InvalidUTF8:   "A string holds bytes that are not valid UTF-8.",
	TooLong:       "The record is longer than the largest record allowed.",
	TooDeep:       "Objects and arrays are nested deeper than allowed.",
	NoEnvelope:    "The record is not in the envelope that the dataset names.",
	FieldCount:    "The row has another number of fields than there are columns.",
	NotPacked:     "The value is not a string that holds JSON in the way that the dataset names.",
	NotFramed:     "The value does not begin with the id of its schema in the way that the dataset names.",
	DoubleFramed:  "The value begins with five bytes more than the id of its schema: it was framed twice, as ksqlDB does with windowed keys.",
	UnknownSchema: "The schema that the value names is not among those of the plan.",
	BadSchema:     "The schema that the value names can't be used.",
	BadBody:       "The bytes behind the schema's id are no value of that schema.",
	BadQuote:      "A quote is not closed, or text follows its end.",

	Required:        "The column is required, and the value is null or absent.",
	WrongType:       "The JSON value has a type that the column does not take.",
	NotANumber:      "The text is not a number.",
	OutOfRange:      "The value lies outside the range of the column's type.",
	Inexact:         "The number has digits past the column's scale, and nothing is rounded.",
	FloatDamage:     "The amount has 16 or 17 digits, past the column's scale: it went through a 64-bit float on its way, and its last digits are noise.",
	BadUnscaled:     "The text is not base64 of an integer of at most 64 bytes.",
	BadDate:         "The text is not a date of the form YYYY-MM-DD.",
	BadTimestamp:    "The text is not a timestamp of the form YYYY-MM-DDThh:mm:ss with a fraction and a zone.",
	LeapSecond:      "The timestamp names a leap second, which the warehouse can't hold.",
	FractionLost:    "The timestamp has digits past microseconds, and the column does not say that they may be cut.",
	ZoneMissing:     "The timestamp has no zone, and the column declares none.",
	AmbiguousTime:   "The local time happens twice in the declared zone, because clocks were set back.",
	NonexistentTime: "The local time does not exist in the declared zone, because clocks were set forward.",
	TooLongValue:    "The text has more bytes than the column holds, and nothing is cut.",
	NotASCII:        "The text has characters outside ASCII, which a char column does not hold.",
	NulCharacter:    "The text holds the character U+0000, which the warehouse can't hold.",
	InvalidUnicode:  "The text holds half of a surrogate pair, which is no character.",
}

// Sentence explains the reason to people.
func (r Reason) Sentence() string {
	if s, ok := sentences[r]; ok {
		return s
	}
	return "Unknown reason " + string(r) + "."
}
