package redshiftd

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// conform is one case of a row of what Redshift is known to take, to refuse and to suffer. Every row is played once by the Go
// client and once by psql.
type conform struct {
	row   string // the row's number, and a name
	steps string // of the sessions a and b, see play
	code  string // SQLSTATE of the last step; "" is taken, "lost" is a connection that has ended
	// text is what the last step gives: all of it, in the form of psql -A -t, where it is taken; a part where it is refused
	// or begins with "~".
	text    string
	profile Profile         // default Serverless
	fault   func(Op) Action // the hook's answer
	then    string          // "query => value": what another session sees afterwards
}

// warehouse is a server with the tables and files of the suite. hook is what its faults are taken from.
type warehouse struct {
	*Server
	hook  atomic.Pointer[func(Op) Action]
	fresh int64 // the last commit that wrote, when the fixtures had been made
}

// fixtures are the tables of the suite, made anew after every case that wrote something. The manifest m.json loads into ok.
var fixtures = []string{"DROP TABLE IF EXISTS ok, empty, one, two, narrow, big, short, must, super, dec, x, y",
	"CREATE TABLE ok (a INT, b VARCHAR(9))", "CREATE TABLE empty (a INT, b VARCHAR(9))", "CREATE TABLE one (a INT)", "CREATE TABLE two (a INT)",
	"INSERT INTO one VALUES (1)", "INSERT INTO two VALUES (1), (1)", "CREATE TABLE narrow (a INT)", "CREATE TABLE big (a BIGINT, b VARCHAR(9))",
	"CREATE TABLE short (a INT, b VARCHAR(2))", "CREATE TABLE must (a INT NOT NULL, b VARCHAR(9))", "CREATE TABLE super (a INT, b SUPER)", "CREATE TABLE dec (v DECIMAL(18,2))"}

func TestConformance(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Fatal("psql is not installed, and half of this suite runs through it: apt-get install postgresql-client")
	}
	for _, p := range []Profile{Serverless, Provisioned} {
		w := conformServer(t, p)
		for name, open := range map[string]func(*testing.T, *Server) clientSession{
			"pgx": openPgx, "psql": func(t *testing.T, s *Server) clientSession { return openPsql(t, s, psql) }} {
			for _, tt := range conformances() {
				if tt.profile == p || tt.profile == "" && p == Serverless {
					t.Run(name+"/"+tt.row, func(t *testing.T) { w.check(t, tt, open) })
				}
			}
		}
	}
}

func conformances() (all []conform) {
	for _, part := range [][]conform{acceptedDDL, acceptedTags, acceptedCopy, acceptedStatements, acceptedFunctions, acceptedViews, refused, faults} {
		all = append(all, part...)
	}
	return all
}

// conformServer puts up the files: m.json is one row {1, "long"} for (INT, VARCHAR(9)).
func conformServer(t *testing.T, p Profile) *warehouse {
	w := &warehouse{}
	var store *fakeS3
	w.Server, store = copyServer(t, func(c *Config) {
		c.Profile = p
		c.Hook = func(op Op) Action {
			if h := w.hook.Load(); h != nil {
				return (*h)(op)
			}
			return Continue
		}
	})
	type row struct {
		A int32  `parquet:"a"`
		B string `parquet:"b"`
	}
	type optional struct {
		A *int32  `parquet:"a,optional"`
		B *string `parquet:"b,optional"`
	}
	rows := []row{{1, "long"}}
	file := parquetFile(t, rows)
	store.manifest(file)
	size := map[string]any{"content_length": len(file)}
	for key, entries := range map[string][]entry{
		"nometa":    {{URL: "s3://lake/part-0.parquet", Mandatory: true}},
		"mandatory": {{"s3://lake/gone.parquet", true, size}, {"s3://lake/part-0.parquet", true, size}},
		"optional":  {{"s3://lake/gone.parquet", false, size}, {"s3://lake/part-0.parquet", true, size}},
		"twice":     {{"s3://lake/part-0.parquet", true, size}, {"s3://lake/part-0.parquet", true, size}},
		"none":      {{"s3://lake/gone.parquet", false, size}},
		"size":      {{"s3://lake/part-0.parquet", true, map[string]any{"content_length": 7}}},
	} {
		b, err := json.Marshal(map[string]any{"entries": entries})
		if err != nil {
			t.Fatal(err)
		}
		store.put("lake/"+key+".json", b)
	}
	store.status["lake/denied.json"], store.status["lake/moved.json"] = 403, 301
	type one[T any] struct {
		V T `parquet:"v"`
	}
	for key, b := range map[string][]byte{
		"v2":     parquetFile(t, rows, parquet.DataPageVersion(2)),
		"delta":  parquetFile(t, rows, parquet.DefaultEncodingFor(parquet.Int32, &parquet.DeltaBinaryPacked)),
		"deltal": parquetFile(t, rows, parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.DeltaLengthByteArray)),
		"deltab": parquetFile(t, rows, parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.DeltaByteArray)),
		"split":  parquetFile(t, []one[float64]{{1}}, parquet.DefaultEncodingFor(parquet.Double, &parquet.ByteStreamSplit)),
		"brotli": parquetFile(t, rows, parquet.Compression(&parquet.Brotli)),
		"lz4":    parquetFile(t, rows, parquet.Compression(&parquet.Lz4Raw)),
		"nanos":  nodeFile(t, parquet.Timestamp(parquet.Nanosecond), parquet.Int64Value(1)),
		"time":   nodeFile(t, parquet.Time(parquet.Microsecond), parquet.Int64Value(1)),
		"uuid":   nodeFile(t, parquet.UUID(), parquet.FixedLenByteArrayValue(make([]byte, 16))),
		"fixed":  fixedDecimalFile(t, 13),
		"null":   parquetFile(t, []optional{{}}),
		"utf8":   parquetFile(t, []row{{1, "\xff"}}),
		"huge":   parquetFile(t, []row{{1, strings.Repeat("x", 65536)}}),
		"column": parquetFile(t, []one[int32]{{1}}),
		"int64":  parquetFile(t, []one[int64]{{1}}),
		"float":  parquetFile(t, []one[float32]{{1}}),
		"double": parquetFile(t, []one[float64]{{1}}),
		"string": parquetFile(t, []one[string]{{"1"}}),
		"bytes":  parquetFile(t, []one[[]byte]{{[]byte("1")}}),
		"text":   []byte("id,name\n1,x\n"),
	} {
		store.put("lake/"+key+"/1.parquet", b)
	}
	return w
}

// nodeFile holds one value of a type.
func nodeFile(t *testing.T, node parquet.Node, v parquet.Value) []byte {
	t.Helper()
	var b strings.Builder
	w := parquet.NewGenericWriter[any](&b, parquet.NewSchema("x", parquet.Group{"v": node}), parquet.DataPageVersion(1))
	if _, err := w.WriteRows([]parquet.Row{{v.Level(0, 0, 0)}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// check plays a case in sessions of their own.
func (w *warehouse) check(t *testing.T, tt conform, open func(*testing.T, *Server) clientSession) {
	w.hook.Store(nil)
	setup := dial(t, w.Server, "")
	if w.fresh == 0 || w.lastWrite() != w.fresh {
		execAll(t, setup, strings.Join(fixtures, "; "))
		w.fresh = w.lastWrite()
	}
	if tt.fault != nil {
		w.hook.Store(&tt.fault)
	}
	got := w.play(t, tt.steps, open)
	w.hook.Store(nil)
	want, part := strings.CutPrefix(tt.text, "~")
	same := got.text == want
	if part || tt.code != "" {
		same = strings.Contains(got.text, want)
	}
	if got.code != tt.code || !same {
		t.Errorf("%s\n got %q %q\nwant %q %q", tt.steps, got.code, got.text, tt.code, tt.text)
	}
	if query, value, ok := strings.Cut(tt.then, " => "); ok {
		w.quiet(t)
		if got := table(t, setup, query); strings.Join(got[0], "|") != value {
			t.Errorf("%s\nthen %s\n got %s", tt.steps, tt.then, strings.Join(got[0], "|"))
		}
	}
}

// lastWrite is the number of the last commit that wrote a table.
func (w *warehouse) lastWrite() int64 {
	w.commits.mu.Lock()
	defer w.commits.mu.Unlock()
	last := int64(0)
	for _, c := range w.commits.last {
		last = max(last, c.seq)
	}
	return last
}

// quiet waits until only one session is left: what a lost connection began has come to its end.
func (w *warehouse) quiet(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		n := len(w.sessions)
		w.mu.Unlock()
		if n == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions are still there", n)
		}
	}
}

// copySource shortens the steps: @m is the manifest m.json with what COPY needs beside it, @v2/ the files below a prefix.
var copySource = regexp.MustCompile(`@([a-z0-9]+)(/?)`)

func spellOut(sql string) string {
	return copySource.ReplaceAllStringFunc(sql, func(word string) string {
		if prefix, ok := strings.CutSuffix(word, "/"); ok {
			return "'s3://lake/" + prefix[1:] + "/' IAM_ROLE default FORMAT AS PARQUET"
		}
		return "'s3://lake/" + word[1:] + ".json' IAM_ROLE default FORMAT AS PARQUET MANIFEST"
	})
}

// play runs the steps, which "; " parts: "statement" in session a; "b: statement" in session b; "a& statement" without
// waiting for more than that it waits for a lock; "a?" the answer of that; "a!" cancels it. It gives the last answer.
func (w *warehouse) play(t *testing.T, steps string, open func(*testing.T, *Server) clientSession) (last reply) {
	t.Helper()
	sessions := map[string]clientSession{}
	defer func() {
		for _, c := range sessions {
			c.close()
		}
	}()
	for step := range strings.SplitSeq(steps, "; ") {
		who, how, sql := "a", byte(':'), strings.TrimSpace(step)
		if len(sql) > 1 && (sql[0] == 'a' || sql[0] == 'b') && strings.IndexByte(":&?!", sql[1]) >= 0 {
			who, how, sql = sql[:1], sql[1], strings.TrimSpace(sql[2:])
		}
		c := sessions[who]
		if c == nil {
			c = open(t, w.Server)
			sessions[who] = c
		}
		sql = spellOut(sql)
		switch how {
		case '&':
			c.start(sql)
			waiting(t, w.Server, 1)
		case '!':
			c.cancel()
		case '?':
			last = c.finish()
		default:
			c.start(sql)
			last = c.finish()
		}
	}
	return last
}
