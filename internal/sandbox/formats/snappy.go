package formats

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/snappy"
)

// Sizes of snappy's blocks before compression, as the Java writers cut them.
const (
	xerialBlock = 32 << 10
	hadoopBlock = 256 << 10
)

// SnappyXerial packs a body as snappy-java's SnappyOutputStream does: a header of 16 bytes, then blocks behind their
// lengths.
func SnappyXerial(body []byte) []byte {
	out := append([]byte{}, 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1)
	for len(body) > 0 {
		n := min(len(body), xerialBlock)
		packed := snappy.Encode(nil, body[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(len(packed)))
		out = append(out, packed...)
		body = body[n:]
	}
	return out
}

// SnappyHadoop packs a body as Hadoop's SnappyCodec does: each block behind its length before and after compression.
func SnappyHadoop(body []byte) []byte {
	var out []byte
	for len(body) > 0 {
		n := min(len(body), hadoopBlock)
		packed := snappy.Encode(nil, body[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(n))
		out = binary.BigEndian.AppendUint32(out, uint32(len(packed)))
		out = append(out, packed...)
		body = body[n:]
	}
	return out
}

// SnappyRaw packs a body as one block without a frame.
func SnappyRaw(body []byte) []byte { return snappy.Encode(nil, body) }

// Zip packs a body as the one entry of a zip archive.
func Zip(name string, body []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	entry, err := w.Create(name)
	if err == nil {
		_, err = entry.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("writing a zip archive: %w", err)
	}
	return b.Bytes(), nil
}
