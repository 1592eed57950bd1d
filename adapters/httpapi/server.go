package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/live"
)

// Server is the HTTP API. Make one with [New]; serve it with [Server.Run], or mount it as an
// http.Handler in a server of your own (then call [Server.Follow] as well if it has tokens).
type Server struct {
	cfg     Config
	guard   *auth.Guard
	api     huma.API
	handler http.Handler
	streams *live.Places
	// draining is closed when the server begins to stop: waits and streams then end.
	draining  chan struct{}
	drainOnce sync.Once
}

// New returns a server; it starts nothing. Without tokens it returns an error for an address that
// other machines can reach.
func New(cfg Config) (*Server, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, streams: live.NewPlaces(cfg.MaxStreams, cfg.MaxStreamsPerClient), draining: make(chan struct{})}
	s.guard = auth.NewGuard(auth.Config{Tokens: cfg.Tokens, Open: cfg.InProcess, Actor: cfg.Actor, SessionTTL: cfg.SessionTTL, Now: cfg.Now, Logger: cfg.Logger})
	s.handler = s.routes()
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Guard returns the guard, for the web page's login.
func (s *Server) Guard() *auth.Guard { return s.guard }

// OpenAPI returns the API's document. It must not be changed.
func (s *Server) OpenAPI() *huma.OpenAPI { return s.api.OpenAPI() }

// Follow keeps the tokens up to date until ctx ends; [Server.Run] does it too.
func (s *Server) Follow(ctx context.Context) error { return s.guard.Run(ctx) }

// Run listens on Config.Addr and serves until ctx ends. Then it accepts no more requests, ends
// waits and streams, and waits for the other requests. It returns nil, or an error if it cut
// requests off after Config.ShutdownTimeout.
func (s *Server) Run(ctx context.Context) error {
	ln, err := net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.cfg.Addr, err)
	}
	return s.Serve(ctx, ln)
}

// Serve is [Server.Run] on the caller's listener. It closes the listener.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if s.cfg.Tokens != nil {
		if err := s.cfg.Tokens.Load(ctx); err != nil {
			return errors.Join(err, ln.Close())
		}
	}
	if s.cfg.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			return errors.Join(fmt.Errorf("TLS certificate: %w", err), ln.Close())
		}
		ln = tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}})
	}
	hs := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- hs.Serve(ln) }()
	go func() { ended <- s.Follow(ctx) }()
	told := []any{"address", ln.Addr().String(), "tls", s.cfg.TLSCert != "", "authentication", s.cfg.Tokens != nil}
	if scheme := map[bool]string{false: "http", true: "https"}[s.cfg.TLSCert != ""]; s.cfg.Page != nil {
		told = append(told, "page", scheme+"://"+ln.Addr().String()+"/")
	}
	s.cfg.Logger.Info("HTTP API listens", told...)
	var err error
	left := 2
	select {
	case <-ctx.Done():
	case err = <-ended:
		left--
	}
	cancel()
	s.drain()
	stop, stopped := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer stopped()
	if e := hs.Shutdown(stop); e != nil {
		err = errors.Join(err, fmt.Errorf("requests did not end within %v and were cut off", s.cfg.ShutdownTimeout), hs.Close())
	}
	for range left {
		if e := <-ended; e != nil && !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// drain ends waits and streams.
func (s *Server) drain() { s.drainOnce.Do(func() { close(s.draining) }) }
