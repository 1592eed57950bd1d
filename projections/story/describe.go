package story

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Emitted is the name for a domain event that an action emitted.
const Emitted = "emitted"

// Act is an event of a run in the words of the audit. Its payloads are as recorded, including
// secrets.
type Act struct {
	// What is the event's wire name without its version, or [Emitted].
	What      string
	Step      string
	Direction domain.Direction
	Attempt   int
	Action    string
	Cause     *domain.Failure
	// Note is further information.
	Note          string
	Input, Output json.RawMessage
}

// whats holds the name of each event: its wire name without the version.
var whats = func() map[string]string {
	m := make(map[string]string)
	for _, name := range domain.WireNames() {
		m[name] = name[:strings.LastIndex(name, ".v")]
	}
	return m
}()

// Whats lists what an act can be, in alphabetical order.
func Whats() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Values(whats)), Emitted)))
}

// payloads returns all payloads of the event, including those that are not shown.
func (a *Act) payloads(f *domain.Fact) []json.RawMessage {
	switch e := f.Event.(type) {
	case *domain.ItemsListed:
		return e.Items
	case *domain.StepsPlanned:
		return append([]json.RawMessage{e.Output}, e.Inputs...)
	}
	return []json.RawMessage{a.Input, a.Output}
}

// Describe describes an event of a run in words.
func Describe(f *domain.Fact) Act {
	if f.Event == nil {
		return Act{}
	}
	a := Act{What: whats[f.Event.WireName()]}
	switch e := f.Event.(type) {
	case *domain.AttemptStarted:
		a.at(e.Step, e.Direction, e.Attempt)
		a.Action, a.Input = e.Action, e.Input
	case *domain.AttemptSucceeded:
		a.at(e.Step, e.Direction, e.Attempt)
		a.Output = e.Output
	case *domain.AttemptFailed:
		a.at(e.Step, e.Direction, e.Attempt)
		a.Cause = &e.Cause
		a.Note = join(kindNote(e.Cause.Kind), retryNote(e.RetryAt, f.Meta.At))
		if e.Probe {
			a.Note = join(a.Note, "to be probed")
		}
		if e.Uncounted {
			a.Note = join(a.Note, "no worker had it, not counted")
		}
	case *domain.AttemptHeartbeat:
		a.at(e.Step, e.Direction, e.Attempt)
		a.Output = e.Details
	case *domain.OutcomeLate:
		a.at(e.Step, e.Direction, e.Attempt)
		a.Output, a.Cause = e.Output, e.Cause
	case *domain.StepProbed:
		a.at(e.Step, domain.Probe, e.Attempt)
		a.Output, a.Note, a.Cause = e.Output, join(string(e.Verdict), retryNote(e.RetryAt, f.Meta.At)), e.Cause
	case *domain.DomainEvent:
		a.What, a.Note, a.Output = Emitted, e.Type, e.Payload
	default:
		if !a.ofRun(f.Event) {
			a.ofStep(f.Event)
		}
	}
	return a
}

func (a *Act) at(step string, dir domain.Direction, attempt int) {
	a.Step, a.Direction, a.Attempt = step, dir, attempt
}

// ofRun describes the events of a run as a whole.
func (a *Act) ofRun(e domain.Event) bool {
	switch e := e.(type) {
	case *domain.RunStarted:
		a.Input, a.Note = e.Input, fmt.Sprintf("%s v%d", e.Saga, e.Version)
		if e.Parent != nil {
			a.Note = join(a.Note, "child of "+e.Parent.Run.String()+" at "+e.Parent.Step)
		}
		if e.Trigger != nil {
			a.Note = join(a.Note, "by event "+e.Trigger.Type)
		}
		if e.Key != "" {
			a.Note = join(a.Note, "key "+e.Key)
		}
	case *domain.RunCompleted:
		a.Output = e.Output
	case *domain.RunTurnedBack:
		a.Cause, a.Note = &e.Cause, string(e.Cause.Kind)
	case *domain.CancelRequested:
		a.Cause, a.Note = &e.Cause, "waits for the outcome of an irreversible attempt"
	case *domain.RunCompensated:
		a.Note = leftNote(e.Left)
	case *domain.RunCancelled:
		a.Note = leftNote(e.Left)
	case *domain.RunAbandoned:
		a.Note = join(e.Reason, leftNote(e.Left))
	case *domain.RunStuck:
		a.Step, a.Direction, a.Cause, a.Note = e.Step, e.Direction, &e.Cause, "incident "+e.Incident
		if e.After != "" {
			a.Note += "; the run had ended " + string(e.After)
		}
		if e.Again {
			a.Note = "again, " + a.Note
		}
	case *domain.RunNoted:
		a.Note = e.Note
	case *domain.RunAssigned:
		a.Note = join(cmp.Or(e.To, "nobody"), e.Reason)
	case *domain.RunSnoozed:
		a.Note = join(untilNote(e.Until), e.Reason)
	case *domain.RunPaused:
		a.Note = e.Reason
	case *domain.RunResumed:
		a.Note = e.Reason
	case *domain.RunBlocked:
		a.Note = e.Reason
	case *domain.SignalReceived:
		a.Note, a.Output = e.Signal+" "+e.ID, e.Value
	default:
		return false
	}
	return true
}

// ofStep describes the events of a step other than its attempts.
func (a *Act) ofStep(e domain.Event) {
	switch e := e.(type) {
	case *domain.StepFailed:
		a.Step, a.Cause, a.Note = e.Step, &e.Cause, kindNote(e.Cause.Kind)
	case *domain.StepIgnored:
		a.Step = e.Step
	case *domain.ItemFailed:
		a.Step, a.Cause, a.Note = e.Step, &e.Cause, fmt.Sprintf("item %d", e.Item)
	case *domain.StepRetried:
		a.Step, a.Direction, a.Note = e.Step, e.Direction, e.Reason
	case *domain.StepResolved:
		a.Step, a.Direction, a.Output, a.Note = e.Step, e.Direction, e.Output, join(string(e.How), e.Reason)
	case *domain.BranchChosen:
		a.Step, a.Note = e.Step, cmp.Or(e.Case, fmt.Sprintf("branch %d", e.Branch))
	case *domain.ItemsListed:
		a.Step, a.Note = e.Step, fmt.Sprintf("%d items from %d", len(e.Items), e.Offset)
	case *domain.ValueComputed:
		a.Step, a.Output = e.Step, e.Value
	case *domain.TimerSet:
		a.Step, a.Note = e.Step, untilNote(e.Due)
	case *domain.TimerFired:
		a.Step = e.Step
	case *domain.AwaitOpened:
		a.Step, a.Note = e.Step, "for "+cmp.Or(e.Signal, e.Event)
		if !e.Due.IsZero() {
			a.Note = join(a.Note, "until "+e.Due.UTC().Format(time.RFC3339))
		}
	case *domain.AwaitMet:
		a.Step, a.Output, a.Note = e.Step, e.Value, "by "+e.By
	case *domain.ChildStarted:
		a.Step, a.Input, a.Note = e.Step, e.Input, fmt.Sprintf("%s v%d run %s", e.Saga, e.Version, e.Run)
	case *domain.ChildTurnedBack:
		a.Step, a.Cause, a.Note = e.Step, &e.Cause, "run "+e.Run.String()
	case *domain.ChildEnded:
		a.Step, a.Output, a.Cause, a.Note = e.Step, e.Output, e.Cause, string(e.State)+", run "+e.Run.String()
	case *domain.PivotPassed:
		a.Step = e.Step
	case *domain.StepsPlanned:
		a.Step, a.Output, a.Note = e.Step, e.Output, fmt.Sprintf("round %d", e.Round)
		if e.Steps != nil {
			a.Note = join(a.Note, fmt.Sprintf("%d steps", len(e.Steps.Children)))
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
	return "retry in " + Short(retryAt.Sub(at))
}

func untilNote(t time.Time) string {
	if t.IsZero() {
		return "no longer"
	}
	return "until " + t.UTC().Format(time.RFC3339)
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

// Sentence describes an event of a run in one line of words.
func Sentence(f domain.Fact) string {
	a := Describe(&f)
	text := a.What
	if a.Step != "" {
		text += " " + a.Step
	}
	if a.Attempt > 0 {
		text += fmt.Sprintf(" %s #%d", cmp.Or(a.Direction, domain.Do), a.Attempt)
	}
	if a.Note != "" {
		text += ", " + a.Note
	}
	if a.Cause != nil {
		text += ": " + a.Cause.String()
	}
	return text
}
