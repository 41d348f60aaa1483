package archive

import (
	"strconv"
	"strings"

	"backfill/internal/kafka"
)

// The reasons for which an object is ignored, as people read them.
const (
	reasonFolder  = "folder marker"
	reasonSuccess = "job marker"
	reasonSum     = "checksum file"
	reasonTemp    = "temporary file"
	reasonIndex   = "index file"
	reasonFailed  = "Firehose error document"
)

// junk returns why a key holds no records whatever the layout, or "".
func junk(key string) string {
	dir, base := split(key)
	switch {
	case base == "_SUCCESS":
		return reasonSuccess
	case strings.HasSuffix(base, "_$folder$"):
		return reasonFolder
	case strings.HasSuffix(base, ".crc"):
		return reasonSum
	case strings.HasSuffix(base, ".tmp"), hasSegment(dir, ".temp-upload"):
		return reasonTemp
	case strings.HasSuffix(base, ".index.json"), hasSegment(dir, ".indexes"),
		strings.HasPrefix(base, "last_chunk_index.") && strings.HasSuffix(base, ".txt"):
		return reasonIndex
	}
	return ""
}

// foreign judges a key that the layout does not claim. Only then does the
// folder of Firehose's error documents count, since a topic may have its name.
func foreign(key, reason string) (Name, Verdict) {
	dir, _ := split(key)
	if hasSegment(dir, "processing-failed") || hasSegment(dir, "format-conversion-failed") {
		return Name{}, Verdict{Ignored, reasonFailed}
	}
	return unknown(reason)
}

// split cuts a key after its last slash; dir has no slash at its end.
func split(key string) (dir, base string) {
	i := strings.LastIndexByte(key, '/')
	return key[:max(i, 0)], key[i+1:]
}

func hasSegment(dir, segment string) bool {
	for s := range strings.SplitSeq(dir, "/") {
		if s == segment {
			return true
		}
	}
	return false
}

// isTopic tells Kafka's legal topic names.
func isTopic(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 249 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// cutDigits splits s after its leading decimal digits.
func cutDigits(s string) (digits, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

// numbers reads partition and offset, or says why they are none. Signs, spaces
// and underscores are refused, leading zeros are not.
func numbers(topic, partition, offset string) (name Name, reason string) {
	p, err := strconv.ParseUint(partition, 10, 31)
	if err != nil {
		return Name{}, "the partition in the key is not a number up to 2147483647"
	}
	o, err := strconv.ParseUint(offset, 10, 63)
	if err != nil {
		return Name{}, "the offset in the key is not a number up to 9223372036854775807"
	}
	return Name{TopicPartition: kafka.TopicPartition{Topic: topic, Partition: kafka.Partition(p)}, FirstOffset: kafka.Offset(o)}, ""
}
