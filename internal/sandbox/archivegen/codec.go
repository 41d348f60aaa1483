package archivegen

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// extension returns the end of the name that a codec is known by.
func extension(codec string) string {
	switch codec {
	case CodecGzip:
		return ".json.gz"
	case CodecZstd:
		return ".json.zst"
	}
	return ".json"
}

// nextCodec returns another codec, each in turn.
func nextCodec(codec string) string {
	switch codec {
	case CodecNone:
		return CodecGzip
	case CodecGzip:
		return CodecZstd
	}
	return CodecNone
}

// packer compresses one body after another, each as one or several members. It keeps its buffers.
type packer struct {
	body bytes.Buffer
	gzip *gzip.Writer
	zstd *zstd.Encoder
	out  io.WriteCloser // the open member
}

func newPacker() (*packer, error) {
	gz, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("preparing gzip: %w", err)
	}
	// One goroutine and a small window: objects are packed in parallel, and memory stays flat.
	zs, err := zstd.NewWriter(io.Discard, zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("preparing zstd: %w", err)
	}
	return &packer{gzip: gz, zstd: zs}, nil
}

// begin starts a new body.
func (p *packer) begin(codec string) {
	p.body.Reset()
	p.member(codec)
}

// member starts a member behind the finished ones.
func (p *packer) member(codec string) {
	switch codec {
	case CodecGzip:
		p.gzip.Reset(&p.body)
		p.out = p.gzip
	case CodecZstd:
		p.zstd.Reset(&p.body)
		p.out = p.zstd
	default:
		p.out = plain{&p.body}
	}
}

// plain is the codec none.
type plain struct{ io.Writer }

func (plain) Close() error { return nil }
