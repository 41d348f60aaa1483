package redshiftd

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/duckdb/duckdb-go/v2"
)

// BenchmarkOuterJoin is what a comparison by key stands beside: a full outer join in DuckDB of ROWS rows (default 1,000,000) with
// as many of which 12 differ by a cent. Writing the two sides is not measured. MEMORY (default 2GB) is DuckDB's limit; what
// does not fit goes to files.
//
//	ROWS=50000000 go test ./internal/sandbox/redshiftd -run - -bench OuterJoin -benchtime 1x -timeout 2h
func BenchmarkOuterJoin(b *testing.B) {
	rows, memory := 1_000_000, "2GB"
	if n, err := strconv.Atoi(os.Getenv("ROWS")); err == nil {
		rows = n
	}
	if m := os.Getenv("MEMORY"); m != "" {
		memory = m
	}
	conn, err := duckdb.NewConnector(filepath.Join(b.TempDir(), "sides.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	db := sql.OpenDB(conn)
	defer db.Close()
	ctx, size := context.Background(), strconv.Itoa(rows)
	side := func(name, cents string) {
		_, err := db.ExecContext(ctx, "CREATE TABLE "+name+" AS SELECT 'k' || n AS id, TIMESTAMP '2026-03-01' + to_microseconds(n * (2678400000000 // "+size+")) AS at, 1 AS v, "+
			"CAST((n % 100000 + "+cents+") AS DECIMAL(18,2)) / 100 AS amount, CASE n % 2 WHEN 0 THEN 'USD' ELSE 'EUR' END AS currency FROM range("+size+") AS r(n)")
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.ExecContext(ctx, "SET memory_limit = '"+memory+"'"); err != nil {
		b.Fatal(err)
	}
	side("archive", "0")
	side("held", "CASE WHEN n % ("+size+" // 12) = 0 AND n < 12 * ("+size+" // 12) THEN 1 ELSE 0 END")
	for b.Loop() {
		var found int
		err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM archive AS a FULL OUTER JOIN held AS h ON a.id = h.id
			WHERE a.id IS NULL OR h.id IS NULL OR a.at IS DISTINCT FROM h.at OR a.v IS DISTINCT FROM h.v OR a.amount IS DISTINCT FROM h.amount OR a.currency IS DISTINCT FROM h.currency`).Scan(&found)
		if err != nil || found != 12 {
			b.Fatalf("%d rows differ: %v", found, err)
		}
	}
	b.ReportMetric(float64(rows), "rows")
}
