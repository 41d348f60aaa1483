package redshiftd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// manifest is the list of objects to load. Keys that are not named here are ignored, as UNLOAD writes more of them.
type manifest struct {
	Entries []struct {
		URL       string `json:"url"`
		Mandatory bool   `json:"mandatory"`
		Meta      *struct {
			ContentLength *int64 `json:"content_length"`
		} `json:"meta"`
	} `json:"entries"`
}

const maxFiles = 100_000

// findFiles lists what to load: the manifest's entries, or the objects below the prefix.
func (l *loader) findFiles(ctx context.Context) error {
	bucket, key, ok := splitS3(l.st.from)
	if !ok {
		return strict("COPY FROM %q is not supported", l.st.from)
	}
	if l.has("manifest") {
		return l.readManifest(ctx, bucket, key)
	}
	keys, err := l.store.list(ctx, bucket, key)
	if err != nil {
		return l.s3Error(ctx, "", err)
	}
	for _, k := range keys {
		l.files = append(l.files, loadFile{bucket: bucket, key: k, size: -1})
	}
	return nil // a prefix that matches nothing loads 0 rows
}

func (l *loader) s3Error(ctx context.Context, before string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var pg *pgError
	if errors.As(err, &pg) {
		return pg
	}
	status, text := s3Text(err)
	if status == 0 { // no answer at all
		return l.scanError(15001, "", "Retries exceeded: "+text)
	}
	return l.manifestError(before+text, 8001)
}

func (l *loader) manifestError(text string, code int) *pgError {
	l.badCode = code
	return errEnvelope(text, code, "", "spectrum_manifest.cpp:1", l.query)
}

func (l *loader) readManifest(ctx context.Context, bucket, key string) error {
	if key == "" || key[len(key)-1] == '/' {
		return l.manifestError("COPY with MANIFEST parameter requires full path of an Amazon S3 object.", 8001)
	}
	data, err := l.store.small(ctx, bucket, key)
	if err != nil {
		return l.s3Error(ctx, "Problem reading manifest file - ", err)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return l.manifestError(fmt.Sprintf("Invalid manifest: %s (stand-in strictness)", err), 8001)
	}
	if len(m.Entries) == 0 {
		return l.manifestError("Invalid manifest: it has no entries (stand-in strictness)", 8001)
	}
	if len(m.Entries) > maxFiles {
		return l.manifestError(fmt.Sprintf("Invalid manifest: more than %d entries (stand-in strictness)", maxFiles), 8001)
	}
	for _, e := range m.Entries {
		b, k, ok := splitS3(e.URL)
		if !ok || k == "" || k[len(k)-1] == '/' {
			return l.manifestError(fmt.Sprintf("Invalid manifest: url %q is not a full object name (stand-in strictness)", e.URL), 8001)
		}
		if e.Meta == nil {
			return l.manifestError("File entry does not have 'meta' key.", 15003)
		}
		if e.Meta.ContentLength == nil {
			return l.manifestError("File entry does not have 'content_length' key.", 15003)
		}
		if err := l.addEntry(ctx, b, k, *e.Meta.ContentLength, e.Mandatory); err != nil {
			return err
		}
	}
	if len(l.files) == 0 {
		return l.manifestError("None of the files in the manifest exist (stand-in strictness)", 8001)
	}
	return nil
}

// addEntry checks that an entry's object is there; one that is missing and not mandatory is passed over in silence.
func (l *loader) addEntry(ctx context.Context, bucket, key string, size int64, mandatory bool) error {
	l.file = l.store.url(bucket, key)
	n, err := l.store.size(ctx, bucket, key)
	if err != nil {
		if status, _ := s3Text(err); status == 404 && !mandatory && ctx.Err() == nil {
			return nil
		}
		return l.readError(ctx, err)
	}
	if n != size {
		return l.scanError(15007, "", fmt.Sprintf("File '%s' has %d bytes, its manifest entry says %d (stand-in strictness)", l.file, n, size))
	}
	l.files = append(l.files, loadFile{bucket: bucket, key: key, size: size})
	return nil
}
