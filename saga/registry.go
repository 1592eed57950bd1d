package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/pmezard/go-difflib/difflib"

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
	return nil
}

func (r *registry) addAction(a AnyAction) error {
	if a == nil {
		return errors.New("action is nil: declare it before it is registered")
	}
	code, err := a.compile()
	if err != nil {
		return err
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
	return &definition{plan: plan, actions: []*actionCode{a}, checkInput: a.check, inType: a.inType, outType: a.outType,
		code: map[string]expression{node.Key: {value: func(v View) (json.RawMessage, error) { return v.state.Start.Input, nil }}}}, nil
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

// ReadPlan reads the plan with the hash from a log.
func ReadPlan(ctx context.Context, log Log, hash string) (*domain.Plan, error) {
	for e, err := range log.ReadStream(ctx, domain.PlanStream(hash), 0) {
		if err != nil {
			return nil, fmt.Errorf("read plan %s: %w", hash, err)
		}
		return domain.ParsePlan(e.Data)
	}
	return nil, fmt.Errorf("plan %s is not in the log: was the log's directory restored without it?", hash)
}

// PlanDefined and SagaRegistered are the wire names of the events in plan and saga streams.
const (
	PlanDefined    = "plan.defined.v1"
	SagaRegistered = "saga.registered.v1"
)

// registration is the data of a saga.registered.v1 event.
type registration struct {
	Version int    `json:"version"`
	Plan    string `json:"plan"`
}

var planSpace = uuid.MustParse("6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e04")

// publishPlans stores the plans of everything registered, and refuses a saga whose name and
// version the log knows with another plan.
func (c *Coordinator) publishPlans(ctx context.Context) error {
	c.registry.mu.RLock()
	all := make([]*definition, 0, len(c.registry.byHash))
	for _, d := range c.registry.byHash {
		all = append(all, d)
	}
	c.registry.mu.RUnlock()
	sort.Slice(all, func(i, j int) bool { return all[i].plan.Hash() < all[j].plan.Hash() })
	var errs []error
	for _, d := range all {
		errs = append(errs, c.publishPlan(ctx, d.plan))
	}
	return errors.Join(errs...)
}

func (c *Coordinator) publishPlan(ctx context.Context, p *domain.Plan) error {
	if p.Version > 0 {
		if err := c.registerVersion(ctx, p); err != nil {
			return err
		}
	}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if len(data) > domain.MaxAppendSize/2 {
		return fmt.Errorf("the plan of %s v%d is %d bytes of JSON: split it into child sagas", p.Saga, p.Version, len(data))
	}
	e := domain.NewEvent{ID: uuid.NewSHA1(planSpace, data), Type: PlanDefined, Data: data}
	if _, err := c.log.Append(ctx, domain.PlanStream(p.Hash()), domain.NoStream, e); err != nil && !errors.Is(err, domain.ErrConflict) {
		return fmt.Errorf("store the plan of %s v%d: %w", p.Saga, p.Version, err)
	}
	return nil
}

// registerVersion lists a saga's version with its plan, once.
func (c *Coordinator) registerVersion(ctx context.Context, p *domain.Plan) error {
	stream := domain.SagaPrefix + p.Saga
	for range 100 { // several processes may register at once
		expected := domain.NoStream
		for e, err := range c.log.ReadStream(ctx, stream, 0) {
			if err != nil {
				return fmt.Errorf("read the versions of saga %s: %w", p.Saga, err)
			}
			expected = domain.Expected(e.Revision)
			var known registration
			if err := json.Unmarshal(e.Data, &known); err != nil {
				return fmt.Errorf("read the versions of saga %s: %w", p.Saga, err)
			}
			if known.Version != p.Version {
				continue
			}
			if known.Plan == p.Hash() {
				return nil
			}
			return c.planChanged(ctx, p, known.Plan)
		}
		data, err := json.Marshal(registration{Version: p.Version, Plan: p.Hash()})
		if err != nil {
			return err
		}
		e := domain.NewEvent{ID: uuid.NewSHA1(planSpace, append([]byte(stream), data...)), Type: SagaRegistered, Data: data}
		_, err = c.log.Append(ctx, stream, expected, e)
		if err == nil || !errors.Is(err, domain.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("register saga %s v%d: others keep writing to %s: try again", p.Saga, p.Version, stream)
}

func (c *Coordinator) planChanged(ctx context.Context, p *domain.Plan, hash string) error {
	diff := "(the plan in the log can't be read)"
	if old, err := ReadPlan(ctx, c.log, hash); err == nil {
		diff = planDiff(old, p)
	}
	return fmt.Errorf("saga %s v%d: %w: bump the version (runs of the old one go on with their own plan). The difference, log against code:\n%s", p.Saga, p.Version, ErrPlanChanged, diff)
}

// planDiff shows the lines in which two plans' indented JSON differ, as a unified diff.
func planDiff(a, b *domain.Plan) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: indented(a), FromFile: "log " + a.Hash()[:12], B: indented(b), ToFile: "code " + b.Hash()[:12], Context: 2})
	if err != nil {
		return err.Error()
	}
	return text
}

func indented(p *domain.Plan) []string {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return []string{err.Error()}
	}
	return difflib.SplitLines(string(text))
}
