package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"backfill/cmd/bench/data"
)

// copyAll is DuckDB's best: one COPY over all objects.
func copyAll(ctx context.Context, db *sql.DB, s *data.Spec, o options) error {
	return copyTo(ctx, db, s, s.Pattern(), filepath.Join(o.out, "all.parquet"))
}

// copyEach makes one Parquet file per object, several at a time.
func copyEach(ctx context.Context, db *sql.DB, s *data.Spec, o options) error {
	objects, err := filepath.Glob(s.Pattern())
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range o.threads {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(objects); i = int(next.Add(1)) - 1 {
				if err := copyTo(ctx, db, s, objects[i], filepath.Join(o.out, fmt.Sprintf("%06d.parquet", i))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func copyTo(ctx context.Context, db *sql.DB, s *data.Spec, from, to string) error {
	statement := "COPY (" + query(s, from) + ") TO " + quote(to) +
		" (FORMAT parquet, PARQUET_VERSION V1, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 125000)"
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// query reads objects with the casts that every contender makes. Types are
// given, so that nothing is guessed from the data.
func query(s *data.Spec, from string) string {
	var list, where []string
	for _, c := range s.Columns {
		value := value(c)
		list = append(list, value+" AS "+name(c.Name))
		if c.Bad {
			where = append(where, value+" IS NOT NULL")
		}
	}
	read := []string{quote(from), "format = 'newline_delimited'", "compression = " + quote(compression(s.Codec)), "columns = {" + sourceTypes(s) + "}"}
	if s.Broken {
		read = append(read, "ignore_errors = true")
		where = append(where, name(s.ID)+" IS NOT NULL") // a line that is no JSON comes as a row of NULLs
	}
	text := "SELECT " + strings.Join(list, ", ") + " FROM read_json(" + strings.Join(read, ", ") + ")"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	return text
}

func compression(c data.Codec) string {
	if c == data.Plain {
		return "uncompressed"
	}
	return string(c)
}

// value casts what was read to the column's type.
func value(c data.Column) string {
	var steps []string
	for _, step := range c.Path {
		steps = append(steps, name(step))
	}
	text := strings.Join(steps, ".")
	switch {
	case c.Bad:
		return "TRY_CAST(" + text + " AS " + sqlType(c) + ")"
	case c.Kind == data.Millis:
		return "make_timestamp(" + text + " * 1000)"
	case c.Kind == data.RawJSON:
		return text + "::VARCHAR"
	}
	return text
}

func sqlType(c data.Column) string {
	switch c.Kind {
	case data.Int:
		return "BIGINT"
	case data.Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", c.Precision, c.Scale)
	case data.Timestamp, data.Millis:
		return "TIMESTAMP"
	case data.Date:
		return "DATE"
	case data.Bool:
		return "BOOLEAN"
	}
	return "VARCHAR"
}

// sourceTypes lists what read_json shall read, nested fields as structs.
func sourceTypes(s *data.Spec) string {
	var order []string
	fields := map[string][]string{}
	for _, c := range s.Columns {
		t := sqlType(c)
		switch {
		case c.Bad:
			t = "VARCHAR"
		case c.Kind == data.RawJSON:
			t = "JSON"
		case c.Kind == data.Millis:
			t = "BIGINT"
		}
		top := c.Path[0]
		if fields[top] == nil {
			order = append(order, top)
		}
		if len(c.Path) > 1 {
			t = name(c.Path[1]) + " " + t
		}
		fields[top] = append(fields[top], t)
	}
	for i, top := range order {
		t := strings.Join(fields[top], ", ")
		if strings.HasPrefix(t, `"`) {
			t = "STRUCT(" + t + ")"
		}
		order[i] = name(top) + ": " + quote(t)
	}
	return strings.Join(order, ", ")
}
