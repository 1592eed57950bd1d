package saga_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestRunWaitsForAProgramThatHasItsCode starts a run, stops the program, and starts one without the
// saga, one without its actions, and the right one again: the run waits visibly, and ends.
func TestRunWaitsForAProgramThatHasItsCode(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b := r.act("a"), r.act("b")
		define := func() *saga.Saga[string, string] {
			return saga.Define("waits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
				saga.Await[string](f, "go")
				saga.Parallel(f, func(f *saga.Flow) { saga.Do(f, a, in.In) }, func(f *saga.Flow) { saga.Do(f, b, in.In) })
				return saga.Return(f, func(v saga.Scope) string { return in.In(v) })
			})
		}
		program := func(sagas ...saga.AnySaga) (*saga.Coordinator, func()) {
			r.faults.Store(false)
			ctx, stop := context.WithCancel(context.Background())
			c, ended := launch(r.t, ctx, r.log, saga.Config{}, sagas...)
			r.faults.Store(true)
			return c, func() { stop(); require.NoError(r.t, <-ended) }
		}
		s := define()
		c, stop := program(s)
		run := start(r.t, c, s, "in")
		stop()

		c, stop = program(chain("other", r.act("c")))
		require.NoError(r.t, c.Signal(r.t.Context(), run.ID, "go", "x"))
		sleepABit()
		v, err := c.Describe(r.t.Context(), run.ID)
		require.NoError(r.t, err)
		require.Contains(r.t, v.Blocked, "waits v1")
		require.Equal(r.t, domain.RunRunning, v.State)
		events := len(r.facts(run.ID))
		sleepABit()
		require.Len(r.t, r.facts(run.ID), events, "it waits without writing on and on")
		require.Empty(r.t, r.called())
		stop()

		c, stop = program(define())
		out, err := finished(r.t, saga.RunOf[string](c, run.ID))
		require.NoError(r.t, err)
		require.Equal(r.t, "in", out)
		v, err = c.Describe(r.t.Context(), run.ID)
		require.NoError(r.t, err)
		require.Empty(r.t, v.Blocked)
		stop()
	})
}

// TestTwoMissingActionsBlockARunOnce has retries of two different actions owed in a program that
// has neither.
func TestTwoMissingActionsBlockARunOnce(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a, b := r.act("a"), r.act("b")
		slow := saga.Retry{MaxAttempts: 3, Initial: time.Hour, Max: time.Hour}
		a.Retry, b.Retry = slow, slow
		r.fails("a", errModel)
		r.fails("b", errModel)
		s := saga.Define("both", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[saga.None] {
			saga.Parallel(f, func(f *saga.Flow) { saga.Do(f, a, in.In) }, func(f *saga.Flow) { saga.Do(f, b, in.In) })
			return saga.Ref[saga.None]{}
		})
		ctx, stop := context.WithCancel(context.Background())
		c, ended := launch(r.t, ctx, r.log, saga.Config{}, s)
		run := start(r.t, c, s, "in")
		sleepABit()
		require.Len(r.t, r.called(), 2)
		stop()
		require.NoError(r.t, <-ended)
		c = r.begin(saga.Config{}, chain("other", r.act("c")))
		time.Sleep(3 * time.Hour)
		v, err := c.Describe(r.t.Context(), run.ID)
		require.NoError(r.t, err)
		require.NotEmpty(r.t, v.Blocked)
		require.LessOrEqual(r.t, len(r.events(run.ID, "run.blocked")), 2)
	})
}

func TestChangedPlanIsRefusedUnderItsOldVersion(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		old := chain("grows", r.act("a"))
		ctx, stop := context.WithCancel(context.Background())
		_, ended := launch(r.t, ctx, r.log, saga.Config{}, old)
		stop()
		require.NoError(r.t, <-ended)
		c, err := saga.New(saga.Config{Log: r.log})
		require.NoError(r.t, err)
		require.NoError(r.t, c.Register(chain("grows", r.act("a"), r.act("b"))))
		err = c.Run(r.t.Context())
		require.ErrorIs(r.t, err, saga.ErrPlanChanged)
		require.ErrorContains(r.t, err, `"name": "b"`)
		require.ErrorContains(r.t, err, "bump the version")
	})
}

// TestSagaOfTwoLogsIsStoredInBoth: a definition is a program's, its plan each log's.
func TestSagaOfTwoLogsIsStoredInBoth(t *testing.T) {
	t.Parallel()
	a := &saga.Action[string, string]{Name: "a", Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return in, nil }}
	s := chain("shared", a)
	for _, cfg := range []saga.Config{{}, {}, {PlansWhenRun: true}, {PlansWhenRun: true}} {
		log := memlog.New()
		_, err := finished(t, start(t, begin(t, log, cfg, s), s, ""))
		require.NoError(t, err)
		plan, err := s.Plan()
		require.NoError(t, err)
		_, err = saga.ReadPlan(t.Context(), log, plan.Hash())
		require.NoError(t, err)
	}
}

// TestPlanIsStoredWithItsFirstRunWhereThatIsAskedFor writes nothing of sagas that never run; a saga
// that ran must keep its plan as always: Run checks that, and so does the first start if another
// process was faster.
func TestPlanIsStoredWithItsFirstRunWhereThatIsAskedFor(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		cfg := saga.Config{PlansWhenRun: true}
		a := r.act("a")
		old, changed := chain("grows", a), chain("grows", a, r.act("b"))
		child := saga.Define("has-a-child", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Child(f, changed, in.In) })
		slow, late := begin(r.t, r.log, cfg, changed, child), begin(r.t, r.log, cfg, old, chain("never-run", a))
		r.faults.Store(true)
		for e, err := range r.plain.ReadAll(r.t.Context(), 0, domain.Filter{}) {
			require.NoError(r.t, err)
			require.Fail(r.t, "something was written", "%s: %s", e.Stream, e.Type)
		}
		out, err := finished(r.t, start(r.t, late, old, "-"))
		require.NoError(r.t, err)
		require.Equal(r.t, "-a", out)
		_, err = saga.Start(r.t.Context(), slow, changed, "-")
		require.ErrorIs(r.t, err, saga.ErrPlanChanged)
		parent := start(r.t, slow, child, "-")
		sleepABit()
		v, err := slow.Describe(r.t.Context(), parent.ID)
		require.NoError(r.t, err)
		require.Contains(r.t, v.Blocked, "grows v1", "a run whose child can't be started waits, and says so")
		for e, err := range r.plain.ReadAll(r.t.Context(), 0, domain.Filter{}) {
			require.NoError(r.t, err)
			require.NotContains(r.t, e.Stream, "never-run")
		}
		c, err := saga.New(saga.Config{Log: r.log, PlansWhenRun: true})
		require.NoError(r.t, err)
		require.NoError(r.t, c.Register(changed))
		require.ErrorIs(r.t, c.Run(r.t.Context()), saga.ErrPlanChanged)
	})
}

// sink takes alerts, and refuses the first ones.
type sink struct {
	mu     sync.Mutex
	refuse int
	taken  []saga.Alert
}

func (s *sink) Alert(_ context.Context, a saga.Alert) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		return errModel
	}
	s.taken = append(s.taken, a)
	return nil
}

func TestAlertsAreToldAtLeastOnce(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		stuck, failed := chain("gets-stuck", r.act("a"), r.act("x")), chain("fails", r.act("y"))
		slow := saga.Define("slow", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "never") }, saga.Slow(time.Minute))
		r.fails("x", saga.Permanent(errModel))
		r.fails("y", saga.Permanent(errModel))
		r.fails("undo a", saga.Permanent(errModel))
		to := &sink{refuse: 3}
		r.faults.Store(false)
		ctx, stop := context.WithCancel(context.Background())
		c, ended := launch(r.t, ctx, r.log, saga.Config{Alerts: []saga.AlertSink{to}}, stuck, failed, slow)
		r.faults.Store(true)
		one, two, three := start(r.t, c, stuck, ""), start(r.t, c, failed, ""), start(r.t, c, slow, "")
		time.Sleep(10 * time.Minute)
		got := map[string]saga.Alert{}
		to.mu.Lock()
		for _, a := range to.taken {
			got[fmt.Sprint(a.Kind, " ", a.Run)] = a
		}
		to.mu.Unlock()
		require.Len(r.t, got, 4, "stuck, failed twice, slow")
		a := got["stuck "+one.ID.String()]
		require.Equal(r.t, "a", a.Step)
		v, err := c.Describe(r.t.Context(), one.ID)
		require.NoError(r.t, err)
		require.Equal(r.t, v.Steps[0].Incident, a.ID)
		require.Contains(r.t, got, "failed "+one.ID.String())
		require.Contains(r.t, got, "failed "+two.ID.String())
		require.Equal(r.t, "slow", got["slow "+three.ID.String()].Saga)
		stop()
		require.NoError(r.t, <-ended)
		again := &sink{}
		r.faults.Store(false)
		r.begin(saga.Config{Alerts: []saga.AlertSink{again}}, stuck, failed, slow)
		time.Sleep(10 * time.Minute)
		again.mu.Lock()
		defer again.mu.Unlock()
		for _, a := range again.taken {
			require.NotEqual(r.t, saga.AlertStuck, a.Kind, "it was told before the restart, and its place in the log saved")
		}
	})
}

// deadSink takes nothing, ever.
type deadSink struct{}

func (deadSink) Alert(context.Context, saga.Alert) error { return errModel }

// TestADeadSinkKeepsNoAlertFromTheOthers: when the pager is down, the log still tells.
func TestADeadSinkKeepsNoAlertFromTheOthers(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		s := chain("fails", r.act("a"))
		first, second := &sink{}, &sink{}
		c := r.begin(saga.Config{Alerts: []saga.AlertSink{first, deadSink{}, second}}, s)
		for range 3 {
			r.fails("a", saga.Permanent(errModel))
			_, err := finished(r.t, start(r.t, c, s, ""))
			require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		}
		sleepABit()
		for _, to := range []*sink{first, second} {
			to.mu.Lock()
			require.Len(r.t, to.taken, 3)
			to.mu.Unlock()
		}
	})
}

// TestTwoCoordinatorsOnOneLog lets two share a log and work on the same runs: whoever loses the
// race for a revision decides again, and nothing is lost or done twice beyond its key.
func TestTwoCoordinatorsOnOneLog(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		s := saga.Define("shared", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			x := saga.Do(f, r.act("a"), in.In)
			saga.Await[string](f, "go")
			return x
		})
		one := r.begin(saga.Config{Node: "one", Shared: true}, s)
		r.faults.Store(false)
		two := r.begin(saga.Config{Node: "two", Shared: true}, s)
		var runs []*saga.Run[string]
		for i := range 10 {
			c := []*saga.Coordinator{one, two}[i%2]
			run, err := saga.Start(r.t.Context(), c, s, "-", saga.Key(fmt.Sprint(i)))
			require.NoError(r.t, err)
			runs = append(runs, run)
		}
		sleepABit()
		for i, run := range runs {
			other := []*saga.Coordinator{two, one}[i%2]
			if i%3 == 0 {
				require.NoError(r.t, other.Cancel(r.t.Context(), run.ID, "by the other"))
			} else {
				require.NoError(r.t, other.Signal(r.t.Context(), run.ID, "go", "x"))
			}
		}
		for i, run := range runs {
			_, err := finished(r.t, run)
			if i%3 == 0 {
				require.ErrorAs(r.t, err, new(*saga.CancelledError))
			} else {
				require.NoError(r.t, err)
			}
		}
	})
}

// TestRunOfANewerProgramKeepsNobodyFromStarting rolls a deployment back: the newer program left an
// event in a run's stream that this one does not know. The run waits, and all others go on.
func TestRunOfANewerProgramKeepsNobodyFromStarting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		s := saga.Define("awaits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			return saga.AwaitEvent[string](f, "order.paid", in.In)
		})
		ctx, stop := context.WithCancel(context.Background())
		c, ended := launch(t, ctx, r.plain, saga.Config{}, s)
		newer, other := start(t, c, s, "newer"), start(t, c, s, "other")
		sleepABit()
		stop()
		require.NoError(t, <-ended)
		last := domain.Expected(len(r.facts(newer.ID)) - 1)
		_, err := r.plain.Append(t.Context(), domain.RunStream(newer.ID), last, domain.NewEvent{ID: uuid.New(), Type: "step.teleported.v1", Data: []byte(`{}`),
			Metadata: []byte(`{"wake":{"state":"running","busy":true,"events":true}}`)})
		require.NoError(t, err)
		ctx, stop = context.WithCancel(context.Background())
		defer stop()
		c, ended = launch(t, ctx, r.plain, saga.Config{}, s)
		_, err = c.EmitEvent(t.Context(), "shop", "order.paid", []byte(`"yes"`), saga.EmitOptions{Correlation: "other"})
		require.NoError(t, err)
		out, err := finished(t, saga.RunOf[string](c, other.ID))
		require.NoError(t, err)
		require.Equal(t, "yes", out)
		var unknown *domain.UnknownEventError
		_, err = c.Describe(t.Context(), newer.ID)
		require.ErrorAs(t, err, &unknown)
		stop()
		require.NoError(t, <-ended)
	})
}

// TestRunOfANewerProgramTakesNoPlace: in a rolling deployment a newer program writes to a run that
// is under way here.
func TestRunOfANewerProgramTakesNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		child := saga.Define("child", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") })
		parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Child(f, child, in.In) })
		c := begin(t, r.plain, saga.Config{MaxRuns: 1}, parent)
		run := start(t, c, parent, "")
		sleepABit()
		require.Zero(t, c.ActiveRuns(), "all of it waits")
		last := domain.Expected(len(r.facts(run.ID)) - 1)
		_, err := r.plain.Append(t.Context(), domain.RunStream(run.ID), last, domain.NewEvent{ID: uuid.New(), Type: "step.teleported.v1", Data: []byte(`{}`), Metadata: []byte(`{}`)})
		require.NoError(t, err)
		require.NoError(t, c.Signal(t.Context(), domain.ChildRunID(run.ID, "child"), "go", "x"))
		sleepABit()
		require.Zero(t, c.ActiveRuns())
	})
}
