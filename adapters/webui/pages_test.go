package webui_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func (w *world) send(req *http.Request) (int, string, http.Header) {
	w.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	require.NoError(w.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, string(b), res.Header
}

// post sends a form as the page does.
func (w *world) post(path string, form url.Values, header ...string) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	require.NoError(w.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return w.send(req)
}

func TestEveryPageIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := []string{w.completed("c-1").String(), w.compensated("b-1").String(), w.stuck("s-1").String(), w.waiting("w-1").String()}
	w.settled()
	paths := []string{"/ui/runs", "/ui/runs?state=stuck", "/ui/incidents", "/ui/incidents?state=resolved", "/ui/sagas", "/ui/sagas/order", "/ui/sagas/big-order?version=1",
		"/ui/stats", "/ui/stats?range=", "/ui/stats?range=1h", "/ui/events", "/ui/login"}
	for _, id := range ids {
		for _, tab := range []string{"", "plan", "audit", "data", "undo"} {
			paths = append(paths, "/ui/runs/"+id+"?tab="+tab)
		}
		paths = append(paths, "/ui/runs/"+id+"?show=open", "/ui/runs/"+id+"?scale=linear", "/ui/runs/"+id+"/step?path=charge-card")
		for _, act := range []string{"cancel", "pause", "resume", "retry", "skip", "substitute", "abandon", "signal"} {
			paths = append(paths, "/ui/runs/"+id+"/lever/"+act)
		}
	}
	for _, p := range paths {
		status, body, head := w.get(p)
		require.Equal(t, http.StatusOK, status, "%s: %s", p, body)
		require.True(t, strings.HasSuffix(strings.TrimSpace(body), "</html>"), p)
		require.NotContains(t, body, "ZgotmplZ", p)
		require.Contains(t, head.Get("Content-Security-Policy"), "script-src 'self'", p)
		require.NotContains(t, head.Get("Content-Security-Policy"), "unsafe", p)
		require.NotContains(t, body, " style=", "%s: the policy forbids inline styles", p)
		require.NotContains(t, body, "ada@example.org", "%s: secrets stay hidden", p)
	}
}
