package s3d

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	bufferLimit = 1 << 20 // answers up to this size are held whole until the hook has seen After
	drainLimit  = 5 << 30 // the largest body one S3 request may have
)

// front stands between clients and the gateway: it numbers operations, asks the hook and carries out its answer.
type front struct {
	gateway *gateway
	hook    func(Op) Action
	number  *atomic.Int64
	now     func() time.Time
}

// answer is the gateway's answer; head holds the beginning of the body, or all of it when rest is nil.
type answer struct {
	status int
	header http.Header
	length int64 // of the body; -1 if unknown
	head   []byte
	rest   io.ReadCloser
}

func (a *answer) close() {
	if a.rest != nil {
		_ = a.rest.Close() // the body was read to its end or is not wanted: nothing to learn
	}
}

// ServeHTTP handles one operation from both of its hook calls to the last byte.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := describe(r)
	op.Number, op.Done = f.number.Add(1), r.Context().Done()
	before := f.ask(op)
	if no, ok := before.refusal(op); ok {
		drain(r.Body)
		refuse(w, r, op, no)
		return
	}
	if before == Cut {
		reset(w)
		return
	}
	if f.gateway.users.expired(r, f.now()) {
		drain(r.Body)
		refuse(w, r, op, refusals[ExpiredToken])
		return
	}
	r.Body = pace(r.Context(), r.Body, before.rate())
	a, err := f.forward(r)
	if err != nil {
		reset(w) // the client left, or the gateway is closing: either way nobody can be told
		return
	}
	defer a.close()
	op.Phase, op.Status = After, a.status
	after := f.ask(op)
	if after == Continue {
		after = before
	}
	f.respond(w, r, op, a, after)
}

// respond sends the gateway's answer as the hook wants it sent.
func (f *front) respond(w http.ResponseWriter, r *http.Request, op Op, a *answer, action Action) {
	if no, ok := action.refusal(op); ok {
		refuse(w, r, op, no)
		return
	}
	switch action {
	case Cut:
		reset(w)
		return
	case CutBody:
		sendHalf(w, r, a)
		return
	case ShortBody:
		if r.Method == http.MethodGet && a.status < http.StatusMultipleChoices {
			a.shorten()
		}
	case WrongETag:
		a.falsify()
	}
	a.slowed(r.Context(), action.rate())
	send(w, a)
}

func (f *front) ask(op Op) Action {
	if f.hook == nil {
		return Continue
	}
	return f.hook(op)
}

// forward sends the request to the gateway byte for byte and reads at least the answer's headers.
func (f *front) forward(r *http.Request) (*answer, error) {
	// As in S3, an operation whose request has arrived whole is finished even if the client has gone meanwhile; one
	// that lost its client earlier fails by its body.
	out := (&http.Request{
		Method:        r.Method,
		URL:           &url.URL{Scheme: "http", Host: "gateway", Opaque: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery},
		Host:          r.Host, // is part of the signature
		Header:        r.Header.Clone(),
		Body:          r.Body,
		ContentLength: r.ContentLength,
	}).WithContext(context.WithoutCancel(r.Context()))
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	dropHopHeaders(out.Header)
	out.Header.Del("Expect") // between client and front; never signed
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header.Set("User-Agent", "") // or the transport would add its own
	}
	res, err := f.gateway.transport.RoundTrip(out)
	if err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	dropHopHeaders(res.Header)
	a := &answer{status: res.StatusCode, header: res.Header, length: res.ContentLength}
	if r.Method == http.MethodHead {
		return a, res.Body.Close()
	}
	if a.length > bufferLimit {
		a.rest = res.Body
		return a, nil
	}
	if a.head, err = io.ReadAll(io.LimitReader(res.Body, bufferLimit)); err != nil {
		_ = res.Body.Close()
		return nil, fmt.Errorf("reading the gateway's answer: %w", err)
	}
	if len(a.head) == bufferLimit && a.length < 0 {
		a.rest = res.Body
		return a, nil
	}
	a.length = int64(len(a.head))
	return a, res.Body.Close()
}

// dropHopHeaders removes what concerns one connection only.
func dropHopHeaders(h http.Header) {
	for _, name := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade"} {
		h.Del(name)
	}
}

func writeHeader(w http.ResponseWriter, a *answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
}

func send(w http.ResponseWriter, a *answer) {
	writeHeader(w, a)
	if _, err := w.Write(a.head); err != nil || a.rest == nil {
		return
	}
	if _, err := io.Copy(w, a.rest); err != nil {
		reset(w) // too late for a status: the client must not take a shortened body for a whole one
	}
}

// sendHalf sends the headers, which promise the whole body, and half of it.
func sendHalf(w http.ResponseWriter, r *http.Request, a *answer) {
	if r.Method != http.MethodGet || a.length < 2 {
		reset(w)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(a.length, 10))
	writeHeader(w, a)
	half := a.length / 2
	n, err := w.Write(a.head[:min(half, int64(len(a.head)))])
	if err == nil && a.rest != nil {
		_, err = io.CopyN(w, a.rest, half-int64(n))
	}
	if err == nil {
		_ = http.NewResponseController(w).Flush() // a failure means that the client is gone already
	}
	reset(w)
}

// reset ends the connection with a TCP reset instead of an answer, or in the middle of one.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http's own way to break off an answer
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // makes Close send RST; without it the client would see an orderly end
	}
	_ = conn.Close()
}

// drain reads a body to its end, so that a client that is still sending sees the refusal and no broken pipe.
func drain(body io.Reader) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, drainLimit))
}

// refuse answers with an error of S3's.
func refuse(w http.ResponseWriter, r *http.Request, op Op, no refusal) {
	id := fmt.Sprintf("INJECTED%08X", op.Number)
	body := fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId><HostId>s3d</HostId></Error>",
		no.code, no.message, id)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", id)
	w.WriteHeader(no.status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body) // a failure means that the client is gone
	}
}
