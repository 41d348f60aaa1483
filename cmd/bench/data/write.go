package data

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// Topic is the topic that all archives hold.
const Topic = "payroll.events"

// Make returns the archive of the workload below root, generated at its first
// use. The objects are named as the Confluent S3 sink does it.
func Make(ctx context.Context, root string, w Workload) (*Spec, error) {
	dir := w.Dir(root)
	if s, err := Read(dir); err == nil || !errors.Is(err, os.ErrNotExist) {
		return s, err
	}
	if err := os.RemoveAll(dir); err != nil { // half an archive, of a run that was stopped
		return nil, fmt.Errorf("making the archive of %s: %w", w.Name, err)
	}
	m := &maker{w: w, dir: dir}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for p := range w.Partitions {
		for _, o := range w.objects(p) {
			group.Go(func() error {
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				return m.object(o)
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("making the archive of %s: %w", w.Name, err)
	}
	s := m.spec()
	return s, s.write()
}

// maker writes one workload's objects, several at a time.
type maker struct {
	w                        Workload
	dir                      string
	raw, files, lines, drops atomic.Int64
}

func (m *maker) spec() *Spec {
	w := m.w
	s := &Spec{
		Name: w.Name, Shape: w.Shape, Codec: w.Codec, Dir: m.dir, Glob: "topics/" + Topic + "/*/*" + w.Codec.extension(), Columns: columns(w),
		ID: "event_id", Time: "occurred_at", Totals: []string{"gross_amount", "tax_amount", "net_amount"}, By: "currency",
		From: "2026-03-01", To: monthStart.AddDate(0, 0, w.Days).Format("2006-01-02"), Broken: w.RejectRate > 0,
		Lines: m.lines.Load(), Rows: m.lines.Load() - m.drops.Load(), Objects: w.Objects(), RawBytes: m.raw.Load(), FileBytes: m.files.Load(),
	}
	switch w.Shape {
	case Wide:
		s.Totals = []string{"c003", "c004"}
	case Numbers:
		s.ID, s.Time, s.Totals, s.By = "id", "at", nil, ""
	}
	return s
}

func (m *maker) path(partition int, first int64) string {
	return filepath.Join(m.dir, "topics", Topic, fmt.Sprintf("partition=%d", partition), fmt.Sprintf("%s+%d+%010d%s", Topic, partition, first, m.w.Codec.extension()))
}

// object writes one object and its copies. A copy is a hard link: another
// object to every reader, with other offsets.
func (m *maker) object(o object) error {
	path := m.path(o.partition, o.first)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	rows := newRows(m.w, o)
	raw, err := m.file(path, rows)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	copies := int64(max(1, m.w.Copies))
	for i := int64(1); i < copies; i++ {
		if err := os.Link(path, m.path(o.partition, o.first+i*rows.share)); err != nil {
			return err
		}
	}
	times := copies * int64(max(1, m.w.Segments))
	m.raw.Add(raw * times)
	m.files.Add(info.Size() * copies)
	m.lines.Add(o.rows * times)
	m.drops.Add(rows.dropped * times)
	return nil
}

// file writes the rows and returns their bytes before compression, of one
// segment.
func (m *maker) file(path string, r *rows) (raw int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if m.w.Segments > 1 {
		return large(f, r, m.w.Segments)
	}
	var out io.WriteCloser
	switch m.w.Codec {
	case Gzip:
		out = gzip.NewWriter(f) // zlib's default level, which archivers use
	case Zstd:
		if out, err = zstd.NewWriter(f, zstd.WithEncoderConcurrency(1)); err != nil {
			return 0, err
		}
	default:
		out = f
	}
	if raw, err = r.copy(out); err != nil || m.w.Codec == Plain {
		return raw, err
	}
	return raw, out.Close()
}

// copy writes all rows of the object in pieces of about 1 MiB.
func (r *rows) copy(out io.Writer) (raw int64, err error) {
	var b []byte
	for i := range r.object.rows {
		b = r.line(b)
		if len(b) < 1<<20 && i < r.object.rows-1 {
			continue
		}
		if _, err := out.Write(b); err != nil {
			return raw, err
		}
		raw += int64(len(b))
		b = b[:0]
	}
	return raw, nil
}

// large writes the rows so often as one gzip member: a flushed deflate stream
// ends on a byte and needs nothing before it, so its bytes can be repeated.
func large(f *os.File, r *rows, segments int) (raw int64, err error) {
	sum := crc32.NewIEEE()
	var packed, text memory
	deflate, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		return 0, err
	}
	if raw, err = r.copy(io.MultiWriter(deflate, &text)); err != nil {
		return 0, err
	}
	if err := deflate.Flush(); err != nil {
		return 0, err
	}
	header := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	if _, err := f.Write(header); err != nil {
		return 0, err
	}
	for range segments {
		_, _ = sum.Write(text) // a hash takes everything
		if _, err := f.Write(packed); err != nil {
			return 0, err
		}
	}
	end := []byte{0x03, 0x00} // an empty last block
	end = binary.LittleEndian.AppendUint32(end, sum.Sum32())
	end = binary.LittleEndian.AppendUint32(end, uint32(raw*int64(segments)))
	_, err = f.Write(end)
	return raw, err
}

// memory collects what is written.
type memory []byte

func (m *memory) Write(b []byte) (int, error) {
	*m = append(*m, b...)
	return len(b), nil
}
