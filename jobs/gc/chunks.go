package gc

import (
	"context"
	"fmt"
	"io"
	"time"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/quarantine"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
)

// maxFolder bounds the objects of one chunk.
const maxFolder = 100_000

// chunks goes through the chunks, one at a time, and removes in batches.
func (c *collector) chunks(ctx context.Context) error {
	var folder []runstore.Item
	b := &batch{c: c}
	err := c.w.Runs.Walk(ctx, runstore.WalkChunks, func(it runstore.Item) error {
		if len(folder) == maxFolder {
			return fail.New(fail.Memory, "chunk %s has more than %d files", it.Chunk, maxFolder).Try("look who writes there: an attempt at a chunk leaves a handful")
		}
		if len(folder) > 0 && folder[0].Chunk != it.Chunk {
			if err := b.chunk(ctx, folder); err != nil {
				return err
			}
			folder = folder[:0]
		}
		folder = append(folder, it)
		return nil
	})
	if err == nil && len(folder) > 0 {
		err = b.chunk(ctx, folder)
	}
	if err != nil {
		return err
	}
	return b.flush(ctx)
}

// batch is what goes next. Receipts go before the files that they name.
type batch struct {
	c           *collector
	first, then []string
}

func (b *batch) flush(ctx context.Context) error {
	first, then := b.first, b.then
	b.first, b.then = nil, nil
	return b.c.removeAll(ctx, first, then)
}

// chunk decides about the objects of one chunk.
func (b *batch) chunk(ctx context.Context, folder []runstore.Item) error {
	c := b.c
	winner, err := c.winner(ctx, folder)
	if err != nil {
		return err
	}
	newest, attempts := time.Time{}, map[string]time.Time{}
	for _, it := range folder {
		newest, attempts[it.Attempt] = latest(newest, it.Modified), latest(attempts[it.Attempt], it.Modified)
	}
	for _, it := range folder {
		goes, why := c.chunkRule(it, winner, newest, attempts[it.Attempt])
		switch {
		case !goes && it.Kind == runstore.KindQuarantine && c.older(it.Modified, c.age.Quarantine):
			c.goes.add(it, whyRaw)
			if err := c.strip(ctx, it); err != nil {
				return err
			}
		case !goes:
			c.stays.add(it, why)
		case it.Kind == runstore.KindReceipt:
			c.goes.add(it, why)
			b.first = append(b.first, it.Key)
		default:
			c.goes.add(it, why)
			b.then = append(b.then, it.Key)
		}
	}
	if len(b.first) >= objstore.MaxDelete || len(b.then) >= objstore.MaxDelete {
		return b.flush(ctx)
	}
	return nil
}

// winner returns the attempt whose receipt stands, "" without a receipt. It reads
// the receipt only where there is a choice.
func (c *collector) winner(ctx context.Context, folder []runstore.Item) (string, error) {
	receipt, attempt, several := false, "", false
	for _, it := range folder {
		receipt = receipt || it.Kind == runstore.KindReceipt
		several = several || it.Attempt != "" && attempt != "" && it.Attempt != attempt
		if it.Attempt != "" {
			attempt = it.Attempt
		}
	}
	if !receipt || !several {
		if !receipt {
			attempt = ""
		}
		return attempt, nil
	}
	r, err := c.w.Runs.ChunkReceipt(ctx, folder[0].Chunk)
	if err != nil || r == nil { // another gc removed it just now
		return "", err
	}
	return r.Attempt, nil
}

// chunkRule says whether an object of a chunk goes. winner is the attempt of the
// receipt, newest and of are the newest files of the chunk and of the attempt.
func (c *collector) chunkRule(it runstore.Item, winner string, newest, of time.Time) (bool, string) {
	u := c.use[it.Chunk]
	switch {
	case it.Kind == runstore.KindOther:
		return false, stayUnknown
	case u == 0 && !c.older(newest, runstore.Margin):
		return false, tooYoung
	case u == 0:
		return true, whyUnnamed
	case it.Kind == runstore.KindReceipt:
		return false, stayNamed
	case it.Attempt != winner && !c.older(of, runstore.Margin):
		return false, tooYoung
	case it.Attempt != winner && winner == "":
		return true, whyNoReceipt
	case it.Attempt != winner:
		return true, whyAttempt
	case it.Kind != runstore.KindParquet:
		return false, stayNamed
	case u&foreign != 0:
		return false, stayForeign
	case u&needed != 0:
		return false, stayUsed
	case !c.older(it.Modified, c.age.Parquet):
		return false, tooYoung
	}
	return true, c.whyFreed(it.Chunk)
}

// whyFreed is why the plans of a chunk no longer need its Parquet.
func (c *collector) whyFreed(id runplan.ChunkID) string {
	if c.freedBy == nil {
		c.freedBy = map[runplan.ChunkID]string{}
		for _, p := range c.mine {
			if p.fate != freed {
				continue
			}
			for _, id := range p.chunks {
				if was := c.freedBy[id]; was == "" || p.why < was { // whyTied is not the least, any of them is true
					c.freedBy[id] = p.why
				}
			}
		}
	}
	if why := c.freedBy[id]; why != "" {
		return why
	}
	return whyUnnamed
}

// strip replaces raw bytes by what stays of them.
func (c *collector) strip(ctx context.Context, it runstore.Item) error {
	if !c.o.Apply {
		return nil
	}
	return c.w.Runs.StripQuarantine(ctx, it, func(r io.Reader, w io.Writer) error {
		return quarantine.Strip(r, w, c.now, fmt.Sprintf("retain.quarantine is %s", days(c.age.Quarantine)))
	})
}
