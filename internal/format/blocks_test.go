package format

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"

	"backfill/internal/fail"
)

// TestLZ4Blocks: a block that is let through decompresses into the size that
// was said, sound or changed; a sound one always is.
func TestLZ4Blocks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	through := 0
	for size := range 600 {
		text := make([]byte, size)
		for i := range text {
			text[i] = "abcd"[r.IntN(1+size%4)]
			if size%5 == 0 && r.IntN(3) == 0 {
				text[i] = byte(r.Uint32())
			}
		}
		block := make([]byte, lz4.CompressBlockBound(size)+1)
		n, err := new(lz4.CompressorHC).CompressBlock(text, block)
		if err != nil {
			t.Fatal(err)
		}
		block = block[:n]
		if n == 0 {
			continue
		}
		walk := func(most int) error { return walkLZ4(bufio.NewReader(bytes.NewReader(block)), int64(most)) }
		if err := walk(size); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if size > 0 && walk(size-1) == nil {
			t.Fatalf("%d bytes count as one less", size)
		}
		for range 20 {
			block[r.IntN(len(block))] = byte(r.Uint32())
			if walk(size) != nil {
				continue
			}
			through++
			if _, err := lz4.UncompressBlock(block, make([]byte, max(size, 3*len(block)))); err != nil { // as the library does
				t.Fatalf("%x is let through for %d bytes: %v", block, size, err)
			}
		}
	}
	if through < 100 {
		t.Errorf("only %d changed blocks were let through", through)
	}
}

// TestParquetBlocks: pages whose blocks claim more than their headers are
// refused before memory is taken for them.
func TestParquetBlocks(t *testing.T) {
	for name, want := range map[string]string{"lz4_raw_compressed": "LZ4 block is damaged", "alltypes_plain.snappy": "snappy block has"} {
		sound := fixture(t, "parquet/"+name+".parquet")
		refused := 0
		for at := range min(len(sound), 300) {
			body := bytes.Clone(sound)
			body[at] = 0xff
			_, err := readParquet(body)
			if err != nil && strings.Contains(err.Error(), want) {
				refused++
				if !fail.Is(err, fail.Damaged) {
					t.Errorf("%s, byte %d: %v", name, at, err)
				}
			}
		}
		if refused == 0 {
			t.Errorf("%s: no change is refused for its block", name)
		}
	}
}

// TestPagesThatGrow: blocks of the codecs that tell no size are let through when
// they become what the header says, and refused when they become more than
// pages may take.
func TestPagesThatGrow(t *testing.T) {
	const most, pages = 1 << 20, 8 << 20
	write := func(w io.WriteCloser, size int) {
		if _, err := io.CopyN(w, zeros{}, int64(size)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	frames := func(b *bytes.Buffer, size int) {
		b.WriteString("\x50\x2a\x4d\x18\x03\x00\x00\x00abc") // a frame to skip
		for _, options := range [][]zstd.EOption{{zstd.WithEncoderCRC(true)}, {zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderCRC(false)}} {
			w, err := zstd.NewWriter(b, append(options, zstd.WithEncoderConcurrency(1))...)
			if err != nil {
				t.Fatal(err)
			}
			write(w, size/2)
		}
	}
	for codec, compress := range map[format.CompressionCodec]func(*bytes.Buffer, int){
		format.Gzip:   func(b *bytes.Buffer, size int) { write(gzip.NewWriter(b), size) },
		format.Brotli: func(b *bytes.Buffer, size int) { write(brotli.NewWriter(b), size) },
		format.Zstd:   frames,
	} {
		p := &Parquet{limits: Limits{PageBytes: pages}, blocks: bufio.NewReader(nil)}
		become := func(block []byte) error {
			p.blocks.Reset(bytes.NewReader(block))
			return p.become(codec, most)
		}
		var sound, grown bytes.Buffer
		compress(&sound, most)
		compress(&grown, 4*pages)
		if err := become(sound.Bytes()); err != nil {
			t.Errorf("%s: %v", codec, err)
		}
		if err := become(grown.Bytes()); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: %d bytes that become %d: %v", codec, grown.Len(), 4*pages, err)
		}
		if err := become(sound.Bytes()[:sound.Len()/2]); err == nil {
			t.Errorf("%s: half a block is let through", codec)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
