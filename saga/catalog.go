package saga

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
)

func init() {
	bridge.Definition = func(s any) (*definition.Definition, error) { return s.(AnySaga).compile() } //nolint:forcetypeassert // the kits pass one
	bridge.Action = func(a any) definition.ActionUse { return used(a.(AnyAction)) }                  //nolint:forcetypeassert // package data passes one
	bridge.Described = func(a any, in, out definition.Payload, secret []string) any {
		return &described{a.(AnyAction), in, out, secret} //nolint:forcetypeassert // package data passes one
	}
	bridge.Saga = func(name string, version int, d *definition.Definition) any {
		return &Saga[json.RawMessage, json.RawMessage]{name, version, d, nil}
	}
	bridge.Open = func(own any, stirred func()) (*definition.Registry, func(domain.Position) bool) {
		c := own.(*Coordinator) //nolint:forcetypeassert // the kit passes one
		c.stirred = stirred
		return c.registry, func(upTo domain.Position) bool { in := c.inbox.Load(); return in != nil && in.Idle(upTo) }
	}
}

// SagaInfo describes a registered saga.
type SagaInfo struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	// Latest means that starts without a version use this one.
	Latest      bool   `json:"latest,omitempty"`
	Description string `json:"description,omitempty"`
	domain.PayloadTypes
	// Signals has the JSON Schema of each awaited signal's payload, by the signal's name.
	Signals map[string]json.RawMessage `json:"signals,omitempty"`
	// Hash is the plan's hash.
	Hash string       `json:"hash"`
	Plan *domain.Plan `json:"plan"`
	// Actions are the names of the actions in the plan, sorted.
	Actions []string `json:"actions,omitempty"`
	// Untried are the functions that panicked when they were tried with made-up values, so that
	// their reads could not be checked. If such a function reads a ref without a value, the run is
	// blocked.
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
	domain.PayloadTypes
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
	p := *d.Written // it has the policies in force
	p.Hidden = d.Plan.Hidden
	var untried []Untried
	for _, u := range d.Untried {
		untried = append(untried, Untried(u))
	}
	return SagaInfo{Untried: untried, Name: p.Saga, Version: p.Version, Latest: c.registry.Latest(&p), Description: p.Description,
		PayloadTypes: definition.PayloadTypes(d.Input, d.Output), Signals: d.Types().Signals, Hash: d.Plan.Hash(), Plan: &p, Actions: p.ActionNames()}
}

// Actions lists the registered actions by name.
func (c *Coordinator) Actions() []ActionInfo {
	actions, users := c.registry.Actions(), c.registry.Users()
	out := make([]ActionInfo, 0, len(actions))
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		a := actions[name]
		out = append(out, ActionInfo{ActionSpec: a.Spec, Description: a.Description, PayloadTypes: definition.PayloadTypes(a.Input, a.Output),
			Concurrency: cmp.Or(a.Concurrency, c.cfg.ActionConcurrency), Rate: a.Rate, Sagas: users[name]})
	}
	return out
}

// Plan returns the plan with the hash. It may be an old version's plan that only the log has.
func (c *Coordinator) Plan(ctx context.Context, hash string) (*domain.Plan, error) {
	return c.plans.Plan(ctx, hash)
}

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
