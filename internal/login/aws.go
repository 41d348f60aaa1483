package login

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"backfill/internal/fail"
)

const (
	mintTimeout = 60 * time.Second // of all calls for one login, the SDK's retries included
	dialTimeout = 10 * time.Second
	awsTries    = 4
	awsPause    = 8 * time.Second
	lifetime    = 900 // seconds, the shortest AWS gives: the login is used at once
)

// awsCalls holds the configuration of the SDK, read once.
type awsCalls struct {
	region string        // "" for the chain's
	pause  time.Duration // longest between two of the SDK's tries
	once   sync.Once
	config aws.Config
	err    error
}

func (a *awsCalls) load(ctx context.Context) (aws.Config, error) {
	a.once.Do(func() {
		client := awshttp.NewBuildableClient().
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
			WithTransportOptions(func(t *http.Transport) { t.TLSHandshakeTimeout = dialTimeout })
		a.config, a.err = config.LoadDefaultConfig(context.WithoutCancel(ctx), config.WithHTTPClient(client), config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = awsTries, a.pause })
		}))
		if a.err != nil {
			a.err = fail.Wrap(a.err, fail.Usage, "reading the AWS settings").Try("check the AWS_* variables and the files under ~/.aws")
			return
		}
		if a.region != "" {
			a.config.Region = a.region
		}
		if a.config.Region == "" {
			a.err = fail.New(fail.Usage, "no AWS Region is known for the warehouse's login").
				Try("set AWS_REGION, or warehouse.sign_in.iam.region")
			return
		}
		if a.config.Credentials != nil {
			a.config.Credentials = credentials{a.config.Credentials}
		}
	})
	return a.config, a.err
}

var (
	regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	endpoint   = regexp.MustCompile(`^[^.]+\.[^.]+\.([a-z0-9-]+)\.redshift(-serverless)?\.amazonaws\.com(\.cn)?$`)
	secretARN  = regexp.MustCompile(`^arn:[a-z0-9-]+:secretsmanager:([a-z0-9-]+):`)
)

// region is where the calls go: as given, or as the host or the ARN tells.
func (o Options) region(host string) string {
	if o.Region != "" {
		return o.Region
	}
	if found := secretARN.FindStringSubmatch(o.Secret); found != nil {
		return found[1]
	}
	if found := endpoint.FindStringSubmatch(host); found != nil {
		return found[1]
	}
	if _, suffix, ok := strings.Cut(host, "."); ok && regionName.MatchString(suffix) {
		return suffix
	}
	return ""
}

// bare reports whether the URL's host is no address: absent, or the name
// itself, alone or with its Region.
func bare(host, name string) bool {
	first, suffix, region := strings.Cut(host, ".")
	return host == "" || first == name && (!region || regionName.MatchString(suffix))
}

// cluster mints credentials for the URL's user, or for the AWS identity where
// the URL names none.
func (s *Source) cluster(ctx context.Context) (Login, error) {
	cfg, err := s.aws.load(ctx)
	if err != nil {
		return Login{}, err
	}
	client := redshift.NewFromConfig(cfg)
	l, id := s.at, aws.String(s.o.Cluster)
	if bare(l.Host, s.o.Cluster) {
		out, err := client.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: id})
		if err != nil {
			return l, s.failure("redshift:DescribeClusters", err)
		}
		if len(out.Clusters) != 1 || out.Clusters[0].Endpoint == nil || aws.ToString(out.Clusters[0].Endpoint.Address) == "" {
			return l, s.noEndpoint("cluster", s.o.Cluster)
		}
		found := out.Clusters[0].Endpoint
		l.Host, l.Port = aws.ToString(found.Address), portOf(l.Port, found.Port)
	}
	if l.User == "" {
		out, err := client.GetClusterCredentialsWithIAM(ctx, &redshift.GetClusterCredentialsWithIAMInput{
			ClusterIdentifier: id, DbName: aws.String(l.Database), DurationSeconds: aws.Int32(lifetime),
		})
		if err != nil {
			return l, s.failure("redshift:GetClusterCredentialsWithIAM", err)
		}
		l.User, l.Password = aws.ToString(out.DbUser), aws.ToString(out.DbPassword)
		return s.minted(l)
	}
	// AutoCreate stays off: a user that appears by itself owns nothing.
	out, err := client.GetClusterCredentials(ctx, &redshift.GetClusterCredentialsInput{
		ClusterIdentifier: id, DbUser: aws.String(l.User), DbName: aws.String(l.Database), DurationSeconds: aws.Int32(lifetime),
	})
	if err != nil {
		return l, s.failure("redshift:GetClusterCredentials", err)
	}
	l.User, l.Password = aws.ToString(out.DbUser), aws.ToString(out.DbPassword)
	return s.minted(l)
}

// workgroup mints credentials for the AWS identity.
func (s *Source) workgroup(ctx context.Context) (Login, error) {
	cfg, err := s.aws.load(ctx)
	if err != nil {
		return Login{}, err
	}
	client := redshiftserverless.NewFromConfig(cfg)
	l, name := s.at, aws.String(s.o.Workgroup)
	if bare(l.Host, s.o.Workgroup) {
		out, err := client.GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: name})
		if err != nil {
			return l, s.failure("redshift-serverless:GetWorkgroup", err)
		}
		if out.Workgroup == nil || out.Workgroup.Endpoint == nil || aws.ToString(out.Workgroup.Endpoint.Address) == "" {
			return l, s.noEndpoint("workgroup", s.o.Workgroup)
		}
		found := out.Workgroup.Endpoint
		l.Host, l.Port = aws.ToString(found.Address), portOf(l.Port, found.Port)
	}
	out, err := client.GetCredentials(ctx, &redshiftserverless.GetCredentialsInput{
		WorkgroupName: name, DbName: aws.String(l.Database), DurationSeconds: aws.Int32(lifetime),
	})
	if err != nil {
		return l, s.failure("redshift-serverless:GetCredentials", err)
	}
	l.User, l.Password = aws.ToString(out.DbUser), aws.ToString(out.DbPassword)
	return s.minted(l)
}

func portOf(given uint16, found *int32) uint16 {
	if given != 0 {
		return given
	}
	if p := aws.ToInt32(found); p > 0 && p < 1<<16 {
		return uint16(p)
	}
	return 0
}

func (s *Source) minted(l Login) (Login, error) {
	if l.User == "" || l.Password == "" {
		return l, fail.New(fail.Service, "AWS answered without credentials").At("%s", s.where())
	}
	return l, nil
}

func (s *Source) noEndpoint(kind, name string) error {
	return fail.New(fail.Service, "the %s has no endpoint: it is being created, paused or deleted", kind).At("%s", name).
		Try("wait until it is available, or resume it")
}

// where names what the login is for.
func (s *Source) where() string {
	switch {
	case s.o.Cluster != "":
		return "cluster " + s.o.Cluster
	case s.o.Workgroup != "":
		return "workgroup " + s.o.Workgroup
	}
	return "secret " + s.o.Secret
}

// secretForm is a secret as Secrets Manager makes it for databases.
type secretForm struct {
	Username string          `json:"username"`
	Password string          `json:"password"`
	Host     string          `json:"host"`
	Port     json.RawMessage `json:"port"` // a number, or its text
	Database string          `json:"dbname"`
}

// secret reads user and password, and what the URL does not say.
func (s *Source) secret(ctx context.Context) (Login, error) {
	cfg, err := s.aws.load(ctx)
	if err != nil {
		return Login{}, err
	}
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.o.Secret)})
	if err != nil {
		return Login{}, s.failure("secretsmanager:GetSecretValue", err)
	}
	refuse := func(format string, args ...any) (Login, error) {
		return Login{}, fail.New(fail.Credentials, format, args...).At("%s", s.where()).
			Try(`give the secret {"username": …, "password": …}, with "host", "port" and "dbname" where the warehouse URL has none`)
	}
	var form secretForm
	// The cause would repeat parts of the text.
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &form) != nil || form.Username == "" || form.Password == "" {
		return refuse("the secret is no JSON object with username and password")
	}
	l := s.at
	if l.User != "" && l.User != form.Username {
		return refuse("the secret is of another user than the warehouse URL names")
	}
	l.User, l.Password = form.Username, form.Password
	if l.Host == "" {
		l.Host = form.Host
		if text := strings.Trim(string(form.Port), `"`); text != "" && text != "null" {
			port, err := strconv.ParseUint(text, 10, 16)
			if err != nil || port == 0 {
				return refuse("the secret's port is not a number from 1 to 65535")
			}
			l.Port = uint16(port)
		}
	}
	if l.Database == "" {
		l.Database = form.Database
	}
	if l.Host == "" || l.Database == "" {
		return refuse("neither the warehouse URL nor the secret names host and database")
	}
	return l, nil
}
