package decode

import "io"

// padding is how many zero bytes stand behind the data. A zero byte is valid
// nowhere in JSON, so every loop stops there, and loads of eight bytes may run
// past the end.
const padding = 16

// maxEmptyReads is how often a reader may give nothing before it counts as
// stuck.
const maxEmptyReads = 100

// block is a window on the stream: buf[pos:end] is read and not yet used.
type block struct {
	r       io.Reader
	buf     []byte // padding bytes longer than what it may hold
	pos     int
	end     int
	base    int64 // bytes of the stream before buf[0]
	eof     bool  // the stream ends at end
	readErr error // the stream breaks at end
}

// reset starts on a new stream; refill must come before the first use. A block
// that grew for one long record is given back.
func (b *block) reset(r io.Reader, size int) {
	if len(b.buf) != size+padding {
		b.buf = make([]byte, size+padding)
	}
	*b = block{r: r, buf: b.buf}
}

// refill moves the unused bytes to the front and reads until the block is
// full or the stream ends or breaks. When unused bytes fill the block it
// doubles, up to limit bytes.
func (b *block) refill(limit int) {
	room := len(b.buf) - padding
	if b.pos == 0 && b.end == room {
		grown := make([]byte, max(room, min(2*room, limit))+padding)
		copy(grown, b.buf[:b.end])
		b.buf = grown
	} else {
		copy(b.buf, b.buf[b.pos:b.end])
	}
	b.base += int64(b.pos)
	b.end -= b.pos
	b.pos = 0
	room = len(b.buf) - padding
	for empty := 0; b.end < room && !b.eof && b.readErr == nil; {
		n, err := b.r.Read(b.buf[b.end:room])
		b.end += n
		if empty++; n > 0 {
			empty = 0
		}
		switch {
		case err == io.EOF:
			b.eof = true
		case err != nil:
			b.readErr = err
		case empty == maxEmptyReads:
			b.readErr = io.ErrNoProgress
		}
	}
	clear(b.buf[b.end : b.end+padding])
}
