package archive

import (
	"slices"
	"strconv"
	"strings"
)

// ConfluentOptions are the settings of a Confluent S3 sink that change its
// names, and what of them a dataset leaves out knowingly.
type ConfluentOptions struct {
	FileDelim      string // file.delim; "" stands for +
	DirectoryDelim string // directory.delim; "" stands for /
	Ignore         []View // kinds of files that are left out and counted
	Join           []View // kinds of files that are read with their values
}

// View is a kind of file that a Confluent S3 sink writes beside values.
type View string

// The views.
const (
	Keys       View = "keys"       // .keys files, if store.kafka.keys is on
	Headers    View = "headers"    // .headers files, if store.kafka.headers is on
	Tombstones View = "tombstones" // keys of records without value, if behavior.on.null.values is write
)

// confluent is the layout of the Confluent S3 sink:
// [<topics.dir>/]<topic>/<encoded partition>/<topic>+<partition>+<first offset><extension>.
type confluent struct{ o ConfluentOptions }

// Confluent returns the layout of the Confluent S3 sink with its defaults.
func Confluent() Layout { return ConfluentWith(ConfluentOptions{}) }

// ConfluentWith returns the layout of the Confluent S3 sink. Only the default
// partitioner, whose folder is `partition=<n>` with the partition of the name,
// gives Ordered: others spread one partition over folders, so that its files
// interleave. Key and header files and tombstones are Unknown unless the
// options say that they are joined or left out, because what they hold would be lost.
func ConfluentWith(o ConfluentOptions) Layout {
	if o.FileDelim == "" {
		o.FileDelim = "+"
	}
	if o.DirectoryDelim == "" {
		o.DirectoryDelim = "/"
	}
	return confluent{o}
}

// Parse finds the folder that is named like the file's topic.
func (c confluent) Parse(key string) (Name, Verdict) {
	if reason := junk(key); reason != "" {
		return Name{}, Verdict{Ignored, reason}
	}
	// With a delimiter that topics may hold the file's name begins behind any
	// of them: the longest name counts for which a folder has its topic.
	var first string
	var found *Name
	var verdict Verdict
	for end := len(key); ; {
		at := strings.LastIndex(key[:end], c.o.DirectoryDelim)
		dir, base := "", key
		if at >= 0 {
			dir, base = key[:at], key[at+len(c.o.DirectoryDelim):]
		}
		name, extension, reason := c.base(base)
		if reason == "" {
			if encoded, there := c.below(dir, name.Topic); there {
				name, verdict = c.judge(name, encoded, extension)
				found = &name
			}
			reason = "no folder is named like the topic of the file"
		}
		if first == "" || first == c.notThis() {
			first = reason
		}
		if at < 0 || c.o.DirectoryDelim == "/" {
			break
		}
		end = at
	}
	switch {
	case found != nil:
		return *found, verdict
	case first == c.notThis():
		return foreign(key, first)
	}
	return unknown(first)
}

func (c confluent) notThis() string {
	return "the name is not <topic>" + c.o.FileDelim + "<partition>" + c.o.FileDelim + "<offset>.<extension>"
}

// base splits a file's name. The delimiter may be one that topics hold, so that
// it is looked for from the right.
func (c confluent) base(base string) (name Name, extension, reason string) {
	for end := len(base); ; {
		at := strings.LastIndex(base[:end], c.o.FileDelim)
		if at < 0 {
			return Name{}, "", c.notThis()
		}
		end = at
		offset, extension := cutDigits(base[at+len(c.o.FileDelim):])
		if offset == "" || len(extension) < 2 || extension[0] != '.' {
			continue
		}
		before := strings.LastIndex(base[:at], c.o.FileDelim)
		if before < 0 {
			return Name{}, "", c.notThis()
		}
		topic, partition := base[:before], base[before+len(c.o.FileDelim):at]
		if partition == "" || strings.Trim(partition, "0123456789") != "" || !isTopic(topic) {
			continue
		}
		name, reason := numbers(topic, partition, offset)
		return name, extension, reason
	}
}

// below returns what follows the last segment of dir that equals the topic,
// which itself may hold the delimiter.
func (c confluent) below(dir, topic string) (encoded string, found bool) {
	d := c.o.DirectoryDelim
	whole := d + dir + d
	at := strings.LastIndex(whole, d+topic+d)
	if at < 0 {
		return "", false
	}
	return strings.TrimSuffix(whole[at+len(d)+len(topic)+len(d):], d), true
}

// judge tells values from side files, and what the folder says of the order.
func (c confluent) judge(name Name, encoded, extension string) (Name, Verdict) {
	first, _, _ := strings.Cut(encoded, c.o.DirectoryDelim)
	if len(c.o.Join) > 0 {
		name.Extension = len(extension)
	}
	var of View
	for _, view := range []View{Keys, Headers} {
		if after, is := strings.CutPrefix(extension, "."+string(view)); is && len(after) > 1 && after[0] == '.' {
			of = view
		}
	}
	switch {
	case first == "tombstone" && of != Keys && slices.Contains(c.o.Join, Tombstones):
		return unknown("in the tombstone folder stand .keys files only")
	case first == "tombstone":
		name.Ordered = true // as far as the partition's values are: List decides
		return c.side(name, Tombstones, "a tombstone file", "tombstone file, left out")
	case of != "":
		return c.side(name, of, "a ."+string(of)+" side file", "."+string(of)+" side file, left out")
	}
	number, isDefault := strings.CutPrefix(encoded, "partition=")
	name.Ordered = isDefault && number == strconv.Itoa(int(name.Partition))
	return name, Verdict{Kind: Data}
}

func (c confluent) side(name Name, view View, what, reason string) (Name, Verdict) {
	switch {
	case slices.Contains(c.o.Join, view):
		name.View = view
		return name, Verdict{Kind: Data}
	case slices.Contains(c.o.Ignore, view):
		return Name{}, Verdict{Ignored, reason}
	}
	return unknown(what + " is not read; to read such files with their values: archive.join: [" + string(view) + "], to leave them out: archive.ignore: [" + string(view) + "]")
}
