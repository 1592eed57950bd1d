package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

// stream opens a live stream and returns its lines and a function that closes it.
func (w *world) stream(path string, headers ...string) (*bufio.Scanner, func()) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.http.URL+path, nil)
	require.NoError(w.t, err)
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.http.Client().Do(req)
	require.NoError(w.t, err)
	require.Equal(w.t, 200, res.StatusCode)
	require.Equal(w.t, "text/event-stream", res.Header.Get("Content-Type"))
	return bufio.NewScanner(res.Body), func() { res.Body.Close() }
}

// next returns the id and type of the next event of a stream; ok is false at its end.
func next(s *bufio.Scanner) (id, kind string, ok bool) {
	for s.Scan() {
		if v, found := strings.CutPrefix(s.Text(), "id: "); found {
			id = v
		}
		if v, found := strings.CutPrefix(s.Text(), "event: "); found {
			return id, v, true
		}
	}
	return "", "", false
}

func TestAStreamTellsWhatWasAndWhatComesAndResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	run := "/runs/" + w.waiting("approval").String()
	lines, leave := w.stream(run + "/events")
	var kinds []string
	last := ""
	for last == "" || kinds[len(kinds)-1] != "await.opened.v1" {
		id, kind, ok := next(lines)
		require.True(t, ok)
		last, kinds = id, append(kinds, kind)
	}
	leave()
	require.Equal(t, []string{"run.started.v1", "attempt.started.v1", "attempt.succeeded.v1", "await.opened.v1"}, kinds)

	resumed, leave := w.stream(run+"/events", "Last-Event-ID", last)
	defer leave()
	w.do("POST", run+"/signal", `{"name":"approve","payload":"yes"}`).is(204)
	kinds = nil
	for {
		_, kind, ok := next(resumed)
		if !ok {
			break // the run has ended, and so has the stream
		}
		kinds = append(kinds, kind)
	}
	require.Equal(t, []string{"signal.received.v1", "await.met.v1", "run.completed.v1"}, kinds)
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{adjust: func(c *httpapi.Config) { c.MaxStreams = 1 }})
	run := "/runs/" + w.waiting("approval").String()
	lines, leave := w.stream(run + "/events")
	_, _, ok := next(lines)
	require.True(t, ok)
	w.do("GET", run+"/events", nil, "Accept", "text/event-stream").problem(503, wire.ProblemBusy)
	leave()
}

func TestEventsAreEmittedOnceByTheirID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	body := `{"stream":"order-7","type":"order.placed","payload":{"n":1},"id":"o-7","correlation":"c-7"}`
	first := w.do("POST", "/events", body).is(201)
	require.Equal(t, string(first.body), string(w.do("POST", "/events", body).is(201).body))
	w.do("POST", "/events", `{"stream":"order-7","type":"order.placed","payload":{"n":2},"id":"o-7","correlation":"c-7"}`).problem(409, wire.ProblemKeyConflict)
	for _, bad := range []string{`{"stream":"run-6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e01","type":"a.b"}`, `{"stream":"$all","type":"a.b"}`, `{"stream":"s","type":"run.started.v1"}`, `{"stream":"atone-tokens","type":"a.b"}`} {
		w.do("POST", "/events", bad).problem(422, wire.ProblemBadInput)
	}
	w.start("signup", form{Email: "a"})
	var page wire.Page[wire.Event]
	w.do("GET", "/events?type=order.placed&at_least="+position(w), nil).is(200).into(&page)
	require.Len(t, page.Items, 1)
	require.Equal(t, "c-7", page.Items[0].Correlation)
	require.Equal(t, "local", page.Items[0].Actor)
	require.JSONEq(t, `{"n":1}`, string(page.Items[0].Data))
}

// TestDomainEventsAreFoundAndPaged by everything that they can be asked for, in both directions.
func TestDomainEventsAreFoundAndPaged(t *testing.T) {
	t.Parallel()
	lost := &losing{}
	w := newWorld(t, worldConfig{adjust: func(c *httpapi.Config) { lost.Log, c.Log = c.Log, lost }})
	var last saga.Emitted
	for i := range 7 {
		body := fmt.Sprintf(`{"stream":"order-%d","type":"order.%s","payload":{"n":%d},"correlation":"c-%d"}`, i%3, []string{"placed", "paid"}[i%2], i, i%4)
		w.do("POST", "/events", body).is(201).into(&last)
	}
	w.start("signup", form{Email: "a"})
	numbers := func(query string) (out []string, next string) {
		var page wire.Page[wire.Event]
		w.do("GET", fmt.Sprintf("/events?at_least=%d&%s", last.Position, query), nil).is(200).into(&page)
		require.GreaterOrEqual(t, page.Position, last.Position)
		for _, e := range page.Items {
			out = append(out, strings.Trim(string(e.Data), `{"n:}`)+e.Missing)
		}
		return out, page.Next
	}
	for query, want := range map[string]string{
		"":                              "6 5 4 3 2 1 0",
		"ascending=true":                "0 1 2 3 4 5 6",
		"type=order.paid":               "5 3 1",
		"type_prefix=order.pl":          "6 4 2 0",
		"type=order.paid&stream=order-": "5 3 1",
		"stream=order":                  "6 5 4 3 2 1 0",
		"stream_name=order-1":           "4 1",
		"stream_name=order":             "",
		"correlation=c-1":               "5 1",
		"correlation=c-1&type=nothing":  "",
		"from=2100-01-01T00:00:00Z":     "",
		"to=2100-01-01T00:00:00Z&from=2000-01-01T00:00:00Z&stream_name=order-2": "5 2",
		"latest=true&limit=2": "6 5",
	} {
		got, _ := numbers(query)
		require.Equal(t, want, strings.Join(got, " "), query)
	}
	for order, want := range map[string]string{"before": "6 5 4 3 2 1 0", "ascending=true&after": "0 1 2 3 4 5 6"} {
		page, next := numbers("limit=3&" + order + "=0")
		all := page
		for next != "" {
			require.Len(t, page, 3)
			page, next = numbers("limit=3&" + order + "=" + next)
			all = append(all, page...)
		}
		require.Equal(t, want, strings.Join(all, " "))
	}
	lost.stream.Store("order-2")
	got, _ := numbers("limit=3")
	require.Equal(t, []string{"6", "deleted from the log since", "4"}, got, "it is listed, and said to be gone")
	w.do("GET", "/events?type_prefix="+strings.Repeat("x", 251), nil).is(422)
	w.do("GET", "/events?at_least=9223372036854775807&within=1ms", nil).is(503)
}

// losing is a log that has lost a stream.
type losing struct {
	httpapi.Log
	stream atomic.Value
}

func (l *losing) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	if stream == l.stream.Load() {
		return func(func(domain.Recorded, error) bool) {}
	}
	return l.Log.ReadStream(ctx, stream, from)
}

func TestHistoryTellsHowARunWasAndWhatACancelWouldDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	run := "/runs/" + w.waiting("approval").String()
	var now, then wire.Run
	w.do("GET", run+"/state", nil).is(200).into(&now)
	w.do("GET", run+"/state?at=1", nil).is(200).into(&then)
	require.Equal(t, int64(1), then.Revision)
	require.Equal(t, machine.Running, then.Steps[0].Phase)
	require.Equal(t, machine.Done, now.Steps[0].Phase)
	w.do("GET", run+"/state?at=1000", nil).problem(404, wire.ProblemNotFound)
	refused := w.do("GET", run+"/state?at=-1", nil)
	refused.problem(422, wire.ProblemBadInput)
	require.Contains(t, string(refused.body), "expected number \u003e= 0")
	require.Contains(t, string(refused.body), "query.at")

	var why explain.Reason
	w.do("GET", run+"/why", nil).is(200).into(&why)
	require.Equal(t, "approve: waits for signal approve", why.Text)
	var preview explain.Preview
	w.do("GET", run+"/undo-preview", nil).is(200).into(&preview)
	require.Equal(t, domain.RunIsCancelled, preview.Ends)
	require.Len(t, preview.Steps, 1)
	require.Equal(t, explain.MoveUndo, preview.Steps[0].Do)
	require.Equal(t, "create-user", preview.Steps[0].Step)
	require.Contains(t, string(w.do("GET", run+"/diagram", nil).is(200).body), "flowchart")

	committed := "/runs/" + w.waiting("committed").String()
	w.do("GET", committed+"/undo-preview", nil).is(200).into(&preview)
	require.NotEmpty(t, preview.Refused)
	w.do("POST", committed+"/cancel", `{}`).problem(409, wire.ProblemPastPivot)
	var story story.Story
	w.do("GET", run+"/audit", nil).is(200).into(&story)
	require.Equal(t, "run.started", story.Lines[0].What)
}

func TestIncidentsAreFoundAndResolvedInBulk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	for range 3 {
		require.Equal(t, domain.RunIsStuck, w.start("asking", form{Email: "a", Fail: "charge"}).State)
	}
	other := w.start("signup", form{Email: "b", Fail: "undo"})
	require.Equal(t, "create-user", other.Step)
	var open wire.Page[wire.Incident]
	w.do("GET", "/incidents?action=charge&at_least="+position(w), nil).is(200).into(&open)
	require.Len(t, open.Items, 3)
	var report struct{ Matched, Done, Failed int }
	w.do("POST", "/bulk", `{"act":"substitute","filter":{"action":"charge"},"output":{"id":"by hand"},"dry_run":true}`).is(200).into(&report)
	require.Equal(t, struct{ Matched, Done, Failed int }{3, 0, 0}, report)
	w.do("POST", "/bulk", `{"act":"substitute","filter":{"action":"charge"},"output":{"id":"by hand"},"reason":"paid in cash"}`).is(200).into(&report)
	require.Equal(t, struct{ Matched, Done, Failed int }{3, 3, 0}, report)
	w.do("GET", "/incidents?at_least="+position(w), nil).is(200).into(&open)
	require.Len(t, open.Items, 1, "the one that is stuck in its undo")
	w.do("POST", "/runs/"+other.Run.String()+"/resolve", `{"how":"substitute","output":1}`).problem(422, wire.ProblemBadInput)
	w.do("POST", "/bulk", `{"act":"pause","filter":{}}`).problem(422, wire.ProblemBadInput)
}

func position(w *world) string { return strconv.FormatUint(uint64(w.position()), 10) }
