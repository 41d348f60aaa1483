package s3d

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// paced gives a body out at a number of bytes a second.
type paced struct {
	body io.ReadCloser
	rate int64
	done <-chan struct{} // ends the waiting
}

// pace slows a body down; a rate of 0 leaves it alone.
func pace(ctx context.Context, body io.ReadCloser, rate int64) io.ReadCloser {
	if rate == 0 || body == nil || body == http.NoBody {
		return body
	}
	return &paced{body: body, rate: rate, done: ctx.Done()}
}

// Read waits as long as the bytes it gives are due; some ten pieces a second.
func (p *paced) Read(b []byte) (int, error) {
	n, err := p.body.Read(b[:min(int64(len(b)), max(p.rate/10, 1))])
	timer := time.NewTimer(time.Duration(n) * time.Second / time.Duration(p.rate))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.done: // the client has gone or the server closes: what is left need not be slow
	}
	return n, err
}

func (p *paced) Close() error { return p.body.Close() }

// slowed makes the answer's body come slowly.
func (a *answer) slowed(ctx context.Context, rate int64) {
	if rate == 0 || len(a.head) == 0 && a.rest == nil {
		return
	}
	var whole io.Reader = bytes.NewReader(a.head)
	closer := io.NopCloser(whole)
	if a.rest != nil {
		whole = io.MultiReader(whole, a.rest)
		closer = readCloser{whole, a.rest}
	}
	a.head, a.rest = nil, pace(ctx, closer, rate)
}

type readCloser struct {
	io.Reader
	io.Closer
}

// shorten cuts the second half of a body off and makes the headers agree.
func (a *answer) shorten() {
	if a.length < 2 {
		return
	}
	a.length /= 2
	a.header.Set("Content-Length", strconv.FormatInt(a.length, 10))
	if int64(len(a.head)) >= a.length {
		a.head = a.head[:a.length]
		a.close()
		a.rest = nil
		return
	}
	a.rest = readCloser{io.LimitReader(a.rest, a.length-int64(len(a.head))), a.rest}
}

var etagElement = regexp.MustCompile(`<ETag>[^<]*</ETag>`)

// falsify puts another object's ETag in the place of the answer's, wherever one stands.
func (a *answer) falsify() {
	const other = "00000000000000000000000000000000"
	if a.header.Get("ETag") != "" {
		a.header["Etag"] = []string{`"` + other + `"`}
	}
	if a.rest == nil && bytes.HasPrefix(bytes.TrimSpace(a.head), []byte("<?xml")) {
		a.head = etagElement.ReplaceAll(a.head, []byte("<ETag>&#34;"+other+"&#34;</ETag>"))
		a.length = int64(len(a.head))
		a.header.Set("Content-Length", strconv.FormatInt(a.length, 10))
	}
}
