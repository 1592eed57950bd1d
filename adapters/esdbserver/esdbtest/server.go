package esdbtest

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
)

// Server is a server at work.
type Server struct {
	// Addr is where it listens.
	Addr string
	stop func() error
}

// Start serves cfg.Log until the test ends, or [Server.Stop]. Without cfg.Addr it takes a free port
// of 127.0.0.1, without cfg.Logger it logs nothing.
func Start(t testing.TB, cfg esdbserver.Config) *Server {
	t.Helper()
	s, err := Serve(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

// Serve is [Start] for examples and for processes that tests start. The caller stops the server.
func Serve(cfg esdbserver.Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	server, err := esdbserver.New(cfg)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", cmp.Or(cfg.Addr, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	return &Server{Addr: listener.Addr().String(), stop: sync.OnceValue(func() error { cancel(); return <-ended })}, nil
}

// Connection is the connection string for clients of a server without TLS.
func (s *Server) Connection() string { return "esdb://" + s.Addr + "?tls=false" }

// Stop ends the server and returns how it ended. A second call returns the same.
func (s *Server) Stop() error { return s.stop() }
