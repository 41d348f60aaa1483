package codec

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// The flags of a gzip header (RFC 1952), and the longest name or comment taken,
// as in the standard library.
const (
	flagChecksum = 1 << 1
	flagExtra    = 1 << 2
	flagName     = 1 << 3
	flagComment  = 1 << 4
	maxHeadText  = 512

	flagsReserved = 0xe0

	methodDeflate = 8
	trailerBytes  = 8
)

var (
	errHeader   = errors.New("the gzip header is invalid")
	errChecksum = errors.New("the gzip checksum or size differs")
)

// members reads gzip members one after another until the input ends.
type members struct {
	in       *bufio.Reader
	open     bool // inside a member
	body     inflater
	ready    []byte // inflated, checked in, not given yet
	checksum uint32
	size     uint32 // modulo 2^32, as the member's end gives it
	head     []byte // scratch: a header's bytes
}

func (m *members) start(in *bufio.Reader) { m.in, m.open, m.ready = in, false, nil }

// Read gives the bytes of all members. The end of the input is an end only
// right behind a member.
func (m *members) Read(p []byte) (int, error) {
	for len(m.ready) == 0 {
		if err := m.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, m.ready)
	m.ready = m.ready[n:]
	return n, nil
}

// fill makes more bytes ready, or begins or ends a member.
func (m *members) fill() error {
	if !m.open {
		return m.next()
	}
	fresh, err := m.body.more()
	m.checksum = crc32.Update(m.checksum, crc32.IEEETable, fresh)
	m.size += uint32(len(fresh))
	m.ready = fresh
	switch {
	case err == nil:
		return nil
	case err != io.EOF:
		if rest, _ := m.in.Peek(trailerBytes); err == errDeflate && len(rest) < trailerBytes {
			err = io.ErrUnexpectedEOF // sound data has a trailer behind it
		}
		return err
	}
	var tail [trailerBytes]byte
	if _, err := io.ReadFull(m.in, tail[:]); err != nil {
		return cutOff(err)
	}
	if binary.LittleEndian.Uint32(tail[:]) != m.checksum || binary.LittleEndian.Uint32(tail[4:]) != m.size {
		return errChecksum
	}
	m.open = false
	return nil
}

// next begins the next member; io.EOF says that there is none.
func (m *members) next() error {
	first, err := m.in.Peek(len(gzipMagic))
	switch {
	case len(first) == 0 && err != nil:
		return err
	case !bytes.Equal(first, gzipMagic):
		return m.trailing()
	}
	if err := m.header(); err != nil {
		return cutOff(err)
	}
	m.body.start(m.in)
	m.open, m.checksum, m.size = true, 0, 0
	return nil
}

// header reads a member's header, whose fields tell nothing of use here.
func (m *members) header() error {
	m.head = m.head[:0]
	fixed, err := m.headBytes(10)
	if err != nil {
		return err
	}
	flags := fixed[3]
	if fixed[2] != methodDeflate || flags&flagsReserved != 0 {
		return errHeader
	}
	if flags&flagExtra != 0 {
		size, err := m.headBytes(2)
		if err == nil {
			_, err = m.headBytes(int(binary.LittleEndian.Uint16(size)))
		}
		if err != nil {
			return err
		}
	}
	for _, text := range []byte{flagName, flagComment} {
		if flags&text != 0 {
			if err := m.headText(); err != nil {
				return err
			}
		}
	}
	if flags&flagChecksum != 0 {
		sum := uint16(crc32.ChecksumIEEE(m.head))
		given, err := m.headBytes(2)
		if err != nil {
			return err
		}
		if binary.LittleEndian.Uint16(given) != sum {
			return errHeader
		}
	}
	return nil
}

// headBytes reads n bytes of the header; they are valid until the next call.
func (m *members) headBytes(n int) ([]byte, error) {
	from := len(m.head)
	m.head = append(m.head, make([]byte, n)...)
	_, err := io.ReadFull(m.in, m.head[from:])
	return m.head[from:], err
}

// headText reads a text that ends in a zero byte.
func (m *members) headText() error {
	for range maxHeadText {
		c, err := m.headBytes(1)
		if err != nil || c[0] == 0 {
			return err
		}
	}
	return errHeader
}

// trailing tells zero padding, which some storage tools leave, from garbage.
func (m *members) trailing() error {
	rest, _ := m.in.Peek(m.in.Size())
	if len(bytes.Trim(rest, "\x00")) == 0 {
		return errPadding
	}
	return errTrailing
}
