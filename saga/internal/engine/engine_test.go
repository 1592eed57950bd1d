package engine

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/clock"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/hands"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/internal/journal"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/plans"
	"github.com/atonehq/atone/saga/internal/timers"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// rig drives an engine from one goroutine: what the engine wants done later waits in a queue, and
// what it sends to workers in a list.
type rig struct {
	*Engine
	t     *testing.T
	later []func(context.Context)
	sent  []*work.Task
}

func newRig(t *testing.T, sagas ...*definition.Definition) *rig {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	registry := definition.NewRegistry()
	for _, s := range sagas {
		require.NoError(t, registry.AddSaga(s))
	}
	r := &rig{t: t}
	log := journal.New(memlog.New(), logger)
	store := plans.NewStore(log, registry, logger)
	clock := timers.NewClock(clock.System{}, logger)
	r.Engine = New(Config{
		Journal: log, Plans: store, Runs: history.NewRuns(log, store.Plan, logger), Registry: registry,
		Clock: clock, Wakeups: timers.NewList(clock, timers.Config{}, func(domain.RunID) {}), Logger: logger,
		Node: "rig", Incarnation: "rig/1", MaxRuns: 10, CacheRuns: 10, ActionConcurrency: 10, SnapshotEvery: -1,
		Life: t.Context(), Go: func(f func(context.Context)) bool { r.later = append(r.later, f); return true },
		Hands: func() *hands.Pool { return nil }, Ready: func(context.Context) error { return nil },
		Alive: func(string) bool { return false }, Elsewhere: func(string) bool { return false },
		Ahead: func(string) (time.Duration, bool) { return 0, false }, Tell: func(domain.Alert) {},
	})
	r.MakePlaces()
	r.UseWorker(r, func(t *work.Task) { r.sent = append(r.sent, t) })
	return r
}

func (r *rig) Cancel(work.AttemptID, error)             {}
func (r *rig) WhenReturned(work.AttemptID, func()) bool { return false }

// settle does what waits to be done, until nothing does.
func (r *rig) settle() {
	r.t.Helper()
	for n := 0; len(r.later) > 0; n++ {
		require.Less(r.t, n, 1000, "the engine does not come to rest")
		f := r.later[0]
		r.later = r.later[1:]
		f(r.t.Context())
	}
}

func (r *rig) start(d *definition.Definition) domain.RunID {
	r.t.Helper()
	id, err := r.Start(context.WithoutCancel(r.t.Context()), d, json.RawMessage(`"x"`), false, Start{})
	require.NoError(r.t, err)
	r.settle()
	return id
}

func (r *rig) state(id domain.RunID) (s domain.RunState) {
	r.t.Helper()
	require.NoError(r.t, r.Look(context.WithoutCancel(r.t.Context()), id, func(st *machine.State) { s = st.Status() }))
	return s
}

// texts is a saga from a text to a text.
func texts(t *testing.T, name string, build func(f *definition.Flow, in *definition.Source) *definition.Source) *definition.Definition {
	t.Helper()
	text := reflect.TypeFor[string]()
	fits := definition.PayloadOf[string]()
	d, err := definition.Define(name, 1, definition.Types{In: text, Out: text, Input: fits, Output: fits}, build, func(*definition.Builder) {})
	require.NoError(t, err)
	return d
}

// calls is a saga of one step that runs an action.
func calls(t *testing.T, name, action string) *definition.Definition {
	t.Helper()
	text := reflect.TypeFor[string]()
	a := &definition.Action{Spec: domain.ActionSpec{Name: action, Effect: domain.EffectNone}, Input: definition.PayloadOf[string](), Output: definition.PayloadOf[string](),
		Do:       func(_ context.Context, in json.RawMessage, _ any) (json.RawMessage, error) { return in, nil },
		Identity: name, Secrets: new(payload.Secrets)}
	return texts(t, name, func(f *definition.Flow, _ *definition.Source) *definition.Source {
		input := definition.Code{Try: func(definition.Scope) {}, Expression: definition.Expression{Value: func(definition.Scope) (json.RawMessage, error) { return json.RawMessage(`"y"`), nil }}}
		return f.Do(action, definition.ActionUse{Identity: name, Action: a}, definition.Shape{In: text, Out: text}, input, nil)
	})
}

// TestARunIsMovedFromOneGoroutine holds the engine to needing no goroutine, clock or worker of its
// own: whoever drives it decides what happens next.
func TestARunIsMovedFromOneGoroutine(t *testing.T) {
	t.Parallel()
	d := calls(t, "ask", "answer")
	r := newRig(t, d)
	run := r.start(d)
	require.Len(t, r.sent, 1)
	assert.JSONEq(t, `"y"`, string(r.sent[0].Input))
	assert.Equal(t, domain.RunRunning, r.state(run))
	assert.Equal(t, 1, r.Active())

	task := r.sent[0]
	done := machine.Outcome{Step: task.Step, Direction: task.Direction, Attempt: task.Attempt, Output: json.RawMessage(`"z"`)}
	require.NoError(t, r.Submit(context.WithoutCancel(t.Context()), run, done, By{}))
	out, err := r.Wait(context.WithoutCancel(t.Context()), run)
	require.NoError(t, err)
	assert.JSONEq(t, `"z"`, string(out))
	assert.Equal(t, 0, r.Active())
}

// TestChildTurnedBackBeforeItsStartNeverRuns lets a parent's order to undo a child overtake its
// order to start the child, as two goroutines, or a crash between them, may.
func TestChildTurnedBackBeforeItsStartNeverRuns(t *testing.T) {
	t.Parallel()
	child := calls(t, "child", "answer")
	waits := texts(t, "parent", func(f *definition.Flow, _ *definition.Source) *definition.Source {
		return f.Await("go", reflect.TypeFor[string](), definition.PayloadOf[string](), nil)
	})
	r := newRig(t, child, waits)
	parent := r.start(waits)
	ch := childRef{parent: parent, step: "child", run: domain.ChildRunID(parent, "child"), saga: "child", version: 1, input: []byte(`"x"`), correlation: "c", root: parent}

	submit := r.children.submit
	r.children.submit = func(ctx context.Context, id domain.RunID, in machine.Intent, by By) error {
		if id == parent { // it has no step for the child, and nothing to decide
			return nil
		}
		return submit(ctx, id, in, by)
	}

	r.children.turnBack(ch, domain.Failure{Message: "the parent run turned back"})
	r.settle()
	assert.Equal(t, domain.RunIsCompensated, r.state(ch.run))
	r.children.begin(ch)
	r.settle()
	assert.Equal(t, domain.RunIsCompensated, r.state(ch.run))
	assert.Empty(t, r.sent, "the child's action was sent to a worker")
}
