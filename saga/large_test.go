package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestNothingIsTooLargeForARunToGoOn: what authors' code returns, or panics with, may be larger
// than an append. The run then fails, and says so; it does not hang on an append that can't be
// made.
func TestNothingIsTooLargeForARunToGoOn(t *testing.T) {
	huge := strings.Repeat("x", 2<<20)
	for name, do := range map[string]struct {
		a func(ctx context.Context, in string) (string, error)
		// in computes the input of a.
		in func(string) string
	}{
		"an error":           {a: func(context.Context, string) (string, error) { return "", errors.New(huge) }},
		"a panic":            {a: func(context.Context, string) (string, error) { panic(huge) }},
		"a panic in a saga":  {in: func(string) string { panic(huge) }},
		"an output":          {a: func(context.Context, string) (string, error) { return huge, nil }},
		"an input":           {in: func(string) string { return huge }},
		"all items together": {a: func(context.Context, string) (string, error) { return huge[:300<<10], nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memlog.New())
				a := r.act("a")
				if do.a != nil {
					a.Do = do.a
				}
				s := saga.Define("large", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[[]string] {
					return saga.Each(f, "each", func(saga.Scope) []string { return make([]string, 5) }, func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] {
						return saga.Do(f, a, func(v saga.Scope) string {
							if do.in != nil {
								return do.in(item.In(v))
							}
							return item.In(v)
						})
					}).Ref
				})
				c := begin(t, r.plain, saga.Config{}, s)
				_, err := finished(t, start(t, c, s, ""))
				require.ErrorAs(t, err, new(*saga.CompensatedError))
				require.Zero(t, c.UnfinishedRuns())
			})
		})
	}
}

// TestWordsOfPeopleAreBounded: a reason is kept in many events of a run, and must fit them all.
func TestWordsOfPeopleAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		s := saga.Define("waits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") })
		c := begin(t, r.plain, saga.Config{}, s)
		run, ctx, long := start(t, c, s, ""), t.Context(), strings.Repeat("x", 17<<10)
		before := len(r.facts(run.ID))
		for name, err := range map[string]error{
			"cancel": c.Cancel(ctx, run.ID, long), "pause": c.Pause(ctx, run.ID, long), "resume": c.Resume(ctx, run.ID, long), "retry": c.Retry(ctx, run.ID, "", long),
			"skip": c.Skip(ctx, run.ID, "", long), "substitute": c.Substitute(ctx, run.ID, "", json.RawMessage(`1`), long), "abandon": c.Abandon(ctx, run.ID, long),
			"signal": c.Signal(ctx, run.ID, long, 1), "signal's id": c.Signal(ctx, run.ID, "go", 1, saga.SignalID(long)),
		} {
			require.ErrorIs(t, err, saga.ErrBadInput, name)
		}
		_, err := saga.Start(ctx, c, s, "", saga.TraceParent(long))
		require.ErrorIs(t, err, saga.ErrBadInput)
		require.Len(t, r.facts(run.ID), before)
	})
}

// TestEventsThatCannotStartARunArePassedOver: an app's event may have metadata that no run can
// carry, or make a trigger's code panic. Those behind it start their runs all the same, and the
// failures are recorded.
func TestEventsThatCannotStartARunArePassedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		s := chain("triggered", r.act("a"))
		c, err := saga.New(saga.Config{Log: r.plain, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.NoError(t, c.Register(s))
		require.NoError(t, c.RegisterTriggers(&saga.Trigger[string, string]{Type: "order.placed", Saga: s, When: func(e saga.Event) bool {
			if e.CorrelationID == "panic" {
				panic("a defect in When")
			}
			return true
		}}))
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		go func() { _ = c.Run(ctx) }()
		<-c.Ready()
		for _, correlation := range []string{strings.Repeat("x", 900<<10), "panic", "short"} {
			meta, err := json.Marshal(domain.Meta{CorrelationID: correlation})
			require.NoError(t, err)
			_, err = r.plain.Append(ctx, "shop", domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: "order.placed", Data: []byte(`"x"`), Metadata: meta})
			require.NoError(t, err)
		}
		time.Sleep(time.Hour)
		require.Equal(t, []string{"a"}, r.called())
		failed := 0
		for e, err := range r.plain.ReadStream(ctx, "atone-rejected", 0) {
			require.NoError(t, err)
			if e.Type == "atone.event_rejected.v1" {
				failed++
			}
		}
		require.Equal(t, 2, failed)
	})
}
