package format

import (
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/fail"
)

const (
	maxPages      = 1_000_000
	valueBytes    = 16 // that a value of a page may take beside its own bytes: levels, offsets, indexes
	maxPageHeader = 64 << 10
)

// survey walks over all pages' headers before one is read: the library takes
// the memory that they claim. A page must not claim more than the limit, nor
// the pages that are open at once.
func (p *Parquet) survey() error {
	meta := p.file.Metadata()
	pages := 0
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		var need int64
		for c := range group.Columns {
			most, err := p.surveyColumn(&group.Columns[c].MetaData, &pages)
			if err != nil {
				return err
			}
			if need += most; need > p.limits.PageBytes {
				return fail.New(fail.Memory, "row group %d of the Parquet file needs more than %d bytes for its open pages", g, p.limits.PageBytes).
					Try("have the archiver write smaller pages, or give the pod more memory")
			}
		}
	}
	return nil
}

// empty reports whether a page's values are nothing, and said to be compressed:
// the format allows it, and the library takes it for a damaged page.
func empty(h *format.PageHeader, codec format.CompressionCodec) bool {
	v := &h.DataPageHeaderV2.V
	compressed := !v.IsCompressed.Valid || v.IsCompressed.V
	return codec != format.Uncompressed && compressed && v.NumValues > 0 &&
		int64(h.CompressedPageSize) == int64(v.RepetitionLevelsByteLength)+int64(v.DefinitionLevelsByteLength)
}

// surveyColumn returns the bytes that the dictionary and the largest page of a
// column take.
func (p *Parquet) surveyColumn(m *format.ColumnMetaData, pages *int) (int64, error) {
	switch m.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd, format.Lz4Raw:
	default:
		return 0, fail.New(fail.BadLayout, "the Parquet file's codec %s is not read", m.Codec).
			Try("have the archiver write snappy, gzip, brotli, zstd, lz4_raw or none")
	}
	start := m.DataPageOffset
	if m.DictionaryPageOffset > 0 && m.DictionaryPageOffset < start {
		start = m.DictionaryPageOffset
	}
	end := start + m.TotalCompressedSize
	if start < 0 || m.TotalCompressedSize < 0 || m.NumValues < 0 || end > p.spool.size {
		return 0, damaged(fmt.Errorf("a column's pages lie outside of it"))
	}
	var dictionary, largest, values int64
	head := make([]byte, maxPageHeader)
	for at := start; at < end && values < m.NumValues; {
		text := head[:min(end-at, maxPageHeader)]
		if _, err := p.spool.ReadAt(text, at); err != nil {
			return 0, damaged(err)
		}
		w := walker{b: text}
		if !w.structure(0) {
			return 0, damaged(errThrift)
		}
		var h format.PageHeader
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), text[:w.pos], &h); err != nil {
			return 0, damaged(fmt.Errorf("a page's header: %w", err))
		}
		size := int64(w.pos) + int64(h.CompressedPageSize)
		var count int64
		switch {
		case h.DictionaryPageHeader.Valid:
			count = int64(h.DictionaryPageHeader.V.NumValues)
		case h.DataPageHeader.Valid:
			count = int64(h.DataPageHeader.V.NumValues)
		case h.DataPageHeaderV2.Valid:
			count = int64(h.DataPageHeaderV2.V.NumValues)
			if empty(&h, m.Codec) {
				return 0, fail.New(fail.BadLayout, "the Parquet file has a data page V2 of NULLs alone, compressed to nothing, which is not read").
					Try("have the archiver write data pages of version 1, or without compression")
			}
		}
		if h.CompressedPageSize < 0 || h.UncompressedPageSize < 0 || count < 0 || size > end-at {
			return 0, damaged(fmt.Errorf("a page claims %d bytes of %d that are left", size, end-at))
		}
		if err := p.surveyBlock(&h, m.Codec, at+int64(w.pos)); err != nil {
			return 0, err
		}
		if *pages++; *pages > maxPages {
			return 0, fail.New(fail.BadLayout, "the Parquet file has more than %d pages", maxPages)
		}
		takes := int64(h.UncompressedPageSize) + int64(h.CompressedPageSize) + valueBytes*count
		if h.DictionaryPageHeader.Valid {
			dictionary = max(dictionary, takes)
		} else {
			largest = max(largest, takes)
			values += count
		}
		at += size
	}
	return dictionary + largest, nil
}
