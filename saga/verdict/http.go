package verdict

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
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
// It also keeps with each answer whether the request was sent more than once, for [Response].
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
	var sent sending
	res, err := base.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), sent.trace())))
	switch {
	case err == nil:
		sent.note(req, res)
		return res, nil
	case sent.reached() || req.Response != nil || !sent.asked.Load() && !gaveUp(base, req, err):
		return res, saga.InDoubt(err)
	}
	return res, saga.NothingDone(err)
}

// gaveUp reports whether an [http.Transport] failed before it asked for a connection. It passes
// other schemes than HTTP's on to whoever is registered for them, and nobody may be.
func gaveUp(base http.RoundTripper, req *http.Request, err error) bool {
	_, ok := base.(*http.Transport)
	return ok && (req.URL == nil || req.URL.Scheme == "http" || req.URL.Scheme == "https" ||
		strings.Contains(err.Error(), "unsupported protocol scheme"))
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
// An answer speaks for the copy of the request that it answers. Where net/http has sent the request
// again because a connection broke, or an unsafe request was redirected, an earlier copy may have
// had its effect: every answer but success is in doubt. A [Transport] knows; without one this holds
// for every request with an Idempotency-Key whose method is not safe. What a proxy on the way
// repeats nobody sees: have it repeat nothing, or the server recognise a key that it knows before
// it refuses.
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
	switch s, why := res.StatusCode, doubt(res); {
	case s == http.StatusRequestTimeout || s == http.StatusConflict || s < 400 || s >= 500:
		err = saga.InDoubt(e)
	case why != "":
		err = saga.InDoubt(fmt.Errorf("%w (%s)", e, why))
	case s == http.StatusTooEarly || s == http.StatusTooManyRequests:
		err = saga.NothingDone(e)
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
