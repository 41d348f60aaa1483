package decode

import "slices"

// remedies say what a person can do about a reason.
var remedies = map[Reason]string{
	MalformedJSON: "Look at the bytes: often another format, an envelope or a side file under the same prefix. If the producer wrote it so, the record is lost to columns and stays in quarantine.",
	CutOff:        "The upload was cut: restore the object from its bucket's versions or a replica.",
	InvalidUTF8:   "The producer wrote another character set. Ask it to write UTF-8; the record stays in quarantine. Of a .keys or tombstone file: its keys may be framed for a schema registry, which the record's detail says; leave such files out by archive.ignore, or have the sink write keys as JSON or Avro.",
	TooLong:       "A record of more than 8 MiB is rarely one event: look whether the file has separators at all, and whether archive.format is right. It can't be loaded.",
	TooDeep:       "Such nesting is rarely real: look at the bytes.",
	NoEnvelope:    "Correct records.envelope, or leave other producers' records out by records.where.",
	FieldCount:    "Compare the header of the file with the dataset's columns; a separator inside a value must be quoted.",
	BadQuote:      "Check quote and escape of the CSV settings.",
	NotPacked:     "Correct records.unpack: the value is no string of that kind.",
	DoubleFramed:  "Have the producer write the value once framed; ksqlDB does so without a window, or with KEY_FORMAT='JSON'. Nothing is unpacked by guess.",
	NotFramed:     "Correct records.registry.framing or archive.format: the value does not begin as that registry's serializers write. Values of other producers can be told apart only by another topic.",
	UnknownSchema: "Name the schema's subject in records.registry.subjects or its number in ids, or save its answer in the folder, and run again: the next plan has it.",
	BadSchema:     "Look at the schema in the registry; what it refers to must be among the schemas of the plan, too.",
	BadBody:       "Often the schemas are of another registry than the one that gave the ids, or the registry was rebuilt. Else the producer wrote it so, and it stays in quarantine.",

	Required:        "If the value may be absent, drop `required: true` and allow NULL in the table; else ask the producer.",
	WrongType:       "Correct the column's type or path in the dataset, or ask the producer what changed.",
	NotANumber:      "Correct the path or the type; texts such as N/A are no amounts.",
	OutOfRange:      "Widen the column in the table and in the dataset.",
	Inexact:         "Give the column a larger scale in the table and in the dataset.",
	FloatDamage:     "Amounts such as 0.30000000000000004 come from a producer that keeps money in floats, or from an archiver that reads JSON without a schema: mend it there. What the amount was, nobody can say.",
	BadUnscaled:     "Take the column's `unscaled` away where amounts are archived as numbers; both in one topic can't be told apart.",
	BadDate:         "Correct the path, or the type if it is a timestamp.",
	BadTimestamp:    "Declare the column's spelling (`unit` for numbers) in the dataset.",
	LeapSecond:      "Decide with the producer which instant is meant; nothing is guessed.",
	FractionLost:    "`fraction: floor` in the dataset cuts the digits that the warehouse can't hold.",
	ZoneMissing:     "Declare the column's `zone` in the dataset.",
	AmbiguousTime:   "Ask the producer for a zone in the text; nothing is guessed.",
	NonexistentTime: "The producer's clock or zone is wrong: correct `zone`, or the producer.",
	TooLongValue:    "Widen the column in the table and in the dataset (bytes, not characters); for JSON, `overflow: COLUMN` notes where the value stands.",
	NotASCII:        "Use varchar instead of char.",
	NulCharacter:    "Ask the producer to leave it out: Redshift has no way to hold it.",
	InvalidUnicode:  "Ask the producer to write whole characters.",
}

// Remedy says what a person can do about the reason, or "".
func (r Reason) Remedy() string { return remedies[r] }

// Reasons returns all reasons in alphabetical order.
func Reasons() []Reason {
	list := make([]Reason, 0, len(sentences))
	for r := range sentences {
		list = append(list, r)
	}
	slices.Sort(list)
	return list
}
