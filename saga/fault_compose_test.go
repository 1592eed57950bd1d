package saga_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

func TestSameKeyIsOneRun(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		s, other := chain("keyed", r.act("a")), chain("other", r.act("b"))
		c := r.begin(saga.Config{}, s, other)
		ids := make(chan domain.RunID, 20)
		var all sync.WaitGroup
		for range cap(ids) {
			all.Go(func() {
				run, err := saga.Start(context.Background(), c, s, "in", saga.Key("k"), saga.Labels(map[string]string{"team": "x"}))
				if err != nil {
					r.t.Errorf("start: %v", err)
					return
				}
				_, err = run.Wait(context.Background())
				if err != nil {
					r.t.Errorf("wait: %v", err)
				}
				ids <- run.ID
			})
		}
		all.Wait()
		first := <-ids
		for len(ids) > 0 {
			require.Equal(r.t, first, <-ids)
		}
		require.Equal(r.t, []domain.RunID{first}, r.runs())
		require.Equal(r.t, []string{"a"}, r.called())
		_, err := saga.Start(r.t.Context(), c, s, "another", saga.Key("k"))
		require.ErrorIs(r.t, err, saga.ErrKeyConflict)
		v, err := c.Describe(r.t.Context(), first)
		require.NoError(r.t, err)
		require.Equal(r.t, map[string]string{"team": "x"}, v.Labels)
		run := start(r.t, c, other, "another", saga.Key("k"))
		require.NotEqual(r.t, first, run.ID, "keys are per saga")
		_, err = finished(r.t, run)
		require.NoError(r.t, err)
	})
}

func TestParallelFailureUndoesTheSiblings(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b, x := r.act("a"), r.act("b"), r.act("x")
		running := make(chan struct{})
		b.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "b")
			close(running)
			<-ctx.Done()
			return "", ctx.Err() // in doubt
		}
		x.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "x")
			<-running
			return "", saga.Permanent(errModel)
		}
		s := saga.Define("parallel", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[saga.None] {
			saga.Parallel(f,
				func(f *saga.Flow) { saga.Do(f, a, in.In) },
				func(f *saga.Flow) { saga.Do(f, b, in.In) },
				func(f *saga.Flow) { saga.Do(f, x, in.In) })
			return saga.Ref[saga.None]{}
		})
		c := r.begin(saga.Config{}, s)
		_, err := finished(r.t, start(r.t, c, s, ""))
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		calls := r.called()
		slices.Sort(calls)
		require.Equal(r.t, []string{"a", "b", "undo a", "undo b", "x"}, calls)
	})
}

func TestEachKeepsOrderAndToleratesFailures(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		item := &saga.Action[int, string]{Name: "item", Retry: saga.Retry{MaxAttempts: 1},
			Do: func(ctx context.Context, n int) (string, error) {
				time.Sleep(time.Duration(10-n) * time.Second) // the last come first
				if n%4 == 3 {
					return "", errModel
				}
				return fmt.Sprint("item ", n), nil
			},
			Undo: func(ctx context.Context, did saga.Did[int, string]) error {
				r.note(ctx, fmt.Sprint("undo ", did.Input))
				return nil
			}}
		s := saga.Define("each", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[[]string] {
			e := saga.Each(f, "each", func(v saga.Scope) []int {
				list := make([]int, in.In(v))
				for i := range list {
					list[i] = i
				}
				return list
			}, func(f *saga.Flow, n saga.Ref[int]) saga.Ref[string] { return saga.Do(f, item, n.In) }, saga.Tolerate(1), saga.Concurrency(3))
			return e.Ref
		})
		c := r.begin(saga.Config{}, s)
		out, err := finished(r.t, start(r.t, c, s, 0))
		require.NoError(r.t, err)
		require.Empty(r.t, out)
		out, err = finished(r.t, start(r.t, c, s, 6))
		require.NoError(r.t, err)
		require.Equal(r.t, []string{"item 0", "item 1", "item 2", "", "item 4", "item 5"}, out)
		require.Equal(r.t, []string{"undo 3"}, r.called(), "the item that failed is in doubt")
		_, err = finished(r.t, start(r.t, c, s, 8))
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		undone := r.called()
		slices.Sort(undone)
		require.Equal(r.t, []string{"undo 0", "undo 1", "undo 2", "undo 3", "undo 3", "undo 4", "undo 5", "undo 6", "undo 7"}, undone)
	})
}

func TestCompletedChildIsUndoneWithItsParent(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		child := chain("child", r.act("a"), r.act("b"))
		x := r.act("x")
		parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			out := saga.Child(f, child, in.In)
			return saga.Do(f, x, out.In)
		})
		c := r.begin(saga.Config{}, parent)
		out, err := finished(r.t, start(r.t, c, parent, "-"))
		require.NoError(r.t, err)
		require.Equal(r.t, "-abx", out)
		r.fails("x", saga.Permanent(errModel))
		_, err = finished(r.t, start(r.t, c, parent, "-"))
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		require.Equal(r.t, []string{"a", "b", "x", "a", "b", "x", "undo b", "undo a"}, r.called())
		r.fails("b", saga.Permanent(errModel))
		_, err = finished(r.t, start(r.t, c, parent, "-"))
		var comp *saga.CompensatedError
		require.ErrorAs(r.t, err, &comp)
		require.Contains(r.t, comp.Cause.Message, "child run")
	})
}

// TestParentTurnsBackBeforeItsChildStarts cancels the parent in the very moment in which the child
// is to start: no child is left running.
func TestParentTurnsBackBeforeItsChildStarts(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		child := chain("child", r.act("a"))
		parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			out := saga.Child(f, child, in.In)
			saga.Await[string](f, "never")
			return out
		})
		c := r.begin(saga.Config{}, parent)
		for range 20 {
			run := start(r.t, c, parent, "-")
			require.NoError(r.t, c.Cancel(r.t.Context(), run.ID, "at once"))
			_, err := finished(r.t, run)
			require.ErrorAs(r.t, err, new(*saga.CancelledError))
		}
		sleepABit()
		require.Zero(r.t, c.UnfinishedRuns())
		done, undone := 0, 0
		for _, call := range r.called() {
			if call == "a" {
				done++
			} else {
				undone++
			}
		}
		require.Equal(r.t, done, undone, "what the children did is undone")
		for _, id := range r.runs() {
			require.NotEqual(r.t, domain.RunIsCompleted, checkStream(r.t, r.plain, id).End)
		}
	})
}

// TestChildPastItsPivotKeepsItsParentFromTurningBack: such a child can't be undone, so a person is
// asked.
func TestChildPastItsPivotKeepsItsParentFromTurningBack(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		running, goOn := make(chan struct{}), make(chan struct{})
		post := &saga.Action[string, string]{Name: "post", Effect: saga.Irreversible, FailsCleanly: true, Do: func(ctx context.Context, in string) (string, error) {
			close(running)
			<-goOn
			return in, nil
		}}
		child := saga.Define("child", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Do(f, post, in.In) })
		parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Child(f, child, in.In) })
		require.NoError(r.t, parent.Err())
		c := r.begin(saga.Config{}, parent)
		run := start(r.t, c, parent, "-")
		<-running
		cancelled := c.Cancel(r.t.Context(), run.ID, "too late?")
		close(goOn)
		time.Sleep(10 * time.Minute)
		out, err := finished(r.t, run)
		var stuck *saga.StuckError
		if errors.As(err, &stuck) {
			require.NoError(r.t, cancelled)
			require.NoError(r.t, c.Skip(r.t.Context(), run.ID, "child", "so be it"))
			_, err = finished(r.t, run)
			var ended *saga.CancelledError
			require.ErrorAs(r.t, err, &ended)
			require.Equal(r.t, []string{"child"}, ended.Left)
			return
		}
		require.NoError(r.t, err, "the cancel waited for the child, which succeeded")
		require.Equal(r.t, "-", out)
	})
}

func TestPlannerPlansRoundAfterRound(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b := r.act("a"), r.act("b")
		planner := &saga.Action[saga.PlannerIn[string], saga.Steps[string]]{Name: "planner", Effect: saga.NoEffect,
			Do: func(ctx context.Context, in saga.PlannerIn[string]) (saga.Steps[string], error) {
				r.note(ctx, fmt.Sprint("plan ", in.Round, len(in.Results)))
				switch {
				case in.Round == 1:
					return saga.Steps[string]{Do: []saga.NextStep{saga.Next(a, in.Input), saga.Next(b, in.Input)}}, nil
				case in.Round == 2 && in.Input == "twice":
					return saga.Steps[string]{Do: []saga.NextStep{saga.Next(a, "more")}}, nil
				case in.Input == "lost":
					return saga.Steps[string]{Do: []saga.NextStep{{Action: "nowhere"}}}, nil
				}
				var last string
				if err := in.Results[len(in.Results)-1].Decode(&last); err != nil {
					return saga.Steps[string]{}, err
				}
				return saga.Steps[string]{Done: true, Output: last}, nil
			}}
		s := saga.Define("plans", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			return saga.Plan(f, "agent", planner, in.In, saga.Uses(a, b))
		})
		c := r.begin(saga.Config{}, s)
		out, err := finished(r.t, start(r.t, c, s, "twice"))
		require.NoError(r.t, err)
		require.Equal(r.t, "morea", out)
		require.Equal(r.t, []string{"plan 1 0", "a", "b", "plan 2 2", "a", "plan 3 1"}, r.called())
		_, err = finished(r.t, start(r.t, c, s, "lost"))
		var comp *saga.CompensatedError
		require.ErrorAs(r.t, err, &comp)
		require.Contains(r.t, comp.Cause.Message, "nowhere")
		require.Equal(r.t, []string{"undo b", "undo a"}, r.called()[len(r.called())-2:])
	})
}

func TestEmittedEventsStandOrFallWithTheAttempt(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		inner := a.Do
		a.Do = func(ctx context.Context, in string) (string, error) {
			require.NoError(r.t, saga.Emit(ctx, "order.paid", map[string]int{"n": saga.AttemptOf(ctx).Number}))
			require.Error(r.t, saga.Emit(ctx, "run.started.v1", 1))
			require.Error(r.t, saga.Emit(ctx, "order.huge", strings.Repeat("x", 600<<10)))
			return inner(ctx, in)
		}
		r.fails("a", errModel, errModel)
		s := chain("emits", a)
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "")
		_, err := finished(r.t, run)
		require.NoError(r.t, err)
		var payloads []string
		facts := r.facts(run.ID)
		for i, f := range facts {
			if e, ok := f.Event.(*domain.DomainEvent); ok {
				payloads = append(payloads, string(e.Payload))
				require.IsType(r.t, &domain.AttemptSucceeded{}, facts[i+1].Event)
			}
		}
		require.Equal(r.t, []string{`{"n":3}`}, payloads)
		require.Error(r.t, saga.Emit(r.t.Context(), "order.paid", 1), "outside a handler")
	})
}

// TestOutputAndEventsThatDoNotFitTogetherFailTheStep: each fits by itself, but not one append.
func TestOutputAndEventsThatDoNotFitTogetherFailTheStep(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		big := strings.Repeat("x", 510<<10)
		a.Do = func(ctx context.Context, in string) (string, error) {
			r.note(ctx, "a")
			return big, saga.Emit(ctx, "order.huge", big)
		}
		s := chain("big", a)
		c := r.begin(saga.Config{}, s)
		_, err := finished(r.t, start(r.t, c, s, ""))
		var comp *saga.CompensatedError
		require.ErrorAs(r.t, err, &comp)
		require.Contains(r.t, comp.Cause.Message, "fit")
	})
}

func TestFailureHandlersAreTold(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		var mu sync.Mutex
		var told []saga.Failed
		handler := func(name string) *saga.Action[saga.Failed, saga.None] {
			return &saga.Action[saga.Failed, saga.None]{Name: name, Effect: saga.NoEffect, Retry: fastRetry,
				Do: func(ctx context.Context, in saga.Failed) (saga.None, error) {
					r.note(ctx, name)
					if err := r.next(name); err != nil {
						return saga.None{}, err
					}
					mu.Lock()
					defer mu.Unlock()
					told = append(told, in)
					return saga.None{}, nil
				}}
		}
		a, b := r.act("a"), r.act("b")
		b.OnFailure = handler("b-failed")
		r.fails("b", saga.Permanent(errModel))
		r.fails("b-failed", errModel)
		// Gives up: the run's end is not changed.
		r.fails("saga-failed", errModel, errModel, errModel)
		s := saga.Define("handled", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			x := saga.Do(f, a, in.In)
			return saga.Do(f, b, x.In)
		}, saga.OnFailure(handler("saga-failed")))
		c := r.begin(saga.Config{}, s)
		run := start(r.t, c, s, "-")
		_, err := finished(r.t, run)
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		sleepABit()
		mu.Lock()
		defer mu.Unlock()
		require.Len(r.t, told, 1)
		require.Equal(r.t, "b", told[0].Step)
		require.JSONEq(r.t, `"-"`, string(told[0].Input))
		require.Equal(r.t, "model failure", told[0].Cause.Message)
		count := 0
		for _, call := range r.called() {
			if call == "saga-failed" {
				count++
			}
		}
		require.Equal(r.t, 3, count)
		require.Zero(r.t, c.UnfinishedRuns())
	})
}
