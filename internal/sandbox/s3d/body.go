package s3d

import (
	"errors"
	"io"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3err"
)

// wholeBody fails when a body ends before its declared length. The gateway's HTTP server reports a client that was
// lost in the middle of a body as an ordinary end of the body, and a shortened object would be stored.
type wholeBody struct {
	body io.Reader
	left int64
}

// summedBody is a wholeBody over a body that carries a trailing checksum.
type summedBody struct {
	wholeBody
	sum middlewares.ChecksumReader
}

// whole returns body, checked against its length in bytes after decoding. A nil length is not checked.
func whole(body io.Reader, length *int64) io.Reader {
	if length == nil || body == nil {
		return body
	}
	w := wholeBody{body: body, left: *length}
	if sum, ok := body.(middlewares.ChecksumReader); ok {
		return &summedBody{wholeBody: w, sum: sum}
	}
	return &w
}

// Read returns S3's IncompleteBody in place of an early end.
func (w *wholeBody) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	w.left -= int64(n)
	if errors.Is(err, io.EOF) && w.left > 0 {
		return n, s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	return n, err
}

func (s *summedBody) Algorithm() string { return s.sum.Algorithm() }

func (s *summedBody) Checksum() string { return s.sum.Checksum() }

// readToEnd reads what a handler left of a body. The gateway would otherwise close the connection on a large body it
// refuses early (412, 403, 404), and the client could see a broken pipe instead of the refusal.
func readToEnd(c fiber.Ctx) error {
	err := c.Next()
	if body := c.Request().BodyStream(); body != nil && c.Request().Header.ContentLength() > 0 {
		drain(body)
	}
	return err
}
