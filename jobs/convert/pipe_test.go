package convert

import (
	"errors"
	"slices"
	"testing"

	"backfill/internal/columns"
	"backfill/internal/scan"
	"backfill/internal/schema"
)

var errFull = errors.New("the disk is full")

// collector is a sink that keeps what it takes and fails at the batch number at.
type collector struct {
	rows     []int64
	batches  int
	at       int
	rejects  int
	restarts int
}

func (c *collector) Rows(b *columns.Batch) error {
	if c.batches++; c.batches == c.at {
		return errFull
	}
	c.rows = append(c.rows, b.Cols[0].I[:b.N]...)
	return nil
}

func (c *collector) Reject(*scan.Rejected) error { c.rejects++; return nil }

func (c *collector) Restart() error {
	c.restarts++
	c.rows = nil
	return nil
}

func pipeColumns() []schema.Column {
	return []schema.Column{{Name: "n", Type: schema.Type{Kind: schema.Bigint}}}
}

// push gives batches of 1, 2, 3, … rows that count up, and reuses their memory.
func push(p *pipe, batches int) (want []int64, err error) {
	b, n := columns.NewBatch(pipeColumns()), int64(0)
	for size := 1; size <= batches && err == nil; size++ {
		b.N = size
		for i := range size {
			b.Cols[0].I[i] = n
			want = append(want, n)
			n++
		}
		err = p.Rows(b)
		b.Cols[0].I[0] = -1
	}
	return want, err
}

func TestPipe(t *testing.T) {
	c := &collector{}
	p := newPipe(c, pipeColumns(), nil)
	for range 2 { // chunks
		p.start()
		if _, err := push(p, 5); err != nil {
			t.Fatal(err)
		}
		if err := p.Restart(); err != nil || c.restarts == 0 || len(c.rows) > 0 {
			t.Fatalf("after a restart %d rows, %v", len(c.rows), err)
		}
		want, err := push(p, 50)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Reject(&scan.Rejected{}); err != nil {
			t.Fatal(err)
		}
		if err := p.drain(); err != nil || !slices.Equal(c.rows, want) {
			t.Fatalf("%d rows, want %d, %v", len(c.rows), len(want), err)
		}
		c.rows = nil
	}
	if c.rejects != 2 {
		t.Errorf("%d rejects", c.rejects)
	}
}

// TestPipeError: the sink's error stops the reader soon, and drain has it too.
func TestPipeError(t *testing.T) {
	c := &collector{at: 4}
	p := newPipe(c, pipeColumns(), nil)
	p.start()
	_, err := push(p, columns.BatchRows)
	if err != nil && !errors.Is(err, errFull) {
		t.Errorf("Rows gives %v", err)
	}
	if err == nil {
		t.Error("Rows never tells that the sink has failed")
	}
	if err := p.drain(); !errors.Is(err, errFull) {
		t.Errorf("drain gives %v", err)
	}
	c.at, c.rows = 0, nil
	p.start()
	want, err := push(p, 3)
	if err = errors.Join(err, p.drain()); err != nil || !slices.Equal(c.rows, want) {
		t.Errorf("the pipe can't be used again: %v, %v", c.rows, err)
	}
}
