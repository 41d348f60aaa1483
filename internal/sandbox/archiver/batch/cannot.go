package batch

import (
	"maps"

	"backfill/internal/sandbox/archiver"
)

// Cannot puts reasons together.
func Cannot(reasons ...map[string]string) map[string]string {
	out := make(map[string]string)
	for _, r := range reasons {
		maps.Copy(out, r)
	}
	return out
}

// NoTombstones says that a record without a value cannot be archived.
func NoTombstones(why string) map[string]string {
	return map[string]string{"tombstones": why, "null_tail": why}
}

// NoMalformed says that a value that is no JSON cannot be archived.
func NoMalformed(why string) map[string]string { return map[string]string{"malformed_json": why} }

// NoCopies says that an object can't be there twice.
func NoCopies(why string) map[string]string { return map[string]string{"duplicate_objects": why} }

// NoOverlaps says that no object can repeat a part of another.
func NoOverlaps(why string) map[string]string { return map[string]string{"overlap_objects": why} }

// Whole says what bodies can't have that are not lines of text in members.
func Whole() map[string]string {
	return map[string]string{
		"no_final_newline": "whether the last line is ended is the archiver's, the same in each object",
		"multi_member":     "the archiver compresses each object the same way",
	}
}

// FixedBySchema is why files of a schema hold no other values.
const FixedBySchema = "the file holds values of its schema"

// Typed says what values of a schema can't hold.
func Typed() map[string]string {
	const why = "a value of an Avro schema holds the schema's types only"
	return map[string]string{"malformed_json": why, "bad_values": why}
}

// IdentityOf is body where the values hold their own place.
func IdentityOf(c archiver.Config, without archiver.Identity) archiver.Identity {
	if c.BodyOffsets {
		return archiver.Body
	}
	return without
}

// Auto are the lines of the archive section for a layout and, where keys do not say it, the topic and partition.
func Auto(layout string, more ...string) []string {
	return append([]string{"layout: " + layout, "format: auto"}, more...)
}

// Unnamed are these lines for keys that say nothing; where values have no partition, all count as partition 0.
func Unnamed(c archiver.Config) []string {
	return Auto("unnamed", "topic: "+c.Topic, "partition: 0")
}
