package seal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// The kinds of links.
const (
	KindPlan         = "plan"
	KindSegment      = "segment" // of a plan's list of chunks
	KindChunkReceipt = "chunk_receipt"
	KindSliceReceipt = "slice_receipt"
	KindObject       = "object" // of the archive
)

// Link is one thing that a report rests on. Staging files have their SHA-256,
// archived objects what the archive's listing says of them.
type Link struct {
	Kind   string `json:"kind"`
	Key    string `json:"key"` // below the staging URI; of an object: below the archive's
	SHA256 string `json:"sha256,omitempty"`

	ETag    string `json:"etag,omitempty"`
	Version string `json:"version,omitempty"`
	Size    int64  `json:"size,omitempty"`
	Records int64  `json:"records,omitempty"` // read from the object
}

// Evidence packs links, one JSON object a line, with gzip; the same links give
// the same bytes.
func Evidence(links []Link) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	lines := json.NewEncoder(z)
	lines.SetEscapeHTML(false)
	for _, l := range links {
		if err := lines.Encode(l); err != nil {
			return nil, fmt.Errorf("encoding the evidence: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing the evidence: %w", err)
	}
	return b.Bytes(), nil
}

// maxEvidence bounds the uncompressed evidence, in bytes: ten million objects.
const maxEvidence = 4 << 30

// ReadEvidence calls each for every link, in order.
func ReadEvidence(body []byte, each func(Link) error) error {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the evidence can't be read: %w", err)
	}
	lines := json.NewDecoder(bufio.NewReader(io.LimitReader(z, maxEvidence)))
	for {
		var l Link
		if err := lines.Decode(&l); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("the evidence can't be read: %w", err)
		}
		if err := each(l); err != nil {
			return err
		}
	}
}
