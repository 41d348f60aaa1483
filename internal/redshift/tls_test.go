package redshift

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"backfill/internal/fail"
)

// issue makes an authority's PEM file and a server certificate of it.
func issue(t *testing.T, name string, until time.Time) (caFile string, server tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(name); ip != nil {
		leaf.DNSNames, leaf.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return caFile, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLS(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	byIP, ipServer := issue(t, "127.0.0.1", soon)
	byName, nameServer := issue(t, "wh.example.com", soon)
	byOld, oldServer := issue(t, "127.0.0.1", time.Now().Add(-time.Hour))
	notPEM := filepath.Join(t.TempDir(), "no.pem")
	if err := os.WriteFile(notPEM, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		server *tls.Certificate // nil speaks none
		tls    TLS
		want   string // a part of the error; "": connects
		hint   string
	}{
		{"verified", &ipServer, TLS{CAFile: byIP}, "", ""},
		{"verified by another name", &nameServer, TLS{CAFile: byName, ServerName: "wh.example.com"}, "", ""},
		{"another name", &nameServer, TLS{CAFile: byName}, "the warehouse's certificate is for another name: x509: ",
			"write the endpoint's own name into the warehouse URL, or the certificate's into warehouse.tls.server_name"},
		{"unknown authority", &ipServer, TLS{}, "the warehouse's certificate is signed by an authority that is not trusted: x509: certificate signed by unknown authority",
			"if it is your own, name its file in warehouse.tls: {ca_file: /path}"},
		{"another authority", &ipServer, TLS{CAFile: byName}, "the warehouse's certificate is signed by an authority that is not trusted: x509: ",
			"if it is your own, name its file in warehouse.tls: {ca_file: /path}"},
		{"expired", &oldServer, TLS{CAFile: byOld}, "the warehouse's certificate is not valid: x509: certificate has expired", "renew it, and check this machine's clock"},
		{"a server without TLS", nil, TLS{CAFile: byIP}, "the warehouse speaks no TLS",
			"check that the URL's host and port are the warehouse's; warehouse.tls can be off only on this host"},
		{"no such file", &ipServer, TLS{CAFile: "/nonexistent/ca.pem"}, "reading warehouse.tls.ca_file: open /nonexistent/ca.pem: no such file", "mount the file, or correct its path"},
		{"no certificate in it", &ipServer, TLS{CAFile: notPEM}, "warehouse.tls.ca_file holds no certificate", "give the authority's certificate in PEM, beginning with -----BEGIN CERTIFICATE-----"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, nil)
			if test.server != nil {
				s.tls = &tls.Config{Certificates: []tls.Certificate{*test.server}}
			}
			config := s.config()
			config.TLS = test.tls
			config.OnRetry = func(r Repeat) { t.Errorf("repeated after %v", r.Err) }
			conn, err := Connect(context.Background(), config)
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := conn.Close(context.Background()); err != nil {
					t.Error(err)
				}
				return
			}
			if !fail.Is(err, fail.Usage) || !strings.Contains(err.Error(), test.want) || fail.HintOf(err) != test.hint || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got  %v (%s)\nhint %s", err, fail.CodeOf(err), fail.HintOf(err))
			}
			if s.plain.Load() {
				t.Error("a start-up message came without TLS")
			}
		})
	}
}

// Redshift's certificates chain to these; an image without files, or with old
// ones, must still trust them.
func TestAmazonsRoots(t *testing.T) {
	pool := x509.NewCertPool()
	if err := addAmazon(pool); err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{"Amazon Root CA 1": true, "Amazon Root CA 2": true, "Amazon Root CA 3": true, "Amazon Root CA 4": true,
		"Starfield Services Root Certificate Authority - G2": true}
	n := 0
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
			delete(missing, cert.Subject.CommonName)
			n++
		}
	}
	if len(missing) > 0 || n > 8 {
		t.Errorf("%d roots, missing %v", n, missing)
	}
	config, err := TLS{}.config("wh.example.com")
	if err != nil || config.RootCAs == nil || config.InsecureSkipVerify || config.VerifyConnection != nil {
		t.Error(fmt.Sprint(config), err)
	}
}
