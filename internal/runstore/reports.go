package runstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

// The files in a report's folder. The seal is published last.
const (
	ReportName     = "report.json"
	PageName       = "report.html"
	ExceptionsName = "exceptions.csv"
	EvidenceName   = "evidence.jsonl.gz"
	SignatureName  = "seal.sig" // over the bytes of the seal, as openssl writes and reads it
	SealName       = "seal.json"
)

// maxEvidence bounds the compressed evidence of a report, in bytes.
const maxEvidence = 512 << 20

// Digest identifies a file's bytes.
type Digest struct {
	Key    string
	SHA256 string // hex
}

func digestOf(key string, body []byte) Digest {
	sum := sha256.Sum256(body)
	return Digest{Key: key, SHA256: hex.EncodeToString(sum[:])}
}

// NewReport returns the key of a new folder for a report on the run.
func NewReport(target string, run runplan.RunID, written time.Time) string {
	return fmt.Sprintf("%s/reports/%s/%s-%s", targetKey(target), run, written.UTC().Format("20060102T150405Z"), NewAttempt())
}

// PutReport keeps a file in a report's folder and returns its URI. The seal
// comes last: a folder without one is no report.
func (s *Store) PutReport(ctx context.Context, folder, name string, body []byte) (string, error) {
	key := folder + "/" + name
	if err := s.putOwn(ctx, key, body); err != nil {
		return "", err
	}
	return s.URI(key), nil
}

// Reports lists the folders of a run's sealed reports, oldest first.
func (s *Store) Reports(ctx context.Context, target string, run runplan.RunID) ([]string, error) {
	var folders []string
	err := s.objects.List(ctx, fmt.Sprintf("%s/reports/%s/", targetKey(target), run), func(o objstore.Object) error {
		if folder, ok := strings.CutSuffix(o.Key, "/"+SealName); ok {
			folders = append(folders, folder)
		}
		return nil
	})
	return folders, err
}

// ReadReport reads a file of a report's folder.
func (s *Store) ReadReport(ctx context.Context, folder, name string) ([]byte, error) {
	return s.read(ctx, folder+"/"+name)
}

func (s *Store) read(ctx context.Context, key string) ([]byte, error) {
	body, _, err := s.objects.ReadAll(ctx, key, maxEvidence)
	return body, err
}

// ReportFolder turns the URI of a report, of one of its files or of its folder
// into the folder's key.
func (s *Store) ReportFolder(uri string) (string, error) {
	root := strings.TrimSuffix(s.URI("-"), "-")
	key, ok := strings.CutPrefix(strings.TrimSuffix(uri, "/"), root)
	if ok && path.Ext(key) != "" {
		key = path.Dir(key)
	}
	parts := strings.Split(key, "/")
	if !ok || len(parts) != 5 || parts[0] != "targets" || parts[2] != "reports" || path.Clean(key) != key {
		return "", fail.New(fail.Usage, "%s is no report below %s", uri, root).Try("give the URI that `backfill reconcile` printed")
	}
	return key, nil
}

// Digest reads a file below the staging URI and returns what its bytes are;
// false: there is no such file.
func (s *Store) Digest(ctx context.Context, key string) (Digest, bool, error) {
	body, err := s.read(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return Digest{Key: key}, false, nil
	}
	return digestOf(key, body), err == nil, err
}
