package seal_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/seal"
)

// TestEveryByteIsFound changes each byte of a file, alone, and asks for the
// part in which it stands.
func TestEveryByteIsFound(t *testing.T) {
	doc, err := json.MarshalIndent(struct {
		Format int      `json:"format"`
		Totals []string `json:"totals"`
		Legs   any      `json:"legs"`
	}{1, []string{"12.30", "-4.00"}, map[string]any{"table": []int{1, 2}}}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	f := seal.FileOf("report.json", doc)
	if found := f.Check(doc); found != nil {
		t.Fatalf("nothing changed, but %v", found)
	}
	for at := range doc {
		changed := bytes.Clone(doc)
		changed[at] ^= 1
		place, end := "", 0
		for _, s := range f.Sections {
			if end += s.Bytes; at < end {
				place = "report.json, " + s.Name
				break
			}
		}
		if found := f.Check(changed); len(found) != 1 || found[0].Place != place {
			t.Errorf("byte %d: %v, want %s", at, found, place)
		}
		if found := f.Check(append(bytes.Clone(doc[:at]), doc[at+1:]...)); len(found) != 1 || !strings.HasPrefix(found[0].Place, "report.json") {
			t.Errorf("byte %d taken away: %v", at, found)
		}
	}
	if end := len(doc); len(f.Sections) != 3 || f.Sections[1].Name != "totals" || f.Sections[0].Bytes+f.Sections[1].Bytes+f.Sections[2].Bytes != end {
		t.Errorf("sections %+v", f.Sections)
	}
	long := bytes.Repeat([]byte("x"), 200<<10)
	lf := seal.FileOf("page", long)
	long[100_000] = 'y'
	if found := lf.Check(long); len(found) != 1 || found[0].Place != "page, bytes 65536 to 131071" {
		t.Errorf("%v", found)
	}
}

// TestEvidence: the same links give the same bytes, and come back.
func TestEvidence(t *testing.T) {
	links := []seal.Link{{Kind: seal.KindPlan, Key: "p", SHA256: "a"}, {Kind: seal.KindObject, Key: "o<>", ETag: "e", Size: 3, Records: 2}}
	body, err := seal.Evidence(links)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := seal.Evidence(links); err != nil || !bytes.Equal(again, body) {
		t.Errorf("other bytes, %v", err)
	}
	var back []seal.Link
	if err := seal.ReadEvidence(body, func(l seal.Link) error { back = append(back, l); return nil }); err != nil || fmt.Sprint(back) != fmt.Sprint(links) {
		t.Errorf("%v, %v", back, err)
	}
	if err := seal.ReadEvidence(body[:len(body)-9], func(seal.Link) error { return nil }); err == nil {
		t.Error("evidence that was cut is read")
	}
}

func write(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLocalKey signs with a key file, and refuses what is none.
func TestLocalKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	s, err := seal.OpenSigner(write(t, "PRIVATE KEY", der, err))
	if err != nil {
		t.Fatal(err)
	}
	signed(t, s, public)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := x509.MarshalPKCS8PrivateKey(ec)
	for path, code := range map[string]fail.Code{
		write(t, "PRIVATE KEY", wrong, err): fail.Usage, write(t, "PRIVATE KEY", []byte("x"), nil): fail.Usage,
		write(t, "PUBLIC KEY", der, nil): fail.Usage, filepath.Join(t.TempDir(), "none"): fail.NotFoundInput, "kms:": fail.Usage,
	} {
		if _, err := seal.OpenSigner(path); fail.CodeOf(err) != code {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// signed demands that the signature holds for these bytes, this key and this
// algorithm alone.
func signed(t *testing.T, s seal.Signer, public crypto.PublicKey) {
	t.Helper()
	body := []byte("the seal")
	key, err := s.Key(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	signature, err := s.Sign(context.Background(), body)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CheckSignature(public, &key, body, signature); err != nil {
		t.Errorf("%s: %v", key.Algorithm, err)
	}
	for at := range signature {
		forged := bytes.Clone(signature)
		forged[at] ^= 1
		if seal.CheckSignature(public, &key, body, forged) == nil {
			t.Errorf("%s: byte %d of the signature may be another", key.Algorithm, at)
		}
	}
	other := key
	other.Algorithm = "ECDSA_SHA_1"
	stranger, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"other bytes":     seal.CheckSignature(public, &key, []byte("the soul"), signature),
		"other key":       seal.CheckSignature(stranger, &key, body, signature),
		"other algorithm": seal.CheckSignature(public, &other, body, signature),
		"no key":          seal.CheckSignature(public, nil, body, signature),
	} {
		if err == nil {
			t.Errorf("%s: %s passes", key.Algorithm, what)
		}
	}
}

// keyService answers as AWS documents KMS' GetPublicKey and Sign: JSON 1.1, the
// action in X-Amz-Target, bytes in base64.
func keyService(t *testing.T, usage string, algorithms []string, key crypto.Signer, fault string) *httptest.Server {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:kms:eu-west-1:000000000000:key/1"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if fault != "" {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"__type": fault, "message": "no"})
			return
		}
		var in struct {
			KeyId, MessageType, SigningAlgorithm string
			Message                              []byte
		}
		if err := json.Unmarshal(body, &in); err != nil || in.KeyId != "alias/close" {
			t.Errorf("%s, %v", body, err)
		}
		out := map[string]any{"KeyId": arn}
		switch r.Header.Get("X-Amz-Target") {
		case "TrentService.GetPublicKey":
			out["PublicKey"], out["KeyUsage"], out["SigningAlgorithms"] = der, usage, algorithms
		case "TrentService.Sign":
			if in.MessageType != "DIGEST" || in.SigningAlgorithm != algorithms[0] {
				t.Errorf("asked to sign %s with %s", in.MessageType, in.SigningAlgorithm)
			}
			var o crypto.SignerOpts = crypto.SHA256
			if strings.HasSuffix(in.SigningAlgorithm, "384") {
				o = crypto.SHA384
			}
			if strings.HasPrefix(in.SigningAlgorithm, "RSASSA_PSS") {
				o = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: o.HashFunc()}
			}
			if out["Signature"], err = key.Sign(rand.Reader, in.Message, o); err != nil {
				t.Error(err)
			}
		default:
			t.Errorf("action %q", r.Header.Get("X-Amz-Target"))
		}
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(s.Close)
	t.Setenv("AWS_ENDPOINT_URL_KMS", s.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "TEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return s
}

// TestKeyService signs with keys of each type, and says what is wrong with others.
func TestKeyService(t *testing.T) {
	ec, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ec384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rs, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	open := func() seal.Signer {
		s, err := seal.OpenSigner("kms:alias/close")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, k := range []struct {
		algorithm string
		key       crypto.Signer
	}{{"ECDSA_SHA_256", ec}, {"ECDSA_SHA_384", ec384}, {"RSASSA_PSS_SHA_256", rs}, {"RSASSA_PKCS1_V1_5_SHA_256", rs}} {
		keyService(t, "SIGN_VERIFY", []string{k.algorithm}, k.key, "")
		signed(t, open(), k.key.Public())
	}
	for fault, code := range map[string]fail.Code{
		"AccessDeniedException": fail.Permission, "NotFoundException": fail.NotFoundInput, "DisabledException": fail.Usage, "UnrecognizedClientException": fail.Credentials,
	} {
		keyService(t, "SIGN_VERIFY", []string{"ECDSA_SHA_256"}, ec, fault)
		if _, err := open().Sign(context.Background(), nil); fail.CodeOf(err) != code {
			t.Errorf("%s: %v", fault, err)
		}
	}
	keyService(t, "ENCRYPT_DECRYPT", []string{"RSAES_OAEP_SHA_256"}, rs, "")
	if _, err := open().Key(context.Background()); fail.CodeOf(err) != fail.Usage || !strings.Contains(fail.HintOf(err), "SIGN_VERIFY") {
		t.Errorf("a key for another use: %v", err)
	}
}
