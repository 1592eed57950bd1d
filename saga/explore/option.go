package explore

import (
	"encoding/json"
	"fmt"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/internal/definition"
	inner "github.com/atonehq/atone/saga/internal/explore"
)

// Option configures an [Exploration].
type Option struct {
	apply func(*Exploration)
}

func check[W any](name string, when inner.When, f func(W) error) Option {
	return Option{func(x *Exploration) {
		x.names = append(x.names, name)
		x.checks = append(x.checks, func(world any) (inner.Check, error) {
			w, ok := world.(W)
			if !ok {
				return inner.Check{}, fmt.Errorf("the check %q takes a %T, and the world is a %T", name, *new(W), world)
			}
			return inner.Check{Name: name, When: when, Func: func() error { return f(w) }}, nil
		})
	}}
}

// Invariant is checked on the world when the run has ended, whichever way: done or undone. It is
// not checked where a person settled a step by hand or closed the run with effects left.
func Invariant[W any](name string, f func(W) error) Option {
	return check(name, inner.AtEachEnd, f)
}

// Completed is checked on the world when the run has ended completed.
func Completed[W any](name string, f func(W) error) Option {
	return check(name, inner.WhenCompleted, f)
}

// Undone is checked on the world when the run has ended undone: compensated or cancelled.
func Undone[W any](name string, f func(W) error) Option {
	return check(name, inner.WhenUndone, f)
}

// Always is checked on the world after each call of a handler.
func Always[W any](name string, f func(W) error) Option {
	return check(name, inner.Always, f)
}

// Signal gives the value that is sent when the run awaits the signal. Without it the signal's type
// decides: a zero value. A signal that nothing awaits, or of another type, is an error.
func Signal(name string, value any) Option {
	return Option{func(x *Exploration) { set(&x.cfg.Signals, "signal "+name, name, value) }}
}

// Event gives the payload of the domain event that is emitted when the run awaits its type. Without
// it the payload is null. An event that nothing awaits is an error.
func Event(eventType string, value any) Option {
	return Option{func(x *Exploration) { set(&x.cfg.Events, "event "+eventType, eventType, value) }}
}

func set(m *map[string]json.RawMessage, what, name string, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", what, err))
	}
	if *m == nil {
		*m = map[string]json.RawMessage{}
	}
	(*m)[name] = raw
}

// Runs has further runs over the same world, one for each input, at the same time as the first. The
// schedules then also choose which run moves.
func Runs(inputs ...any) Option {
	return Option{func(x *Exploration) { x.inputs = append(x.inputs, inputs...) }}
}

// NextProgram has a deploy come while a run is under way: from then on the program has the sagas
// that f returns, over the same world. now is the saga that is explored.
func NextProgram[W any](f func(world W, now saga.AnySaga) []saga.AnySaga) Option {
	return Option{func(x *Exploration) {
		x.next = func(world any, now saga.AnySaga) (*definition.Registry, error) {
			w, ok := world.(W)
			if !ok {
				return nil, fmt.Errorf("NextProgram takes a %T, and the world is a %T", *new(W), world)
			}
			return registryOf(f(w, now)...)
		}
	}}
}

// Budget bounds the schedules that are played; the default is 50,000. A result is the same on every
// machine.
func Budget(schedules int) Option {
	return Option{func(x *Exploration) { x.cfg.Budget = schedules }}
}

// Faults is how many things go wrong in one run at the most; the default is 2. One and two are
// tried exhaustively, more by Seed until the budget is used up.
func Faults(n int) Option { return Option{func(x *Exploration) { x.cfg.Faults = n }} }

// Seed chooses the schedules with three and more faults.
func Seed(seed uint64) Option { return Option{func(x *Exploration) { x.cfg.Seed = seed }} }

// Answer is how the world answers an attempt.
type Answer = inner.Answer

// The answers that [Without] may leave out.
const (
	// Late means that the attempt was given up, and its effect and success come when the run rests.
	Late = inner.Late
	// Stray means that the attempt was given up, and its effect comes when the run rests, when
	// nobody is left to tell of it: a request that was still on its way.
	Stray = inner.Stray
	// Twice means that an attempt is delivered twice.
	Twice = inner.Twice
)

// Without leaves answers out that the world can't give. An action whose only effect is one
// transaction of a local database, for example, is never late.
func Without(answers ...Answer) Option {
	return Option{func(x *Exploration) { x.cfg.Without = append(x.cfg.Without, answers...) }}
}

// WithoutIn leaves answers out for one action: nobody can take a mail back that arrives late.
func WithoutIn(action saga.AnyAction, answers ...Answer) Option {
	return Option{func(x *Exploration) {
		if x.cfg.WithoutIn == nil {
			x.cfg.WithoutIn = map[string][]Answer{}
		}
		x.cfg.WithoutIn[action.ActionName()] = append(x.cfg.WithoutIn[action.ActionName()], answers...)
	}}
}

// Apart keeps schedules apart that come to the same state, for a world whose Fingerprint leaves out
// something that handlers or checks depend on. It takes more schedules.
func Apart() Option { return Option{func(x *Exploration) { x.cfg.Apart = true }} }

// Replay plays one schedule, as a report printed it, and nothing else: it keeps what was once found
// as a test. A choice that the run no longer comes to fails the test.
func Replay(schedule string) Option {
	return Option{func(x *Exploration) { x.replay = schedule }}
}

// NeverCompletes says that no run is meant to complete. Without it an exploration fails in which
// none does, as where a fake is wired wrongly.
func NeverCompletes() Option { return Option{func(x *Exploration) { x.cfg.NeverCompletes = true }} }

// NoEndlessWait forbids that a run waits for a signal or event that never comes. Without it that is
// a note in the report.
func NoEndlessWait() Option { return Option{func(x *Exploration) { x.cfg.NoWaiting = true }} }
