// Package login finds out where the warehouse is and as whom to log in: by a
// password of the environment or of a file, by IAM for a cluster or a
// workgroup, or by a Secrets Manager secret.
//
//	Source ─ Mint ─▶ Login, good for one connection attempt
//
// What expires is never kept: every attempt mints anew. AWS calls use the SDK's
// default chain (environment, profile, web identity of a service account, Pod
// Identity, instance role), its endpoints (AWS_ENDPOINT_URL_…) and its retries,
// and nothing repeats them a second time. The package opens no connection to
// the warehouse, and no message of it holds a password. workspace calls it.
package login

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"backfill/internal/fail"
)

const (
	defaultPort = 5439
	maxPassword = 4 << 10 // bytes of a password file
)

// Options say where the warehouse is and which one way signs in. Of
// PasswordEnv, PasswordFile, Cluster, Workgroup and Secret one is set.
type Options struct {
	URL          string // redshift://[user@][host[:port]]/[database]
	PasswordEnv  string // name of an environment variable
	PasswordFile string
	Cluster      string // identifier, for temporary credentials
	Workgroup    string // name, likewise
	Region       string // of cluster or workgroup; "": the host's, else the chain's
	Secret       string // ARN or name
	Env          func(string) string
}

// Login is where the warehouse is and as whom to log in.
type Login struct {
	Host     string
	Port     uint16
	Database string
	User     string
	Password string
}

// Source gives logins. It is safe for concurrent use.
type Source struct {
	o   Options
	at  Login // what the URL says
	aws awsCalls
}

// New checks the options; it asks nobody.
func New(o Options) (*Source, error) {
	at := Login{}
	if o.URL != "" || o.Secret == "" {
		var err error
		if at, err = parseURL(o.URL); err != nil {
			return nil, err
		}
	}
	s := &Source{o: o, at: at, aws: awsCalls{region: o.region(at.Host), pause: awsPause}}
	minted := o.Cluster != "" || o.Workgroup != ""
	missing := ""
	switch {
	case o.Secret != "":
	case at.User == "" && !minted:
		missing = "user"
	case at.Host == "" && !minted:
		missing = "host"
	case at.Database == "":
		missing = "database"
	}
	if missing != "" {
		return nil, fail.New(fail.Usage, "the warehouse URL names no %s", missing).Try("write it as %s", form)
	}
	return s, nil
}

// Mint returns a login for one connection attempt.
func (s *Source) Mint(ctx context.Context) (Login, error) {
	ctx, cancel := context.WithTimeout(ctx, mintTimeout)
	defer cancel()
	l, err := s.mint(ctx)
	if l.Port == 0 {
		l.Port = defaultPort
	}
	return l, err
}

func (s *Source) mint(ctx context.Context) (Login, error) {
	switch {
	case s.o.Cluster != "":
		return s.cluster(ctx)
	case s.o.Workgroup != "":
		return s.workgroup(ctx)
	case s.o.Secret != "":
		return s.secret(ctx)
	}
	l := s.at
	var err error
	l.Password, err = Password{"the warehouse's", s.o.PasswordEnv, s.o.PasswordFile}.Read(s.o.Env)
	return l, err
}

// Password says where a password stands; one of Env and File is set.
type Password struct {
	Of   string // whose it is, for messages: "the warehouse's"
	Env  string // name of an environment variable
	File string // path of a file that holds it and nothing else
}

// Read reads the password, a file's anew each time: a mounted secret is rotated
// in place. Its errors are fail.Credentials.
func (p Password) Read(env func(string) string) (string, error) {
	if p.File == "" {
		if text := env(p.Env); text != "" {
			return text, nil
		}
		return "", fail.New(fail.Credentials, "%s password is not set", p.Of).
			Try("set the environment variable %s, or choose another way to sign in", p.Env)
	}
	refuse := func(err error, what string) (string, error) {
		return "", fail.Wrap(err, fail.Credentials, "%s password file %s", p.Of, what).At("%s", p.File).
			Try("mount a file that holds the password and nothing else")
	}
	f, err := os.Open(p.File)
	if err != nil {
		return refuse(errors.Unwrap(err), "can't be read")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPassword+1))
	if err != nil {
		return refuse(errors.Unwrap(err), "can't be read")
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case password == "":
		return refuse(nil, "is empty")
	case len(text) > maxPassword || strings.ContainsAny(password, "\r\n\x00"):
		return refuse(nil, "holds more than one line, or is no text")
	}
	return password, nil
}

const form = "redshift://user@host:port/database"

// parseURL reads the parts that are there. No message repeats the text: it may
// hold a password.
func parseURL(text string) (Login, error) {
	refuse := func(what string) (Login, error) {
		return Login{}, fail.New(fail.Usage, "the warehouse URL %s", what).Try("write it as %s", form)
	}
	u, err := url.Parse(text)
	if err != nil {
		return refuse("can't be read")
	}
	if u.Scheme != "redshift" {
		return refuse("does not begin with redshift://")
	}
	if _, secret := u.User.Password(); secret {
		return Login{}, fail.New(fail.Usage, "the warehouse URL holds a password").
			Try("remove it and name an environment variable in warehouse.password")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return refuse("has parameters, none are known")
	}
	database := strings.TrimPrefix(u.Path, "/")
	if strings.Contains(database, "/") {
		return refuse("has more than a database after the host")
	}
	l := Login{Host: u.Hostname(), Database: database, User: u.User.Username()}
	if p := u.Port(); p != "" {
		port, err := strconv.ParseUint(p, 10, 16)
		if err != nil || port == 0 {
			return refuse("has a port that is not a number from 1 to 65535")
		}
		l.Port = uint16(port)
	}
	return l, nil
}
