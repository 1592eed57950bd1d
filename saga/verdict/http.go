package verdict

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/saga"
)

// Transport is an [http.RoundTripper] whose errors say whether the request can have reached the
// server. If no try had a connection to write to (the address did not resolve, the connection was
// refused, the handshake failed, ctx ended first), the error is [saga.NothingDone]. Otherwise it is
// [saga.InDoubt], whatever its type: net/http writes in its own goroutine, which may continue after
// the call has returned, and it repeats a request with an Idempotency-Key when a kept-alive
// connection is dead, so "connection refused" may be the result of the second try.
//
// A request that follows a redirect is in doubt from its start, because the first server may have
// acted before it redirected. An error of [http.Client].Timeout loses its verdict in net/http and
// so is in doubt; bound calls with the attempt's ctx instead.
//
// A Transport is safe for concurrent use if its Base is.
type Transport struct {
	// Base makes the calls; nil means [http.DefaultTransport]. A base that is neither an
	// [http.Transport] nor built on one, or that makes its calls with another context, reports
	// nothing of what it wrote: its errors are in doubt.
	Base http.RoundTripper
}

// Client returns a copy of c, nil meaning [http.DefaultClient], that makes its calls with a
// Transport.
func Client(c *http.Client) *http.Client {
	if c == nil {
		c = http.DefaultClient
	}
	with := *c
	if _, ok := with.Transport.(*Transport); !ok {
		with.Transport = &Transport{Base: c.Transport}
	}
	return &with
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	var traced, written atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { traced.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { written.Store(true) },
		// For a base of another kind that reports no connection.
		WroteHeaders: func() { written.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { written.Store(true) },
	}
	if _, ok := base.(*http.Transport); ok {
		traced.Store(true)
	}
	res, err := base.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	switch {
	case err == nil:
		return res, nil
	case written.Load() || !traced.Load() || req.Response != nil:
		return res, saga.InDoubt(err)
	}
	return res, saga.NothingDone(err)
}

// CloseIdleConnections closes the base's idle connections, for [http.Client].CloseIdleConnections.
func (t *Transport) CloseIdleConnections() {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	if c, ok := base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// StatusError is an answer that is not a success.
type StatusError struct {
	// Method and URL are the request's; the URL is without user, query and fragment.
	Method, URL string
	Status      int
	// Body is the beginning of the answer's body, at most 1 KiB.
	Body string
}

// Error implements error.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s %s: %d %s", e.Method, e.URL, e.Status, http.StatusText(e.Status))
	if e.Body != "" {
		s += ": " + e.Body
	}
	return s
}

// maxBody bounds the kept part of an answer's body, in bytes.
const maxBody = 1 << 10

// Response returns nil for an answer with a 2xx status and leaves its body to the caller. For any
// other it closes the body and returns a [*StatusError] with a verdict:
//
//   - 425 and 429: nothing was done; try again, after Retry-After where the answer has it.
//   - 408, 409 and every 5xx: in doubt; Retry-After is obeyed as well.
//   - every other 4xx: refused ([saga.Permanent]).
//   - 1xx and 3xx: in doubt.
//
// If an API gives a status another meaning (404 for a DELETE is usually success), check the status
// before you call Response.
func Response(res *http.Response) error {
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return nil
	}
	defer res.Body.Close()
	e := &StatusError{Status: res.StatusCode}
	if req := res.Request; req != nil {
		u := *req.URL
		u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
		e.Method, e.URL = req.Method, u.String()
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxBody)) // it is only for people
	e.Body = strings.TrimSpace(strings.ToValidUTF8(string(body), "�"))
	var err error
	switch s := res.StatusCode; {
	case s == http.StatusTooEarly || s == http.StatusTooManyRequests:
		err = saga.NothingDone(e)
	case s == http.StatusRequestTimeout || s == http.StatusConflict || s < 400 || s >= 500:
		err = saga.InDoubt(e)
	default:
		return saga.Permanent(e)
	}
	if d := retryAfter(res.Header, time.Now()); d > 0 {
		return saga.RetryAfter(d, err)
	}
	return err
}

// maxRetryAfter bounds the delay that an answer may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header Retry-After (RFC 9110, 10.2.3), seconds or a date; 0 means none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if strings.Trim(v, "0123456789") == "" {
		seconds, err := strconv.ParseInt(v, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) { // too many digits
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
