package seal

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"backfill/internal/fail"
)

// Key names what a seal was signed with.
type Key struct {
	Algorithm   string `json:"algorithm"`        // as AWS KMS names it: ED25519_SHA_512, ECDSA_SHA_256, RSASSA_PSS_SHA_256, …
	Fingerprint string `json:"public_key"`       // hex SHA-256 of the public key, DER of SubjectPublicKeyInfo
	ID          string `json:"key_id,omitempty"` // of a key service
}

// Signer signs the bytes of a seal.
type Signer interface {
	Key(ctx context.Context) (Key, error)
	Sign(ctx context.Context, body []byte) ([]byte, error)
}

// kmsPrefix tells a key of AWS KMS from a file's path.
const kmsPrefix = "kms:"

// ed25519Name is how AWS KMS calls Ed25519 as everybody else knows it.
const ed25519Name = "ED25519_SHA_512"

// OpenSigner returns the signer that --sign-key names: kms:KEY, where KEY is an
// id, ARN or alias, or a file with an Ed25519 key as PKCS#8 in PEM.
func OpenSigner(name string) (Signer, error) {
	if id, ok := strings.CutPrefix(name, kmsPrefix); ok {
		return newKMS(id)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fail.Wrap(err, fail.NotFoundInput, "the signing key can't be read").Try("give --sign-key a file, or kms: and the key's id")
	}
	hint := "make one with: openssl genpkey -algorithm ed25519"
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fail.New(fail.Usage, "the file holds no unencrypted PKCS#8 key in PEM").At("%s", name).Try("%s", hint)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fail.New(fail.Usage, "the PKCS#8 key can't be read").At("%s", name).Try("%s", hint) // the cause could quote the key
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fail.New(fail.Usage, "the key is not an Ed25519 key").At("%s", name).Try("%s", hint)
	}
	return localKey(key), nil
}

type localKey ed25519.PrivateKey

func (k localKey) Key(context.Context) (Key, error) {
	print, err := fingerprint(ed25519.PrivateKey(k).Public())
	return Key{Algorithm: ed25519Name, Fingerprint: print}, err
}

func (k localKey) Sign(_ context.Context, body []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(k), body), nil
}

func fingerprint(public any) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fail.Wrap(err, fail.Internal, "encoding a public key")
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

// ReadPublicKey reads a public key in PEM (SubjectPublicKeyInfo): Ed25519, ECDSA or RSA.
func ReadPublicKey(path string) (crypto.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fail.Wrap(err, fail.NotFoundInput, "the public key can't be read")
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, fail.New(fail.Usage, "the file holds no public key in PEM").At("%s", path).
			Try("openssl pkey -in KEY -pubout writes it, for KMS: aws kms get-public-key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fail.Wrap(err, fail.Usage, "the public key can't be read").At("%s", path)
	}
	return key, nil
}

// CheckSignature proves that the signature over the seal's bytes is the key's.
func CheckSignature(public crypto.PublicKey, k *Key, body, signature []byte) error {
	if k == nil {
		return fmt.Errorf("the seal says that it was not signed")
	}
	print, err := fingerprint(public)
	if err != nil {
		return err
	}
	if print != k.Fingerprint {
		return fmt.Errorf("the seal was signed with another key: %s, given was %s", k.Fingerprint, print)
	}
	ok := false
	digest, hash, known := digestFor(k.Algorithm, body)
	switch key := public.(type) {
	case ed25519.PublicKey:
		ok = k.Algorithm == ed25519Name && ed25519.Verify(key, body, signature)
	case *ecdsa.PublicKey:
		ok = known && strings.HasPrefix(k.Algorithm, "ECDSA_") && ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		switch {
		case known && strings.HasPrefix(k.Algorithm, "RSASSA_PSS_"):
			ok = rsa.VerifyPSS(key, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		case known && strings.HasPrefix(k.Algorithm, "RSASSA_PKCS1_V1_5_"):
			ok = rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
		}
	}
	if !ok {
		return fmt.Errorf("the signature is not of this seal and key (%s)", k.Algorithm)
	}
	return nil
}

// digestFor hashes as the algorithm's name says; false: it names no digest.
func digestFor(algorithm string, body []byte) ([]byte, crypto.Hash, bool) {
	switch {
	case strings.HasSuffix(algorithm, "_SHA_256"):
		sum := sha256.Sum256(body)
		return sum[:], crypto.SHA256, true
	case strings.HasSuffix(algorithm, "_SHA_384"):
		sum := sha512.Sum384(body)
		return sum[:], crypto.SHA384, true
	case strings.HasSuffix(algorithm, "_SHA_512") && algorithm != ed25519Name:
		sum := sha512.Sum512(body)
		return sum[:], crypto.SHA512, true
	}
	return nil, 0, false
}
