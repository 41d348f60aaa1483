package redshiftd

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

var (
	// 2 is PLAIN_DICTIONARY, which older writers say and Redshift reads.
	goodEncodings = []format.Encoding{format.Plain, format.Encoding(2), format.RLEDictionary, format.RLE, format.BitPacked}
	// RLE and BIT_PACKED are for levels: values in them (booleans of newer writers) are nowhere confirmed.
	goodPages  = []format.Encoding{format.Plain, format.Encoding(2), format.RLEDictionary}
	goodLevels = []format.Encoding{format.RLE, format.BitPacked}
	goodCodecs = []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Zstd}
)

// checkChunk gives the reason why a column chunk is refused, or nothing.
func checkChunk(f *os.File, size int64, c *format.ColumnChunk) (reason string) {
	defer func() {
		if r := recover(); r != nil {
			reason = fmt.Sprintf("damaged column chunk: %v", r)
		}
	}()
	m := &c.MetaData
	if c.CryptoMetadata.Value != nil {
		return "column is encrypted"
	}
	if !slices.Contains(goodCodecs, m.Codec) {
		return fmt.Sprintf("compression %s is not supported", m.Codec)
	}
	for _, e := range m.Encoding {
		if !slices.Contains(goodEncodings, e) {
			return fmt.Sprintf("encoding %s is not supported", e)
		}
	}
	start := m.DataPageOffset
	if m.DictionaryPageOffset > 0 && (m.DictionaryPageOffset < start || m.NumValues == 0) { // without values there may be no data page
		start = m.DictionaryPageOffset
	}
	if start < 0 || m.TotalCompressedSize < 0 || start > size-m.TotalCompressedSize {
		return "damaged column chunk: it lies outside of the file"
	}
	p := pages{chunk: m, r: bufio.NewReaderSize(io.NewSectionReader(f, start, m.TotalCompressedSize), 4096)}
	return p.check()
}

// pages reads the headers of a chunk's pages, one after the other.
type pages struct {
	chunk      *format.ColumnMetaData
	r          *bufio.Reader
	read       int64 // bytes of headers
	values     int64
	dictionary bool
	// Sizes of all pages, headers not counted.
	compressed, uncompressed int64
}

// ReadByte and Read count what the headers take. The Thrift reader wants both.
func (p *pages) ReadByte() (byte, error) {
	b, err := p.r.ReadByte()
	if err == nil {
		p.read++
	}
	return b, err
}

func (p *pages) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.read += int64(n)
	return n, err
}

// check gives the reason why a page is refused, or the pages together don't make up the chunk that the footer tells of.
// Files have no other sign of damage, unless their writer keeps checksums.
func (p *pages) check() string {
	m := p.chunk
	for p.compressed+p.read < m.TotalCompressedSize {
		var h format.PageHeader
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(p)).Decode(&h); err != nil {
			return "damaged page header: " + err.Error()
		}
		if reason := p.page(&h); reason != "" {
			return reason
		}
		if h.CompressedPageSize < 0 || h.UncompressedPageSize < 0 || m.Codec == format.Uncompressed && h.CompressedPageSize != h.UncompressedPageSize {
			return "damaged page header: sizes that can't be"
		}
		p.compressed += int64(h.CompressedPageSize)
		p.uncompressed += int64(h.UncompressedPageSize)
		if _, err := p.r.Discard(int(h.CompressedPageSize)); err != nil {
			return "damaged page: " + err.Error()
		}
	}
	if p.values != m.NumValues {
		return fmt.Sprintf("damaged column chunk: its pages have %d values, the footer says %d", p.values, m.NumValues)
	}
	if n := p.uncompressed + p.read; n != m.TotalUncompressedSize {
		return fmt.Sprintf("damaged column chunk: its pages have %d bytes uncompressed, the footer says %d", n, m.TotalUncompressedSize)
	}
	return ""
}

// page checks one page's own header and counts its values.
func (p *pages) page(h *format.PageHeader) string {
	switch h.Type {
	case format.DataPage:
		d := h.DataPageHeader.V
		if !slices.Contains(goodPages, d.Encoding) {
			return fmt.Sprintf("page encoding %s is not supported", d.Encoding)
		}
		if !slices.Contains(goodLevels, d.DefinitionLevelEncoding) || !slices.Contains(goodLevels, d.RepetitionLevelEncoding) {
			return "damaged page header: levels in an encoding that has none"
		}
		if !slices.Contains(p.chunk.Encoding, d.Encoding) {
			return fmt.Sprintf("damaged page header: the footer doesn't know of its encoding %s", d.Encoding)
		}
		if d.Encoding != format.Plain && !p.dictionary {
			return "damaged column chunk: it has no dictionary"
		}
		p.values += int64(d.NumValues)
	case format.DictionaryPage:
		p.dictionary = true
	case format.DataPageV2:
		return "data page version 2 is not supported"
	default:
		return fmt.Sprintf("page type %s is not supported", h.Type)
	}
	return ""
}
