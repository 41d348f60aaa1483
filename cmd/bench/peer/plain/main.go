// Command plain is what most Go teams write first: a struct with JSON tags, a
// struct with Parquet tags, bufio.Scanner, encoding/json, GenericWriter, one
// goroutine per object. It is a contender of the benchmark.
//
//	plain -spec DIR -out DIR
package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"

	"backfill/cmd/bench/data"
)

func main() {
	dir := flag.String("spec", "", "folder of the archive")
	out := flag.String("out", "", "folder for Parquet files")
	flag.Parse()
	if err := run(*dir, *out); err != nil {
		fmt.Fprintf(os.Stderr, "plain: %v\n", err)
		os.Exit(1)
	}
}

func run(dir, out string) error {
	spec, err := data.Read(dir)
	if err != nil {
		return err
	}
	objects, err := filepath.Glob(spec.Pattern())
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, object := range objects {
		to := filepath.Join(out, fmt.Sprintf("%06d.parquet", i))
		group.Go(func() error {
			switch spec.Shape {
			case data.Events:
				return convert(spec, object, to, eventRow)
			case data.Numbers:
				return convert(spec, object, to, numbersRow)
			}
			return fmt.Errorf("there is no struct for %s", spec.Shape)
		})
	}
	return group.Wait()
}

// batchRows are handed to the Parquet writer at a time.
const batchRows = 1024

// convert turns one object into one Parquet file. row makes a row of a line;
// its error leaves the line out, where the archive has bad lines.
func convert[R any](spec *data.Spec, from, to string, row func([]byte) (R, error)) (err error) {
	in, err := open(spec.Codec, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := parquet.NewGenericWriter[R](file, parquet.Compression(&parquet.Zstd))
	batch := make([]R, 0, batchRows)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	for lines.Scan() {
		r, err := row(lines.Bytes())
		if err != nil && !spec.Broken {
			return fmt.Errorf("%s: %w", from, err)
		}
		if err != nil {
			continue
		}
		if batch = append(batch, r); len(batch) == batchRows {
			if _, err := w.Write(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if _, err := w.Write(batch); err != nil {
		return err
	}
	return w.Close()
}

// stream is a decompressed object.
type stream struct {
	io.Reader
	file *os.File
}

func (s stream) Close() error { return s.file.Close() }

func open(codec data.Codec, path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	switch codec {
	case data.Gzip:
		r, err := gzip.NewReader(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return stream{r, f}, nil
	case data.Zstd:
		r, err := zstd.NewReader(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return stream{r, f}, nil
	}
	return f, nil
}
