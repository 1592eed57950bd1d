package explore

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
	inner "github.com/atonehq/atone/saga/internal/explore"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Exploration is a saga over a world, to be played through every way in which the world can answer.
// Make one with [Of]. It is safe to search several at once, and one several times, if the function
// that builds worlds is.
type Exploration struct {
	build  func(*inner.Edges) (world any, s saga.AnySaga)
	cfg    inner.Config
	checks []func(world any) (inner.Check, error)
	names  []string // of the checks
	next   func(world any, now saga.AnySaga) (*definition.Registry, error)
	inputs []any
	replay string
}

// Of describes an exploration; it calls nothing yet.
//
// build makes a fresh world, and the saga over it, for each schedule: it should be quick, and
// nothing may be left of earlier worlds. If the world has a method Fingerprint() string, it is
// called to see whether a second delivery under one key changes the world.
//
// Without any option these hold: a run ends with everything done or everything undone, or is stuck
// with a cause; what was done is undone in reverse order; nothing is left behind, and nothing is
// undone that never happened; every attempt of a step has the same key.
//
// Handlers must not sleep or wait for each other.
func Of[W, In, Out any](build func(*Edges) (W, *saga.Saga[In, Out]), input In, opts ...Option) *Exploration {
	x := &Exploration{cfg: inner.Config{Budget: DefaultBudget, Faults: DefaultFaults}, inputs: []any{input}}
	x.build = func(edges *inner.Edges) (any, saga.AnySaga) { return build(&Edges{edges}) }
	for _, o := range opts {
		o.apply(x)
	}
	return x
}

// What an exploration does without options.
const (
	DefaultBudget = 50_000
	DefaultFaults = 2
)

// Search says how far a search goes. The zero value goes as far as the exploration's options say.
type Search struct {
	// For stops the search after a while; 0 means never. What was not tried is told.
	For time.Duration
	// Stop stops it when it is closed, as For does; may be nil.
	Stop <-chan struct{}
	// Budget, Faults and Seed replace what the options say, unless they are 0.
	Budget, Faults int
	Seed           uint64
	// Doubt plays one in so many of the schedules on that come to the state of another, and
	// compares what follows; 0 means 64, 1 all.
	Doubt int
	// Replay plays one schedule, as a report printed it, and nothing else.
	Replay string
	// Describe tells events in words, for stories; nil tells their names.
	Describe func(domain.Fact) string
}

// Search plays the exploration. It stops early where something is broken: first it plays what
// happens if nothing goes wrong, then each single thing that can, then each two. The error says
// that nothing could be explored.
func (x *Exploration) Search(how Search) (*Result, error) {
	cfg := x.cfg
	cfg.For, cfg.Stop, cfg.DoubtEach, cfg.Describe = how.For, how.Stop, how.Doubt, how.Describe
	cfg.Budget, cfg.Faults, cfg.Seed = cmp.Or(how.Budget, cfg.Budget), cmp.Or(how.Faults, cfg.Faults), cmp.Or(how.Seed, cfg.Seed)
	var err error
	if cfg.Replay, err = inner.ParseSchedule(cmp.Or(how.Replay, x.replay)); err != nil {
		return nil, fmt.Errorf("%w: replay: %w", domain.ErrBadInput, err)
	}
	for _, in := range x.inputs {
		raw, err := payload.Encode(in)
		if err != nil {
			return nil, fmt.Errorf("the input: %w", err)
		}
		cfg.Inputs = append(cfg.Inputs, raw)
	}
	known := map[*definition.Definition]*definition.Registry{}
	cfg.Build = func(edges *inner.Edges) (*inner.Subject, error) {
		world, s := x.build(edges)
		return x.subject(world, s, known)
	}
	r, err := inner.Explore(cfg)
	if err != nil {
		return nil, err
	}
	return resultOf(r), nil
}

// Invariants lists the names of what is checked besides what always holds.
func (x *Exploration) Invariants() []string { return slices.Clone(x.names) }

// Plan returns the plan of the saga. It builds a world for that.
func (x *Exploration) Plan() (*domain.Plan, error) {
	_, s := x.build(new(inner.Edges))
	d, err := bridge.Definition(s)
	if err != nil {
		return nil, err
	}
	return d.Plan, nil
}

// subject joins a world and a saga.
func (x *Exploration) subject(world any, s saga.AnySaga, known map[*definition.Definition]*definition.Registry) (*inner.Subject, error) {
	d, err := bridge.Definition(s)
	if err != nil {
		return nil, err
	}
	sub := &inner.Subject{Saga: d, Registry: known[d]}
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
