package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/s3d"
)

const stagingKey = "arn:aws:kms:eu-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// onlyEncrypted is a bucket that takes only objects encrypted by the key; it
// counts those that it took.
func onlyEncrypted(took *atomic.Int64) func(s3d.Op) s3d.Action {
	return func(op s3d.Op) s3d.Action {
		switch {
		case op.Phase != s3d.Before || op.Bucket != "staging" || op.Encryption == "":
			return s3d.Continue
		case op.Encryption != "aws:kms "+stagingKey:
			return s3d.Denied403
		}
		took.Add(1)
		return s3d.Continue
	}
}

// TestStagingIsEncrypted: with staging.kms_key every object of a run is encrypted
// by the key, in all pods of a plan; without it a bucket that wants one says so.
func TestStagingIsEncrypted(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 12, Events: 300, Partitions: 1, Codec: "gzip", EventsPerObject: 150, Faults: archivegen.DefaultFaults()})
	var took atomic.Int64
	h.watch(t, onlyEncrypted(&took), nil)
	args := a.window(h.table(t, "encrypted")...)
	key := []string{"--set", "staging.kms_key=" + stagingKey}
	for _, cmd := range []string{"doctor", "run"} {
		o := h.run(t, 3, append([]string{cmd}, args...)...)
		said := o.result.Hint
		for _, c := range o.result.Checks {
			said += c.Fix
		}
		if o.result.Code != "permission" || !strings.Contains(said, "a bucket that takes only encrypted objects needs staging.kms_key in the dataset") {
			t.Errorf("%s without a key: %s: %s (%s)", cmd, o.result.Code, o.result.Error, said)
		}
	}
	d := h.run(t, 0, append(append([]string{"doctor"}, args...), key...)...)
	found := ""
	for _, c := range d.result.Checks {
		if c.Name == "staging: encryption" {
			found = string(c.Status) + " " + c.Found
		}
	}
	if found != "ok by the KMS key "+stagingKey {
		t.Errorf("doctor: %q", found)
	}
	plan := h.run(t, 0, append(append([]string{"plan"}, args...), key...)...).result.Plan
	for _, pod := range [][]string{{"convert", "--plan", plan}, {"load", "--plan", plan}} { // the plan has the key
		h.run(t, 0, pod...)
	}
	n := took.Load()
	o := h.run(t, 0, append(append([]string{"reconcile"}, args...), key...)...)
	if o.result.Verdict != "RECONCILED WITH EXCEPTIONS" || n < 8 || took.Load() == n {
		t.Errorf("%s; %d objects were encrypted, then %d", o.result.Verdict, n, took.Load())
	}
	if done := h.run(t, 0, append(append([]string{"run"}, args...), key...)...); !done.result.Done {
		t.Errorf("a run after that: %s", done.stdout)
	}
}

// kmsDenied refuses to encrypt as S3 does for a caller without the right on the key.
func kmsDenied(r *http.Response) error {
	if r.Request.Method == http.MethodPut {
		r.StatusCode, r.Status = http.StatusForbidden, "403 Forbidden"
		replaced(r, []byte(`<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::000000000000:assumed-role/backfill/pod is not authorized to perform: kms:GenerateDataKey on resource: `+stagingKey+
			` because no identity-based policy allows the kms:GenerateDataKey action</Message></Error>`))
	}
	return nil
}

// kmsGone has no such key.
func kmsGone(r *http.Response) error {
	if r.Request.Method == http.MethodPut {
		r.StatusCode, r.Status = http.StatusBadRequest, "400 Bad Request"
		replaced(r, []byte(`<?xml version="1.0"?><Error><Code>KMS.NotFoundException</Code><Message>Key 'x' does not exist</Message></Error>`))
	}
	return nil
}

// unencrypted forgets that it was asked for a key.
func unencrypted(r *http.Response) error {
	r.Header.Set("X-Amz-Server-Side-Encryption", "AES256")
	r.Header.Del("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
	return nil
}

// TestEncryptionThatFails: doctor says the sentence that solves it.
func TestEncryptionThatFails(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 13, Events: 100, Partitions: 1, Codec: "gzip", EventsPerObject: 100})
	args := a.window(append(h.table(t, "by_kms_key"), "--set", "staging.kms_key="+stagingKey)...)
	cases := []struct {
		name, check string
		meddle      func(*http.Response) error
		s3          func(s3d.Op) s3d.Action
		exit        int
		code, fix   string
	}{
		{name: "no right on the key", check: "staging: create once", meddle: kmsDenied, exit: 3, code: "permission",
			fix: `{"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "` + stagingKey + `"}`},
		{name: "no such key", check: "staging: create once", meddle: kmsGone, exit: 3, code: "permission", fix: "check that the key exists in the bucket's region"},
		{name: "a store that ignores it", check: "staging: encryption", meddle: unencrypted, exit: 2, code: "bad_dataset", fix: "a store that honours x-amz-server-side-encryption"},
		{name: "COPY's role may not decrypt", check: "warehouse: COPY by the role", exit: 3, code: "permission", fix: `{"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": "` + stagingKey + `"} for the role`,
			s3: func(op s3d.Op) s3d.Action {
				if strings.Contains(op.Agent, "Redshift") && op.Kind == "GetObject" && op.Phase == s3d.Before {
					return s3d.Denied403
				}
				return s3d.Continue
			}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := h.env()
			if c.meddle != nil {
				env = h.env("AWS_ENDPOINT_URL_S3=" + meddler(t, h.s3.Endpoint(), c.meddle))
			}
			h.watch(t, c.s3, nil)
			_, wait := h.start(t, env, append([]string{"doctor"}, args...)...)
			o := wait()
			if o.exit != c.exit {
				t.Errorf("exit code %d, want %d", o.exit, c.exit)
			}
			for _, got := range o.result.Checks {
				if got.Name == c.check {
					if string(got.Code) != c.code || !strings.Contains(got.Fix, c.fix) || got.Means == "" {
						t.Errorf("%+v, want %s and %s", got, c.code, c.fix)
					}
					return
				}
			}
			t.Errorf("there is no check %q: %+v", c.check, o.result.Checks)
		})
	}
}
