package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// Config configures a [Client]. Only Server is required.
type Config struct {
	// Server is the server's URL, such as http://127.0.0.1:7070.
	Server string
	// Token is the API token; empty for a server without authentication.
	Token string
	// HTTP makes the requests; nil means a client of its own without a timeout, as waits are long.
	// Requests end with their contexts.
	HTTP *http.Client
	// Poll is how long one request of a wait waits at the server; 0 means 30 s.
	Poll time.Duration
	// Retries is how often a request that can be repeated safely is tried again while the server
	// can't be reached, is starting or is busy; 0 means 4, negative never. The delay begins at
	// Backoff and doubles.
	Retries int
	// Backoff is the delay before the first retry; 0 means 100 ms.
	Backoff time.Duration
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base *url.URL
}

// New returns a client; it connects to nothing yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.Server)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("client: server %q is not a URL: give one such as http://127.0.0.1:7070", cfg.Server)
	}
	if cfg.Poll < 0 || cfg.Backoff < 0 {
		return nil, fmt.Errorf("client: Poll (%v) and Backoff (%v) can't be negative", cfg.Poll, cfg.Backoff)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	if cfg.Poll == 0 {
		cfg.Poll = 30 * time.Second
	}
	if cfg.Retries == 0 {
		cfg.Retries = 4
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = 100 * time.Millisecond
	}
	return &Client{cfg: cfg, base: base}, nil
}

// Me returns who the server takes the caller for.
func (c *Client) Me(ctx context.Context) (wire.Me, error) {
	return get[wire.Me](ctx, c, "/me", nil)
}
