package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// logEnd is the position of the log's last event.
func logEnd(t *testing.T, log domain.Log) domain.Position {
	t.Helper()
	for r, err := range log.ReadAllBackward(t.Context(), domain.EndPosition, domain.Filter{}) {
		require.NoError(t, err)
		return r.Position
	}
	return 0
}

// firstOf returns the run's first event.
func firstOf(t *testing.T, log domain.Log, id domain.RunID) *domain.RunStarted {
	t.Helper()
	for r, err := range log.ReadStream(t.Context(), domain.RunStream(id), 0) {
		require.NoError(t, err)
		f, err := domain.DecodeFact(&r)
		require.NoError(t, err)
		return f.Event.(*domain.RunStarted)
	}
	return nil
}

// raw is a saga of JSON as it is: an action that echoes, and waits for three signals.
func rawSaga(name string, buffer []byte) (*saga.Action[json.RawMessage, json.RawMessage], *saga.Saga[json.RawMessage, []json.RawMessage]) {
	echo := &saga.Action[json.RawMessage, json.RawMessage]{Name: name + "-echo", Effect: saga.NoEffect, Retry: fastRetry,
		Do: func(_ context.Context, in json.RawMessage) (json.RawMessage, error) {
			if buffer == nil {
				return in, nil
			}
			copy(buffer, in) // the next call writes over what this one returned
			return buffer[:len(in)], nil
		}}
	return echo, saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[json.RawMessage]) saga.Ref[[]json.RawMessage] {
		first := saga.Do(f, echo, in.In)
		second := saga.Do(f, echo, func(saga.Scope) json.RawMessage { return json.RawMessage(`"overwritten"`) }, saga.Name("again"))
		got := []saga.Ref[json.RawMessage]{first, second}
		for i := range 3 {
			got = append(got, saga.Await[json.RawMessage](f, "more", saga.Name(fmt.Sprintf("more-%d", i+1))))
		}
		return saga.Return(f, func(v saga.Scope) []json.RawMessage {
			var out []json.RawMessage
			for _, r := range got {
				out = append(out, r.In(v))
			}
			return out
		})
	})
}

// TestWhatIsHandedInIsCopied writes over every buffer as soon as it was handed in, and over what is
// handed out.
func TestWhatIsHandedInIsCopied(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	_, s := rawSaga("copied", make([]byte, 100))
	c := begin(t, log, saga.Config{}, s)
	scribble := func(b []byte) {
		for i := range b {
			b[i] = 'x'
		}
	}
	input, labels := json.RawMessage(`{"n":12345678901234567890}`), map[string]string{"tenant": "a"}
	option := saga.Labels(labels)
	labels["tenant"] = "b"
	id, err := c.StartByName(t.Context(), "copied", 0, input, option)
	labels["tenant"] = "c"
	scribble(input)
	require.NoError(t, err)
	for _, text := range []string{`1`, `2`, `3`} {
		payload := json.RawMessage(text)
		require.NoError(t, c.Signal(t.Context(), id, "more", payload, saga.SignalID("")), "an empty id is none")
		scribble(payload)
	}
	event := json.RawMessage(`{"a":1}`)
	_, err = c.EmitEvent(t.Context(), "orders", "order.placed", event, saga.EmitOptions{})
	require.NoError(t, err)
	scribble(event)
	out, err := c.Wait(t.Context(), id)
	require.NoError(t, err)
	const want = `[{"n":12345678901234567890},"overwritten",1,2,3]`
	require.Equal(t, want, string(out))
	scribble(out)
	again, err := c.Wait(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, want, string(again))
	started := firstOf(t, log, id)
	require.Equal(t, `{"n":12345678901234567890}`, string(started.Input))
	require.Equal(t, map[string]string{"tenant": "a"}, started.Labels)
	for r, err := range log.ReadStream(t.Context(), "orders", 0) {
		require.NoError(t, err)
		require.Equal(t, `{"a":1}`, string(r.Data))
	}
}

// text is an input whose texts encoding/json would change in silence.
type text struct {
	S string
	M map[string]any
}

// TestWhatWouldComeBackOtherwiseIsRefused hands in one of each kind by the Go API, and finds
// nothing written.
func TestWhatWouldComeBackOtherwiseIsRefused(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	_, s := rawSaga("strict", nil)
	texts := saga.Define("texts", 1, func(f *saga.Flow, in saga.Ref[text]) saga.Ref[text] {
		return saga.Do(f, &saga.Action[text, text]{Name: "same", Effect: saga.NoEffect, Do: func(_ context.Context, in text) (text, error) { return in, nil }}, in.In)
	})
	c := begin(t, log, saga.Config{}, s, texts)
	ctx := t.Context()
	run, err := c.StartByName(ctx, "strict", 0, json.RawMessage(`1`))
	require.NoError(t, err)
	sagatest.UntilOn(t, log, run, func(v explain.Run) bool { return len(v.Steps) >= 3 })
	before := logEnd(t, log)
	start := func(input string, opts ...saga.StartOption) func() error {
		return func() error { _, err := c.StartByName(ctx, "strict", 0, json.RawMessage(input), opts...); return err }
	}
	emit := func(stream, typ, payload string, opts saga.EmitOptions) func() error {
		return func() error { _, err := c.EmitEvent(ctx, stream, typ, json.RawMessage(payload), opts); return err }
	}
	signal := func(name, payload string, opts ...saga.SignalOption) func() error {
		return func() error { return c.Signal(ctx, run, name, json.RawMessage(payload), opts...) }
	}
	year := func(y int, zone int) saga.StartOption {
		return saga.RunDeadline(time.Date(y, 12, 31, 23, 59, 59, 0, time.FixedZone("", zone*3600)))
	}
	ghost := saga.WithActor(ctx, "kim\x1b[2J")
	for name, call := range map[string]func() error{
		"a member twice":        start(`{"a":1,"a":2}`),
		"no UTF-8":              start("\"\xff\""),
		"a byte order mark":     start("\ufeff1"),
		"half a character":      start(`"\udc00"`),
		"nested too deep":       start(strings.Repeat("[", 1_001) + strings.Repeat("]", 1_001)),
		"too large":             start(`"` + strings.Repeat("x", 512<<10) + `"`),
		"no UTF-8 in a Go text": func() error { _, err := saga.Start(ctx, c, texts, text{S: "\xff"}); return err },
		"no UTF-8 in a Go map": func() error {
			_, err := saga.Start(ctx, c, texts, text{M: map[string]any{"k": []any{"a\x80"}}})
			return err
		},
		"a key with a line":           start(`1`, saga.Key("a\nb")),
		"a key with NUL":              start(`1`, saga.Key("a\x00")),
		"a key that is no UTF-8":      start(`1`, saga.Key("\xc3")),
		"a key too long":              start(`1`, saga.Key(strings.Repeat("k", 501))),
		"a label's name":              start(`1`, saga.Labels(map[string]string{"a\tb": "1"})),
		"a label without a name":      start(`1`, saga.Labels(map[string]string{"": "1"})),
		"a label's value":             start(`1`, saga.Labels(map[string]string{"a": "\u202e"})),
		"a trace":                     start(`1`, saga.TraceParent("00\n")),
		"an actor":                    func() error { _, err := c.StartByName(ghost, "strict", 0, nil); return err },
		"an actor who cancels":        func() error { return c.Cancel(ghost, run, "") },
		"an actor who emits":          func() error { _, err := c.EmitEvent(ghost, "s", "a.b", nil, saga.EmitOptions{}); return err },
		"a deadline an hour ago":      start(`1`, saga.RunDeadline(time.Now().Add(-time.Hour))),
		"a deadline in year 10000":    start(`1`, year(9999, -12)),
		"a deadline in year -1":       start(`1`, year(-1, 0)),
		"a deadline beyond all views": start(`1`, year(2262, 0)),
		"a deadline before all views": start(`1`, year(1500, 0)),
		"a reason":                    func() error { return c.Pause(ctx, run, "a\x00b") },
		"a reason that is no UTF-8":   func() error { return c.Cancel(ctx, run, "\xff") },
		"a reason too long":           func() error { return c.Abandon(ctx, run, strings.Repeat("r", 17<<10)) },
		"a signal's name":             signal("a\nb", `1`),
		"a signal without a name":     signal("", `1`),
		"a signal's name too long":    signal(strings.Repeat("n", 251), `1`),
		"a signal's id":               signal("more", `1`, saga.SignalID("\x07")),
		"a signal's payload":          signal("more", `{"a":1,"a":1}`),
		"a signal's Go payload":       func() error { return c.Signal(ctx, run, "other", text{S: "\xfe"}) },
		"an output to substitute":     func() error { return c.Substitute(ctx, run, "", json.RawMessage("\"\xff\""), "") },
		"no output to substitute":     func() error { return c.Substitute(ctx, run, "", nil, "") },
		"a stream":                    emit("a\x00", "a.b", `1`, saga.EmitOptions{}),
		"a stream that is no UTF-8":   emit("\xff", "a.b", `1`, saga.EmitOptions{}),
		"a type":                      emit("s", "a.b\r", `1`, saga.EmitOptions{}),
		"an event's payload":          emit("s", "a.b", `{"a":{"b":1,"b":2}}`, saga.EmitOptions{}),
		"an event's id":               emit("s", "a.b", `1`, saga.EmitOptions{ID: "\x01"}),
		"a correlation id":            emit("s", "a.b", `1`, saga.EmitOptions{Correlation: "\ufeffa"}),
		"a bulk reason": func() error {
			_, err := c.Bulk(ctx, saga.BulkRequest{Act: saga.BulkPause, All: true, Reason: "\x00"})
			return err
		},
		"a bulk output": func() error {
			_, err := c.Bulk(ctx, saga.BulkRequest{Act: saga.BulkSubstitute, All: true, Reason: "x", Output: json.RawMessage(`{"a":1,"a":2}`)})
			return err
		},
	} {
		err := call()
		require.ErrorIs(t, err, saga.ErrBadInput, name)
		require.Less(t, len(err.Error()), 700, name)
		require.NotContains(t, err.Error(), "\x00", name)
	}
	require.Equal(t, before, logEnd(t, log), "nothing was written")
	require.NoError(t, signal("more", `{"a":1,"A":2}`, saga.SignalID("1"))())
	require.NoError(t, signal("more", `{"a":1,"A":2}`, saga.SignalID("1"))(), "a repeat")
	_, err = saga.Start(ctx, c, texts, text{S: "\ufffd", M: map[string]any{`\ufffd`: "\\ufffd"}})
	require.NoError(t, err, "the replacement character itself is a character")
}

// TestAnEventEmittedAfterTheHandlerReturnedIsRefused has a goroutine that a handler left behind.
func TestAnEventEmittedAfterTheHandlerReturnedIsRefused(t *testing.T) {
	t.Parallel()
	late, again := make(chan context.Context, 2), &saga.Action[string, string]{Name: "leaves", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1}}
	again.Do = func(ctx context.Context, in string) (string, error) {
		late <- ctx
		if err := saga.Emit(ctx, "bad\ntype", 1); err == nil {
			return "", errors.New("a type with a line was accepted")
		}
		if err := saga.Emit(ctx, "good.type", json.RawMessage(`{"a":1,"a":2}`)); err == nil {
			return "", errors.New("a member twice was accepted")
		}
		if in == "fail" {
			return "", saga.Permanent(errors.New("no"))
		}
		return in, saga.Emit(ctx, "in.time", "now")
	}
	other, err := saga.New(saga.Config{Log: memlog.New()})
	require.NoError(t, err)
	require.NoError(t, other.RegisterActions(again))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- other.Run(ctx) }()
	for _, in := range []string{"ok", "fail"} {
		_, err := saga.Invoke(ctx, other, again, in)
		require.Equal(t, in == "fail", err != nil, "%v", err)
		require.ErrorContains(t, saga.Emit(<-late, "too.late", "lost"), "has returned")
	}
	cancel()
	require.NoError(t, <-ended)
}

// TestASagaAndAnActionOfOneNameHaveKeysOfTheirOwn starts both with one key, in both orders, in a
// log in which the key named one id for either, and after a restart.
func TestASagaAndAnActionOfOneNameHaveKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	act := &saga.Action[string, string]{Name: "pay", Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return "action " + in, nil }}
	s := saga.Define("pay", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Do(f, act, in.In)
		return saga.Return(f, func(v saga.Scope) string { return "saga " + in.In(v) })
	})
	log := memlog.New()
	ids := map[string]domain.RunID{}
	for range 2 { // the second time every start finds its run
		c := begin(t, log, saga.Config{}, s)
		note := func(what string, id domain.RunID, err error) {
			require.NoError(t, err, what)
			if known, ok := ids[what]; ok {
				require.Equal(t, known, id, what)
			}
			ids[what] = id
		}
		for _, key := range []string{"saga first", "action first"} {
			for _, kind := range []string{key[:strings.Index(key, " ")], "saga", "action"} {
				what := kind + " with " + key
				if kind == "saga" {
					run, err := saga.Start(t.Context(), c, s, "x", saga.Key(key))
					require.NoError(t, err)
					out, err := run.Wait(t.Context())
					note(what, run.ID, err)
					require.Equal(t, "saga x", out, "the saga itself ran")
					_, err = saga.Start(t.Context(), c, s, "y", saga.Key(key))
					require.ErrorIs(t, err, saga.ErrKeyConflict)
					late, err := saga.Start(t.Context(), c, s, "x", saga.Key(key), saga.RunDeadline(time.Now().Add(-time.Hour)))
					require.NoError(t, err, "a start whose deadline passed meanwhile finds its run")
					require.Equal(t, run.ID, late.ID)
					continue
				}
				id, err := c.InvokeByName(t.Context(), "pay", json.RawMessage(`"x"`), saga.Key(key))
				note(what, id, err)
				out, err := c.Wait(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, `"action x"`, string(out))
				_, err = c.InvokeByName(t.Context(), "pay", json.RawMessage(`"y"`), saga.Key(key))
				require.ErrorIs(t, err, saga.ErrKeyConflict)
			}
		}
	}
	require.Equal(t, domain.RunIDForKey("pay", "saga first"), ids["saga with saga first"], "as in every log before")
	require.Equal(t, domain.RunIDForKey("pay", "action first"), ids["action with action first"], "as in every log before")
	require.NotEqual(t, ids["saga with saga first"], ids["action with saga first"])
	require.NotEqual(t, ids["saga with action first"], ids["action with action first"])
}

// TestASagaAndAnActionRaceForAKey starts both at once, many times: each kind has one run.
func TestASagaAndAnActionRaceForAKey(t *testing.T) {
	t.Parallel()
	act := &saga.Action[string, string]{Name: "pay", Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return "action", nil }}
	s := saga.Define("pay", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Do(f, act, in.In)
		return saga.Return(f, func(saga.Scope) string { return "saga" })
	})
	c := begin(t, memlog.New(), saga.Config{}, s)
	for i := range 50 {
		key := saga.Key(fmt.Sprint("k", i))
		var all sync.WaitGroup
		var mu sync.Mutex
		ids := map[string]map[domain.RunID]bool{"saga": {}, "action": {}}
		for n := range 8 {
			all.Go(func() {
				kind := []string{"saga", "action"}[n%2]
				var id domain.RunID
				var err error
				if kind == "saga" {
					id, err = c.StartByName(t.Context(), "pay", 0, json.RawMessage(`"x"`), key)
				} else {
					id, err = c.InvokeByName(t.Context(), "pay", json.RawMessage(`"x"`), key)
				}
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[kind][id] = true
			})
		}
		all.Wait()
		require.Len(t, ids["saga"], 1)
		require.Len(t, ids["action"], 1)
		for kind, set := range ids {
			for id := range set {
				out, err := c.Wait(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, `"`+kind+`"`, string(out))
			}
		}
	}
}

func TestAnEndedRunIsNotResumed(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	s := saga.Define("pausable", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") })
	c := begin(t, log, saga.Config{}, s)
	run, err := saga.Start(t.Context(), c, s, "")
	require.NoError(t, err)
	require.NoError(t, c.Pause(t.Context(), run.ID, "wait"))
	require.NoError(t, c.Abandon(t.Context(), run.ID, "no more"))
	before := logEnd(t, log)
	require.ErrorIs(t, c.Resume(t.Context(), run.ID, "on"), saga.ErrEnded)
	require.ErrorIs(t, c.Pause(t.Context(), run.ID, "on"), saga.ErrEnded)
	require.Equal(t, before, logEnd(t, log))
}

// stopping is a log whose appends wait until the coordinator stops.
type stopping struct {
	domain.Log
	mu    sync.Mutex
	begun chan struct{}
}

func (l *stopping) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	l.mu.Lock()
	begun := l.begun
	l.mu.Unlock()
	if begun == nil || !strings.HasPrefix(stream, domain.RunPrefix) {
		return l.Log.Append(ctx, stream, expected, events...)
	}
	select {
	case begun <- struct{}{}:
	default:
	}
	<-ctx.Done()
	return domain.Appended{}, ctx.Err()
}

// TestACallDuringAStopSaysThatTheCoordinatorStopped has calls in flight when Run's context ends.
func TestACallDuringAStopSaysThatTheCoordinatorStopped(t *testing.T) {
	t.Parallel()
	log := &stopping{Log: memlog.New()}
	s := saga.Define("slow", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") })
	c, err := saga.New(saga.Config{Log: log, ShutdownTimeout: time.Second})
	require.NoError(t, err)
	require.NoError(t, c.Register(s))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	run, err := saga.Start(t.Context(), c, s, "")
	require.NoError(t, err)
	log.mu.Lock()
	log.begun = make(chan struct{}, 1)
	log.mu.Unlock()
	calls := make(chan error, 4)
	for _, call := range []func() error{
		func() error { _, err := saga.Start(t.Context(), c, s, "", saga.Key("k")); return err },
		func() error { return c.Cancel(t.Context(), run.ID, "") },
		func() error { return c.Signal(t.Context(), run.ID, "go", "") },
		func() error { _, err := run.Wait(t.Context()); return err },
	} {
		go func() { calls <- call() }()
	}
	<-log.begun
	cancel()
	for range cap(calls) {
		err := <-calls
		require.ErrorIs(t, err, saga.ErrNotRunning)
		require.NotErrorIs(t, err, context.Canceled, "the caller's own context has not ended")
	}
	require.NoError(t, <-ended)
}

func TestNumbersThatAreNoneAreRefusedInDefinitions(t *testing.T) {
	t.Parallel()
	do := func(_ context.Context, in string) (string, error) { return in, nil }
	for name, adjust := range map[string]func(*saga.Action[string, string]){
		"an infinite rate":       func(a *saga.Action[string, string]) { a.Rate = math.Inf(1) },
		"a rate that is none":    func(a *saga.Action[string, string]) { a.Rate = math.NaN() },
		"a negative rate":        func(a *saga.Action[string, string]) { a.Rate = -1 },
		"an infinite multiplier": func(a *saga.Action[string, string]) { a.Retry.Multiplier = math.Inf(1) },
		"no multiplier":          func(a *saga.Action[string, string]) { a.Retry.Multiplier = math.NaN() },
		"no fraction": func(a *saga.Action[string, string]) {
			a.Retry.Jitter, a.Retry.Fraction = saga.JitterFraction, math.NaN()
		},
		"a negative delay": func(a *saga.Action[string, string]) { a.Retry.Initial = -1 },
	} {
		a := &saga.Action[string, string]{Name: "a", Effect: saga.NoEffect, Do: do}
		adjust(a)
		s := saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Do(f, a, in.In) })
		require.Error(t, s.Err(), name)
	}
	for name, build := range map[string]func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string]{
		"a signal that nobody can send": func(f *saga.Flow, _ saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "a\nb") },
		"an event that nobody can emit": func(f *saga.Flow, _ saga.Ref[string]) saga.Ref[string] {
			return saga.AwaitEvent[string](f, "a.\x00", func(saga.Scope) string { return "" })
		},
		"a signal that is too long": func(f *saga.Flow, _ saga.Ref[string]) saga.Ref[string] {
			return saga.Await[string](f, strings.Repeat("x", 300))
		},
	} {
		require.Error(t, saga.Define("s", 1, build).Err(), name)
	}
}

// TestAPlanIsHeldAsItWasDefined gives texts that a plan's JSON would hold otherwise, so that its
// hash would change.
func TestAPlanIsHeldAsItWasDefined(t *testing.T) {
	t.Parallel()
	letter := func() *saga.Action[string, string] {
		return &saga.Action[string, string]{Name: "letter", Effect: saga.Irreversible, Do: func(_ context.Context, in string) (string, error) { return in, nil }}
	}
	for name, build := range map[string]func(text string) *saga.Saga[string, string]{
		"the description": func(text string) *saga.Saga[string, string] {
			return saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
				return saga.Do(f, letter(), in.In, saga.OnFail(saga.Forward))
			}, saga.Description(text))
		},
		"an acceptance": func(text string) *saga.Saga[string, string] {
			return saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
				return saga.Do(f, letter(), in.In, saga.OnFail(saga.Forward), saga.AcceptIrreversible("because "+text))
			})
		},
		"an action's description": func(text string) *saga.Saga[string, string] {
			return saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
				a := letter()
				a.Description = text
				return saga.Do(f, a, in.In, saga.OnFail(saga.Forward))
			})
		},
	} {
		require.ErrorContains(t, build("\xff").Err(), "UTF-8", name)
		require.ErrorContains(t, build("\x00").Err(), "control character", name)
		s := build("naïve 日本 <b> \u2028")
		if s.Err() != nil {
			require.NotContains(t, s.Err().Error(), "UTF-8", name)
			continue
		}
		plan, err := s.Plan()
		require.NoError(t, err)
		raw, err := json.Marshal(plan)
		require.NoError(t, err)
		again, err := domain.ParsePlan(raw)
		require.NoError(t, err)
		require.Equal(t, plan.Hash(), again.Hash(), name)
	}
}

// TestTheLongestDurationsHold runs a saga with every duration at its largest.
func TestTheLongestDurationsHold(t *testing.T) {
	t.Parallel()
	const ever = time.Duration(math.MaxInt64)
	tried := 0
	a := &saga.Action[string, string]{Name: "a", Effect: saga.NoEffect, Timeout: ever, Rate: math.MaxFloat64, Concurrency: math.MaxInt,
		Retry: saga.Retry{MaxAttempts: saga.Unlimited, Initial: ever, Max: ever, Multiplier: 1e300, Jitter: saga.JitterNone},
		Do: func(_ context.Context, in string) (string, error) {
			if tried++; tried == 1 {
				return "", saga.NothingDone(errors.New("not yet"))
			}
			return in, nil
		}}
	s := saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Do(f, a, in.In)
		saga.Await[string](f, "never", saga.Within(ever))
		saga.Sleep(f, ever)
		return in
	}, saga.Deadline(ever), saga.Slow(ever))
	require.NoError(t, s.Err())
	log := memlog.New()
	c := begin(t, log, saga.Config{}, s)
	run, err := saga.Start(t.Context(), c, s, "x")
	require.NoError(t, err)
	failed := make(chan domain.AttemptFailed, 1)
	go func() {
		for d, err := range log.Subscribe(t.Context(), 0, domain.Filter{Prefixes: []string{domain.RunStream(run.ID)}}) {
			if err != nil {
				return
			}
			if d.Event == nil {
				continue
			}
			if f, err := domain.DecodeFact(d.Event); err == nil {
				if e, ok := f.Event.(*domain.AttemptFailed); ok {
					failed <- *e
					return
				}
			}
		}
	}()
	e := <-failed
	require.Greater(t, e.RetryAt.Year(), 2300, "in 292 years, not before")
	require.NoError(t, c.Cancel(t.Context(), run.ID, ""))
	_, err = run.Wait(t.Context())
	var cancelled *saga.CancelledError
	require.ErrorAs(t, err, &cancelled)
}

// TestAnErrorOfADefinitionIsToldOnce registers what is wrong in every way at once: as itself, as a
// child, by a trigger, again.
func TestAnErrorOfADefinitionIsToldOnce(t *testing.T) {
	t.Parallel()
	bad := &saga.Action[string, string]{Name: "bad name", Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return in, nil }}
	child := saga.Define("child", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Do(f, bad, in.In) })
	parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Child(f, child, in.In, saga.Name("one"))
		return saga.Child(f, child, in.In, saga.Name("two"))
	})
	c, err := saga.New(saga.Config{Log: memlog.New()})
	require.NoError(t, err)
	err = domain.JoinOnce(c.Register(child, parent, child, parent), c.RegisterTriggers(&saga.Trigger[string, string]{Type: "a.b", Saga: child}), parent.Err())
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 3, err.Error())
	require.Equal(t, 1, strings.Count(err.Error(), `action "bad name"`), err.Error())
	var d *saga.DefinitionError
	require.ErrorAs(t, err, &d)
	require.NoError(t, domain.JoinOnce(nil, errors.Join(nil)))
}
