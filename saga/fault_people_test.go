package saga_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestCancelAtEveryPoint cancels a run while each of its steps is in flight.
func TestCancelAtEveryPoint(t *testing.T) {
	for _, at := range []string{"a", "b", "c"} {
		t.Run(at, func(t *testing.T) {
			onEveryLog(t, func(r *rig) {
				running := make(chan domain.RunID)
				causes := make(chan error, 1)
				actions := []*saga.Action[string, string]{r.act("a"), r.act("b"), r.act("c")}
				want := []string{}
				for _, a := range actions {
					inner := a.Do
					if len(want) == 0 || want[len(want)-1] != at {
						want = append(want, a.Name)
					}
					a.Do = func(ctx context.Context, in string) (string, error) {
						out, err := inner(ctx, in)
						if a.Name == at {
							running <- saga.AttemptOf(ctx).Run
							<-ctx.Done()
							causes <- context.Cause(ctx)
							return "", ctx.Err() // in doubt
						}
						return out, err
					}
				}
				s := chain("cancelled", actions...)
				c := r.begin(saga.Config{}, s)
				run := start(r.t, c, s, "")
				require.Equal(r.t, run.ID, <-running)
				require.NoError(r.t, c.Cancel(saga.WithActor(r.t.Context(), "ann"), run.ID, "changed my mind"))
				require.ErrorIs(r.t, <-causes, saga.ErrRunTurnedBack)
				_, err := finished(r.t, run)
				var cancelled *saga.CancelledError
				require.ErrorAs(r.t, err, &cancelled)
				require.Equal(r.t, "changed my mind", cancelled.Cause.Message)
				for i := len(want) - 1; i >= 0; i-- {
					want = append(want, "undo "+want[i])
				}
				require.Equal(r.t, want, r.called(), "the step in flight is in doubt, and undone too")
				require.ErrorIs(r.t, c.Cancel(r.t.Context(), run.ID, "again"), saga.ErrEnded)
				for _, f := range r.facts(run.ID) {
					if _, ok := f.Event.(*domain.RunTurnedBack); ok {
						require.Equal(r.t, "ann", f.Meta.Actor)
					}
				}
			})
		})
	}
}

func TestCancelWaitsForAnIrreversibleStep(t *testing.T) {
	for _, succeeds := range []bool{true, false} {
		t.Run(fmt.Sprint(succeeds), func(t *testing.T) {
			onEveryLog(t, func(r *rig) {
				running, goOn := make(chan struct{}), make(chan struct{})
				post := &saga.Action[string, string]{Name: "post", Effect: saga.Irreversible, FailsCleanly: true, Retry: saga.Retry{MaxAttempts: 1},
					Do: func(ctx context.Context, in string) (string, error) {
						r.note(ctx, "post")
						close(running)
						<-goOn
						if succeeds {
							return in + "post", nil
						}
						return "", errModel
					}}
				s := chain("posts", r.act("a"), post)
				c := r.begin(saga.Config{}, s)
				run := start(r.t, c, s, "")
				<-running
				require.NoError(r.t, c.Cancel(r.t.Context(), run.ID, "stop"))
				require.NoError(r.t, c.Cancel(r.t.Context(), run.ID, "stop"), "asked twice, asked once")
				close(goOn)
				out, err := finished(r.t, run)
				if succeeds {
					require.NoError(r.t, err)
					require.Equal(r.t, "apost", out)
					require.Equal(r.t, []string{"a", "post"}, r.called())
					return
				}
				require.ErrorAs(r.t, err, new(*saga.CancelledError))
				require.Equal(r.t, []string{"a", "post", "undo a"}, r.called())
			})
		})
	}
}

func TestPastThePivotNothingTurnsBack(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b := r.act("a"), r.act("b")
		s := saga.Define("pivots", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			x := saga.Do(f, a, in.In)
			saga.Pivot(f)
			return saga.Do(f, b, x.In)
		})
		r.fails("b", errModel, errModel, errModel)
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		_, err := finished(r.t, run)
		var stuck *saga.StuckError
		require.ErrorAs(r.t, err, &stuck)
		require.Equal(r.t, "b", stuck.Step)
		require.ErrorIs(r.t, c.Cancel(r.t.Context(), run.ID, "stop"), saga.ErrPastPivot)
		require.NoError(r.t, c.Retry(r.t.Context(), run.ID, "", "try now"))
		out, err := finished(r.t, run)
		require.NoError(r.t, err)
		require.Equal(r.t, "ab", out)
	})
}

func TestStuckRunIsSettledByAPerson(t *testing.T) {
	type outcome struct {
		settle func(r *rig, c *saga.Coordinator, id domain.RunID) error
		check  func(t *testing.T, err error)
		calls  []string
	}
	tries := []string{"a", "b", "undo a", "undo a", "undo a"}
	for name, o := range map[string]outcome{
		"retry": {
			func(r *rig, c *saga.Coordinator, id domain.RunID) error {
				return c.Retry(r.t.Context(), id, "a", "mended")
			},
			func(t *testing.T, err error) {
				require.ErrorAs(t, err, new(*saga.CompensatedError))
			}, append(tries[:5:5], "undo a")},
		"skip": {
			func(r *rig, c *saga.Coordinator, id domain.RunID) error {
				return c.Skip(r.t.Context(), id, "a", "by hand")
			},
			func(t *testing.T, err error) {
				var comp *saga.CompensatedError
				require.ErrorAs(t, err, &comp)
				require.Equal(t, []string{"a"}, comp.Left)
			}, tries},
		"abandon": {
			func(r *rig, c *saga.Coordinator, id domain.RunID) error {
				require.ErrorIs(r.t, c.Abandon(r.t.Context(), id, ""), saga.ErrBadInput)
				return c.Abandon(r.t.Context(), id, "hopeless")
			},
			func(t *testing.T, err error) {
				var ab *saga.AbandonedError
				require.ErrorAs(t, err, &ab)
				require.Equal(t, []string{"a"}, ab.Left)
			}, tries},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryLog(t, func(r *rig) {
				r.fails("b", saga.Permanent(errModel))
				r.fails("undo a", errModel, errModel, errModel)
				s := chain("stuck", r.act("a"), r.act("b"))
				c := r.begin(saga.Config{}, s)
				run := start(r.t, c, s, "")
				_, err := finished(r.t, run)
				var stuck *saga.StuckError
				require.ErrorAs(r.t, err, &stuck)
				require.Equal(r.t, "a", stuck.Step)
				require.NotEmpty(r.t, stuck.Incident)
				require.ErrorIs(r.t, c.Retry(r.t.Context(), run.ID, "b", "x"), saga.ErrNotStuck)
				require.ErrorIs(r.t, c.Retry(r.t.Context(), run.ID, "nowhere", "x"), saga.ErrNoStep)
				require.Error(r.t, c.Substitute(r.t.Context(), run.ID, "a", json.RawMessage(`"x"`), "x"), "an undo has no output")
				require.NoError(r.t, o.settle(r, c, run.ID))
				_, err = finished(r.t, run)
				o.check(r.t, err)
				require.Equal(r.t, o.calls, r.called())
				require.ErrorIs(r.t, c.Retry(r.t.Context(), run.ID, "", "x"), saga.ErrEnded)
				require.ErrorIs(r.t, c.Abandon(r.t.Context(), run.ID, "x"), saga.ErrEnded)
			})
		})
	}
}

func TestSubstitutedOutputIsUsedByLaterSteps(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b := r.act("a"), r.act("b")
		s := saga.Define("asks", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			x := saga.Do(f, a, in.In, saga.OnFail(saga.Ask))
			return saga.Do(f, b, x.In)
		})
		r.fails("a", saga.Permanent(errModel))
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		_, err := finished(r.t, run)
		require.ErrorAs(r.t, err, new(*saga.StuckError))
		before := len(r.facts(run.ID))
		require.ErrorIs(r.t, c.Substitute(r.t.Context(), run.ID, "a", json.RawMessage(`{`), "x"), saga.ErrBadInput)
		require.Len(r.t, r.facts(run.ID), before, "what is refused is not written")
		require.NoError(r.t, c.Substitute(r.t.Context(), run.ID, "a", json.RawMessage(`"by hand, "`), "x"))
		out, err := finished(r.t, run)
		require.NoError(r.t, err)
		require.Equal(r.t, "by hand, b", out)
	})
}

func TestPausedRunStartsNothing(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		running, goOn := make(chan struct{}), make(chan struct{})
		a := r.act("a")
		inner := a.Do
		a.Do = func(ctx context.Context, in string) (string, error) {
			close(running)
			<-goOn
			return inner(ctx, in)
		}
		s := chain("paused", a, r.act("b"))
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		<-running
		require.NoError(r.t, c.Pause(r.t.Context(), run.ID, "wait"))
		require.NoError(r.t, c.Pause(r.t.Context(), run.ID, "wait"))
		close(goOn)
		synctest.Wait()
		// A disturbed append is tried again a little later.
		for r.events(run.ID, "attempt.succeeded") == nil {
			synctest.Wait()
			sleepABit()
		}
		sleepABit()
		require.Equal(r.t, []string{"a"}, r.called())
		v, err := c.Describe(r.t.Context(), run.ID)
		require.NoError(r.t, err)
		require.Equal(r.t, "wait", v.Paused)
		require.NoError(r.t, c.Resume(r.t.Context(), run.ID, "go"))
		out, err := finished(r.t, run)
		require.NoError(r.t, err)
		require.Equal(r.t, "ab", out)
	})
}

func TestBadCallsAreRefusedAndWriteNothing(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		s := chain("good", r.act("a"))
		c := r.begin(saga.Config{}, s)
		nobody := uuid.New()
		ctx := r.t.Context()
		for name, call := range map[string]func() error{
			"cancel":  func() error { return c.Cancel(ctx, nobody, "x") },
			"pause":   func() error { return c.Pause(ctx, nobody, "x") },
			"resume":  func() error { return c.Resume(ctx, nobody, "x") },
			"retry":   func() error { return c.Retry(ctx, nobody, "", "x") },
			"skip":    func() error { return c.Skip(ctx, nobody, "", "x") },
			"abandon": func() error { return c.Abandon(ctx, nobody, "x") },
			"signal":  func() error { return c.Signal(ctx, nobody, "x", 1) },
			"describe": func() error {
				_, err := c.Describe(ctx, nobody)
				return err
			},
			"wait": func() error {
				_, err := c.Wait(ctx, nobody)
				return err
			},
		} {
			require.ErrorIs(r.t, call(), saga.ErrNotFound, name)
		}
		big := make([]byte, 600<<10)
		for i := range big {
			big[i] = 'x'
		}
		for name, call := range map[string]func() error{
			"type": func() error { _, err := c.StartByName(ctx, "good", 1, json.RawMessage(`{"a":1}`)); return err },
			"json": func() error { _, err := c.StartByName(ctx, "good", 1, json.RawMessage(`{`)); return err },
			"size": func() error { _, err := saga.Start(ctx, c, s, string(big)); return err },
			"key":  func() error { _, err := saga.Start(ctx, c, s, "", saga.Key(string(big))); return err },
			"labels": func() error {
				_, err := saga.Start(ctx, c, s, "", saga.Labels(map[string]string{"a": string(big)}))
				return err
			},
			"signal": func() error { return c.Signal(ctx, nobody, "", 1) },
			"payload": func() error {
				return c.Signal(ctx, nobody, "x", make(chan int))
			},
		} {
			require.ErrorIs(r.t, call(), saga.ErrBadInput, name)
		}
		_, err := c.StartByName(ctx, "bad", 1, nil)
		require.ErrorIs(r.t, err, saga.ErrUnknownSaga)
		_, err = c.StartByName(ctx, "good", 2, nil)
		require.ErrorIs(r.t, err, saga.ErrUnknownSaga)
		_, err = c.InvokeByName(ctx, "bad", nil)
		require.ErrorIs(r.t, err, saga.ErrUnknownAction)
		require.Empty(r.t, r.runs())
	})
}

// TestSignalThatNoAwaitCouldReadIsRefused sends payloads of wrong types, before and while they are
// awaited.
func TestSignalThatNoAwaitCouldReadIsRefused(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		goOn := make(chan struct{})
		inner := a.Do
		a.Do = func(ctx context.Context, in string) (string, error) { <-goOn; return inner(ctx, in) }
		s := saga.Define("approval", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[bool] {
			saga.Do(f, a, in.In)
			return saga.Await[bool](f, "approved")
		})
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		for _, wrong := range []any{"yes", 1, map[string]int{}} {
			err := c.Signal(r.t.Context(), run.ID, "approved", wrong)
			require.ErrorIs(r.t, err, saga.ErrBadInput)
			require.ErrorContains(r.t, err, "approval awaits bool")
		}
		err := c.Signal(r.t.Context(), run.ID, "aproved", true)
		require.ErrorIs(r.t, err, saga.ErrBadInput)
		require.ErrorContains(r.t, err, `no step of approval awaits the signal "aproved": it awaits approved`)
		require.NoError(r.t, c.Signal(r.t.Context(), run.ID, "anything else", "is kept", saga.Keep()))
		close(goOn)
		sleepABit()
		before := len(r.facts(run.ID))
		require.ErrorIs(r.t, c.Signal(r.t.Context(), run.ID, "approved", "yes"), saga.ErrBadInput)
		require.Len(r.t, r.facts(run.ID), before, "what is refused is not written")
		require.NoError(r.t, c.Signal(r.t.Context(), run.ID, "approved", true))
		out, err := finished(r.t, run)
		require.NoError(r.t, err)
		require.True(r.t, out)
	})
}
