package saga_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestHeartbeatTimeoutLeavesUndosAndProbesAlone: an undo that is busy for minutes without a word,
// or with one at its beginning, ends by its own timeout only, and so does a probe.
func TestHeartbeatTimeoutLeavesUndosAndProbesAlone(t *testing.T) {
	for name, beats := range map[string]bool{"silent": false, "beats once": true} {
		t.Run(name, func(t *testing.T) {
			onEveryLog(t, func(r *rig) {
				busy := func(ctx context.Context) error {
					if beats {
						if err := saga.Heartbeat(ctx, "begun"); err != nil {
							return err
						}
						time.Sleep(11 * time.Second)
						if err := saga.Heartbeat(ctx, "going"); err != nil {
							return err
						}
					}
					select {
					case <-time.After(10 * time.Minute):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				a := r.act("a")
				a.HeartbeatTimeout, a.UndoTimeout = 30*time.Second, time.Hour
				inner := a.Undo
				a.Undo = func(ctx context.Context, did saga.Did[string, string]) error {
					if err := busy(ctx); err != nil {
						r.note(ctx, "undo cut short")
						return err
					}
					return inner(ctx, did)
				}
				b := r.act("b")
				b.HeartbeatTimeout, b.Timeout, b.Retry = 30*time.Second, time.Hour, saga.Retry{MaxAttempts: 1}
				b.Do = func(ctx context.Context, in string) (string, error) {
					r.note(ctx, "b")
					return "", saga.InDoubt(errModel)
				}
				b.Probe = func(ctx context.Context, in string) (saga.Probed[string], error) {
					if err := busy(ctx); err != nil {
						r.note(ctx, "probe cut short")
						return saga.Unknown[string](), err
					}
					r.note(ctx, "probe b")
					return saga.NotApplied[string](), nil
				}
				c := r.begin(saga.Config{}, chain("undoes", a, b))
				_, err := r.wait(start(r.t, c, chain("undoes", a, b), ""))
				require.ErrorAs(r.t, err, new(*saga.CompensatedError))
				require.Equal(r.t, []string{"a", "b", "probe b", "undo a"}, r.called())
			})
		})
	}
}

// alertList notes the alerts that it is told.
type alertList struct {
	mu  sync.Mutex
	all []saga.Alert
}

func (l *alertList) Alert(_ context.Context, a saga.Alert) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, a)
	return nil
}

func (l *alertList) of(kind saga.AlertKind) (of []saga.Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.all {
		if a.Kind == kind {
			of = append(of, a)
		}
	}
	return of
}

// TestHungHandlerKeepsItsPlace: a handler that ignores its context has the only place of its
// action. The run behind it loses no attempt and is told why it waits; its handler is called once
// the place is free, and never beside another. The same holds for an undo, for a lost heartbeat,
// and for a run that a person abandons meanwhile.
func TestHungHandlerKeepsItsPlace(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(a *saga.Action[string, string])
		during  func(r *rig, c *saga.Coordinator, id domain.RunID)
	}{
		"timed out":    {prepare: func(a *saga.Action[string, string]) { a.Timeout = 10 * time.Second }},
		"no heartbeat": {prepare: func(a *saga.Action[string, string]) { a.Timeout, a.HeartbeatTimeout = 3*time.Hour, 10*time.Second }},
		"abandoned": {prepare: func(a *saga.Action[string, string]) { a.Timeout = 3 * time.Hour }, during: func(r *rig, c *saga.Coordinator, id domain.RunID) {
			require.NoError(r.t, c.Abandon(r.t.Context(), id, "enough"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryLog(t, func(r *rig) {
				var inside, most atomic.Int32
				failed := make(chan struct{})
				defer close(failed)
				a, other := r.act("a"), r.act("other")
				a.Concurrency, a.Retry = 1, saga.Retry{MaxAttempts: 1}
				test.prepare(a)
				var first atomic.Bool
				a.Do = func(ctx context.Context, in string) (string, error) {
					most.Store(max(most.Load(), inside.Add(1)))
					defer inside.Add(-1)
					r.note(ctx, "a "+in)
					if first.CompareAndSwap(false, true) {
						select { // deaf
						case <-time.After(time.Hour):
						case <-failed:
						}
						return "", saga.NothingDone(errModel)
					}
					return in, ctx.Err()
				}
				alerts := &alertList{}
				c := r.begin(saga.Config{Alerts: []saga.AlertSink{alerts}}, chain("hangs", a), chain("goes", other))
				hung := start(r.t, c, chain("hangs", a), "1")
				sleepABit()
				behind := start(r.t, c, chain("hangs", a), "2")
				if test.during != nil {
					test.during(r, c, hung.ID)
				}
				sleepABit()
				_, err := finished(r.t, start(r.t, c, chain("goes", other), ""))
				require.NoError(r.t, err, "other actions go on")
				require.Empty(r.t, r.events(behind.ID, "attempt."), "no attempt begins that can't be called")
				depth := c.QueueDepths()["a"]
				require.Equal(r.t, []int{1, 1, 1}, []int{depth.InFlight, depth.Limit, depth.Hung})
				why, err := c.Why(r.t.Context(), behind.ID)
				require.NoError(r.t, err)
				require.Contains(r.t, why.Text, "waits for a free place of action a, which attempt 1 of a of run "+hung.ID.String()+" has had since 00:0")
				require.Contains(r.t, why.Text, "its handler has not returned: it ignores its context")
				require.Equal(r.t, hung.ID, why.Waits[0].Place.Run)
				told := alerts.of(saga.AlertHung)
				require.Len(r.t, told, 1)
				require.Equal(r.t, []any{hung.ID, "a", "hangs"}, []any{told[0].Run, told[0].Step, told[0].Saga})
				out, err := r.wait(behind)
				require.NoError(r.t, err)
				require.Equal(r.t, "2", out)
				require.Contains(r.t, r.called(), "a 2")
				require.Equal(r.t, int32(1), most.Load())
				sleepABit()
				require.Equal(r.t, saga.QueueDepth{Limit: 1}, c.QueueDepths()["a"])
			})
		})
	}
}
