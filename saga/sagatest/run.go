package sagatest

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// Run is a run in a test. Its methods fail the test, with the run's story, where the run does not
// come to what they wait for.
type Run[Out any] struct {
	// ID identifies the run.
	ID  domain.RunID
	kit *Kit
}

// Start starts a run of a saga.
func Start[In, Out any](k *Kit, s *saga.Saga[In, Out], in In, opts ...saga.StartOption) *Run[Out] {
	k.t.Helper()
	run, err := saga.Start(k.t.Context(), k.life.c, s, in, opts...)
	k.must("start "+s.Name(), err)
	return &Run[Out]{ID: run.ID, kit: k}
}

// RunOf returns a run that was started in another way, whose output has the type Out.
func RunOf[Out any](k *Kit, id domain.RunID) *Run[Out] { return &Run[Out]{ID: id, kit: k} }

// Ended lets time pass until the run has ended or is stuck, and returns its state. It stops at
// everything that is due on the way: retries follow each other, sleeps end, awaits time out.
func (r *Run[Out]) Ended() domain.RunState {
	r.kit.t.Helper()
	const most = 100_000
	for range most {
		r.kit.Settle()
		v := r.View()
		if v.State.Ended() || v.State == domain.RunIsStuck {
			return v.State
		}
		at, ok := r.kit.next()
		if !ok {
			r.fail("the run does not end by itself: " + r.why())
		}
		r.kit.clock.Advance(at.Sub(r.kit.Now()))
	}
	r.fail(fmt.Sprintf("the run has not ended, though time passed %d times until something was due", most))
	return ""
}

// Completed lets time pass until the run has ended, requires that it has completed, and returns its
// output.
func (r *Run[Out]) Completed() Out {
	r.kit.t.Helper()
	r.want(domain.RunIsCompleted)
	out, err := saga.RunOf[Out](r.kit.life.c, r.ID).Wait(r.kit.t.Context())
	r.kit.must("read the output of the run", err)
	return out
}

// Compensated lets time pass until the run has ended, requires that it failed and was undone, and
// returns why.
func (r *Run[Out]) Compensated() *saga.CompensatedError {
	r.kit.t.Helper()
	r.want(domain.RunIsCompensated)
	return errorOf[saga.CompensatedError](r)
}

// Cancelled lets time pass until the run has ended, requires that it was cancelled and undone, and
// returns why.
func (r *Run[Out]) Cancelled() *saga.CancelledError {
	r.kit.t.Helper()
	r.want(domain.RunIsCancelled)
	return errorOf[saga.CancelledError](r)
}

// Stuck lets time pass until the run needs a person, and returns why.
func (r *Run[Out]) Stuck() *saga.StuckError {
	r.kit.t.Helper()
	r.want(domain.RunIsStuck)
	return errorOf[saga.StuckError](r)
}

func (r *Run[Out]) want(state domain.RunState) {
	r.kit.t.Helper()
	if is := r.Ended(); is != state {
		r.fail(fmt.Sprintf("the run is %s, not %s", is, state))
	}
}

// errorOf returns the error with which a run has ended.
func errorOf[E any, P interface {
	*E
	error
}, Out any](r *Run[Out]) P {
	r.kit.t.Helper()
	_, err := r.kit.life.c.Wait(r.kit.t.Context(), r.ID)
	var e P
	if !errors.As(err, &e) {
		r.fail(fmt.Sprintf("the run ended with %v", err))
	}
	return e
}

// Until waits, without letting time pass, until the run has come to where cond says yes, and
// returns what it looks like then. It is called with each state that the run is in when something
// was recorded.
func (r *Run[Out]) Until(cond func(explain.Run) bool) explain.Run {
	r.kit.t.Helper()
	var v explain.Run
	look := func() bool { v = r.View(); return cond(v) }
	if !r.kit.await(look) {
		r.fail("the run does not come to what Until waits for: " + r.why())
	}
	return v
}

// UntilCalled waits, without letting time pass, until a handler of the step is running: do, undo,
// probe or failure handler.
func (r *Run[Out]) UntilCalled(step string) {
	r.kit.t.Helper()
	if !r.kit.await(func() bool { return r.kit.runs(r.ID, step) }) {
		r.fail("no handler of step " + step + " runs: " + r.why())
	}
}

// Waits waits until the run has nothing to do, without letting time pass, and returns what it waits
// for. It fails the test if the run has ended.
func (r *Run[Out]) Waits() explain.Reason {
	r.kit.t.Helper()
	r.kit.Settle()
	why, err := r.kit.life.c.Why(r.kit.t.Context(), r.ID)
	r.kit.must("ask what the run waits for", err)
	if why.State.Ended() {
		r.fail("the run waits for nothing: it is " + string(why.State))
	}
	return why
}

// WaitsFor waits until the run has nothing to do, without letting time pass, and requires that it
// then waits for something of that name: a signal, the type of a domain event, a step's path.
func (r *Run[Out]) WaitsFor(name string) explain.Wait {
	r.kit.t.Helper()
	why := r.Waits()
	for _, w := range why.Waits {
		if w.Name == name || w.Step == name {
			return w
		}
	}
	r.fail(fmt.Sprintf("the run does not wait for %s: %s", name, why.Text))
	return explain.Wait{}
}

// View returns the run as it is now. It waits for nothing.
func (r *Run[Out]) View() explain.Run {
	r.kit.t.Helper()
	s := r.kit.state(r.ID)
	if s == nil {
		r.kit.t.Fatalf("run %s can't be read", r.ID)
	}
	return explain.Describe(s)
}

// Story returns what happened in the run, one line an event. See [Kit.Story].
func (r *Run[Out]) Story() string {
	r.kit.t.Helper()
	return r.kit.Story(r.ID)
}

// Signal delivers a signal to the run, and waits until what follows from it is done.
func (r *Run[Out]) Signal(name string, value any) {
	r.kit.t.Helper()
	r.do("signal the run", r.kit.life.c.Signal(r.kit.t.Context(), r.ID, name, value))
}

// Cancel cancels the run, and waits until what follows from it is done.
func (r *Run[Out]) Cancel(reason string) {
	r.kit.t.Helper()
	r.do("cancel the run", r.kit.life.c.Cancel(r.kit.t.Context(), r.ID, reason))
}

// Retry gives a stuck step new attempts, or each stuck step if it is empty, and waits until what
// follows from it is done.
func (r *Run[Out]) Retry(step, reason string) {
	r.kit.t.Helper()
	r.do("retry the run", r.kit.life.c.Retry(r.kit.t.Context(), r.ID, step, reason))
}

func (r *Run[Out]) do(what string, err error) {
	r.kit.t.Helper()
	r.kit.must(what, err)
	r.kit.Settle()
}

func (r *Run[Out]) why() string {
	why, err := r.kit.life.c.Why(context.Background(), r.ID)
	if err != nil {
		return err.Error()
	}
	return why.Text
}

// fail fails the test and tells the run's story.
func (r *Run[Out]) fail(what string) {
	r.kit.t.Helper()
	r.kit.t.Fatalf("%s\n%s", what, r.Story())
}
