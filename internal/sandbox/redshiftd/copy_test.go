package redshiftd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/parquet-go/parquet-go"
)

// fakeS3 serves GET and HEAD of objects by path style, and the list of one bucket.
type fakeS3 struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string][]byte // "bucket/key"
	status  map[string]int    // answers other than 200
}

func newFakeS3(t *testing.T) *fakeS3 {
	f := &fakeS3{objects: map[string][]byte{}, status: map[string]int{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeS3) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/")
	if r.URL.Query().Get("list-type") == "2" {
		f.list(w, strings.TrimSuffix(path, "/"), r.URL.Query().Get("prefix"))
		return
	}
	if s := f.status[path]; s != 0 {
		w.WriteHeader(s)
		return
	}
	b, ok := f.objects[path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`)
		}
		return
	}
	http.ServeContent(w, r, "", time.Unix(0, 0), bytes.NewReader(b))
}

func (f *fakeS3) list(w http.ResponseWriter, bucket, prefix string) {
	var keys []string
	for k := range f.objects {
		if key, ok := strings.CutPrefix(k, bucket+"/"); ok && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>`)
	for _, k := range keys {
		fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>%d</Size></Contents>", k, len(f.objects[bucket+"/"+k]))
	}
	fmt.Fprint(w, "</ListBucketResult>")
}

func (f *fakeS3) put(path string, b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[path] = b
}

type entry struct {
	URL       string         `json:"url"`
	Mandatory bool           `json:"mandatory"`
	Meta      map[string]any `json:"meta,omitempty"`
}

// manifest puts files and a manifest over them at lake/m.json.
func (f *fakeS3) manifest(files ...[]byte) {
	var entries []entry
	for i, b := range files {
		key := fmt.Sprintf("lake/part-%d.parquet", i)
		f.put(key, b)
		entries = append(entries, entry{"s3://" + key, true, map[string]any{"content_length": len(b)}})
	}
	f.entries(entries...)
}

func (f *fakeS3) entries(entries ...entry) {
	b, _ := json.Marshal(map[string]any{"entries": entries})
	f.put("lake/m.json", b)
}

// parquetFile writes rows of a struct as the loader wants them: V1 pages, plain or dictionary.
func parquetFile[T any](t *testing.T, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	opts := append([]parquet.WriterOption{parquet.DataPageVersion(1), parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.Plain), parquet.Compression(&parquet.Snappy)}, options...)
	w := parquet.NewGenericWriter[T](&b, opts...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fixedDecimalFile holds one DECIMAL(18,2) in length bytes.
func fixedDecimalFile(t *testing.T, length int) []byte {
	t.Helper()
	var b bytes.Buffer
	schema := parquet.NewSchema("x", parquet.Group{"v": parquet.Decimal(2, 18, parquet.FixedLenByteArrayType(length))})
	w := parquet.NewGenericWriter[any](&b, schema, parquet.DataPageVersion(1))
	value := append(make([]byte, length-1), 125)
	if _, err := w.WriteRows([]parquet.Row{{parquet.FixedLenByteArrayValue(value).Level(0, 0, 0)}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type event struct {
	ID     int64    `parquet:"id"`
	Name   *string  `parquet:"name,optional"`
	Amount int64    `parquet:"amount,decimal(2:18)"`
	At     int64    `parquet:"at,timestamp(microsecond:local)"`
	Day    int32    `parquet:"day,date"`
	Ok     bool     `parquet:"ok"`
	Score  *float64 `parquet:"score,optional"`
}

const (
	eventTable = "CREATE TABLE e (id BIGINT NOT NULL, name VARCHAR(10), amount DECIMAL(18,2), at TIMESTAMP, day DATE, ok BOOLEAN, score DOUBLE PRECISION, note VARCHAR(10) DEFAULT 'none')"
	eventCopy  = "COPY e (id,name,amount,at,day,ok,score) FROM 's3://lake/m.json' IAM_ROLE '" + testRole + "' FORMAT AS PARQUET MANIFEST"
)

func text(s string) *string { return &s }

func events(first, n int) []event {
	var out []event
	for i := range n {
		out = append(out, event{ID: int64(first + i), Name: text("n"), Amount: -5, At: 1_700_000_000_500_000, Day: 19000, Ok: true})
	}
	return out
}

func copyServer(t *testing.T, change func(*Config)) (*Server, *fakeS3) {
	store := newFakeS3(t)
	return startServer(t, func(c *Config) {
		c.S3 = S3{Endpoint: store.URL, Region: "eu-west-1", AccessKey: "k", SecretKey: "s", PathStyle: true}
		if change != nil {
			change(c)
		}
	}), store
}

func TestCopy(t *testing.T) {
	s, store := copyServer(t, nil)
	config, err := pgx.ParseConfig("postgres://loader:secret@" + s.Addr() + "/analytics")
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	execAll(t, c, eventTable, "BEGIN", "CREATE TEMP TABLE stage (LIKE e INCLUDING DEFAULTS)")
	store.manifest(parquetFile(t, events(1, 3)), parquetFile(t, events(4, 2), parquet.Compression(&parquet.Zstd)))
	tag, err := c.Exec(t.Context(), strings.Replace(eventCopy, "COPY e", "COPY stage", 1))
	if err != nil {
		t.Fatal(describeError(err))
	}
	if tag.String() != "COPY" {
		t.Errorf("tag %q", tag)
	}
	execAll(t, c, "INSERT INTO e SELECT * FROM stage", "COMMIT")
	if got := table(t, c, "SELECT pg_last_copy_count(), COUNT(*), SUM(id), SUM(amount), MAX(at), MIN(day), MAX(note), COUNT(score) FROM e"); !reflect.DeepEqual(got[0],
		[]string{"5", "5", "15", "-0.25", "2023-11-14 22:13:20.5", "2022-01-08", "none", "0"}) {
		t.Error(got)
	}
	if got := table(t, c, "SELECT status, loaded_rows, source_file_count, TRIM(table_name) FROM sys_load_history"); !reflect.DeepEqual(got, [][]string{{"completed", "5", "2", "stage"}}) {
		t.Error(got)
	}
	if got := table(t, c, "SELECT TRIM(file_name), lines_scanned FROM sys_load_detail WHERE query_id = pg_last_copy_id() ORDER BY 1"); len(got) != 2 || got[0][0] != "https://s3.eu-west-1.amazonaws.com/lake/part-0.parquet" || got[0][1] != "3" {
		t.Error(got)
	}
}

// TestCopyRefusals loads one file or manifest per case into the table and expects SQLSTATE and text.
func TestCopyRefusals(t *testing.T) {
	s, store := copyServer(t, nil)
	c := dial(t, s, "")
	good := parquetFile(t, events(1, 1))
	type one[T any] struct {
		V T `parquet:"v"`
	}
	type nanos struct {
		V int64 `parquet:"v,timestamp(nanosecond)"`
	}
	type wrongScale struct {
		V int64 `parquet:"v,decimal(3:18)"`
	}
	type optional struct {
		V *string `parquet:"v,optional"`
	}
	copyOf := func(table, more string) string {
		return "COPY " + table + " FROM 's3://lake/m.json' IAM_ROLE '" + testRole + "' FORMAT PARQUET MANIFEST " + more
	}
	load := func(b []byte) func() { return func() { store.manifest(b) } }
	for _, tt := range []struct {
		name, ddl string
		prepare   func()
		sql, code string
		text      string // in message or detail
	}{
		{"region", "v INT", load(good), copyOf("x", "REGION 'eu-west-1'"), "0A000", "REGION argument is not supported for PARQUET based COPY"},
		{"truncatecolumns", "v INT", load(good), copyOf("x", "TRUNCATECOLUMNS"), "0A000", "TRUNCATECOLUMNS argument is not supported for PARQUET based COPY"},
		{"maxerror", "v INT", load(good), copyOf("x", "MAXERROR 0"), "0A000", "MAXERROR argument"},
		{"no credentials", "v INT", load(good), "COPY x FROM 's3://lake/m.json' FORMAT PARQUET MANIFEST", "42601", "credentials"},
		{"two credentials", "v INT", load(good), copyOf("x", "CREDENTIALS 'aws_iam_role="+testRole+"'"), "42601", "credentials"},
		{"other role", "v INT", load(good), strings.Replace(copyOf("x", ""), testRole, "arn:aws:iam::1:role/x", 1), "XX000", "is not authorized to assume IAM Role arn:aws:iam::1:role/x"},
		{"unknown table", "v INT", load(good), copyOf("nope", ""), "42P01", "Cannot COPY into nonexistent table nope"},
		{"unknown column", "v INT", load(good), copyOf("x (w)", ""), "42703", `column "w" of relation "x" does not exist`},
		{"not null left out", "v INT NOT NULL, w INT", load(good), copyOf("x (w)", ""), "42601", "NOT NULL column without DEFAULT must be included in column list"},
		{"super", "v SUPER", load(parquetFile(t, []one[string]{{"x"}})), copyOf("x", ""), "XX000", "SUPER column in COPY query requires SERIALIZETOJSON option"},
		{"super too long", "v SUPER", load(parquetFile(t, []one[string]{{strings.Repeat("x", 65536)}})), copyOf("x", "SERIALIZETOJSON"), "XX000", "String value exceeds the max size of 65535 bytes"},
		{"no meta", "v INT", func() { store.entries(entry{URL: "s3://lake/a"}) }, copyOf("x", ""), "XX000", "File entry does not have 'meta' key."},
		{"no manifest", "v INT", load(good), strings.Replace(copyOf("x", ""), "m.json", "gone.json", 1), "XX000", "Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"},
		{"prefix as manifest", "v INT", load(good), strings.Replace(copyOf("x", ""), "m.json", "dir/", 1), "XX000", "COPY with MANIFEST parameter requires full path of an Amazon S3 object."},
		{"denied", "v INT", func() { store.manifest(good); store.status["lake/denied.json"] = 403 }, strings.Replace(copyOf("x", ""), "m.json", "denied.json", 1), "XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied"},
		{"mandatory missing", "v INT", func() { store.entries(entry{"s3://lake/gone", true, map[string]any{"content_length": 1}}) }, copyOf("x", ""), "XX000", "File not found"},
		{"all missing", "v INT", func() { store.entries(entry{"s3://lake/gone", false, map[string]any{"content_length": 1}}) }, copyOf("x", ""), "XX000", "None of the files"},
		{"wrong size", "v INT", func() {
			store.manifest(good)
			store.entries(entry{"s3://lake/part-0.parquet", true, map[string]any{"content_length": 1}})
		}, copyOf("x", ""), "XX000", "its manifest entry says 1"},
		{"column count", "v INT", load(good), copyOf("x", ""), "XX000", "Unmatched number of columns between table and file. Table columns: 1, Data columns: 7, File name: https://s3.eu-west-1.amazonaws.com/lake/part-0.parquet"},
		{"int64 to int", "v INT", load(parquetFile(t, []one[int64]{{1}})), copyOf("x", ""), "XX000", "has an incompatible Parquet schema for column 's3://lake/part-0.parquet.v'. Column type: INT, Parquet schema:\nrequired int64 v"},
		{"int32 to bigint", "v BIGINT", load(parquetFile(t, []one[int32]{{1}})), copyOf("x", ""), "XX000", "incompatible"},
		{"float to double", "v FLOAT8", load(parquetFile(t, []one[float32]{{1}})), copyOf("x", ""), "XX000", "incompatible"},
		{"double to decimal", "v DECIMAL(18,2)", load(parquetFile(t, []one[float64]{{1}})), copyOf("x", ""), "XX000", "incompatible"},
		{"decimal scale", "v DECIMAL(18,2)", load(parquetFile(t, []wrongScale{{1}})), copyOf("x", ""), "XX000", "incompatible"},
		{"string to date", "v DATE", load(parquetFile(t, []one[string]{{"x"}})), copyOf("x", ""), "XX000", "incompatible"},
		{"bytes to varchar", "v VARCHAR(9)", load(parquetFile(t, []one[[]byte]{{[]byte("x")}})), copyOf("x", ""), "XX000", "incompatible"},
		{"unsigned", "v BIGINT", load(parquetFile(t, []one[uint64]{{1}})), copyOf("x", ""), "XX000", "stand-in strictness"},
		{"nanos", "v TIMESTAMP", load(parquetFile(t, []nanos{{1}})), copyOf("x", ""), "XX000", "stand-in strictness"},
		{"long fixed decimal", "v DECIMAL(18,2)", load(fixedDecimalFile(t, 13)), copyOf("x", ""), "XX000", "has an invalid type length. Expecting: 8 len in file: 13"},
		{"too long", "v VARCHAR(3)", load(parquetFile(t, []one[string]{{"ab"}, {"héé"}})), copyOf("x", ""), "XX000", "The length of the data column v is longer than the length defined in the table. Table: 3, Data: 5, File name: https://s3.eu-west-1.amazonaws.com/lake/part-0.parquet"},
		{"null", "v VARCHAR(3) NOT NULL", load(parquetFile(t, []optional{{}})), copyOf("x", ""), "XX000", "Cannot insert a NULL value into column v"},
		{"page v2", "v INT", load(parquetFile(t, []one[int32]{{1}}, parquet.DataPageVersion(2))), copyOf("x", ""), "XX000", "data page version 2 is not supported (stand-in strictness)"},
		{"delta", "v INT", load(parquetFile(t, []one[int32]{{1}}, parquet.DefaultEncodingFor(parquet.Int32, &parquet.DeltaBinaryPacked))), copyOf("x", ""), "XX000", "DELTA_BINARY_PACKED is not supported (stand-in strictness)"},
		{"brotli", "v INT", load(parquetFile(t, []one[int32]{{1}}, parquet.Compression(&parquet.Brotli))), copyOf("x", ""), "XX000", "BROTLI is not supported (stand-in strictness)"},
		{"not parquet", "v INT", load([]byte("id,name\n")), copyOf("x", ""), "XX000", "has an invalid version number"},
		{"identity", "v INT IDENTITY(1,1), w INT", load(good), copyOf("x", ""), "42601", "NOT NULL column without DEFAULT must be included in column list"},
		{"from stdin", "v INT", load(good), "COPY x FROM STDIN", "42601", `syntax error at or near "STDIN"`},
		{"csv", "v INT", load(good), "COPY x FROM 's3://lake/m.json' IAM_ROLE '" + testRole + "' CSV", "0A000", "stand-in strictness"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			execAll(t, c, "DROP TABLE IF EXISTS x", "CREATE TABLE x ("+tt.ddl+")")
			tt.prepare()
			_, err := c.Exec(t.Context(), tt.sql)
			pg := wantError(t, err, tt.code)
			if !strings.Contains(pg.Message+"\n"+pg.Detail, tt.text) {
				t.Errorf("got %q %q, want %q", pg.Message, pg.Detail, tt.text)
			}
			if got := table(t, c, "SELECT COUNT(*) FROM x"); got[0][0] != "0" {
				t.Errorf("%s rows left", got[0][0])
			}
		})
	}
	if got := table(t, c, "SELECT error_code, TRIM(column_name), TRIM(error_message) FROM sys_load_error_detail WHERE column_name = 'v' AND error_message LIKE 'The length%'"); len(got) != 1 || got[0][0] != "15007" {
		t.Error(got)
	}
}
