package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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

// Effect says what becomes of an action's effect when a run turns back.
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

// ActionSpec is what a plan knows of an action: everything but its code.
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

// Node is one node of a plan.
type Node struct {
	// Name addresses the node in its scope; the scopes are the run, an item of an Each and a
	// round of a Plan. Only sequences have none.
	Name string `json:"name,omitempty"`
	Kind Kind   `json:"kind"`
	// Action is set for do and plan.
	Action *ActionSpec `json:"action,omitempty"`
	Rule   Rule        `json:"rule,omitempty"`
	// Accepted is why the author accepts that this irreversible step may be left behind.
	Accepted string `json:"accepted,omitempty"`
	// Doubt is why the author accepts that this irreversible step may end stuck, because it can't
	// be told whether it took effect.
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

// Plan is a saga as data. A run is pinned to the plan that it started with.
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
	// covers.
	Searchable []string `json:"searchable,omitempty"`
	// Secret lists the JSON fields that views show as redacted.
	Secret []string `json:"secret,omitempty"`
	// Hidden lists further such fields. It is not part of the plan's identity: the types tell it
	// where the plan is defined, and the events of its [PlanSecretsStream] where it is read from
	// the log.
	Hidden []string `json:"-"`
	// Returns is true where the output is computed by the definition's own code; otherwise
	// it is the output of the step that Root.Result names, or null.
	Returns bool `json:"returns,omitempty"`
	// OnFailure is the saga's failure handler.
	OnFailure *ActionSpec `json:"on_failure,omitempty"`
	Root      *Node       `json:"root"`

	hash string
}

// Index derives what is not stored: the nodes' keys and the plan's hash. It is called
// once, before the plan is shared.
func (p *Plan) Index() error {
	b, err := p.identity()
	if err != nil {
		return fmt.Errorf("plan %s v%d: %w", p.Saga, p.Version, err)
	}
	sum := sha256.Sum256(b)
	p.hash = hex.EncodeToString(sum[:])
	if p.Root != nil {
		p.Root.index("")
	}
	return nil
}

// identity returns the JSON that the hash is over: the plan's, without what was accepted of its
// doubts. It changes nothing that a run does, and authors must be able to add it to a saga that has
// runs.
func (p *Plan) identity() ([]byte, error) {
	doubts := make(map[*Node]string)
	if p.Root != nil {
		p.Root.Walk(func(n *Node) {
			if n.Doubt != "" {
				doubts[n], n.Doubt = n.Doubt, ""
			}
		})
	}
	b, err := json.Marshal(p)
	for n, reason := range doubts {
		n.Doubt = reason
	}
	return b, err
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

// IndexUnder derives the keys of a node that joins a plan at run time, below the given prefix.
func (n *Node) IndexUnder(prefix string) { n.index(prefix) }

// Hash returns the hexadecimal SHA-256 of the plan's JSON without the members doubt. The plan is
// indexed.
func (p *Plan) Hash() string { return p.hash }

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
