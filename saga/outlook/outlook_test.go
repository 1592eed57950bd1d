package outlook_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/outlook"
	"github.com/atonehq/atone/saga/sagatest"
)

func action(name string) *saga.Action[string, string] {
	return &saga.Action[string, string]{Name: name, Retry: saga.Retry{MaxAttempts: 3}, UndoRetry: saga.Retry{MaxAttempts: 3},
		Do:   func(context.Context, string) (string, error) { return name, nil },
		Undo: func(context.Context, saga.Did[string, string]) error { return nil }}
}

// of returns the outlook on a run.
func of(t *testing.T, c *saga.Coordinator, run domain.RunID) outlook.Outlook {
	t.Helper()
	l, err := c.Look(t.Context(), run)
	require.NoError(t, err)
	return l.Outlook(t.Context(), c.Now())
}

// sentences lists everything that an outlook says.
func sentences(o *outlook.Outlook) (all []string) {
	for i := range o.Acts {
		for j := range o.Acts[i].Ends {
			all = append(all, o.Acts[i].Sentence(&o.Acts[i].Ends[j]))
		}
	}
	return all
}

func sequence(actions ...*saga.Action[string, string]) *saga.Saga[string, string] {
	return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		var out saga.Ref[string]
		for _, a := range actions {
			out = saga.Do(f, a, in.In)
		}
		return out
	})
}

func TestTheOutlookOfAStuckUndo(t *testing.T) {
	t.Parallel()
	reserve, charge, ship := action("reserve"), action("charge-card"), action("ship")
	s := sequence(reserve, charge, ship)
	k := sagatest.New(t, s)
	sagatest.StandFor(k, ship).Refuse(errors.New("no lorry"))
	sagatest.StandFor(k, charge).RefuseUndo(errors.New("card_gone"))
	run := sagatest.Start(k, s, "x")
	run.Stuck()
	o := of(t, k.Coordinator(), run.ID)
	require.Equal(t, []string{
		"do nothing → stuck: the undo of charge-card needs a person",
		"retry the undo of charge-card: all goes well → compensated, nothing left",
		"retry the undo of charge-card: the undo of charge-card is refused → stuck: the undo of charge-card needs a person",
		"retry the undo of charge-card: the undo of reserve is refused → stuck: the undo of reserve needs a person",
		"skip the undo of charge-card: all goes well → compensated, with the effect of charge-card left",
		"skip the undo of charge-card: the undo of reserve is refused → stuck: the undo of reserve needs a person, with the effect of charge-card left",
		"abandon the run → abandoned, with the effects of charge-card and reserve left",
	}, sentences(&o))
	require.Empty(t, o.Cut)
}

func TestAnOutlookDependsOnWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	price, cheap, dear := action("price"), action("cheap"), action("dear")
	s := saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		p := saga.Do(f, price, in.In, saga.OnFail(saga.Ask))
		twice := saga.Compute(f, "twice", func(v saga.Scope) string { return p.In(v) + p.In(v) })
		saga.If(f, func(v saga.Scope) bool { return len(twice.In(v)) > 3 },
			func(f *saga.Flow) { saga.Do(f, dear, in.In, saga.OnFail(saga.Ask)) },
			func(f *saga.Flow) { saga.Do(f, cheap, in.In, saga.OnFail(saga.Ask)) })
		return p
	})
	k := sagatest.New(t, s)
	sagatest.StandFor(k, price).Refuse(errors.New("closed"))
	run := sagatest.Start(k, s, "x")
	run.Stuck()
	o := of(t, k.Coordinator(), run.ID)
	var dears, cheaps bool
	for i := range o.Acts {
		for _, e := range o.Acts[i].Ends {
			if len(e.Stuck) == 0 || e.Stuck[0].Step == "price" {
				continue
			}
			dears, cheaps = dears || e.Stuck[0].Step == "dear", cheaps || e.Stuck[0].Step == "cheap"
			want := "what price returns"
			if o.Acts[i].Act == explain.ActSubstitute {
				want = "the output that you give for price"
			}
			if o.Acts[i].Act != explain.ActSkip {
				require.Equal(t, []string{want}, e.Depends, "through the compute")
			} else {
				require.Empty(t, e.Depends, "a skipped step has no output: that is known")
			}
		}
	}
	require.True(t, dears && cheaps, "both sides are followed: %q", sentences(&o))
}

// closedLog takes no append once it is closed.
type closedLog struct {
	domain.Log
	closed  atomic.Bool
	refused atomic.Int64
}

func (l *closedLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if l.closed.Load() {
		l.refused.Add(1)
		return domain.Appended{}, errors.New("nothing may be written")
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

func TestAnOutlookCallsNoHandlerAndWritesNothing(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	a, b := action("a"), action("b")
	b.Do = func(context.Context, string) (string, error) {
		calls.Add(1)
		return "", saga.Permanent(errors.New("no"))
	}
	a.Undo = func(context.Context, saga.Did[string, string]) error {
		calls.Add(1)
		return saga.Permanent(errors.New("no"))
	}
	s := sequence(a, b)
	log := &closedLog{Log: memlog.New()}
	c, _ := running(t, log, s)
	run, err := saga.Start(t.Context(), c, s, "x")
	require.NoError(t, err)
	var stuck *saga.StuckError
	_, err = run.Wait(t.Context())
	require.ErrorAs(t, err, &stuck)
	before := calls.Load()
	state, err := c.FoldAt(t.Context(), run.ID, saga.Latest)
	require.NoError(t, err)
	log.closed.Store(true)
	o := of(t, c, run.ID)
	require.Greater(t, len(sentences(&o)), 4)
	require.Equal(t, before, calls.Load())
	require.Zero(t, log.refused.Load())
	after, err := c.FoldAt(t.Context(), run.ID, saga.Latest)
	require.NoError(t, err)
	require.Equal(t, state.Revision, after.Revision)
	require.Equal(t, o, of(t, c, run.ID), "the same question has the same answer")
	log.closed.Store(false)
}

func TestALargeRunIsLookedAtInPart(t *testing.T) {
	t.Parallel()
	steps := make([]*saga.Action[string, string], 1000)
	for i := range steps {
		steps[i] = action(fmt.Sprintf("step-%d", i))
	}
	each := saga.Define("each", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Await[string](f, "go")
		saga.Each(f, "items", func(saga.Scope) []string { return make([]string, 1000) }, func(f *saga.Flow, it saga.Ref[string]) saga.Ref[string] {
			return saga.Do(f, steps[0], it.In)
		})
		return in
	})
	long := saga.Define("long", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Await[string](f, "go")
		out := in
		for _, a := range steps {
			out = saga.Do(f, a, in.In)
		}
		return out
	})
	k := sagatest.New(t, each, long)
	for name, run := range map[string]domain.RunID{"each": sagatest.Start(k, each, "x").ID, "long": sagatest.Start(k, long, "x").ID} {
		k.Settle()
		s, err := k.Coordinator().FoldAt(t.Context(), run, saga.Latest)
		require.NoError(t, err)
		q := outlook.Question{State: s, Now: k.Now(), Code: k.Coordinator().CodeOf(s)}
		o := outlook.Of(t.Context(), q)
		require.Contains(t, o.Cut, "more ways than were looked at", name)
		require.Equal(t, outlook.ActWait, o.Acts[0].Act)
		require.True(t, o.Acts[0].Cut)
		require.Equal(t, domain.RunIsCompleted, o.Acts[0].Ends[0].State, "%s: %q", name, sentences(&o))
		require.Equal(t, "signal go arrives", o.Acts[0].Ends[0].If)
		require.LessOrEqual(t, len(o.Acts[0].Ends), 24)
	}
}

func TestAnOutlookThatIsOutOfTimeSaysSo(t *testing.T) {
	t.Parallel()
	b := action("b")
	s := sequence(action("a"), b)
	k := sagatest.New(t, s)
	sagatest.StandFor(k, b).Block()
	run := sagatest.Start(k, s, "x")
	run.UntilCalled("b")
	state, err := k.Coordinator().FoldAt(t.Context(), run.ID, saga.Latest)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	o := outlook.Of(ctx, outlook.Question{State: state, Now: k.Now(), Code: k.Coordinator().CodeOf(state)})
	require.Equal(t, "time was up: there may be further ends", o.Cut)
	require.True(t, o.Acts[0].Cut)
}

// running returns a coordinator on a log, and what stops it.
func running(t *testing.T, log domain.Log, sagas ...saga.AnySaga) (*saga.Coordinator, func()) {
	t.Helper()
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.Register(sagas...))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	var once sync.Once
	end := func() { once.Do(func() { stop(); require.NoError(t, <-ended) }) }
	t.Cleanup(end)
	return c, end
}

func TestARunWithoutItsCodeWaitsForAProgram(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	s := saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		a := saga.Do(f, action("a"), in.In)
		saga.Await[string](f, "go", saga.Within(time.Hour))
		return saga.Do(f, action("b"), a.In)
	})
	c, stop := running(t, log, s)
	run, err := saga.Start(t.Context(), c, s, "x")
	require.NoError(t, err)
	sagatest.UntilRecorded(t, log, domain.RunStream(run.ID), func(e domain.Recorded) bool { return e.Type == "await.opened.v1" })
	stop()
	other, _ := running(t, log)
	o := of(t, other, run.ID)
	require.Equal(t, []string{
		"do nothing: signal go arrives → stands still: waits for a program that can go on: no program here has saga order v1",
		`do nothing: signal go never arrives → stands still: waits for a program that can go on: no worker here has the action "a"`,
		`cancel the run → stands still: waits for a program that can go on: no worker here has the action "a"`,
		"abandon the run → abandoned, with the effect of a left",
	}, sentences(&o))
}

func TestCodeThatPanicsFailsItsStep(t *testing.T) {
	t.Parallel()
	s := saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		a := saga.Do(f, action("a"), in.In)
		saga.Await[string](f, "go")
		return saga.Do(f, action("b"), func(v saga.Scope) string {
			if a.In(v) == "a" {
				panic("I don't like it")
			}
			return ""
		})
	})
	k := sagatest.New(t, s)
	run := sagatest.Start(k, s, "x")
	run.Waits()
	o := of(t, k.Coordinator(), run.ID)
	require.Equal(t, []string{
		"do nothing: signal go arrives → compensated, nothing left",
		"do nothing: signal go arrives, the undo of a is refused → stuck: the undo of a needs a person",
		"do nothing: signal go never arrives → stands still: waits for signal go",
	}, sentences(&o)[:3])
}

func TestAnEndedRunHasNoOutlook(t *testing.T) {
	t.Parallel()
	s := sequence(action("a"))
	k := sagatest.New(t, s)
	run := sagatest.Start(k, s, "x")
	run.Completed()
	o := of(t, k.Coordinator(), run.ID)
	require.Equal(t, domain.RunIsCompleted, o.State)
	require.Empty(t, o.Acts)
}

func TestAPausedRunStandsStill(t *testing.T) {
	t.Parallel()
	s := saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Sleep(f, time.Hour)
		return saga.Do(f, action("a"), in.In)
	})
	k := sagatest.New(t, s)
	run := sagatest.Start(k, s, "x")
	run.Waits()
	require.NoError(t, k.Coordinator().Pause(t.Context(), run.ID, "lunch"))
	o := of(t, k.Coordinator(), run.ID)
	all := strings.Join(sentences(&o), "\n")
	require.Contains(t, all, "do nothing → stands still: waits for somebody to resume it")
	require.Contains(t, all, "resume the run: all goes well → completed")
}
