package redshiftd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 30 * 24 * time.Hour
)

// IssueCertificate makes a server certificate for hosts (names and addresses), good for 30 days, signed by a test
// authority that belongs to the folder dir: its key and its certificate are made there on first use and stay, so that
// clients which trust the file caFile trust the server after a restart, too. The folder must be private to its owner.
func IssueCertificate(dir string, hosts ...string) (config *tls.Config, caFile string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", fmt.Errorf("creating the certificate folder: %w", err)
	}
	caFile = filepath.Join(dir, "ca.pem")
	authority, signer, err := loadAuthority(caFile, filepath.Join(dir, "ca-key.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		authority, signer, err = newAuthority(caFile, filepath.Join(dir, "ca-key.pem"))
	}
	if err != nil {
		return nil, "", err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("making a server key: %w", err)
	}
	template := certificate("Redshift stand-in", certificateLife)
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, &key.PublicKey, signer)
	if err != nil {
		return nil, "", fmt.Errorf("signing the server certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der, authority.Raw}, PrivateKey: key}},
	}, caFile, nil
}

// certificate is what every certificate of ours has.
func certificate(name string, life time.Duration) *x509.Certificate {
	now := time.Now()
	serial := new(big.Int).SetBytes([]byte(rand.Text()[:16]))
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life),
		BasicConstraintsValid: true}
}

func newAuthority(caFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making the authority's key: %w", err)
	}
	template := certificate("Redshift stand-in test authority", authorityLife)
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("signing the authority: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding the authority's key: %w", err)
	}
	for _, f := range []struct {
		path, kind string
		der        []byte
		mode       fs.FileMode
	}{{keyFile, "PRIVATE KEY", secret, 0o600}, {caFile, "CERTIFICATE", der, 0o644}} { // the certificate last: it says that both are there
		if err := os.WriteFile(f.path, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), f.mode); err != nil {
			return nil, nil, fmt.Errorf("writing the authority: %w", err)
		}
	}
	authority, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the authority back: %w", err)
	}
	return authority, key, nil
}

// loadAuthority reads what newAuthority wrote. An authority that expires within a server certificate's life counts as
// not there.
func loadAuthority(caFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	der, err := readPEM(caFile, "CERTIFICATE")
	if err != nil {
		return nil, nil, err
	}
	authority, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", caFile, err)
	}
	if time.Now().Add(certificateLife).After(authority.NotAfter) {
		return nil, nil, fs.ErrNotExist
	}
	if der, err = readPEM(keyFile, "PRIVATE KEY"); err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", keyFile, err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(authority.PublicKey) {
		return nil, nil, fmt.Errorf("%s does not belong to %s: remove both, and a new authority is made", keyFile, caFile)
	}
	return authority, signer, nil
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the authority: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no %s: remove it, and a new authority is made", path, kind)
	}
	return block.Bytes, nil
}
