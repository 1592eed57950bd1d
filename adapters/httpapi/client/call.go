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

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/propagation"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// get reads a T.
func get[T any](ctx context.Context, c *Client, path string, q url.Values) (T, error) {
	var v T
	err := c.call(ctx, request{method: http.MethodGet, path: path, query: q, out: &v, again: true})
	return v, err
}

// post sends a body and reads a T.
func post[T any](ctx context.Context, c *Client, path string, body any, again bool) (T, error) {
	var v T
	err := c.call(ctx, request{method: http.MethodPost, path: path, body: body, out: &v, again: again})
	return v, err
}

// request is one call.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         any // JSON; json.RawMessage is sent as it is
	out          any // what the answer is read into; may be nil
	// again means that repeating the request is safe: it only reads, or has a key.
	again bool
	// reads means that a request that is no GET changes nothing either.
	reads bool
	// wait is how long the server is asked to take.
	wait time.Duration
}

// call makes a request and reads its answer. Where it is an act and the server may have got it, the
// error is an [ErrMayBeDone].
func (c *Client) call(ctx context.Context, r request) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = encode(r.body); err != nil {
			return fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
	}
	pause, open := c.pause(), false
	told := func(err error) error {
		if open {
			return fmt.Errorf("%w: %w", ErrMayBeDone, err)
		}
		return err
	}
	for try := 0; ; try++ {
		err := c.once(ctx, &r, body)
		if err == nil {
			return nil
		}
		open = r.acts() && (open || unanswered(err))
		var silent *SilentError
		if !r.again || try >= c.cfg.Retries || !passing(err) || errors.As(err, &silent) {
			return told(err)
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return told(errors.Join(ctx.Err(), err))
		}
	}
}

// pause returns the delays between tries: they double, with jitter.
func (c *Client) pause() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.Multiplier, b.MaxInterval = c.cfg.Backoff, 2, max(c.cfg.Backoff, maxPause)
	b.Reset()
	return b
}

// maxPause is the longest delay between two tries.
const maxPause = 10 * time.Second

// passing reports whether an error is temporary.
func passing(err error) bool {
	var p *ProblemError
	if errors.As(err, &p) {
		return p.Status == http.StatusServiceUnavailable
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errUnreadable)
}

var errUnreadable = errors.New("unreadable answer")

func (c *Client) once(ctx context.Context, r *request, body []byte) error {
	res, err := c.send(ctx, r, body)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // the body was only read
	if err := c.failure(r, res); err != nil {
		return err
	}
	c.notePosition(res.Header)
	if why := res.Header.Get("Atone-Unchanged"); why != "" {
		domain.TellAlready(ctx, why)
	}
	if w, ok := r.out.(io.Writer); ok {
		if _, err := io.Copy(w, res.Body); err != nil {
			return fmt.Errorf("%s %s: %w: %w", r.method, r.path, errUnreadable, err)
		}
		return nil
	}
	if r.out == nil || res.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(r.out); err != nil {
		return fmt.Errorf("%s %s: %w: %w", r.method, r.path, errUnreadable, err)
	}
	return nil
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
	if req.Header.Get("Traceparent") == "" { // adds nothing if ctx has no span
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	res, err := c.patiently(req, r)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: is the server running?", err)
	}
	return res, err
}

// failure turns an answer with an error status into an error: the problem in its body, if it has
// one.
func (c *Client) failure(r *request, res *http.Response) error {
	if res.StatusCode < 400 {
		return nil
	}
	p := &ProblemError{Status: res.StatusCode, Title: http.StatusText(res.StatusCode)}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && strings.Contains(res.Header.Get("Content-Type"), "json") {
		_ = json.Unmarshal(raw, p) // fields that can't be read stay empty
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

// encode writes an input or a body as JSON. It refuses values that encoding/json would change
// silently.
func encode(in any) (json.RawMessage, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return raw, accept.Strings("what is sent", raw, in)
}

// notePosition remembers the log position in an answer, if it is later than the last.
func (c *Client) notePosition(h http.Header) {
	at, err := strconv.ParseUint(h.Get(wire.PositionHeader), 10, 64)
	if err != nil {
		return
	}
	for old := c.position.Load(); at > old && !c.position.CompareAndSwap(old, at); old = c.position.Load() {
	}
}

// answers tells Config.Answers.
func (c *Client) answers(err error) {
	if c.cfg.Answers != nil {
		c.cfg.Answers(err)
	}
}
