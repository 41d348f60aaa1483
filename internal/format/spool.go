package format

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"backfill/internal/fail"
)

// spool holds an object that must be read from its end: in memory, or in a file
// that has no name any more if it is larger.
type spool struct {
	io.ReaderAt
	size int64
	file *os.File
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// newSpool reads r to its end: inMemory bytes of it at most are held there, and
// most in a file, 0 for no limit.
func newSpool(r io.Reader, inMemory, most int64) (*spool, error) {
	var held bytes.Buffer
	n, err := held.ReadFrom(io.LimitReader(r, inMemory+1))
	if err != nil {
		return nil, fmt.Errorf("reading the object: %w", err)
	}
	if n <= inMemory {
		return &spool{ReaderAt: bytes.NewReader(held.Bytes()), size: n}, nil
	}
	file, err := os.CreateTemp("", "backfill-*.parquet")
	if err != nil {
		return nil, fail.Wrap(err, fail.Disk, "an object of more than %d bytes needs a file", inMemory).
			At("%s", os.TempDir()).Try("point TMPDIR at a folder that can be written; in a pod mount an emptyDir there")
	}
	s := &spool{ReaderAt: file, file: file}
	_ = os.Remove(file.Name()) // it lives as long as it is open
	body := &watched{r: r}
	var all io.Reader = io.MultiReader(&held, body)
	if most > 0 {
		all = io.LimitReader(all, most+1)
	}
	if s.size, err = io.Copy(file, all); most > 0 && s.size > most {
		_ = s.close()
		return nil, fail.New(fail.DiskSetting, "a Parquet object has more than the %d MiB that a worker may put into a file", most>>20).
			Try("give the pod more disk and say so with --disk, or work with fewer --workers: each has its share of three quarters of the disk")
	}
	if err != nil {
		_ = s.close()
		if body.err != nil {
			return nil, fmt.Errorf("reading the object: %w", body.err)
		}
		return nil, fail.Wrap(err, fail.Disk, "writing an object to a temporary file").At("%s", os.TempDir()).Try("point TMPDIR at a larger volume; in a pod raise its ephemeral-storage limit, or mount a larger emptyDir there")
	}
	return s, nil
}

// watched remembers an error of the object, which is none of the file.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}
