package decode

import (
	"bytes"
	"fmt"

	"backfill/internal/kafka"
)

// skip steps over a record that can't be read. Once something is broken,
// records are taken to be lines: reading goes on behind the first newline after
// the record's start, so that a line cut off by a crash costs no other record.
type skip struct {
	active bool
	from   int64 // place of the record's first byte in the stream
	len    int64 // bytes stepped over
	raw    []byte
	reason Reason
	what   string
	at     int64 // byte of the record where reading stopped
}

// startSkip begins at pos because of stop.
func (s *Scanner) startSkip() {
	s.skip = skip{
		active: true, raw: s.skip.raw[:0], from: s.base + int64(s.pos),
		reason: s.stop.reason, what: s.stop.what, at: int64(s.stop.at - s.pos),
	}
}

// skipLine steps over the rest of the line, however many blocks it fills, and
// keeps only what Raw may hold.
func (s *Scanner) skipLine() outcome {
	k := &s.skip
	rest := s.buf[s.pos:s.end]
	n := bytes.IndexByte(rest, '\n')
	whole := n >= 0
	if !whole {
		n = len(rest)
	}
	k.len += int64(n)
	k.raw = append(k.raw, rest[:min(n, s.limits.RawBytes-len(k.raw))]...)
	s.pos += n
	if !whole && !s.eof {
		return hungry
	}
	k.active = false
	s.framing = s.framing.afterSkip()
	where := s.rec.Where
	clear(where)
	s.rec = Record{
		Row: s.number, Start: k.from, Len: k.len, Raw: k.raw, Truncated: int64(len(k.raw)) < k.len,
		Kind: Unreadable, Reason: k.reason, Detail: fmt.Sprintf("%s at byte %d", k.what, k.at),
		Offset: kafka.NoOffset, Where: where,
	}
	s.number++
	return found
}
