package httpcall

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"
	webhook "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data"
	"github.com/atonehq/atone/saga/verdict"
)

// Config says how calls are made.
type Config struct {
	// Secrets returns the secret with the name, for secret://NAME. nil means that there are none.
	Secrets func(name string) (string, error)
	// AllowPrivate are addresses that may be called although they are private, such as
	// 10.0.0.0/8. Others that are not public (loopback, link-local, private networks) are refused
	// when they are dialled, whatever name led to them.
	AllowPrivate []netip.Prefix
	// ConnectionsPerHost bounds the calls to one host that are under way at once; others wait,
	// within the timeout of their attempts. 0 means 64.
	ConnectionsPerHost int
	// MaxAnswer bounds what is read of an answer, in bytes: a success that is longer leaves the
	// effect in doubt. 0 means 256 KiB.
	MaxAnswer int64
}

const (
	defaultConnections = 64
	defaultMaxAnswer   = 256 << 10
	maxHeader          = 64 << 10
)

// Caller makes calls. It follows no redirect, takes no proxy from the environment, and is safe for
// concurrent use.
type Caller struct {
	config Config
	client *http.Client
}

var _ data.Caller = (*Caller)(nil)

// New returns a caller.
func New(c Config) *Caller {
	c.ConnectionsPerHost = cmp.Or(c.ConnectionsPerHost, defaultConnections)
	c.MaxAnswer = cmp.Or(c.MaxAnswer, defaultMaxAnswer)
	if c.Secrets == nil {
		c.Secrets = func(string) (string, error) { return "", errors.New("this program has no secrets") }
	}
	var v4, v6 []netip.Prefix
	for _, p := range c.AllowPrivate {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: guard.Safe}
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute,
		MaxConnsPerHost: c.ConnectionsPerHost, MaxIdleConnsPerHost: c.ConnectionsPerHost, MaxResponseHeaderBytes: maxHeader,
	}
	client := verdict.Client(&http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	return &Caller{c, client}
}

// Check implements [data.Caller]: it says which secret is missing.
func (c *Caller) Check(call data.Call) error {
	_, _, err := c.secrets(call)
	return err
}

// Call implements [data.Caller].
func (c *Caller) Call(ctx context.Context, call data.Call) (data.Reply, error) {
	header, hidden, err := c.secrets(call)
	if err != nil {
		return data.Reply{}, saga.NothingDone(err)
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, call.URL.String(), http.NoBody)
	if err != nil {
		return data.Reply{}, saga.Permanent(err)
	}
	if call.ContentType != "" {
		// net/http sends it again only if it has not read of it: there is no GetBody.
		req.Body, req.ContentLength = readCloser{bytes.NewReader(call.Body)}, int64(len(call.Body))
		header.Set("Content-Type", cmp.Or(header.Get("Content-Type"), call.ContentType))
	}
	if call.Key != "" {
		header.Set("Idempotency-Key", call.Key)
	}
	if call.Trace != "" {
		header.Set("Traceparent", call.Trace)
	}
	if call.Sign != "" {
		if err := c.sign(call, header); err != nil {
			return data.Reply{}, saga.NothingDone(err)
		}
	}
	req.Header = header
	res, err := c.client.Do(req)
	if err != nil {
		return data.Reply{}, without(call, err)
	}
	defer res.Body.Close()
	return c.reply(call, res, hidden)
}

// readCloser makes a reader a body.
type readCloser struct{ *bytes.Reader }

// Close implements io.Closer.
func (readCloser) Close() error { return nil }

// sign signs a call as Standard Webhooks has it; its id is the idempotency key.
func (c *Caller) sign(call data.Call, header http.Header) error {
	secret, err := c.secret(call.Sign)
	if err != nil {
		return err
	}
	hook, err := webhook.NewWebhook(secret)
	if err != nil {
		return fmt.Errorf("%s is no secret of Standard Webhooks, which is base64 after whsec_", call.Sign)
	}
	now := time.Now()
	signature, err := hook.Sign(call.Key, now, call.Body)
	if err != nil {
		return err
	}
	header.Set("Webhook-Id", call.Key)
	header.Set("Webhook-Timestamp", fmt.Sprint(now.Unix()))
	header.Set("Webhook-Signature", signature)
	return nil
}
