package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/awsd"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// actionsOf are the IAM actions that S3 asks for, by operation.
var actionsOf = map[string]string{
	"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "HeadObject": "s3:GetObject", "PutObject": "s3:PutObject",
	"CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject", "CompleteMultipartUpload": "s3:PutObject",
	"AbortMultipartUpload": "s3:AbortMultipartUpload", "DeleteObject": "s3:DeleteObject",
	"DeleteObjects": "s3:DeleteObject", "ListMultipartUploads": "s3:ListBucketMultipartUploads",
}

// unseen are rights that no run against the sandbox needs, each with its reason.
var unseen = map[string]string{
	"s3:GetObjectVersion": "its buckets have no versions", "kms:Decrypt": "nothing is encrypted there", "kms:GenerateDataKey": "likewise",
	"s3:AbortMultipartUpload": "uploads of more than one part only",
}

// TestPolicies compares docker/iam with every S3 request of a run: each is
// allowed, and each right is used or has a reason.
func TestPolicies(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 51, Events: 3000, Partitions: 2, Codec: "mixed", EventsPerObject: 500, Faults: archivegen.DefaultFaults()})
	staging := prefixOf(t)
	worker, workerActions := iamPolicy(t, "worker.json", a.options.Prefix+"/"+a.options.Topic, staging)
	copies, copyActions := iamPolicy(t, "copy.json", a.options.Prefix+"/"+a.options.Topic, staging)
	var mu sync.Mutex
	used := map[bool]map[string]bool{false: {}, true: {}} // by whether it is COPY's
	h.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase != s3d.Before {
			return s3d.Continue
		}
		byCopy, rules, action := strings.Contains(op.Agent, "Redshift"), worker, actionsOf[op.Kind]
		if byCopy {
			rules = copies
		}
		resource := "arn:aws:s3:::" + op.Bucket
		if op.Key != "" {
			resource += "/" + op.Key
		}
		if action == "" || !rules.Allows(action, resource) {
			t.Errorf("%s of %s is not allowed (by COPY: %v)", op.Kind, resource, byCopy)
		}
		mu.Lock()
		used[byCopy][action] = true
		mu.Unlock()
		return s3d.Continue
	}, func(redshiftd.Op) redshiftd.Action { return redshiftd.Continue })
	flags := append(h.table(t, staging), "--chunk-bytes", "64KiB", "--slice-days", "11")
	h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
	h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
	h.run(t, 0, append([]string{"reconcile"}, a.window(flags[:4]...)...)...)
	h.run(t, 0, append([]string{"status", "--dataset", a.dataset}, flags[:4]...)...)
	h.unwatch()
	for byCopy, actions := range map[bool][]string{false: workerActions, true: copyActions} {
		for _, action := range actions {
			// COPY with a manifest lists nothing; Redshift's manual wants the right still.
			if unseen[action] == "" && !used[byCopy][action] && !(byCopy && action == "s3:ListBucket") {
				t.Errorf("%s is allowed and never used (by COPY: %v)", action, byCopy)
			}
		}
	}
	for _, never := range [][2]string{
		{"s3:PutObject", "arn:aws:s3:::archive/" + a.options.Prefix + "/" + a.options.Topic + "/x"}, {"s3:DeleteObject", "arn:aws:s3:::staging/" + staging + "/x"},
		{"s3:GetObject", "arn:aws:s3:::archive/other/x"}, {"s3:PutObject", "arn:aws:s3:::staging/other/x"},
	} {
		if worker.Allows(never[0], never[1]) || copies.Allows(never[0], never[1]) {
			t.Errorf("%s of %s is allowed", never[0], never[1])
		}
	}
}

// iamPolicy reads a policy of docker/iam with the names of the test's buckets, and
// lists its actions.
func iamPolicy(t *testing.T, name, archive, staging string) (p awsd.Policy, actions []string) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("../../docker/iam", name))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("acme-kafka-archive/topics/payroll.events", "archive/"+archive, "acme-kafka-archive", "archive", "acme-lake/backfill", "staging/"+staging, "acme-lake", "staging").Replace(string(body))
	if p, err = awsd.ParsePolicy([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Statement []struct{ Action json.RawMessage }
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	for _, s := range document.Statement {
		var one string
		var more []string
		if json.Unmarshal(s.Action, &one) != nil && json.Unmarshal(s.Action, &more) != nil {
			t.Fatalf("%s: action %s", name, s.Action)
		}
		if one != "" {
			more = []string{one}
		}
		actions = append(actions, more...)
	}
	slices.Sort(actions)
	return p, slices.Compact(actions)
}

// TestLoginPolicies: each way to sign in may do the calls that it makes, on the
// named thing only.
func TestLoginPolicies(t *testing.T) {
	for _, c := range []struct{ file, action, resource string }{
		{"login-cluster.json", "redshift:GetClusterCredentials", "arn:aws:redshift:eu-west-1:111122223333:dbuser:main/backfill"},
		{"login-cluster.json", "redshift:GetClusterCredentials", "arn:aws:redshift:eu-west-1:111122223333:dbname:main/analytics"},
		{"login-cluster.json", "redshift:DescribeClusters", "arn:aws:redshift:eu-west-1:111122223333:cluster:main"},
		{"login-workgroup.json", "redshift-serverless:GetCredentials", "arn:aws:redshift-serverless:eu-west-1:111122223333:workgroup/0123abcd-0123-0123-0123-0123456789ab"},
		{"login-secret.json", "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:backfill/warehouse-a1B2c3"},
	} {
		p, _ := iamPolicy(t, c.file, "", "")
		if !p.Allows(c.action, c.resource) {
			t.Errorf("%s does not allow %s on %s", c.file, c.action, c.resource)
		}
		if p.Allows(c.action, c.resource+"x") || p.Allows("redshift:CreateClusterUser", c.resource) {
			t.Errorf("%s allows too much", c.file)
		}
	}
}
