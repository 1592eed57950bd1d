package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/atonehq/atone/saga"
)

// Config configures a [Sink].
type Config struct {
	// URL is the http or https address that alerts are posted to. Required. Its path and query may
	// contain a secret, so errors name only the host.
	URL string
	// Header is added to every request, for example Authorization. Its values are not logged.
	Header http.Header
	// Timeout bounds one request; 0 means 10 s.
	Timeout time.Duration
	// Client sends the requests; nil means a new client.
	Client *http.Client
}

// Sink is a [saga.AlertSink] that posts each alert as the JSON of [saga.Alert]. The same alert may
// be posted again: the header Idempotency-Key has the alert's id, by which the endpoint recognises
// it. A 2xx answer means that the alert was accepted; after any other answer the coordinator tries
// again.
type Sink struct {
	cfg  Config
	host string
}

// New returns a sink. It sends nothing by itself.
func New(cfg Config) (*Sink, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("webhook: the URL is not an absolute http or https address")
	}
	if cfg.Timeout < 0 {
		return nil, errors.New("webhook: Timeout is negative")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{}
	}
	return &Sink{cfg: cfg, host: u.Host}, nil
}

// Alert implements [saga.AlertSink].
func (s *Sink) Alert(ctx context.Context, a saga.Alert) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	for name, values := range s.cfg.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", a.ID)
	resp, err := s.cfg.Client.Do(req)
	var failed *url.Error
	if errors.As(err, &failed) {
		return fmt.Errorf("webhook: post to %s: %w", s.host, failed.Err)
	}
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	defer resp.Body.Close()
	// Read the body, so that the connection can be reused.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("webhook: %s answered %s", s.host, resp.Status)
	}
	return nil
}
