package convert

import (
	"context"
	"errors"
	"time"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/parquetio"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/internal/scan"
	"backfill/internal/schema"
	"backfill/internal/timing"
	"backfill/jobs/workspace"
)

// partBytes is the size at which a chunk's Parquet goes on in another file.
const partBytes = 192 << 20

// attempt writes the output of one try at a chunk under keys of its own, and
// publishes it with the receipt. It is the Sink of scan; a worker reuses it.
type attempt struct {
	w       *workspace.Workspace
	head    *runplan.Head
	source  *source
	columns []schema.Column
	options parquetio.Options
	writer  *parquetio.Writer
	pipe    *pipe // nil before the first chunk that was converted alone

	scanning *timing.Lane // of the worker
	encoding *timing.Lane // of the goroutine that writes Parquet: the worker, or the pipe's

	ctx     context.Context
	chunk   runplan.ChunkID
	id      string
	part    *part // being written; nil before the first row
	parts   []runplan.File
	rejects *quarantine // nil before the first reject
}

// part is one Parquet file on its way to staging.
type part struct {
	of   *attempt
	up   *objstore.Upload
	key  string
	size int64
}

func (p *part) Write(b []byte) (int, error) {
	lane := p.of.encoding
	busy := lane.Wait(timing.Upload)
	n, err := p.up.Write(b)
	lane.Back(busy)
	lane.Passed(timing.Upload, int64(n), 0)
	p.size += int64(n)
	return n, err
}

// convert reads the chunk and publishes its receipt last. On any error nothing
// is published and uploads are given up. A chunk that is alone, with processors
// left idle, is decompressed, decoded and encoded at once.
func (a *attempt) convert(ctx context.Context, s *scan.Scanner, c runplan.Chunk, alone bool) (*runplan.ChunkReceipt, error) {
	a.ctx, a.chunk = ctx, c.ID
	began := a.w.Now().Round(0) // a machine that slept counts, too
	a.begin()
	a.source.begin(ctx, c)
	defer a.source.end()
	s.ReadAhead(alone)
	counts, err := a.read(s, c, alone)
	if err == nil {
		err = a.closePart()
	}
	var rejects *runplan.File
	if err == nil && a.rejects != nil {
		rejects, err = a.rejects.close(ctx)
	}
	if took := a.w.Now().Round(0).Sub(began); err == nil && took > runstore.AttemptLimit {
		err = fail.New(fail.Service, "converting one chunk took %s: its first files may have been removed as left behind", took.Round(time.Minute)).At("%s", c.Partition).
			Try("run the same command again, with smaller --chunk-bytes or more processors")
	}
	if err != nil {
		return nil, errors.Join(err, a.abort())
	}
	return a.w.Runs.PutChunkReceipt(ctx, &runplan.ChunkReceipt{
		Format: runplan.Format, Chunk: c.ID, Attempt: a.id, Converter: runplan.Converter, Version: a.w.Version,
		Partition: c.Partition, Window: a.head.Window, Parquet: a.parts, Quarantine: rejects, Counts: counts, Done: a.w.Now().UTC(),
	})
}

// read reads the chunk's rows into the open Parquet file.
func (a *attempt) read(s *scan.Scanner, c runplan.Chunk, alone bool) (*account.Chunk, error) {
	if !alone {
		return s.Chunk(a.ctx, c, a)
	}
	if a.pipe == nil {
		a.pipe = newPipe(a, a.columns, a.scanning)
	}
	a.encoding = a.pipe.lane
	defer func() { a.encoding = a.scanning }()
	a.pipe.start()
	counts, err := s.Chunk(a.ctx, c, a.pipe)
	if drained := a.pipe.drain(); err == nil {
		err = drained
	}
	return counts, err
}

func (a *attempt) begin() {
	a.id, a.part, a.parts, a.rejects = runstore.NewAttempt(), nil, nil, nil
}

// Rows writes the batch to the open Parquet file.
func (a *attempt) Rows(b *columns.Batch) (err error) {
	defer a.encoding.Back(a.encoding.Enter(timing.Encode))
	a.encoding.Passed(timing.Encode, 0, int64(b.N))
	if a.part == nil {
		if err := a.openPart(); err != nil {
			return err
		}
	}
	if err := a.writer.Write(b); err != nil {
		return err
	}
	if a.part.size > partBytes {
		return a.closePart()
	}
	return nil
}

func (a *attempt) openPart() (err error) {
	up, key, err := a.w.Runs.NewParquet(a.ctx, a.chunk, a.id, len(a.parts))
	if err != nil {
		return err
	}
	a.part = &part{of: a, up: up, key: key}
	if a.writer == nil {
		a.writer, err = parquetio.NewWriter(a.part, a.columns, a.options)
		return err
	}
	a.writer.Reset(a.part)
	return nil
}

func (a *attempt) closePart() error {
	if a.part == nil {
		return nil
	}
	defer a.encoding.Back(a.encoding.Enter(timing.Encode))
	sum, err := a.writer.Close()
	if err != nil {
		return err
	}
	busy := a.encoding.Wait(timing.Upload)
	object, err := a.part.up.Commit(a.ctx)
	a.encoding.Back(busy)
	if err != nil {
		return err
	}
	a.parts = append(a.parts, runplan.File{Key: a.part.key, Size: a.part.size, ETag: object.ETag, Rows: sum.Rows})
	a.part = nil
	return nil
}

// Reject writes the record to the quarantine file.
func (a *attempt) Reject(r *scan.Rejected) (err error) {
	if a.rejects == nil {
		up, key, err := a.w.Runs.NewQuarantine(a.ctx, a.chunk, a.id)
		if err != nil {
			return err
		}
		if a.rejects, err = newQuarantine(up, key); err != nil {
			return err
		}
	}
	return a.rejects.add(r)
}

// Restart gives up what was written and begins anew under another name.
func (a *attempt) Restart() error {
	a.source.forget()
	err := a.abort()
	a.begin()
	return err
}

func (a *attempt) abort() error {
	var errs []error
	if a.part != nil {
		errs = append(errs, a.part.up.Abort(a.ctx))
		a.part = nil
		a.writer = nil
	}
	if a.rejects != nil {
		errs = append(errs, a.rejects.abort(a.ctx))
		a.rejects = nil
	}
	return errors.Join(errs...)
}
