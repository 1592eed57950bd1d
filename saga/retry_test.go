package saga_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestRetriesKeepToTheirPolicy has a step fail again and again and looks at when its attempts
// begin.
func TestRetriesKeepToTheirPolicy(t *testing.T) {
	const s = time.Second
	type span struct{ least, most time.Duration }
	exactly := func(gaps ...time.Duration) (spans []span) {
		for _, g := range gaps {
			spans = append(spans, span{g, g})
		}
		return spans
	}
	for name, test := range map[string]struct {
		retry saga.Retry
		gaps  []span
	}{
		"one attempt":          {saga.Retry{MaxAttempts: 1}, nil},
		"multiplier and cap":   {saga.Retry{MaxAttempts: 5, Initial: s, Multiplier: 3, Max: 5 * s, Jitter: saga.JitterNone}, exactly(s, 3*s, 5*s, 5*s)},
		"constant":             {saga.Retry{MaxAttempts: 4, Initial: s, Multiplier: 1, Jitter: saga.JitterNone}, exactly(s, s, s)},
		"full jitter":          {saga.Retry{MaxAttempts: 4, Initial: 10 * s, Multiplier: 1, Jitter: saga.JitterFull}, []span{{0, 10 * s}, {0, 10 * s}, {0, 10 * s}}},
		"equal jitter":         {saga.Retry{MaxAttempts: 4, Initial: 10 * s, Multiplier: 1, Jitter: saga.JitterEqual}, []span{{5 * s, 10 * s}, {5 * s, 10 * s}, {5 * s, 10 * s}}},
		"fraction of jitter":   {saga.Retry{MaxAttempts: 3, Initial: 10 * s, Multiplier: 1, Jitter: saga.JitterFraction, Fraction: 0.1}, []span{{9 * s, 11 * s}, {9 * s, 11 * s}}},
		"no more after a time": {saga.Retry{MaxAttempts: saga.Unlimited, Initial: 4 * s, Multiplier: 1, Jitter: saga.JitterNone, MaxElapsed: 10 * s}, exactly(4*s, 4*s)},
		"defaults":             {saga.Retry{}, []span{{s / 10, s / 5}, {s / 5, 2 * s / 5}, {2 * s / 5, 4 * s / 5}, {4 * s / 5, 8 * s / 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				a := &saga.Action[string, string]{Name: "a", Effect: saga.NoEffect, Retry: test.retry, Do: func(context.Context, string) (string, error) {
					at = append(at, time.Now())
					return "", errModel
				}}
				sg := chain("fails", a)
				c := begin(t, memlog.New(), saga.Config{}, sg)
				_, err := finished(t, start(t, c, sg, ""))
				require.ErrorAs(t, err, new(*saga.CompensatedError))
				require.Len(t, at, len(test.gaps)+1)
				for i, want := range test.gaps {
					gap := at[i+1].Sub(at[i])
					require.GreaterOrEqual(t, gap, want.least, "gap %d", i)
					require.LessOrEqual(t, gap, want.most, "gap %d", i)
				}
			})
		})
	}
}

func TestUnlimitedRetriesGoOn(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		a.Retry.MaxAttempts = saga.Unlimited
		for range 100 {
			r.fails("a", errModel)
		}
		s := chain("goes-on", a)
		c := r.begin(saga.Config{}, s)
		_, err := finished(r.t, start(r.t, c, s, ""))
		require.NoError(r.t, err)
		require.Len(r.t, r.called(), 101)
	})
}

// TestTimeoutsEndAttempts: each attempt has its own, the total one ends the attempt in flight, and
// an undo has others.
func TestTimeoutsEndAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var took []string
		hang := func(ctx context.Context) error {
			began, a := time.Now(), saga.AttemptOf(ctx)
			deadline, _ := ctx.Deadline()
			require.Equal(t, a.Deadline, deadline)
			<-ctx.Done()
			took = append(took, fmt.Sprint(a.Direction, a.Number, " ", time.Since(began).Round(time.Second)))
			return ctx.Err()
		}
		a := &saga.Action[string, string]{Name: "a", Timeout: 10 * time.Second, UndoTimeout: 3 * time.Second,
			Retry:     saga.Retry{MaxAttempts: 10, Initial: 5 * time.Second, Multiplier: 1, Jitter: saga.JitterNone, TotalTimeout: 22 * time.Second},
			UndoRetry: saga.Retry{MaxAttempts: 2, Initial: time.Second, Jitter: saga.JitterNone},
			Do:        func(ctx context.Context, _ string) (string, error) { return "", hang(ctx) },
			Undo:      func(ctx context.Context, _ saga.Did[string, string]) error { return hang(ctx) }}
		s := chain("hangs", a)
		c := begin(t, memlog.New(), saga.Config{}, s)
		_, err := finished(t, start(t, c, s, ""))
		require.ErrorAs(t, err, new(*saga.StuckError), "the undo has run out of its attempts")
		require.Equal(t, []string{"do1 10s", "do2 7s", "undo1 3s", "undo2 3s"}, took)
	})
}

// TestUndoIsToldEverything: the recorded input and output, why, and whether the effect is in doubt.
func TestUndoIsToldEverything(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		told := make(chan saga.Did[string, string], 2)
		act := func(name string) *saga.Action[string, string] {
			a := r.act(name)
			a.Undo = func(_ context.Context, did saga.Did[string, string]) error { told <- did; return nil }
			return a
		}
		r.fails("b", saga.InDoubt(saga.Permanent(errModel)))
		s := chain("told", act("a"), act("b"))
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "in ")
		_, err := finished(r.t, run)
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		b, a := <-told, <-told
		require.Equal(r.t, saga.Did[string, string]{Input: "in ", Output: "in a", Key: run.ID.String() + "/a/do", Cause: a.Cause}, a)
		require.Equal(r.t, saga.Did[string, string]{Input: "in a", InDoubt: true, Key: run.ID.String() + "/b/do", Cause: b.Cause}, b)
		var cause *domain.FailureError
		require.ErrorAs(r.t, a.Cause, &cause)
		require.Equal(r.t, "b", cause.Failure.Step)
		require.Equal(r.t, errModel.Error(), cause.Failure.Message)
	})
}

// TestErrorsAreRetriedByTheirType: errors.As goes into the predicate, errors.Is into the list, and
// an undo has its own.
func TestErrorsAreRetriedByTheirType(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		a.Retry.IsNonRetryable = func(err error) bool { return errors.As(err, new(*fs.PathError)) }
		a.UndoRetry.NonRetryable = []error{fs.ErrPermission}
		r.fails("a", nil, fmt.Errorf("wrapped: %w", &fs.PathError{Op: "open", Err: fs.ErrNotExist}))
		r.fails("undo a", errModel, fmt.Errorf("wrapped: %w", fs.ErrPermission))
		s := saga.Define("typed", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Do(f, a, in.In)
			return saga.Do(f, a, in.In, saga.Name("again"))
		})
		c := r.begin(saga.Config{}, s)
		_, err := finished(r.t, start(r.t, c, s, ""))
		require.ErrorAs(r.t, err, new(*saga.StuckError))
		require.Equal(r.t, []string{"a", "a", "undo a", "undo a"}, r.called(), "neither is tried again")
	})
}

// watcher is an [saga.Observer] that notes what it is told.
type watcher struct {
	mu   sync.Mutex
	told []string
}

type watched struct{}

func (w *watcher) AttemptBegan(ctx context.Context, a saga.Attempt) context.Context {
	return context.WithValue(ctx, watched{}, a.Step)
}

func (w *watcher) AttemptEnded(ctx context.Context, a saga.Attempt, _ time.Duration, failure *domain.Failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, fmt.Sprint(ctx.Value(watched{}), " ", a.Number, " ", a.Trace, " ", failure != nil))
}

// TestHandlersKnowTheirAttempt: its logger says which run it is, the trace goes on, observers and
// Watermill middleware are around it, and what is given to them is what the start was given.
func TestHandlersKnowTheirAttempt(t *testing.T) {
	t.Parallel()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var lines bytes.Buffer
	var got saga.Attempt
	a := &saga.Action[string, string]{Name: "a", Effect: saga.NoEffect, Retry: fastRetry, Do: func(ctx context.Context, in string) (string, error) {
		got = saga.AttemptOf(ctx)
		saga.Logger(ctx).Info("hello")
		if got.Number == 1 {
			return "", errModel
		}
		return in, nil
	}}
	s := chain("known", a)
	w := &watcher{}
	topics := make(chan string, 2)
	middleware := func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			topics <- message.SubscribeTopicFromCtx(m.Context()) + " " + m.Metadata.Get("atone-step") + " " + m.Metadata.Get("traceparent")
			return h(m)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	c, ended := launch(t, ctx, memlog.New(), saga.Config{Observer: w, Middleware: []message.HandlerMiddleware{middleware}, Logger: slog.New(slog.NewJSONHandler(&lines, nil))}, s)
	run := start(t, c, s, "", saga.TraceParent(trace))
	_, err := finished(t, run)
	require.NoError(t, err)
	stop()
	require.NoError(t, <-ended)
	require.Equal(t, saga.Attempt{Run: run.ID, Saga: "known", Step: "a", Action: "a", Direction: domain.Do, Number: 2,
		Key: run.ID.String() + "/a/do", Deadline: got.Deadline, Trace: trace}, got)
	require.Equal(t, []string{"a 1 " + trace + " true", "a 2 " + trace + " false"}, w.told)
	for range 2 {
		require.Equal(t, "atone.action.a a "+trace, <-topics)
	}
	hellos := 0
	for line := range bytes.Lines(lines.Bytes()) {
		var l map[string]any
		require.NoError(t, json.Unmarshal(line, &l))
		if l["msg"] == "hello" {
			hellos++
			require.Equal(t, run.ID.String(), l["run"])
			require.EqualValues(t, hellos, l["attempt"])
		}
	}
	require.Equal(t, 2, hellos)
}
