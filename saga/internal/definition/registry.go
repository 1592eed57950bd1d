package definition

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// Registry holds the sagas and actions that a coordinator knows, and the plans that it has read
// from the log. It is safe for concurrent use.
type Registry struct {
	mu      sync.RWMutex
	actions map[string]*Action
	sagas   map[sagaKey]*Definition
	latest  map[string]int
	byHash  map[string]*Definition // registered here
	plans   map[string]*domain.Plan
	single  map[string]*Definition // one-step sagas, by action
	// inForce maps a definition to the one in use here: itself, or a copy that hides more fields.
	inForce map[*Definition]*Definition
}

type sagaKey struct {
	name    string
	version int
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		actions: make(map[string]*Action),
		sagas:   make(map[sagaKey]*Definition),
		latest:  make(map[string]int),
		byHash:  make(map[string]*Definition),
		plans:   make(map[string]*domain.Plan),
		single:  make(map[string]*Definition),
		inForce: make(map[*Definition]*Definition),
	}
}

// AddSaga registers a saga, its actions and the sagas that it starts. Registering it again changes
// nothing; another plan with its name and version is refused.
func (r *Registry) AddSaga(d *Definition) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addSaga(d)
}

func (r *Registry) addSaga(d *Definition) error {
	key := sagaKey{d.Plan.Saga, d.Plan.Version}
	if known := r.sagas[key]; known != nil {
		if known.Plan.Hash() != d.Plan.Hash() {
			return fmt.Errorf("saga %s v%d is registered twice with different plans: give one another version:\n%s", key.name, key.version, PlanDiff(known.Plan, d.Plan))
		}
		return nil
	}
	errs := make([]error, 0, len(d.Actions)+len(d.Children))
	for _, a := range d.Actions {
		errs = append(errs, r.addAction(a))
	}
	for _, child := range d.Children {
		errs = append(errs, r.addSaga(child))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("saga %s v%d: %w", key.name, key.version, err)
	}
	r.sagas[key], r.byHash[d.Plan.Hash()], r.inForce[d] = d, d, d
	r.latest[key.name] = max(r.latest[key.name], key.version)
	r.hidePlanned()
	return nil
}

// AddAction registers a single action, and its failure handler.
func (r *Registry) AddAction(a *Action) error {
	if a.Unreadable != "" {
		return fmt.Errorf("action %q: %s: use a type that JSON writes and reads", a.Spec.Name, a.Unreadable)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addAction(a)
}

func (r *Registry) addAction(a *Action) error {
	name := a.Spec.Name
	if known := r.actions[name]; known != nil {
		if known.Identity != a.Identity {
			return fmt.Errorf("two different actions are called %q: rename one", name)
		}
		return nil
	}
	d, err := single(a)
	if err != nil {
		return err
	}
	r.actions[name], r.single[name], r.byHash[d.Plan.Hash()] = a, d, d
	r.hidePlanned()
	if a.OnFailure == nil {
		return nil
	}
	return r.addAction(a.OnFailure)
}

// hidePlanned makes the sagas that plan steps at run time hide the secret fields of all registered
// actions. Definitions are shared with other coordinators, so this one gets its own copy of the
// plan. The caller holds the lock.
func (r *Registry) hidePlanned() {
	types := make([]*payload.Secrets, 0, len(r.actions))
	for _, a := range r.actions {
		types = append(types, a.Secrets)
	}
	for d, known := range r.inForce {
		if !known.Plans {
			continue
		}
		hidden := payload.Union(known.Plan.Hidden, hideIn(known.Plan, types...))
		if len(hidden) == len(known.Plan.Hidden) {
			continue
		}
		plan, own := *known.Plan, *known
		plan.Hidden, own.Plan = hidden, &plan
		r.inForce[d], r.sagas[sagaKey{plan.Saga, plan.Version}], r.byHash[plan.Hash()] = &own, &own, &own
	}
}

// Saga returns the saga with the name and version, 0 meaning the latest. Errors:
// [domain.ErrUnknownSaga].
func (r *Registry) Saga(name string, version int) (*Definition, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if version == 0 {
		version = r.latest[name]
	}
	if d := r.sagas[sagaKey{name, version}]; d != nil {
		return d, nil
	}
	known := make([]string, 0, len(r.sagas))
	var versions []int
	for k := range r.sagas {
		known = append(known, fmt.Sprintf("%s v%d", k.name, k.version))
		if k.name == name {
			versions = append(versions, k.version)
		}
	}
	slices.Sort(known)
	asked := fmt.Sprintf("%q", name)
	if version != 0 {
		asked += fmt.Sprintf(" v%d", version)
	}
	if len(versions) > 0 {
		slices.Sort(versions)
		return nil, fmt.Errorf("%w %s: the versions of %s are %s", domain.ErrUnknownSaga, asked, name, strings.Trim(fmt.Sprint(versions), "[]"))
	}
	return nil, fmt.Errorf("%w %s: registered are %s", domain.ErrUnknownSaga, asked, cmp.Or(strings.Join(known, ", "), "none"))
}

// InForce returns the definition in use here for d, and true; if d is not registered, the saga
// with its name and version, and false.
func (r *Registry) InForce(d *Definition) (own *Definition, same bool, err error) {
	r.mu.RLock()
	own, same = r.inForce[d]
	r.mu.RUnlock()
	if !same {
		own, err = r.Saga(d.Plan.Saga, d.Plan.Version)
	}
	return own, same, err
}

// Single returns the one-step saga of a single action. Errors: [domain.ErrUnknownAction].
func (r *Registry) Single(action string) (*Definition, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if d := r.single[action]; d != nil {
		return d, nil
	}
	known := strings.Join(slices.Sorted(maps.Keys(r.single)), ", ")
	return nil, fmt.Errorf("%w %q: registered are %s", domain.ErrUnknownAction, action, cmp.Or(known, "none"))
}

// Actions returns the registered actions by name.
func (r *Registry) Actions() map[string]*Action {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return maps.Clone(r.actions)
}

// Wrap has the code of every registered action replaced by what f returns for it. It is for tests,
// before anything runs.
func (r *Registry) Wrap(f func(*Action) *Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, a := range r.actions {
		r.actions[name] = f(a)
	}
}

// Action returns the registered action of the name, or nil.
func (r *Registry) Action(name string) *Action {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.actions[name]
}

// Sagas returns the registered sagas by name, the newest version first.
func (r *Registry) Sagas() []*Definition {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(maps.Values(r.sagas), func(a, b *Definition) int {
		return cmp.Or(strings.Compare(a.Plan.Saga, b.Plan.Saga), b.Plan.Version-a.Plan.Version)
	})
}

// All returns the registered sagas and the one-step sagas of the registered actions, by the plans'
// hashes.
func (r *Registry) All() []*Definition {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*Definition, 0, len(r.byHash))
	for _, hash := range slices.Sorted(maps.Keys(r.byHash)) {
		all = append(all, r.byHash[hash])
	}
	return all
}

// Users returns the names of the sagas that have an action in their plans, by the action's name.
func (r *Registry) Users() map[string][]string {
	users := make(map[string][]string)
	for _, d := range r.Sagas() {
		for _, a := range d.Plan.ActionNames() {
			if !slices.Contains(users[a], d.Plan.Saga) {
				users[a] = append(users[a], d.Plan.Saga)
			}
		}
	}
	return users
}

// SecretsOfEvent returns the secret fields of the registered sagas that await events of the type,
// and of those that such events start.
func (r *Registry) SecretsOfEvent(eventType string, started map[string]bool) (fields []string) {
	for _, d := range r.Sagas() {
		concerned := started[d.Plan.Saga]
		d.Plan.Root.Walk(func(n *domain.Node) { concerned = concerned || n.Await != nil && n.Await.Event == eventType })
		if concerned {
			fields = append(fields, d.Plan.Secrets()...)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// Latest reports whether starts without a version take this one.
func (r *Registry) Latest(p *domain.Plan) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.latest[p.Saga] == p.Version
}

// ForPlan returns the code for a plan, or nil if this program does not have it. The plan's
// policies may be others than the code's.
func (r *Registry) ForPlan(p *domain.Plan) *Definition {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if d := r.byHash[p.Hash()]; d != nil {
		return d
	}
	d := r.sagas[sagaKey{p.Saga, p.Version}]
	if p.Version == 0 {
		d = r.single[p.Saga]
	}
	if d == nil || !d.Plan.DoesTheSame(p) {
		return nil
	}
	return d
}

// Adopt has the runs of a registered saga start with a plan that the log lists for its version,
// which does the same as the code's ([domain.Plan.DoesTheSame]). So programs with different
// policies and descriptions start runs of the same plan. It returns what the saga's definition is
// from here on.
func (r *Registry) Adopt(p *domain.Plan) *Definition {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := sagaKey{p.Saga, p.Version}
	known := r.sagas[key]
	plan, own := *p, *known
	plan.Hidden, own.Plan = payload.Union(p.Hidden, payload.Without(known.Plan.Secrets(), p.Secret)), &plan
	for d, in := range r.inForce {
		if in == known {
			r.inForce[d] = &own
		}
	}
	delete(r.byHash, known.Plan.Hash())
	r.sagas[key], r.byHash[p.Hash()] = &own, &own
	return &own
}

// PolicyOf returns the policy that this program has for a step's action; nil where it has none. Of
// a step that was planned at run time it is the registered action's.
func (r *Registry) PolicyOf(d *Definition, st *machine.Step) *domain.Policy {
	if d == nil {
		return nil
	}
	key := st.Node.Key
	if st.Handler {
		key = handlerKey(st.About)
	}
	if p := d.Policies[key]; p != nil {
		return p
	}
	if a := r.Action(st.Node.Action.Name); a != nil {
		p := a.Spec.Policy()
		return &p
	}
	return nil
}

// Plan returns the plan with the hash, registered here or kept, or nil.
func (r *Registry) Plan(hash string) *domain.Plan {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if d := r.byHash[hash]; d != nil {
		return d.Plan
	}
	return r.plans[hash]
}

// Keep remembers a plan that was read from the log.
func (r *Registry) Keep(p *domain.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plans[p.Hash()] = p
}

// Awaited returns, by the plan's hash, the event types that the registered sagas await.
func (r *Registry) Awaited() map[string][]string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	plans := make(map[string][]string)
	for hash, d := range r.byHash {
		var types []string
		d.Plan.Root.Walk(func(n *domain.Node) {
			if n.Await != nil && n.Await.Event != "" && !slices.Contains(types, n.Await.Event) {
				types = append(types, n.Await.Event)
			}
		})
		if len(types) > 0 {
			plans[hash] = types
		}
	}
	return plans
}
