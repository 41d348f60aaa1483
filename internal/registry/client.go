package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"backfill/internal/fail"
)

// Limits of the conversation with a registry.
const (
	tries       = 5
	firstPause  = 500 * time.Millisecond
	longestWait = 30 * time.Second // between two tries, also where the registry asks for more
	answerTime  = 30 * time.Second // for one answer
)

// Client reads a registry that speaks Confluent's API.
type Client struct {
	URL      string
	User     string // "" asks without a login
	Password string
	Roots    *x509.CertPool                                   // authorities trusted; nil: the system's
	Pause    func(ctx context.Context, d time.Duration) error // nil: wait for so long

	http  *http.Client
	known map[Reference]bool
	list  []Schema
}

// Fetch reads all versions of the subjects, deleted ones too, the schemas of
// the ids, and what they refer to; each is asked for once. Errors:
// fail.Credentials, Permission, Network, Throttled, Service, and
// fail.NotFoundInput for a subject or id that is not there.
func (c *Client) Fetch(ctx context.Context, subjects []string, ids []int64) (*Set, error) {
	c.open()
	defer c.http.CloseIdleConnections()
	for _, subject := range subjects {
		var versions []int
		if err := c.get(ctx, &versions, "subjects", subject, "versions"); err != nil {
			return nil, err
		}
		for _, v := range versions {
			if err := c.version(ctx, subject, strconv.Itoa(v), 0); err != nil {
				return nil, err
			}
		}
	}
	for _, id := range ids {
		if err := c.byID(ctx, id); err != nil {
			return nil, err
		}
	}
	return NewSet(c.list)
}

func (c *Client) open() {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: answerTime, MaxIdleConnsPerHost: 1, IdleConnTimeout: answerTime,
	}
	c.http = &http.Client{Transport: transport, Timeout: answerTime, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a login is for this address only
	}}
	c.known, c.list = map[Reference]bool{}, nil
	if c.Pause == nil {
		c.Pause = pause
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// version asks for one version of a subject, and for what it refers to.
func (c *Client) version(ctx context.Context, subject, version string, depth int) error {
	number, _ := strconv.Atoi(version)
	key := Reference{Subject: subject, Version: number}
	if c.known[key] {
		return nil
	}
	c.known[key] = true
	var a answer
	if err := c.get(ctx, &a, "subjects", subject, "versions", version); err != nil {
		return err
	}
	return c.keep(ctx, a, depth)
}

// byID asks for the schema of an id, which may belong to no subject that is asked for.
func (c *Client) byID(ctx context.Context, id int64) error {
	var a answer
	if err := c.get(ctx, &a, "schemas", "ids", strconv.FormatInt(id, 10)); err != nil {
		return err
	}
	a.ID = &id
	return c.keep(ctx, a, 0)
}

func (c *Client) keep(ctx context.Context, a answer, depth int) error {
	schema, err := a.schema()
	if err != nil {
		return fail.Wrap(err, fail.Service, "the answer can't be used").At("%s", c.URL)
	}
	if depth > maxDepth || len(c.list) >= maxSchemas {
		return fail.New(fail.BadDataset, "the subjects have more than %d schemas, or refer deeper than %d", maxSchemas, maxDepth).At("%s", c.URL)
	}
	c.list = append(c.list, schema)
	for _, r := range schema.References {
		if err := c.version(ctx, r.Subject, strconv.Itoa(r.Version), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// get asks for a document, again where that may help.
func (c *Client) get(ctx context.Context, doc any, path ...string) error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fail.New(fail.BadDataset, "the registry's URL is none").Try("write https://host[:port][/path]")
	}
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	u = u.JoinPath(path...)
	u.RawQuery = "deleted=true"
	wait := firstPause
	for try := 1; ; try++ {
		body, asked, err := c.ask(ctx, u.String())
		if err == nil {
			if err := json.Unmarshal(body, doc); err != nil {
				return fail.Wrap(err, fail.Service, "the registry's answer can't be read").At("%s", u)
			}
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if try == tries || !again(err) {
			return err
		}
		if err := c.Pause(ctx, min(max(wait, asked), longestWait)); err != nil {
			return err
		}
		wait *= 2
	}
}

// again reports whether the same question may be answered later.
func again(err error) bool {
	return fail.Is(err, fail.Network) || fail.Is(err, fail.Throttled) || fail.Is(err, fail.Service)
}

// ask asks once; wait is how long the registry asks to wait.
func (c *Client) ask(ctx context.Context, at string) (body []byte, wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, 0, fail.Wrap(err, fail.BadDataset, "the registry's URL is none")
	}
	request.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	if c.User != "" {
		request.SetBasicAuth(c.User, c.Password)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, 0, c.transport(err, at)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1)); err != nil {
		return nil, 0, fail.Wrap(err, fail.Network, "reading the registry's answer").At("%s", at)
	}
	if len(body) > maxAnswer {
		return nil, 0, fail.New(fail.BadDataset, "the registry's answer has more than %d bytes", maxAnswer).At("%s", at)
	}
	if response.StatusCode == http.StatusOK {
		return body, 0, nil
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return nil, time.Duration(max(seconds, 0)) * time.Second, refusal(response.StatusCode, body, at)
}

func (c *Client) transport(err error, at string) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var cause *url.Error
	if errors.As(err, &cause) {
		err = cause.Err // it repeats the address
	}
	if errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) {
		return fail.Wrap(err, fail.Permission, "the registry's certificate is not trusted").At("%s", at).
			Try("name its authority in records.registry.tls: {ca_file: PATH}")
	}
	return fail.Wrap(err, fail.Network, "the registry can't be reached").At("%s", at)
}

// refusal is an answer other than 200.
func refusal(status int, body []byte, at string) error {
	var told struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &told)
	what := fmt.Sprintf("the registry answered %d %s", status, http.StatusText(status))
	if told.Message != "" {
		what += ": " + told.Message[:min(len(told.Message), 200)]
	}
	code, hint := fail.Service, "ask who runs the registry"
	switch {
	case status == http.StatusUnauthorized:
		code, hint = fail.Credentials, "check records.registry.user and its password"
	case status == http.StatusForbidden:
		code, hint = fail.Permission, "the login needs to read the subjects"
	case status == http.StatusNotFound:
		code, hint = fail.NotFoundInput, "name the topic's subjects in records.registry.subjects, or its schemas in ids"
	case status == http.StatusTooManyRequests:
		code, hint = fail.Throttled, "try again later"
	case status < 500:
		code, hint = fail.BadDataset, "check records.registry.url"
	}
	return fail.New(code, "%s", what).At("%s", at).Try("%s", hint)
}
