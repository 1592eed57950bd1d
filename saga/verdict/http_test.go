package verdict_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/verdict"
)

// The verdicts, as the tests compare them.
const (
	none        = "says nothing"
	inDoubt     = "in doubt"
	nothingDone = "nothing done"
	refused     = "refused"
)

func verdictOf(err error) string {
	effect, permanent := saga.EffectOf(err)
	switch {
	case effect == domain.EffectInDoubt:
		return inDoubt
	case effect == domain.EffectNotDone && permanent:
		return refused
	case effect == domain.EffectNotDone:
		return nothingDone
	}
	return none
}

// put makes a keyed request, as handlers do, and returns the call's error.
func put(t *testing.T, client *http.Client, url string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader("a contact"))
	require.NoError(t, err)
	req.Header.Set("Idempotency-Key", "key")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := verdict.Response(res); err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// crm is a server on a bare listener that takes a request whole and then does with the connection
// what the test says.
func crm(t *testing.T, after func(c net.Conn, n int32)) (url string, stored *atomic.Int32, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	stored = new(atomic.Int32)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					after(c, stored.Add(1))
				}
			})
		}
	})
	stop = func() { _ = l.Close() }
	t.Cleanup(func() { stop(); group.Wait() })
	return "http://" + l.Addr().String(), stored, stop
}

func ownClient(t *testing.T) *http.Client {
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	return verdict.Client(&http.Client{Transport: base})
}

func TestACutAnswerIsInDoubt(t *testing.T) {
	t.Parallel()
	url, stored, _ := crm(t, func(c net.Conn, _ int32) { _ = c.Close() })
	err := put(t, ownClient(t), url)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, inDoubt, verdictOf(err))
	require.Positive(t, stored.Load())
}

func TestARefusedConnectionAfterARedialIsInDoubt(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 204 No Content\r\n\r\n"
	var stop func()
	url, stored, stopServer := crm(t, func(c net.Conn, n int32) {
		if n == 1 { // a connection that is kept alive
			_, _ = io.WriteString(c, answer)
			return
		}
		stop() // the next one to dial is refused
		_ = c.Close()
	})
	stop = stopServer
	client := ownClient(t)
	require.NoError(t, put(t, client, url))
	err := put(t, client, url)
	require.ErrorContains(t, err, "connection refused", "net/http sent the keyed request again, over a fresh connection")
	require.Equal(t, int32(2), stored.Load(), "the contact was stored twice")
	require.Equal(t, inDoubt, verdictOf(err))
}

func TestNothingIsDoneBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for name, url := range map[string]string{
		"refused":         "http://" + l.Addr().String(),
		"no such host":    "http://host.invalid/",
		"no such scheme":  "gopher://127.0.0.1/",
		"a long URL":      "http://" + l.Addr().String() + "/" + strings.Repeat("x", 10_000),
		"broken TLS":      "https://" + plainServer(t),
		"refused by name": "http://localhost:" + strings.Split(l.Addr().String(), ":")[1],
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, nothingDone, verdictOf(put(t, ownClient(t), url)))
		})
	}
	t.Run("ctx has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+plainServer(t), nil)
		require.NoError(t, err)
		_, err = ownClient(t).Do(req)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, nothingDone, verdictOf(err), "the error's type decides nothing")
	})
}

func plainServer(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestAnEndedContextAfterTheFirstByteIsInDoubt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	url, _, _ := crm(t, func(net.Conn, int32) { cancel(); <-release })
	t.Cleanup(func() { close(release) })
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("x"))
	require.NoError(t, err)
	_, err = ownClient(t).Do(req)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, inDoubt, verdictOf(err))
}

// TestACallThatEndsBeforeItsWriterBeganIsInDoubt ends the context when the request has got its
// connection: the call returns, and net/http's writer may yet write.
func TestACallThatEndsBeforeItsWriterBeganIsInDoubt(t *testing.T) {
	t.Parallel()
	addr := plainServer(t)
	client := ownClient(t)
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { cancel() }})
		req, err := http.NewRequestWithContext(traced, http.MethodPost, "http://"+addr, strings.NewReader("x"))
		require.NoError(t, err)
		res, err := client.Do(req)
		if err == nil { // it was quicker
			require.NoError(t, res.Body.Close())
			continue
		}
		require.Equal(t, inDoubt, verdictOf(err), "%v", err)
	}
}

func TestHTTP2TellsTheSame(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	err := put(t, verdict.Client(s.Client()), s.URL)
	require.Error(t, err)
	require.Equal(t, inDoubt, verdictOf(err))
	s.Close()
	require.Equal(t, nothingDone, verdictOf(put(t, verdict.Client(&http.Client{Transport: s.Client().Transport}), s.URL)))
}

func TestARedirectedRequestIsInDoubtFromItsStart(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://host.invalid/", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(s.Close)
	require.Equal(t, inDoubt, verdictOf(put(t, ownClient(t), s.URL)))
}

// silent is a transport that traces nothing.
type silent struct{}

func (silent) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("it broke") }

func TestABaseThatReportsNothingIsInDoubt(t *testing.T) {
	t.Parallel()
	client := verdict.Client(&http.Client{Transport: silent{}})
	require.Equal(t, inDoubt, verdictOf(put(t, client, "http://x.invalid")))
	require.Same(t, client.Transport, verdict.Client(client).Transport, "one Transport is enough")
	client.CloseIdleConnections()
}

func TestResponseTellsStatusesApart(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: none, 201: none, 204: none, 299: none,
		301: inDoubt, 304: inDoubt,
		400: refused, 401: refused, 404: refused, 410: refused, 422: refused, 499: refused,
		408: inDoubt, 409: inDoubt, 425: nothingDone, 429: nothingDone,
		500: inDoubt, 501: inDoubt, 502: inDoubt, 503: inDoubt, 504: inDoubt, 599: inDoubt,
	} {
		res := &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("why\xff"))}
		err := verdict.Response(res)
		require.Equal(t, want, verdictOf(err), "%d", status)
		if status >= 300 {
			var e *verdict.StatusError
			require.ErrorAs(t, err, &e)
			require.Equal(t, "why�", e.Body)
		}
	}
}

func TestResponseNamesTheCallWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	}))
	t.Cleanup(s.Close)
	err := put(t, ownClient(t), "http://user:pass@"+strings.TrimPrefix(s.URL, "http://")+"/contacts/7?token=1#2")
	require.ErrorContains(t, err, "PUT "+s.URL+"/contacts/7: 418 I'm a teapot: xxx")
	require.Less(t, len(err.Error()), 2<<10)
}

func TestRetryAfterIsObeyedAndBounded(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-7": 0, "1.5": 0, "soon": 0, "+7": 0,
		"9223372036854775807": 24 * time.Hour, "99999999999999999999999": 24 * time.Hour, "86401": 24 * time.Hour,
		in(-time.Hour): 0, in(1000 * time.Hour): 24 * time.Hour,
	} {
		for _, status := range []int{429, 503} {
			res := &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{"Retry-After": {value}}}
			require.Equal(t, want, saga.DelayOf(verdict.Response(res)), "%d %q", status, value)
		}
	}
}
