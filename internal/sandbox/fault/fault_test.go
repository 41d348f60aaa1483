package fault

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

func TestMain(m *testing.M) {
	// Of the S3 gateway, fasthttp keeps a clock for ever and ends its workers' cleaner some seconds after the server.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, canonical string
		does            actions
	}{
		{"s3 PutObject key=/receipt.json lost", "s3 PutObject key=/receipt.json after cut", actions{s3d.Cut, redshiftd.Cut}},
		{`s3 GetObject key~'\.parquet$' agent=redshift nth=3 fail=SlowDown`, `s3 GetObject key~\.parquet$ agent=redshift nth=3 fail=throttled`, actions{s3d.SlowDown503, redshiftd.Throttled}},
		{"s3  *\tslow=64KiB times=all before", "s3 * times=all slow=64KiB", actions{s3: s3d.Slow(64 << 10)}},
		{"s3 PutObject,UploadPart every=2 times=3 delay=1500ms fail=disk-full", "s3 PutObject,UploadPart every=2 times=3 delay=1.5s fail=disk-full", actions{s3d.DiskFull507, redshiftd.DiskFull}},
		{"s3 PutObject,CreateMultipartUpload encryption=none times=all fail=AccessDenied", "s3 PutObject,CreateMultipartUpload encryption=none times=all fail=denied", actions{s3: s3d.Denied403}},
		{"sql COPY during cut", "sql COPY during cut", actions{s3d.Cut, redshiftd.Cut}},
		{"sql COPY twice", "sql COPY twice", actions{sql: redshiftd.LoadTwice}},
		{"sql COPY lag=30s", "sql COPY lag=30s", actions{sql: redshiftd.LagViews(30 * time.Second)}},
		{`sql "CREATE TABLE" text="it's" note`, `sql 'CREATE TABLE' text='it'"'"'s' note`, actions{}},
		{"sql INSERT fail=1023", "sql INSERT fail=conflict", actions{s3d.Conflict409, redshiftd.Conflict}},
		{"sql INSERT 'fail=Retries exceeded'", "sql INSERT fail=retries-exceeded", actions{0, redshiftd.RetriesExceeded}},
		{"sql COMMIT after hang", "sql COMMIT after hang", actions{}},
	} {
		r, err := Parse(test.text)
		if err != nil || r.String() != test.canonical || r.does != test.does {
			t.Errorf("%s: %q, %+v, %v", test.text, r, r.does, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                  "a rule begins with a server and its operations, as in: s3 PutObject cut",
		"http GET cut":                      "http: the server is s3 or sql",
		"s3 PutObject":                      "the rule does nothing: add cut, lost, fail=NAME, delay=2s, hang, note or another effect",
		"s3 PutObject,* cut":                "PutObject,*: the operations are names with commas between them, or *",
		"s3 * cut lost":                     "lost: the effect was said before",
		"s3 * before after cut":             "after: the time (before, during, after) was said before",
		"s3 * before lost":                  "lost: it means after cut, and before was said",
		"s3 * during cut":                   "during: only sql COPY has a middle",
		"sql * during cut":                  "during: only sql COPY has a middle",
		"s3 * nth=0 cut":                    "nth=0: a whole number from 1 is wanted",
		"s3 * nth cut":                      "nth: no rule has such a word for s3",
		"s3 * cut=1":                        "cut=1: no rule has such a word for s3",
		"s3 * text=x cut":                   "text=x: no rule has such a word for s3",
		"sql * key=x cut":                   "key=x: no rule has such a word for sql",
		"sql * frobnicate":                  "frobnicate: no rule has such a word",
		"sql * 'a b'":                       "'a b': no rule has such a word",
		"s3 * key= cut":                     "key=: a value is missing",
		"s3 * key~( cut":                    "key~: error parsing regexp: missing closing ): `(`",
		"s3 * delay=2 cut":                  "delay=2: a duration like 500ms or 2s is wanted, at most 1h0m0s",
		"s3 * delay=2h":                     "delay=2h: a duration like 500ms or 2s is wanted, at most 1h0m0s",
		"s3 * delay=2s hang":                "delay and hang exclude each other",
		"s3 * slow=fast":                    "slow=fast: bytes a second are wanted, like 500, 64KiB or 2MiB, at most 1024MiB",
		"sql * slow=1":                      "slow: only s3 can do that",
		"sql INSERT twice":                  "twice: only sql COPY can do that, and is told before it",
		"sql COPY after lag=1s":             "lag: only sql COPY can do that, and is told before it",
		"s3 * 'key=a cut":                   "a quote ' is not closed",
		"s3 * fail=deadlock":                "fail=deadlock: s3 has no such error; it has internal, throttled, unavailable, conflict, denied, clock-skew, expired-token, timeout, late, disk-full, no-expedited",
		"sql * fail=nothing":                "fail=nothing: there is no such error; there are internal, throttled, conflict, expired-token, disk-full, deadlock, retries-exceeded, shutdown, canceled, resize, bad-value",
		"s3 a\x00 cut":                      "a rule is text, this one holds a byte 0",
		"s3 * " + strings.Repeat("x", 5000): "a rule has at most 4096 bytes, this one has 5005",
	} {
		if _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}

// Every rule's shortest form is read back as the same rule.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"s3 PutObject key=/receipt.json lost", `sql "CREATE TABLE" text~'a b' nth=2 every=3 times=all hang fail=57P01`, "s3 * slow=1MiB", "s3 a, cut", `s3 "" cut`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(r.String())
		if len(r.String()) > maxRuleBytes {
			return // quoting made it longer
		}
		if err != nil || again.String() != r.String() || again.does != r.does || again.delay != r.delay || again.phase != r.phase {
			t.Errorf("%q: %q, then %q, %v", text, r, again, err)
		}
	})
}

// Rules fire when counting by hand says so.
func TestDue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nth, every, times := rapid.Int64Range(1, 6).Draw(t, "nth"), rapid.Int64Range(1, 4).Draw(t, "every"), rapid.Int64Range(1, 4).Draw(t, "times")
		var want []int64
		for n := nth; int64(len(want)) < times && n <= 40; n += every {
			want = append(want, n)
		}
		r := Rule{nth: nth, every: every, times: times}
		var got []int64
		for n := int64(1); n <= 40; n++ {
			if r.due(n, int64(len(got))) {
				got = append(got, n)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("nth=%d every=%d times=%d fires at %v, want %v", nth, every, times, got, want)
		}
	})
}

func TestSetMatches(t *testing.T) {
	t.Parallel()
	put := s3d.Op{Kind: "PutObject", Bucket: "staging", Key: "backfill/a/receipt.json", Agent: "aws-sdk-go-v2 app/Redshift"}
	for _, test := range []struct {
		rule string
		op   s3d.Op
		want s3d.Action
	}{
		{"s3 PutObject cut", put, s3d.Cut},
		{"s3 * cut", put, s3d.Cut},
		{"s3 GetObject,PutObject cut", put, s3d.Cut},
		{"s3 GetObject cut", put, s3d.Continue},
		{"s3 * key=/receipt.json cut", put, s3d.Cut},
		{"s3 * key=/manifest.json cut", put, s3d.Continue},
		{"s3 * key~^backfill/.*json$ cut", put, s3d.Cut},
		{"s3 * key~^receipt cut", put, s3d.Continue},
		{"s3 * bucket=staging agent=redshift cut", put, s3d.Cut},
		{"s3 * bucket=stag cut", put, s3d.Continue},
		{"s3 * key=receipt bucket=archive cut", put, s3d.Continue},
		{"s3 * encryption=none cut", s3d.Op{Encryption: "none"}, s3d.Cut},
		{"s3 * encryption=none cut", s3d.Op{Kind: "GetObject"}, s3d.Continue},
		{"s3 * encryption=aws:kms cut", s3d.Op{Encryption: "aws:kms key"}, s3d.Cut},
		{"s3 * encryption=aws:kms cut", s3d.Op{Encryption: "aws:kms:dsse"}, s3d.Continue},
		{"s3 * encryption='aws:kms key' cut", s3d.Op{Encryption: "aws:kms key"}, s3d.Cut},
		{"s3 * encryption~^(none|AES256)$ cut", s3d.Op{Encryption: "AES256"}, s3d.Cut},
		{"s3 * lost", put, s3d.Continue},
		{"s3 * lost", s3d.Op{Phase: s3d.After}, s3d.Cut},
		{"sql * cut", put, s3d.Continue},
		{"s3 * note", put, s3d.Continue},
	} {
		var set Set
		if _, err := set.Add(test.rule); err != nil {
			t.Fatal(err)
		}
		if got := set.S3(test.op); got != test.want {
			t.Errorf("%s: %v, want %v", test.rule, got, test.want)
		}
	}
	var set Set
	if _, err := set.Add("sql COPY during fail=57P01", "sql * text~(?i)LEDGER after fail=1023"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		op   redshiftd.Op
		want redshiftd.Action
	}{
		{redshiftd.Op{Kind: "COPY"}, redshiftd.Continue},
		{redshiftd.Op{Kind: "COPY", Phase: redshiftd.During}, redshiftd.Shutdown},
		{redshiftd.Op{Kind: "COPY", Phase: redshiftd.During}, redshiftd.Continue}, // once is enough
		{redshiftd.Op{Kind: "INSERT", Phase: redshiftd.After, SQL: "INSERT INTO Ledger"}, redshiftd.Conflict},
	} {
		if got := set.SQL(test.op); got != test.want {
			t.Errorf("%+v: %v, want %v", test.op, got, test.want)
		}
	}
	if want := []Status{{1, "sql COPY during fail=shutdown", 2, 1}, {2, "sql * text~(?i)LEDGER after fail=conflict", 1, 1}}; !reflect.DeepEqual(set.List(), want) {
		t.Errorf("%+v", set.List())
	}
}

// A harness learns of a held operation, does what it wants, and lets it go on into its fault.
func TestHang(t *testing.T) {
	t.Parallel()
	var set Set
	events := make(chan Event, 1)
	set.Notify(events)
	ids, err := set.Add("sql COMMIT before hang cut")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan redshiftd.Action)
	go func() { done <- set.SQL(redshiftd.Op{Kind: "COMMIT", Number: 7, SQL: "COMMIT"}) }()
	e := <-events
	if want := (Event{1, 1, Operation{Server: SQL, Number: 7, Phase: "before", Kind: "COMMIT", Text: "COMMIT"}}); e != want {
		t.Errorf("%+v", e)
	}
	if err := set.Wait(t.Context(), ids[0], 1); err != nil {
		t.Error(err)
	}
	if err := set.Clear(99); !errors.Is(err, ErrNoRule) {
		t.Error(err)
	}
	if err := set.Clear(ids...); err != nil {
		t.Error(err)
	}
	if action := <-done; action != redshiftd.Cut {
		t.Error(action)
	}
	if err := set.Wait(t.Context(), ids[0], 1); err == nil || err.Error() != "waiting for rule 1: there is no such rule" {
		t.Error(err)
	}
	// The end of the operation, and an event that nobody reads, hold nothing up.
	if _, err := set.Add("s3 * hang times=all"); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	close(gone)
	for range 3 {
		set.S3(s3d.Op{Done: gone})
	}
	if s := set.List(); s[0].Fired != 3 {
		t.Error(s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := set.Wait(ctx, 2, 4); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAddIsAllOrNothing(t *testing.T) {
	t.Parallel()
	var set Set
	if _, err := set.Add("s3 * cut", "s3 * break"); err == nil || err.Error() != `reading the rule "s3 * break": break: no rule has such a word` || len(set.List()) > 0 {
		t.Error(err, set.List())
	}
	many := make([]string, maxRules+1)
	for i := range many {
		many[i] = "s3 * cut"
	}
	if _, err := set.Add(many...); err == nil || len(set.List()) > 0 {
		t.Error(err)
	}
}

// A server that was killed leaves its socket; the next one replaces it and leaves nothing of it.
func TestStaleSocket(t *testing.T) {
	t.Parallel()
	dir, home := t.TempDir(), filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	old, err := net.Listen("unix", filepath.Join(home, "s"))
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(old.Close(), os.Symlink(filepath.Join(home, "s"), filepath.Join(dir, socketName))); err != nil {
		t.Fatal(err)
	}
	client := Dial(dir)
	defer client.Close()
	if _, err := client.List(t.Context()); err == nil || err.Error() != "no sandbox serves "+dir+" now" {
		t.Error(err)
	}
	control, err := Serve(dir, new(Set), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := client.List(t.Context()); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
	if _, err := os.Stat(home); !os.IsNotExist(err) {
		t.Error("the old socket's folder stays", err)
	}
	if err := control.Close(); err != nil {
		t.Error(err)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("a-folder-with-a-long-name/", 8))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	client := Dial(dir)
	defer client.Close()
	if _, err := client.List(t.Context()); err == nil || err.Error() != "no sandbox serves "+dir+" now" {
		t.Error(err)
	}
	var set Set
	control, err := Serve(dir, &set, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, socketName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	ids, err := client.Add(t.Context(), "s3 PutObject lost", "sql COMMIT fail=57P01")
	if err != nil || !reflect.DeepEqual(ids, []int{1, 2}) {
		t.Fatal(ids, err)
	}
	if _, err := client.Add(t.Context(), "s3 PutObject explode"); err == nil || !strings.Contains(err.Error(), "explode: no rule has such a word") {
		t.Error(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- client.Wait(context.Background(), 2, 1) }()
	set.SQL(redshiftd.Op{Kind: "COMMIT"})
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if err := client.Clear(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if got, err := client.List(t.Context()); err != nil || !reflect.DeepEqual(got, []Status{{2, "sql COMMIT fail=shutdown", 1, 1}}) {
		t.Error(got, err)
	}
	if err := client.Clear(t.Context(), 1); err == nil || err.Error() != "clearing rule 1: there is no such rule" {
		t.Error(err)
	}
	go func() { waited <- client.Wait(context.Background(), 2, 9) }()
	if err := errors.Join(client.Clear(t.Context())); err != nil {
		t.Error(err)
	}
	if err := <-waited; err == nil {
		t.Error("the wait for a cleared rule ended well")
	}
	for range 2 {
		if err := control.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, socketName)); !os.IsNotExist(err) {
		t.Error("the socket stays", err)
	}
}
