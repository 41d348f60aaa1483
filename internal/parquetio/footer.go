package parquetio

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/schema"
)

const magic = "PAR1"

// createdBy names the writer in the footer.
const createdBy = "backfill"

// endGroup writes the row group's chunks to the output.
func (w *Writer) endGroup() error {
	group := format.RowGroup{NumRows: w.groupRows, FileOffset: w.out.n, Ordinal: int16(len(w.groups)), Columns: make([]format.ColumnChunk, len(w.chunks))}
	for i := range w.chunks {
		c := &w.chunks[i]
		c.endPage()
		meta := &group.Columns[i].MetaData
		start := w.out.n
		encodings := []format.Encoding{format.Plain, format.RLE}
		header, body := c.dictionaryPage()
		if header != nil {
			encodings = append(encodings, format.RLEDictionary)
			meta.DictionaryPageOffset = start
			if err := w.out.all(header, body); err != nil {
				return err
			}
		}
		data := w.out.n
		if err := c.pages.writeTo(&w.out); err != nil {
			return err
		}
		*meta = format.ColumnMetaData{
			Type: c.physical, Encoding: encodings, PathInSchema: []string{c.name}, Codec: format.Zstd, NumValues: c.total,
			TotalUncompressedSize: c.uncompressed, TotalCompressedSize: w.out.n - start,
			DataPageOffset: data, DictionaryPageOffset: meta.DictionaryPageOffset, Statistics: format.Statistics{NullCount: c.totalNulls},
		}
		group.Columns[i].FileOffset = start
		group.TotalByteSize += c.uncompressed
		c.begin()
	}
	group.TotalCompressedSize = w.out.n - group.FileOffset
	w.groups = append(w.groups, group)
	w.groupRows, w.written = 0, 0
	return nil
}

// footer ends the file.
func (w *Writer) footer() error {
	meta := format.FileMetaData{Version: 1, Schema: w.schema, NumRows: w.rows, RowGroups: w.groups, CreatedBy: createdBy}
	for _, k := range slices.Sorted(maps.Keys(w.opts.Meta)) {
		meta.KeyValueMetadata = append(meta.KeyValueMetadata, format.KeyValue{Key: k, Value: w.opts.Meta[k]})
	}
	text, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		return fmt.Errorf("encoding the footer: %w", err)
	}
	return w.out.all(text, append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), magic...))
}

// newSchema returns the Parquet schema: one leaf a column, in column order,
// because COPY maps columns by position alone.
func newSchema(cols []column) []format.SchemaElement {
	list := []format.SchemaElement{{Name: "row", NumChildren: thrift.New(int32(len(cols)))}}
	for i := range cols {
		list = append(list, cols[i].element())
	}
	return list
}

// element returns the column's leaf, as the writers declare it whose files are
// known to load. Redshift converts nothing: each of its types loads from one
// physical type and annotation.
func (c *column) element() format.SchemaElement {
	e := format.SchemaElement{Name: c.name, Type: thrift.New(c.physical), RepetitionType: thrift.New(format.Optional)}
	if c.required {
		e.RepetitionType.V = format.Required
	}
	annotate := func(converted deprecated.ConvertedType, logical format.LogicalTypeValue) {
		e.ConvertedType, e.LogicalType.Value = thrift.New(converted), logical
	}
	switch c.typ.Kind {
	case schema.Smallint, schema.Integer, schema.Bigint, schema.Boolean:
	case schema.Date:
		annotate(deprecated.Date, &format.DateType{})
	case schema.Timestamp:
		// Instants, so isAdjustedToUTC. The older annotation TIMESTAMP_MICROS
		// means just that, and Redshift is known to load the UTC wall clock.
		annotate(deprecated.TimestampMicros, &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}}})
	case schema.Decimal:
		annotate(deprecated.Decimal, &format.DecimalType{Scale: int32(c.typ.Scale), Precision: int32(c.typ.Precision)})
		e.Scale, e.Precision = thrift.New(int32(c.typ.Scale)), thrift.New(int32(c.typ.Precision))
		if c.typ.Shape() == schema.Wide {
			e.TypeLength = thrift.New(int32(c.length))
		}
	default:
		annotate(deprecated.UTF8, &format.StringType{})
	}
	return e
}
