// Command server serves an empty log in memory to the tests of other languages' clients. It
// prints the address that it listens on, and serves until its standard input is closed
// or it is interrupted.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/memlog"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	certFile := flag.String("tls", "", "serve TLS with the users admin, app and reader (password changeit), and write the certificate to this file")
	flag.Parse()
	cfg := esdbserver.Config{Log: memlog.New()}
	if *certFile != "" {
		cert, err := selfSigned(*certFile)
		if err != nil {
			return err
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		cfg.Users = []esdbserver.User{
			{Name: "admin", Password: "changeit", Role: esdbserver.RoleAdmin},
			{Name: "app", Password: "changeit", Role: esdbserver.RoleApp},
			{Name: "reader", Password: "changeit", Role: esdbserver.RoleReader},
		}
	}
	server, err := esdbserver.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	lis, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Println(lis.Addr())
	go func() {
		// The parent's end closes our input: nothing is left running behind a failed test.
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return server.Serve(ctx, lis)
}

// selfSigned makes a certificate for localhost and writes it, without its key, to the file.
func selfSigned(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, encoded, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
