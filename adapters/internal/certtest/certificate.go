package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Certificate is a certificate for localhost and 127.0.0.1 that is its own authority, for a day.
type Certificate struct {
	// Pair is for the server.
	Pair tls.Certificate
	// Roots are for clients.
	Roots *x509.CertPool
	// CertFile and KeyFile have the same in PEM. Clients can trust CertFile as an authority.
	CertFile, KeyFile string
}

// New makes a certificate with files that are gone after the test.
func New(t testing.TB) Certificate {
	t.Helper()
	c, err := Make(filepath.Join(t.TempDir(), "cert.pem"))
	require.NoError(t, err)
	return c
}

// Make makes a certificate and writes it to the file; its key goes to a file beside it, ".key".
func Make(file string) (Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "atone"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return Certificate{}, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{
		Pair:     tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		Roots:    x509.NewCertPool(),
		CertFile: file, KeyFile: file + ".key",
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.Roots.AppendCertsFromPEM(text)
	return c, errors.Join(
		os.WriteFile(c.CertFile, text, 0o600),
		os.WriteFile(c.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
}
