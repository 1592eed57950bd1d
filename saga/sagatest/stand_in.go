package sagatest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/internal/payload"
)

// StandIn takes the place of an action within one kit. The author's variable is not touched, so
// that tests can run at the same time. Its undo succeeds, and its probe tells whether the do took
// effect.
//
// Methods say how the calls from then on are answered. Those that speak of the next n calls come
// before those that speak of all further ones, and follow each other in the order in which they
// were called. All methods are safe to call concurrently.
type StandIn[In, Out any] struct {
	kit *Kit
	d   *double
}

// Call is one call of a stand-in.
type Call[In, Out any] struct {
	// Attempt is what it was called for: do, undo, probe or failure handler, and with which key.
	saga.Attempt
	// Input is the do's.
	Input In
	// Output is the do's, in an undo; the zero value where it is not known.
	Output Out
	// InDoubt is that of the undo.
	InDoubt bool
}

// StandFor puts a stand-in in the place of an action. Its do succeeds with the zero value until
// something else is said.
func StandFor[In, Out any](k *Kit, a *saga.Action[In, Out]) *StandIn[In, Out] {
	k.t.Helper()
	s := &StandIn[In, Out]{kit: k, d: k.stand.put(a.Name, a)}
	var zero Out
	return s.Return(zero)
}

// Return has the do succeed with an output.
func (s *StandIn[In, Out]) Return(out Out) *StandIn[In, Out] {
	return s.Answer(func(context.Context, In) (Out, error) { return out, nil })
}

// Answer has f do the work of the do.
func (s *StandIn[In, Out]) Answer(f func(ctx context.Context, in In) (Out, error)) *StandIn[In, Out] {
	record := payload.Recorder[Out]()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.through = false
	s.d.answer = func(ctx context.Context, raw json.RawMessage, known any) (json.RawMessage, error) {
		in, err := payload.DecodeKnown[In](raw, known)
		if err != nil {
			return nil, saga.Permanent(fmt.Errorf("read the input: %w", err))
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		return record(out)
	}
	return s
}

// Real has the author's own functions called: do, undo and probe. The stand-in still notes the
// calls, and still answers itself where it was told to for the next ones.
func (s *StandIn[In, Out]) Real() *StandIn[In, Out] {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.through = true
	return s
}

// Fail has the next n calls of the do fail without an effect. As with a handler, the error says
// what is known of the effect: by itself nothing.
func (s *StandIn[In, Out]) Fail(n int, err error) *StandIn[In, Out] {
	s.d.then(domain.Do, n, reply{err: err})
	return s
}

// LoseAnswer has the next n calls of the do take effect, and then fail.
func (s *StandIn[In, Out]) LoseAnswer(n int, err error) *StandIn[In, Out] {
	s.d.then(domain.Do, n, reply{err: err, applied: true})
	return s
}

// Refuse has all further calls of the do fail for good, with nothing done.
func (s *StandIn[In, Out]) Refuse(err error) *StandIn[In, Out] {
	return s.Answer(func(context.Context, In) (out Out, _ error) { return out, saga.Permanent(err) })
}

// TimeOut has the next n calls of the do time out without an effect. It takes no time.
func (s *StandIn[In, Out]) TimeOut(n int) *StandIn[In, Out] { return s.Fail(n, errTimeOut) }

// TimeOutDone has the next n calls of the do take effect, and then time out.
func (s *StandIn[In, Out]) TimeOutDone(n int) *StandIn[In, Out] { return s.LoseAnswer(n, errTimeOut) }

var errTimeOut = fmt.Errorf("the stand-in did not answer in time: %w", context.DeadlineExceeded)

// FailUndo has the next n calls of the undo fail.
func (s *StandIn[In, Out]) FailUndo(n int, err error) *StandIn[In, Out] {
	s.d.then(domain.Undo, n, reply{err: err})
	return s
}

// RefuseUndo has all further calls of the undo fail for good, until it is called with nil.
func (s *StandIn[In, Out]) RefuseUndo(err error) *StandIn[In, Out] {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.d.refusal = err; err != nil {
		s.d.refusal = saga.Permanent(err)
	}
	return s
}

// Block has calls of the do wait until [StandIn.Release], or until their context ends.
func (s *StandIn[In, Out]) Block() *StandIn[In, Out] { s.d.block(); return s }

// Release lets the blocked calls go on, and waits until what follows from it is done.
func (s *StandIn[In, Out]) Release() {
	s.kit.t.Helper()
	s.d.release()
	s.kit.Settle()
}

// Calls returns the calls so far, in order.
func (s *StandIn[In, Out]) Calls() []Call[In, Out] {
	s.kit.t.Helper()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	calls := make([]Call[In, Out], 0, len(s.d.calls))
	for _, c := range s.d.calls {
		in, err := payload.Decode[In](c.in)
		if err != nil {
			s.kit.t.Fatalf("read the input of a call of %s: %v", c.attempt.Action, err)
		}
		out, err := payload.Decode[Out](c.out)
		if err != nil {
			s.kit.t.Fatalf("read the output of a call of %s: %v", c.attempt.Action, err)
		}
		calls = append(calls, Call[In, Out]{c.attempt, in, out, c.inDoubt})
	}
	return calls
}

// Effects returns the outputs of the dos whose effect is in place: it came about and was not
// undone.
func (s *StandIn[In, Out]) Effects() []Out {
	s.kit.t.Helper()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	var outs []Out
	for _, e := range s.d.inOrder() {
		out, err := payload.Decode[Out](e.out)
		if err != nil {
			s.kit.t.Fatalf("read an output of %s: %v", s.d.real.Spec.Name, err)
		}
		outs = append(outs, out)
	}
	return outs
}
