package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Kind is what a node of a plan does.
type Kind string

// The kinds of node.
const (
	KindSequence Kind = "sequence" // its children, one after the other
	KindDo       Kind = "do"       // an action
	KindParallel Kind = "parallel" // its children at once
	KindEach     Kind = "each"     // its one child for every item of a list
	KindSwitch   Kind = "switch"   // one of its children, chosen at run time
	KindSleep    Kind = "sleep"    // until a time
	KindAwait    Kind = "await"    // until a signal or a domain event comes
	KindChild    Kind = "child"    // a run of another saga
	KindPivot    Kind = "pivot"    // the point of no return
	KindPlan     Kind = "plan"     // steps that an action returns at run time, round after round
	KindCompute  Kind = "compute"  // a value computed once and recorded
)

// The labels in [Node.Cases] of the branches that no value selects.
const (
	CaseThen      = "then"      // of an If, where the condition holds
	CaseElse      = "else"      // of an If, where it does not
	CaseOtherwise = "otherwise" // of a Switch, where no other branch is taken
)

// Effect says what happens to an action's effect when a run turns back.
type Effect string

// The effects of an action.
const (
	EffectUndo         Effect = "undo"         // compensatable: it has an undo
	EffectNone         Effect = "none"         // there is nothing to undo
	EffectIrreversible Effect = "irreversible" // it can't be undone
)

// Rule says what a step's failure leads to, once its retries are used up.
type Rule string

// The failure rules.
const (
	RuleBackward Rule = "backward" // the run turns back
	RuleForward  Rule = "forward"  // the step must succeed: the run is stuck until it does
	RuleAsk      Rule = "ask"      // the run is stuck until a person decides
	RuleIgnore   Rule = "ignore"   // the run goes on without the step
)

// ActionSpec is an action without its code, as a plan stores it.
type ActionSpec struct {
	Name             string      `json:"name"`
	Effect           Effect      `json:"effect"`
	Probe            bool        `json:"probe,omitempty"`
	Retry            RetryPolicy `json:"retry"`
	UndoRetry        RetryPolicy `json:"undo_retry,omitzero"`
	Timeout          Duration    `json:"timeout"`
	UndoTimeout      Duration    `json:"undo_timeout,omitzero"`
	HeartbeatTimeout Duration    `json:"heartbeat_timeout,omitzero"`
	// OnFailure is the action's failure handler.
	OnFailure *ActionSpec `json:"on_failure,omitempty"`
}

// Policy returns the action's policy as the plan has it.
func (a *ActionSpec) Policy() Policy {
	return Policy{a.Retry, a.UndoRetry, a.Timeout, a.UndoTimeout, a.HeartbeatTimeout}
}

func (a *ActionSpec) set(p Policy) {
	a.Retry, a.UndoRetry, a.Timeout, a.UndoTimeout, a.HeartbeatTimeout = p.Retry, p.UndoRetry, p.Timeout, p.UndoTimeout, p.HeartbeatTimeout
}

// Node is one node of a plan.
type Node struct {
	// Name identifies the node in its scope: the run, an item of an Each, or a round of a Plan.
	// Only sequences have none.
	Name string `json:"name,omitempty"`
	Kind Kind   `json:"kind"`
	// Action is set for do and plan.
	Action *ActionSpec `json:"action,omitempty"`
	Rule   Rule        `json:"rule,omitempty"`
	// Accepted is why the author accepts that this irreversible step may be left behind.
	Accepted string `json:"accepted,omitempty"`
	// Doubt is why the author accepts that this irreversible step may end stuck when its effect is
	// unknown.
	Doubt    string  `json:"doubt,omitempty"`
	Children []*Node `json:"children,omitempty"`
	// Cases labels the children of a switch.
	Cases []string `json:"cases,omitempty"`
	// Concurrency bounds how many children of an each or parallel are under way at once; 0 means
	// all.
	Concurrency int `json:"concurrency,omitempty"`
	// Tolerate is how many items of an each may fail.
	Tolerate int `json:"tolerate,omitempty"`
	// Result names the step whose output is the output of this sequence (an item's).
	Result string     `json:"result,omitempty"`
	Await  *AwaitSpec `json:"await,omitempty"`
	// Saga and Version name the child.
	Saga    string `json:"saga,omitempty"`
	Version int    `json:"version,omitempty"`
	// NoReturn marks a child that can't be undone once it completed: it has a pivot or does
	// something irreversible.
	NoReturn bool `json:"no_return,omitempty"`
	// Unlabelled starts a child without its parent's labels.
	Unlabelled bool `json:"unlabelled,omitempty"`
	// MaxRounds bounds a plan node.
	MaxRounds int `json:"max_rounds,omitempty"`
	// Code is what the step computes, as a saga that is data says it; see [Plan.Language].
	Code json.RawMessage `json:"code,omitempty"`

	// Key is the node's address in the plan, with * for an item or round: ship/*/label. It
	// is derived by [Plan.Index].
	Key string `json:"-"`
}

// AwaitSpec is what an await node waits for.
type AwaitSpec struct {
	// Signal is the name of the signal; Event the type of the domain event. One is set.
	Signal string `json:"signal,omitempty"`
	Event  string `json:"event,omitempty"`
	// Timeout is how long it waits; 0 means for ever.
	Timeout Duration `json:"timeout,omitempty"`
	// Default is the value taken at the timeout; without it the timeout is a failure.
	Default json.RawMessage `json:"default,omitempty"`
}

// Plan is a saga as data. A run keeps the plan that it started with.
type Plan struct {
	Saga    string `json:"saga"`
	Version int    `json:"version"`
	// Description is for people.
	Description string `json:"description,omitempty"`
	// Deadline bounds a whole run, from its start; 0 means none.
	Deadline Duration `json:"deadline,omitempty"`
	// Slow is after how long a run is reported as slow; 0 means never.
	Slow Duration `json:"slow,omitempty"`
	// Searchable lists the JSON fields of inputs and outputs that the audit's full-text search
	// covers, besides those of the [PlanTypesStream].
	Searchable []string `json:"searchable,omitempty"`
	// Secret lists the JSON fields that views show as redacted.
	Secret []string `json:"secret,omitempty"`
	// Hidden lists further redacted fields. It is not part of the plan's identity. It comes from
	// the types if the plan was defined here, and from the [PlanSecretsStream] if the plan was
	// read from the log.
	Hidden []string `json:"-"`
	// Returns is true where the output is computed by the definition's own code; otherwise
	// it is the output of the step that Root.Result names, or null.
	Returns bool `json:"returns,omitempty"`
	// OnFailure is the saga's failure handler.
	OnFailure *ActionSpec `json:"on_failure,omitempty"`
	// Language is the level of the language in which a saga that is data says what it computes; it
	// is empty for a saga that is code. Code is what it computes besides that of its steps: the
	// output, the key and the labels of its runs.
	Language string          `json:"language,omitempty"`
	Code     json.RawMessage `json:"code,omitempty"`
	Root     *Node           `json:"root"`

	hash, identity string
}

// Index derives what is not stored: the nodes' keys, the plan's hash and its identity. It is
// called once, before the plan is shared.
func (p *Plan) Index() error {
	restoreDoubts := p.withoutDoubts()
	hash, err := p.sum()
	if err == nil {
		restorePolicies, restoreTexts := p.withoutPolicies(), p.withoutTexts()
		p.identity, err = p.sum()
		restoreTexts()
		restorePolicies()
	}
	restoreDoubts()
	if err != nil {
		return fmt.Errorf("plan %s v%d: %w", p.Saga, p.Version, err)
	}
	p.hash = hash
	if p.Root != nil {
		p.Root.index("")
	}
	return nil
}

func (p *Plan) sum() (string, error) {
	b, err := json.Marshal(p)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

// withoutDoubts takes out what was accepted of the plan's doubts. It changes nothing that a run
// does, and authors must be able to add it to a saga that has runs.
func (p *Plan) withoutDoubts() (restore func()) {
	doubts := make(map[*Node]string)
	if p.Root != nil {
		p.Root.Walk(func(n *Node) {
			if n.Doubt != "" {
				doubts[n], n.Doubt = n.Doubt, ""
			}
		})
	}
	return func() {
		for n, reason := range doubts {
			n.Doubt = reason
		}
	}
}

// withoutPolicies takes out the policies of the plan's actions.
func (p *Plan) withoutPolicies() (restore func()) {
	policies := make(map[*ActionSpec]Policy)
	strip := func(a *ActionSpec) {
		for ; a != nil; a = a.OnFailure {
			if _, seen := policies[a]; !seen {
				policies[a] = a.Policy()
				a.set(Policy{})
			}
		}
	}
	strip(p.OnFailure)
	if p.Root != nil {
		p.Root.Walk(func(n *Node) { strip(n.Action) })
	}
	return func() {
		for a, policy := range policies {
			a.set(policy)
		}
	}
}

// withoutTexts takes out what a plan says for people and views: its description, and the fields
// that are searched or secret. What holds of them today stands in the [PlanTypesStream].
func (p *Plan) withoutTexts() (restore func()) {
	about, searchable, hidden := p.Description, p.Searchable, p.Secret
	p.Description, p.Searchable, p.Secret = "", nil, nil
	return func() { p.Description, p.Searchable, p.Secret = about, searchable, hidden }
}

func (n *Node) index(prefix string) {
	n.Key = prefix + n.Name
	if n.Kind == KindEach || n.Kind == KindPlan {
		prefix = n.Key + "/*/"
	}
	for _, c := range n.Children {
		c.index(prefix)
	}
}

// IndexUnder derives the keys of a node that is added to a plan at run time, below the given
// prefix.
func (n *Node) IndexUnder(prefix string) { n.index(prefix) }

// ActionNames returns the names of the plan's actions, failure handlers included, sorted.
func (p *Plan) ActionNames() []string {
	var names []string
	add := func(a *ActionSpec) {
		for ; a != nil; a = a.OnFailure {
			names = append(names, a.Name)
		}
	}
	add(p.OnFailure)
	p.Root.Walk(func(n *Node) { add(n.Action) })
	slices.Sort(names)
	return slices.Compact(names)
}

// MayTry reports whether a run of the plan may try the action: the plan has it, or has a planner,
// which may return steps of any action.
func (p *Plan) MayTry(action string) bool {
	may := slices.Contains(p.ActionNames(), action)
	p.Root.Walk(func(n *Node) { may = may || n.Kind == KindPlan })
	return may
}

// Hash returns the hexadecimal SHA-256 of the plan's JSON without the members doubt. The plan must
// be indexed.
func (p *Plan) Hash() string { return p.hash }

// Language1 is the level of the language that this program reads, of sagas that are data.
const Language1 = "atone/1"

// Unread says why this program can't read what the plan computes, or nothing: it is written in a
// level of the language that the program does not know.
func (p *Plan) Unread() string {
	if p.Language == "" || p.Language == Language1 {
		return ""
	}
	return fmt.Sprintf("its plan is written in %.100q, and this program reads %s: deploy one that reads it", p.Language, Language1)
}

// DoesTheSame reports whether two plans, both indexed, differ in nothing but the policies of their
// actions, the description, and the fields that are searched or secret: code for the one can go on
// with runs of the other.
func (p *Plan) DoesTheSame(other *Plan) bool { return p.identity == other.identity }

// PlanStream returns the name of the stream that holds the plan with that hash.
func PlanStream(hash string) string { return PlanPrefix + hash }

// ParsePlan reads a plan from its JSON and indexes it.
func ParsePlan(b []byte) (*Plan, error) {
	var p Plan
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if p.Root == nil {
		return nil, fmt.Errorf("read plan %s v%d: it has no root", p.Saga, p.Version)
	}
	return &p, p.Index()
}

// Walk calls f for the node and everything below it, parents first.
func (n *Node) Walk(f func(*Node)) {
	f(n)
	for _, c := range n.Children {
		c.Walk(f)
	}
}

// PlannerStep is the name, in each round of a plan node, of the step that plans it.
const PlannerStep = "plan"

// HandlerStep is the last segment of a failure handler's path.
const HandlerStep = "on-failure"

// IsRound reports whether the node has the shape of a round that a planner returned: steps without
// an order, or in their order, that each do an action.
func (n *Node) IsRound() bool {
	if n.Kind != KindSequence && n.Kind != KindParallel || n.Name != "" {
		return false
	}
	for _, c := range n.Children {
		if c == nil || c.Kind != KindDo || c.Action == nil || c.Name == "" || c.Name == PlannerStep {
			return false
		}
	}
	return true
}

// Signals lists the names of the signals that the plan's own awaits take, in the order of the plan.
func (p *Plan) Signals() (names []string) {
	p.Root.Walk(func(n *Node) {
		if n.Await != nil && n.Await.Signal != "" && !slices.Contains(names, n.Await.Signal) {
			names = append(names, n.Await.Signal)
		}
	})
	return names
}

// CheckSignal refuses, with [ErrBadInput], a signal that no await of the plan takes.
func (p *Plan) CheckSignal(name string) error {
	names := p.Signals()
	if slices.Contains(names, name) {
		return nil
	}
	there := "no step of it awaits a signal"
	if len(names) > 0 {
		there = fmt.Sprintf("it awaits %.500s", strings.Join(names, ", "))
	}
	return fmt.Errorf("%w: no step of %s awaits the signal %.100q: %s; keep it if a later plan may", ErrBadInput, p.Saga, name, there)
}
