package domain

import (
	"encoding/json"
	"time"
)

// Event is an event in a run's stream. The concrete types are the structs of this package that have
// a wire name; a [*DomainEvent] was emitted by an app.
type Event interface {
	// WireName returns the versioned name under which the event is stored.
	WireName() string
	// fields writes the event's JSON members.
	fields(w *objectWriter)
}

// Direction is what an attempt tries.
type Direction string

// The directions of an attempt.
const (
	Do      Direction = "do"
	Undo    Direction = "undo"
	Probe   Direction = "probe"
	Handler Direction = "failure" // a failure handler
)

// ParentRef points from a child run to the step that started it.
type ParentRef struct {
	Run  RunID  `json:"run"`
	Step string `json:"step"`
	// Root is the outermost run, if that is not the parent itself.
	Root RunID `json:"root,omitzero"`
}

// TriggerRef points to the domain event that started a run.
type TriggerRef struct {
	Stream string `json:"stream"`
	Event  string `json:"event"`
	Type   string `json:"type"`
	// Position is the event's place in the log. Later events may wake the run, even if they came
	// before the run's start.
	Position Position `json:"position,omitempty"`
}

// The events of a run as a whole.
type (
	// RunStarted is the first event of every run.
	RunStarted struct {
		Saga    string `json:"saga"`
		Version int    `json:"version"`
		// Plan is the hash of the run's plan, which never changes.
		Plan     string            `json:"plan"`
		Input    json.RawMessage   `json:"input"`
		Key      string            `json:"key,omitempty"`
		Labels   map[string]string `json:"labels,omitempty"`
		Parent   *ParentRef        `json:"parent,omitempty"`
		Trigger  *TriggerRef       `json:"trigger,omitempty"`
		Deadline time.Time         `json:"deadline,omitzero"`
		// Within is how long the run may take, if its deadline is a duration from its start.
		// Without it the deadline is an instant.
		Within Duration `json:"within,omitzero"`
		// AgainOf is the ended run that a person started again as this one.
		AgainOf RunID `json:"again_of,omitzero"`
	}
	// RunCompleted ends a run that did its plan.
	RunCompleted struct {
		Output json.RawMessage `json:"output,omitempty"`
	}
	// RunTurnedBack begins backward recovery.
	RunTurnedBack struct {
		Cause Failure `json:"cause"`
	}
	// CancelRequested records a cancel that waits for the outcome of an irreversible attempt.
	CancelRequested struct {
		Cause Failure `json:"cause"`
	}
	// RunCompensated ends a run that failed and was undone.
	RunCompensated struct {
		// Left lists the steps whose effect was knowingly left behind.
		Left []string `json:"left,omitempty"`
	}
	// RunCancelled ends a run that was cancelled and undone.
	RunCancelled struct {
		Left []string `json:"left,omitempty"`
	}
	// RunAbandoned ends a run that a person closed with effects left.
	RunAbandoned struct {
		Reason string   `json:"reason"`
		Left   []string `json:"left,omitempty"`
	}
	// RunStuck opens an incident: the step needs a person.
	RunStuck struct {
		Incident  string    `json:"incident"`
		Step      string    `json:"step"`
		Direction Direction `json:"direction"`
		Cause     Failure   `json:"cause"`
		// After is the end that the run had reached before a late effect came that can't be undone.
		// The run is no longer ended.
		After RunState `json:"after,omitempty"`
		// Again means that the incident is open again: a person had retried the step, and it failed
		// again.
		Again bool `json:"again,omitempty"`
	}
	// RunNoted records what a person knows of incidents, or of the run. It changes nothing else.
	RunNoted struct {
		// Incidents are those that were open; none means the run.
		Incidents []string `json:"incidents,omitempty"`
		Note      string   `json:"note"`
	}
	// RunAssigned says who looks after incidents. It changes nothing else.
	RunAssigned struct {
		Incidents []string `json:"incidents"`
		// To is the name of a person, as actors have one. Without it nobody does any more.
		To     string `json:"to,omitempty"`
		Reason string `json:"reason,omitempty"`
	}
	// RunSnoozed hides incidents for a while. It changes nothing else.
	RunSnoozed struct {
		Incidents []string `json:"incidents"`
		// Until is when they show again. Without it they do at once.
		Until  time.Time `json:"until,omitzero"`
		Reason string    `json:"reason,omitempty"`
	}
	// RunPaused stops new attempts from being started.
	RunPaused struct {
		Reason string `json:"reason"`
	}
	// RunResumed lifts a pause.
	RunResumed struct {
		Reason string `json:"reason"`
	}
	// RunBlocked records that no running process can continue the run, and why.
	RunBlocked struct {
		Reason string `json:"reason"`
	}
)

// The events of an attempt.
type (
	// AttemptStarted starts an attempt. It is durable before the handler is called.
	AttemptStarted struct {
		Step      string    `json:"step"`
		Direction Direction `json:"direction"`
		Attempt   int       `json:"attempt"`
		// Action is the name of the action.
		Action string `json:"action"`
		// Input is recorded with the first attempt of a direction; later attempts use the same.
		Input json.RawMessage `json:"input,omitempty"`
		// Due is when the attempt is given up.
		Due time.Time `json:"due,omitzero"`
		// Node is the coordinator whose queue carries the attempt.
		Node string `json:"node,omitempty"`
		// InForce is the action's policy under which the attempt was started, where that is not the
		// one of the run's plan.
		InForce *Policy `json:"in_force,omitempty"`
	}
	// AttemptSucceeded records an outcome; for a do it completes the step.
	AttemptSucceeded struct {
		Step      string          `json:"step"`
		Direction Direction       `json:"direction"`
		Attempt   int             `json:"attempt"`
		Output    json.RawMessage `json:"output,omitempty"`
	}
	// AttemptFailed records a failure, a timeout or a loss: Cause.Kind says which. For a probe it
	// is recorded when the probe is tried again, and when it found an effect whose output can't be
	// recorded.
	AttemptFailed struct {
		Step      string    `json:"step"`
		Direction Direction `json:"direction"`
		Attempt   int       `json:"attempt"`
		Cause     Failure   `json:"cause"`
		// RetryAt is when the next attempt begins. Without it and Probe, the step has failed for
		// good.
		RetryAt time.Time `json:"retry_at,omitzero"`
		// Probe means that the action's probe runs next: did the attempt apply?
		Probe bool `json:"probe,omitempty"`
		// Uncounted means that no handler was called because the broker refused the attempt, which
		// uses up no retry.
		Uncounted bool `json:"uncounted,omitempty"`
	}
	// StepProbed records a probe's answer.
	StepProbed struct {
		Step    string  `json:"step"`
		Attempt int     `json:"attempt"`
		Verdict Verdict `json:"verdict"`
		// Output is the attempt's output, if it applied.
		Output json.RawMessage `json:"output,omitempty"`
		// RetryAt is when the next attempt of the do begins, if there is one.
		RetryAt time.Time `json:"retry_at,omitzero"`
		// Cause is why the probe itself failed for good, which counts as unknown.
		Cause *Failure `json:"cause,omitempty"`
	}
	// AttemptHeartbeat records progress of a long attempt.
	AttemptHeartbeat struct {
		Step      string          `json:"step"`
		Direction Direction       `json:"direction"`
		Attempt   int             `json:"attempt"`
		Details   json.RawMessage `json:"details,omitempty"`
		Due       time.Time       `json:"due"`
	}
	// OutcomeLate records the outcome of an attempt that had been given up.
	OutcomeLate struct {
		Step      string          `json:"step"`
		Direction Direction       `json:"direction"`
		Attempt   int             `json:"attempt"`
		Output    json.RawMessage `json:"output,omitempty"`
		// Cause is set where the late outcome is a failure.
		Cause *Failure `json:"cause,omitempty"`
	}
)

// Verdict is a probe's answer to "did it apply?".
type Verdict string

// The verdicts.
const (
	Applied    Verdict = "applied"
	NotApplied Verdict = "not_applied"
	Unknown    Verdict = "unknown"
)

// The events of a step other than its attempts.
type (
	// StepFailed records a failure outside any attempt: an input that can't be
	// computed, an await that ran out, a child that failed.
	StepFailed struct {
		Step  string  `json:"step"`
		Cause Failure `json:"cause"`
	}
	// StepIgnored lets the run go on without a failed step.
	StepIgnored struct {
		Step string `json:"step"`
	}
	// ItemFailed turns back one item of an each. The number of such items is within the tolerated
	// one.
	ItemFailed struct {
		Step  string  `json:"step"`
		Item  int     `json:"item"`
		Cause Failure `json:"cause"`
	}
	// StepRetried gives a stuck step a new set of attempts.
	StepRetried struct {
		Step      string    `json:"step"`
		Direction Direction `json:"direction"`
		Reason    string    `json:"reason"`
	}
	// StepResolved settles a stuck step as a person decided.
	StepResolved struct {
		Step      string     `json:"step"`
		Direction Direction  `json:"direction"`
		How       Resolution `json:"how"`
		// Output replaces the step's output, if How is substitute.
		Output json.RawMessage `json:"output,omitempty"`
		Reason string          `json:"reason"`
	}
	// BranchChosen records which child of a switch runs; -1 is none.
	BranchChosen struct {
		Step   string `json:"step"`
		Branch int    `json:"branch"`
		Case   string `json:"case,omitempty"`
	}
	// ItemsListed records the items of an each, in parts that fit an append. A part at
	// offset 0 starts over; the last one starts the items.
	ItemsListed struct {
		Step   string            `json:"step"`
		Offset int               `json:"offset"`
		Items  []json.RawMessage `json:"items"`
		Last   bool              `json:"last"`
	}
	// ValueComputed records a value that the definition's code computed.
	ValueComputed struct {
		Step  string          `json:"step"`
		Value json.RawMessage `json:"value"`
	}
	// TimerSet begins a sleep.
	TimerSet struct {
		Step string    `json:"step"`
		Due  time.Time `json:"due"`
		// For is how long the step sleeps; without it, it sleeps until an instant.
		For Duration `json:"for,omitzero"`
	}
	// TimerFired ends a sleep.
	TimerFired struct {
		Step string `json:"step"`
	}
	// AwaitOpened begins to wait for a signal or a domain event.
	AwaitOpened struct {
		Step   string `json:"step"`
		Signal string `json:"signal,omitempty"`
		Event  string `json:"event,omitempty"`
		// Correlation selects the domain event: its correlation id equals it.
		Correlation string    `json:"correlation,omitempty"`
		Due         time.Time `json:"due,omitzero"`
	}
	// AwaitMet ends the wait with a value.
	AwaitMet struct {
		Step  string          `json:"step"`
		Value json.RawMessage `json:"value,omitempty"`
		// By is the id of the signal or event, or "default".
		By string `json:"by,omitempty"`
	}
	// SignalReceived keeps a signal until an await takes it.
	SignalReceived struct {
		Signal string          `json:"signal"`
		ID     string          `json:"id"`
		Value  json.RawMessage `json:"value,omitempty"`
	}
	// ChildStarted is durable before the child run is started.
	ChildStarted struct {
		Step    string          `json:"step"`
		Run     RunID           `json:"run"`
		Saga    string          `json:"saga"`
		Version int             `json:"version"`
		Input   json.RawMessage `json:"input"`
	}
	// ChildTurnedBack is durable before the child run is told to undo itself.
	ChildTurnedBack struct {
		Step  string  `json:"step"`
		Run   RunID   `json:"run"`
		Cause Failure `json:"cause"`
	}
	// ChildEnded records how a child run ended.
	ChildEnded struct {
		Step   string          `json:"step"`
		Run    RunID           `json:"run"`
		State  RunState        `json:"state"`
		Output json.RawMessage `json:"output,omitempty"`
		Cause  *Failure        `json:"cause,omitempty"`
	}
	// PivotPassed means that the run only goes forward from here.
	PivotPassed struct {
		Step string `json:"step"`
	}
	// StepsPlanned records the further steps that a plan action returned in one round.
	StepsPlanned struct {
		Step  string `json:"step"`
		Round int    `json:"round"`
		// Steps is a sequence or parallel node of do nodes.
		Steps *Node `json:"steps,omitempty"`
		// Inputs are those of the steps, in order.
		Inputs []json.RawMessage `json:"inputs,omitempty"`
		// Done ends the rounds with Output.
		Done   bool            `json:"done,omitempty"`
		Output json.RawMessage `json:"output,omitempty"`
	}
	// DomainEvent is a fact that an action emitted. Runs ignore it.
	DomainEvent struct {
		Type    string
		Payload json.RawMessage
		// Secret lists the redacted fields of the payload. It is stored in the metadata.
		Secret []string
	}
)

// Resolution is how a person settled a stuck step.
type Resolution string

// The resolutions.
const (
	// ResolveSkip treats a step as having no effect, or its undo as done.
	ResolveSkip Resolution = "skip"
	// ResolveSubstitute treats the step as done with an output given by the person.
	ResolveSubstitute Resolution = "substitute"
)
