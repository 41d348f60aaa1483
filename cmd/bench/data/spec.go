// Package data makes the archives that the benchmark reads: once for a seed
// and size, as Kafka sinks write them, so that every contender reads the same
// files. Nothing here knows the product or a peer; they all read Spec.
//
//	Workload ─▶ rows (events | wide | numbers) ─▶ lines ─▶ gzip | zstd | plain ─▶ objects + spec.json
package data

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Kind is what a column's value is in the record and in Parquet.
type Kind string

// The kinds. Amounts travel as text or as JSON numbers and end as DECIMAL;
// Millis is a JSON number of milliseconds since 1970 and ends as TIMESTAMP.
const (
	Text      Kind = "text"
	RawJSON   Kind = "json"
	Int       Kind = "int"
	Decimal   Kind = "decimal"
	Timestamp Kind = "timestamp"
	Millis    Kind = "millis"
	Date      Kind = "date"
	Bool      Kind = "bool"
)

// Column is one column of the Parquet files. Path is one or two steps below
// the record.
type Column struct {
	Name      string   `json:"name"`
	Kind      Kind     `json:"kind"`
	Path      []string `json:"path"`
	Nullable  bool     `json:"nullable,omitempty"`
	Length    int      `json:"length,omitempty"`    // Text: bytes at most
	Precision int      `json:"precision,omitempty"` // Decimal
	Scale     int      `json:"scale,omitempty"`
	Number    bool     `json:"number,omitempty"` // Decimal: written as a JSON number
	Bad       bool     `json:"bad,omitempty"`    // some values don't fit: their rows are left out
}

// Spec says what an archive holds and what shall come out. It is the file
// spec.json beside the archive.
type Spec struct {
	Name      string   `json:"name"`
	Shape     Shape    `json:"shape"`
	Codec     Codec    `json:"codec"`
	Dir       string   `json:"-"`         // where the archive is
	Glob      string   `json:"glob"`      // of the objects, below Dir
	Columns   []Column `json:"columns"`   // as the files shall have them
	ID        string   `json:"id"`        // the column that identifies a row
	Time      string   `json:"time"`      // the column with the event time
	Totals    []string `json:"totals"`    // amounts that the product adds up …
	By        string   `json:"by"`        // … by this column
	From      string   `json:"from"`      // first day, inclusive
	To        string   `json:"to"`        // last day, exclusive
	Broken    bool     `json:"broken"`    // some lines are no JSON
	Lines     int64    `json:"lines"`     // in the archive
	Rows      int64    `json:"rows"`      // that shall come out
	Objects   int      `json:"objects"`   // files
	RawBytes  int64    `json:"raw_bytes"` // decompressed
	FileBytes int64    `json:"file_bytes"`
}

const specFile = "spec.json"

// Pattern returns the objects' absolute glob.
func (s *Spec) Pattern() string { return filepath.Join(s.Dir, s.Glob) }

// Column returns the column of that name.
func (s *Spec) Column(name string) Column {
	for _, c := range s.Columns {
		if c.Name == name {
			return c
		}
	}
	panic(fmt.Sprintf("the workload %s has no column %s", s.Name, name))
}

// Read reads the spec of the archive in dir.
func Read(dir string) (*Spec, error) {
	text, err := os.ReadFile(filepath.Join(dir, specFile))
	if err != nil {
		return nil, fmt.Errorf("reading an archive's spec: %w", err)
	}
	s := &Spec{Dir: dir}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, specFile), err)
	}
	return s, nil
}

// write publishes the spec, after all objects are there.
func (s *Spec) write() error {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("encoding the spec of %s: %w", s.Name, err)
	}
	temp := filepath.Join(s.Dir, "."+specFile)
	if err := os.WriteFile(temp, text, 0o644); err != nil {
		return fmt.Errorf("writing the spec of %s: %w", s.Name, err)
	}
	if err := os.Rename(temp, filepath.Join(s.Dir, specFile)); err != nil {
		return fmt.Errorf("writing the spec of %s: %w", s.Name, err)
	}
	return nil
}

// path splits a.b into its steps.
func path(text string) []string { return strings.Split(text, ".") }
