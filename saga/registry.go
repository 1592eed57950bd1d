package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/atonehq/atone/domain"
)

// registry holds the sagas and actions that a coordinator knows, and the plans that it
// has read from the log.
type registry struct {
	mu      sync.RWMutex
	actions map[string]*actionCode
	sagas   map[sagaKey]*definition
	latest  map[string]int
	byHash  map[string]*definition // registered here
	plans   map[string]*domain.Plan
	single  map[string]*definition // one-step sagas, by action
}

type sagaKey struct {
	name    string
	version int
}

func (r *registry) init() {
	r.actions = make(map[string]*actionCode)
	r.sagas = make(map[sagaKey]*definition)
	r.latest = make(map[string]int)
	r.byHash = make(map[string]*definition)
	r.plans = make(map[string]*domain.Plan)
	r.single = make(map[string]*definition)
}

func (r *registry) addSaga(s AnySaga) error {
	if s == nil {
		return errors.New("saga is nil: declare it before it is registered")
	}
	d, err := s.compile()
	if err != nil {
		return err
	}
	key := sagaKey{d.plan.Saga, d.plan.Version}
	r.mu.Lock()
	known := r.sagas[key]
	r.mu.Unlock()
	if known != nil {
		if known.plan.Hash() != d.plan.Hash() {
			return fmt.Errorf("saga %s v%d is registered twice with different plans: give one another version:\n%s", key.name, key.version, planDiff(known.plan, d.plan))
		}
		return nil
	}
	errs := make([]error, 0, len(d.actions)+len(d.children))
	for _, a := range d.actions {
		errs = append(errs, r.addCode(a))
	}
	for _, child := range d.children {
		errs = append(errs, r.addSaga(child))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("saga %s v%d: %w", key.name, key.version, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sagas[key] = d
	r.byHash[d.plan.Hash()] = d
	r.latest[key.name] = max(r.latest[key.name], key.version)
	r.hidePlanned()
	return nil
}

// hidePlanned has the sagas that plan steps at run time keep secret what any registered action does. A definition is shared
// with other coordinators, so this one gets its own copy of the plan. The lock is held.
func (r *registry) hidePlanned() {
	types := make([]*typeSecrets, 0, len(r.actions))
	for _, a := range r.actions {
		types = append(types, a.secrets)
	}
	for key, d := range r.sagas {
		if !d.plans {
			continue
		}
		hidden := sortedUnion(d.plan.Hidden, hideIn(d.plan, types...))
		if len(hidden) == len(d.plan.Hidden) {
			continue
		}
		plan, own := *d.plan, *d
		plan.Hidden, own.plan = hidden, &plan
		r.sagas[key], r.byHash[plan.Hash()] = &own, &own
	}
}

func (r *registry) addAction(a AnyAction) error {
	if a == nil {
		return errors.New("action is nil: declare it before it is registered")
	}
	code, err := a.compile()
	if err != nil {
		return err
	}
	if code.unreadable != "" {
		return fmt.Errorf("action %q: %s: use a type that JSON writes and reads", code.spec.Name, code.unreadable)
	}
	return r.addCode(code)
}

func (r *registry) addCode(a *actionCode) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := a.spec.Name
	if known := r.actions[name]; known != nil {
		if known.identity != a.identity {
			return fmt.Errorf("two different actions are called %q: rename one", name)
		}
		return nil
	}
	d, err := singleDefinition(a)
	if err != nil {
		return err
	}
	r.actions[name] = a
	r.single[name] = d
	r.byHash[d.plan.Hash()] = d
	r.hidePlanned()
	if h := a.onFailure; h != nil {
		r.mu.Unlock()
		err = r.addCode(h)
		r.mu.Lock()
	}
	return err
}

// singleDefinition makes the one-step saga by which a single action is invoked. Its
// version is 0.
func singleDefinition(a *actionCode) (*definition, error) {
	spec := a.spec
	node := &domain.Node{Name: spec.Name, Kind: domain.KindDo, Action: &spec, Rule: domain.RuleBackward}
	plan := &domain.Plan{Saga: spec.Name, Description: a.description,
		Root: &domain.Node{Kind: domain.KindSequence, Children: []*domain.Node{node}, Result: spec.Name}}
	if err := plan.Index(); err != nil {
		return nil, err
	}
	plan.Hidden = hideIn(plan, a.secrets)
	if h := a.onFailure; h != nil {
		plan.Hidden = hideIn(plan, a.secrets, h.secrets)
	}
	return &definition{plan: plan, actions: []*actionCode{a}, checkInput: a.check, inType: a.inType, outType: a.outType,
		code: map[string]expression{node.Key: {value: func(v Scope) (json.RawMessage, error) { return v.state.Start.Input, nil }}}}, nil
}

func (r *registry) actionTable() map[string]*actionCode {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t := make(map[string]*actionCode, len(r.actions))
	for n, a := range r.actions {
		t[n] = a
	}
	return t
}

// saga returns the definition with the name and version, 0 meaning the latest.
func (r *registry) saga(name string, version int) (*definition, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if version == 0 {
		version = r.latest[name]
	}
	if d := r.sagas[sagaKey{name, version}]; d != nil {
		return d, nil
	}
	known := make([]string, 0, len(r.sagas))
	for k := range r.sagas {
		known = append(known, fmt.Sprintf("%s v%d", k.name, k.version))
	}
	sort.Strings(known)
	asked := fmt.Sprintf("%q", name)
	if version != 0 {
		asked += fmt.Sprintf(" v%d", version)
	}
	return nil, fmt.Errorf("%w %s: registered are %s", ErrUnknownSaga, asked, orElse(strings.Join(known, ", "), "none"))
}

func (r *registry) action(name string) (*definition, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if d := r.single[name]; d != nil {
		return d, nil
	}
	known := make([]string, 0, len(r.single))
	for k := range r.single {
		known = append(known, k)
	}
	sort.Strings(known)
	return nil, fmt.Errorf("%w %q: registered are %s", ErrUnknownAction, name, orElse(strings.Join(known, ", "), "none"))
}

// definitionFor returns the code for a plan, or nil if this program does not have it.
func (r *registry) definitionFor(hash string) *definition {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byHash[hash]
}

// planOf returns the plan with the hash, from here or from the log.
func (c *Coordinator) planOf(ctx context.Context, hash string) (*domain.Plan, error) {
	r := &c.registry
	r.mu.RLock()
	d, p := r.byHash[hash], r.plans[hash]
	r.mu.RUnlock()
	if d != nil {
		return d.plan, nil
	}
	if p != nil {
		return p, nil
	}
	p, err := ReadPlan(ctx, c.log, hash)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.plans[hash] = p
	r.mu.Unlock()
	return p, nil
}
