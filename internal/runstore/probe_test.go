package runstore_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runstore"
)

// TestProbe tries a good store: everything works, and nothing is left.
func TestProbe(t *testing.T) {
	s, _ := open(t)
	p := s.NewProbe()
	o, err := p.Create(t.Context())
	if err != nil || o.Size == 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	if err := p.Read(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.List(t.Context()); err != nil {
		t.Error(err)
	}
	uri, err := p.PutParquet(t.Context(), []byte("PAR1"))
	if err != nil || !strings.HasPrefix(uri, p.URI()+"/") {
		t.Errorf("manifest %q, %v", uri, err)
	}
	if err := p.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Read(t.Context()); !fail.Is(err, fail.NotFoundInput) {
		t.Errorf("after Remove: %v", err)
	}
}

// careless speaks as much of S3 as a write needs, and ignores If-None-Match.
func careless(t *testing.T) *runstore.Store {
	t.Helper()
	var objects sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			body, _ := io.ReadAll(r.Body) // a broken body shows as another error
			objects.Store(r.URL.Path, body)
			w.Header().Set("ETag", `"e"`)
		case http.MethodGet, http.MethodHead:
			if r.URL.Query().Has("list-type") {
				io.WriteString(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`)
				return
			}
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "TEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_REGION", "eu-west-1")
	uri, err := objstore.ParseURI("s3://staging/backfill")
	if err != nil {
		t.Fatal(err)
	}
	store, err := objstore.Open(t.Context(), uri, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return runstore.New(store, uri)
}

// TestUnconditionalStore: a store that ignores conditions is refused by the
// probe, and by the first plan that is sealed in it.
func TestUnconditionalStore(t *testing.T) {
	s := careless(t)
	_, probed := s.NewProbe().Create(t.Context())
	_, sealed := s.Seal(t.Context(), head("r"), chunks(1))
	for name, err := range map[string]error{"probe": probed, "seal": sealed} {
		if !fail.Is(err, fail.BadDataset) || !strings.Contains(err.Error(), "ignores the condition of a write") || !strings.Contains(fail.HintOf(err), "If-None-Match") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
