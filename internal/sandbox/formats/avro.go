package formats

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// Codecs of Avro's blocks.
const (
	AvroNull    = "null"
	AvroDeflate = "deflate"
	AvroSnappy  = "snappy"
	AvroZstd    = "zstandard"
)

// avroBlock is when a block is written, in bytes; Java's default.
const avroBlock = 64_000

// AvroFile writes an object container file.
type AvroFile struct {
	w      io.Writer
	schema *schema
	codec  string
	sync   [16]byte
	block  []byte
	count  int64
}

// NewAvroFile writes the header of a file of datums of schema. sync is the mark between its blocks: files that must
// come out equal take equal ones. The codecs are null, deflate, snappy and zstandard; bzip2 and xz are refused, for
// want of an encoder.
func NewAvroFile(w io.Writer, schemaText, codec string, sync [16]byte) (*AvroFile, error) {
	s, err := parseSchema(schemaText)
	if err != nil {
		return nil, err
	}
	switch codec {
	case AvroNull, AvroDeflate, AvroSnappy, AvroZstd:
	default:
		return nil, fmt.Errorf("avro codec %q: want null, deflate, snappy or zstandard", codec)
	}
	header := append([]byte{}, "Obj\x01"...)
	meta := [][2]string{{"avro.schema", schemaText}, {"avro.codec", codec}}
	header = binary.AppendVarint(header, int64(len(meta)))
	for _, m := range meta {
		header = appendText(appendText(header, m[0]), m[1])
	}
	header = append(append(header, 0), sync[:]...)
	if _, err := w.Write(header); err != nil {
		return nil, fmt.Errorf("writing the Avro header: %w", err)
	}
	return &AvroFile{w: w, schema: s, codec: codec, sync: sync}, nil
}

// Append adds a datum; after an error the file must be given up.
func (f *AvroFile) Append(datum any) error {
	var err error
	if f.block, err = appendAvro(f.block, f.schema, datum); err != nil {
		return fmt.Errorf("encoding Avro: %w", err)
	}
	f.count++
	if len(f.block) >= avroBlock {
		return f.flush()
	}
	return nil
}

// Close writes the last block. It does not close what the file is written to.
func (f *AvroFile) Close() error {
	if f.count == 0 {
		return nil
	}
	return f.flush()
}

func (f *AvroFile) flush() error {
	packed, err := f.pack()
	if err != nil {
		return fmt.Errorf("compressing an Avro block: %w", err)
	}
	head := binary.AppendVarint(binary.AppendVarint(nil, f.count), int64(len(packed)))
	for _, part := range [][]byte{head, packed, f.sync[:]} {
		if _, err := f.w.Write(part); err != nil {
			return fmt.Errorf("writing an Avro block: %w", err)
		}
	}
	f.block, f.count = f.block[:0], 0
	return nil
}

func (f *AvroFile) pack() ([]byte, error) {
	switch f.codec {
	case AvroDeflate:
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestSpeed)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.block); err != nil {
			return nil, err
		}
		err = w.Close()
		return b.Bytes(), err
	case AvroSnappy:
		return binary.BigEndian.AppendUint32(snappy.Encode(nil, f.block), crc32.ChecksumIEEE(f.block)), nil
	case AvroZstd:
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return e.EncodeAll(f.block, nil), e.Close()
	}
	return f.block, nil
}

// Avro is a schema that datums are written by one at a time, as they stand behind the frame of a schema registry.
type Avro struct{ schema *schema }

// ParseAvro reads an Avro schema in JSON.
func ParseAvro(schemaText string) (Avro, error) {
	s, err := parseSchema(schemaText)
	return Avro{s}, err
}

// AppendJSON gives a JSON value, its numbers as json.Number, the schema's types and appends it in binary. Decimals are
// given as amounts; a value with fields that the schema lacks is an error.
func (a Avro) AppendJSON(buf []byte, value any) ([]byte, error) {
	datum, err := fit(a.schema, value)
	if err != nil {
		return nil, err
	}
	return a.Append(buf, datum)
}

// Append appends a datum in binary.
func (a Avro) Append(buf []byte, datum any) ([]byte, error) { return appendAvro(buf, a.schema, datum) }

func appendText(buf []byte, s string) []byte {
	return append(binary.AppendVarint(buf, int64(len(s))), s...)
}

// appendAvro appends the binary encoding of a datum.
func appendAvro(buf []byte, s *schema, datum any) ([]byte, error) {
	if s.nullable {
		if datum == nil {
			return append(buf, 0), nil
		}
		buf = append(buf, 2) // branch 1
	}
	switch v := datum.(type) {
	case nil:
		if s.kind == "null" {
			return buf, nil
		}
	case bool:
		if s.kind == "boolean" && v {
			return append(buf, 1), nil
		} else if s.kind == "boolean" {
			return append(buf, 0), nil
		}
	case int64:
		if s.kind == "long" || s.kind == "int" && int64(int32(v)) == v {
			return binary.AppendVarint(buf, v), nil
		}
	case float64:
		if s.kind == "double" {
			return binary.LittleEndian.AppendUint64(buf, math.Float64bits(v)), nil
		}
	case string:
		if s.kind == "string" {
			return appendText(buf, v), nil
		}
	case []byte:
		if s.kind == "bytes" {
			return appendText(buf, string(v)), nil
		}
	case []any:
		if s.kind == "array" {
			return appendAvroArray(buf, s, v)
		}
	case map[string]any:
		switch s.kind {
		case "record":
			return appendAvroRecord(buf, s, v)
		case "map":
			return appendAvroMap(buf, s, v)
		}
	}
	return nil, s.misfit(datum)
}

func appendAvroRecord(buf []byte, s *schema, record map[string]any) ([]byte, error) {
	var err error
	known := 0
	for _, f := range s.fields {
		v, ok := record[f.name]
		if ok {
			known++
		}
		if buf, err = appendAvro(buf, f.schema, v); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if known != len(record) {
		return nil, fmt.Errorf("the record has fields %v that %s lacks", slices.Sorted(maps.Keys(record)), s.name)
	}
	return buf, nil
}

func appendAvroArray(buf []byte, s *schema, items []any) ([]byte, error) {
	var err error
	if len(items) > 0 {
		buf = binary.AppendVarint(buf, int64(len(items)))
	}
	for _, v := range items {
		if buf, err = appendAvro(buf, s.items, v); err != nil {
			return nil, err
		}
	}
	return append(buf, 0), nil
}

func appendAvroMap(buf []byte, s *schema, entries map[string]any) ([]byte, error) {
	var err error
	if len(entries) > 0 {
		buf = binary.AppendVarint(buf, int64(len(entries)))
	}
	for _, k := range slices.Sorted(maps.Keys(entries)) {
		if buf, err = appendAvro(appendText(buf, k), s.items, entries[k]); err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
	}
	return append(buf, 0), nil
}
