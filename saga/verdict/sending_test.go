package verdict_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/verdict"
)

// refuseTheCopy is a server that keeps a connection alive, takes the next request and closes the
// connection, and answers the copy that net/http then sends.
func refuseTheCopy(t *testing.T, client *http.Client, status string) (stored int32, err error) {
	t.Helper()
	url, n, _ := crm(t, func(c net.Conn, n int32) {
		switch n {
		case 1:
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		case 2:
			_ = c.Close() // the contact is stored, and nobody is told
		default:
			_, _ = fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: 0\r\nRetry-After: 7\r\nConnection: close\r\n\r\n", status)
		}
	})
	require.NoError(t, put(t, client, url))
	err = put(t, client, url)
	return n.Load(), err
}

func TestARefusalOfACopyIsInDoubt(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"400 Bad Request", "403 Forbidden", "409 Conflict", "410 Gone", "422 Unprocessable Entity", "425 Too Early",
		"429 Too Many Requests", "431 Request Header Fields Too Large", "500 Internal Server Error"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			stored, err := refuseTheCopy(t, ownClient(t), status)
			require.ErrorContains(t, err, status)
			require.Equal(t, int32(3), stored, "net/http sent the keyed request again, over a fresh connection")
			require.Equal(t, inDoubt, verdictOf(err))
			var e *verdict.StatusError
			require.ErrorAs(t, err, &e)
			if e.Status == http.StatusTooManyRequests {
				require.Equal(t, 7*time.Second, saga.DelayOf(err))
			}
		})
	}
	_, err := refuseTheCopy(t, ownClient(t), "200 OK")
	require.NoError(t, err, "a server that takes the copy vouches for both")
}

// TestARefusalOfATornCopyIsInDoubt has net/http's own server refuse: it answers 400 to a request
// whose headers end too early, as the copy's do on a network that closes what the client sends.
func TestARefusalOfATornCopyIsInDoubt(t *testing.T) {
	t.Parallel()
	server := plainServer(t)
	url, _, _ := crm(t, func(c net.Conn, n int32) {
		switch n {
		case 1:
			_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		case 2:
			_ = c.Close()
		default:
			defer c.Close()
			to, err := net.Dial("tcp", server)
			if err != nil {
				return
			}
			defer to.Close()
			_, _ = io.WriteString(to, "PUT /contacts HTTP/1.1\r\nHost: x\r\nIdempotency-K")
			_ = to.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(c, to)
		}
	})
	client := ownClient(t)
	require.NoError(t, put(t, client, url))
	err := put(t, client, url)
	require.ErrorContains(t, err, "400 Bad Request")
	require.ErrorContains(t, err, "sent the request again")
	require.Equal(t, inDoubt, verdictOf(err))
}

// TestARefusalIsBelievedWhereNothingWasRepeated tells clients that know how often they sent a
// request from those that don't, by what net/http would repeat.
func TestARefusalIsBelievedWhereNothingWasRepeated(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) }))
	t.Cleanup(s.Close)
	base := new(http.Transport)
	t.Cleanup(base.CloseIdleConnections)
	plain := &http.Client{Transport: base}
	two := httptest.NewUnstartedServer(s.Config.Handler)
	two.EnableHTTP2 = true
	two.StartTLS()
	t.Cleanup(two.Close)
	for _, c := range []struct {
		client           *http.Client
		url, method, key string
		want             string
	}{
		{ownClient(t), s.URL, http.MethodPut, "Idempotency-Key", refused},
		{ownClient(t), s.URL, http.MethodPost, "X-Idempotency-Key", refused},
		{ownClient(t), s.URL, http.MethodDelete, "", refused},
		{plain, s.URL, http.MethodPut, "Idempotency-Key", inDoubt},
		{plain, s.URL, http.MethodPost, "X-Idempotency-Key", inDoubt},
		{plain, s.URL, http.MethodDelete, "", refused},
		{plain, s.URL, http.MethodGet, "Idempotency-Key", refused},
		{verdict.Client(two.Client()), two.URL, http.MethodPut, "Idempotency-Key", refused},
		{verdict.Client(two.Client()), two.URL, http.MethodPut, "Idempotency-Key", refused},
		{two.Client(), two.URL, http.MethodPut, "Idempotency-Key", inDoubt},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, c.url, strings.NewReader("x"))
		require.NoError(t, err)
		if c.key != "" {
			req.Header.Set(c.key, "key")
		}
		res, err := c.client.Do(req)
		require.NoError(t, err)
		require.Equal(t, c.want, verdictOf(verdict.Response(res)), "%s %s with %q", c.method, c.url, c.key)
	}
}

func TestARefusalAfterARedirectIsInDoubtIfTheFirstServerMayHaveActed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method          string
		redirect, final int
		want            string
	}{
		{http.MethodPost, http.StatusSeeOther, http.StatusNotFound, inDoubt},
		{http.MethodPost, http.StatusTemporaryRedirect, http.StatusTooManyRequests, inDoubt},
		{http.MethodPut, http.StatusPermanentRedirect, http.StatusForbidden, inDoubt},
		{http.MethodGet, http.StatusFound, http.StatusNotFound, refused},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/there", c.redirect)
				return
			}
			w.WriteHeader(c.final)
		}))
		t.Cleanup(s.Close)
		req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL, strings.NewReader("x"))
		require.NoError(t, err)
		res, err := ownClient(t).Do(req)
		require.NoError(t, err)
		require.Equal(t, c.want, verdictOf(verdict.Response(res)), "%s, %d, %d", c.method, c.redirect, c.final)
	}
}

// roundTrip is a base of the test's own.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestAnswersOfOtherBases: those that report how often they sent are believed, without a request in
// their answers, too.
func TestAnswersOfOtherBases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		conns   int
		request bool
		want    string
	}{{0, false, refused}, {0, true, inDoubt}, {1, false, refused}, {1, true, refused}, {2, false, inDoubt}, {3, true, inDoubt}} {
		err := put(t, verdict.Client(&http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			for range c.conns {
				httptrace.ContextClientTrace(req.Context()).GotConn(httptrace.GotConnInfo{})
			}
			res := &http.Response{StatusCode: http.StatusUnprocessableEntity, Body: http.NoBody}
			if c.request {
				res.Request = req
			}
			return res, nil
		})}), "http://x.invalid")
		require.Equal(t, c.want, verdictOf(err), "%d connections, with a request: %t", c.conns, c.request)
	}
}

// TestARegisteredSchemeReportsNothing has an [http.Transport] pass requests on to a base that fails
// without having said whether it wrote.
func TestARegisteredSchemeReportsNothing(t *testing.T) {
	t.Parallel()
	base := new(http.Transport)
	base.RegisterProtocol("pigeon", silent{})
	client := verdict.Client(&http.Client{Transport: base})
	require.Equal(t, inDoubt, verdictOf(put(t, client, "pigeon://x.invalid")))
	require.Equal(t, nothingDone, verdictOf(put(t, client, "owl://x.invalid")))
}
