package login

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"backfill/internal/fail"
)

const planted = "hunter2-planted-secret"

func noEnv(string) string { return "" }

// reveals reports whether any text of the error shows the secret.
func reveals(err error) bool {
	return err != nil && strings.Contains(err.Error()+fail.HintOf(err)+fmt.Sprintf("%+v %#v", err, err), planted)
}

func TestURL(t *testing.T) {
	for _, test := range []struct{ url, want string }{
		{"postgres://a@b/c", "the warehouse URL does not begin with redshift://"},
		{"redshift://b/c", "the warehouse URL names no user"},
		{"redshift://a@/c", "the warehouse URL names no host"},
		{"redshift://a:" + planted + "@b/c", "the warehouse URL holds a password"},
		{"redshift://a:" + planted + "@b:x/c", "the warehouse URL can't be read"},
		{"redshift://a@b", "the warehouse URL names no database"},
		{"redshift://a@b/c/d", "the warehouse URL has more than a database after the host"},
		{"redshift://a@b:0/c", "the warehouse URL has a port that is not a number from 1 to 65535"},
		{"redshift://a@b/c?sslmode=disable", "the warehouse URL has parameters, none are known"},
	} {
		_, err := New(Options{URL: test.url, PasswordEnv: "P", Env: noEnv})
		if !fail.Is(err, fail.Usage) || err.Error() != test.want || fail.HintOf(err) == "" || reveals(err) {
			t.Errorf("%s: %v (%s)", test.url, err, fail.HintOf(err))
		}
	}
}

func TestPassword(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := func(name string) string { return map[string]string{"SET": planted}[name] }
	for _, test := range []struct {
		o    Options
		want string // of the error
	}{
		{Options{PasswordEnv: "SET"}, ""},
		{Options{PasswordEnv: "UNSET"}, "the warehouse's password is not set"},
		{Options{PasswordFile: file("plain", planted)}, ""},
		{Options{PasswordFile: file("line", planted+"\n")}, ""},
		{Options{PasswordFile: file("windows", planted+"\r\n")}, ""},
		{Options{PasswordFile: file("two", planted+"\nmore\n")}, dir + "/two: the warehouse's password file holds more than one line, or is no text"},
		{Options{PasswordFile: file("long", strings.Repeat(planted, 400))}, dir + "/long: the warehouse's password file holds more than one line, or is no text"},
		{Options{PasswordFile: file("empty", "\n")}, dir + "/empty: the warehouse's password file is empty"},
		{Options{PasswordFile: dir + "/none"}, dir + "/none: the warehouse's password file can't be read: no such file or directory"},
		{Options{PasswordFile: dir}, dir + ": the warehouse's password file can't be read: is a directory"},
	} {
		test.o.URL, test.o.Env = "redshift://loader@wh.example.com/analytics", env
		s, err := New(test.o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Mint(context.Background())
		if test.want != "" {
			if !fail.Is(err, fail.Credentials) || err.Error() != test.want || fail.HintOf(err) == "" || reveals(err) {
				t.Errorf("%v (%s), want %s", err, fail.HintOf(err), test.want)
			}
			continue
		}
		if want := (Login{"wh.example.com", 5439, "analytics", "loader", planted}); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// A mounted secret that was rotated is read at the next attempt.
func TestPasswordFileIsReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pw")
	s, err := New(Options{URL: "redshift://u@h/d", PasswordFile: path, Env: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two"} {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Mint(context.Background()); err != nil || got.Password != want {
			t.Errorf("%q, %v", got.Password, err)
		}
	}
}

// cloud answers AWS calls, by action; the answer is a body, or "code: message".
type cloud struct {
	mu      sync.Mutex
	answers map[string]string
	calls   []string // Region, action and parameters
	signers []string // access keys of the calls
	status  int      // of a refusal; 0: 400
}

func startCloud(t *testing.T, answers map[string]string) *cloud {
	c := &cloud{answers: answers}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ENDPOINT_URL_STS": server.URL, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": planted, "AWS_REGION": "eu-central-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
		"AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_MAX_ATTEMPTS": "",
	} {
		t.Setenv(name, value)
	}
	return c
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a broken request has no action, and is refused
	action, parameters := r.Header.Get("X-Amz-Target"), string(body)
	if action == "" {
		form, _ := url.ParseQuery(string(body))
		action = form.Get("Action")
		form.Del("Action")
		form.Del("Version")
		parameters = form.Encode()
	}
	action = action[strings.LastIndex(action, ".")+1:]
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope := strings.Split(credential+"///", "/") // key, date, Region
	region := scope[2]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls, c.signers = append(c.calls, region+" "+action+" "+parameters), append(c.signers, scope[0])
	answer, ok := c.answers[action]
	xml := r.Header.Get("X-Amz-Target") == ""
	if code, message, refused := strings.Cut(answer, ": "); !ok || refused && !strings.ContainsAny(code, "{<") {
		status := c.status
		if status == 0 {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
		if xml {
			fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
		return
	}
	if xml {
		answer = fmt.Sprintf("<%sResponse><%[1]sResult>%s</%[1]sResult></%[1]sResponse>", action, answer)
	}
	_, _ = io.WriteString(w, answer)
}

const (
	xmlCredentials  = "<DbUser>IAM:loader</DbUser><DbPassword>" + planted + "</DbPassword>"
	jsonCredentials = `{"dbUser":"IAMR:worker","dbPassword":"` + planted + `"}`
	xmlClusters     = "<Clusters><Cluster><Endpoint><Address>main.abc.eu-west-1.redshift.amazonaws.com</Address><Port>5440</Port></Endpoint></Cluster></Clusters>"
	jsonWorkgroup   = `{"workgroup":{"endpoint":{"address":"wg.1.eu-west-1.redshift-serverless.amazonaws.com","port":5441}}}`
)

func TestIAM(t *testing.T) {
	answers := map[string]string{
		"GetClusterCredentials": xmlCredentials, "GetClusterCredentialsWithIAM": strings.ReplaceAll(xmlCredentials, "IAM:loader", "IAMR:worker"),
		"DescribeClusters": xmlClusters, "GetCredentials": jsonCredentials, "GetWorkgroup": jsonWorkgroup,
		"GetSecretValue": `{"SecretString":"{\"username\":\"loader\",\"password\":\"` + planted + `\",\"host\":\"sm.example.com\",\"port\":5442,\"dbname\":\"other\"}"}`,
	}
	tests := []struct {
		name  string
		o     Options
		want  Login
		calls []string
	}{
		{"cluster and user", Options{URL: "redshift://loader@db.example.com:5500/analytics", Cluster: "main", Region: "eu-north-1"},
			Login{"db.example.com", 5500, "analytics", "IAM:loader", planted},
			[]string{"eu-north-1 GetClusterCredentials ClusterIdentifier=main&DbName=analytics&DbUser=loader&DurationSeconds=900"}},
		{"cluster, the identity's user", Options{URL: "redshift://main.abc.eu-west-1.redshift.amazonaws.com/analytics", Cluster: "main"},
			Login{"main.abc.eu-west-1.redshift.amazonaws.com", 5439, "analytics", "IAMR:worker", planted},
			[]string{"eu-west-1 GetClusterCredentialsWithIAM ClusterIdentifier=main&DbName=analytics&DurationSeconds=900"}},
		{"cluster by its name", Options{URL: "redshift://loader@main.eu-west-1/analytics", Cluster: "main"},
			Login{"main.abc.eu-west-1.redshift.amazonaws.com", 5440, "analytics", "IAM:loader", planted},
			[]string{"eu-west-1 DescribeClusters ClusterIdentifier=main", "eu-west-1 GetClusterCredentials ClusterIdentifier=main&DbName=analytics&DbUser=loader&DurationSeconds=900"}},
		{"workgroup without a host", Options{URL: "redshift:///analytics", Workgroup: "wg"},
			Login{"wg.1.eu-west-1.redshift-serverless.amazonaws.com", 5441, "analytics", "IAMR:worker", planted},
			[]string{`eu-central-1 GetWorkgroup {"workgroupName":"wg"}`, `eu-central-1 GetCredentials {"dbName":"analytics","durationSeconds":900,"workgroupName":"wg"}`}},
		{"workgroup with its endpoint", Options{URL: "redshift://wg.1.eu-west-1.redshift-serverless.amazonaws.com:1234/analytics", Workgroup: "wg"},
			Login{"wg.1.eu-west-1.redshift-serverless.amazonaws.com", 1234, "analytics", "IAMR:worker", planted},
			[]string{`eu-west-1 GetCredentials {"dbName":"analytics","durationSeconds":900,"workgroupName":"wg"}`}},
		{"secret alone", Options{Secret: "arn:aws:secretsmanager:us-east-2:123456789012:secret:x"},
			Login{"sm.example.com", 5442, "other", "loader", planted},
			[]string{`us-east-2 GetSecretValue {"SecretId":"arn:aws:secretsmanager:us-east-2:123456789012:secret:x"}`}},
		{"secret and URL", Options{URL: "redshift://loader@tunnel.example.com/analytics", Secret: "x"},
			Login{"tunnel.example.com", 5439, "analytics", "loader", planted}, []string{`eu-central-1 GetSecretValue {"SecretId":"x"}`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := startCloud(t, answers)
			test.o.Env = noEnv
			s, err := New(test.o)
			if err != nil {
				t.Fatal(err)
			}
			for try := range 2 { // nothing minted is kept
				got, err := s.Mint(context.Background())
				if err != nil || got != test.want {
					t.Fatalf("%+v, %v", got, err)
				}
				if len(c.calls) != len(test.calls)*(try+1) {
					t.Fatalf("%d calls in try %d: %q", len(c.calls), try, c.calls)
				}
			}
			for i, call := range test.calls {
				if !sameCall(c.calls[i], call) {
					t.Errorf("call %s\nwant %s", c.calls[i], call)
				}
			}
		})
	}
}

// sameCall compares region, action and parameters; JSON keys in any order.
func sameCall(got, want string) bool {
	a, b := strings.SplitN(got, " ", 3), strings.SplitN(want, " ", 3)
	if a[0] != b[0] || a[1] != b[1] {
		return false
	}
	var x, y map[string]any
	if json.Unmarshal([]byte(a[2]), &x) == nil && json.Unmarshal([]byte(b[2]), &y) == nil {
		return fmt.Sprint(x) == fmt.Sprint(y)
	}
	return a[2] == b[2]
}

func TestRefusals(t *testing.T) {
	cluster := Options{URL: "redshift://loader@h/analytics", Cluster: "main"}
	secret := Options{URL: "redshift://loader@h/analytics", Secret: "x"}
	tests := []struct {
		name, answer string
		o            Options
		code         fail.Code
		want, hint   string
	}{
		{"no such cluster", "ClusterNotFound: Cluster main not found.", cluster, fail.NotFoundInput,
			"cluster main: there is no such cluster: Cluster main not found. (ClusterNotFound)", "check its name, its Region and the AWS account"},
		{"denied", "AccessDenied: User: arn:aws:iam::1:user/u is not authorized to perform: redshift:GetClusterCredentials", cluster, fail.Permission,
			"cluster main: redshift:GetClusterCredentials is not allowed: User: arn:aws:iam::1:user/u is not authorized to perform: redshift:GetClusterCredentials (AccessDenied)",
			"allow redshift:GetClusterCredentials to the role in use, on dbuser:main/loader and dbname:main/analytics"},
		{"expired", "ExpiredToken: The security token included in the request is expired", cluster, fail.Credentials,
			"cluster main: the AWS credentials have expired: The security token included in the request is expired (ExpiredToken)", "renew them, or use a role that renews itself"},
		{"unknown key", "InvalidClientTokenId: The security token included in the request is invalid.", cluster, fail.Credentials,
			"cluster main: AWS refused the credentials: The security token included in the request is invalid. (InvalidClientTokenId)",
			"check the access key, the secret, the session token, and this machine's clock"},
		{"no credentials in the answer", "<DbUser>x</DbUser>", cluster, fail.Service, "cluster main: AWS answered without credentials", ""},
		{"something new", "BrandNew: who knows", cluster, fail.Internal, "cluster main: unknown error of redshift:GetClusterCredentials: who knows (BrandNew)", ""},
		{"no such secret", "ResourceNotFoundException: Secrets Manager can't find the specified secret.", secret, fail.NotFoundInput,
			"secret x: there is no such secret: Secrets Manager can't find the specified secret. (ResourceNotFoundException)", "check its name, its Region and the AWS account"},
		{"secret's key", "DecryptionFailure: no", secret, fail.Permission, "secret x: the secret can't be decrypted: no (DecryptionFailure)",
			"allow kms:Decrypt on the secret's key to the role in use"},
		{"no JSON", `{"SecretString":"` + planted + `"}`, secret, fail.Credentials, "secret x: the secret is no JSON object with username and password", form1},
		{"no password", `{"SecretString":"{\"username\":\"loader\"}"}`, secret, fail.Credentials, "secret x: the secret is no JSON object with username and password", form1},
		{"another user", `{"SecretString":"{\"username\":\"x\",\"password\":\"` + planted + `\"}"}`, secret, fail.Credentials,
			"secret x: the secret is of another user than the warehouse URL names", form1},
		{"a bad port", `{"SecretString":"{\"username\":\"x\",\"password\":\"` + planted + `\",\"host\":\"h\",\"port\":\"` + planted + `\"}"}`, Options{Secret: "x"}, fail.Credentials,
			"secret x: the secret's port is not a number from 1 to 65535", form1},
		{"no host", `{"SecretString":"{\"username\":\"x\",\"password\":\"` + planted + `\"}"}`, Options{Secret: "x"}, fail.Credentials,
			"secret x: neither the warehouse URL nor the secret names host and database", form1},
		{"paused", "<Clusters><Cluster><ClusterStatus>paused</ClusterStatus></Cluster></Clusters>", Options{URL: "redshift://u@/d", Cluster: "main"}, fail.Service,
			"main: the cluster has no endpoint: it is being created, paused or deleted", "wait until it is available, or resume it"},
		{"no endpoint", `{"workgroup":{}}`, Options{URL: "redshift:///d", Workgroup: "wg"}, fail.Service,
			"wg: the workgroup has no endpoint: it is being created, paused or deleted", "wait until it is available, or resume it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			startCloud(t, map[string]string{"GetClusterCredentials": test.answer, "GetSecretValue": test.answer, "DescribeClusters": test.answer, "GetWorkgroup": test.answer})
			test.o.Env = noEnv
			s, err := New(test.o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Mint(context.Background())
			if !fail.Is(err, test.code) || err.Error() != test.want || fail.HintOf(err) != test.hint || reveals(err) {
				t.Errorf("got  %v (%s)\nwant %s\nhint %s", err, fail.CodeOf(err), test.want, fail.HintOf(err))
			}
		})
	}
}

const form1 = `give the secret {"username": …, "password": …}, with "host", "port" and "dbname" where the warehouse URL has none`

func TestChain(t *testing.T) {
	o := Options{URL: "redshift://u@h/d", Cluster: "main", Env: noEnv}
	mint := func() error {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Mint(t.Context())
		return err
	}
	startCloud(t, nil)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if err := mint(); !fail.Is(err, fail.Credentials) || !strings.HasPrefix(err.Error(), "cluster main: no usable AWS credentials to sign in with: ") {
		t.Errorf("%v", err)
	}
	t.Setenv("AWS_REGION", "")
	if err := mint(); !fail.Is(err, fail.Usage) || err.Error() != "no AWS Region is known for the warehouse's login" {
		t.Errorf("%v", err)
	}
}

// A pod has no keys of its own: its service account's token is exchanged (IRSA),
// or an agent on the node gives the keys (Pod Identity).
func TestPodsIdentity(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(planted), 0o600); err != nil {
		t.Fatal(err)
	}
	mint := func(t *testing.T, key string, c *cloud) {
		t.Helper()
		s, err := New(Options{URL: "redshift://loader@h/analytics", Cluster: "main", Env: noEnv})
		if err != nil {
			t.Fatal(err)
		}
		if l, err := s.Mint(t.Context()); err != nil || l.User != "IAM:loader" {
			t.Fatalf("%+v, %v; calls %q", l, err, c.calls)
		}
		if last := c.signers[len(c.signers)-1]; last != key {
			t.Errorf("signed by %s, want %s", last, key)
		}
	}
	t.Run("service account", func(t *testing.T) {
		c := startCloud(t, map[string]string{"GetClusterCredentials": xmlCredentials, "AssumeRoleWithWebIdentity": "<Credentials><AccessKeyId>ASIAIRSA</AccessKeyId>" +
			"<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"})
		for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/worker",
			"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_SESSION_NAME": "pod"} {
			t.Setenv(name, value)
		}
		mint(t, "ASIAIRSA", c)
	})
	t.Run("agent", func(t *testing.T) {
		c := startCloud(t, map[string]string{"GetClusterCredentials": xmlCredentials})
		agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != planted {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			_, _ = io.WriteString(w, `{"AccessKeyId":"ASIAPOD","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}`)
		}))
		t.Cleanup(agent.Close)
		for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.URL,
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token} {
			t.Setenv(name, value)
		}
		mint(t, "ASIAPOD", c)
	})
}

// The SDK tries again, and nothing else does.
func TestThrottled(t *testing.T) {
	c := startCloud(t, map[string]string{"GetClusterCredentials": "Throttling: Rate exceeded"})
	s, err := New(Options{URL: "redshift://u@h/d", Cluster: "main", Env: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	s.aws.pause = time.Millisecond
	if _, err = s.Mint(context.Background()); !fail.Is(err, fail.Throttled) || len(c.calls) != awsTries {
		t.Errorf("%v, %d calls", err, len(c.calls))
	}
}
