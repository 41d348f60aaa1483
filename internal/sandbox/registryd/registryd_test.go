package registryd_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"backfill/internal/sandbox/registryd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var schemas = []registryd.Schema{
	{Subject: "pay-value", Version: 2, ID: 900, GUID: "5f5e61a4-f080-4eae-a736-fc3580f7cad5", Schema: `"long"`},
	{Subject: "pay-value", Version: 1, ID: 7, Schema: `"string"`},
	{Subject: "a/b value", Version: 1, ID: 900, GUID: "5f5e61a4-f080-4eae-a736-fc3580f7cad5", Schema: `"long"`},
	{Subject: "proto-value", Version: 1, ID: 31, Type: "PROTOBUF", Schema: `syntax = "proto3";`},
}

func start(t *testing.T, c registryd.Config) *registryd.Server {
	t.Helper()
	s, err := registryd.Start(t.Context(), c, schemas)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ask(t *testing.T, s *registryd.Server, method, path, user, password string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.Endpoint()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.Body.Close() != nil {
		t.Fatal(err)
	}
	return res, strings.TrimSpace(string(body))
}

func TestAnswers(t *testing.T) {
	s := start(t, registryd.Config{})
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"/subjects", 200, `["a/b value","pay-value","proto-value"]`},
		{"/subjects/", 200, `["a/b value","pay-value","proto-value"]`},
		{"/subjects/pay-value/versions", 200, `[1,2]`},
		{"/subjects/pay-value/versions/1", 200, `{"subject":"pay-value","version":1,"id":7,"schema":"\"string\""}`},
		{"/subjects/pay-value/versions/latest", 200, `{"subject":"pay-value","version":2,"id":900,"guid":"5f5e61a4-f080-4eae-a736-fc3580f7cad5","schema":"\"long\""}`},
		{"/subjects/a%2Fb%20value/versions/1/schema", 200, `"long"`},
		{"/subjects/proto-value/versions/1", 200, `{"subject":"proto-value","version":1,"id":31,"schemaType":"PROTOBUF","schema":"syntax = \"proto3\";"}`},
		{"/schemas/ids/7", 200, `{"schema":"\"string\""}`},
		{"/schemas/ids/31", 200, `{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\";"}`},
		{"/schemas/ids/31/schema", 200, `"syntax = \"proto3\";"`},
		{"/schemas/ids/900/versions", 200, `[{"subject":"a/b value","version":1},{"subject":"pay-value","version":2}]`},
		{"/schemas/guids/5F5E61A4-f080-4eae-a736-fc3580f7cad5", 200, `{"schema":"\"long\"","guid":"5f5e61a4-f080-4eae-a736-fc3580f7cad5"}`},
		{"/schemas/types", 200, `["JSON","PROTOBUF","AVRO"]`},

		{"/subjects/none/versions", 404, `{"error_code":40401,"message":"Subject 'none' not found."}`},
		{"/subjects/pay-value/versions/3", 404, `{"error_code":40402,"message":"Version 3 not found."}`},
		{"/subjects/pay-value/versions/x", 422, `{"error_code":42202,"message":"The specified version 'x' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""}`},
		{"/schemas/ids/8", 404, `{"error_code":40403,"message":"Schema 8 not found"}`},
		{"/schemas/guids/", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"/", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
		{"/subjects/pay-value", 404, `{"error_code":404,"message":"HTTP 404 Not Found"}`},
	} {
		res, body := ask(t, s, http.MethodGet, test.path, "", "")
		if res.StatusCode != test.status || body != test.want || res.Header.Get("Content-Type") != "application/vnd.schemaregistry.v1+json" {
			t.Errorf("%s: %d %s, want %d %s", test.path, res.StatusCode, body, test.status, test.want)
		}
	}
	if res, body := ask(t, s, http.MethodPost, "/subjects/pay-value/versions", "", ""); res.StatusCode != 405 || !strings.Contains(body, `"error_code":405`) {
		t.Errorf("a write: %d %s", res.StatusCode, body)
	}
	if n := s.Requests(); n != 21 {
		t.Errorf("%d requests were counted", n)
	}
}

func TestLogin(t *testing.T) {
	s := start(t, registryd.Config{User: "reader", Password: "secret"})
	for _, login := range [][2]string{{"", ""}, {"reader", "guess"}, {"other", "secret"}} {
		res, body := ask(t, s, http.MethodGet, "/subjects", login[0], login[1])
		if res.StatusCode != 401 || body != `{"error_code":401,"message":"Unauthorized"}` || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%q: %d %s", login, res.StatusCode, body)
		}
	}
	if res, body := ask(t, s, http.MethodGet, "/schemas/ids/7", "reader", "secret"); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestRefusals(t *testing.T) {
	for want, set := range map[string][]registryd.Schema{
		"a registry without schemas answers nothing": nil,
		"version 1 of a is there twice":              {{Subject: "a", Version: 1, ID: 1, Schema: "x"}, {Subject: "a", Version: 1, ID: 2, Schema: "y"}},
		"the id 1 is that of two schemas":            {{Subject: "a", Version: 1, ID: 1, Schema: "x"}, {Subject: "a", Version: 2, ID: 1, Schema: "y"}},
		`the schema 4 of "" has no subject`:          {{Version: 1, ID: 4, Schema: "x"}},
	} {
		if _, err := registryd.Start(context.Background(), registryd.Config{}, set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, v any) {
		t.Helper()
		text, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pay-value/1.json", schemas[1])
	write("all.json", []registryd.Schema{schemas[0], schemas[3]})
	write("README.txt", "no schema")
	got, err := registryd.Load(dir)
	if want := []registryd.Schema{schemas[0], schemas[3], schemas[1]}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, want := range map[string]string{"bad.json": "bad.json: this is no answer of a registry: unexpected end of JSON input", "empty.json": "empty.json: this is no answer of a registry: subject or schema is missing"} {
		write(name, map[string]string{"bad.json": "{", "empty.json": "{}"}[name])
		if _, err := registryd.Load(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := registryd.Load(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there is read")
	}
}
