package auth

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Config configures a [Guard]. With the zero value no token is required and only loopback is
// served.
type Config struct {
	// Tokens, if set, means that every request needs a token. If it is nil, every caller may do
	// everything, but only requests to a loopback host name are served, so that no web site can
	// reach the server through its visitors' browsers (DNS rebinding).
	Tokens *Tokens
	// Open means that no token is required, even if Tokens is set.
	Open bool
	// Actor is the actor of calls without a token; empty means "local".
	Actor string
	// SessionTTL is how long a login lasts; 0 means 12 hours.
	SessionTTL time.Duration
	// FailureBurst and FailureEvery limit the failed logins of one address: FailureBurst at once,
	// then one each FailureEvery. 0 means 10 and 6 s.
	FailureEvery time.Duration
	FailureBurst int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger receives failures, without secrets; nil means slog.Default.
	Logger *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Actor == "" {
		c.Actor = "local"
	}
	if c.SessionTTL == 0 {
		c.SessionTTL = 12 * time.Hour
	}
	if c.FailureEvery == 0 {
		c.FailureEvery = 6 * time.Second
	}
	if c.FailureBurst == 0 {
		c.FailureBurst = 10
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// Guard finds out who makes a request. It is safe for concurrent use.
type Guard struct {
	cfg      Config
	failures *failures
	sessions *sessions
	origins  *http.CrossOriginProtection
}

// NewGuard returns a guard; it starts nothing.
func NewGuard(cfg Config) *Guard {
	cfg.setDefaults()
	return &Guard{cfg: cfg, failures: newFailures(cfg.Now, cfg.FailureEvery, cfg.FailureBurst),
		sessions: newSessions(cfg.Now, cfg.SessionTTL), origins: http.NewCrossOriginProtection()}
}

// Open reports whether the guard asks for no token.
func (g *Guard) Open() bool { return g.cfg.Tokens == nil || g.cfg.Open }

// The errors of a guard, besides [ErrDenied].
var (
	// ErrNoCredentials means that the request has neither a token nor a session.
	ErrNoCredentials = errors.New("no token: send Authorization: Bearer TOKEN")
	// ErrTooMany means that the address failed too often; wait a little.
	ErrTooMany = errors.New("too many failed attempts: wait a minute")
	// ErrCrossOrigin means that another web site's page made the request.
	ErrCrossOrigin = errors.New("request from another origin refused")
	// ErrForeignHost means that a request to an open server used a host name that is not a loopback
	// name.
	ErrForeignHost = errors.New("a server without tokens serves only localhost: create a token, then start the server again")
)

// Authenticate returns who makes the request. A token is taken from the Authorization header, else
// the session from its cookie. Errors: [ErrNoCredentials], [ErrDenied], [ErrTooMany],
// [ErrCrossOrigin], [ErrForeignHost], and those of reading the log.
//
// A good token is always accepted, even after failures of its address. Tokens are 256 random bits:
// the limit on failures does not protect them, and one forgotten client behind a shared address
// must not lock out the others.
func (g *Guard) Authenticate(r *http.Request) (Identity, error) {
	if g.Open() {
		if !loopbackHost(r.Host) {
			return Identity{}, ErrForeignHost
		}
		if err := g.origins.Check(r); err != nil {
			return Identity{}, ErrCrossOrigin
		}
		return Identity{Name: g.cfg.Actor, Scopes: []Scope{Admin}, Open: true}, nil
	}
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, secret, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Identity{}, g.fail(r, ErrDenied)
		}
		tok, err := g.cfg.Tokens.Verify(r.Context(), strings.TrimSpace(secret))
		if err != nil {
			return Identity{}, g.fail(r, err)
		}
		return tok.Identity(), nil
	}
	id, ok := g.sessions.tokenOf(r)
	if !ok {
		return Identity{}, ErrNoCredentials
	}
	if err := g.origins.Check(r); err != nil {
		return Identity{}, ErrCrossOrigin
	}
	tok, good := g.cfg.Tokens.Good(id)
	if !good {
		g.sessions.close(r)
		return Identity{}, ErrNoCredentials // the token ended after the login: log in again
	}
	return tok.Identity(), nil
}

// fail counts a failure. It returns err, or [ErrTooMany] if the address failed too often.
func (g *Guard) fail(r *http.Request, err error) error {
	if !errors.Is(err, ErrDenied) {
		return err
	}
	ip := AddressOf(r)
	if g.failures.failed(ip) {
		return ErrTooMany
	}
	g.cfg.Logger.Warn("authentication failed", "address", ip, "path", r.URL.Path)
	return err
}

// Login opens a session for a token's secret and sets its cookie: HttpOnly, SameSite=Strict, and
// Secure where the request came over TLS. Errors: [ErrDenied], [ErrTooMany], [ErrCrossOrigin].
func (g *Guard) Login(w http.ResponseWriter, r *http.Request, secret string) (Identity, error) {
	if err := g.origins.Check(r); err != nil {
		return Identity{}, ErrCrossOrigin
	}
	if g.Open() {
		return g.Authenticate(r)
	}
	tok, err := g.cfg.Tokens.Verify(r.Context(), strings.TrimSpace(secret))
	if err != nil {
		return Identity{}, g.fail(r, err)
	}
	g.sessions.open(w, r, tok.ID)
	return tok.Identity(), nil
}

// Logout ends the request's session, if it has one, and removes its cookie.
func (g *Guard) Logout(w http.ResponseWriter, r *http.Request) {
	g.sessions.close(r)
	http.SetCookie(w, cookie(r, "", -1))
}

// Middleware puts the identity of each request into its context ([IdentityOf]) or, if the request
// has none, the reason ([ReasonOf]). It refuses nothing itself: each handler decides whether it
// needs an identity.
func (g *Guard) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := g.Authenticate(r)
		ctx := context.WithValue(r.Context(), reasonKey{}, err)
		if err == nil {
			ctx = WithIdentity(r.Context(), id)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

type reasonKey struct{}

// ReasonOf returns why a request has no identity: one of the errors of [Guard.Authenticate].
func ReasonOf(ctx context.Context) error {
	if err, ok := ctx.Value(reasonKey{}).(error); ok {
		return err
	}
	return ErrNoCredentials
}

// Run follows the tokens until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	if g.Open() {
		<-ctx.Done()
		return nil
	}
	return g.cfg.Tokens.Run(ctx)
}

// loopbackHost reports whether a Host header names this machine's loopback interface.
func loopbackHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}
