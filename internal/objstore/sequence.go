package objstore

import (
	"context"
	"fmt"
	"io"

	"backfill/internal/fail"
)

// Pieces up to smallPiece bytes are got smallPieces at a time, larger ones
// largePieces: many small objects wait for answers, large ones for bytes.
const (
	smallPiece  = 64 << 10
	smallPieces = 16
	largePieces = 4
)

// SequenceBytes returns the most bytes that a Sequence with pieces of the given
// size holds.
func SequenceBytes(bytes int) int64 {
	return smallPieces*smallPiece + largePieces*int64(bytes)
}

// Sequence reads planned objects one after another and gets the bytes to come
// before they are asked for, large objects in pieces at once:
//
//	objects   │ a │ b         │ c │ d …
//	pieces    │ a │ b1│ b2│ b3│ c │
//	            ▲   └── on their way ──┘ next: d
//	            └ being read
//
// What is got ahead is bounded by its buffers: a piece is asked for when one is
// free. Every piece must be of the planned version. Over a local folder it
// opens objects when they are asked for. It is owned by one goroutine.
type Sequence struct {
	store   *Store
	s3      *s3Store // nil: a local folder
	size    int64    // of a piece
	objects []Object

	ctx    context.Context
	cancel context.CancelFunc
	queue  []*piece // in order, the one being read first
	object int      // the next piece to ask for
	from   int64
	small  [][]byte // free buffers
	large  [][]byte
}

// piece is a part of an object.
type piece struct {
	object   int
	from, to int64
	buf      []byte
	done     chan struct{} // closed when buf is filled, or err is set
	err      error
}

// Sequence returns a sequence with pieces of the given bytes; Start comes first.
func (s *Store) Sequence(bytes int) *Sequence {
	q := &Sequence{store: s, size: int64(max(bytes, smallPiece+1))}
	if b, ok := s.backend.(*s3Store); ok {
		q.s3 = b
		for range smallPieces {
			q.small = append(q.small, nil)
		}
		for range largePieces {
			q.large = append(q.large, nil)
		}
	}
	return q
}

// Start begins to get the objects, which are listed ones, in order. A sequence
// that runs is stopped first.
func (q *Sequence) Start(ctx context.Context, objects []Object) {
	q.Stop()
	q.objects = objects
	q.ctx, q.cancel = context.WithCancel(ctx)
	q.object, q.from = 0, 0
	q.ask()
}

// Stop gives up what is on its way and waits for it.
func (q *Sequence) Stop() {
	if q.cancel == nil {
		return
	}
	q.cancel()
	for len(q.queue) > 0 {
		q.drop()
	}
	q.cancel, q.objects = nil, nil
}

// ask gets pieces as long as there are free buffers for the next one.
func (q *Sequence) ask() {
	for q.s3 != nil && q.object < len(q.objects) {
		o := &q.objects[q.object]
		p := &piece{object: q.object, from: q.from, to: min(o.Size, q.from+q.size), done: make(chan struct{})}
		free := &q.small
		if p.to-p.from > smallPiece {
			free = &q.large
		}
		n := len(*free)
		if n == 0 {
			return
		}
		p.buf, *free = (*free)[n-1], (*free)[:n-1]
		q.queue = append(q.queue, p)
		if q.from = p.to; q.from >= o.Size {
			q.object, q.from = q.object+1, 0
		}
		go q.get(q.ctx, p, *o)
	}
}

// get fills a piece.
func (q *Sequence) get(ctx context.Context, p *piece, o Object) {
	defer close(p.done)
	n := int(p.to - p.from)
	if cap(p.buf) < n {
		size := smallPiece
		if n > smallPiece {
			size = int(q.size)
		}
		p.buf = make([]byte, size)
	}
	p.buf = p.buf[:n]
	var body io.ReadCloser
	if p.from == 0 && p.to == o.Size {
		body, p.err = q.store.Get(ctx, o.Key, o)
	} else {
		body, p.err = q.s3.getPart(ctx, o, p.from, p.to)
	}
	if p.err != nil {
		return
	}
	_, p.err = io.ReadFull(body, p.buf)
	if p.err == nil {
		var more [1]byte // a checksum that differs shows at the end
		if _, err := io.ReadFull(body, more[:]); err != io.EOF {
			p.err = err
		}
	}
	if p.err == io.EOF || p.err == io.ErrUnexpectedEOF || p.err == nil && len(p.buf) != n {
		p.err = changed(q.store.URI(o.Key), fmt.Errorf("it has not the %d bytes that were listed", o.Size))
	}
	if err := body.Close(); p.err == nil {
		p.err = err
	}
}

// drop waits for the first piece and frees its buffer.
func (q *Sequence) drop() {
	p := q.queue[0]
	<-p.done
	q.queue[0] = nil
	q.queue = q.queue[1:]
	if cap(p.buf) > smallPiece {
		q.large = append(q.large, p.buf)
	} else {
		q.small = append(q.small, p.buf)
	}
}

// Open opens object i. Objects that were passed over are dropped; one that lies
// behind starts the sequence again from there.
func (q *Sequence) Open(ctx context.Context, i int) (io.ReadCloser, error) {
	if q.cancel == nil || i < 0 || i >= len(q.objects) {
		return nil, fail.New(fail.Internal, "there is no object %d in the sequence", i)
	}
	if q.s3 == nil {
		return q.store.Get(ctx, q.objects[i].Key, q.objects[i])
	}
	for len(q.queue) > 0 && q.queue[0].object < i {
		q.drop()
	}
	if len(q.queue) == 0 && (q.object != i || q.from > 0) || len(q.queue) > 0 && (q.queue[0].object != i || q.queue[0].from > 0) {
		for len(q.queue) > 0 {
			q.drop()
		}
		q.object, q.from = i, 0
	}
	q.ask()
	return &sequenceBody{ctx: ctx, q: q, object: i}, nil
}

// sequenceBody reads one object of a sequence.
type sequenceBody struct {
	ctx    context.Context
	q      *Sequence
	object int
	at     int // in the first piece
}

// Read gives io.EOF only after the last byte of the planned object.
func (b *sequenceBody) Read(p []byte) (int, error) {
	q := b.q
	for {
		if len(q.queue) == 0 || q.queue[0].object != b.object {
			return 0, io.EOF
		}
		first := q.queue[0]
		select {
		case <-first.done:
		case <-b.ctx.Done():
			return 0, classify(getting, q.store.URI(q.objects[b.object].Key), b.ctx.Err())
		}
		if first.err != nil {
			return 0, first.err
		}
		if b.at < len(first.buf) {
			n := copy(p, first.buf[b.at:])
			b.at += n
			return n, nil
		}
		b.at = 0
		q.drop()
		q.ask()
	}
}

// Close leaves the pieces to the sequence.
func (b *sequenceBody) Close() error { return nil }
