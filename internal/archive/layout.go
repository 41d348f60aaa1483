// Package archive turns a listing of an object store into the data objects of a
// Kafka archive: which topic, partition and first offset each key names.
//
// Nothing is skipped silently: a key is data, or ignored for a counted reason,
// or the listing fails and names it. The package reads names only, never an
// object's bytes; it neither prunes by time nor cuts chunks. The plan job calls
// it, and calls Compare when a sealed plan meets a newer listing.
package archive

import (
	"regexp"

	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// Name is what a key says about the records of its object.
type Name struct {
	kafka.TopicPartition
	FirstOffset kafka.Offset // of the first record; kafka.NoOffset when the key has none
	Ordered     bool         // the first offsets of the partition are comparable and its objects contiguous

	// Last says that the key has the offset of the last record instead, which
	// stands in FirstOffset until List has seen the partition's other names.
	Last bool
	// Lower says that FirstOffset is only a lower bound: no record has a lower
	// one, and the first need not have it.
	Lower bool
	// End is the offset past the last record, where the key has it; 0: it has not.
	End kafka.Offset

	// View says that the object holds what belongs to values, which stand in
	// another object, or tombstones; "": it holds values. Extension is how many
	// bytes of the key the name of both does not have in common.
	View      View
	Extension int
}

// Kind is what a key is to a layout.
type Kind uint8

// The kinds. The zero Kind is Unknown, so that what is forgotten is refused.
const (
	Unknown Kind = iota // fits nothing: the listing fails
	Data                // holds records
	Ignored             // known to hold none
)

// Verdict is a kind with its reason; data needs none.
type Verdict struct {
	Kind   Kind
	Reason string
}

// Layout reads the names that one archiver gives to its objects. Parse gets the
// whole key in the bucket (for file:// the absolute path without its leading
// slash). It is safe for concurrent use. The strings of Name may share memory
// with key.
type Layout interface {
	Parse(key string) (Name, Verdict)
}

func unknown(reason string) (Name, Verdict) { return Name{}, Verdict{Unknown, reason} }

// pattern is a layout given by the user.
type pattern struct {
	re                       *regexp.Regexp
	topic, partition, offset int // group numbers, -1 when constant or absent
	constantTopic            string
	constantPartition        kafka.Partition
}

// Pattern returns the layout of a regular expression with the named groups
// topic, partition and offset, searched in the whole key: anchor it with ^ and $
// where that matters. The topic, and the partition, come from a group or from a
// constant, never from both. With an offset group, which holds the first offset
// of the object, Ordered is true. A bad combination is fail.BadDataset.
func Pattern(re *regexp.Regexp, topic string, partition *int32) (Layout, error) {
	p := &pattern{re: re, topic: re.SubexpIndex("topic"), partition: re.SubexpIndex("partition"), offset: re.SubexpIndex("offset"), constantTopic: topic}
	bad := func(hint, format string, args ...any) (Layout, error) {
		return nil, fail.New(fail.BadDataset, format, args...).Try("%s", hint)
	}
	for _, group := range re.SubexpNames() {
		if group != "" && group != "topic" && group != "partition" && group != "offset" {
			return bad("name only topic, partition and offset", "the key pattern has an unknown group %q", group)
		}
	}
	switch {
	case p.topic < 0 && topic == "":
		return bad("add a group (?P<topic>…) or set archive.topic", "the key pattern does not say the topic")
	case p.topic >= 0 && topic != "":
		return bad("keep one of them", "the topic is given by the key pattern and as a constant")
	case topic != "" && !isTopic(topic):
		return bad("use letters, digits, dot, underscore and hyphen", "%q is not a Kafka topic name", topic)
	case p.partition < 0 && partition == nil:
		return bad("add a group (?P<partition>…) or set archive.partition", "the key pattern does not say the partition")
	case p.partition >= 0 && partition != nil:
		return bad("keep one of them", "the partition is given by the key pattern and as a constant")
	case partition != nil && *partition < 0:
		return bad("count partitions from 0", "partition %d is negative", *partition)
	}
	if partition != nil {
		p.constantPartition = kafka.Partition(*partition)
	}
	return p, nil
}

// Parse searches the pattern in the key.
func (p *pattern) Parse(key string) (Name, Verdict) {
	if reason := junk(key); reason != "" {
		return Name{}, Verdict{Ignored, reason}
	}
	found := p.re.FindStringSubmatchIndex(key)
	if found == nil {
		return foreign(key, "the key does not match the key pattern")
	}
	group := func(i int) string {
		if i < 0 || found[2*i] < 0 {
			return ""
		}
		return key[found[2*i]:found[2*i+1]]
	}
	topic, partition, offset := p.constantTopic, "0", "0"
	if p.topic >= 0 {
		topic = group(p.topic)
	}
	if p.partition >= 0 {
		partition = group(p.partition)
	}
	if p.offset >= 0 {
		offset = group(p.offset)
	}
	if !isTopic(topic) {
		return unknown("the topic in the key is not a Kafka topic name")
	}
	name, reason := numbers(topic, partition, offset)
	if reason != "" {
		return unknown(reason)
	}
	if p.partition < 0 {
		name.Partition = p.constantPartition
	}
	if p.offset < 0 {
		name.FirstOffset = kafka.NoOffset
	}
	name.Ordered = p.offset >= 0
	return name, Verdict{Kind: Data}
}
