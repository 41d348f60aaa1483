package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"backfill/internal/sandbox/s3d"
)

// Client changes the Set of a running sandbox. Close it.
type Client struct {
	http *http.Client
	dir  string
}

// Dial returns a client of the sandbox that serves dir. Nothing is sent yet.
func Dial(dir string) *Client {
	path := filepath.Join(dir, socketName)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		socket, err := filepath.EvalSymlinks(path) // what it leads to is short enough for a socket
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{dir: dir, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Close gives the client's connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Add is Set.Add.
func (c *Client) Add(ctx context.Context, rules ...string) (ids []int, err error) {
	body, err := json.Marshal(rules)
	if err != nil {
		return nil, fmt.Errorf("encoding rules: %w", err)
	}
	return ids, c.do(ctx, http.MethodPost, "/rules", nil, body, &ids)
}

// List is Set.List.
func (c *Client) List(ctx context.Context) (rules []Status, err error) {
	return rules, c.do(ctx, http.MethodGet, "/rules", nil, nil, &rules)
}

// Clear is Set.Clear.
func (c *Client) Clear(ctx context.Context, ids ...int) error {
	query := url.Values{}
	for _, id := range ids {
		query.Add("id", strconv.Itoa(id))
	}
	return c.do(ctx, http.MethodDelete, "/rules", query, nil, nil)
}

// Wait is Set.Wait.
func (c *Client) Wait(ctx context.Context, id int, fired int64) error {
	query := url.Values{"fired": {strconv.FormatInt(fired, 10)}}
	return c.do(ctx, http.MethodGet, "/rules/"+strconv.Itoa(id)+"/wait", query, nil, nil)
}

// Cool is the S3 stand-in's Cool.
func (c *Client) Cool(ctx context.Context, cooling s3d.Cooling) (cooled []s3d.Cooled, err error) {
	body, err := json.Marshal(cooling)
	if err != nil {
		return nil, fmt.Errorf("encoding what to cool: %w", err)
	}
	return cooled, c.do(ctx, http.MethodPost, "/cold", nil, body, &cooled)
}

// Profile returns a profile of the sandbox as text: goroutine, heap or another of runtime/pprof. It begins with the totals.
func (c *Client) Profile(ctx context.Context, name string) (text string, err error) {
	return text, c.do(ctx, http.MethodGet, "/profiles/"+url.PathEscape(name), nil, nil, &text)
}

// do sends a request and reads its answer: JSON, or as it is into a string.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	target := url.URL{Scheme: "http", Host: "sandbox", Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the sandbox: %w", err)
	}
	res, err := c.http.Do(r)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no sandbox serves %s now", c.dir)
	case err != nil:
		return fmt.Errorf("asking the sandbox: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxControlBody))
	if err != nil {
		return fmt.Errorf("reading the sandbox's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(text)))
	}
	switch into := into.(type) {
	case nil:
		return nil
	case *string:
		*into = string(text)
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading the sandbox's answer: %w", err)
	}
	return nil
}
