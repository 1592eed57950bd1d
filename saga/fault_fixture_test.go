package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/atonehq/atone/saga/sagatest/logtest"
)

// rig is what a coordinator's test stands on: a log, which may disturb appends once the
// coordinator runs, and actions that note how they are called.
type rig struct {
	t *testing.T
	// log is what the coordinator gets; plain is the same without faults.
	log    domain.Log
	plain  *memlog.Log
	faults atomic.Bool

	mu     sync.Mutex
	calls  []string
	script map[string][]error
}

// newRig returns a rig on the log, without faults.
func newRig(t *testing.T, plain *memlog.Log) *rig {
	return &rig{t: t, plain: plain, log: plain, script: map[string][]error{}}
}

// gate lets faults through once they are switched on.
type gate struct {
	domain.Log
	on     *atomic.Bool
	faulty domain.Log
}

func (g gate) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if g.on.Load() {
		return g.faulty.Append(ctx, stream, expected, events...)
	}
	return g.Log.Append(ctx, stream, expected, events...)
}

// onEveryLog runs a scenario on a log that works, and on logs whose appends fail before the write,
// fail after it, conflict, are slow, and all of that. Time is that of a synctest bubble. What holds
// for every stream is checked at the end.
func onEveryLog(t *testing.T, scenario func(r *rig)) {
	t.Parallel()
	for name, cfg := range map[string]logtest.FaultyConfig{
		"sound":       {},
		"fail before": {FailBefore: 0.3},
		"fail after":  {FailAfter: 0.3},
		"conflict":    {Conflict: 0.3},
		"slow":        {Slow: 0.5, MaxDelay: 20 * time.Millisecond},
		"everything":  {FailBefore: 0.15, FailAfter: 0.15, Conflict: 0.15, Slow: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memlog.New())
				r.log = gate{r.plain, &r.faults, logtest.NewFaultyLog(t, r.plain, cfg)}
				t.Cleanup(r.checkStreams)
				scenario(r)
			})
		})
	}
}

// begin runs a coordinator over the rig's log; from then on the log has its faults.
func (r *rig) begin(cfg saga.Config, sagas ...saga.AnySaga) *saga.Coordinator {
	c := begin(r.t, r.log, cfg, sagas...)
	r.faults.Store(true)
	return c
}

// note records a handler's call, and holds it to rule 1: its start is durable.
func (r *rig) note(ctx context.Context, call string) {
	a := saga.AttemptOf(ctx)
	durable := false
	for _, f := range r.facts(a.Run) {
		e, ok := f.Event.(*domain.AttemptStarted)
		durable = durable || ok && e.Step == a.Step && e.Direction == a.Direction && e.Attempt == a.Number
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !durable {
		r.t.Errorf("%s %s %d was called before its start was durable", a.Step, a.Direction, a.Number)
	}
	if a.Key == "" || !strings.HasPrefix(a.Key, a.Run.String()+"/"+a.Step+"/") {
		r.t.Errorf("%s %s has the key %q", a.Step, a.Direction, a.Key)
	}
	r.calls = append(r.calls, call)
}

// called returns how the handlers were called so far.
func (r *rig) called() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// next takes the next scripted result of a call; nil when none is left.
func (r *rig) next(call string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.script[call]; len(s) > 0 {
		r.script[call] = s[1:]
		return s[0]
	}
	return nil
}

// fails scripts the results of a call ("a", "undo a"), attempt by attempt; then it succeeds.
func (r *rig) fails(call string, results ...error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script[call] = append(r.script[call], results...)
}

var errModel = errors.New("model failure")

// act makes an action with an undo: its output is its input and its name.
func (r *rig) act(name string) *saga.Action[string, string] {
	return &saga.Action[string, string]{Name: name, Retry: fastRetry, UndoRetry: fastRetry,
		Do: func(ctx context.Context, in string) (string, error) {
			r.note(ctx, name)
			return in + name, r.next(name)
		},
		Undo: func(ctx context.Context, did saga.Did[string, string]) error {
			r.note(ctx, "undo "+name)
			return r.next("undo " + name)
		}}
}

// chain is a saga of the actions, each fed with the output of the one before.
func chain(name string, actions ...*saga.Action[string, string]) *saga.Saga[string, string] {
	return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		for _, a := range actions {
			in = saga.Do(f, a, in.In)
		}
		return in
	})
}

// facts reads a run from the log.
func (r *rig) facts(id domain.RunID) (facts []domain.Fact) {
	for e, err := range r.plain.ReadStream(context.Background(), domain.RunStream(id), 0) {
		require.NoError(r.t, err)
		f, err := domain.DecodeFact(&e)
		require.NoError(r.t, err)
		facts = append(facts, f)
	}
	return facts
}

// events returns the wire names of a run's events that have one of the prefixes.
func (r *rig) events(id domain.RunID, prefixes ...string) (names []string) {
	for _, f := range r.facts(id) {
		for _, p := range prefixes {
			if strings.HasPrefix(f.Event.WireName(), p) {
				names = append(names, f.Event.WireName())
			}
		}
	}
	return names
}

// runs lists the runs in the log.
func (r *rig) runs() (ids []domain.RunID) {
	for e, err := range r.plain.ReadAll(context.Background(), 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(r.t, err)
		if id, ok := domain.RunOfStream(e.Stream); ok && e.Revision == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// checkStreams holds every run in the log to what must be true of any.
func (r *rig) checkStreams() {
	for _, id := range r.runs() {
		checkStream(r.t, r.plain, id)
	}
}

// checkStream verifies a run's hash chain, that no attempt was started twice, that each outcome
// follows its start, and that the fold agrees with the last event about how the run stands.
func checkStream(t testing.TB, log saga.Log, id domain.RunID) *machine.State {
	t.Helper()
	var state *machine.State
	var prev domain.ChainHash
	var wake domain.Wake
	attempts := map[string]int{}
	for e, err := range log.ReadStream(context.Background(), domain.RunStream(id), 0) {
		require.NoError(t, err)
		prev, err = domain.Verify(&e, prev)
		require.NoError(t, err)
		f, err := domain.DecodeFact(&e)
		require.NoError(t, err)
		if state == nil {
			plan, err := saga.ReadPlan(context.Background(), log, f.Event.(*domain.RunStarted).Plan)
			require.NoError(t, err)
			state = machine.New(plan, id)
		}
		switch e := f.Event.(type) {
		case *domain.AttemptStarted:
			key := fmt.Sprint(e.Step, " ", e.Direction)
			require.Equal(t, attempts[key]+1, e.Attempt, "%s: attempts are started one by one", key)
			attempts[key] = e.Attempt
		case *domain.AttemptSucceeded:
			require.LessOrEqual(t, e.Attempt, attempts[fmt.Sprint(e.Step, " ", e.Direction)])
		}
		state = machine.Evolve(state, f)
		wake = f.Meta.Wake
		wake.Node = ""
	}
	require.NotNil(t, state)
	require.Equal(t, asJSON(t, state.Wake()), asJSON(t, wake), "what the last event says of when the run is owed attention")
	return state
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// finished waits for a run and returns its output, or how it ended otherwise.
func finished[Out any](t testing.TB, run *saga.Run[Out]) (Out, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	out, err := run.Wait(ctx)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the run did not end")
	return out, err
}

// start starts a run.
func start[In, Out any](t testing.TB, c *saga.Coordinator, s *saga.Saga[In, Out], in In, opts ...saga.StartOption) *saga.Run[Out] {
	t.Helper()
	run, err := saga.Start(t.Context(), c, s, in, opts...)
	require.NoError(t, err)
	return run
}

// sleepABit lets a minute of the bubble's time pass: whatever is to happen soon has happened then.
func sleepABit() { time.Sleep(time.Minute) }
