// Command server serves an empty log in memory to the tests of other languages' clients. It
// prints the address that it listens on, and serves until its standard input is closed
// or it is interrupted.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/internal/certtest"
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
		cert, err := certtest.Make(*certFile)
		if err != nil {
			return err
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{cert.Pair}, MinVersion: tls.VersionTLS12}
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
		// When the parent ends, our input is closed: a failed test leaves no process behind.
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return server.Serve(ctx, lis)
}
