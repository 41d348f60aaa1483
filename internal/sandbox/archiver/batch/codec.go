package batch

import (
	"fmt"
	"strings"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/formats"
)

// Codec compresses a whole body.
type Codec struct {
	Name string
	Ext  string // of the object's name
}

// Choose returns the codec of a name out of an archiver's own, the first of which is its default.
func Choose(name string, own ...Codec) (Codec, error) {
	if name == "" {
		return own[0], nil
	}
	var names []string
	for _, c := range own {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Codec{}, fmt.Errorf("the archiver does not write the codec %s: it knows %s", name, strings.Join(names, ", "))
}

// The dialects of snappy, and zip, beside the codecs of archiver.
const (
	SnappyXerial = "snappy-xerial"
	SnappyHadoop = "snappy-hadoop"
	SnappyRaw    = "snappy-raw"
	ZipCodec     = "zip"
)

func (c Codec) members() bool { return c.Name == archiver.Gzip || c.Name == archiver.Zstd }

// packParts compresses a body; gzip and zstd in so many members, cut anywhere.
func (c Codec) packParts(body []byte, parts int) ([]byte, error) {
	if !c.members() {
		return c.pack(body)
	}
	var out []byte
	for i := range parts {
		packed, err := c.pack(body[len(body)*i/parts : len(body)*(i+1)/parts])
		if err != nil {
			return nil, err
		}
		out = append(out, packed...)
	}
	return out, nil
}

func (c Codec) pack(body []byte) ([]byte, error) {
	switch c.Name {
	case SnappyXerial:
		return formats.SnappyXerial(body), nil
	case SnappyHadoop:
		return formats.SnappyHadoop(body), nil
	case SnappyRaw:
		return formats.SnappyRaw(body), nil
	case ZipCodec:
		return formats.Zip(UUID(uint64(len(body)), "zip entry", 0), body)
	}
	return archiver.Pack(c.Name, body)
}
