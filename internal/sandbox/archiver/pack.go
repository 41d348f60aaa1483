package archiver

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Codecs of whole bodies that Pack knows.
const (
	None = "none"
	Gzip = "gzip"
	Zstd = "zstd"
)

// Pack compresses a body as one gzip member or zstd frame, always to the same bytes.
func Pack(codec string, body []byte) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch codec {
	case None:
		return body, nil
	case Gzip:
		w, err = gzip.NewWriterLevel(&out, gzip.BestSpeed)
	case Zstd:
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	default:
		return nil, fmt.Errorf("there is no codec %q", codec)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", codec, err)
	}
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("compressing with %s: %w", codec, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing with %s: %w", codec, err)
	}
	return out.Bytes(), nil
}
