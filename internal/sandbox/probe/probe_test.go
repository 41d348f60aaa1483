package probe

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const testRole = "arn:aws:iam::123456789012:role/copy"

// The stand-in agrees with itself, answers what the reference says wherever that is known, and keeps nothing.
func TestStandInAgreesWithItself(t *testing.T) {
	target, closeAll, err := StandIn(t.Context(), t.TempDir(), "lake", testRole)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeAll(); err != nil {
			t.Error(err)
		}
	}()
	target.Prefix = "some/folder"
	cases := Cases()
	asked := 0
	findings, err := Compare(t.Context(), target, t.TempDir(), cases, func(int) { asked++ })
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != len(cases) || asked != len(cases) {
		t.Errorf("%d findings, %d asked, %d cases", len(findings), asked, len(cases))
	}
	for i, f := range findings {
		if !f.Same {
			t.Errorf("%s %s: %s, then %s", f.Section, f.Name, f.StandIn, f.Endpoint)
		}
		if !f.Known && !strings.Contains(f.Endpoint.Message, "(stand-in strictness)") {
			t.Errorf("%s %s: %s, want %+v", f.Section, f.Name, f.Endpoint, cases[i].Want)
		}
		for _, secret := range []string{target.Login.Password, target.Bucket, testRole, "probe-", "000000000000"} {
			if strings.Contains(f.Endpoint.String(), secret) {
				t.Errorf("%s: %q stays in %s", f.Name, secret, f.Endpoint)
			}
		}
	}
	wantNothingLeft(t, target)
}

// wantNothingLeft looks for tables and objects that a run did not remove.
func wantNothingLeft(t *testing.T, target Target) {
	t.Helper()
	conn, err := (&run{target: target}).connect(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	results, err := conn.Exec(t.Context(), "SELECT COUNT(*) FROM svv_tables WHERE table_schema LIKE 'probe%'").ReadAll()
	if err != nil || string(results[0].Rows[0][0]) != "0" {
		t.Errorf("tables are left: %v %v", results, err)
	}
	page, err := target.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &target.Bucket})
	if err != nil || len(page.Contents) != 0 {
		t.Errorf("objects are left: %v %v", page, err)
	}
}

func TestCasesAreWellFormed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range Cases() {
		if c.Name == "" || c.Section == "" || seen[c.Name] {
			t.Errorf("%q: nameless, without section, or named twice", c.Name)
		}
		seen[c.Name] = true
		for _, q := range append(c.Setup, c.SQL) {
			if strings.Contains(q, "CREATE TABLE ") && !strings.Contains(q, "CREATE TABLE {") && !strings.Contains(q, "CREATE TABLE #") {
				t.Errorf("%s makes a table outside the probe's schema: %s", c.Name, q)
			}
		}
		if c.Want.Open && c.Section != "9.5" && c.Name != "lock outside a block" {
			t.Errorf("%s: open outside of 9.5", c.Name)
		}
	}
}

func TestMeets(t *testing.T) {
	t.Parallel()
	strict := Outcome{State: "0A000", Message: "x is not supported (stand-in strictness)"}
	for _, test := range []struct {
		want Want
		o    Outcome
		ok   bool
	}{
		{Want{}, Outcome{Tag: "SELECT"}, true},
		{Want{Text: "2"}, Outcome{Tag: "SELECT", Rows: []string{"1", "2"}}, true},
		{Want{Text: "3"}, Outcome{Tag: "SELECT", Rows: []string{"1", "2"}}, false},
		{Want{State: "42601"}, Outcome{State: "42601"}, true},
		{Want{State: "42"}, Outcome{State: "42601"}, true},
		{Want{State: "42601"}, Outcome{State: "42883"}, false},
		{Want{State: "42601"}, Outcome{Tag: "SELECT"}, false},
		{Want{State: anyError}, Outcome{State: "XX000"}, true},
		{Want{State: anyError}, Outcome{Tag: "SELECT"}, false},
		{Want{State: "42601"}, strict, true},
		{Want{}, strict, false},
		{Want{Open: true}, strict, true},
		{Want{Open: true}, Outcome{Broken: "x"}, false},
	} {
		if got := test.want.Meets(test.o); got != test.ok {
			t.Errorf("%+v %+v: %v", test.want, test.o, got)
		}
	}
}

// Nothing that would let anybody in, or that names the probe's own things, is kept of an answer.
func TestClean(t *testing.T) {
	t.Parallel()
	login := &pgconn.Config{}
	login.User, login.Password = "loader", "hunter2"
	r := &run{target: Target{Login: login, Bucket: "acme-lake", Role: testRole}, schema: "probe_x", prefix: "a/probe-x/"}
	c := newCleaner(r)
	for in, want := range map[string]string{
		"GET https://s3.eu-west-1.amazonaws.com/acme-lake/a/probe-x/7/part?X-Amz-Signature=abc&X-Amz-Credential=AKIAABCDEFGHIJKLMNOP%2F1 HTTP": "GET https://s3.<region>.amazonaws.com/<bucket>/<prefix>/7/part?X-Amz-Signature=<secret>&X-Amz-Credential=<secret> HTTP",
		"ACCESS_KEY_ID 'AKIAABCDEFGHIJKLMNOP'":                  "ACCESS_KEY_ID '<key>'",
		"hunter2 and loader":                                    "<secret> and <user>",
		"Query (1234) cancelled [ErrorId: 1-6f-aa]":             "Query (#) cancelled",
		`relation "probe_x.t12" does not exist`:                 `relation "<schema>.t#" does not exist`,
		"not authorized to assume IAM Role " + testRole:         "not authorized to assume IAM Role <role>",
		"S3ServiceException:Access Denied,Status 403,Rid 0A1BC": "S3ServiceException:Access Denied,Status 403,Rid #",
	} {
		if got := c.text(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	if got := essence("\n  ---\n  error:  Spectrum Scan Error\n  code:      15007\n  context:   Unmatched number\n  query:     26301369\n  location:  x\n"); got != "15007 Unmatched number" {
		t.Error(got)
	}
}

// An endpoint that can't be reached, and a run that is stopped, are errors; what was made is removed all the same.
func TestRunFails(t *testing.T) {
	t.Parallel()
	login, err := pgconn.ParseConfig("postgres://x@127.0.0.1:1/x?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	login.Password = "hunter2"
	if _, err := Run(t.Context(), Target{Login: login}, Cases(), nil); err == nil || !strings.HasPrefix(err.Error(), "creating the probe's schema: ") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	target, closeAll, err := StandIn(t.Context(), t.TempDir(), "lake", testRole)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	outcomes, err := Run(ctx, target, Cases(), func(i int) {
		if i == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(outcomes) != 3 {
		t.Error(len(outcomes), err)
	}
	wantNothingLeft(t, target)
	if err := closeAll(); err != nil {
		t.Error(err)
	}
}
