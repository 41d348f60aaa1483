// Package outside reads the files that people bring to a reconciliation:
// control totals of a payroll register or general ledger, the end offsets of
// topics, and named exceptions. It decides nothing; tieout compares.
//
// Every file is read whole and strictly: a line that can't be understood is an
// error with its number, never passed over.
package outside

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// Limits of the files.
const (
	maxFile  = 64 << 20 // bytes
	maxLines = 1_000_000
)

// File is a file as it was read.
type File struct {
	Path string
	Body []byte
}

// Read reads a file; a path of "" gives nil.
func Read(path string) (*File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fail.Wrap(err, fail.NotFoundInput, "the file can't be read")
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fail.Wrap(err, fail.NotFoundInput, "the file can't be read").At("%s", path)
	}
	if len(body) > maxFile {
		return nil, fail.New(fail.Usage, "the file is larger than %d MiB", maxFile>>20).At("%s", path)
	}
	return &File{Path: path, Body: body}, nil
}

// Columns are the dataset's columns that control totals can be about.
type Columns struct {
	By     []string // columns of the groups
	Totals []string
	Scales []int // of the totals
}

// Controls reads control totals: CSV with a header that names columns of the
// groups (all or some of them), rows, totals, and day (YYYY-MM-DD) if the totals
// are by day. An empty cell of rows or of a total was not given. An empty cell
// of a group column is an empty text, (null) is NULL.
func Controls(f *File, c Columns) (*tieout.Controls, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(f.Body, []byte("\ufeff"))))
	r.FieldsPerRecord = 0
	head, err := r.Read()
	if err != nil {
		return nil, f.wrong(err, 1, "the header can't be read")
	}
	out := &tieout.Controls{}
	fields, err := f.fields(head, c, out)
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			return nil, f.wrong(parse.Err, parse.Line, "the line can't be read")
		}
		if err != nil {
			return nil, f.wrong(err, 1, "the lines can't be read")
		}
		line, _ := r.FieldPos(0)
		if len(out.Lines) == maxLines {
			return nil, f.at(line, "more than %d lines", maxLines)
		}
		control := tieout.Control{Line: line, Day: kafka.NoDay, Group: make([]*string, len(out.By)), Sums: make([]*account.Int128, len(c.Totals))}
		for i, set := range fields {
			if err := set(&control, strings.TrimSpace(cells[i])); err != nil {
				return nil, f.at(line, "%s: %v", head[i], err)
			}
		}
		id := identity(&control)
		if first, twice := seen[id]; twice {
			return nil, f.at(line, "the same group as in line %d", first)
		}
		seen[id] = line
		out.Lines = append(out.Lines, control)
	}
	if len(out.Lines) == 0 {
		return nil, f.at(1, "there is no line below the header")
	}
	return out, nil
}

// identity is equal for lines about the same rows alone.
func identity(l *tieout.Control) string {
	id := l.Day.String()
	for _, text := range l.Group {
		if text == nil {
			id += " NULL"
			continue
		}
		id += " " + strconv.Quote(*text)
	}
	return id
}

type setter func(*tieout.Control, string) error

// fields finds what each column of the header is.
func (f *File) fields(head []string, c Columns, out *tieout.Controls) ([]setter, error) {
	var fields []setter
	measures := 0
	for i, name := range head {
		head[i] = strings.TrimSpace(name)
		name = head[i]
		if slices.Index(head, name) != i {
			return nil, f.at(1, "column %s stands twice", name)
		}
		by, total := slices.Index(c.By, name), slices.Index(c.Totals, name)
		switch {
		case name == "day":
			out.Days = true
			fields = append(fields, setDay)
		case name == "rows":
			measures++
			fields = append(fields, setRows)
		case by >= 0:
			at := len(out.By)
			out.By = append(out.By, by)
			fields = append(fields, func(l *tieout.Control, text string) error {
				if text != "(null)" {
					l.Group[at] = &text
				}
				return nil
			})
		case total >= 0:
			measures++
			fields = append(fields, func(l *tieout.Control, text string) (err error) {
				l.Sums[total], err = amount(text, c.Scales[total])
				return err
			})
		default:
			return nil, f.at(1, "column %q is neither day nor rows nor one of %s", name, strings.Join(append(slices.Clone(c.By), c.Totals...), ", "))
		}
	}
	if measures == 0 {
		return nil, f.at(1, "there is nothing to compare: give rows or one of %s", strings.Join(c.Totals, ", "))
	}
	return fields, nil
}

func setDay(l *tieout.Control, text string) error {
	if err := l.Day.UnmarshalText([]byte(text)); err != nil || l.Day == kafka.NoDay {
		return fmt.Errorf("%q is no day like 2026-03-01", text)
	}
	return nil
}

func setRows(l *tieout.Control, text string) error {
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no number of rows", text)
	}
	l.Rows = &n
	return nil
}

// amount reads an exact decimal without thousands separators; "" is nil.
func amount(text string, scale int) (*account.Int128, error) {
	if text == "" {
		return nil, nil
	}
	n, err := account.ParseDecimal(text, scale)
	if err != nil {
		return nil, fmt.Errorf("%q is no amount with at most %d decimals: write it like -1234.50, without thousands separators", text, scale)
	}
	return &n, nil
}

// Ends reads end offsets as Kafka's own tool prints them, one
// topic:partition:offset a line (kafka-get-offsets), or the same with commas
// under a header topic,partition,offset. Empty lines and lines that begin with
// # are passed over.
func Ends(f *File) (tieout.Ends, error) {
	ends := tieout.Ends{}
	number := 0
	for line := range strings.Lines(string(bytes.TrimPrefix(f.Body, []byte("\ufeff")))) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line == "topic,partition,offset" {
			continue
		}
		separator := ":"
		if strings.Count(line, ",") == 2 {
			separator = ","
		}
		parts := strings.Split(line, separator)
		if len(parts) != 3 {
			return nil, f.at(number, "%q is not topic:partition:offset", line)
		}
		partition, err1 := strconv.ParseInt(strings.TrimSpace(parts[1]), 10, 32)
		offset, err2 := strconv.ParseInt(strings.TrimSpace(parts[2]), 10, 64)
		tp := kafka.TopicPartition{Topic: strings.TrimSpace(parts[0]), Partition: kafka.Partition(partition)}
		if err1 != nil || err2 != nil || partition < 0 || offset < 0 || tp.Topic == "" {
			return nil, f.at(number, "%q is not topic:partition:offset", line)
		}
		if _, twice := ends[tp]; twice {
			return nil, f.at(number, "partition %s stands twice", tp)
		}
		if len(ends) == maxLines {
			return nil, f.at(number, "more than %d partitions", maxLines)
		}
		ends[tp] = kafka.Offset(offset)
	}
	if len(ends) == 0 {
		return nil, f.at(max(number, 1), "there is no line with an offset")
	}
	return ends, nil
}

func (f *File) at(line int, format string, args ...any) *fail.Error {
	return fail.New(fail.Usage, format, args...).At("%s:%d", f.Path, line)
}

func (f *File) wrong(err error, line int, what string) *fail.Error {
	return fail.Wrap(err, fail.Usage, "%s", what).At("%s:%d", f.Path, line)
}

// expiry reads a date, which holds to its end in UTC, or an RFC 3339 time.
func expiry(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	return time.Parse(time.RFC3339, text)
}
