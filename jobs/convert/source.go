package convert

import (
	"context"
	"io"

	"backfill/internal/objstore"
	"backfill/internal/runplan"
	"backfill/jobs/workspace"
)

// source opens a worker's objects: those of its chunk are got before they are
// asked for, others when they are.
type source struct {
	w        *workspace.Workspace
	sequence *objstore.Sequence
	numbers  map[string]int // of the chunk's objects, by key
}

func newSource(w *workspace.Workspace, pieceBytes int) *source {
	return &source{w: w, sequence: w.Archive.Sequence(pieceBytes)}
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
}

// Open opens a planned object exactly as it was listed.
func (s *source) Open(ctx context.Context, o runplan.ObjectRef) (io.ReadCloser, error) {
	if i, ok := s.numbers[o.Key]; ok {
		return s.sequence.Open(ctx, i)
	}
	return s.w.Open(ctx, o)
}
