package redshift

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"backfill/internal/fail"
)

// The look-up of a refused COPY is bounded: the view takes seconds to answer
// and lags, and the message must come out even if it never fills.
const (
	loadErrorWait = 15 * time.Second
	loadErrorAsks = 3 // with pauses of 1 s and 2 s
)

// loadError is a row of sys_load_error_detail. It has no raw row; a value that
// error_message may repeat is left out by sentence's rules.
type loadError struct {
	file, column, kind, length, message *string
	line, position, code                *int64
}

// withLoadErrors adds to a refusal of the data what sys_load_error_detail says
// of the newest COPY: the client's copy of the text is cut. Any failure to
// find out is ignored, the refusal itself matters.
func (c *Conn) withLoadErrors(ctx context.Context, f *fail.Error) *fail.Error {
	if f.Code != fail.LoadRefused || c.pg.IsClosed() || c.pg.PgConn().TxStatus() != 'I' {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	id, err := c.number(ctx, "SELECT pg_last_copy_id()")
	if err != nil || id <= 0 || id == c.lastCopy { // -1: none; the last one: this COPY never began
		return f
	}
	c.lastCopy = id
	for ask := 1; ; ask++ {
		found, err := c.loadErrors(ctx, id)
		if err != nil {
			return f
		}
		if text := describe(found); text != "" {
			known := *f
			known.What = cut(f.What + "; " + text)
			return &known
		}
		if ask == loadErrorAsks || sleep(ctx, time.Second<<(ask-1)) != nil {
			return f
		}
	}
}

func (c *Conn) loadErrors(ctx context.Context, query int64) ([]loadError, error) {
	const most = 3
	var list []loadError
	err := c.Query(ctx, "SELECT file_name, line_number, column_name, column_type, column_length, position, error_code, error_message\n"+
		"FROM sys_load_error_detail\n"+
		"WHERE query_id = "+strconv.FormatInt(query, 10)+"\n"+
		"ORDER BY start_time, file_name, line_number\n"+
		"LIMIT "+strconv.Itoa(most), func(r Scanner) error {
		var e loadError
		if err := r.Scan(&e.file, &e.line, &e.column, &e.kind, &e.length, &e.position, &e.code, &e.message); err != nil {
			return err
		}
		list = append(list, e)
		return nil
	})
	return list, err
}

func describe(list []loadError) string {
	var parts []string
	for _, e := range list {
		if text := e.String(); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "; ")
}

// String is a clause such as: s3://lake/1.parquet, line 7, column note
// (varchar 256): the message (code 1204).
func (e loadError) String() string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return oneLine(*s) // CHAR columns are padded
	}
	var where []string
	if file := text(e.file); file != "" {
		where = append(where, objectURL.ReplaceAllStringFunc(file, objectURI))
	}
	if e.line != nil && *e.line > 0 {
		where = append(where, fmt.Sprintf("line %d", *e.line))
	}
	if column := text(e.column); column != "" {
		kind := strings.TrimSpace(text(e.kind) + " " + text(e.length))
		if kind != "" {
			column += " (" + kind + ")"
		}
		where = append(where, "column "+column)
	}
	message := explain(withoutValue(text(e.message)))
	if message == "" && len(where) == 0 {
		return ""
	}
	if e.code != nil && *e.code != 0 {
		message += fmt.Sprintf(" (code %d)", *e.code)
	}
	return strings.Trim(strings.Join(where, ", ")+": "+strings.TrimSpace(message), ": ")
}
