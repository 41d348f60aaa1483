package objstore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

// sizes of a sequence's objects: none, some, around a piece, several pieces.
var sequenceSizes = []int{0, 1, 1000, 64 << 10, 64<<10 + 1, 99_999, 100_000, 100_001, 750_000, 5, 0, 300_000, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25}

const sequencePiece = 100_000

func sequenceObjects(t *testing.T, f *fakeS3, s *objstore.Store) (list []objstore.Object, bodies [][]byte) {
	t.Helper()
	for i, n := range sequenceSizes {
		body := make([]byte, n)
		for at := range body {
			body[at] = byte(at*7 + at>>8 + i)
		}
		key := fmt.Sprintf("a/%03d", i)
		f.put(key, body)
		bodies = append(bodies, body)
	}
	if err := s.List(context.Background(), "", func(o objstore.Object) error { list = append(list, o); return nil }); err != nil {
		t.Fatal(err)
	}
	return list, bodies
}

func wantObject(t *testing.T, q *objstore.Sequence, i int, want []byte) {
	t.Helper()
	body, err := q.Open(context.Background(), i)
	if err != nil {
		t.Fatalf("object %d: %v", i, err)
	}
	got, err := io.ReadAll(iotest.HalfReader(body))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("object %d: %d of %d bytes, %v", i, len(got), len(want), err)
	}
}

// TestSequence reads all objects in order, some again, some not to their end,
// with requests that fail and bodies that break.
func TestSequence(t *testing.T) {
	f := newFake(t)
	s := f.open("s3://archive/a", quick)
	objects, bodies := sequenceObjects(t, f, f.open("s3://archive", quick))
	for i := range objects {
		objects[i].Key = objects[i].Key[len("a/"):]
	}
	for name, faults := range map[string]map[int]fault{"sound": nil, "broken": {1: slowDown, 3: cut, 5: reset, 6: cut, 9: cut, 12: internal}} {
		t.Run(name, func(t *testing.T) {
			f.fail(map[string]map[int]fault{"Get": faults})
			q := s.Sequence(sequencePiece)
			defer q.Stop()
			q.Start(context.Background(), objects)
			for i := range objects {
				wantObject(t, q, i, bodies[i])
			}
			wantObject(t, q, 8, bodies[8]) // once more, as a second pass does
			part, err := q.Open(context.Background(), 11)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(part, make([]byte, 150_000)); err != nil {
				t.Fatal(err)
			}
			wantObject(t, q, 12, bodies[12])
			q.Start(context.Background(), objects[3:9])
			wantObject(t, q, 5, bodies[8])
		})
	}
}

// TestSequenceAsksAhead: before anything is read, as much is asked for as there
// are buffers, and no more.
func TestSequenceAsksAhead(t *testing.T) {
	f := newFake(t)
	s := f.open("s3://archive/a", quick)
	body := make([]byte, 1000)
	var objects []objstore.Object
	for i := range 100 {
		key := fmt.Sprintf("%03d", i)
		f.put("a/"+key, body)
		o, err := s.Head(context.Background(), key)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	q := s.Sequence(sequencePiece)
	q.Start(context.Background(), objects)
	wantObject(t, q, 0, body)
	wantObject(t, q, 1, body)
	q.Stop()
	if n := f.count("Get"); n > 18 {
		t.Errorf("%d objects were asked for when two were read", n)
	}
}

// TestSequenceChanged: a changed or shortened object fails when it is reached,
// and not before; so does one that is gone.
func TestSequenceChanged(t *testing.T) {
	for name, change := range map[string]func(*fakeS3){
		"changed": func(f *fakeS3) { f.put("a/004", []byte("other")) },
		"gone":    func(f *fakeS3) { f.mu.Lock(); delete(f.objects, "a/004"); f.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s := f.open("s3://archive/a", quick)
			objects, bodies := sequenceObjects(t, f, f.open("s3://archive", quick))
			for i := range objects {
				objects[i].Key = objects[i].Key[len("a/"):]
			}
			change(f)
			q := s.Sequence(sequencePiece)
			defer q.Stop()
			q.Start(context.Background(), objects)
			for i := range 4 {
				wantObject(t, q, i, bodies[i])
			}
			body, err := q.Open(context.Background(), 4)
			if err == nil {
				_, err = io.ReadAll(body)
			}
			wantCode(t, err, fail.ArchiveChanged)
			wantObject(t, q, 5, bodies[5])
		})
	}
}

func TestSequenceCancelled(t *testing.T) {
	f := newFake(t)
	s := f.open("s3://archive/a", quick)
	objects, _ := sequenceObjects(t, f, f.open("s3://archive", quick))
	for i := range objects {
		objects[i].Key = objects[i].Key[len("a/"):]
	}
	f.fail(map[string]map[int]fault{"Get": {1: silent, 2: silent, 3: silent}})
	ctx, cancel := context.WithCancel(context.Background())
	q := s.Sequence(sequencePiece)
	q.Start(ctx, objects[2:])
	body, err := q.Open(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(body); err == nil {
		t.Error("a cancelled read gives no error")
	}
	q.Stop()
	q.Stop()
	if _, err := q.Open(context.Background(), 0); !fail.Is(err, fail.Internal) {
		t.Errorf("after Stop: %v", err)
	}
}

// TestSequenceOfFiles opens files when they are asked for.
func TestSequenceOfFiles(t *testing.T) {
	s := openFolder(t, t.TempDir())
	var objects []objstore.Object
	for i := range 3 {
		objects = append(objects, mustPut(t, s, fmt.Sprintf("%d", i), fmt.Sprint("body ", i)))
		o, err := s.Head(context.Background(), objects[i].Key)
		if err != nil {
			t.Fatal(err)
		}
		objects[i] = o
	}
	q := s.Sequence(sequencePiece)
	defer q.Stop()
	q.Start(context.Background(), objects)
	wantObject(t, q, 2, []byte("body 2"))
	wantObject(t, q, 0, []byte("body 0"))
}
