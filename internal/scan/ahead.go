package scan

import (
	"io"

	"backfill/internal/timing"
)

// aheadPieces buffers of aheadBytes are filled before they are asked for.
const (
	aheadPieces = 4
	aheadBytes  = 256 << 10
)

// piece is a buffer with what was read into it.
type piece struct {
	buf []byte
	n   int
	err error // behind the n bytes
}

// ahead reads on a goroutine of its own, so that an object is decompressed on
// one processor and decoded on another.
type ahead struct {
	buffers    [aheadPieces][]byte
	free, full chan piece // neither ever blocks a sender
	quit, done chan struct{}
	current    piece
	from       int          // in current
	lane       *timing.Lane // of the goroutine that calls Read
}

// start begins to read r, from which nobody else may read until stop. Waiting in
// Read is counted on lane, what r does on its own.
func (a *ahead) start(r *timed, lane *timing.Lane) {
	a.lane = lane
	a.free, a.full = make(chan piece, aheadPieces), make(chan piece, aheadPieces)
	a.quit, a.done = make(chan struct{}), make(chan struct{})
	a.current, a.from = piece{}, 0
	for i := range a.buffers {
		if a.buffers[i] == nil {
			a.buffers[i] = make([]byte, aheadBytes)
		}
		a.free <- piece{buf: a.buffers[i]}
	}
	go fillPieces(r, a.free, a.full, a.quit, a.done)
}

func fillPieces(r *timed, free <-chan piece, full chan<- piece, quit <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	r.lane.Enter(timing.Decompress)
	defer r.lane.Leave()
	for {
		busy := r.lane.Wait(timing.Decode)
		select {
		case <-quit:
			return
		case p := <-free:
			r.lane.Back(busy)
			if p.n, p.err = io.ReadFull(r, p.buf); p.err == io.ErrUnexpectedEOF {
				p.err = io.EOF // of ReadFull; a reader's own comes as codec's error
			}
			full <- p
			if p.err != nil {
				return
			}
		}
	}
}

// stop ends the goroutine; it waits for a Read that is under way.
func (a *ahead) stop() {
	close(a.quit)
	<-a.done
}

// Read gives what was read, then the error that ended it.
func (a *ahead) Read(p []byte) (int, error) {
	for a.from == a.current.n {
		if a.current.err != nil {
			return 0, a.current.err
		}
		if a.current.buf != nil {
			a.free <- piece{buf: a.current.buf}
		}
		busy := a.lane.Wait(timing.Decompress)
		a.current, a.from = <-a.full, 0
		a.lane.Back(busy)
	}
	n := copy(p, a.current.buf[a.from:a.current.n])
	a.from += n
	return n, nil
}
