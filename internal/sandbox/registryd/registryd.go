// Package registryd is the stand-in of a schema registry with Confluent's API: it serves an export of schemas on
// loopback, for reading alone.
//
// It knows /subjects and /schemas, as far as readers ask for them: by subject and version, by id and by GUID. Answers
// and errors are the registry's own, with its error codes; whatever writes is 405. With a user it demands a login.
// Contexts, references between schemas, deleted versions and compatibility are not played.
//
// It must not import anything of the product, so that both sides can't share one misunderstanding. Tests and
// cmd/sandbox call it.
package registryd

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	closeTimeout = 5 * time.Second
	maxHeader    = 64 << 10 // bytes
)

// Schema is a version of a subject, as the registry answers it.
type Schema struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int64  `json:"id"`
	GUID    string `json:"guid,omitempty"`
	Type    string `json:"schemaType,omitempty"` // empty: AVRO
	Schema  string `json:"schema"`
}

// Config says where a server listens and who may ask.
type Config struct {
	Listen   string // host:port; empty means 127.0.0.1:0, which picks a port
	User     string // empty: no login is asked for
	Password string
}

// Server is a running registry. Its methods may be called from any goroutine.
type Server struct {
	config   Config
	schemas  []Schema
	server   *http.Server
	listener net.Listener
	requests atomic.Int64
	served   chan struct{}
}

// Start serves schemas until Close. It refuses two schemas that can't be in one registry: a version that is there twice,
// and an id with two texts.
func Start(ctx context.Context, c Config, schemas []Schema) (*Server, error) {
	if err := check(schemas); err != nil {
		return nil, err
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for the registry's requests: %w", err)
	}
	s := &Server{config: c, schemas: slices.Clone(schemas), listener: listener, served: make(chan struct{})}
	slices.SortFunc(s.schemas, func(a, b Schema) int {
		if by := strings.Compare(a.Subject, b.Subject); by != 0 {
			return by
		}
		return a.Version - b.Version
	})
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener) // always http.ErrServerClosed
	}()
	return s, nil
}

func check(schemas []Schema) error {
	if len(schemas) == 0 {
		return errors.New("a registry without schemas answers nothing: name a folder that holds some")
	}
	type place struct {
		subject string
		version int
	}
	places, ids := make(map[place]bool), make(map[int64]string)
	for _, s := range schemas {
		at := place{s.Subject, s.Version}
		text, known := ids[s.ID]
		switch {
		case s.Subject == "" || s.Version < 1 || s.Schema == "":
			return fmt.Errorf("the schema %d of %q has no subject, no version or no text", s.ID, s.Subject)
		case places[at]:
			return fmt.Errorf("version %d of %s is there twice", s.Version, s.Subject)
		case known && text != s.Schema:
			return fmt.Errorf("the id %d is that of two schemas", s.ID)
		}
		places[at], ids[s.ID] = true, s.Schema
	}
	return nil
}

// Endpoint returns the URL clients use, without a slash at the end.
func (s *Server) Endpoint() string { return "http://" + s.listener.Addr().String() }

// Requests returns how many requests have arrived so far.
func (s *Server) Requests() int64 { return s.requests.Load() }

// Close ends the server; requests under way have some seconds to finish.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("finishing requests under way: %w", err), s.server.Close())
	}
	<-s.served
	return err
}

// refusal is an error as the registry answers it.
type refusal struct {
	status int
	Code   int    `json:"error_code"`
	Text   string `json:"message"`
}

func refuse(status, code int, format string, args ...any) *refusal {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	answer, no := s.answer(r)
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	if no != nil {
		if no.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="SchemaRegistry-Props"`)
		}
		w.WriteHeader(no.status)
		answer = no
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer) // a failure means that the client is gone
}

func (s *Server) answer(r *http.Request) (any, *refusal) {
	user, password, _ := r.BasicAuth()
	if s.config.User != "" && (!same(user, s.config.User) || !same(password, s.config.Password)) {
		return nil, refuse(http.StatusUnauthorized, 401, "Unauthorized")
	}
	if r.Method != http.MethodGet {
		return nil, refuse(http.StatusMethodNotAllowed, 405, "HTTP 405 Method Not Allowed")
	}
	var steps []string
	for step := range strings.SplitSeq(strings.Trim(r.URL.EscapedPath(), "/"), "/") {
		name, err := url.PathUnescape(step)
		if err != nil {
			return nil, notFound()
		}
		steps = append(steps, name)
	}
	switch steps[0] {
	case "subjects":
		return s.subjects(steps[1:])
	case "schemas":
		return s.byID(steps[1:])
	}
	return nil, notFound()
}

func notFound() *refusal { return refuse(http.StatusNotFound, 404, "HTTP 404 Not Found") }

// same compares without telling by its time how much is right.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// subjects answers what stands below /subjects.
func (s *Server) subjects(steps []string) (any, *refusal) {
	if len(steps) == 0 {
		names := []string{}
		for _, schema := range s.schemas {
			names = append(names, schema.Subject)
		}
		return slices.Compact(names), nil
	}
	var versions []Schema
	for _, schema := range s.schemas {
		if schema.Subject == steps[0] {
			versions = append(versions, schema)
		}
	}
	switch {
	case len(steps) == 1 || len(steps) > 4 || steps[1] != "versions" || len(steps) == 4 && steps[3] != "schema":
		return nil, notFound()
	case len(versions) == 0:
		return nil, refuse(http.StatusNotFound, 40401, "Subject '%s' not found.", steps[0])
	case len(steps) == 2:
		numbers := []int{}
		for _, v := range versions {
			numbers = append(numbers, v.Version)
		}
		return numbers, nil
	}
	found, no := version(versions, steps[2])
	if no != nil || len(steps) == 3 {
		return found, no
	}
	return json.RawMessage(found.text()), nil
}

// version finds a version by its number, or the latest.
func version(versions []Schema, name string) (Schema, *refusal) {
	if name == "latest" {
		return versions[len(versions)-1], nil
	}
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil || n < 1 {
		return Schema{}, refuse(http.StatusUnprocessableEntity, 42202,
			"The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", name)
	}
	for _, v := range versions {
		if int64(v.Version) == n {
			return v, nil
		}
	}
	return Schema{}, refuse(http.StatusNotFound, 40402, "Version %d not found.", n)
}

// text is the schema alone, which is JSON unless it is Protobuf's.
func (s Schema) text() []byte {
	if json.Valid([]byte(s.Schema)) {
		return []byte(s.Schema)
	}
	text, err := json.Marshal(s.Schema)
	if err != nil {
		return []byte("null") // a string always encodes
	}
	return text
}

// byID answers what stands below /schemas.
func (s *Server) byID(steps []string) (any, *refusal) {
	if len(steps) == 1 && steps[0] == "types" {
		return []string{"JSON", "PROTOBUF", "AVRO"}, nil
	}
	if len(steps) < 2 || len(steps) > 3 || steps[0] != "ids" && steps[0] != "guids" {
		return nil, notFound()
	}
	var found []Schema
	for _, schema := range s.schemas {
		if steps[0] == "ids" && strconv.FormatInt(schema.ID, 10) == steps[1] || steps[0] == "guids" && schema.GUID != "" && strings.EqualFold(schema.GUID, steps[1]) {
			found = append(found, schema)
		}
	}
	switch {
	case len(found) == 0:
		return nil, refuse(http.StatusNotFound, 40403, "Schema %s not found", steps[1])
	case len(steps) == 2:
		// Where it stands by its id, a schema has no subject.
		return struct {
			Type   string `json:"schemaType,omitempty"`
			Schema string `json:"schema"`
			GUID   string `json:"guid,omitempty"`
		}{found[0].Type, found[0].Schema, found[0].GUID}, nil
	case steps[2] == "schema":
		return json.RawMessage(found[0].text()), nil
	case steps[2] == "versions":
		out := []map[string]any{}
		for _, f := range found {
			out = append(out, map[string]any{"subject": f.Subject, "version": f.Version})
		}
		return out, nil
	}
	return nil, notFound()
}
