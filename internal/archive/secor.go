package archive

import (
	"regexp"
	"strings"

	"backfill/internal/kafka"
)

var (
	// <generation>_<partition>_<offset>[<extension>]
	secorName = regexp.MustCompile(`^\d+_(\d+)_(\d{20})(?:\.[^/]*)?$`)
	// <topic>-<partition>-<first offset>.gz below a day of upload
	wixName = regexp.MustCompile(`^([A-Za-z0-9._-]+)-(\d{5})-(\d{12})\.gz$`)
	wixDay  = regexp.MustCompile(`\d{4}-\d{2}-\d{2}$`)
)

// secor is the layout of Pinterest Secor.
type secor struct{}

// Secor returns the layout of Pinterest Secor. The offset in a name is the last
// one that was committed when the file was opened, so that several date folders
// share it: it is a lower bound and gives no order. Files that merge several
// partitions are Unknown.
func Secor() Layout { return secor{} }

// Parse takes for the topic the folder above the path's parts, which have an
// equals sign.
func (secor) Parse(key string) (Name, Verdict) {
	if reason := junk(key); reason != "" {
		return Name{}, Verdict{Ignored, reason}
	}
	dir, base := split(key)
	found := secorName.FindStringSubmatch(base)
	if found == nil {
		return foreign(key, "the name is not <generation>_<partition>_<offset>")
	}
	for strings.Contains(dir[strings.LastIndexByte(dir, '/')+1:], "=") {
		dir = dir[:max(strings.LastIndexByte(dir, '/'), 0)]
	}
	topic := dir[strings.LastIndexByte(dir, '/')+1:]
	if !isTopic(topic) {
		return unknown("no folder above the file is named like a topic")
	}
	name, reason := numbers(topic, found[1], found[2])
	if reason != "" {
		return unknown(reason)
	}
	name.Lower = true
	return name, Verdict{Kind: Data}
}

// wix is the layout of DeviantArt's sink and its forks.
type wix struct{}

// Wix returns the layout of the S3 sink of DeviantArt, Wix, Spredfast and
// Adobe: first offsets, in folders by the day of upload.
func Wix() Layout { return wix{} }

// Parse reads the base name.
func (wix) Parse(key string) (Name, Verdict) {
	if reason := junk(key); reason != "" {
		return Name{}, Verdict{Ignored, reason}
	}
	dir, base := split(key)
	found := wixName.FindStringSubmatch(base)
	if found == nil || !wixDay.MatchString(dir) || !isTopic(found[1]) {
		return foreign(key, "the name is not <day>/<topic>-<partition>-<offset>.gz")
	}
	name, reason := numbers(found[1], found[2], found[3])
	if reason != "" {
		return unknown(reason)
	}
	name.Ordered = true
	return name, Verdict{Kind: Data}
}

// unnamed is the layout of archivers whose keys say nothing.
type unnamed struct{ name Name }

// Unnamed returns a layout that takes every key that is not known to hold no
// records for data of one partition: for Vector, Redpanda Connect, Fluent Bit,
// Fluentd and Camel, whose keys say nothing of Kafka.
func Unnamed(topic string, partition *int32) Layout {
	u := unnamed{Name{TopicPartition: kafka.TopicPartition{Topic: topic}, FirstOffset: kafka.NoOffset}}
	if partition != nil {
		u.name.Partition = kafka.Partition(*partition)
	}
	return u
}

// Parse gives every key the same name.
func (u unnamed) Parse(key string) (Name, Verdict) {
	if reason := junk(key); reason != "" {
		return Name{}, Verdict{Ignored, reason}
	}
	return u.name, Verdict{Kind: Data}
}
