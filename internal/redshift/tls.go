package redshift

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"slices"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"backfill/internal/fail"
)

// TLS says how the server is verified. The zero value verifies certificate and
// name against the system's authorities and Amazon's.
type TLS struct {
	Off        bool   // no TLS; for a loopback host only
	CAFile     string // PEM file of authorities that are trusted, too
	ServerName string // name that the certificate must have; "": the host's
}

// config returns the driver's setting; nil is a connection without TLS.
func (t TLS) config(host string) (*tls.Config, error) {
	if t.Off {
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fail.New(fail.Usage, "TLS can be off only for a warehouse on this host, not for %s", host).
				Try("set warehouse.tls to on")
		}
		return nil, nil
	}
	roots, err := t.roots()
	if err != nil {
		return nil, err
	}
	name := t.ServerName
	if name == "" {
		name = host
	}
	return &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// roots are the system's authorities, Amazon's and those of the file. Redshift's
// certificates are ACM's: they chain to Amazon's roots, and through those to
// Starfield's, which images with an old set of authorities may lack.
func (t TLS) roots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a broken system set must not stop a server of Amazon's
	}
	if err := addAmazon(pool); err != nil {
		return nil, err
	}
	if t.CAFile == "" {
		return pool, nil
	}
	text, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fail.Wrap(err, fail.Usage, "reading warehouse.tls.ca_file").Try("mount the file, or correct its path")
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fail.New(fail.Usage, "warehouse.tls.ca_file holds no certificate").At("%s", t.CAFile).
			Try("give the authority's certificate in PEM, beginning with -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}

func addAmazon(pool *x509.CertPool) error {
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return fail.Wrap(err, fail.Internal, "reading Amazon's authorities")
		}
		o := cert.Subject.Organization
		if root.Constraint == nil && (slices.Contains(o, "Amazon") || slices.Contains(o, "Starfield Technologies, Inc.")) {
			pool.AddCert(cert)
		}
	}
	return nil
}
