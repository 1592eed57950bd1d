package domain

import (
	"encoding/json"
	"fmt"
)

// The members of each event, written in the order of its struct. A test checks that encoding/json
// reads them back.

func (e *RunStarted) fields(w *objectWriter) {
	w.str("saga", e.Saga)
	w.num("version", e.Version)
	w.str("plan", e.Plan)
	w.raw("input", OrNull(e.Input))
	w.optStr("key", e.Key)
	w.strMap("labels", e.Labels)
	if p := e.Parent; p != nil {
		w.name("parent")
		w.open()
		w.str("run", p.Run.String())
		w.str("step", p.Step)
		if p.Root != (RunID{}) {
			w.str("root", p.Root.String())
		}
		w.close()
	}
	if t := e.Trigger; t != nil {
		w.name("trigger")
		w.open()
		w.str("stream", t.Stream)
		w.str("event", t.Event)
		w.str("type", t.Type)
		if t.Position > 0 {
			w.num("position", int(t.Position))
		}
		w.close()
	}
	w.time("deadline", e.Deadline)
	w.duration("within", e.Within)
	if e.AgainOf != (RunID{}) {
		w.str("again_of", e.AgainOf.String())
	}
}

func (e *RunCompleted) fields(w *objectWriter)    { w.raw("output", e.Output) }
func (e *RunTurnedBack) fields(w *objectWriter)   { w.cause(&e.Cause) }
func (e *CancelRequested) fields(w *objectWriter) { w.cause(&e.Cause) }
func (e *RunCompensated) fields(w *objectWriter)  { w.strs("left", e.Left) }
func (e *RunCancelled) fields(w *objectWriter)    { w.strs("left", e.Left) }

func (e *RunAbandoned) fields(w *objectWriter) {
	w.str("reason", e.Reason)
	w.strs("left", e.Left)
}

func (e *RunStuck) fields(w *objectWriter) {
	w.str("incident", e.Incident)
	w.str("step", e.Step)
	w.str("direction", string(e.Direction))
	w.cause(&e.Cause)
	w.optStr("after", string(e.After))
	w.flag("again", e.Again)
}

func (e *RunNoted) fields(w *objectWriter) {
	w.strs("incidents", e.Incidents)
	w.str("note", e.Note)
}

func (e *RunAssigned) fields(w *objectWriter) {
	w.strs("incidents", e.Incidents)
	w.optStr("to", e.To)
	w.optStr("reason", e.Reason)
}

func (e *RunSnoozed) fields(w *objectWriter) {
	w.strs("incidents", e.Incidents)
	w.time("until", e.Until)
	w.optStr("reason", e.Reason)
}

func (e *RunPaused) fields(w *objectWriter)  { w.str("reason", e.Reason) }
func (e *RunResumed) fields(w *objectWriter) { w.str("reason", e.Reason) }
func (e *RunBlocked) fields(w *objectWriter) { w.str("reason", e.Reason) }

func (w *objectWriter) attempt(step string, dir Direction, n int) {
	w.str("step", step)
	w.str("direction", string(dir))
	w.num("attempt", n)
}

func (e *AttemptStarted) fields(w *objectWriter) {
	w.attempt(e.Step, e.Direction, e.Attempt)
	w.str("action", e.Action)
	w.raw("input", e.Input)
	w.time("due", e.Due)
	w.optStr("node", e.Node)
	if e.InForce != nil {
		w.raw("in_force", Payload(e.InForce))
	}
}

func (e *AttemptSucceeded) fields(w *objectWriter) {
	w.attempt(e.Step, e.Direction, e.Attempt)
	w.raw("output", e.Output)
}

func (e *AttemptFailed) fields(w *objectWriter) {
	w.attempt(e.Step, e.Direction, e.Attempt)
	w.cause(&e.Cause)
	w.time("retry_at", e.RetryAt)
	w.flag("probe", e.Probe)
	w.flag("uncounted", e.Uncounted)
}

func (e *StepProbed) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.num("attempt", e.Attempt)
	w.str("verdict", string(e.Verdict))
	w.raw("output", e.Output)
	w.time("retry_at", e.RetryAt)
	if e.Cause != nil {
		w.cause(e.Cause)
	}
}

func (e *AttemptHeartbeat) fields(w *objectWriter) {
	w.attempt(e.Step, e.Direction, e.Attempt)
	w.raw("details", e.Details)
	w.time("due", e.Due)
}

func (e *OutcomeLate) fields(w *objectWriter) {
	w.attempt(e.Step, e.Direction, e.Attempt)
	w.raw("output", e.Output)
	if e.Cause != nil {
		w.cause(e.Cause)
	}
}

func (e *StepFailed) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.cause(&e.Cause)
}

func (e *StepIgnored) fields(w *objectWriter) { w.str("step", e.Step) }

func (e *ItemFailed) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.num("item", e.Item)
	w.cause(&e.Cause)
}

func (e *StepRetried) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.str("direction", string(e.Direction))
	w.str("reason", e.Reason)
}

func (e *StepResolved) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.str("direction", string(e.Direction))
	w.str("how", string(e.How))
	w.raw("output", e.Output)
	w.str("reason", e.Reason)
}

func (e *BranchChosen) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.num("branch", e.Branch)
	w.optStr("case", e.Case)
}

func (e *ItemsListed) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.num("offset", e.Offset)
	w.raws("items", e.Items)
	w.flag("last", e.Last)
}

func (e *ValueComputed) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.raw("value", OrNull(e.Value))
}

func (e *TimerSet) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.time("due", e.Due)
	w.duration("for", e.For)
}

func (e *TimerFired) fields(w *objectWriter) { w.str("step", e.Step) }

func (e *AwaitOpened) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.optStr("signal", e.Signal)
	w.optStr("event", e.Event)
	w.optStr("correlation", e.Correlation)
	w.time("due", e.Due)
}

func (e *AwaitMet) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.raw("value", e.Value)
	w.optStr("by", e.By)
}

func (e *SignalReceived) fields(w *objectWriter) {
	w.str("signal", e.Signal)
	w.str("id", e.ID)
	w.raw("value", e.Value)
}

func (e *ChildStarted) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.str("run", e.Run.String())
	w.str("saga", e.Saga)
	w.num("version", e.Version)
	w.raw("input", OrNull(e.Input))
}

func (e *ChildTurnedBack) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.str("run", e.Run.String())
	w.cause(&e.Cause)
}

func (e *ChildEnded) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.str("run", e.Run.String())
	w.str("state", string(e.State))
	w.raw("output", e.Output)
	if e.Cause != nil {
		w.cause(e.Cause)
	}
}

func (e *PivotPassed) fields(w *objectWriter) { w.str("step", e.Step) }

func (e *StepsPlanned) fields(w *objectWriter) {
	w.str("step", e.Step)
	w.num("round", e.Round)
	if e.Steps != nil {
		b, err := json.Marshal(e.Steps)
		if err != nil {
			panic(fmt.Sprintf("a plan node is plain data and always marshals: %v", err))
		}
		w.raw("steps", b)
	}
	if len(e.Inputs) > 0 {
		w.raws("inputs", e.Inputs)
	}
	w.flag("done", e.Done)
	w.raw("output", e.Output)
}

// fields is not called for a domain event: its payload is the event's whole data.
func (e *DomainEvent) fields(*objectWriter) {}

// OrNull returns the JSON of a payload, which is null where there is none.
func OrNull(v json.RawMessage) json.RawMessage {
	if len(v) == 0 {
		return json.RawMessage("null")
	}
	return v
}
