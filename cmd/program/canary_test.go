package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
)

// canary is in every secret text of this test, and canaryNumber in every secret number.
const (
	canary       = "c4nary"
	canaryNumber = 4111990011229933
)

// songs is how the canary may be spelt: as it is, as base64 of bytes that begin with it, and, of
// the number, as stacks spell arguments.
var songs = []string{canary, fmt.Sprint(canaryNumber), "YzRuYXJ5", "0xe9bd547f076ed"}

type cage struct {
	Bird string `json:"bird"`
}

// Loose is embedded under a tag: its members stand among those of the struct that embeds it.
type Loose struct {
	Feather string `json:"feather"`
}

// ownSong writes its own JSON.
type ownSong struct {
	Song string `atone:"secret"`
}

func (s ownSong) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"tune": s.Song})
}

func (s *ownSong) UnmarshalJSON(raw []byte) error {
	var m map[string]string
	err := json.Unmarshal(raw, &m)
	s.Song = m["tune"]
	return err
}

// nest has a secret in every kind of field.
type nest struct {
	Loose  `atone:"secret"`
	N      int               `json:"n"`
	Text   string            `json:"text" atone:"secret"`
	Num    int64             `json:"num" atone:"secret"`
	Quoted int64             `json:"quoted,string" atone:"secret"`
	Ptr    *string           `json:"ptr" atone:"secret"`
	List   []string          `json:"list" atone:"secret"`
	Map    map[string]string `json:"map" atone:"secret"`
	Struct cage              `json:"struct" atone:"secret"`
	Any    any               `json:"any" atone:"secret"`
	Raw    json.RawMessage   `json:"raw" atone:"secret"`
	Bytes  []byte            `json:"bytes" atone:"secret"`
	Bare   string            `atone:"secret"`
	//lint:ignore SA5008 a member that is named "-" is what is tried
	Dash string    `json:"-," atone:"secret"`
	Own  ownSong   `json:"own"`
	Owns []ownSong `json:"owns"`
	Deep struct {
		Pin string `json:"pin" atone:"secret"`
	} `json:"deep"`
	Items []struct {
		Ring string `json:"ring" atone:"secret"`
	} `json:"items"`
	By map[string]struct {
		Egg string `json:"egg" atone:"secret"`
	} `json:"by"`
	More *nest `json:"more,omitempty"`
}

// nested returns the input of the canary's saga. Each value is another one.
func nested(t *testing.T, n int) string {
	t.Helper()
	text := `{"feather":"c4nary-00","n":` + fmt.Sprint(n) + `,"text":"c4nary-01","num":4111990011229933,"quoted":"4111990011229933","ptr":"c4nary-02",
		"list":["c4nary-03","c4nary-04"],"map":{"c4nary-05":"c4nary-06"},"struct":{"bird":"c4nary-07"},"any":{"x":["c4nary-08"]},"raw":["c4nary-09"],
		"bytes":"YzRuYXJ5LWJ5dGVz","BARE":"c4nary-10","-":"c4nary-11","own":{"tune":"c4nary-12"},"owns":[{"tune":"c4nary-13"}],
		"deep":{"pin":"c4nary-14"},"items":[{"ring":"c4nary-15"}],"by":{"a":{"egg":"c4nary-16"}},"more":{"text":"c4nary-17"}}`
	require.NoError(t, json.Unmarshal([]byte(text), new(nest)))
	return text
}

// quoting is an error that quotes what it should not.
func quoting(n nest) error {
	return fmt.Errorf("%s: %s %d %v %v %v %s %v refused", n.Text, n.Feather, n.Num, n.List, n.Struct, n.Any, n.Bytes, n.Own)
}

// aviary has the canary pass through every kind of step, and ends stuck.
func aviary() App {
	once := saga.Retry{MaxAttempts: 1}
	pass := &saga.Action[nest, nest]{Name: "pass", Retry: once, UndoRetry: once, HeartbeatTimeout: time.Minute,
		Undo: func(_ context.Context, did saga.Did[nest, nest]) error { return quoting(did.Output) },
		Do: func(ctx context.Context, n nest) (nest, error) {
			saga.Logger(ctx).Debug("passing", "n", n.N)
			return n, errors.Join(saga.Heartbeat(ctx, n), saga.Emit(ctx, "passed", n))
		}}
	// It is registered, and no saga names it.
	other := &saga.Action[nest, nest]{Name: "other", Effect: saga.NoEffect, Retry: once,
		Do: func(ctx context.Context, n nest) (nest, error) { return n, saga.Emit(ctx, "passed-other", n) }}
	fail := &saga.Action[nest, saga.None]{Name: "fail", Effect: saga.NoEffect, Retry: once,
		Do: func(_ context.Context, n nest) (saga.None, error) { return saga.None{}, quoting(n) }}
	panics := &saga.Action[nest, saga.None]{Name: "panics", Effect: saga.NoEffect, Retry: once,
		Do: func(_ context.Context, n nest) (saga.None, error) { panic(quoting(n)) }}
	// Its own type tells nothing.
	bare := &saga.Action[string, string]{Name: "bare", Effect: saga.NoEffect, Retry: once,
		Do: func(_ context.Context, s string) (string, error) { return s, nil }}
	planner := &saga.Action[saga.PlannerIn[nest], saga.Steps[nest]]{Name: "planner", Effect: saga.NoEffect, Retry: once,
		Do: func(_ context.Context, in saga.PlannerIn[nest]) (saga.Steps[nest], error) {
			if in.Round > 1 {
				return saga.Steps[nest]{Done: true, Output: in.Input}, nil
			}
			return saga.Steps[nest]{Do: []saga.NextStep{saga.Next(other, in.Input)}}, nil
		}}
	// It fails, and its probe knows better.
	lost := &saga.Action[nest, nest]{Name: "lost", Effect: saga.Irreversible, Retry: once,
		Do:    func(_ context.Context, n nest) (nest, error) { return n, quoting(n) },
		Probe: func(_ context.Context, n nest) (saga.Probed[nest], error) { return saga.Applied(n), nil }}
	handler := &saga.Action[saga.Failed, saga.None]{Name: "handler", Effect: saga.NoEffect, Retry: once,
		Do: func(_ context.Context, f saga.Failed) (saga.None, error) {
			return saga.None{}, fmt.Errorf("told of %s", f.Input)
		}}
	inner := saga.Define("inner", 1, func(f *saga.Flow, in saga.Ref[nest]) saga.Ref[nest] { return saga.Do(f, pass, in.In) })
	main := saga.Define("aviary", 1, func(f *saga.Flow, in saga.Ref[nest]) saga.Ref[saga.None] {
		did := saga.Do(f, pass, in.In)
		saga.Parallel(f,
			func(f *saga.Flow) { saga.Do(f, pass, did.In, saga.Name("left")) },
			func(f *saga.Flow) { saga.Do(f, bare, func(v saga.Scope) string { return did.In(v).Text }) })
		saga.Each(f, "birds", func(v saga.Scope) []string { return did.In(v).List }, func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] {
			return saga.Do(f, bare, item.In)
		})
		saga.Compute(f, "computed", func(v saga.Scope) nest { return did.In(v) })
		saga.Compute(f, "text", func(v saga.Scope) string { return "the bird is " + did.In(v).Text })
		saga.If(f, func(v saga.Scope) bool { return in.In(v).N > 0 }, func(f *saga.Flow) { saga.Do(f, pass, in.In, saga.Name("chosen")) }, nil)
		saga.Child(f, inner, did.In)
		saga.Plan(f, "planned", planner, did.In)
		told := saga.Await[nest](f, "told")
		seen := saga.AwaitEvent[nest](f, "seen", func(saga.Scope) string { return "b1rd" })
		saga.Do(f, pass, seen.In, saga.Name("after"))
		saga.Do(f, fail, told.In, saga.OnFail(saga.Ignore), saga.Name("ignored"))
		saga.Do(f, panics, told.In, saga.OnFail(saga.Ignore))
		saga.Compute(f, "code", func(v saga.Scope) string { panic(quoting(told.In(v))) }, saga.OnFail(saga.Ignore))
		return saga.Do(f, fail, told.In, saga.OnFail(saga.Ask))
	})
	turning := saga.Define("turning", 1, func(f *saga.Flow, in saga.Ref[nest]) saga.Ref[saga.None] {
		saga.Do(f, pass, in.In)
		return saga.Do(f, fail, in.In)
	}, saga.OnFailure(handler))
	posted := saga.Define("posted", 1, func(f *saga.Flow, in saga.Ref[nest]) saga.Ref[nest] { return saga.Do(f, lost, in.In) })
	return App{Name: "prog", Sagas: []saga.AnySaga{main, inner, turning, posted}, Actions: []saga.AnyAction{other, pass, fail}}
}

// mute fails where the canary sings, and tells what was heard around it.
func mute(t *testing.T, text, where string, args ...any) {
	t.Helper()
	for _, song := range songs {
		if i := strings.Index(text, song); i >= 0 {
			t.Errorf("%s: %.300s", fmt.Sprintf(where, args...), text[max(0, i-150):])
			return
		}
	}
}

// TestACanaryIsHeardAtNoOutlet plants a secret in every kind of field, has it pass through every
// kind of step, and reads everything that can be read: page, API, command line, exports, log,
// metrics, traces, alerts, and the views' database.
func TestACanaryIsHeardAtNoOutlet(t *testing.T) {
	var told, traced lockedBuffer
	var alerts, spans atomic.Int64
	sink := func(into *lockedBuffer, n *atomic.Int64) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			_, _ = into.Write(raw)
			n.Add(1)
		}))
		t.Cleanup(s.Close)
		return s
	}
	hook, collector := sink(&told, &alerts), sink(&traced, &spans)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	app, dir := aviary(), t.TempDir()
	url, log, stop := serving(t, app, dir, "--alert-webhook", hook.URL, "--verbose")
	remote := func(args ...string) (string, string, Exit) { return remotely(t, append(args, "--server", url)...) }
	var ids []string
	start := func(want Exit, args ...string) {
		out, errs, code := remote(args...)
		require.Equal(t, want, code, errs)
		mute(t, errs, "what is shown by %v", args[:2])
		if out = strings.TrimSpace(out); len(out) == 36 {
			ids = append(ids, out)
		}
	}
	start(ExitOK, "start", "aviary", "-d", nested(t, 1), "--key", "k")
	start(ExitOK, "signal", "aviary:k", "told", "-d", nested(t, 2))
	start(ExitOK, "emit", "seen", "-d", nested(t, 6), "--correlation", "b1rd")
	start(ExitOK, "start", "posted", "-d", nested(t, 7), "--key", "p")
	start(ExitOK, "invoke", "other", "-d", nested(t, 3), "--key", "i")
	start(ExitOK, "start", "turning", "-d", nested(t, 4), "--key", "b")
	start(ExitCompensated, "invoke", "fail", "-d", nested(t, 5), "--key", "f")
	out := ""
	eventually(t, func() bool {
		out, _, _ = remote("runs", "--all", "-o", "json")
		return strings.Count(out, `"stuck"`) >= 2 && strings.Contains(out, `"compensated"`)
	})
	for _, m := range regexp.MustCompile(`"run": ?"([0-9a-f-]{36})"`).FindAllStringSubmatch(out, -1) {
		ids = append(ids, m[1])
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	require.GreaterOrEqual(t, len(ids), 6, out)

	hearCommands(t, "server", ids, remote)
	hearPages(t, url, ids)
	hearOperations(t, url, ids)
	eventually(t, func() bool { return alerts.Load() > 0 && spans.Load() > 0 })
	stop()
	mute(t, told.String(), "alerts")
	mute(t, traced.String(), "traces")
	mute(t, log.String(), "the server's log")
	hearCommands(t, "directory", ids, func(args ...string) (string, string, Exit) { return prog(t, app, dir, append(args, "--verbose")...) })
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.Contains(filepath.Base(p), "views") && !d.IsDir() {
			raw, err := os.ReadFile(p)
			require.NoError(t, err)
			mute(t, string(raw), "file %s", filepath.Base(p))
		}
		return err
	}))
}

// hearCommands runs every command that shows something of runs.
func hearCommands(t *testing.T, where string, ids []string, run commandLine) {
	t.Helper()
	all := [][]string{{"export"}, {"audit", "--error", canary}, {"runs", "--error", canary}, {"audit", "--all", "-o", "json"}, {"audit", "--all", "-o", "csv"},
		{"runs", "--all", "-o", "json"}, {"runs", "--all", "-o", "csv"}, {"runs", "--all"}, {"incidents"}, {"incidents", "-o", "json"}, {"incidents", "--each", "-o", "json"}, {"stats", "-o", "json"}, {"sagas", "-o", "json"}, {"actions", "-o", "json"}}
	for _, id := range ids {
		for _, what := range []string{"show", "why", "undo-preview", "explore", "audit"} {
			all = append(all, []string{what, id}, []string{what, id, "-o", "json"})
		}
		all = append(all, []string{"audit", id, "-o", "ndjson"}, []string{"audit", id, "-o", "csv"})
	}
	for _, args := range all {
		out, errs, code := run(args...)
		require.Equal(t, ExitOK, code, "%s %v: %s", where, args, errs)
		mute(t, out+errs, "%s: %v", where, args)
	}
	for _, args := range [][]string{
		{"start", "aviary", "-d", `{"n":"c4nary"}`}, {"start", "aviary", "-d", `{"num":"c4nary-x1"}`}, {"start", "aviary", "-d", `{"num":41119900112299330000000}`},
		{"signal", "aviary:k", "told", "-d", `{"quoted":"c4nary-x2"}`}, {"resolve", "aviary:k", "fail", "--substitute", `{"num":"c4nary-x3"}`, "--yes"}, {"resolve", "aviary:k", "fail", "--substitute", `{"num":"c4nary-x3"}`}, {"invoke", "other", "-d", `{"text":41119900112299330}`},
	} {
		_, errs, code := run(args...)
		require.NotZero(t, code, "%v", args)
		mute(t, errs, "%s: %v", where, args)
	}
}

// read returns what the server answers, whatever the status: of a stream, which has no end, what
// comes in its first second.
func read(t *testing.T, url string, header ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	stream := strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream")
	if stream {
		defer time.AfterFunc(time.Second, cancel).Stop()
	}
	raw, err := io.ReadAll(res.Body)
	if !stream {
		require.NoError(t, err, url)
	}
	return string(raw)
}

// link finds what a page leads to: links, and what its scripts ask for.
var link = regexp.MustCompile(`(?:href|src|data-[a-z]+|hx-get)="(/[^"#]*)`)

// hearPages follows every link from the first page on, and looks at every moment of every run.
func hearPages(t *testing.T, url string, ids []string) {
	t.Helper()
	todo := []string{"/"}
	for _, id := range ids {
		for _, tab := range []string{"", "plan", "audit", "undo", "data"} {
			for _, at := range []string{"", "0", "3", "9", "20"} {
				todo = append(todo, "/ui/runs/"+id+"?tab="+tab+"&at="+at)
			}
		}
	}
	seen := map[string]bool{}
	for len(todo) > 0 && len(seen) < 700 {
		path := strings.ReplaceAll(todo[0], "&amp;", "&")
		todo = todo[1:]
		if seen[path] || strings.Contains(path, "/static/") {
			continue
		}
		seen[path] = true
		body := read(t, url+path, "Accept", "text/html")
		mute(t, body, "page %s", path)
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			todo = append(todo, m[1])
		}
	}
	require.Greater(t, len(seen), 50, "pages")
}

// hearOperations calls every GET of the API's description, for every run.
func hearOperations(t *testing.T, url string, ids []string) {
	t.Helper()
	var doc struct{ Paths map[string]map[string]any }
	require.NoError(t, json.Unmarshal([]byte(read(t, url+"/openapi.json")), &doc))
	require.Greater(t, len(doc.Paths), 20)
	for path, methods := range doc.Paths {
		if methods["get"] == nil || strings.HasSuffix(path, "/result") {
			// A run's own result is for whoever starts it: it takes another scope, and is not
			// redacted.
			continue
		}
		paths := []string{path}
		if strings.Contains(path, "{id}") {
			paths = paths[:0]
			for _, id := range ids {
				paths = append(paths, strings.ReplaceAll(path, "{id}", id))
			}
		}
		for _, p := range paths {
			for _, accept := range []string{"application/json", "text/event-stream"} {
				if accept == "text/event-stream" && !strings.Contains(path, "events") && !strings.Contains(path, "stream") {
					continue
				}
				mute(t, read(t, url+p, "Accept", accept), "GET %s as %s", p, accept)
			}
			mute(t, read(t, url+p+"?from=8&limit=3&at=8&format=csv"), "GET %s, from the middle", p)
		}
	}
	for _, p := range []string{"/metrics", "/audit?words=c4nary-01", "/audit?q=c4nary", "/events?type=passed", "/events?type=passed-other&latest=true&within=60s"} {
		mute(t, read(t, url+p), "GET %s", p)
	}
	require.Contains(t, read(t, url+"/events?type=passed-other&latest=true&within=60s"), `"n":3`, "the emitted event is there")
}
