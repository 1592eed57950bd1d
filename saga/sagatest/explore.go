package sagatest

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/explore"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Flags of the test binary.
var (
	flagFor    = flag.Duration("explore.for", 0, "stop each Explore after this time; what was not tried is printed")
	flagReplay = flag.String("explore.replay", "", "play this one schedule, as a report printed it, and print its story")
	flagBudget = flag.Int("explore.budget", 0, "play at most this many schedules in each Explore, instead of what the test says")
	flagReport = flag.String("explore.report", "", "write the report of each Explore as a page of HTML to this file, with the test's name before the extension")
)

// Option configures [Explore].
type Option struct {
	apply func(*exploration)
}

// exploration is what options configure.
type exploration struct {
	cfg    explore.Config
	checks []func(world any) (explore.Check, error)
	next   func(world any, now saga.AnySaga) (*definition.Registry, error)
	inputs []any
	replay string
}

func check[W any](name string, when explore.When, f func(W) error) Option {
	return Option{func(x *exploration) {
		x.checks = append(x.checks, func(world any) (explore.Check, error) {
			w, ok := world.(W)
			if !ok {
				return explore.Check{}, fmt.Errorf("the check %q takes a %T, and the world is a %T", name, *new(W), world)
			}
			return explore.Check{Name: name, When: when, Func: func() error { return f(w) }}, nil
		})
	}}
}

// Invariant is checked on the world when the run has ended, whichever way: done or undone. It is
// not checked where a person settled a step by hand or closed the run with effects left.
func Invariant[W any](name string, f func(W) error) Option {
	return check(name, explore.AtEachEnd, f)
}

// Completed is checked on the world when the run has ended completed.
func Completed[W any](name string, f func(W) error) Option {
	return check(name, explore.WhenCompleted, f)
}

// Undone is checked on the world when the run has ended undone: compensated or cancelled.
func Undone[W any](name string, f func(W) error) Option {
	return check(name, explore.WhenUndone, f)
}

// Always is checked on the world after each call of a handler.
func Always[W any](name string, f func(W) error) Option {
	return check(name, explore.Always, f)
}

// Signal gives the value that is sent when the run awaits the signal. Without it the signal's type
// decides: a zero value.
func Signal(name string, value any) Option {
	return Option{func(x *exploration) { set(&x.cfg.Signals, "signal "+name, name, value) }}
}

// Event gives the payload of the domain event that is emitted when the run awaits its type. Without
// it the payload is null.
func Event(eventType string, value any) Option {
	return Option{func(x *exploration) { set(&x.cfg.Events, "event "+eventType, eventType, value) }}
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
	return Option{func(x *exploration) { x.inputs = append(x.inputs, inputs...) }}
}

// NextProgram has a deploy come while a run is under way: from then on the program has the sagas
// that f returns, over the same world. now is the saga that is explored.
func NextProgram[W any](f func(world W, now saga.AnySaga) []saga.AnySaga) Option {
	return Option{func(x *exploration) {
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
	return Option{func(x *exploration) { x.cfg.Budget = schedules }}
}

// Faults is how many things go wrong in one run at the most; the default is 2. One and two are
// tried exhaustively, more by Seed until the budget is used up.
func Faults(n int) Option { return Option{func(x *exploration) { x.cfg.Faults = n }} }

// Seed chooses the schedules with three and more faults.
func Seed(seed uint64) Option { return Option{func(x *exploration) { x.cfg.Seed = seed }} }

// Answer is how the world answers an attempt.
type Answer = explore.Answer

// The answers that [Without] may leave out.
const (
	// Late means that the attempt was given up, and its effect and success come when the run rests.
	Late = explore.Late
	// Stray means that the attempt was given up, and its effect comes when the run rests, when
	// nobody is left to tell of it: a request that was still on its way.
	Stray = explore.Stray
	// Twice means that an attempt is delivered twice.
	Twice = explore.Twice
)

// Without leaves answers out that the world can't give. An action whose only effect is one
// transaction of a local database, for example, is never late.
func Without(answers ...Answer) Option {
	return Option{func(x *exploration) { x.cfg.Without = append(x.cfg.Without, answers...) }}
}

// WithoutIn leaves answers out for one action: nobody can take a mail back that arrives late.
func WithoutIn(action saga.AnyAction, answers ...Answer) Option {
	return Option{func(x *exploration) {
		if x.cfg.WithoutIn == nil {
			x.cfg.WithoutIn = map[string][]Answer{}
		}
		x.cfg.WithoutIn[action.ActionName()] = append(x.cfg.WithoutIn[action.ActionName()], answers...)
	}}
}

// Replay plays one schedule, as a report printed it, and nothing else: it keeps what was once found
// as a test. A choice that the run no longer comes to fails the test.
func Replay(schedule string) Option {
	return Option{func(x *exploration) { x.replay = schedule }}
}

// NoEndlessWait forbids that a run waits for a signal or event that never comes. Without it that is
// a note in the report.
func NoEndlessWait() Option { return Option{func(x *exploration) { x.cfg.NoWaiting = true }} }

// Explore runs the saga through every way in which the world can answer: each thing that can go
// wrong once in a run, and each two of them. The handlers and closures are the author's own, called
// one at a time on a clock that jumps; there is no log and no network. The test fails with the
// shortest story that breaks an invariant.
//
// build makes a fresh world, and the saga over it, for each schedule: it should be quick, and
// nothing may be left of earlier worlds. If the world has a method Fingerprint() string, it is
// called to see whether a second delivery under one key changes the world.
//
// Without any option these hold: a run ends with everything done or everything undone, or is stuck
// with a cause; what was done is undone in reverse order; nothing is left behind, and nothing is
// undone that never happened; every attempt of a step has the same key.
//
// Handlers must not call t.FailNow, sleep, or wait for each other.
func Explore[W, In, Out any](t testing.TB, build func(*Edges) (W, *saga.Saga[In, Out]), input In, opts ...Option) {
	t.Helper()
	x := &exploration{cfg: explore.Config{Budget: 50_000, Faults: 2, For: *flagFor}, inputs: []any{input}}
	for _, o := range opts {
		o.apply(x)
	}
	if *flagBudget > 0 {
		x.cfg.Budget = *flagBudget
	}
	var err error
	if x.cfg.Replay, err = explore.ParseSchedule(cmp.Or(*flagReplay, x.replay)); err != nil {
		t.Fatalf("explore: replay: %v", err)
	}
	for _, in := range x.inputs {
		raw, err := payload.Encode(in)
		if err != nil {
			t.Fatalf("explore: the input: %v", err)
		}
		x.cfg.Inputs = append(x.cfg.Inputs, raw)
	}
	known := map[*definition.Definition]*definition.Registry{}
	x.cfg.Build = func(edges *explore.Edges) (*explore.Subject, error) {
		world, s := build(&Edges{edges})
		return x.subject(world, s, known)
	}
	x.cfg.Describe = describe
	result, err := explore.Explore(x.cfg)
	if err != nil {
		t.Fatalf("explore: %v", err)
	}
	report(t, result)
}

// describe tells an event of a run as its story does.
func describe(f domain.Fact) string {
	a := story.Describe(&f)
	text := a.What
	if a.Step != "" {
		text += " " + a.Step
	}
	if a.Attempt > 0 {
		text += fmt.Sprintf(" %s #%d", cmp.Or(a.Direction, domain.Do), a.Attempt)
	}
	if a.Note != "" {
		text += ", " + a.Note
	}
	if a.Cause != nil {
		text += ": " + a.Cause.String()
	}
	return text
}

// subject joins a world and a saga.
func (x *exploration) subject(world any, s saga.AnySaga, known map[*definition.Definition]*definition.Registry) (*explore.Subject, error) {
	d, err := bridge.Definition(s)
	if err != nil {
		return nil, err
	}
	sub := &explore.Subject{Saga: d, Registry: known[d]}
	if sub.Registry == nil {
		if sub.Registry, err = registryOf(s); err != nil {
			return nil, err
		}
		clear(known) // most worlds bring a saga of their own
		known[d] = sub.Registry
	}
	if f, ok := world.(interface{ Fingerprint() string }); ok {
		sub.Fingerprint = f.Fingerprint
	}
	for _, c := range x.checks {
		check, err := c(world)
		if err != nil {
			return nil, err
		}
		sub.Checks = append(sub.Checks, check)
	}
	if x.next != nil {
		sub.Next = func() (*definition.Registry, error) { return x.next(world, s) }
	}
	return sub, nil
}

// registryOf makes a program that has the sagas.
func registryOf(sagas ...saga.AnySaga) (*definition.Registry, error) {
	r := definition.NewRegistry()
	for _, s := range sagas {
		d, err := bridge.Definition(s)
		if err != nil {
			return nil, err
		}
		if err := r.AddSaga(d); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// report prints what was found, and fails the test if something is broken.
func report(t testing.TB, r *explore.Result) {
	t.Helper()
	if *flagReport != "" {
		if err := writePage(t, r); err != nil {
			t.Errorf("-explore.report: %v", err)
		}
	}
	switch b := r.Broken; {
	case r.Replayed:
		for _, at := range r.Unreached {
			t.Errorf("explore: the schedule never came to %q", at)
		}
		t.Logf("explore: %s\n%s", b.Schedule, b.Story)
		if b.Violation.Invariant != "" {
			t.Errorf("explore: broken: %s: %s", b.Violation.Invariant, b.Violation.Text)
		}
	case b != nil:
		t.Errorf("explore: %s", r.Failure(t.Name()))
	default:
		t.Logf("explore: %s", r.Summary())
	}
}

// writePage writes the report to the file that the flag names, with the test's name in it.
func writePage(t testing.TB, r *explore.Result) error {
	ext := filepath.Ext(*flagReport)
	name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
	return os.WriteFile(strings.TrimSuffix(*flagReport, ext)+"-"+name+ext, r.Page(t.Name()), 0o644)
}
