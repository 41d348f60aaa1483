package rowdiff

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"backfill/internal/account"
	"backfill/internal/columns"
	"backfill/internal/dataset"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
	"backfill/internal/scan"
)

// BenchmarkCompare compares ROWS rows (default 1,000,000) with a table that
// differs in 12 of them, within 256 MiB for entries, buckets and files' blocks:
//
//	ROWS=50000000 go test ./internal/rowdiff -run - -bench Compare -benchtime 1x
//
// It measures the engine alone: rows come from memory, and the table's groups are
// what its GROUP BY would give. A full outer join in DuckDB of the same rows, to
// stand beside it:
//
//	ROWS=50000000 go test ./internal/sandbox/redshiftd -run - -bench OuterJoin -benchtime 1x -timeout 2h
func BenchmarkCompare(b *testing.B) {
	rows := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("ROWS")); err == nil {
		rows = n
	}
	ds, err := dataset.Compile("x.yaml", []byte(file), nil, func(string) string { return "" })
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c, err := New(Options{Dataset: ds, Window: march, Chunks: []runplan.Chunk{{Bytes: int64(rows) * 30}}, Memory: 256 << 20, Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		feedMillions(b, c, rows)
		if err := c.Count(); err != nil {
			b.Fatal(err)
		}
		if err := answer(c, 12); err != nil {
			b.Fatal(err)
		}
		bad, fetched := c.Bad(), int64(0)
		for _, bucket := range bad {
			fetched += bucket.Right
		}
		if len(bad) != 12 || fetched > 12*10_000 {
			b.Fatalf("%d bad buckets with %d rows to fetch", len(bad), fetched)
		}
		if err := c.Expect(bad); err != nil {
			b.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.Sys>>20), "MiB")
		b.ReportMetric(float64(fetched), "rows-fetched")
		b.ReportMetric(float64(rows), "rows")
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func feedMillions(b *testing.B, c *Comparison, rows int) {
	f := c.Feeder()
	f.Begin(0)
	batch := columns.NewBatch(scan.StageColumns(c.ds))
	for n := 0; n < rows; {
		batch.N = 0
		for ; batch.N < columns.BatchRows && n < rows; n++ {
			i := batch.N
			at := march.From + kafka.Instant(int64(n)*((int64(march.To)-int64(march.From))/int64(rows)))
			batch.EventTime[i], batch.Offset[i] = at, kafka.Offset(n)
			batch.Cols[0].S[i] = strconv.AppendInt([]byte("k"), int64(n), 10)
			batch.Cols[1].I[i], batch.Cols[2].I[i], batch.Cols[3].I[i] = int64(at), 1, int64(n%100_000)
			batch.Cols[4].S[i] = []byte([]string{"USD", "EUR"}[n%2])
			batch.N++
		}
		if err := f.Rows(batch); err != nil {
			b.Fatal(err)
		}
	}
	f.End()
}

// answer gives the table's groups: the archive's, one cent less in some buckets.
func answer(c *Comparison, bad int) error {
	type group struct {
		place account.Place
		cell  *account.Cell
	}
	var list []group
	for at, s := range c.slots {
		list = append(list, group{account.Place{Partition: -1, Day: at.day, Bucket: at.number, Group: c.groups.names[at.group]}, s.more.Clone()})
	}
	spoiled := map[[2]int64]bool{}
	for _, g := range list {
		bucket := [2]int64{int64(g.place.Day), int64(g.place.Bucket)}
		if len(spoiled) < bad && !spoiled[bucket] {
			spoiled[bucket] = true
			g.cell.Sums[0].Plus(-1)
		}
		if err := c.Take(g.place, g.cell); err != nil {
			return err
		}
	}
	return nil
}
