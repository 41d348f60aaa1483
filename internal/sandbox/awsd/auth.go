package awsd

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxSkew     = 15 * time.Minute
	maxSessions = 10_000
	amzTime     = "20060102T150405Z"
)

// caller is who signed a call.
type caller struct {
	arn    string
	userID string
	login  string // what the warehouse calls this identity: "IAM:name" or "IAMR:role"
	policy Policy
}

// session is a set of credentials that sts minted.
type session struct {
	caller
	token   string
	expires time.Time
}

// sessions are the minted credentials by access key.
type sessions struct {
	mu sync.Mutex
	by map[string]session
}

func (m *sessions) add(key string, s session, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.by) >= maxSessions {
		for k, old := range m.by { // those that ended yesterday are of no use even for a good error
			if now.Sub(old.expires) > 24*time.Hour {
				delete(m.by, k)
			}
		}
	}
	if len(m.by) >= maxSessions {
		return errors.New("too many sessions are open")
	}
	if m.by == nil {
		m.by = map[string]session{}
	}
	m.by[key] = s
	return nil
}

func (m *sessions) find(key string) (session, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.by[key]
	return s, ok
}

// authenticate finds the caller of a request to a service, or the fault that AWS answers.
func (s *Server) authenticate(r *http.Request, service string) (caller, *apiError) {
	credential, ok := field(r.Header.Get("Authorization"), "Credential")
	scope := strings.Split(credential, "/")
	if !ok || len(scope) != 5 {
		return caller{}, errMissingToken()
	}
	now := s.config.Now()
	at, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	switch {
	case err != nil || !strings.HasPrefix(r.Header.Get("X-Amz-Date"), scope[1]):
		return caller{}, errSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	case scope[2] != s.config.Region && !(service == "sts" && scope[2] == "us-east-1"):
		return caller{}, errSignature("Credential should be scoped to a valid region.")
	case scope[3] != service:
		return caller{}, errSignature(fmt.Sprintf("Credential should be scoped to correct service: '%s'.", service))
	case at.Before(now.Add(-maxSkew)):
		return caller{}, errSignature(fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 15 min.)",
			at.Format(amzTime), now.Add(-maxSkew).UTC().Format(amzTime), now.UTC().Format(amzTime)))
	case at.After(now.Add(maxSkew)):
		return caller{}, errSignature(fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 15 min.)",
			at.Format(amzTime), now.Add(maxSkew).UTC().Format(amzTime), now.UTC().Format(amzTime)))
	}
	return s.identify(scope[0], r.Header.Get("X-Amz-Security-Token"), now)
}

func (s *Server) identify(key, token string, now time.Time) (caller, *apiError) {
	for _, k := range s.config.Keys {
		if k.ID == key && token == "" {
			return caller{arn: fmt.Sprintf("arn:aws:iam::%s:user/%s", s.config.Account, k.User), userID: "AIDA" + strings.ToUpper(k.User),
				login: "IAM:" + k.User, policy: k.Policy}, nil
		}
	}
	minted, ok := s.sessions.find(key)
	if !ok || subtle.ConstantTimeCompare([]byte(minted.token), []byte(token)) != 1 {
		return caller{}, errUnknownKey()
	}
	if !now.Before(minted.expires) {
		return caller{}, errExpired()
	}
	return minted.caller, nil
}

// field reads one part of an Authorization header, as in: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=….
func field(header, name string) (string, bool) {
	parts, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !ok {
		return "", false
	}
	for _, p := range strings.Split(parts, ",") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(p), name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// may refuses what the caller's policy does not allow.
func (c caller) may(action, resource string) *apiError {
	if c.policy.Allows(action, resource) {
		return nil
	}
	return errAccess(fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", c.arn, action, resource))
}
