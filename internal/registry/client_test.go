package registry

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"backfill/internal/fail"
)

// server answers as a registry, from the saved answers.
type server struct {
	mu       sync.Mutex
	versions map[string]map[string]string // text by subject and version
	asked    map[string]int
	failures []int // statuses given first
}

func serve(t *testing.T) (*server, *Client) {
	t.Helper()
	s := &server{versions: map[string]map[string]string{}, asked: map[string]int{}}
	files, err := filepath.Glob("testdata/schemas/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatal(err)
		}
		if s.versions[a.Subject] == nil {
			s.versions[a.Subject] = map[string]string{}
		}
		s.versions[a.Subject][fmt.Sprint(a.Version)] = string(text)
	}
	h := httptest.NewUnstartedServer(s)
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // of the client that trusts nobody
	h.StartTLS()
	t.Cleanup(h.Close)
	roots := x509.NewCertPool()
	roots.AddCert(h.Certificate())
	return s, &Client{URL: h.URL + "/api", User: "reader", Password: "s3cret", Roots: roots, Pause: func(context.Context, time.Duration) error { return nil }}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[r.URL.EscapedPath()]++
	if user, password, _ := r.BasicAuth(); user != "reader" || password != "s3cret" {
		http.Error(w, `{"error_code":40101,"message":"Unauthorized"}`, http.StatusUnauthorized)
		return
	}
	if len(s.failures) > 0 {
		status := s.failures[0]
		s.failures = s.failures[1:]
		w.Header().Set("Retry-After", "1")
		if status == http.StatusMovedPermanently {
			w.Header().Set("Location", "https://elsewhere.invalid/")
		}
		http.Error(w, `{"message":"not now"}`, status)
		return
	}
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/api/"), "/")
	for i := range path {
		path[i] = strings.ReplaceAll(path[i], "%2F", "/")
	}
	switch {
	case len(path) == 3 && path[0] == "subjects" && s.versions[path[1]] != nil:
		var list []string
		for v := range s.versions[path[1]] {
			list = append(list, v)
		}
		fmt.Fprintf(w, "[%s]", strings.Join(list, ","))
		return
	case len(path) == 4 && s.versions[path[1]][path[3]] != "":
		fmt.Fprint(w, s.versions[path[1]][path[3]])
		return
	case len(path) == 3 && path[2] == "6":
		fmt.Fprint(w, `{"schemaType":"JSON","schema":"{}"}`)
		return
	}
	http.Error(w, `{"error_code":40401,"message":"Subject not found."}`, http.StatusNotFound)
}

func TestFetch(t *testing.T) {
	s, c := serve(t)
	s.failures = []int{503, 429, 500}
	set, err := c.Fetch(t.Context(), []string{"pay-value", "proto-value"}, []int64{6})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"1": true, "2": true, "3": true, "6": true, "7": true, "8": true} // 1 and 7 by reference
	if set.Len() != len(want) {
		t.Errorf("%d schemas", set.Len())
	}
	for id := range want {
		if _, ok := set.Lookup(id); !ok {
			t.Errorf("schema %s is missing", id)
		}
	}
	for path, n := range s.asked {
		if most := 1 + 3*strings.Count(path, "pay-value/versions"); n > most {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
	for _, one := range samples(t) {
		if strings.HasPrefix(one.Name, "protobuf") || strings.HasPrefix(one.Name, "avro, v") {
			if _, _, err := set.NewDecoder(Confluent, 1<<20).Open(nil, one.Value, one.Header); err != nil {
				t.Errorf("%s: %v", one.Name, err)
			}
		}
	}
}

func TestFetchFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*server, *Client)
		code   fail.Code
		says   string
	}{
		{"a wrong password", func(_ *server, c *Client) { c.Password = "guess" }, fail.Credentials, "401 Unauthorized: "},
		{"no such subject", func(s *server, _ *Client) { delete(s.versions, "pay-value") }, fail.NotFoundInput, "Subject not found."},
		{"a lost reference", func(s *server, _ *Client) { delete(s.versions, "currency") }, fail.NotFoundInput, "currency/versions/1"},
		{"no right", func(s *server, _ *Client) { s.failures = []int{403} }, fail.Permission, "403 Forbidden: not now"},
		{"always busy", func(s *server, _ *Client) { s.failures = []int{429, 429, 429, 429, 429, 429} }, fail.Throttled, "429"},
		{"always broken", func(s *server, _ *Client) { s.failures = []int{500, 502, 503, 500, 500, 500} }, fail.Service, "500"},
		{"another address", func(s *server, _ *Client) { s.failures = []int{301} }, fail.BadDataset, "301"},
		{"an unknown authority", func(_ *server, c *Client) { c.Roots = x509.NewCertPool() }, fail.Permission, "certificate is not trusted"},
		{"nobody there", func(_ *server, c *Client) { c.URL = "http://127.0.0.1:1" }, fail.Network, "can't be reached"},
		{"no address", func(_ *server, c *Client) { c.URL = "registry" }, fail.BadDataset, "the registry's URL is none"},
		{"no schema", func(s *server, _ *Client) { s.versions["pay-value"]["1"] = `{"id":1}` }, fail.Service, "can't be used"},
		{"no JSON", func(s *server, _ *Client) { s.versions["pay-value"]["1"] = `<html>` }, fail.Service, "can't be read"},
	} {
		s, client := serve(t)
		c.change(s, client)
		_, err := client.Fetch(t.Context(), []string{"pay-value"}, nil)
		if !fail.Is(err, c.code) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.name == "no right" && s.asked["/api/subjects/pay-value/versions"] != 1 {
			t.Errorf("%s was asked again", c.name)
		}
	}
	s, client := serve(t)
	s.failures = []int{503, 503}
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := fail.New(fail.Stopped, "stopped by a test")
	client.Pause = func(context.Context, time.Duration) error { cancel(stopped); return context.Cause(ctx) }
	if _, err := client.Fetch(ctx, []string{"pay-value"}, nil); !fail.Is(err, fail.Stopped) {
		t.Error(err)
	}
}
