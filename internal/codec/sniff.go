package codec

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// sniffBytes is enough for every magic and for a Hadoop snappy header.
const sniffBytes = 16

const byteOrderMark = "\xef\xbb\xbf"

var gzipMagic = []byte{0x1f, 0x8b}

// magics names what is known by its first bytes and not read.
var magics = []struct{ prefix, name string }{
	{"\x02\x21\x4c\x18", "lz4 data (legacy framing)"},
	{"PARE", "an encrypted Parquet file"},
	{"ORC", "an ORC file"},
	{"\xff\xfe", "UTF-16 text"},
	{"\xfe\xff", "UTF-16 text"},
}

func hasPrefix(b []byte, prefix string) bool { return strings.HasPrefix(string(b), prefix) }

// supported returns the kind that the first bytes belong to.
func supported(first []byte) string {
	switch {
	case bytes.HasPrefix(first, gzipMagic):
		return Gzip
	case hasPrefix(first, "\x28\xb5\x2f\xfd"), isSkippable(first):
		return Zstd
	case hasPrefix(first, xerialMagic):
		return SnappyXerial
	case hasPrefix(first, framedMagic):
		return SnappyFramed
	case hasPrefix(first, lz4Magic):
		return LZ4
	case hasPrefix(first, "\xfd7zXZ\x00"):
		return XZ
	case hasPrefix(first, zipEntry), hasPrefix(first, zipEnd):
		return Zip
	case isZlib(first):
		return Zlib
	case hasPrefix(first, "BZh") && len(first) >= 10 && first[3] >= '1' && first[3] <= '9' &&
		(string(first[4:10]) == "1AY&SY" || string(first[4:10]) == "\x17\x72\x45\x38\x50\x90"):
		return Bzip2
	case isHadoopSnappy(first):
		return SnappyHadoop
	}
	return Plain
}

// isSkippable reports a skippable zstd frame, whose magic has 16 values.
func isSkippable(first []byte) bool {
	return len(first) >= 4 && first[0]&0xf0 == 0x50 && string(first[1:4]) == "\x2a\x4d\x18"
}

// unsupported names what the first bytes are if it is known and not read, or
// returns "".
func unsupported(first []byte) string {
	for _, m := range magics {
		if hasPrefix(first, m.prefix) {
			return m.name
		}
	}
	if hasPrefix(first, "SEQ") && len(first) > 3 && first[3] < 6 { // 6 is read by package format
		return "a Hadoop SequenceFile of an old version"
	}
	return ""
}

// isHadoopSnappy reports Hadoop's block framing, which has no magic: two
// big-endian lengths, then a raw block that begins with its own length. A block
// grows by at most a sixth and 32 bytes: values framed for a schema registry,
// which begin like a length, name a chunk that is far larger.
func isHadoopSnappy(first []byte) bool {
	if len(first) < 13 {
		return false
	}
	whole, chunk := binary.BigEndian.Uint32(first), binary.BigEndian.Uint32(first[4:])
	inner, n := binary.Uvarint(first[8:])
	return whole < 1<<24 && chunk > 0 && n > 0 && inner > 0 && inner <= uint64(whole) && uint64(chunk) <= 32+inner+inner/6
}
