package convert

import (
	"context"
	"io"
	"sync/atomic"

	"backfill/internal/objstore"
	"backfill/internal/progress"
	"backfill/internal/runplan"
	"backfill/jobs/workspace"
)

// source opens a worker's objects: those of its chunk are got before they are
// asked for, others when they are.
type source struct {
	w        *workspace.Workspace
	sequence *objstore.Sequence
	numbers  map[string]int // of the chunk's objects, by key
	meter    *progress.Meter
	read     atomic.Int64 // bytes of the chunk that the meter heard of
}

func newSource(w *workspace.Workspace, pieceBytes int, meter *progress.Meter) *source {
	return &source{w: w, sequence: w.Archive.Sequence(pieceBytes), meter: meter}
}

// begin starts on a chunk; end must follow.
func (s *source) begin(ctx context.Context, c runplan.Chunk) {
	s.numbers = make(map[string]int, len(c.Objects))
	objects := make([]objstore.Object, len(c.Objects))
	for i, o := range c.Objects {
		s.numbers[o.Key] = i
		objects[i] = objstore.Object{Key: o.Key, Size: o.Size, ETag: o.ETag, Version: o.Version}
	}
	s.sequence.Start(ctx, objects)
}

func (s *source) end() {
	s.sequence.Stop()
	s.numbers = nil
	s.forget()
}

// forget takes back what the meter heard of the chunk: it is counted as a whole
// once it is done, or is read again.
func (s *source) forget() { s.meter.Read(-s.read.Swap(0)) }

// Open opens a planned object exactly as it was listed.
func (s *source) Open(ctx context.Context, o runplan.ObjectRef) (io.ReadCloser, error) {
	i, ok := s.numbers[o.Key]
	if !ok { // behind the chunk's end
		return s.w.Open(ctx, o)
	}
	body, err := s.sequence.Open(ctx, i)
	if err != nil {
		return nil, err
	}
	return &metered{body, s}, nil
}

// metered tells the meter of the bytes that are read.
type metered struct {
	io.ReadCloser
	s *source
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.s.read.Add(int64(n))
	m.s.meter.Read(int64(n))
	return n, err
}
