package saga

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
)

// SagaInfo describes a registered saga.
type SagaInfo struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	// Latest means that starts without a version take this one.
	Latest      bool   `json:"latest,omitempty"`
	Description string `json:"description,omitempty"`
	// Input and Output are the Go types of a run's input and output.
	Input  string `json:"input"`
	Output string `json:"output"`
	// Hash is that of the plan.
	Hash string       `json:"hash"`
	Plan *domain.Plan `json:"plan"`
	// Actions are the names of the actions in the plan, sorted.
	Actions []string `json:"actions,omitempty"`
	// Untried are the functions that panicked on the made-up values with which they were tried: nothing is
	// known of what they read. A read that has no value blocks the run.
	Untried []Untried `json:"untried,omitempty"`
}

// Untried is a function of a step that panicked when it was tried with made-up values.
type Untried struct {
	Step  string `json:"step"`
	Panic string `json:"panic"`
}

// ActionInfo describes a registered action.
type ActionInfo struct {
	domain.ActionSpec
	Description string `json:"description,omitempty"`
	Input       string `json:"input"`
	Output      string `json:"output"`
	// Concurrency and Rate (attempts per second) are the bounds in force; a Rate of 0 is none.
	Concurrency int     `json:"concurrency"`
	Rate        float64 `json:"rate,omitempty"`
	// Sagas names the registered sagas whose plans have it, sorted.
	Sagas []string `json:"sagas,omitempty"`
}

// Sagas lists the registered sagas by name, the newest version first. The plans are shared: they
// must not be changed.
func (c *Coordinator) Sagas() []SagaInfo {
	sagas := c.registry.Sagas()
	out := make([]SagaInfo, len(sagas))
	for i, d := range sagas {
		out[i] = c.describeSaga(d)
	}
	return out
}

// Saga describes one registered saga; version 0 is the latest. Errors: [ErrUnknownSaga].
func (c *Coordinator) Saga(name string, version int) (SagaInfo, error) {
	d, err := c.registry.Saga(name, version)
	if err != nil {
		return SagaInfo{}, err
	}
	return c.describeSaga(d), nil
}

func (c *Coordinator) describeSaga(d *definition.Definition) SagaInfo {
	p := d.Plan
	var untried []Untried
	for _, u := range d.Untried {
		untried = append(untried, Untried(u))
	}
	return SagaInfo{Untried: untried, Name: p.Saga, Version: p.Version, Latest: c.registry.Latest(p), Description: p.Description,
		Input: d.Input.Name, Output: d.Output.Name, Hash: p.Hash(), Plan: p, Actions: planActions(p)}
}

// planActions returns the names of the actions of a plan, failure handlers included, sorted.
func planActions(p *domain.Plan) []string {
	var names []string
	add := func(a *domain.ActionSpec) {
		for ; a != nil; a = a.OnFailure {
			names = append(names, a.Name)
		}
	}
	add(p.OnFailure)
	p.Root.Walk(func(n *domain.Node) { add(n.Action) })
	slices.Sort(names)
	return slices.Compact(names)
}

// Actions lists the registered actions by name.
func (c *Coordinator) Actions() []ActionInfo {
	users := make(map[string][]string)
	for _, d := range c.registry.Sagas() {
		for _, a := range planActions(d.Plan) {
			if !slices.Contains(users[a], d.Plan.Saga) {
				users[a] = append(users[a], d.Plan.Saga)
			}
		}
	}
	actions := c.registry.Actions()
	out := make([]ActionInfo, 0, len(actions))
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		a := actions[name]
		out = append(out, ActionInfo{ActionSpec: a.Spec, Description: a.Description, Input: a.InType, Output: a.OutType,
			Concurrency: cmp.Or(a.Concurrency, c.cfg.ActionConcurrency), Rate: a.Rate, Sagas: users[name]})
	}
	return out
}

// Plan returns the plan with the hash, also one that only the log has: runs of old versions are
// pinned to theirs.
func (c *Coordinator) Plan(ctx context.Context, hash string) (*domain.Plan, error) {
	return c.planOf(ctx, hash)
}

// planOf returns the plan with the hash, from here or from the log.
func (c *Coordinator) planOf(ctx context.Context, hash string) (*domain.Plan, error) {
	if p := c.registry.Plan(hash); p != nil {
		return p, nil
	}
	p, err := ReadPlan(ctx, c.log, hash)
	if err != nil {
		return nil, err
	}
	c.registry.Keep(p)
	return p, nil
}

// addSaga registers a saga.
func addSaga(r *definition.Registry, s AnySaga) error {
	if s == nil {
		return errors.New("saga is nil: declare it before it is registered")
	}
	d, err := s.compile()
	if err != nil {
		return err
	}
	return r.AddSaga(d)
}

// addAction registers a single action.
func addAction(r *definition.Registry, a AnyAction) error {
	if a == nil {
		return errors.New("action is nil: declare it before it is registered")
	}
	code, err := a.compile()
	if err != nil {
		return err
	}
	return r.AddAction(code)
}
