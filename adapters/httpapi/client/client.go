// Package client calls atone's HTTP API from Go, with the shape of the library: [Start], [Run.Wait] and
// the same typed errors.
//
//	c, err := client.New(client.Config{Server: "http://127.0.0.1:7070", Token: token})
//	run, err := client.Start(ctx, c, Signup, form, client.Key("signup-42"))
//	receipt, err := run.Wait(ctx) // *saga.CompensatedError, *saga.StuckError, …
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// Config configures a [Client]. Only Server is required.
type Config struct {
	// Server is the server's URL, such as http://127.0.0.1:7070.
	Server string
	// Token is the API token; empty for a server without authentication.
	Token string
	// HTTP makes the requests; nil means a client of its own without a timeout, as waits are long. Requests
	// end with their contexts.
	HTTP *http.Client
	// Poll is how long one request of a wait waits at the server; 0 means 30 s.
	Poll time.Duration
	// Retries is how often a request that can be repeated safely is tried again while the server can't be
	// reached, is starting or is busy; 0 means 4, negative never. The delay begins at Backoff and doubles.
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
		return nil, fmt.Errorf("client: server %q is no URL: give one such as http://127.0.0.1:7070", cfg.Server)
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

// request is one call.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         any // JSON; json.RawMessage is sent as it is
	out          any // what the answer is read into; may be nil
	// again means that a repeat does no harm: it reads, or carries a key.
	again bool
}

// call makes a request and reads its answer.
func (c *Client) call(ctx context.Context, r request) (int, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = encode(r.body); err != nil {
			return 0, fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
	}
	delay := c.cfg.Backoff
	for try := 0; ; try++ {
		status, err := c.once(ctx, &r, body)
		if err == nil || !r.again || try >= c.cfg.Retries || !passing(err) {
			return status, err
		}
		select {
		case <-time.After(delay):
			delay *= 2
		case <-ctx.Done():
			return status, errors.Join(ctx.Err(), err)
		}
	}
}

// passing reports whether an error may go away by itself.
func passing(err error) bool {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status == http.StatusServiceUnavailable
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errUnreadable)
}

var errUnreadable = errors.New("unreadable answer")

func (c *Client) once(ctx context.Context, r *request, body []byte) (int, error) {
	res, err := c.send(ctx, r, body)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	if err := c.failure(r, res); err != nil {
		return res.StatusCode, err
	}
	if w, ok := r.out.(io.Writer); ok {
		if _, err := io.Copy(w, res.Body); err != nil {
			return res.StatusCode, fmt.Errorf("%s %s: %w: %w", r.method, r.path, errUnreadable, err)
		}
		return res.StatusCode, nil
	}
	if r.out == nil || res.StatusCode == http.StatusNoContent {
		return res.StatusCode, nil
	}
	if err := json.NewDecoder(res.Body).Decode(r.out); err != nil {
		return res.StatusCode, fmt.Errorf("%s %s: %w: %w", r.method, r.path, errUnreadable, err)
	}
	return res.StatusCode, nil
}

func (c *Client) send(ctx context.Context, r *request, body []byte) (*http.Response, error) {
	u := *c.base
	raw, err := url.PathUnescape(r.path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	u.Path, u.RawPath = c.base.Path+raw, c.base.EscapedPath()+r.path
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if req.Header.Get("Traceparent") == "" {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header)) // nothing without a span
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	res, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: is the server running?", err)
	}
	return res, nil
}

// failure reads what the server says went wrong, if it did.
func (c *Client) failure(r *request, res *http.Response) error {
	if res.StatusCode < 400 {
		return nil
	}
	p := &Problem{Status: res.StatusCode, Title: http.StatusText(res.StatusCode)}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && strings.Contains(res.Header.Get("Content-Type"), "json") {
		_ = json.Unmarshal(raw, p) // what is not read stays empty
	}
	p.Status = res.StatusCode
	return fmt.Errorf("%s %s: %w", r.method, r.path, p)
}

// segment escapes a name for a path.
func segment(name string) string { return url.PathEscape(name) }

func addTime(q url.Values, name string, t time.Time) {
	if !t.IsZero() {
		q.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
}

func addText(q url.Values, name, v string) {
	if v != "" {
		q.Set(name, v)
	}
}

func addInt(q url.Values, name string, n int64) {
	if n != 0 {
		q.Set(name, strconv.FormatInt(n, 10))
	}
}

func addAll[T ~string](q url.Values, name string, vs []T) {
	for _, v := range vs {
		q.Add(name, string(v))
	}
}

// Me returns who the server takes the caller for.
func (c *Client) Me(ctx context.Context) (wire.Me, error) {
	var me wire.Me
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/me", out: &me, again: true})
	return me, err
}
