package codec

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"
)

const (
	zipEntry      = "PK\x03\x04"
	zipDescriptor = "PK\x07\x08"
	zipDirectory  = "PK\x01\x02"
	zipEnd        = "PK\x05\x06"
	zipHeader     = 30
	zipEndBytes   = 22
	zipEncrypted  = 1 << 0
	zipDeferred   = 1 << 3 // checksum and sizes follow the data
	maxDirectory  = 16 << 20
)

var (
	errZip       = errors.New("the zip archive is invalid")
	errZipCoding = errors.New("a zip entry is encrypted or compressed by another method than deflate")
	errZipSum    = errors.New("the checksum of a zip entry differs")
	errZlib      = errors.New("the zlib header or checksum is invalid")
)

// zipped reads the entries of a zip archive one after another, without going
// back: what it reads is checked against the directory behind them.
type zipped struct {
	in       *bufio.Reader
	body     inflater
	open     bool
	deferred bool
	stored   io.Reader // an entry without compression
	sum      hash.Hash32
	size     uint64
	want     uint32 // checksum, unless deferred
	entries  int
	ready    []byte
	scratch  []byte
}

func (z *zipped) start(in *bufio.Reader) {
	z.in, z.open, z.entries, z.ready, z.sum = in, false, 0, nil, crc32.NewIEEE()
}

// Read gives the bytes of all entries.
func (z *zipped) Read(p []byte) (int, error) {
	for len(z.ready) == 0 {
		if err := z.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.ready)
	z.ready = z.ready[n:]
	return n, nil
}

func (z *zipped) fill() error {
	if !z.open {
		return z.next()
	}
	var err error
	if z.stored != nil {
		if z.scratch == nil {
			z.scratch = make([]byte, readAhead)
		}
		var n int
		n, err = z.stored.Read(z.scratch)
		z.ready = z.scratch[:n]
	} else {
		z.ready, err = z.body.more()
	}
	_, _ = z.sum.Write(z.ready)
	z.size += uint64(len(z.ready))
	if err == io.EOF {
		z.open = false
		return z.endEntry()
	}
	return cutOff(err)
}

// next begins the next entry, or checks the directory and ends.
func (z *zipped) next() error {
	head, err := z.in.Peek(zipHeader)
	if !hasPrefix(head, zipEntry) {
		if len(head) < 4 && err != nil {
			return cutOff(err)
		}
		return z.directory()
	}
	if err != nil {
		return cutOff(err)
	}
	flags, method := binary.LittleEndian.Uint16(head[6:]), binary.LittleEndian.Uint16(head[8:])
	z.want = binary.LittleEndian.Uint32(head[14:])
	packed, plain := binary.LittleEndian.Uint32(head[18:]), binary.LittleEndian.Uint32(head[22:])
	extra := int(binary.LittleEndian.Uint16(head[26:])) + int(binary.LittleEndian.Uint16(head[28:]))
	z.deferred = flags&zipDeferred != 0
	wide := packed == 1<<32-1 || plain == 1<<32-1
	if flags&zipEncrypted != 0 || method != 0 && method != 8 || method == 0 && (z.deferred || wide) {
		return errZipCoding
	}
	if _, err := z.in.Discard(zipHeader + extra); err != nil {
		return cutOff(err)
	}
	if z.stored = nil; method == 0 {
		z.stored = &exactly{r: z.in, left: int64(packed)}
	} else {
		z.body.start(z.in)
	}
	z.sum.Reset()
	z.size, z.open = 0, true
	z.entries++
	return nil
}

// endEntry checks an entry that was read.
func (z *zipped) endEntry() error {
	if z.deferred {
		if head, _ := z.in.Peek(4); hasPrefix(head, zipDescriptor) {
			_, _ = z.in.Discard(4)
		}
		var tail [20]byte // checksum and two sizes of four bytes, or of eight
		if _, err := io.ReadFull(z.in, tail[:12]); err != nil {
			return cutOff(err)
		}
		z.want = binary.LittleEndian.Uint32(tail[:])
		if uint64(binary.LittleEndian.Uint32(tail[8:])) != z.size {
			if _, err := io.ReadFull(z.in, tail[12:]); err != nil {
				return cutOff(err)
			}
			if binary.LittleEndian.Uint64(tail[12:]) != z.size {
				return errZip
			}
		}
	}
	if z.sum.Sum32() != z.want {
		return errZipSum
	}
	return nil
}

// directory reads the archive's end, which says how many entries there are.
func (z *zipped) directory() error {
	rest, err := io.ReadAll(io.LimitReader(z.in, maxDirectory))
	if err != nil {
		return err
	}
	at := bytes.LastIndex(rest, []byte(zipEnd))
	if !hasPrefix(rest, zipDirectory) && at != 0 {
		return errZip
	}
	if at < 0 || len(rest)-at < zipEndBytes {
		return io.ErrUnexpectedEOF
	}
	end := rest[at:]
	if int(binary.LittleEndian.Uint16(end[10:])) != z.entries&0xffff {
		return errZip
	}
	if len(end) != zipEndBytes+int(binary.LittleEndian.Uint16(end[20:])) {
		return errTrailing
	}
	return io.EOF
}

// exactly reads so many bytes and demands them all.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	return n, cutOff(err)
}

// zlibbed reads one zlib stream (RFC 1950).
type zlibbed struct {
	in    *bufio.Reader
	body  inflater
	sum   hash.Hash32
	ready []byte
	done  bool
}

// isZlib reports a zlib header as compressors write it. `x^`, the fourth of
// them, is left out: text may begin so.
func isZlib(first []byte) bool {
	return hasPrefix(first, "\x78\x01") || hasPrefix(first, "\x78\x9c") || hasPrefix(first, "\x78\xda")
}

func (z *zlibbed) start(in *bufio.Reader) {
	_, _ = in.Discard(2) // looked at before
	z.in, z.sum, z.ready, z.done = in, adler32.New(), nil, false
	z.body.start(in)
}

// Read gives the bytes of the stream.
func (z *zlibbed) Read(p []byte) (int, error) {
	for len(z.ready) == 0 {
		if z.done {
			return 0, io.EOF
		}
		fresh, err := z.body.more()
		_, _ = z.sum.Write(fresh)
		z.ready = fresh
		switch {
		case err == io.EOF:
			if err := z.end(); err != nil {
				return 0, err
			}
			z.done = true
		case err != nil:
			return 0, cutOff(err)
		}
	}
	n := copy(p, z.ready)
	z.ready = z.ready[n:]
	return n, nil
}

func (z *zlibbed) end() error {
	var tail [4]byte
	if _, err := io.ReadFull(z.in, tail[:]); err != nil {
		return cutOff(err)
	}
	if binary.BigEndian.Uint32(tail[:]) != z.sum.Sum32() {
		return errZlib
	}
	if rest, _ := z.in.Peek(1); len(rest) > 0 {
		return errTrailing
	}
	return nil
}
