package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// take handles an event of the log.
func (in *Inbox) take(e *domain.Recorded) {
	run, isRun := domain.RunOfStream(e.Stream)
	switch {
	case isRun && domain.ReservedType(e.Type):
		if in.Shared && e.Position > in.scanned {
			in.Heard(run, e)
		}
		in.takeRunEvent(run, e)
	case isDomainEvent(e):
		for _, l := range in.lanes {
			l.push(e)
		}
		in.takeDomainEvent(e)
	default:
		in.Node(e)
	}
}

// takeDomainEvent keeps an event that is awaited, now or perhaps later.
func (in *Inbox) takeDomainEvent(e *domain.Recorded) {
	if !in.index.Awaits(e.Type) || e.Position <= in.known {
		return
	}
	correlation := correlationOf(e)
	if correlation == "" {
		return
	}
	if err := errors.Join(accept.Size("its payload", e.Data), accept.Readable("its payload", e.Data)); err != nil {
		in.complain(e, err) // apps may append anything
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.seen = e.Position // with the index, which may be saved at any moment
	in.changes.Add(1)
	waiting := in.index.Add(Key{Type: e.Type, Correlation: correlation},
		Event{ID: e.ID, Position: e.Position, Stream: e.Stream, Revision: e.Revision, Data: domain.OrNull(e.Data)})
	if in.live {
		for _, run := range waiting {
			in.deliverer.schedule(run)
		}
	}
	in.makeRoom()
}

// planHash is the length of a plan's hash, in bytes of text.
const planHash = 64

// complain logs, at most once a minute, an event that can't be the output of any await.
func (in *Inbox) complain(e *domain.Recorded, err error) {
	if now := time.Now(); now.Sub(in.complained) > time.Minute {
		in.complained = now
		in.Logger.Error("an event can't meet the awaits of its type", "event", e.ID, "type", e.Type, "stream", e.Stream, "error", err)
	}
}

// takeRunEvent notes what a run's event says about its awaits.
func (in *Inbox) takeRunEvent(run domain.RunID, e *domain.Recorded) {
	if in.Shared && e.Revision == 0 {
		for _, l := range in.lanes {
			l.started(run)
		}
	}
	if len(in.awaited) == 0 || e.Position <= in.known {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.seen = e.Position
	switch e.Type {
	case "run.started.v1":
		in.begun(run, e)
	case "await.opened.v1":
		var a domain.AwaitOpened
		if json.Unmarshal(e.Data, &a) == nil && a.Event != "" {
			if in.index.Open(run, Await{Key: Key{Type: a.Event, Correlation: a.Correlation}, Step: a.Step, Opened: e.Position}) && in.live {
				in.deliverer.schedule(run)
			}
		}
	case "await.met.v1":
		var a domain.AwaitMet
		// A run that does not wait was told from here.
		if in.index.Waits(run) && json.Unmarshal(e.Data, &a) == nil {
			in.index.Met(run, a.Step, a.By)
		}
	case "step.failed.v1":
		var s domain.StepFailed
		if in.index.Waits(run) && json.Unmarshal(e.Data, &s) == nil {
			in.index.Close(run, func(a Await) bool { return a.Step == s.Step })
		}
	}
	if !in.index.Knows(run) || !domain.HasWake(e.Metadata) {
		return // else it is in the middle of an append
	}
	switch w := domain.WakeOf(e.Metadata); {
	case w.Over():
		in.index.End(run)
	case !w.Events: // awaits that the run closed by turning back have no events of their own
		in.index.Close(run, func(Await) bool { return true })
	}
}

var planMember = []byte(`"plan":"`)

// begun adds a run whose saga awaits events. The caller holds mu.
func (in *Inbox) begun(run domain.RunID, e *domain.Recorded) {
	// The plan comes before the input, which may be long. For other sagas the input is not read.
	if _, after, _ := bytes.Cut(e.Data, planMember); len(after) < planHash || in.Awaiting[string(after[:planHash])] == nil {
		return
	}
	var s struct {
		Plan    string `json:"plan"`
		Trigger *struct {
			Position domain.Position `json:"position"`
		} `json:"trigger"`
	}
	if json.Unmarshal(e.Data, &s) != nil || in.Awaiting[s.Plan] == nil {
		return
	}
	from := e.Position
	if s.Trigger != nil && s.Trigger.Position > 0 {
		from = s.Trigger.Position
	}
	in.index.Begin(run, from, in.Awaiting[s.Plan])
}
