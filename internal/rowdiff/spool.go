package rowdiff

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"backfill/internal/fail"
)

// The spool's parts: enough that one fits in memory, and as few as that.
const (
	minParts  = 16
	maxParts  = 1024
	maxBlock  = 1 << 20 // of a part, before it goes to its file
	minBlock  = 8 << 10
	sizeBytes = 4 // in front of an entry
)

// spool holds the entries of all archived rows, apart by the hash of their key,
// in memory as far as it goes and then in files that are gone when the process is.
type spool struct {
	dir   string
	block int
	most  int64 // bytes of one part that may be read at once
	disk  int64 // bytes that all files may hold; 0: no limit
	parts []part

	spilled atomic.Int64 // bytes in files
}

type part struct {
	mu      sync.Mutex
	mem     []byte
	file    *os.File
	written int64
}

// newSpool sizes a spool for about so many bytes of entries in memory bytes. Its
// files hold disk bytes at most, 0: as many as there is room for.
func newSpool(dir string, expect, memory, disk int64) *spool {
	n := min(max(expect/max(memory/4, 1), minParts), maxParts)
	block := min(max(memory/2/n, minBlock), maxBlock)
	return &spool{dir: dir, block: int(block), most: memory / 2, disk: disk, parts: make([]part, n)}
}

// add keeps an entry; many goroutines may call it.
func (s *spool) add(e entry) error {
	p := &s.parts[binary.BigEndian.Uint64(e[8:])%uint64(len(s.parts))]
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mem)+sizeBytes+len(e) > s.block && len(p.mem) > 0 {
		if err := s.spill(p); err != nil {
			return err
		}
	}
	p.mem = binary.BigEndian.AppendUint32(p.mem, uint32(len(e)))
	p.mem = append(p.mem, e...)
	return nil
}

func (s *spool) spill(p *part) error {
	if total := s.spilled.Add(int64(len(p.mem))); s.disk > 0 && total > s.disk {
		return fail.New(fail.DiskSetting, "the rows to compare need more than the %d MiB of files that --disk allows", s.disk>>20).
			Try("give more --disk (in a pod: a larger limit of ephemeral-storage) or more --memory, or compare a shorter window")
	}
	if p.file == nil {
		f, err := os.CreateTemp(s.dir, "backfill-rows-")
		if err == nil {
			err = os.Remove(f.Name()) // the open file stays, and goes with the process
		}
		if err != nil {
			return fail.Wrap(err, fail.Disk, "the rows to compare need a file").Try("point TMPDIR at a folder that can be written and has room for about 100 bytes a row, or give more --memory")
		}
		p.file = f
	}
	n, err := p.file.Write(p.mem)
	p.written += int64(n)
	p.mem = p.mem[:0]
	if err != nil {
		return fail.Wrap(err, fail.Disk, "writing the rows to compare").Try("point TMPDIR at a folder with room for about 100 bytes a row")
	}
	return nil
}

// read returns a part's entries, which stay valid as long as buf is not used again.
func (s *spool) read(n int, buf []byte) ([]entry, []byte, error) {
	p := &s.parts[n]
	size := p.written + int64(len(p.mem))
	if size > s.most {
		return nil, buf, fail.New(fail.Memory, "%d MiB of rows fall into one of %d parts, which must fit in memory", size>>20, len(s.parts)).Try("give more --memory")
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if p.file != nil {
		if _, err := p.file.ReadAt(buf[:p.written], 0); err != nil && err != io.EOF {
			return nil, buf, fail.Wrap(err, fail.Disk, "reading the rows to compare")
		}
	}
	copy(buf[p.written:], p.mem)
	var list []entry
	for at := 0; at < len(buf); {
		end := at + sizeBytes + int(binary.BigEndian.Uint32(buf[at:]))
		if end > len(buf) {
			return nil, buf, fail.New(fail.Internal, "an entry ends behind its part")
		}
		list = append(list, entry(buf[at+sizeBytes:end]))
		at = end
	}
	return list, buf, nil
}

// close gives the files back.
func (s *spool) close() (err error) {
	for i := range s.parts {
		if f := s.parts[i].file; f != nil {
			if cerr := f.Close(); cerr != nil {
				err = fmt.Errorf("closing the rows to compare: %w", cerr)
			}
			s.parts[i].file = nil
		}
	}
	return err
}
