package projections

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Emitted is what an action's domain event is called in the audit.
const Emitted = "emitted"

// act is an event in the words of the audit. The payloads are as recorded, secrets and all.
type act struct {
	what          string
	step          string
	direction     domain.Direction
	attempt       int
	action        string
	cause         *domain.Failure
	note          string
	input, output json.RawMessage
}

// payloads returns all payloads of the event that was described, also those that are not shown.
func (a *act) payloads(f *domain.Fact) []json.RawMessage {
	switch e := f.Event.(type) {
	case *domain.ItemsListed:
		return e.Items
	case *domain.StepsPlanned:
		return append([]json.RawMessage{e.Output}, e.Inputs...)
	}
	return []json.RawMessage{a.input, a.output}
}

// describe puts an event of a run into the words of the audit.
func describe(f *domain.Fact) act {
	if f.Event == nil {
		return act{}
	}
	a := act{what: whats[f.Event.WireName()]}
	switch e := f.Event.(type) {
	case *domain.AttemptStarted:
		a.at(e.Step, e.Direction, e.Attempt)
		a.action, a.input = e.Action, e.Input
	case *domain.AttemptSucceeded:
		a.at(e.Step, e.Direction, e.Attempt)
		a.output = e.Output
	case *domain.AttemptFailed:
		a.at(e.Step, e.Direction, e.Attempt)
		a.cause = &e.Cause
		a.note = join(kindNote(e.Cause.Kind), retryNote(e.RetryAt, f.Meta.At))
		if e.Probe {
			a.note = join(a.note, "to be probed")
		}
		if e.Uncounted {
			a.note = join(a.note, "no worker had it, not counted")
		}
	case *domain.AttemptHeartbeat:
		a.at(e.Step, e.Direction, e.Attempt)
		a.output = e.Details
	case *domain.OutcomeLate:
		a.at(e.Step, e.Direction, e.Attempt)
		a.output, a.cause = e.Output, e.Cause
	case *domain.StepProbed:
		a.at(e.Step, domain.Probe, e.Attempt)
		a.output, a.note, a.cause = e.Output, join(string(e.Verdict), retryNote(e.RetryAt, f.Meta.At)), e.Cause
	case *domain.DomainEvent:
		a.what, a.note, a.output = Emitted, e.Type, e.Payload
	default:
		if !a.ofRun(f.Event) {
			a.ofStep(f.Event)
		}
	}
	return a
}

func (a *act) at(step string, dir domain.Direction, attempt int) {
	a.step, a.direction, a.attempt = step, dir, attempt
}

// ofRun describes the events of a run as a whole.
func (a *act) ofRun(e domain.Event) bool {
	switch e := e.(type) {
	case *domain.RunStarted:
		a.input, a.note = e.Input, fmt.Sprintf("%s v%d", e.Saga, e.Version)
		if e.Parent != nil {
			a.note = join(a.note, "child of "+e.Parent.Run.String()+" at "+e.Parent.Step)
		}
		if e.Trigger != nil {
			a.note = join(a.note, "by event "+e.Trigger.Type)
		}
		if e.Key != "" {
			a.note = join(a.note, "key "+e.Key)
		}
	case *domain.RunCompleted:
		a.output = e.Output
	case *domain.RunTurnedBack:
		a.cause, a.note = &e.Cause, string(e.Cause.Kind)
	case *domain.CancelRequested:
		a.cause, a.note = &e.Cause, "waits for the outcome of an irreversible attempt"
	case *domain.RunCompensated:
		a.note = leftNote(e.Left)
	case *domain.RunCancelled:
		a.note = leftNote(e.Left)
	case *domain.RunAbandoned:
		a.note = join(e.Reason, leftNote(e.Left))
	case *domain.RunStuck:
		a.step, a.direction, a.cause, a.note = e.Step, e.Direction, &e.Cause, "incident "+e.Incident
		if e.After != "" {
			a.note += "; the run had ended " + string(e.After)
		}
	case *domain.RunPaused:
		a.note = e.Reason
	case *domain.RunResumed:
		a.note = e.Reason
	case *domain.RunBlocked:
		a.note = e.Reason
	case *domain.SignalReceived:
		a.note, a.output = e.Signal+" "+e.ID, e.Value
	default:
		return false
	}
	return true
}

// ofStep describes the events of a step other than its attempts.
func (a *act) ofStep(e domain.Event) {
	switch e := e.(type) {
	case *domain.StepFailed:
		a.step, a.cause, a.note = e.Step, &e.Cause, kindNote(e.Cause.Kind)
	case *domain.StepIgnored:
		a.step = e.Step
	case *domain.ItemFailed:
		a.step, a.cause, a.note = e.Step, &e.Cause, fmt.Sprintf("item %d", e.Item)
	case *domain.StepRetried:
		a.step, a.direction, a.note = e.Step, e.Direction, e.Reason
	case *domain.StepResolved:
		a.step, a.direction, a.output, a.note = e.Step, e.Direction, e.Output, join(string(e.How), e.Reason)
	case *domain.BranchChosen:
		a.step, a.note = e.Step, orElse(e.Case, fmt.Sprintf("branch %d", e.Branch))
	case *domain.ItemsListed:
		a.step, a.note = e.Step, fmt.Sprintf("%d items from %d", len(e.Items), e.Offset)
	case *domain.ValueComputed:
		a.step, a.output = e.Step, e.Value
	case *domain.TimerSet:
		a.step, a.note = e.Step, "until "+e.Due.UTC().Format(time.RFC3339)
	case *domain.TimerFired:
		a.step = e.Step
	case *domain.AwaitOpened:
		a.step, a.note = e.Step, "for "+orElse(e.Signal, e.Event)
		if !e.Due.IsZero() {
			a.note = join(a.note, "until "+e.Due.UTC().Format(time.RFC3339))
		}
	case *domain.AwaitMet:
		a.step, a.output, a.note = e.Step, e.Value, "by "+e.By
	case *domain.ChildStarted:
		a.step, a.input, a.note = e.Step, e.Input, fmt.Sprintf("%s v%d run %s", e.Saga, e.Version, e.Run)
	case *domain.ChildTurnedBack:
		a.step, a.cause, a.note = e.Step, &e.Cause, "run "+e.Run.String()
	case *domain.ChildEnded:
		a.step, a.output, a.cause, a.note = e.Step, e.Output, e.Cause, string(e.State)+", run "+e.Run.String()
	case *domain.PivotPassed:
		a.step = e.Step
	case *domain.StepsPlanned:
		a.step, a.output, a.note = e.Step, e.Output, fmt.Sprintf("round %d", e.Round)
		if e.Steps != nil {
			a.note = join(a.note, fmt.Sprintf("%d steps", len(e.Steps.Children)))
		}
	}
}

// kindNote names the kinds of failure whose message does not say it.
func kindNote(k domain.FailureKind) string {
	if k == domain.FailureRetryable {
		return ""
	}
	return string(k)
}

func retryNote(retryAt, at time.Time) string {
	if retryAt.IsZero() {
		return ""
	}
	return "retry in " + round(retryAt.Sub(at))
}

func leftNote(left []string) string {
	if len(left) == 0 {
		return ""
	}
	return "left behind: " + strings.Join(left, ", ")
}

// join puts a comma between two notes that both say something.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}
