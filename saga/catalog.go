package saga

import (
	"context"
	"slices"
	"sort"

	"github.com/atonehq/atone/domain"
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

// Sagas lists the registered sagas by name, the newest version first. The plans are shared: they must
// not be changed.
func (c *Coordinator) Sagas() []SagaInfo {
	r := &c.registry
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]SagaInfo, 0, len(r.sagas))
	for key, d := range r.sagas {
		info := describeSaga(d)
		info.Latest = r.latest[key.name] == key.version
		out = append(out, info)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Name != out[j].Name {
			return out[i].Name < out[j].Name
		}
		return out[i].Version > out[j].Version
	})
	return out
}

// Saga describes one registered saga; version 0 is the latest. Errors: [ErrUnknownSaga].
func (c *Coordinator) Saga(name string, version int) (SagaInfo, error) {
	d, err := c.registry.saga(name, version)
	if err != nil {
		return SagaInfo{}, err
	}
	info := describeSaga(d)
	c.registry.mu.RLock()
	info.Latest = c.registry.latest[name] == info.Version
	c.registry.mu.RUnlock()
	return info, nil
}

func describeSaga(d *definition) SagaInfo {
	return SagaInfo{Name: d.plan.Saga, Version: d.plan.Version, Description: d.plan.Description, Input: d.inType, Output: d.outType,
		Hash: d.plan.Hash(), Plan: d.plan, Actions: planActions(d.plan)}
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
	r := &c.registry
	r.mu.RLock()
	defer r.mu.RUnlock()
	users := make(map[string][]string)
	for _, d := range r.sagas {
		for _, a := range planActions(d.plan) {
			if !slices.Contains(users[a], d.plan.Saga) {
				users[a] = append(users[a], d.plan.Saga)
			}
		}
	}
	out := make([]ActionInfo, 0, len(r.actions))
	for name, a := range r.actions {
		slices.Sort(users[name])
		out = append(out, ActionInfo{ActionSpec: a.spec, Description: a.description, Input: a.inType, Output: a.outType,
			Concurrency: orElse(a.concurrency, c.cfg.ActionConcurrency), Rate: a.rate, Sagas: users[name]})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Plan returns the plan with the hash, also one that only the log has: runs of old versions are
// pinned to theirs.
func (c *Coordinator) Plan(ctx context.Context, hash string) (*domain.Plan, error) {
	return c.planOf(ctx, hash)
}
