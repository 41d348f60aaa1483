package decode

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"backfill/internal/columns"
	"backfill/internal/kafka"
	"backfill/internal/schema"
)

// seen is a copy of a record and of its row.
type seenRecord struct {
	Row, Start, Len int64
	Raw             string
	Truncated       bool
	Kind            RecordKind
	Reason          Reason
	Detail          string
	EventTime       string // "missing", "bad", or the instant
	Timestamp       string
	Partition       string
	Offset          string
	Where           string
	Reject          string // column: reason, detail
	Cells           string // of a Value, joined by |
}

func stateText(s State, value fmt.Stringer) string {
	switch s {
	case Missing:
		return "missing"
	case Bad:
		return "bad"
	}
	return value.String()
}

type number int64

func (n number) String() string { return strconv.FormatInt(int64(n), 10) }

func copyRecord(r *Record, b *columns.Batch) seenRecord {
	got := seenRecord{
		Row: r.Row, Start: r.Start, Len: r.Len, Raw: string(r.Raw), Truncated: r.Truncated, Kind: r.Kind,
		Reason: r.Reason, Detail: r.Detail,
		EventTime: stateText(r.EventTimeState, r.EventTime),
		Timestamp: stateText(r.TimestampState, r.Timestamp),
		Partition: stateText(r.PartitionState, number(r.Partition)),
		Offset:    stateText(r.OffsetState, number(r.Offset)),
	}
	if r.OffsetState != OK && r.Offset != kafka.NoOffset {
		got.Offset = "an offset without the state"
	}
	var where []string
	for _, w := range r.Where {
		where = append(where, fmt.Sprintf("%d:%s", w.Kind, w.Text))
	}
	got.Where = strings.Join(where, "|")
	if r.Reject != nil {
		got.Reject = fmt.Sprintf("%d: %s, %s", r.Reject.Column, r.Reject.Reason, r.Reject.Detail())
	}
	if r.Kind == Value && r.Reject == nil {
		got.Cells = cells(b, b.N)
	}
	return got
}

func cells(b *columns.Batch, row int) string {
	var texts []string
	for _, v := range b.Cols {
		switch {
		case v.Null[row]:
			texts = append(texts, "NULL")
		case v.Shape == schema.Int:
			texts = append(texts, strconv.FormatInt(v.I[row], 10))
		case v.Shape == schema.Wide:
			texts = append(texts, wideText(v.S[row]))
		default:
			texts = append(texts, string(v.S[row]))
		}
	}
	return strings.Join(texts, "|")
}

// wideText reads 16 bytes of big-endian two's complement.
func wideText(b []byte) string {
	if len(b) != 16 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return n.String()
}

// scanAll reads the whole input. Cells are read after Scan returned, as the
// engine does, to see that later records do not overwrite them.
func scanAll(t testing.TB, spec Spec, l Limits, r io.Reader) ([]seenRecord, error) {
	t.Helper()
	p, err := Compile(spec)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	s := p.NewScanner(l)
	s.Reset(r)
	return drain(t, s, columns.NewBatch(spec.Columns))
}

func drain(t testing.TB, s *Scanner, b *columns.Batch) ([]seenRecord, error) {
	t.Helper()
	var all []seenRecord
	for range 1 << 20 {
		before := len(all)
		var kept []int
		err := s.Scan(b, func(r *Record) bool {
			all = append(all, copyRecord(r, b))
			if r.Kind == Value && r.Reject == nil {
				kept = append(kept, len(all)-1)
			}
			return true
		})
		if b.N != len(kept) {
			t.Fatalf("%d rows of %d records that should be kept", b.N, len(kept))
		}
		for row, i := range kept {
			if again := cells(b, row); again != all[i].Cells {
				t.Fatalf("row %d changed after its record: %q, was %q", row, again, all[i].Cells)
			}
			if b.Row[row] != all[i].Row {
				t.Fatalf("row number %d, want %d", b.Row[row], all[i].Row)
			}
		}
		b.N = 0
		if err != nil {
			if len(all) != before {
				t.Fatalf("%v came with %d records", err, len(all)-before)
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return all, err
		}
		if len(all) == before {
			t.Fatal("Scan returned nil and no record")
		}
	}
	t.Fatal("Scan does not end")
	return nil, nil
}

// column makes a column from a type's spelling.
func column(name, typ string, path ...string) schema.Column {
	return schema.Column{Name: name, Type: typeOf(typ), Path: path}
}

func typeOf(spelled string) schema.Type {
	var t schema.Type
	switch {
	case spelled == "smallint":
		t.Kind = schema.Smallint
	case spelled == "integer":
		t.Kind = schema.Integer
	case spelled == "bigint":
		t.Kind = schema.Bigint
	case spelled == "boolean":
		t.Kind = schema.Boolean
	case spelled == "date":
		t.Kind = schema.Date
	case spelled == "timestamp":
		t.Kind = schema.Timestamp
	case spelled == "super":
		t.Kind = schema.Super
	case strings.HasPrefix(spelled, "decimal"):
		t.Kind = schema.Decimal
		if _, err := fmt.Sscanf(spelled, "decimal(%d,%d)", &t.Precision, &t.Scale); err != nil {
			panic(err)
		}
	case strings.HasPrefix(spelled, "varchar"):
		t.Kind = schema.Varchar
		if _, err := fmt.Sscanf(spelled, "varchar(%d)", &t.Length); err != nil {
			panic(err)
		}
	case strings.HasPrefix(spelled, "char"):
		t.Kind = schema.Char
		if _, err := fmt.Sscanf(spelled, "char(%d)", &t.Length); err != nil {
			panic(err)
		}
	default:
		panic(spelled)
	}
	return t
}

// pieces gives at most n bytes a read, and the end together with the last.
type pieces struct {
	rest string
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b[:min(p.n, len(b))], p.rest)
	p.rest = p.rest[n:]
	if p.rest == "" {
		return n, io.EOF
	}
	return n, nil
}
