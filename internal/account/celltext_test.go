package account

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/kafka"
)

// reflected writes cells as encoding/json does with the struct's tags.
func reflected(t *rapid.T, cs Cells) []byte {
	list := make([]cellEntry, 0, len(cs))
	for _, p := range cs.Places() {
		list = append(list, cellEntry{p, cs[p]})
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestCellsAreWrittenAsEncodingJSONWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cs, totals, sum := Cells{}, rapid.IntRange(0, 3).Draw(t, "totals"), Int128{}
		var stock Stock
		number := func() Int128 {
			sum.Plus(rapid.Int64().Draw(t, "n"))
			sum, _ = sum.Add(sum)
			return sum
		}
		for range rapid.IntRange(0, 100).Draw(t, "cells") {
			c := stock.Cell(totals)
			if totals == 0 && rapid.Bool().Draw(t, "nil") {
				c = &Cell{}
			}
			c.Rows, c.Offsets, c.OffsetSum, c.Lane1, c.Lane2 = rapid.Int64().Draw(t, "rows"), rapid.Int64().Draw(t, "offsets"), number(), number(), number()
			for i := range totals {
				c.Sums[i], c.Counts[i] = number(), rapid.Int64().Draw(t, "count")
			}
			cs[Place{
				Topic: rapid.SampledFrom([]string{"", "a", "<\"\\é\u2028"}).Draw(t, "topic"), Partition: kafka.Partition(rapid.Int32().Draw(t, "partition")),
				Day:    rapid.SampledFrom([]kafka.Day{kafka.NoDay, -1, 0, 20513, 20514}).Draw(t, "day"),
				Bucket: rapid.Int32Range(-3, 3).Draw(t, "bucket"), Group: Group(rapid.SampledFrom([]string{"", "\x00", "USD\x1fa", "\x1b@", "&"}).Draw(t, "group")),
			}] = c
		}
		got, err := json.Marshal(cs)
		if want := reflected(t, cs); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n%s\nwant\n%s", err, got, want)
		}
		var back Cells
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, cs) {
			t.Fatalf("%v\n%v\nwant\n%v", err, back, cs)
		}
	})
}

// Cells of a stock share no memory that one of them uses.
func TestStock(t *testing.T) {
	var stock Stock
	var list []*Cell
	for i := range 3 * stockCells {
		c := stock.Cell(i % 3)
		if !c.IsZero() || len(c.Sums) != i%3 || len(c.Counts) != i%3 {
			t.Fatalf("cell %d is %+v", i, c)
		}
		c.Rows = int64(i)
		for n := range c.Sums {
			c.Sums[n], c.Counts[n] = FromInt64(int64(i)), int64(i)
		}
		list = append(list, c)
	}
	for i, c := range list {
		for n := range c.Sums {
			if c.Rows != int64(i) || c.Sums[n] != FromInt64(int64(i)) || c.Counts[n] != int64(i) {
				t.Fatalf("cell %d became %+v", i, c)
			}
		}
	}
}
