package awsd_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	serverlesstypes "github.com/aws/aws-sdk-go-v2/service/redshiftserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secretstypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// sdk is a configuration of the SDK's own clients, with the access key of one of the users.
func (w *world) sdk(key string) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: aws.String(w.aws.Endpoint()), HTTPClient: w.http,
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider(key, "unchecked", "")}
}

// The SDK's own clients read every answer, its times and numbers included.
func TestSDKReadsAnswers(t *testing.T) {
	w := start(t)
	ctx, config := t.Context(), w.sdk("AKIAADMIN")
	cluster, serverless := redshift.NewFromConfig(config), redshiftserverless.NewFromConfig(config)

	described, err := cluster.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("main")})
	if err != nil || len(described.Clusters) != 1 {
		t.Fatal(described, err)
	}
	c := described.Clusters[0]
	if aws.ToString(c.ClusterStatus) != "available" || aws.ToString(c.DBName) != "analytics" || c.Endpoint == nil {
		t.Fatalf("%+v", c)
	}
	group, err := serverless.GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("serve")})
	if err != nil {
		t.Fatal(err)
	}
	g := group.Workgroup
	if g.Status != serverlesstypes.WorkgroupStatusAvailable || g.Endpoint == nil || aws.ToString(g.Endpoint.Address) != aws.ToString(c.Endpoint.Address) ||
		aws.ToInt32(g.Endpoint.Port) != aws.ToInt32(c.Endpoint.Port) || aws.ToInt32(g.Port) != aws.ToInt32(c.Endpoint.Port) || aws.ToInt32(g.Port) == 0 {
		t.Errorf("%+v and %+v", g, c.Endpoint)
	}

	named, err := cluster.GetClusterCredentials(ctx, &redshift.GetClusterCredentialsInput{ClusterIdentifier: aws.String("main"), DbUser: aws.String("backfill"),
		DbName: aws.String("analytics"), AutoCreate: aws.Bool(false), DurationSeconds: aws.Int32(3600)})
	if err != nil {
		t.Fatal(err)
	}
	own, err := cluster.GetClusterCredentialsWithIAM(ctx, &redshift.GetClusterCredentialsWithIAMInput{ClusterIdentifier: aws.String("main"), DurationSeconds: aws.Int32(900)})
	if err != nil {
		t.Fatal(err)
	}
	group2, err := serverless.GetCredentials(ctx, &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("serve"), DbName: aws.String("analytics")})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		user, password, as *string
		expires, refresh   *time.Time
		seconds            time.Duration
	}{
		{named.DbUser, named.DbPassword, aws.String("backfill"), named.Expiration, nil, 3600},
		{own.DbUser, own.DbPassword, own.DbUser, own.Expiration, own.NextRefreshTime, 900},
		{group2.DbUser, group2.DbPassword, group2.DbUser, group2.Expiration, group2.NextRefreshTime, 900},
	} {
		as, err := w.login(aws.ToString(m.user), aws.ToString(m.password))
		if err != nil || as != aws.ToString(m.as) {
			t.Errorf("%s logs in as %q, %v", aws.ToString(m.user), as, err)
		}
		if left := aws.ToTime(m.expires).Sub(w.now()); left > m.seconds*time.Second || left < (m.seconds-60)*time.Second {
			t.Errorf("%s has %v left", aws.ToString(m.user), left)
		}
		if m.refresh != nil && !m.refresh.Equal(*m.expires) {
			t.Errorf("%s is renewed at %v, ends at %v", aws.ToString(m.user), m.refresh, m.expires)
		}
	}
	secret, err := secretsmanager.NewFromConfig(config).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("warehouse")})
	if err != nil || aws.ToString(secret.SecretString) != `{"username":"backfill","password":"permanent"}` {
		t.Error(secret, err)
	}
}

// What is refused arrives as the SDK's own error types, by which programs tell them apart.
func TestSDKReadsRefusals(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	admin, guest := w.sdk("AKIAADMIN"), w.sdk("AKIAGUEST")
	_, noCluster := redshift.NewFromConfig(admin).DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("other")})
	_, noCluster2 := redshift.NewFromConfig(admin).GetClusterCredentials(ctx, &redshift.GetClusterCredentialsInput{ClusterIdentifier: aws.String("other"), DbUser: aws.String("u")})
	for _, err := range []error{noCluster, noCluster2} {
		var want *redshifttypes.ClusterNotFoundFault
		if !errors.As(err, &want) || want.ErrorMessage() != "Cluster other not found." {
			t.Errorf("an unknown cluster: %v", err)
		}
	}
	_, err := redshiftserverless.NewFromConfig(admin).GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("other")})
	var noGroup *serverlesstypes.ResourceNotFoundException
	if !errors.As(err, &noGroup) || noGroup.ErrorMessage() != "Workgroup other not found." {
		t.Errorf("an unknown workgroup: %v", err)
	}
	_, err = redshiftserverless.NewFromConfig(guest).GetCredentials(ctx, &redshiftserverless.GetCredentialsInput{WorkgroupName: aws.String("serve")})
	var denied smithy.APIError // the service's model gives this call no type of its own for it
	if !errors.As(err, &denied) || denied.ErrorCode() != "AccessDeniedException" {
		t.Errorf("a guest: %v", err)
	}
	_, err = secretsmanager.NewFromConfig(admin).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("other")})
	var noSecret *secretstypes.ResourceNotFoundException
	if !errors.As(err, &noSecret) {
		t.Errorf("an unknown secret: %v", err)
	}
	for id, resource := range map[string]string{"main": "cluster:main", "": "cluster:*"} {
		in := &redshift.DescribeClustersInput{}
		if id != "" {
			in.ClusterIdentifier = &id
		}
		_, err = redshift.NewFromConfig(guest).DescribeClusters(ctx, in)
		var api smithy.APIError
		if want := "User: arn:aws:iam::000000000000:user/guest is not authorized to perform: redshift:DescribeClusters on resource: arn:aws:redshift:eu-west-1:000000000000:" +
			resource; !errors.As(err, &api) || api.ErrorCode() != "AccessDenied" || api.ErrorMessage() != want {
			t.Errorf("a guest asks for the cluster %q: %v", id, err)
		}
	}
}
