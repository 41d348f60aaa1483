package awsd

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// What the services allow for DurationSeconds.
const (
	minSeconds     = 900
	maxSeconds     = 3600
	maxRoleSeconds = 43_200
)

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// clusterCredentials is the answer of both redshift calls.
type clusterCredentials struct {
	DbUser          string
	DbPassword      string
	Expiration      string
	NextRefreshTime string `xml:",omitempty"`
}

func (s *Server) arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, s.config.Region, s.config.Account, resource)
}

// cluster checks the parameters that both redshift calls have.
func (s *Server) cluster(a *arguments) (seconds int64, bad *apiError) {
	id, bad := a.required("ClusterIdentifier")
	if bad != nil {
		return 0, bad
	}
	if id != s.config.Warehouse.Cluster {
		return 0, errNoCluster(id)
	}
	a.get("DbName") // only limits where the login is good for; there is one database
	return a.integer("DurationSeconds", minSeconds, minSeconds, maxSeconds)
}

func (s *Server) getClusterCredentials(who caller, a *arguments) (any, *apiError) {
	seconds, bad := s.cluster(a)
	if bad != nil {
		return nil, bad
	}
	user, bad := a.required("DbUser")
	if bad != nil {
		return nil, bad
	}
	if bad := who.may("redshift:GetClusterCredentials", s.arn("redshift", "dbuser:"+s.config.Warehouse.Cluster+"/"+user)); bad != nil {
		return nil, bad
	}
	if a.get("DbGroups") != "" { // empty: how the query protocol spells a list of none; groups have numbered names
		return nil, errParameter("The parameter DbGroups is not supported (stand-in strictness)")
	}
	login, create := "IAM:"+user, a.boolean("AutoCreate")
	if create {
		login = "IAMA:" + user
	}
	password, expires := rand.Text()+rand.Text(), s.expiry(seconds)
	// Without AutoCreate, credentials of a user that the database doesn't have are minted all the same, and useless.
	if create || s.config.Login.Knows(user) {
		if bad := s.admit(redshiftd.Temporary{Login: login, Password: password, User: user, Expires: expires}); bad != nil {
			return nil, bad
		}
	}
	return clusterCredentials{DbUser: login, DbPassword: password, Expiration: expires.Format(time.RFC3339)}, nil
}

func (s *Server) admit(t redshiftd.Temporary) *apiError {
	if err := s.config.Login.Admit(t); err != nil {
		return &apiError{http.StatusInternalServerError, "InternalFailure", "InternalServerException", err.Error()}
	}
	return nil
}

// identityLogin mints credentials for the caller's own login.
func (s *Server) identityLogin(who caller, seconds int64) (login, password string, expires time.Time, bad *apiError) {
	password, expires = rand.Text()+rand.Text(), s.expiry(seconds)
	return who.login, password, expires, s.admit(redshiftd.Temporary{Login: who.login, Password: password, Expires: expires})
}

func (s *Server) getClusterCredentialsWithIAM(who caller, a *arguments) (any, *apiError) {
	seconds, bad := s.cluster(a)
	if bad != nil {
		return nil, bad
	}
	if bad := who.may("redshift:GetClusterCredentialsWithIAM", s.arn("redshift", "dbname:"+s.config.Warehouse.Cluster+"/"+s.config.Warehouse.Database)); bad != nil {
		return nil, bad
	}
	login, password, expires, bad := s.identityLogin(who, seconds)
	if bad != nil {
		return nil, bad
	}
	return clusterCredentials{login, password, expires.Format(time.RFC3339), expires.Format(time.RFC3339)}, nil
}

func (s *Server) getCredentials(who caller, a *arguments) (any, *apiError) {
	if bad := s.workgroup(a); bad != nil {
		return nil, bad
	}
	a.get("dbName")
	seconds, bad := a.integer("durationSeconds", minSeconds, minSeconds, maxSeconds)
	if bad != nil {
		return nil, bad
	}
	if bad := who.may("redshift-serverless:GetCredentials", s.arn("redshift-serverless", "workgroup/"+s.config.Warehouse.Workgroup)); bad != nil {
		return nil, bad
	}
	login, password, expires, bad := s.identityLogin(who, seconds)
	if bad != nil {
		return nil, bad
	}
	return map[string]any{"dbUser": login, "dbPassword": password, "expiration": epoch(expires), "nextRefreshTime": epoch(expires)}, nil
}

// epoch is a time as the JSON protocol has it: seconds with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (s *Server) getSecretValue(who caller, a *arguments) (any, *apiError) {
	id, bad := a.required("SecretId")
	if bad != nil {
		return nil, bad
	}
	if stage := a.get("VersionStage"); stage != "" && stage != "AWSCURRENT" {
		return nil, errMissing(http.StatusNotFound, "", "Secrets Manager can't find the specified secret value for staging label: "+stage)
	}
	prefix := s.arn("secretsmanager", "secret:")
	name := strings.TrimPrefix(id, prefix)
	text, ok := s.config.Secrets[name]
	if bad := who.may("secretsmanager:GetSecretValue", prefix+name); bad != nil {
		return nil, bad
	}
	if !ok {
		return nil, errMissing(http.StatusNotFound, "", "Secrets Manager can't find the specified secret.")
	}
	return map[string]any{"ARN": prefix + name, "Name": name, "SecretString": text, "VersionId": "00000000-0000-4000-8000-000000000001",
		"VersionStages": []string{"AWSCURRENT"}}, nil
}

func (s *Server) assumeRole(who caller, a *arguments) (any, *apiError) {
	arn, bad := a.required("RoleArn")
	if bad != nil {
		return nil, bad
	}
	name, bad := a.required("RoleSessionName")
	if bad != nil {
		return nil, bad
	}
	if !sessionName.MatchString(name) {
		return nil, &apiError{http.StatusBadRequest, "ValidationError", "ValidationException",
			fmt.Sprintf("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", name, sessionName)}
	}
	seconds, bad := a.integer("DurationSeconds", maxSeconds, minSeconds, maxRoleSeconds)
	if bad != nil {
		return nil, bad
	}
	for _, r := range s.config.Roles {
		if r.ARN != arn || who.may("sts:AssumeRole", arn) != nil {
			continue
		}
		return s.mintSession(r, name, seconds)
	}
	return nil, errAccess(fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", who.arn, arn))
}

// stsSession is a minted set of AWS credentials.
type stsSession struct {
	Credentials struct {
		AccessKeyId, SecretAccessKey, SessionToken, Expiration string
	}
	AssumedRoleUser struct{ AssumedRoleId, Arn string }
}

func (s *Server) mintSession(r Role, name string, seconds int64) (any, *apiError) {
	role := r.ARN[strings.LastIndex(r.ARN, "/")+1:]
	var out stsSession
	expires := s.expiry(seconds)
	out.Credentials.AccessKeyId = "ASIA" + rand.Text()[:16]
	out.Credentials.SecretAccessKey = rand.Text() + rand.Text()[:14]
	out.Credentials.SessionToken = rand.Text() + rand.Text()
	out.Credentials.Expiration = expires.Format(time.RFC3339)
	out.AssumedRoleUser.AssumedRoleId = "AROA" + strings.ToUpper(role) + ":" + name
	out.AssumedRoleUser.Arn = fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", s.config.Account, role, name)
	err := s.sessions.add(out.Credentials.AccessKeyId, session{token: out.Credentials.SessionToken, expires: expires,
		caller: caller{arn: out.AssumedRoleUser.Arn, userID: out.AssumedRoleUser.AssumedRoleId, login: "IAMR:" + role, policy: r.Policy}}, s.config.Now())
	if err == nil && s.config.Objects != nil {
		err = s.config.Objects.Admit(s3d.Temporary{AccessKey: out.Credentials.AccessKeyId, SecretKey: out.Credentials.SecretAccessKey,
			Token: out.Credentials.SessionToken, Expires: expires})
	}
	if err != nil {
		return nil, &apiError{http.StatusServiceUnavailable, "ServiceUnavailable", "", err.Error()}
	}
	return out, nil
}

func (s *Server) getCallerIdentity(who caller, _ *arguments) (any, *apiError) {
	return struct{ UserId, Account, Arn string }{who.userID, s.config.Account, who.arn}, nil
}
