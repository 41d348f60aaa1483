package formats

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
)

// Classes of the keys and values of a sequence file.
const (
	LongWritable  = "org.apache.hadoop.io.LongWritable"
	BytesWritable = "org.apache.hadoop.io.BytesWritable"
)

const (
	sequenceSync  = 2000      // bytes between two marks of a file without compression
	sequenceBlock = 1_000_000 // bytes of a compressed block
)

// SequenceFile writes a Hadoop sequence file, version 6: without compression, or in blocks of the codec DefaultCodec
// (zlib).
type SequenceFile struct {
	w       io.Writer
	sync    [16]byte
	blocks  bool
	since   int       // bytes since the last mark
	count   int       // records of the open block
	columns [4][]byte // of the open block: key lengths, keys, value lengths, values
}

// NewSequenceFile writes the header. Values are BytesWritable; the keys' class is keyClass.
func NewSequenceFile(w io.Writer, keyClass string, blocks bool, sync [16]byte) (*SequenceFile, error) {
	head := []byte("SEQ\x06")
	head = appendHadoopText(appendHadoopText(head, keyClass), BytesWritable)
	head = append(head, 0, 0)
	if blocks {
		head[len(head)-2], head[len(head)-1] = 1, 1
		head = appendHadoopText(head, "org.apache.hadoop.io.compress.DefaultCodec")
	}
	head = append(head, 0, 0, 0, 0) // no metadata
	if _, err := w.Write(append(head, sync[:]...)); err != nil {
		return nil, fmt.Errorf("writing the header of a sequence file: %w", err)
	}
	return &SequenceFile{w: w, sync: sync, blocks: blocks}, nil
}

// AppendLong adds a record whose key is a LongWritable.
func (f *SequenceFile) AppendLong(key int64, value []byte) error {
	return f.append(binary.BigEndian.AppendUint64(nil, uint64(key)), value)
}

// AppendBytes adds a record whose key is a BytesWritable.
func (f *SequenceFile) AppendBytes(key, value []byte) error { return f.append(writable(key), value) }

// writable is a BytesWritable: its length in four bytes, and the bytes.
func writable(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func (f *SequenceFile) append(key, value []byte) error {
	value = writable(value)
	if f.blocks {
		f.columns[0] = appendVInt(f.columns[0], int64(len(key)))
		f.columns[1] = append(f.columns[1], key...)
		f.columns[2] = appendVInt(f.columns[2], int64(len(value)))
		f.columns[3] = append(f.columns[3], value...)
		f.count++
		if len(f.columns[1])+len(f.columns[3]) >= sequenceBlock {
			return f.flush()
		}
		return nil
	}
	var out []byte
	if f.since >= sequenceSync {
		out = f.mark(out)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(key)+len(value)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(key)))
	out = append(append(out, key...), value...)
	f.since += len(out)
	return f.write(out)
}

// Close writes the last block. It does not close what the file is written to.
func (f *SequenceFile) Close() error {
	if f.count == 0 {
		return nil
	}
	return f.flush()
}

func (f *SequenceFile) flush() error {
	out := appendVInt(f.mark(nil), int64(f.count))
	for i, column := range f.columns {
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		if _, err := z.Write(column); err != nil {
			return fmt.Errorf("compressing a sequence file: %w", err)
		}
		if err := z.Close(); err != nil {
			return fmt.Errorf("compressing a sequence file: %w", err)
		}
		out = append(appendVInt(out, int64(packed.Len())), packed.Bytes()...)
		f.columns[i] = column[:0]
	}
	f.count = 0
	return f.write(out)
}

func (f *SequenceFile) mark(out []byte) []byte {
	f.since = 0
	return append(append(out, 0xff, 0xff, 0xff, 0xff), f.sync[:]...)
}

func (f *SequenceFile) write(b []byte) error {
	if _, err := f.w.Write(b); err != nil {
		return fmt.Errorf("writing a sequence file: %w", err)
	}
	return nil
}

func appendHadoopText(buf []byte, s string) []byte {
	return append(appendVInt(buf, int64(len(s))), s...)
}

// appendVInt appends an integer as WritableUtils.writeVLong does.
func appendVInt(buf []byte, n int64) []byte {
	if n >= -112 && n <= 127 {
		return append(buf, byte(n))
	}
	head := -112
	if n < 0 {
		n, head = ^n, -120
	}
	size := 0
	for k := uint64(n); k > 0; k >>= 8 {
		size++
	}
	buf = append(buf, byte(head-size))
	for i := size - 1; i >= 0; i-- {
		buf = append(buf, byte(n>>(8*i)))
	}
	return buf
}

// SecorKey is the key of Secor's MessagePack variant: a map from 1 to the offset, from 2 to the record's key, left out
// where it is nil, and from 3 to the time in milliseconds, left out where it is negative: the record has none.
func SecorKey(offset int64, key []byte, millis int64) []byte {
	out := []byte{0x81}
	if key != nil {
		out[0]++
	}
	if millis >= 0 {
		out[0]++
	}
	out = binary.BigEndian.AppendUint64(append(out, 1, 0xd3), uint64(offset))
	if key != nil {
		out = append(binary.BigEndian.AppendUint32(append(out, 2, 0xc6), uint32(len(key))), key...)
	}
	if millis < 0 {
		return out
	}
	return binary.BigEndian.AppendUint64(append(out, 3, 0xd3), uint64(millis))
}
