package format

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// SequenceMagic begins every Hadoop SequenceFile of the version that is read.
const SequenceMagic = "SEQ\x06"

const (
	syncBytes       = 16
	syncEscape      = -1
	maxMetadata     = 1000
	maxText         = 64 << 10 // of the header's texts
	maxBlock        = 64 << 20 // of a block's keys or values, decompressed
	maxBlockRecords = 10_000_000
)

// The classes of keys and values that are read.
const (
	longWritable  = "org.apache.hadoop.io.LongWritable"
	bytesWritable = "org.apache.hadoop.io.BytesWritable"
	textWritable  = "org.apache.hadoop.io.Text"
)

// sequence reads a Hadoop SequenceFile as Pinterest Secor writes it: the key is a
// record's offset, or a MessagePack map of its offset, Kafka key and timestamp.
type sequence struct {
	in         *bufio.Reader
	limits     Limits
	key, value string // classes
	codec      *hadoopCodec
	block      bool
	sync       [syncBytes]byte

	blockKeys, blockValues   []byte // of the block being read, what is left
	keyLengths, valueLengths []byte
	left                     int // records of the block
	record                   []byte
	values                   int64
}

// NewSequence returns the records of a SequenceFile as JSON objects:
//
//	{"offset":17,"value":"eyJpZCI6MX0="}
//
// with "key", and "timestamp" in milliseconds, where the file's keys hold them.
// Bytes become base64. An empty value is null: Secor writes a record without
// value so. Files are uncompressed, or compressed by record or block with a codec
// of Hadoop's. Errors: fail.BadLayout for classes and codecs that are not read,
// fail.Damaged for all that is no SequenceFile. A record that is too long or
// whose key says nothing is a *decode.BadRecord.
func NewSequence(r io.Reader, l Limits) (decode.Records, error) {
	s := &sequence{in: bufio.NewReaderSize(r, readBytes), limits: l.withDefaults()}
	if err := s.header(); err != nil {
		return nil, brokenSequence(err)
	}
	return s, nil
}

func brokenSequence(err error) error {
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	var bad *decode.BadRecord
	var coded *fail.Error
	if errors.As(err, &bad) || errors.As(err, &coded) {
		return err
	}
	return fail.Wrap(err, fail.Damaged, "the SequenceFile is damaged")
}

// header reads what stands before the records.
func (s *sequence) header() error {
	var magic [4]byte
	if _, err := io.ReadFull(s.in, magic[:]); err != nil {
		return whole(err)
	}
	if string(magic[:]) != SequenceMagic {
		return fmt.Errorf("it begins with %q", magic)
	}
	var err error
	if s.key, err = s.text(); err != nil {
		return err
	}
	if s.value, err = s.text(); err != nil {
		return err
	}
	var flags [2]byte
	if _, err := io.ReadFull(s.in, flags[:]); err != nil {
		return whole(err)
	}
	s.block = flags[1] != 0
	if flags[0] != 0 {
		name, err := s.text()
		if err != nil {
			return err
		}
		if s.codec, err = newHadoopCodec(name); err != nil {
			return err
		}
	} else if s.block {
		return errors.New("it is compressed by blocks without a codec")
	}
	if err := s.metadata(); err != nil {
		return err
	}
	if _, err := io.ReadFull(s.in, s.sync[:]); err != nil {
		return whole(err)
	}
	if s.key != longWritable && s.key != bytesWritable {
		return fail.New(fail.BadLayout, "the SequenceFile's keys are %.100q; LongWritable and BytesWritable are read, as Secor writes them", s.key)
	}
	if s.value != bytesWritable && s.value != textWritable {
		return fail.New(fail.BadLayout, "the SequenceFile's values are %.100q; BytesWritable and Text are read", s.value)
	}
	return nil
}

func (s *sequence) metadata() error {
	n, err := s.int32()
	if err != nil {
		return err
	}
	if n < 0 || n > maxMetadata {
		return fmt.Errorf("it has %d pairs of metadata", n)
	}
	for range 2 * n {
		if _, err := s.text(); err != nil {
			return err
		}
	}
	return nil
}

// Next gives the next record.
func (s *sequence) Next(dst []byte) ([]byte, error) {
	out, err := s.next(dst)
	if err != nil {
		return dst, brokenSequence(err)
	}
	return out, nil
}

func (s *sequence) next(dst []byte) ([]byte, error) {
	if s.block {
		key, value, err := s.ofBlock()
		if err != nil {
			return dst, err
		}
		return s.spell(dst, key, value)
	}
	for {
		n, err := s.length()
		switch {
		case err != nil:
			return dst, err
		case n == syncEscape:
			if err := s.synced(); err != nil {
				return dst, err
			}
			continue
		}
		keyLength, err := s.int32()
		switch {
		case err != nil:
			return dst, err
		case n < 0 || keyLength < 0 || keyLength > n:
			return dst, fmt.Errorf("record %d has %d bytes, its key %d", s.values, n, keyLength)
		case int(n) > s.limits.RecordBytes:
			if _, err := io.CopyN(io.Discard, s.in, int64(n)); err != nil {
				return dst, whole(err)
			}
			s.values++
			return dst, &decode.BadRecord{Reason: decode.TooLong, Detail: fmt.Sprintf("the record has %d bytes", n)}
		}
		if s.record, err = readInto(s.record[:0], s.in, int(n)); err != nil {
			return dst, err
		}
		key, value := s.record[:keyLength], s.record[keyLength:]
		if s.codec != nil {
			if value, err = s.codec.open(value, s.limits.RecordBytes); err != nil {
				return dst, err
			}
		}
		return s.spell(dst, key, value)
	}
}

// length reads a record's length; io.EOF where the file ends.
func (s *sequence) length() (int32, error) {
	if _, err := s.in.Peek(1); err == io.EOF {
		return 0, io.EOF
	}
	return s.int32()
}

func (s *sequence) synced() error {
	var mark [syncBytes]byte
	if _, err := io.ReadFull(s.in, mark[:]); err != nil {
		return whole(err)
	}
	if mark != s.sync {
		return fmt.Errorf("the sync marker after record %d is not the file's", s.values)
	}
	return nil
}

// ofBlock gives the next record of a file that is compressed by blocks.
func (s *sequence) ofBlock() (key, value []byte, err error) {
	for s.left == 0 {
		if err := s.readBlock(); err != nil {
			return nil, nil, err
		}
	}
	s.left--
	if key, err = cutLength(&s.keyLengths, &s.blockKeys); err == nil {
		value, err = cutLength(&s.valueLengths, &s.blockValues)
	}
	if err == nil && s.left == 0 && len(s.keyLengths)+len(s.valueLengths)+len(s.blockKeys)+len(s.blockValues) > 0 {
		err = errors.New("a block holds more than its records")
	}
	return key, value, err
}

// readBlock reads a block: the escape and the sync marker, the number of records,
// then key lengths, keys, value lengths and values, each compressed.
func (s *sequence) readBlock() error {
	n, err := s.length()
	switch {
	case err != nil:
		return err
	case n != syncEscape:
		return fmt.Errorf("a block begins with %d instead of the sync escape", n)
	}
	if err := s.synced(); err != nil {
		return err
	}
	records, err := readVInt(s.in)
	if err != nil {
		return err
	}
	if records < 0 || records > maxBlockRecords {
		return fmt.Errorf("a block says that it has %d records", records)
	}
	for _, to := range []*[]byte{&s.keyLengths, &s.blockKeys, &s.valueLengths, &s.blockValues} {
		packed, err := readVInt(s.in)
		if err != nil {
			return err
		}
		if packed < 0 || packed > maxBlock {
			return fmt.Errorf("a part of a block has %d bytes", packed)
		}
		if s.record, err = readInto(s.record[:0], s.in, int(packed)); err != nil {
			return err
		}
		if *to, err = s.codec.open(s.record, maxBlock); err != nil {
			return err
		}
	}
	s.left = int(records)
	return nil
}

// cutLength cuts a text off the front whose length stands at the front of the lengths.
func cutLength(lengths, from *[]byte) ([]byte, error) {
	in := bytes.NewReader(*lengths)
	n, err := readVInt(in)
	if err != nil {
		return nil, errors.New("a block has fewer lengths than records")
	}
	*lengths = (*lengths)[len(*lengths)-in.Len():]
	if n < 0 || n > int64(len(*from)) {
		return nil, fmt.Errorf("a record of a block has %d bytes where %d are left", n, len(*from))
	}
	text := (*from)[:n]
	*from = (*from)[n:]
	return text, nil
}

// spell spells a record.
func (s *sequence) spell(dst, key, value []byte) ([]byte, error) {
	s.values++
	bad := func(reason decode.Reason, format string, args ...any) ([]byte, error) {
		return dst, &decode.BadRecord{Reason: reason, Detail: fmt.Sprintf(format, args...), Raw: value}
	}
	body, err := s.body(value)
	if err != nil {
		return nil, err
	}
	if len(body) > s.limits.RecordBytes {
		return bad(decode.TooLong, "the value has %d bytes", len(body))
	}
	out := append(dst, '{')
	if s.key == longWritable {
		if len(key) != 8 {
			return nil, fmt.Errorf("a LongWritable has %d bytes", len(key))
		}
		out = strconv.AppendInt(append(out, `"offset":`...), int64(binary.BigEndian.Uint64(key)), 10)
	} else {
		packed, err := writableBytes(key)
		if err != nil {
			return nil, err
		}
		if out, err = appendSecorKey(out, packed); err != nil {
			return bad(decode.NoEnvelope, "the key is no MessagePack map of Secor's: %v", err)
		}
	}
	out = append(out, `,"value":`...)
	if len(body) == 0 {
		return append(out, "null}"...), nil
	}
	return append(append(base64.StdEncoding.AppendEncode(append(out, '"'), body), '"'), '}'), nil
}

// body takes the value out of its class.
func (s *sequence) body(value []byte) ([]byte, error) {
	if s.value == bytesWritable {
		return writableBytes(value)
	}
	in := bytes.NewReader(value)
	n, err := readVInt(in)
	if err != nil || n != int64(in.Len()) {
		return nil, errors.New("a Text does not have the length that it says")
	}
	return value[len(value)-in.Len():], nil
}

func writableBytes(b []byte) ([]byte, error) {
	if len(b) < 4 || int64(binary.BigEndian.Uint32(b)) != int64(len(b)-4) {
		return nil, errors.New("a BytesWritable does not have the length that it says")
	}
	return b[4:], nil
}
