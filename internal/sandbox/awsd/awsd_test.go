package awsd_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"backfill/internal/sandbox/awsd"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	region  = "eu-west-1"
	account = "000000000000"
	etlRole = "arn:aws:iam::000000000000:role/etl"
)

// world is a warehouse and the endpoint that mints logins for it, with one clock.
type world struct {
	warehouse *redshiftd.Server
	aws       *awsd.Server
	objects   keeper
	skip      atomic.Int64 // what the clock is ahead by
	http      *http.Client
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.skip.Load())) }

func policy(t *testing.T, text string) awsd.Policy {
	t.Helper()
	p, err := awsd.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{}
	transport := &http.Transport{}
	w.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	var err error
	w.warehouse, err = redshiftd.Start(context.Background(), redshiftd.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Database: "analytics",
		Users: map[string]string{"backfill": "permanent"}, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	nothing := policy(t, `{"Version":"2012-10-17","Statement":[]}`)
	w.aws, err = awsd.Start(t.Context(), awsd.Config{
		Region: region, Account: account, Login: w.warehouse, Objects: &w.objects, Now: w.now,
		Keys: []awsd.Key{{ID: "AKIAADMIN", User: "admin", Policy: awsd.Everything()}, {ID: "AKIAGUEST", User: "guest", Policy: nothing}},
		Roles: []awsd.Role{{ARN: etlRole, Policy: policy(t,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["redshift:Get*","redshift-serverless:*"],"Resource":"*"}]}`)}},
		Warehouse: awsd.Warehouse{Cluster: "main", Workgroup: "serve", Namespace: "ns", Address: w.warehouse.Addr(), Database: "analytics", RequireTLS: true},
		Secrets:   map[string]string{"warehouse": `{"username":"backfill","password":"permanent"}`},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.aws.Close(), w.aws.Close(), w.warehouse.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// keeper notes the access keys that were minted.
type keeper struct{ admitted []s3d.Temporary }

func (k *keeper) Admit(t s3d.Temporary) error { k.admitted = append(k.admitted, t); return nil }

// request is one call by hand, for services whose SDK packages this module does not have.
type request struct {
	service, target string // target: JSON protocol
	body            string
	keys            aws.Credentials
	region          string
	at              time.Time
	unsigned        bool
}

func (w *world) send(t *testing.T, q request) (status int, body []byte, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.aws.Endpoint()+"/", strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if q.target != "" {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", q.target)
	}
	if q.keys.AccessKeyID == "" {
		q.keys = aws.Credentials{AccessKeyID: "AKIAADMIN", SecretAccessKey: "unchecked"}
	}
	if q.region == "" {
		q.region = region
	}
	if q.at.IsZero() {
		q.at = w.now()
	}
	sum := sha256.Sum256([]byte(q.body))
	if !q.unsigned {
		if err := v4.NewSigner().SignHTTP(t.Context(), q.keys, r, hex.EncodeToString(sum[:]), q.service, q.region, q.at); err != nil {
			t.Fatal(err)
		}
	}
	res, err := w.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body, res.Header
}

// fault reads the code and message of an error answer in either protocol.
func fault(t *testing.T, q request, body []byte, header http.Header) (code, message string) {
	t.Helper()
	if q.target != "" {
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(body, &e); err != nil || header.Get("X-Amzn-Errortype") != e.Type {
			t.Fatalf("%s: %v", body, err)
		}
		return e.Type, e.Message
	}
	var e struct {
		Error     struct{ Type, Code, Message string }
		RequestId string
	}
	if err := xml.Unmarshal(body, &e); err != nil || e.RequestId == "" || e.Error.Type != "Sender" {
		t.Fatalf("%s: %v", body, err)
	}
	return e.Error.Code, e.Error.Message
}

func (w *world) login(user, password string) (as string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	config, err := pgx.ParseConfig("postgres://" + w.warehouse.Addr() + "/analytics?sslmode=disable")
	if err != nil {
		return "", err
	}
	config.User, config.Password = user, password
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	return as, c.QueryRow(ctx, "SELECT current_user", pgx.QueryExecModeExec).Scan(&as)
}

// minted is what every call that mints a login answers.
type minted struct {
	user, password string
	expires        time.Time
}

func (w *world) mint(t *testing.T, q request) minted {
	t.Helper()
	status, body, _ := w.send(t, q)
	if status != http.StatusOK {
		t.Fatalf("%+v: %d %s", q, status, body)
	}
	if q.target != "" {
		var m struct {
			DbUser, DbPassword string
			Expiration         float64
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		return minted{m.DbUser, m.DbPassword, time.UnixMilli(int64(m.Expiration * 1000))}
	}
	type result struct{ DbUser, DbPassword, Expiration string }
	var m struct{ GetClusterCredentialsResult, GetClusterCredentialsWithIAMResult result }
	if err := xml.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	r := m.GetClusterCredentialsResult
	if r.DbUser == "" {
		r = m.GetClusterCredentialsWithIAMResult
	}
	at, err := time.Parse(time.RFC3339, r.Expiration)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return minted{r.DbUser, r.DbPassword, at}
}

const getCluster = "Action=GetClusterCredentials&Version=2012-12-01&ClusterIdentifier=main&DbName=analytics&DbUser="

// Minted logins get in until they expire, whichever call minted them.
func TestMintedLogins(t *testing.T) {
	w := start(t)
	calls := []struct {
		q       request
		user    string
		as      string // empty: the login is useless
		seconds int64
	}{
		{request{service: "redshift", body: getCluster + "backfill"}, "IAM:backfill", "backfill", 900},
		{request{service: "redshift", body: getCluster + "backfill&AutoCreate=false&DurationSeconds=3600"}, "IAM:backfill", "backfill", 3600},
		{request{service: "redshift", body: getCluster + "newcomer&AutoCreate=true"}, "IAMA:newcomer", "newcomer", 900},
		{request{service: "redshift", body: getCluster + "nobody"}, "IAM:nobody", "", 900},
		{request{service: "redshift", body: "Action=GetClusterCredentialsWithIAM&Version=2012-12-01&ClusterIdentifier=main&DbName=analytics"}, "IAM:admin", "IAM:admin", 900},
		{request{service: "redshift-serverless", target: "RedshiftServerless.GetCredentials", body: `{"workgroupName":"serve","dbName":"analytics","durationSeconds":1200}`}, "IAM:admin", "IAM:admin", 1200},
	}
	var all []minted
	for _, c := range calls {
		m := w.mint(t, c.q)
		all = append(all, m)
		if left := m.expires.Sub(w.now()); m.user != c.user || left > time.Duration(c.seconds)*time.Second || left < time.Duration(c.seconds-60)*time.Second {
			t.Errorf("%s: %s until %v", c.q.body, m.user, m.expires)
		}
		as, err := w.login(m.user, m.password)
		if as != c.as || (err == nil) != (c.as != "") {
			t.Errorf("%s logs in as %q, %v, want %q", m.user, as, err, c.as)
		}
	}
	w.skip.Store(int64(901 * time.Second))
	for i, c := range calls {
		_, err := w.login(all[i].user, all[i].password)
		if alive := c.as != "" && c.seconds > 901; (err == nil) != alive {
			t.Errorf("15 minutes later %s: %v", all[i].user, err)
		}
	}
}

func TestLifetimeCap(t *testing.T) {
	t.Parallel()
	w := start(t)
	s, err := awsd.Start(t.Context(), awsd.Config{Region: region, Account: account, Login: w.warehouse, Lifetime: 2 * time.Second,
		Keys: []awsd.Key{{ID: "AKIAADMIN", User: "admin", Policy: awsd.Everything()}}, Warehouse: awsd.Warehouse{Cluster: "main", Address: "h:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other := &world{aws: s, http: w.http}
	m := other.mint(t, request{service: "redshift", body: getCluster + "backfill"})
	if left := time.Until(m.expires); left > 2*time.Second {
		t.Error(left)
	}
}

func TestAnswers(t *testing.T) {
	w := start(t)
	_, body, _ := w.send(t, request{service: "redshift-serverless", target: "RedshiftServerless.GetWorkgroup", body: `{"workgroupName":"serve"}`})
	var got struct {
		Workgroup struct {
			WorkgroupName, Status string
			Endpoint              struct {
				Address string
				Port    int
			}
			ConfigParameters []struct{ ParameterKey, ParameterValue string }
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	g := got.Workgroup
	if g.WorkgroupName != "serve" || g.Status != "AVAILABLE" || g.Endpoint.Address != "127.0.0.1" || !strings.HasSuffix(w.warehouse.Addr(), ":"+jsonNumber(g.Endpoint.Port)) ||
		len(g.ConfigParameters) != 1 || g.ConfigParameters[0].ParameterValue != "true" {
		t.Errorf("%s", body)
	}
	for _, id := range []string{"warehouse", "arn:aws:secretsmanager:eu-west-1:000000000000:secret:warehouse"} {
		_, body, _ = w.send(t, request{service: "secretsmanager", target: "secretsmanager.GetSecretValue", body: `{"SecretId":"` + id + `"}`})
		var secret struct{ Name, SecretString string }
		if err := json.Unmarshal(body, &secret); err != nil || secret.Name != "warehouse" || secret.SecretString != `{"username":"backfill","password":"permanent"}` {
			t.Errorf("%s %v", body, err)
		}
	}
}

func jsonNumber(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestRefusals(t *testing.T) {
	w := start(t)
	guest := aws.Credentials{AccessKeyID: "AKIAGUEST", SecretAccessKey: "x"}
	serverless := func(body string) request {
		return request{service: "redshift-serverless", target: "RedshiftServerless.GetCredentials", body: body}
	}
	redshift := func(body string) request { return request{service: "redshift", body: body} }
	with := func(q request, change func(*request)) request { change(&q); return q }
	for _, test := range []struct {
		q             request
		status        int
		code, message string
	}{
		{redshift("Action=GetClusterCredentials&DbUser=x&ClusterIdentifier=other"), 404, "ClusterNotFound", "Cluster other not found."},
		{redshift("Action=GetClusterCredentials&ClusterIdentifier=main"), 400, "InvalidParameterValue", "The parameter DbUser must be provided."},
		{redshift("Action=GetClusterCredentials&DbUser=x"), 400, "InvalidParameterValue", "The parameter ClusterIdentifier must be provided."},
		{redshift(getCluster + "backfill&DurationSeconds=899"), 400, "InvalidParameterValue", "Invalid DurationSeconds: 899. The value must be between 900 and 3600."},
		{redshift(getCluster + "backfill&DurationSeconds=3601"), 400, "InvalidParameterValue", "Invalid DurationSeconds: 3601. The value must be between 900 and 3600."},
		{redshift(getCluster + "backfill&DbGroups.DbGroup.1=g"), 400, "InvalidParameterValue", "The parameter DbGroups.DbGroup.1 is not supported (stand-in strictness)"},
		{redshift("Action=CreateCluster"), 400, "InvalidAction", "The action CreateCluster is not valid for this web service (stand-in strictness)"},
		{request{service: "sts", body: "Action=AssumeRole&RoleSessionName=x&RoleArn=" + etlRole}, 400, "ValidationError",
			"1 validation error detected: Value 'x' at 'roleSessionName' failed to satisfy constraint: "},
		{redshift("%zz"), 400, "InvalidAction", "The action  is not valid for this web service (stand-in strictness)"},
		{serverless(`{"workgroupName":"other"}`), 400, "ResourceNotFoundException", "Workgroup other not found."},
		{serverless(`{"workgroupName":"serve","durationSeconds":60}`), 400, "ValidationException", "Invalid durationSeconds: 60. The value must be between 900 and 3600."},
		{serverless(`[]`), 400, "SerializationException", "the body is not a JSON object"},
		{request{service: "secretsmanager", target: "secretsmanager.GetSecretValue", body: `{"SecretId":"other"}`}, 400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."},
		{request{service: "secretsmanager", target: "secretsmanager.GetSecretValue", body: `{"SecretId":"warehouse","VersionStage":"AWSPENDING"}`}, 400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSPENDING"},
		{request{service: "secretsmanager", target: "secretsmanager.PutSecretValue", body: `{}`}, 400, "UnknownOperationException", "The action secretsmanager.PutSecretValue is not valid for this web service (stand-in strictness)"},

		{with(redshift(getCluster+"backfill"), func(q *request) { q.keys = guest }), 403, "AccessDenied",
			"User: arn:aws:iam::000000000000:user/guest is not authorized to perform: redshift:GetClusterCredentials on resource: arn:aws:redshift:eu-west-1:000000000000:dbuser:main/backfill"},
		{with(serverless(`{"workgroupName":"serve"}`), func(q *request) { q.keys = guest }), 400, "AccessDeniedException",
			"User: arn:aws:iam::000000000000:user/guest is not authorized to perform: redshift-serverless:GetCredentials on resource: arn:aws:redshift-serverless:eu-west-1:000000000000:workgroup/serve"},
		{with(redshift(getCluster+"backfill"), func(q *request) { q.keys.AccessKeyID = "AKIANOBODY" }), 403, "InvalidClientTokenId", "The security token included in the request is invalid."},
		{with(serverless(`{}`), func(q *request) { q.keys.AccessKeyID = "AKIANOBODY" }), 400, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{with(redshift(getCluster+"backfill"), func(q *request) { q.keys = guest; q.keys.SessionToken = "made up" }), 403, "InvalidClientTokenId", "The security token included in the request is invalid."},
		{with(redshift(getCluster+"backfill"), func(q *request) { q.unsigned = true }), 403, "MissingAuthenticationToken", "Missing Authentication Token"},
		{with(redshift(getCluster+"backfill"), func(q *request) { q.region = "us-east-2" }), 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region."},
		{with(redshift(getCluster+"backfill"), func(q *request) { q.service = "sts" }), 403, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 'redshift'."},
		{with(redshift(getCluster+"backfill"), func(q *request) { q.at = time.Now().Add(-time.Hour) }), 403, "SignatureDoesNotMatch", "Signature expired: "},
		{with(serverless(`{}`), func(q *request) { q.at = time.Now().Add(time.Hour) }), 400, "InvalidSignatureException", "Signature not yet current: "},
	} {
		status, body, header := w.send(t, test.q)
		code, message := fault(t, test.q, body, header)
		if status != test.status || code != test.code || !strings.HasPrefix(message, test.message) {
			t.Errorf("%s %s: %d %s %q, want %d %s %q", test.q.target, test.q.body, status, code, message, test.status, test.code, test.message)
		}
	}
	if status, _, _ := w.send(t, request{service: "redshift", body: strings.Repeat("x", 2<<20)}); status != http.StatusBadRequest {
		t.Errorf("2 MiB of parameters: %d", status)
	}
}

// The SDK's own client assumes the role; what it gets mints a login, and stops working when it expires.
func TestAssumeRole(t *testing.T) {
	w := start(t)
	client := sts.New(sts.Options{Region: region, BaseEndpoint: aws.String(w.aws.Endpoint()), HTTPClient: w.http, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIAADMIN", "x", "")})
	keys, err := stscreds.NewAssumeRoleProvider(client, etlRole, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = "pod-1" }).Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a := w.objects.admitted; len(a) != 1 || a[0].AccessKey != keys.AccessKeyID || a[0].SecretKey != keys.SecretAccessKey || a[0].Token != keys.SessionToken ||
		a[0].Expires.Sub(keys.Expires).Abs() > time.Second {
		t.Errorf("S3 hears of %+v", a)
	}
	as := sts.New(client.Options(), func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)
	})
	me, err := as.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(me.Arn) != "arn:aws:sts::000000000000:assumed-role/etl/pod-1" || aws.ToString(me.Account) != account {
		t.Errorf("%+v, %v", me, err)
	}
	q := request{service: "redshift-serverless", target: "RedshiftServerless.GetCredentials", body: `{"workgroupName":"serve"}`, keys: keys}
	m := w.mint(t, q)
	if name, err := w.login(m.user, m.password); m.user != "IAMR:etl" || name != "IAMR:etl" || err != nil {
		t.Error(m.user, name, err)
	}
	// The role may not read secrets, and nobody may assume a role that is not there.
	secret := request{service: "secretsmanager", target: "secretsmanager.GetSecretValue", body: `{"SecretId":"warehouse"}`, keys: keys}
	if _, body, _ := w.send(t, secret); !bytes.Contains(body, []byte("AccessDeniedException")) {
		t.Errorf("%s", body)
	}
	for _, arn := range []string{etlRole, "arn:aws:iam::000000000000:role/none"} {
		_, err := as.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("pod-2")})
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDenied" ||
			api.ErrorMessage() != "User: arn:aws:sts::000000000000:assumed-role/etl/pod-1 is not authorized to perform: sts:AssumeRole on resource: "+arn {
			t.Error(err)
		}
	}
	w.skip.Store(int64(time.Hour))
	q.at = w.now()
	status, body, header := w.send(t, q)
	if code, message := fault(t, q, body, header); status != 400 || code != "ExpiredTokenException" || message != "The security token included in the request is expired" {
		t.Error(status, code, message)
	}
	if w.aws.Requests() == 0 {
		t.Error("requests are not counted")
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	if _, err := awsd.Start(t.Context(), awsd.Config{}); err == nil || err.Error() != "starting the AWS endpoint: Region, Account, Keys, Warehouse and Login are required" {
		t.Error(err)
	}
	if _, err := awsd.Start(t.Context(), awsd.Config{Region: region, Account: account, Keys: []awsd.Key{{ID: "k"}}, Login: start(t).warehouse,
		Warehouse: awsd.Warehouse{Address: "h:1", Cluster: "main", Workgroup: "wg"}}); err == nil || err.Error() != `starting the AWS endpoint: no cluster is called "main", or no workgroup "wg"` {
		t.Error(err)
	}
	if u, err := url.Parse(start(t).aws.Endpoint()); err != nil || u.Port() == "" {
		t.Error(u, err)
	}
}
