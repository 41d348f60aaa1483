package scan

import (
	"io"

	"backfill/internal/codec"
	"backfill/internal/runplan"
	"backfill/internal/timing"
)

// timed counts where the time of reading goes: once per read, which is a block.
//
//	body ── waited for ──▶ codec ── decompressing ──▶ decoder
type timed struct {
	lane  *timing.Lane // of the goroutine that decompresses
	body  io.Reader
	plain io.Reader
}

// fetched is the compressed side of timed.
type fetched struct{ *timed }

// Read reads the object; the time until bytes are there is waited for S3.
func (f fetched) Read(b []byte) (int, error) {
	at := f.lane.Wait(timing.Fetch)
	n, err := f.body.Read(b)
	f.lane.Back(at)
	f.lane.Passed(timing.Fetch, int64(n), 0)
	return n, err
}

// Read gives decompressed bytes.
func (t *timed) Read(b []byte) (int, error) {
	at := t.lane.Enter(timing.Decompress)
	n, err := t.plain.Read(b)
	t.lane.Back(at)
	t.lane.Passed(timing.Decompress, int64(n), 0)
	return n, err
}

// read counts the object as one that was read to its end.
func (p *pass) read(ref runplan.ObjectRef) {
	p.o.Lane.Passed(timing.Decode, 0, p.object.Records)
	if kind := p.plain.Kind(); kind != codec.Plain && kind != codec.Empty {
		p.o.Lane.Unpacked(kind, ref.Size)
	}
}
