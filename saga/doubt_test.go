package saga_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// provider is somebody else's system: it keeps what it is told under the caller's key.
type provider struct {
	mu     sync.Mutex
	stored map[string]bool
	calls  []string
}

func (p *provider) note(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
}

func (p *provider) put(key string, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there {
		p.stored[key] = true
	} else {
		delete(p.stored, key)
	}
}

// stores is an action that stores and then fails as the errors say, attempt by attempt; the last
// one stays.
func (p *provider) stores(fails ...error) *saga.Action[string, string] {
	return &saga.Action[string, string]{Name: "store", Retry: fastRetry,
		Do: func(ctx context.Context, in string) (string, error) {
			a := saga.AttemptOf(ctx)
			p.note("do")
			err := fails[min(a.Number, len(fails))-1]
			if effect, _ := saga.EffectOf(err); err == nil || effect != domain.EffectNotDone {
				p.put(a.Key, true)
			}
			return in, err
		},
		Undo: func(_ context.Context, did saga.Did[string, string]) error {
			p.note(fmt.Sprint("undo ", did.InDoubt))
			p.put(did.Key, false)
			return nil
		}}
}

// TestUnsaidErrorsAreInDoubt: the provider stores, and an error comes back that does not say so.
// Nothing stays behind, and nothing is probed or undone without need.
func TestUnsaidErrorsAreInDoubt(t *testing.T) {
	t.Parallel()
	applied := func(context.Context, string) (saga.Probed[string], error) { return saga.Applied("found"), nil }
	not := func(context.Context, string) (saga.Probed[string], error) { return saga.NotApplied[string](), nil }
	for name, test := range map[string]struct {
		fails   []error
		probe   func(context.Context, string) (saga.Probed[string], error)
		cleanly bool
		calls   []string
		out     string
	}{
		"a plain error":                     {fails: []error{io.EOF}, calls: []string{"do", "do", "do", "undo true"}},
		"wrapped, of the network":           {fails: []error{fmt.Errorf("put: %w", io.ErrUnexpectedEOF)}, calls: []string{"do", "do", "do", "undo true"}},
		"a retry that succeeds":             {fails: []error{io.EOF, nil}, calls: []string{"do", "do"}, out: "in"},
		"refused":                           {fails: []error{saga.Permanent(errModel)}, calls: []string{"do"}},
		"nothing done, every time":          {fails: []error{saga.NothingDone(errModel)}, calls: []string{"do", "do", "do"}},
		"refused after a doubt":             {fails: []error{errModel, saga.Permanent(errModel)}, calls: []string{"do", "do", "undo true"}},
		"nothing done after a doubt":        {fails: []error{errModel, saga.NothingDone(errModel)}, calls: []string{"do", "do", "do", "undo true"}},
		"the probe has the last word":       {fails: []error{errModel}, probe: applied, calls: []string{"do", "do", "do", "probe"}, out: "found"},
		"the probe says no at the last":     {fails: []error{errModel}, probe: not, calls: []string{"do", "do", "do", "probe"}},
		"said to be in doubt":               {fails: []error{saga.InDoubt(errModel)}, probe: applied, calls: []string{"do", "probe"}, out: "found"},
		"refused after a doubt, and probed": {fails: []error{errModel, saga.Permanent(errModel)}, probe: applied, calls: []string{"do", "do", "probe"}, out: "found"},
		"refused, and not probed":           {fails: []error{saga.Permanent(errModel)}, probe: applied, calls: []string{"do"}},
		"fails cleanly":                     {fails: []error{errModel}, cleanly: true, calls: []string{"do", "do", "do"}},
		"not so cleanly":                    {fails: []error{errModel, errors.Join(errModel, io.EOF), errModel}, cleanly: true, calls: []string{"do", "do", "do", "undo true"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &provider{stored: map[string]bool{}}
				a := p.stores(test.fails...)
				a.FailsCleanly = test.cleanly
				if test.probe != nil {
					a.Probe = func(ctx context.Context, in string) (saga.Probed[string], error) {
						p.note("probe")
						return test.probe(ctx, in)
					}
				}
				s := chain("stores", a)
				c := begin(t, memlog.New(), saga.Config{}, s)
				out, err := finished(t, start(t, c, s, "in"))
				require.Equal(t, test.calls, p.calls)
				if test.out != "" {
					require.NoError(t, err)
					require.Equal(t, test.out, out)
					return
				}
				require.ErrorAs(t, err, new(*saga.CompensatedError))
				if slices.Contains(test.calls, "undo true") {
					require.Empty(t, p.stored)
				}
			})
		})
	}
}

// Types whose values JSON does not write, or does not read back.
type (
	failsToWrite   struct{ X int }
	panicsAtWrite  struct{ X int }
	readsOtherwise struct{ X int }
	readsOnly      int
	deep           struct{ Next *deep }
)

func (*readsOnly) UnmarshalJSON(b []byte) error { return fmt.Errorf("%s is no name", b) }

func (failsToWrite) MarshalJSON() ([]byte, error)   { return nil, errors.New("can't be written") }
func (panicsAtWrite) MarshalJSON() ([]byte, error)  { panic("can't be written") }
func (readsOtherwise) MarshalJSON() ([]byte, error) { return []byte(`"x"`), nil }

func nested(levels int) *deep {
	var d *deep
	for range levels {
		d = &deep{d}
	}
	return d
}

// TestWhatWasDoneIsUndoneThoughItsOutcomeCantBeRecorded: it happened, so it is not tried again, and
// is undone in doubt.
func TestWhatWasDoneIsUndoneThoughItsOutcomeCantBeRecorded(t *testing.T) {
	t.Parallel()
	t.Run("too large", notRecordable(strings.Repeat("x", 600<<10), "bytes"))
	t.Run("not a number", notRecordable(0/zero, "NaN"))
	t.Run("can't be written", notRecordable(failsToWrite{}, "can't be written"))
	t.Run("panics", notRecordable(panicsAtWrite{}, "can't be written"))
	t.Run("can't be read", notRecordable(readsOtherwise{}, "does not come back"))
	t.Run("10,001 deep", notRecordable(nested(10_001), "deep"))
	t.Run("can't be read by its own code", notRecordable(readsOnly(1), "does not come back"))
	t.Run("no UTF-8", notRecordable("id-\xff", "UTF-8"))
	t.Run("no UTF-8 deep within", notRecordable(map[string][]any{"ids": {"id-\xff"}}, "UTF-8"))
	t.Run("any of a type that is not read back", notRecordable(any(map[string]any{"x": zero / zero}), "NaN"))
}

var zero float64

// notRecordable runs an action that does its work and returns out.
func notRecordable[Out any](out Out, why string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		var calls []string
		a := &saga.Action[string, Out]{Name: "a", Retry: fastRetry,
			Do: func(context.Context, string) (Out, error) { calls = append(calls, "do"); return out, nil },
			Undo: func(_ context.Context, did saga.Did[string, Out]) error {
				calls = append(calls, fmt.Sprint("undo ", did.InDoubt))
				return nil
			}}
		s := saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[Out] { return saga.Do(f, a, in.In) })
		c := begin(t, memlog.New(), saga.Config{}, s)
		_, err := finished(t, start(t, c, s, "in"))
		var undone *saga.CompensatedError
		require.ErrorAs(t, err, &undone)
		require.Contains(t, undone.Cause.Message, "it was done, but its outcome can't be recorded")
		require.Contains(t, undone.Cause.Message, why)
		require.True(t, undone.Cause.InDoubt)
		require.Equal(t, []string{"do", "undo true"}, calls)
	}
}

// TestProbeThatFindsTooMuchDoesNotCompleteTheStep: what it found has happened, and is undone.
func TestProbeThatFindsTooMuchDoesNotCompleteTheStep(t *testing.T) {
	t.Parallel()
	p := &provider{stored: map[string]bool{}}
	a := p.stores(saga.InDoubt(errModel))
	a.Probe = func(context.Context, string) (saga.Probed[string], error) {
		p.note("probe")
		return saga.Applied(strings.Repeat("x", 600<<10)), nil
	}
	s := chain("probes", a)
	c := begin(t, memlog.New(), saga.Config{}, s)
	_, err := finished(t, start(t, c, s, "in"))
	require.ErrorAs(t, err, new(*saga.CompensatedError))
	require.Equal(t, []string{"do", "probe", "undo true"}, p.calls)
	require.Empty(t, p.stored)
}

// TestEmittedEventsThatDontFitAreRefusedToTheHandler: a hundred thousand tiny ones are more than an
// append takes.
func TestEmittedEventsThatDontFitAreRefusedToTheHandler(t *testing.T) {
	t.Parallel()
	p := &provider{stored: map[string]bool{}}
	a := p.stores(nil)
	do := a.Do
	a.Do = func(ctx context.Context, in string) (string, error) {
		out, _ := do(ctx, in)
		for range 100_000 {
			if err := saga.Emit(ctx, "tiny", 1); err != nil {
				return "", saga.InDoubt(saga.Permanent(err))
			}
		}
		return out, nil
	}
	s := chain("emits", a)
	c := begin(t, memlog.New(), saga.Config{}, s)
	_, err := finished(t, start(t, c, s, "in"))
	require.ErrorContains(t, err, "must fit one append")
	require.Equal(t, []string{"do", "undo true"}, p.calls)
	// As many as are taken fit.
	fits := p.stores(nil)
	fits.Name = "fits"
	fits.Do = func(ctx context.Context, in string) (string, error) {
		for saga.Emit(ctx, strings.Repeat("t", 250), strings.Repeat("x", 40)) == nil {
		}
		return strings.Repeat("x", 400<<10), nil
	}
	s = chain("fits", fits)
	c = begin(t, memlog.New(), saga.Config{Node: strings.Repeat("n", 100)}, s)
	_, err = finished(t, start(t, c, s, "in"))
	require.NoError(t, err)
}

// TestIrreversibleDoubtLeavesNothingHalfUndone: a letter may be in the post, so what came before it
// is not undone until somebody has found out.
func TestIrreversibleDoubtLeavesNothingHalfUndone(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func() (string, error){
		"an error that says nothing":   func() (string, error) { return "", errModel },
		"an outcome that is too large": func() (string, error) { return strings.Repeat("x", 600<<10), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &provider{stored: map[string]bool{}}
			letter := &saga.Action[string, string]{Name: "letter", Effect: saga.Irreversible, Retry: saga.Retry{MaxAttempts: 1},
				Do: func(context.Context, string) (string, error) { p.note("letter"); return fails() }}
			hold := p.stores(nil)
			s := saga.Define("letters", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
				held := saga.Do(f, hold, in.In)
				return saga.Do(f, letter, held.In, saga.AcceptDoubt("nobody can ask the post"))
			})
			c := begin(t, memlog.New(), saga.Config{}, s)
			run := start(t, c, s, "in")
			_, err := finished(t, run)
			var stuck *saga.StuckError
			require.ErrorAs(t, err, &stuck)
			require.Equal(t, "letter", stuck.Step)
			require.Equal(t, []string{"do", "letter"}, p.calls)
			require.NoError(t, c.Cancel(t.Context(), run.ID, "never mind"))
			why, err := c.Why(t.Context(), run.ID)
			require.NoError(t, err)
			require.Contains(t, why.Text, "a cancel waits until it is known whether letter took effect")
			require.NoError(t, c.Skip(t.Context(), run.ID, "letter", "it is still here"))
			_, err = finished(t, run)
			require.ErrorAs(t, err, new(*saga.CancelledError))
			require.Equal(t, []string{"do", "letter", "undo false"}, p.calls)
		})
	}
}

// TestLateEffectMakesAnEndedRunStuckAgain: its undo fails for good after the run ended. Everybody
// sees a stuck run, until a person has seen to it; then it ends as it had ended.
func TestLateEffectMakesAnEndedRunStuckAgain(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		var keys []string
		broken := true
		a := r.act("a")
		a.Timeout, a.Retry, a.UndoRetry = 10*time.Second, saga.Retry{MaxAttempts: 1}, saga.Retry{MaxAttempts: 2, Initial: time.Second}
		a.Do = func(ctx context.Context, in string) (string, error) {
			<-ctx.Done()
			time.Sleep(time.Hour) // deaf
			return "late", nil
		}
		a.Undo = func(ctx context.Context, did saga.Did[string, string]) error {
			keys = append(keys, saga.AttemptOf(ctx).Key)
			if did.Output == "late" && broken {
				return errModel
			}
			return nil
		}
		s := chain("late", a)
		var told atomic.Int64
		c := r.begin(saga.Config{Alerts: []saga.AlertSink{sinkFunc(func(_ context.Context, a saga.Alert) error {
			if a.Kind == saga.AlertStuck {
				told.Add(1)
			}
			return nil
		})}}, s)
		run := start(r.t, c, s, "")
		_, err := r.wait(run)
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		require.Zero(r.t, told.Load())
		time.Sleep(2 * time.Hour)
		require.EqualValues(r.t, 1, told.Load(), "people are told")
		require.Equal(r.t, map[domain.RunState]int{domain.RunIsStuck: 1}, c.RunStates(), "it is counted")
		_, err = r.wait(run)
		var stuck *saga.StuckError
		require.ErrorAs(r.t, err, &stuck)
		v, err := c.Describe(r.t.Context(), run.ID)
		require.NoError(r.t, err)
		require.Equal(r.t, domain.RunIsStuck, v.State)
		require.Zero(r.t, v.Ended)
		require.ErrorIs(r.t, c.Cancel(r.t.Context(), run.ID, "cancel what has ended"), saga.ErrEnded)
		broken = false
		report, err := c.Bulk(r.t.Context(), saga.BulkRequest{Act: saga.BulkRetry, Filter: saga.BulkFilter{States: []domain.RunState{domain.RunIsStuck}, Action: "a"}, Reason: "mended"})
		require.NoError(r.t, err)
		require.Len(r.t, report.Results, 1, "a filter finds it")
		require.True(r.t, report.Results[0].Done, report.Results[0].Error)
		_, err = r.wait(run)
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		require.Len(r.t, keys, 4)
		require.NotEqual(r.t, keys[0], keys[1], "another undo than the one before the effect")
		require.Equal(r.t, keys[1], keys[2], "the same undo, again")
		require.Equal(r.t, keys[1], keys[3])
		events := r.events(run.ID, "run.")
		require.Equal(r.t, []string{"run.started.v1", "run.turned_back.v1", "run.compensated.v1", "run.stuck.v1", "run.compensated.v1"}, events)
	})
}

// TestHandlersAreToldOfUndoneChildren: a child that undid itself is among what was undone.
func TestHandlersAreToldOfUndoneChildren(t *testing.T) {
	t.Parallel()
	told := make(chan saga.Failed, 1)
	tell := &saga.Action[saga.Failed, saga.None]{Name: "tell", Effect: saga.NoEffect, Do: func(_ context.Context, f saga.Failed) (saga.None, error) {
		told <- f
		return saga.None{}, nil
	}}
	p := &provider{stored: map[string]bool{}}
	child := chain("child", p.stores(nil))
	x := p.stores(saga.Permanent(errModel))
	x.Name = "x"
	parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, x, saga.Child(f, child, in.In).In)
	}, saga.OnFailure(tell))
	c := begin(t, memlog.New(), saga.Config{}, parent)
	_, err := finished(t, start(t, c, parent, "in"))
	require.ErrorAs(t, err, new(*saga.CompensatedError))
	require.Equal(t, []string{"child"}, (<-told).Undone)
}

// TestWhatHasNoEffectIsNeverInDoubt: a query that failed, an undo and a failure handler leave
// nothing in doubt.
func TestWhatHasNoEffectIsNeverInDoubt(t *testing.T) {
	t.Parallel()
	tries := 0
	tell := &saga.Action[saga.Failed, saga.None]{Name: "tell", Effect: saga.NoEffect, Retry: fastRetry, Do: func(context.Context, saga.Failed) (saga.None, error) {
		return saga.None{}, context.DeadlineExceeded
	}}
	query := &saga.Action[string, string]{Name: "query", Effect: saga.NoEffect, Retry: fastRetry, OnFailure: tell,
		Do: func(context.Context, string) (string, error) { return "", context.DeadlineExceeded }}
	p := &provider{stored: map[string]bool{}}
	a := p.stores(nil)
	a.UndoRetry = fastRetry
	a.Undo = func(context.Context, saga.Did[string, string]) error {
		if tries++; tries < 3 {
			return context.DeadlineExceeded
		}
		return nil
	}
	s := chain("asks", a, query)
	log := memlog.New()
	c := begin(t, log, saga.Config{}, s)
	run := start(t, c, s, "in")
	_, err := finished(t, run)
	require.ErrorAs(t, err, new(*saga.CompensatedError))
	v, err := c.Describe(t.Context(), run.ID)
	require.NoError(t, err)
	for _, st := range v.Steps {
		require.False(t, st.InDoubt, st.Path)
		require.False(t, st.Cause != nil && st.Cause.InDoubt, st.Path)
	}
	failures := map[domain.Direction]int{}
	for _, f := range (&rig{t: t, plain: log}).facts(run.ID) {
		if e, ok := f.Event.(*domain.AttemptFailed); ok {
			failures[e.Direction]++
			require.False(t, e.Cause.InDoubt, "%s %s", e.Step, e.Direction)
		}
	}
	require.Subset(t, slices.Collect(maps.Keys(failures)), []domain.Direction{domain.Do, domain.Undo})
	require.NotEqual(t, machine.Stuck, v.Steps[0].Phase)
}
