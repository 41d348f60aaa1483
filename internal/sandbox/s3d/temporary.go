package s3d

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/versity/versitygw/auth"
)

// maxTemporary bounds the temporary keys that a server knows.
const maxTemporary = 10_000

// Temporary is an access key that ends by itself, as sts mints them. It may do what the permanent key may.
type Temporary struct {
	AccessKey, SecretKey, Token string
	Expires                     time.Time
}

// Admit makes a temporary key known. Once it has expired, requests with it answer 400 ExpiredToken; a key that expired
// a day ago may be forgotten.
func (s *Server) Admit(t Temporary) error {
	if t.AccessKey == "" || t.SecretKey == "" || t.Token == "" || t.AccessKey == s.config.AccessKey {
		return errors.New("admitting a temporary key: an access key of its own, a secret key and a token are required")
	}
	return s.gateway.users.admit(t, s.config.Now())
}

// users are the accounts that the gateway knows: the permanent key's, and those of temporary keys. Any other access key
// is InvalidAccessKeyId, where versitygw's own single-user service answers with an error that S3 doesn't have.
type users struct {
	auth.IAMService
	root auth.Account

	mu        sync.Mutex
	temporary map[string]Temporary
}

// GetUserAccount finds the account of the permanent access key.
func (u *users) GetUserAccount(access string) (auth.Account, error) {
	if access != u.root.Access {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	return u.root, nil
}

// DeriveSigningKey gives the key that requests of a temporary access key are signed with (Signature Version 4).
func (u *users) DeriveSigningKey(access, token, date, region, service string) ([]byte, auth.Account, error) {
	t, ok := u.find(access)
	switch {
	case !ok:
		return nil, auth.Account{}, auth.ErrNoSuchUser
	case subtle.ConstantTimeCompare([]byte(t.Token), []byte(token)) != 1:
		return nil, auth.Account{}, auth.ErrInvalidSessionToken
	}
	key := []byte("AWS4" + t.SecretKey)
	for _, part := range []string{date, region, service, "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(part)) // never fails
		key = mac.Sum(nil)
	}
	return key, auth.Account{Access: access, Role: auth.RoleAdmin}, nil
}

func (u *users) find(access string) (Temporary, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t, ok := u.temporary[access]
	return t, ok
}

func (u *users) admit(t Temporary, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.temporary) >= maxTemporary {
		for key, old := range u.temporary {
			if now.Sub(old.Expires) > 24*time.Hour {
				delete(u.temporary, key)
			}
		}
	}
	if len(u.temporary) >= maxTemporary {
		return fmt.Errorf("admitting a temporary key: %d are known already", maxTemporary)
	}
	if u.temporary == nil {
		u.temporary = map[string]Temporary{}
	}
	u.temporary[t.AccessKey] = t
	return nil
}

// expired tells whether a request is signed with a temporary key that has ended. Anything else about its signature is
// the gateway's to judge.
func (u *users) expired(r *http.Request, now time.Time) bool {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential = rest
	}
	key, _, _ := strings.Cut(credential, "/")
	t, ok := u.find(key)
	return ok && !now.Before(t.Expires)
}
