package redshiftd

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/parquet-go/parquet-go"
)

// benchEvent is a payroll row as the worker stages it.
type benchEvent struct {
	EventID     string    `parquet:"event_id,optional,plain"`
	Type        string    `parquet:"type,optional,dict"`
	EmployeeID  int64     `parquet:"employee_id,optional,plain"`
	CompanyID   int64     `parquet:"company_id,optional,plain"`
	Gross       int64     `parquet:"gross_amount,optional,plain,decimal(2:18)"`
	Tax         int64     `parquet:"tax_amount,optional,plain,decimal(2:18)"`
	Net         int64     `parquet:"net_amount,optional,plain,decimal(2:18)"`
	Currency    string    `parquet:"currency,optional,dict"`
	PayRunID    string    `parquet:"pay_run_id,optional,dict"`
	OccurredAt  time.Time `parquet:"occurred_at,optional,plain,timestamp(microsecond:local)"`
	Version     int32     `parquet:"version,optional,plain"`
	BankAccount string    `parquet:"bank_account,optional,plain"`
	Details     string    `parquet:"details,optional,plain"`
	Topic       string    `parquet:"_kafka_topic,optional,dict"`
	Partition   int32     `parquet:"_kafka_partition,optional,plain"`
	Offset      int64     `parquet:"_kafka_offset,optional,plain"`
}

const (
	benchPartitions = 12
	benchFileRows   = 250_000
	benchDays       = 31
)

var benchStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// benchRow is the i-th of n events. One in a hundred is an older version of the one before it.
func benchRow(r *rand.Rand, i, n int64, last benchEvent) benchEvent {
	each := (n + benchPartitions - 1) / benchPartitions
	e := benchEvent{Topic: "payroll.events", Partition: 1 + int32(i/each), Offset: i % each, Version: 2}
	if e.Offset > 0 && r.IntN(100) == 0 {
		part, off := e.Partition, e.Offset
		e = last
		e.Partition, e.Offset, e.Version, e.Gross = part, off, 1, e.Gross+1
		return e
	}
	a, b := r.Uint64(), r.Uint64()
	e.EventID = fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48|0x8000, b&0xffffffffffff)
	e.Type = [...]string{"payment.settled", "payment.reversed"}[a%10/9]
	e.EmployeeID, e.CompanyID = 1+r.Int64N(5_000_000), 1+r.Int64N(20_000)
	e.Gross = r.Int64N(1_000_000)
	e.Tax = e.Gross * 3 / 10
	e.Net = e.Gross - e.Tax
	e.Currency = [...]string{"USD", "EUR", "JPY"}[b%3]
	e.PayRunID = fmt.Sprintf("run-2026-03-%05d", e.CompanyID)
	step := int64(benchDays) * 24 * int64(time.Hour) / each
	e.OccurredAt = benchStart.Add(time.Duration(e.Offset * step)).Truncate(time.Microsecond)
	e.BankAccount = fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
	e.Details = fmt.Sprintf(`{"department":"dept-%d","hours":%d,"rate":%d.%02d,"lines":[{"code":"BASE","amount":%d},{"code":"TAX","amount":%d}],"note":"período %d"}`,
		r.IntN(40), r.IntN(200), r.IntN(100), r.IntN(100), e.Gross, e.Tax, r.IntN(12))
	return e
}

// benchFiles writes the files and their manifest below dir/lake, unless they are there.
func benchFiles(b *testing.B, dir string, n int64) {
	b.Helper()
	lake := filepath.Join(dir, "lake")
	if _, err := os.Stat(filepath.Join(lake, "m.json")); err == nil {
		return
	}
	if err := os.MkdirAll(lake, 0o755); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var entries []entry
	var last benchEvent
	for i := int64(0); i < n; {
		name := fmt.Sprintf("part-%05d.parquet", len(entries))
		f, err := os.Create(filepath.Join(lake, name))
		if err != nil {
			b.Fatal(err)
		}
		w := parquet.NewGenericWriter[benchEvent](f, parquet.DataPageVersion(1), parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.Plain),
			parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(65536))
		for end := min(n, i+benchFileRows); i < end; i++ {
			last = benchRow(r, i, n, last)
			if _, err := w.Write([]benchEvent{last}); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
		entries = append(entries, entry{"s3://lake/" + name, true, map[string]any{"content_length": info.Size()}})
	}
	m, _ := json.Marshal(map[string]any{"entries": entries})
	if err := os.WriteFile(filepath.Join(lake, "m.json"), m, 0o644); err != nil {
		b.Fatal(err)
	}
}

// The parts of the statements that the main job sends.
const (
	benchTable = `CREATE TABLE payroll.events (event_id varchar(36) NOT NULL, type varchar(32) NOT NULL, employee_id bigint NOT NULL, company_id bigint,
  gross_amount decimal(18,2), tax_amount decimal(18,2), net_amount decimal(18,2), currency char(3), pay_run_id varchar(36), occurred_at timestamp NOT NULL,
  version integer NOT NULL, bank_account varchar(64), details super, source varchar(16) DEFAULT 'payroll', _kafka_topic varchar(249), _kafka_partition integer,
  _kafka_offset bigint, _backfill_run varchar(64), PRIMARY KEY (event_id)) DISTKEY (event_id) SORTKEY (occurred_at)`
	benchStage = `CREATE TEMP TABLE "_stage" ("event_id" VARCHAR(36), "type" VARCHAR(32), "employee_id" BIGINT, "company_id" BIGINT, "gross_amount" DECIMAL(18,2),
  "tax_amount" DECIMAL(18,2), "net_amount" DECIMAL(18,2), "currency" CHAR(3), "pay_run_id" VARCHAR(36), "occurred_at" TIMESTAMP, "version" INTEGER,
  "bank_account" VARCHAR(64), "details" VARCHAR(65535), "_kafka_topic" VARCHAR(249), "_kafka_partition" INTEGER, "_kafka_offset" BIGINT)`
	benchColumns = `"event_id", "type", "employee_id", "company_id", "gross_amount", "tax_amount", "net_amount", "currency", "pay_run_id", "occurred_at", "version",
  "bank_account", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset"`
)

// benchText is the canonical text of a row.
func benchText(details string) string {
	var parts []string
	add := func(name, value string) {
		parts = append(parts, "CASE WHEN "+name+" IS NULL THEN '~' ELSE "+value+" END || '|'")
	}
	for _, n := range []string{"event_id", "type", "employee_id", "company_id", "gross_amount", "tax_amount", "net_amount", "currency", "pay_run_id",
		"occurred_at", "version", "bank_account", "details"} {
		q := strconv.Quote(n)
		switch n {
		case "event_id", "type", "pay_run_id", "bank_account":
			add(q, "OCTET_LENGTH("+q+")::VARCHAR || ':' || "+q)
		case "currency":
			add(q, "OCTET_LENGTH(RTRIM("+q+"::VARCHAR(3)))::VARCHAR || ':' || RTRIM("+q+"::VARCHAR(3))")
		case "occurred_at":
			add(q, "DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', "+q+")::VARCHAR")
		case "details":
			add(q, "OCTET_LENGTH("+details+")::VARCHAR || '#' || MD5("+details+")")
		default:
			add(q, q+"::VARCHAR")
		}
	}
	return strings.Join(parts, " || ")
}

func benchDay() string {
	var s strings.Builder
	fmt.Fprintf(&s, `CASE WHEN "occurred_at" < TIMESTAMP '%s' THEN NULL`, stamp(benchStart))
	for d := range benchDays {
		at := benchStart.AddDate(0, 0, d)
		fmt.Fprintf(&s, "\n  WHEN \"occurred_at\" < TIMESTAMP '%s' THEN %d", stamp(at.AddDate(0, 0, 1)), at.Unix()/86400)
	}
	return s.String() + " END"
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05.000000") }

func benchCells(from, details string) string {
	text := benchText(details)
	return `SELECT _key1, _key2, _key3, _key4, _key5, COUNT(*), COUNT(_offset), SUM(_offset::DECIMAL(38,0))::VARCHAR, SUM(_lane1::DECIMAL(38,0))::VARCHAR,
  SUM(_lane2::DECIMAL(38,0))::VARCHAR, SUM(_total1::DECIMAL(38,2))::VARCHAR, COUNT(_total1), SUM(_total2::DECIMAL(38,2))::VARCHAR, COUNT(_total2),
  SUM(_total3::DECIMAL(38,2))::VARCHAR, COUNT(_total3)
FROM (SELECT "_kafka_topic" AS _key1, "_kafka_partition" AS _key2, ` + benchDay() + ` AS _key3,
  MOD(FARMFINGERPRINT64(CASE WHEN "event_id" IS NULL THEN '~' ELSE OCTET_LENGTH("event_id")::VARCHAR || ':' || "event_id" END || '|'), 16) AS _key4,
  RTRIM("currency") || '.' AS _key5, "_kafka_offset" AS _offset,
  FARMFINGERPRINT64(` + text + `) AS _lane1, FARMFINGERPRINT64('#' || ` + text + `) AS _lane2,
  "gross_amount" AS _total1, "tax_amount" AS _total2, "net_amount" AS _total3
FROM ` + from + `) AS _rows
GROUP BY 1, 2, 3, 4, 5`
}

func benchWinners() string {
	text := benchText(`"details"`)
	return `CREATE TEMP TABLE "_winners" AS SELECT ` + strings.Replace(benchColumns, `"details"`, `JSON_PARSE("details") AS "details"`, 1) + `
FROM (SELECT ` + benchColumns + `, ROW_NUMBER() OVER (PARTITION BY "event_id" ORDER BY "version" DESC NULLS LAST, "_kafka_topic", "_kafka_partition",
  "_kafka_offset" DESC NULLS LAST, FARMFINGERPRINT64(` + text + `), FARMFINGERPRINT64('#' || ` + text + `)) AS _rank FROM "_stage") AS _ranked
WHERE _rank = 1`
}

func benchWindow(from, to time.Time) string {
	return fmt.Sprintf(`"occurred_at" >= TIMESTAMP '%s' AND "occurred_at" < TIMESTAMP '%s'`, stamp(from), stamp(to))
}

// benchStep is one statement under the name that its time is added to.
type benchStep struct{ name, sql string }

func benchSteps() []benchStep {
	steps := []benchStep{{"stage", benchStage},
		{"copy", `COPY "_stage" (` + benchColumns + `) FROM 's3://lake/m.json' IAM_ROLE '` + testRole + `' FORMAT AS PARQUET MANIFEST`},
		{"stage_cells", benchCells(`"_stage"`, `"details"`)},
		{"winners", benchWinners()},
		{"winners_cells", benchCells(`"_winners"`, `JSON_SERIALIZE("details")`)},
		{"vanish", `SELECT _key2, COUNT(*), SUM(_total1::DECIMAL(38,2))::VARCHAR FROM (SELECT RTRIM("currency") || '.' AS _key2, "gross_amount" AS _total1
FROM (SELECT "event_id", "gross_amount", "currency", "occurred_at" FROM "payroll"."events" WHERE ` + benchWindow(benchStart, benchStart.AddDate(0, 0, benchDays)) + `
  AND (source = 'payroll')) AS _old WHERE NOT EXISTS (SELECT 1 FROM "_winners" AS _new WHERE _new."event_id" = _old."event_id")) AS _rows GROUP BY 1`}}
	for d := 0; d < benchDays; d += 7 {
		w := benchWindow(benchStart.AddDate(0, 0, d), benchStart.AddDate(0, 0, min(d+7, benchDays)))
		cells := benchCells(`"payroll"."events" WHERE `+w+` AND (source = 'payroll')`, `JSON_SERIALIZE("details")`)
		steps = append(steps, benchStep{"begin", "BEGIN"}, benchStep{"lock", "LOCK TABLE payroll.ledger"}, benchStep{"slice_before", cells},
			benchStep{"delete", `DELETE FROM "payroll"."events" WHERE ` + w + ` AND (source = 'payroll')`},
			benchStep{"insert", `INSERT INTO "payroll"."events" (` + benchColumns + `, "_backfill_run") SELECT ` + benchColumns + `, 'run-1' FROM "_winners" WHERE ` + w},
			benchStep{"slice_after", cells}, benchStep{"ledger", fmt.Sprintf("INSERT INTO payroll.ledger VALUES (%d)", d)}, benchStep{"commit", "COMMIT"})
	}
	return append(steps, benchStep{"drop", `DROP TABLE "_stage"`}, benchStep{"drop", `DROP TABLE "_winners"`})
}

// procStatus reads a size from the process's status, in MiB; 0 where there is none.
func procStatus(name string) float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kib float64
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			if _, err := fmt.Sscan(rest, &kib); err == nil {
				return kib / 1024
			}
		}
	}
	return 0
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkMainJob sends the statements of the main job. Environment: MAINJOB_ROWS (default 200000), MAINJOB_DIR keeps the
// Parquet files for the next run, MAINJOB_PASSES loads the same rows again (default 2: into an empty table, then over it),
// MAINJOB_MEMORY is the engine's limit, MAINJOB_UNTIL names the last step to run.
func BenchmarkMainJob(b *testing.B) { benchmarkSteps(b, benchSteps()) }

// BenchmarkLoad sends COPY, INSERT and DELETE alone, of all rows, under the same environment.
func BenchmarkLoad(b *testing.B) {
	steps := benchSteps()[:2]
	insert := `INSERT INTO "payroll"."events" (` + benchColumns + `, "_backfill_run") SELECT ` + strings.Replace(benchColumns, `"details"`, `JSON_PARSE("details")`, 1) + `, 'run-1' FROM "_stage"`
	benchmarkSteps(b, append(steps, benchStep{"begin", "BEGIN"}, benchStep{"delete", `DELETE FROM "payroll"."events" WHERE ` + benchWindow(benchStart, benchStart.AddDate(0, 0, benchDays))},
		benchStep{"insert", insert}, benchStep{"commit", "COMMIT"}, benchStep{"drop", `DROP TABLE "_stage"`}))
}

func benchmarkSteps(b *testing.B, steps []benchStep) {
	number := func(name string, or int64) int64 {
		if v, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
			return v
		}
		return or
	}
	rows := number("MAINJOB_ROWS", 200_000)
	dir := os.Getenv("MAINJOB_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	dir = filepath.Join(dir, strconv.FormatInt(rows, 10))
	benchFiles(b, dir, rows)
	store := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer store.Close()
	for b.Loop() {
		c := testConfig(b.TempDir())
		c.S3 = S3{Endpoint: store.URL, PathStyle: true, AccessKey: "a", SecretKey: "b"}
		c.MemoryLimit = os.Getenv("MAINJOB_MEMORY")
		benchJob(b, c, steps, int(number("MAINJOB_PASSES", 2)))
	}
}

func benchJob(b *testing.B, c Config, steps []benchStep, passes int) {
	ctx := context.Background()
	s, err := Start(ctx, c)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	conn, err := pgx.Connect(ctx, "postgres://loader:secret@"+s.Addr()+"/analytics?default_query_exec_mode=exec")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, q := range []string{"CREATE SCHEMA payroll", benchTable, "CREATE TABLE payroll.ledger (slice integer)"} {
		if _, err := conn.Exec(ctx, q); err != nil {
			b.Fatal(err)
		}
	}
	for pass := range passes {
		type spent struct{ wall, cpu, rss float64 }
		total, by := spent{}, map[string]spent{}
		var names []string
		for _, st := range steps {
			began, cpu := time.Now(), cpuSeconds()
			if _, err := conn.Exec(ctx, st.sql); err != nil {
				b.Fatalf("%s: %s", st.name, describeError(err))
			}
			was, seen := by[st.name]
			if !seen {
				names = append(names, st.name)
			}
			d := spent{time.Since(began).Seconds(), cpuSeconds() - cpu, procStatus("VmHWM")}
			by[st.name] = spent{was.wall + d.wall, was.cpu + d.cpu, max(was.rss, d.rss)}
			total = spent{total.wall + d.wall, total.cpu + d.cpu, d.rss}
			if st.name == os.Getenv("MAINJOB_UNTIL") {
				break
			}
		}
		by["total"] = total
		var report strings.Builder
		for _, n := range append(names, "total") {
			if t := by[n]; t.wall > 0.01 {
				fmt.Fprintf(&report, "\npass %d %-14s %8.2f s %8.2f cpu-s  peak %6.0f MiB", pass+1, n, t.wall, t.cpu, t.rss)
			}
		}
		b.Log(report.String())
		b.ReportMetric(total.wall, fmt.Sprintf("pass%d-s", pass+1))
		b.ReportMetric(total.cpu, fmt.Sprintf("pass%d-cpu-s", pass+1))
		b.ReportMetric(total.rss, "peak-MiB")
	}
}
