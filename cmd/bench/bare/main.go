// Command bare is convert without its accounting: the same decompressor,
// scanner and Parquet writer, with the same sizes, and nothing else of it. No
// windows, offsets, duplicates, fingerprints, totals, quarantine, receipts or
// technical columns. The benchmark sets it beside its peers, which do none of
// that either; nobody should load what it writes, so the product has no such
// switch.
//
//	bare --dataset FILE --out FOLDER 'GLOB OF OBJECTS'
//
// It belongs to the product's side of the benchmark: it imports the engine, and
// nothing of what measures it. Each processor takes one object after another
// and writes one file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	_ "time/tzdata" // as the product has it

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"backfill/internal/codec"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/decode"
	"backfill/internal/parquetio"
	"backfill/internal/schema"
	"backfill/jobs/convert"
)

func main() {
	file := pflag.String("dataset", "", "dataset file")
	out := pflag.String("out", "", "folder for Parquet files")
	pflag.Parse()
	debug.SetGCPercent(convert.GCPercent)
	if err := run(context.Background(), *file, *out, pflag.Arg(0)); err != nil {
		fmt.Fprintf(os.Stderr, "bare: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file, out, pattern string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the dataset: %w", err)
	}
	ds, err := dataset.Compile(file, text, nil, os.Getenv)
	if err != nil {
		return err
	}
	objects, err := filepath.Glob(pattern)
	if err == nil && len(objects) == 0 {
		err = errors.New("there are none")
	}
	if err != nil {
		return fmt.Errorf("looking for objects at %q: %w", pattern, err)
	}
	cols := append([]schema.Column(nil), ds.Columns...)
	for i := range cols {
		cols[i].Path = ds.Records.Resolve(cols[i].Path)
	}
	program, err := decode.Compile(decode.Spec{Columns: cols})
	if err != nil {
		return err
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for n := range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			return convertAll(ctx, program, cols, filepath.Join(out, fmt.Sprintf("%03d.parquet", n)), func() (string, bool) {
				i := int(next.Add(1)) - 1
				if i >= len(objects) {
					return "", false
				}
				return objects[i], true
			})
		})
	}
	return group.Wait()
}

// convertAll converts what take gives into one file.
func convertAll(ctx context.Context, program *decode.Program, cols []schema.Column, to string, take func() (string, bool)) (err error) {
	file, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("making a file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w, err := parquetio.NewWriter(file, cols, convert.RoomyFiles())
	if err != nil {
		return err
	}
	c := converter{scanner: program.NewScanner(decode.Limits{}), batch: columns.NewBatch(cols), writer: w}
	defer func() { err = errors.Join(err, c.close()) }()
	for {
		object, more := take()
		if !more {
			_, err = w.Close()
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.convert(object); err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
	}
}

// converter is what a processor keeps from object to object.
type converter struct {
	plain   *codec.Reader // nil before the first object
	scanner *decode.Scanner
	batch   *columns.Batch
	writer  *parquetio.Writer
}

// convert reads an object to its end; records that fit no row are left out.
func (c *converter) convert(object string) (err error) {
	body, err := os.Open(object)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	if c.plain == nil {
		c.plain, err = codec.Open(body, codec.Limits{})
	} else {
		err = c.plain.Reset(body)
	}
	if err != nil {
		return err
	}
	c.scanner.Reset(c.plain)
	for {
		err := c.scanner.Scan(c.batch, func(*decode.Record) bool { return true })
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if failed := c.writer.Write(c.batch); failed != nil {
			return failed
		}
		c.batch.N = 0
		if err != nil {
			return nil
		}
	}
}

func (c *converter) close() error {
	if c.plain == nil {
		return nil
	}
	return c.plain.Close()
}
