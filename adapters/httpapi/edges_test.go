package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
)

func TestOneClientDoesNotTakeEveryStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true, adjust: func(c *httpapi.Config) { c.MaxStreams, c.MaxStreamsPerClient = 5, 2 }})
	run := "/runs/" + w.waiting("approval").String()
	greedy, other := w.as(w.token("greedy", []auth.Scope{auth.Read})), w.as(w.token("other", []auth.Scope{auth.Read}))
	var leave []func()
	for _, who := range []*world{greedy, greedy, other} {
		lines, end := who.stream(run+"/events", "Authorization", "Bearer "+who.bearer)
		_, _, ok := next(lines)
		require.True(t, ok)
		leave = append(leave, end)
	}
	greedy.do("GET", run+"/events", nil, "Accept", "text/event-stream").problem(http.StatusTooManyRequests, wire.ProblemBusy)
	leave[0]()
	w.eventually(func() bool { // the server notices that it left
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.http.URL+run+"/events", nil)
		require.NoError(t, err)
		req.Header = http.Header{"Accept": {"text/event-stream"}, "Authorization": {"Bearer " + greedy.bearer}}
		res, err := w.http.Client().Do(req)
		require.NoError(t, err)
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	leave[1]()
	leave[2]()
}

// TestWhatWouldComeBackOtherwiseIsRefusedByTheAPI sends one request of each kind, and finds nothing
// written.
func TestWhatWouldComeBackOtherwiseIsRefusedByTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	run := "/runs/" + w.waiting("approval").String()
	before := w.end()
	deep := strings.Repeat("[", 1_001) + strings.Repeat("]", 1_001)
	q := url.QueryEscape
	for name, c := range map[string]struct{ method, path, body string }{
		"a member twice in an input":      {"POST", "/sagas/approval/runs", `{"email":"a","email":"b"}`},
		"a member twice in a payload":     {"POST", run + "/signal", `{"name":"later","payload":{"a":{"b":1,"b":2}}}`},
		"a member twice in a bulk filter": {"POST", "/bulk", `{"act":"pause","all":true,"filter":{"sagas":["nobody"]},"filter":{}}`},
		"bytes that are no UTF-8":         {"POST", "/sagas/approval/runs", "{\"email\":\"\xff\"}"},
		"half a character":                {"POST", "/events", `{"stream":"s","type":"a.b","payload":"\ud800"}`},
		"a byte order mark":               {"POST", "/sagas/approval/runs", "\ufeff{\"email\":\"a\"}"},
		"a deep payload":                  {"POST", "/events", `{"stream":"s","type":"a.b","payload":` + deep + `}`},
		"two values":                      {"POST", "/sagas/approval/runs", `{"email":"a"} {}`},
		"a control character in a reason": {"POST", run + "/pause", `{"reason":"\u001b[31m"}`},
		"a control character in a signal": {"POST", run + "/signal", `{"name":"a\u0000b"}`},
		"a control character in its id":   {"POST", run + "/signal", `{"name":"ab","id":"\n"}`},
		"one in a stream":                 {"POST", "/events", `{"stream":"a\u0007","type":"a.b"}`},
		"one in a type":                   {"POST", "/events", `{"stream":"a","type":"a.b\n"}`},
		"one in an event's id":            {"POST", "/events", `{"stream":"a","type":"a.b","id":"\u0000"}`},
		"one in a correlation id":         {"POST", "/events", `{"stream":"a","type":"a.b","correlation":"\u202e"}`},
		"one in a label":                  {"POST", "/sagas/approval/runs?label=" + q("a=\x00"), `{"email":"a"}`},
		"a label twice":                   {"POST", "/sagas/approval/runs?label=tenant=a&label=tenant=b", `{"email":"a"}`},
		"a label twice in a filter":       {"GET", "/runs?label=tenant=a&label=tenant=b", ""},
		"a year without four digits":      {"POST", "/sagas/approval/runs?deadline=" + q("9999-12-31T23:59:59-12:00"), `{"email":"a"}`},
		"a year before Christ":            {"POST", "/sagas/approval/runs?deadline=" + q("0000-01-01T00:00:00+14:00"), `{"email":"a"}`},
		"no time at all":                  {"POST", "/sagas/approval/runs?deadline=0001-01-01T00:00:00Z", `{"email":"a"}`},
		"a deadline an hour ago":          {"POST", "/sagas/approval/runs?deadline=" + q(time.Now().Add(-time.Hour).Format(time.RFC3339)), `{"email":"a"}`},
		"a deadline twice":                {"POST", "/sagas/approval/runs?deadline=2199-01-01T00:00:00Z&deadline=2198-01-01T00:00:00Z", `{"email":"a"}`},
		"a sort twice":                    {"GET", "/runs?sort=wake&sort=ended", ""},
		"a filter from the year 1":        {"GET", "/runs?to=0001-01-01T00:00:00Z", ""},
		"a filter to the year 9999":       {"GET", "/audit?from=9999-12-31T23:59:59Z", ""},
		"a filter of incidents":           {"GET", "/incidents?to=1677-01-01T00:00:00Z", ""},
		"a token until the year 10000":    {"POST", "/events", `{"stream":"","type":"a"}`},
		"an age below nothing":            {"POST", "/bulk", `{"act":"pause","filter":{"older_than":"-1h"}}`},
		"a revision that is none":         {"GET", run + "/events?from=18446744073709551615", ""},
		"a position that is none":         {"GET", "/events?before=18446744073709551615", ""},
		"words that are no UTF-8":         {"GET", "/runs?text=%ff", ""},
		"a label that is no UTF-8":        {"GET", "/runs?label=a%3D%c3", ""},
		"a name that is no UTF-8":         {"GET", "/sagas/%ff", ""},
		"a version below 1":               {"GET", "/runs?version=1&version=-1", ""},
		"version 0":                       {"GET", "/runs?version=0", ""},
		"a limit of no runs":              {"POST", "/bulk", `{"act":"pause","all":true,"dry_run":true,"limit":0}`},
		"a limit that no float64 holds":   {"POST", "/bulk", `{"act":"pause","all":true,"limit":1e400}`},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		a := w.do(c.method, c.path, body)
		require.Contains(t, []int{400, 422}, a.status, "%s: %s", name, a.body)
		require.NotContains(t, string(a.body), "panic", name)
		require.Less(t, len(a.body), 2_000, name)
	}
	for _, header := range []string{"a\x01b", "\xff", "a\u0085b"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.http.URL+"/sagas/approval/runs", strings.NewReader(`{"email":"a"}`))
		require.NoError(t, err)
		req.Header["Idempotency-Key"] = []string{header}
		res, err := w.http.Client().Do(req)
		if err != nil {
			continue // our own client refuses it
		}
		require.NoError(t, res.Body.Close())
		require.Contains(t, []int{400, 422}, res.StatusCode, "%q", header)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.http.URL+"/sagas/approval/runs", strings.NewReader(`{"email":"a"}`))
	require.NoError(t, err)
	req.Header = http.Header{"Idempotency-Key": {"a", "b"}, "Content-Type": {"application/json"}}
	res, err := w.http.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 422, res.StatusCode, "a key twice")
	require.Equal(t, before, w.end(), "nothing was written")
}

// TestWhatIsAcceptedComesBackTheSameFromTheAPI starts a run with what a careless reader would
// change.
func TestWhatIsAcceptedComesBackTheSameFromTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	payload := `{"big":12345678901234567890,"small":1e-400,"large":1e400,"exact":0.1000,"nul":"\u0000","half":"\ud83d\ude00","A":1,"a":2,"<b>":"&"}`
	w.do("POST", "/events", `{"stream":"s","type":"a.b","payload":`+payload+`}`).is(201)
	var page wire.Page[wire.Event]
	w.do("GET", "/events?latest=true&within=60s", nil).is(200).into(&page)
	require.Len(t, page.Items, 1)
	for e, err := range w.log.ReadStream(t.Context(), "s", 0) {
		require.NoError(t, err)
		require.Equal(t, payload, string(e.Data))
	}
	require.Contains(t, string(page.Items[0].Data), "12345678901234567890")
	require.Contains(t, string(page.Items[0].Data), "0.1000")
	require.Contains(t, string(page.Items[0].Data), "1e400")

	deadline := "2199-12-31T23:59:59.123456789-11:30"
	var res wire.Result
	w.do("POST", "/sagas/approval/runs?label=tenant=a&label=tenant=a&deadline="+url.QueryEscape(deadline), `{"email":"a"}`).is(202).into(&res)
	for e, err := range w.log.ReadStream(t.Context(), domain.RunStream(res.Run), 0) {
		require.NoError(t, err)
		f, err := domain.DecodeFact(&e)
		require.NoError(t, err)
		want, err := time.Parse(time.RFC3339Nano, deadline)
		require.NoError(t, err)
		require.True(t, want.Equal(f.Event.(*domain.RunStarted).Deadline))
		break
	}
	var runs wire.Page[wire.RunItem]
	w.do("GET", fmt.Sprintf("/runs?sort=wake&at_least=%d", w.position()), nil).is(200).into(&runs)
	require.Len(t, runs.Items, 1)
}

// end is the position of the log's last event, whatever its stream.
func (w *world) end() domain.Position {
	for r, err := range w.log.ReadAllBackward(w.t.Context(), domain.EndPosition, domain.Filter{}) {
		require.NoError(w.t, err)
		return r.Position
	}
	return 0
}
