package archive

import (
	"regexp"

	"backfill/internal/kafka"
)

var (
	// <stream>-<version>-<time>-<uuid>[<extension>]
	firehoseName = regexp.MustCompile(`^([A-Za-z0-9._-]+)-\d+-\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}-` +
		`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(\.[0-9A-Za-z!\-_.*'()]+)?$`)
	// <topic>+<partition>+<first offset>-<sequence>-<id>[<extension>]
	mskName = regexp.MustCompile(`^([A-Za-z0-9._-]{1,249})\+(\d+)\+(\d{18,})-\d{6}-[0-9a-f]+(?:\.\w+)*$`)
)

// firehose is the layout of Amazon Data Firehose.
type firehose struct {
	topic     string
	partition kafka.Partition
}

// Firehose returns the layout of Amazon Data Firehose, which keeps neither
// topic nor partition nor offsets: all objects count to one topic, named as
// given or else like the stream, and one partition. Identity is the position.
func Firehose(topic string, partition *int32) Layout {
	f := firehose{topic: topic}
	if partition != nil {
		f.partition = kafka.Partition(*partition)
	}
	return f
}

// Parse reads the name that Firehose gives; a prefix may stand right before it.
func (f firehose) Parse(key string) (Name, Verdict) {
	if reason := junk(key); reason != "" {
		return Name{}, Verdict{Ignored, reason}
	}
	_, base := split(key)
	found := firehoseName.FindStringSubmatch(base)
	if _, verdict := foreign(key, ""); verdict.Kind == Ignored {
		return Name{}, verdict
	}
	if found == nil {
		return unknown("the name is not <stream>-<version>-<time>-<uuid>")
	}
	topic := f.topic
	if topic == "" {
		topic = found[1]
	}
	if !isTopic(topic) {
		return unknown("the stream's name is not a Kafka topic name")
	}
	return Name{TopicPartition: kafka.TopicPartition{Topic: topic, Partition: f.partition}, FirstOffset: kafka.NoOffset}, Verdict{Kind: Data}
}

// msk is the layout of MSK Data Delivery.
type msk struct{}

// MSK returns the layout of MSK Data Delivery with its default template. Its
// names have the first offset; whether the files of a partition follow each
// other over hour folders is not documented, so that nothing is derived.
func MSK() Layout { return msk{} }

// Parse reads the base name.
func (msk) Parse(key string) (Name, Verdict) {
	if reason := junk(key); reason != "" {
		return Name{}, Verdict{Ignored, reason}
	}
	_, base := split(key)
	found := mskName.FindStringSubmatch(base)
	if found == nil || !isTopic(found[1]) {
		return foreign(key, "the name is not <topic>+<partition>+<offset>-<sequence>-<id>")
	}
	name, reason := numbers(found[1], found[2], found[3])
	if reason != "" {
		return unknown(reason)
	}
	return name, Verdict{Kind: Data}
}
