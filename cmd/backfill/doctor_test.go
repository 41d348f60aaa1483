package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
	"backfill/jobs/doctor"
)

// meddler passes requests on to S3 and changes what comes back: answers are not
// signed. The worker's AWS_ENDPOINT_URL_S3 is its URL.
func meddler(t *testing.T, endpoint string, change func(*http.Response) error) string {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		ModifyResponse: change,
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// replaced gives the answer another body.
func replaced(r *http.Response, body []byte) {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	r.TransferEncoding = nil
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			r.Header.Del(name)
		}
	}
}

// elsewhere answers as the S3 of another region does.
func elsewhere(r *http.Response) error {
	r.StatusCode, r.Status = http.StatusMovedPermanently, "301 Moved Permanently"
	r.Header.Set("X-Amz-Bucket-Region", "eu-central-1")
	replaced(r, []byte(`<?xml version="1.0"?><Error><Code>PermanentRedirect</Code><Message>The bucket must be addressed using another endpoint.</Message></Error>`))
	return nil
}

// frozen makes all objects of the archive's listing offline, and refuses to read them.
func frozen(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if strings.HasPrefix(r.Request.URL.Path, "/archive/") && r.Request.Method == http.MethodGet && !r.Request.URL.Query().Has("list-type") {
		r.StatusCode, r.Status = http.StatusForbidden, "403 Forbidden"
		body = []byte(`<?xml version="1.0"?><Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the object's storage class</Message></Error>`)
	}
	replaced(r, bytes.ReplaceAll(body, []byte("<StorageClass>STANDARD<"), []byte("<StorageClass>DEEP_ARCHIVE<")))
	return nil
}

// unconditional makes a store that takes a second create of a key for a first one.
func unconditional(r *http.Response) error {
	if r.Request.Method == http.MethodPut && r.StatusCode == http.StatusPreconditionFailed {
		r.StatusCode, r.Status = http.StatusOK, "200 OK"
		r.Header.Set("ETag", `"0"`)
		replaced(r, nil)
	}
	return nil
}

// full makes the warehouse say at COPY that its disks are full.
func full(o redshiftd.Op) redshiftd.Action {
	if o.Kind == "COPY" && o.Phase == redshiftd.Before {
		return redshiftd.DiskFull
	}
	return redshiftd.Continue
}

// TestSabotagedEnvironments breaks one thing at a time: doctor and run each say
// the sentence that solves it, with an exit code that a scheduler can go by.
func TestSabotagedEnvironments(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 11, Events: 300, Partitions: 1, Codec: "gzip", EventsPerObject: 150})
	table := h.table(t, "sabotaged")
	h.sql(t, "CREATE TABLE payroll.sabotaged_narrow ("+strings.Replace(eventColumns, "tax_amount decimal(18,2),", "", 1)+", PRIMARY KEY (event_id))")
	fails := func(kind string, with s3d.Action) func(s3d.Op) s3d.Action {
		return func(o s3d.Op) s3d.Action {
			if o.Kind == kind && o.Phase == s3d.Before {
				return with
			}
			return s3d.Continue
		}
	}
	cases := []struct {
		name    string
		check   string // that fails or warns
		s3      func(s3d.Op) s3d.Action
		meddle  func(*http.Response) error
		args    []string
		env     []string
		exit    int // of doctor
		runExit int // of run; 0: as doctor
		sql     func(redshiftd.Op) redshiftd.Action
		says    string
		runSays string // "": the same
	}{
		{name: "wrong region", check: "archive: list and names", meddle: elsewhere, exit: 2, says: "set AWS_REGION=eu-central-1"},
		{name: "missing right", check: "archive: read", s3: fails("GetObject", s3d.Denied403), exit: 3, says: `{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::archive/`, runSays: "s3:GetObject on arn:aws:s3:::"},
		{name: "wrong password", check: "warehouse: log in", env: []string{"BACKFILL_WAREHOUSE_PASSWORD=wrong"}, exit: 3, says: "check the login's name and password"},
		{name: "column dropped", check: "warehouse: table", args: []string{"--set", "table.name=payroll.sabotaged_narrow"}, exit: 4, says: `ADD COLUMN "tax_amount" DECIMAL(18,2)`},
		{name: "clock off", check: "archive: list and names", s3: fails("ListObjectsV2", s3d.ClockSkew403), exit: 3, says: "set the clock (NTP): S3 allows a difference of 15 minutes"},
		{name: "staging without conditional writes", check: "staging: create once", meddle: unconditional, exit: 2, says: "a store that honours If-None-Match: *"},
		{name: "full disk of staging", check: "staging: create once", s3: fails("PutObject", s3d.DiskFull507), exit: 3, says: "free space in the store"},
		{name: "full disk of the warehouse", check: "warehouse: COPY by the role", sql: full, exit: 3, says: "free space in the warehouse"},
		{name: "expired token", check: "archive: list and names", s3: fails("ListObjectsV2", s3d.ExpiredToken), exit: 3, says: "renew them, or use a role that renews itself"},
		{name: "wrong prefix", check: "archive: list and names", args: []string{"--set", "archive.uri=s3://archive/" + prefixOf(t) + "x"}, exit: 4, says: "check archive.uri"},
		{name: "archived storage class", check: "archive: storage class", meddle: frozen, exit: 0, runExit: 4, says: "DEEP_ARCHIVE", runSays: "restore"},
		{name: "role of COPY unknown", check: "warehouse: COPY by the role", env: []string{"BACKFILL_WAREHOUSE_IAM_ROLE=arn:aws:iam::000000000000:role/nobody"}, exit: 3, says: "role"},
		{name: "too little memory", check: "memory", args: []string{"--memory", "50MiB"}, exit: 2, says: "give at least"},
		{name: "not settled", check: "archive: settled", args: []string{"--set", "archive.lateness=3000d"}, exit: 6, says: "archive.lateness says how late records may come"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := c.env
			if c.meddle != nil {
				env = append(env, "AWS_ENDPOINT_URL_S3="+meddler(t, h.s3.Endpoint(), c.meddle))
			}
			h.watch(t, c.s3, c.sql)
			args := a.window(append(append([]string{}, table...), append([]string{"--set", "staging.uri=s3://staging/" + prefixOf(t)}, c.args...)...)...)
			_, wait := h.start(t, h.env(env...), append([]string{"doctor"}, args...)...)
			o := wait()
			if o.exit != c.exit {
				t.Errorf("doctor: exit code %d, want %d\n%s%s", o.exit, c.exit, o.stderr, o.stdout)
			}
			if found := checkOf(o.result.Checks, c.check); found == nil || !strings.Contains(found.Found+"\n"+found.Fix, c.says) || found.Means == "" {
				t.Errorf("doctor's check %q says %+v, want %q", c.check, found, c.says)
			}
			for _, other := range o.result.Checks {
				if other.Status == doctor.Failed && other.Fix == "" {
					t.Errorf("a failure without a fix: %+v", other)
				}
			}
			_, wait = h.start(t, h.env(env...), append([]string{"run"}, args...)...)
			o = wait()
			want, says := max(c.exit, c.runExit), c.says
			if c.runSays != "" {
				says = c.runSays
			}
			if o.exit != want || !strings.Contains(o.result.Error+"\n"+o.result.Hint, says) {
				t.Errorf("run: exit code %d, want %d; it says %q, want %q\n%s", o.exit, want, o.result.Error+" "+o.result.Hint, says, o.stderr)
			}
		})
	}
	if rows := h.rows(t, "SELECT COUNT(*) FROM payroll.sabotaged"); rows[0] != "0|" {
		t.Errorf("%s rows were loaded", rows[0])
	}
	for _, key := range h.keys(t, "staging", prefixOf(t)) {
		if strings.Contains(key, "/probes/") {
			t.Errorf("a doctor left %s", key)
		}
	}
	t.Run("all well", func(t *testing.T) {
		o := h.run(t, 0, append([]string{"doctor"}, a.window(table...)...)...)
		for _, c := range o.result.Checks {
			if c.Status == doctor.Failed || c.Status == doctor.Warning {
				t.Errorf("%+v", c)
			}
		}
		for _, key := range h.keys(t, "staging", "sabotaged/") {
			t.Errorf("the doctor left %s", key)
		}
	})
}

// TestSabotagedTempDir: a Parquet object that is read through a file, and no
// folder for it.
func TestSabotagedTempDir(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 12, Events: 60000, Partitions: 1, EventsPerObject: 200000, DaysAround: -1, Layout: "confluent-parquet"})
	args := a.window(append(h.table(t, "sabotaged_temp"), "--memory", "512MiB")...)
	for _, command := range []string{"doctor", "run"} {
		_, wait := h.start(t, h.env("TMPDIR=/nowhere"), append([]string{command}, args...)...)
		o := wait()
		said := o.result.Error + "\n" + o.result.Hint
		if found := checkOf(o.result.Checks, "disk"); found != nil {
			said = found.Found + "\n" + found.Fix
		}
		if o.exit != 3 || !strings.Contains(said, "point TMPDIR at a folder that can be written") || !strings.Contains(said, "/nowhere") {
			t.Errorf("%s: exit code %d, it says %q\n%s", command, o.exit, said, o.stderr)
		}
	}
}

func checkOf(checks []doctor.Check, name string) *doctor.Check {
	for i := range checks {
		if checks[i].Name == name && checks[i].Status != doctor.OK {
			return &checks[i]
		}
	}
	return nil
}
