package httpapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
)

// Views answers queries across runs.
type Views interface {
	Runs(ctx context.Context, f runs.Filter) (runs.Page, error)
	RunNames(ctx context.Context, of runs.Of, prefix string) ([]string, error)
	Audit(ctx context.Context, f audit.Filter) (audit.Page, error)
	Incidents(ctx context.Context, f incidents.Filter) (incidents.Page, error)
	IncidentGroups(ctx context.Context, f incidents.GroupFilter) (incidents.GroupPage, error)
	IncidentHistory(ctx context.Context, no domain.Position, fresh projections.Fresh) ([]incidents.Entry, error)
	Stats(ctx context.Context, f stats.Filter) ([]stats.Row, error)
	Events(ctx context.Context, f events.Filter) (events.Page, error)
	StatsOver(ctx context.Context, f stats.Filter) ([]stats.Point, error)
}

// Projections keeps the views up to date; a [runner.Runner] implements it.
type Projections interface {
	Status(ctx context.Context) ([]runner.Status, error)
	Rebuild(ctx context.Context, view string) error
}

// Log is the part of a log that the API reads; every [domain.Log] implements it.
type Log interface {
	projections.Source
	// ReadStreamBackward yields a stream's events, newest first, from a revision (inclusive).
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Config configures a [Server]. Coordinator, Views, Projections and Log are required.
type Config struct {
	// Coordinator runs the sagas.
	Coordinator *saga.Coordinator
	// Views and Projections are the read side.
	Views       Views
	Projections Projections
	// Log is read for events and their live stream.
	Log Log
	// Evidence keeps what explorations of the sagas found; nil means that nothing is known of them.
	Evidence *evidence.Evidence

	// Addr is where [Server.Run] listens; empty means 127.0.0.1:7070.
	Addr string
	// Tokens, if set, means that every caller needs a token. It must be set unless Addr is a
	// loopback address.
	Tokens *auth.Tokens
	// TLSCert and TLSKey name PEM files; both or neither.
	TLSCert, TLSKey string
	// SessionTTL is how long a login of the web page lasts; 0 means 12 hours.
	SessionTTL time.Duration
	// Origins lists web origins (https://host) whose pages may call the API with a token; none by
	// default.
	Origins []string
	// Actor is the actor of calls to a server without tokens; empty means "local".
	Actor string
	// InProcess means that only this process can reach the server, for example over an in-memory
	// connection. No token is required, though Tokens can be managed, and unexpected errors are
	// sent in full.
	InProcess bool

	// Page is the web page. It serves / and everything below [PageBase]. The request's context has
	// the caller's identity, if there is one ([auth.IdentityOf]). Nil means 404.
	Page http.Handler
	// Metrics serves /metrics to callers with the scope read; nil means 404.
	Metrics http.Handler
	// Middleware wraps everything, for traces; may be nil.
	Middleware func(http.Handler) http.Handler

	// MaxBody bounds the body of a request, in bytes; 0 means 1 MiB.
	MaxBody int64
	// MaxWait bounds how long a request may wait for a run; 0 means one minute.
	MaxWait time.Duration
	// MaxStreams bounds the live streams that are open at once; 0 means 256.
	MaxStreams int
	// MaxStreamsPerClient bounds the live streams of one token or, without tokens, of one address;
	// 0 means 32.
	MaxStreamsPerClient int
	// RequestTimeout bounds requests that do not wait or stream; 0 means 30 s.
	RequestTimeout time.Duration
	// BodyTimeout bounds the reading of a body; 0 means 10 s.
	BodyTimeout time.Duration
	// ShutdownTimeout bounds how long Run, once cancelled, lets requests end; 0 means 15 s.
	ShutdownTimeout time.Duration
	// KeepAlive is how often a silent stream sends a comment, so that proxies keep it open; 0 means
	// 15 s.
	KeepAlive time.Duration

	// Version is the version in the OpenAPI document; empty means "dev".
	Version string
	// Logger receives log messages; nil means slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	c.Addr = orElse(c.Addr, "127.0.0.1:7070")
	c.MaxBody = orElse(c.MaxBody, 1<<20)
	c.MaxWait = orElse(c.MaxWait, time.Minute)
	c.MaxStreams = orElse(c.MaxStreams, 256)
	c.MaxStreamsPerClient = orElse(c.MaxStreamsPerClient, min(32, c.MaxStreams))
	c.RequestTimeout = orElse(c.RequestTimeout, 30*time.Second)
	c.BodyTimeout = orElse(c.BodyTimeout, 10*time.Second)
	c.ShutdownTimeout = orElse(c.ShutdownTimeout, 15*time.Second)
	c.KeepAlive = orElse(c.KeepAlive, 15*time.Second)
	c.Version = orElse(c.Version, "dev")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Validate reports everything that is wrong with the configuration at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf("httpapi: "+format, args...))
		}
	}
	bad(c.Coordinator == nil, "Coordinator is missing: make one with saga.New")
	bad(c.Views == nil, "Views is missing: give a projections.Reader")
	bad(c.Projections == nil, "Projections is missing: give a runner.Runner")
	bad(c.Log == nil, "Log is missing: give the log that the coordinator runs on")
	bad((c.TLSCert == "") != (c.TLSKey == ""), "TLSCert and TLSKey go together: set both, or neither")
	bad(c.MaxBody < 0 || c.MaxWait < 0 || c.MaxStreams < 0 || c.MaxStreamsPerClient < 0 || c.RequestTimeout < 0 || c.BodyTimeout < 0 || c.ShutdownTimeout < 0 || c.KeepAlive < 0 || c.SessionTTL < 0,
		"limits and timeouts can't be negative")
	host, _, err := net.SplitHostPort(c.Addr)
	bad(err != nil, "Addr %q is not host:port", c.Addr)
	bad(err == nil && c.Tokens == nil && !loopback(host),
		"other machines can reach %s, but there is no authentication: create a token and set Tokens, or listen on 127.0.0.1", c.Addr)
	return errors.Join(errs...)
}

// loopback reports whether only this machine can reach the host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
