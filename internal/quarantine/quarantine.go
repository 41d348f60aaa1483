// Package quarantine reads the files of records that could not become rows, and
// shows records without what may be personal. convert writes the files, one JSON
// line a record, compressed by zstd; gc takes the raw bytes out when they are too
// old. This package opens nothing itself.
package quarantine

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
)

// maxLine is the longest line in bytes: a record's kept bytes as base64, with its place.
const maxLine = 1 << 20

// Record is one record in quarantine.
type Record struct {
	Object      string `json:"object"` // key in the archive
	Row         int64  `json:"row"`    // number in the object, from 0
	Offset      int64  `json:"offset"` // -1: unknown
	Disposition string `json:"disposition"`
	Reason      string `json:"reason"`
	Column      string `json:"column,omitempty"` // of a rejected value
	Detail      string `json:"detail,omitempty"`
	Raw         []byte `json:"raw"` // as archived; empty when withheld or removed
	Withheld    bool   `json:"withheld,omitempty"`
	Truncated   bool   `json:"truncated,omitempty"`

	Removed time.Time `json:"removed,omitzero"` // when the raw bytes were; zero: never
	Why     string    `json:"why,omitempty"`    // they were
}

// Strip copies a file without raw bytes and details, which may quote them: what
// stays is where each record is and why it was rejected.
func Strip(r io.Reader, w io.Writer, at time.Time, why string) error {
	zip, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return fail.Wrap(err, fail.Internal, "starting zstd")
	}
	lines := json.NewEncoder(zip)
	err = Read(r, func(rec *Record) error {
		rec.Raw, rec.Detail, rec.Removed, rec.Why = nil, "", at.UTC(), why
		return lines.Encode(rec)
	})
	return errors.Join(err, zip.Close())
}

// Read calls fn for every record of a file, in order. fn's error ends the
// reading and is returned as it is; a file that is not as it was written is
// fail.Corrupt.
func Read(r io.Reader, fn func(*Record) error) error {
	zip, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return fail.Wrap(err, fail.Internal, "starting zstd")
	}
	defer zip.Close()
	lines := bufio.NewScanner(zip)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		var rec Record
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return corrupt(err, n)
		}
		if err := fn(&rec); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		var known *fail.Error
		if errors.As(err, &known) {
			return err
		}
		return corrupt(err, 0)
	}
	return nil
}

func corrupt(err error, line int) error {
	e := fail.Wrap(err, fail.Corrupt, "a quarantine file can't be read").Try("convert its chunk again with --reconvert")
	if line > 0 {
		e.At("line %d", line)
	}
	return e
}
