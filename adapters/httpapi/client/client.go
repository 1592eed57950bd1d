package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
)

// Config configures a [Client]. Only Server is required.
type Config struct {
	// Server is the server's URL, such as http://127.0.0.1:7070.
	Server string
	// Token is the API token; empty for a server without authentication.
	Token string
	// HTTP makes the requests. Nil means a client without a timeout, because waits may be long:
	// requests end when their contexts end.
	HTTP *http.Client
	// Poll is how long each request of a wait lasts; 0 means 30 s.
	Poll time.Duration
	// Silence is after how long without a word a stream, or the answer to a poll, counts as lost:
	// then Answers is told, and the client connects anew. 0 means 20 s. It must be longer than the
	// server's KeepAlive.
	Silence time.Duration
	// Retries is how often a request that is safe to repeat is tried again while the server can't
	// be reached, is starting or is busy. 0 means 4; negative means never. The delay begins at
	// Backoff and doubles.
	Retries int
	// Backoff is the delay before the first retry; 0 means 100 ms.
	Backoff time.Duration
	// Latest has lists wait, for up to a second, until they include everything that is recorded
	// when they are asked; later they show what they have.
	Latest bool
	// Answers, if set, is told of the server while streams and waits go on: with an error each time
	// that it could not be reached or was not ready, and with nil each time that it answered. It is
	// called from several goroutines.
	Answers func(err error)
	// Patience is how long requests wait for a server that has them and does not answer; the zero
	// value waits in silence until ctx ends.
	Patience Patience
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base *url.URL
	// position is the latest log position in an answer to an act.
	position atomic.Uint64
}

// Position returns the log position of this client's latest act: a start, a signal or a lever. Pass
// it as [projections.Fresh.AtLeast] to get a list that shows the act. 0 means no act yet.
func (c *Client) Position() domain.Position { return domain.Position(c.position.Load()) }

// New returns a client. It makes no connection yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.Server)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("client: server %q is not a URL: give one such as http://127.0.0.1:7070", cfg.Server)
	}
	if cfg.Poll < 0 || cfg.Backoff < 0 || cfg.Silence < 0 {
		return nil, fmt.Errorf("client: Poll (%v), Backoff (%v) and Silence (%v) can't be negative", cfg.Poll, cfg.Backoff, cfg.Silence)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	if cfg.Poll == 0 {
		cfg.Poll = 30 * time.Second
	}
	if cfg.Silence == 0 {
		cfg.Silence = 20 * time.Second
	}
	if cfg.Retries == 0 {
		cfg.Retries = 4
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = 100 * time.Millisecond
	}
	return &Client{cfg: cfg, base: base}, nil
}

// Me returns the caller's identity as the server sees it.
func (c *Client) Me(ctx context.Context) (wire.Me, error) {
	return get[wire.Me](ctx, c, "/me", nil)
}
