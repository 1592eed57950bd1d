package machine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/atonehq/atone/domain"
)

// Cancel turns the run back because a person asks for it. While an irreversible attempt is in
// flight the cancel waits for its outcome: a success voids the cancel, a failure lets it proceed.
type Cancel struct{ Reason string }

func (in Cancel) decide(s *State, _ moment) ([]domain.Event, error) {
	return s.turnBackEvents(domain.Failure{Kind: domain.FailureCancelled, Message: in.Reason})
}

// TurnBack turns a child run back because its parent turns back, even after the child completed.
type TurnBack struct{ Cause domain.Failure }

func (in TurnBack) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.End == domain.RunIsCompleted || s.Was == domain.RunIsCompleted {
		if s.PastPivot {
			return nil, ErrPastPivot
		}
		return one(&domain.RunTurnedBack{Cause: in.Cause})
	}
	if s.End == "" && (s.Turning || s.Cancel != nil && s.Irreversible() != nil) {
		return nil, nil
	}
	return s.turnBackEvents(in.Cause)
}

func (s *State) turnBackEvents(cause domain.Failure) ([]domain.Event, error) {
	switch {
	case s.root == nil:
		return nil, ErrStale
	case s.ended() != "":
		return nil, fmt.Errorf("%w: it is %s", ErrEnded, s.ended())
	case s.Turning:
		return nil, ErrTurnedBack
	case s.PastPivot:
		return nil, ErrPastPivot
	case s.Irreversible() != nil:
		if s.Cancel != nil {
			return nil, domain.AlreadyError("a cancel waits already until it is known whether an irreversible step took effect")
		}
		return one(&domain.CancelRequested{Cause: cause})
	}
	return one(&domain.RunTurnedBack{Cause: cause})
}

// Proceed carries out a cancel that waited and is now possible.
type Proceed struct{}

func (Proceed) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.Cancel == nil || !s.canTurnBack() {
		return nil, ErrStale
	}
	return one(&domain.RunTurnedBack{Cause: *s.Cancel})
}

// Pause stops new attempts from being started; those in flight end as they do.
type Pause struct{ Reason string }

func (in Pause) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.End != "" {
		return nil, fmt.Errorf("%w: it is %s", ErrEnded, s.End)
	}
	if s.Paused {
		return nil, domain.AlreadyError("the run is paused already")
	}
	return one(&domain.RunPaused{Reason: in.Reason})
}

// heldUp reports whether a pause keeps something from being started.
func (s *State) heldUp() (held bool) {
	s.Open(func(st *Step) {
		d := st.duty()
		held = held || st.Phase == Backoff || st.Phase == UndoBackoff || st.Phase.owed() && d != Conclude && d != Expand
	})
	return held && s.Paused
}

// Resume lifts a pause. A run that has ended can be resumed only if it owes an undo that came up
// after the end.
type Resume struct{ Reason string }

func (in Resume) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.End != "" && !s.heldUp() {
		return nil, fmt.Errorf("%w: it is %s", ErrEnded, s.End)
	}
	if !s.Paused {
		return nil, domain.AlreadyError("the run is not paused")
	}
	return one(&domain.RunResumed{Reason: in.Reason})
}

// Retry gives a stuck step, or with an empty path every stuck step, a new set of attempts.
type Retry struct{ Step, Reason string }

func (in Retry) decide(s *State, _ moment) ([]domain.Event, error) {
	var events []domain.Event
	err := s.eachStuck(in.Step, func(st *Step, dir domain.Direction) {
		events = append(events, &domain.StepRetried{Step: st.Path, Direction: dir, Reason: in.Reason})
	})
	return events, err
}

// Resolve settles a stuck step as a person decides: [domain.ResolveSkip] goes on as if it had no
// effect (or, going backward, as if it were undone), [domain.ResolveSubstitute] as if it were done
// with the given output.
type Resolve struct {
	Step   string
	How    domain.Resolution
	Output json.RawMessage
	Reason string
}

func (in Resolve) decide(s *State, _ moment) ([]domain.Event, error) {
	if in.How == domain.ResolveSubstitute && !json.Valid(in.Output) {
		return nil, ErrBadOutput
	}
	var events []domain.Event
	var bad error
	err := s.eachStuck(in.Step, func(st *Step, dir domain.Direction) {
		if dir == domain.Undo && in.How == domain.ResolveSubstitute {
			bad = fmt.Errorf("%s: %w: resolve it with skip, or retry it", st.Path, ErrNoOutput)
		}
		e := &domain.StepResolved{Step: st.Path, Direction: dir, How: in.How, Reason: in.Reason}
		if in.How == domain.ResolveSubstitute {
			e.Output = in.Output
		}
		events = append(events, e)
	})
	if bad != nil {
		return nil, bad
	}
	return events, err
}

// Remark records an event that moves no step: of the open incidents among those, or of all. With
// OfRun it is one of the run where no incident is named and none is open.
type Remark struct {
	Incidents []string
	OfRun     bool
	Make      func(incidents []string) domain.Event
}

func (in Remark) decide(s *State, _ moment) ([]domain.Event, error) {
	var open []string
	err := s.eachStuck("", func(st *Step, _ domain.Direction) {
		if len(in.Incidents) == 0 || slices.Contains(in.Incidents, st.Incident) {
			open = append(open, st.Incident)
		}
	})
	if len(open) > 0 || in.OfRun && len(in.Incidents) == 0 && s.root != nil {
		return one(in.Make(open))
	}
	return nil, cmp.Or(err, ErrNotStuck)
}

// eachStuck calls f for the stuck step with the path, or for all where the path is empty.
func (s *State) eachStuck(path string, f func(*Step, domain.Direction)) error {
	n := 0
	look := func(st *Step) {
		switch st.Phase {
		case Stuck:
			f(st, st.forwardDirection())
		case UndoStuck:
			f(st, domain.Undo)
		default:
			return
		}
		n++
	}
	if path != "" {
		s.on(path, look)
	} else {
		s.StuckSteps(look)
	}
	switch {
	case n > 0:
		return nil
	case s.End != "":
		return fmt.Errorf("%w: it is %s", ErrEnded, s.End)
	case path != "" && s.steps[path] == nil:
		return fmt.Errorf("%q: %w", path, ErrNoStep)
	}
	return ErrNotStuck
}

// Abandon closes the run and leaves its effects, because a person asks for it.
type Abandon struct{ Reason string }

func (in Abandon) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.End != "" {
		return nil, fmt.Errorf("%w: it is %s", ErrEnded, s.End)
	}
	return one(&domain.RunAbandoned{Reason: in.Reason, Left: s.effects()})
}

// Block records why no process at hand can go on with the run.
type Block struct{ Reason string }

func (in Block) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.Blocked == in.Reason {
		return nil, nil
	}
	return one(&domain.RunBlocked{Reason: in.Reason})
}

// Signal delivers a named signal. A signal with an id that the run has seen is a repeat; the run
// keeps a signal that no step awaits yet.
type Signal struct {
	Name, ID string
	Value    json.RawMessage
	// Keep takes it though no await of the run's plan does.
	Keep bool
}

func (in Signal) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.seen[in.ID] {
		return nil, nil
	}
	if s.ended() != "" {
		return nil, fmt.Errorf("%w: it is %s", ErrEnded, s.ended())
	}
	events := []domain.Event{&domain.SignalReceived{Signal: in.Name, ID: in.ID, Value: in.Value}}
	if open := s.waits.awaits[awaitKey{signal: in.Name}]; len(open) > 0 {
		return append(events, &domain.AwaitMet{Step: open[0].Path, Value: in.Value, By: in.ID}), nil
	}
	return events, nil
}

// EventSeen delivers a domain event to the awaits that are open for it. Refusals: [ErrTaken],
// [ErrNotAwaited].
type EventSeen struct {
	Type, Correlation, ID string
	Value                 json.RawMessage
}

func (in EventSeen) decide(s *State, _ moment) ([]domain.Event, error) {
	if s.seen[in.ID] {
		return nil, ErrTaken
	}
	var events []domain.Event
	for _, st := range s.waits.awaits[awaitKey{event: in.Type, correlation: in.Correlation}] {
		events = append(events, &domain.AwaitMet{Step: st.Path, Value: in.Value, By: in.ID})
	}
	if len(events) == 0 {
		return nil, ErrNotAwaited
	}
	return events, nil
}

// ChildSeen reports the end of a child run.
type ChildSeen struct {
	Step   string
	Run    domain.RunID
	State  domain.RunState
	Output json.RawMessage
	Cause  *domain.Failure
	// PastPivot means that the child completed and can't be undone.
	PastPivot bool
}

func (in ChildSeen) decide(s *State, _ moment) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	if in.PastPivot && in.State == domain.RunIsCompleted && st.Child == in.Run && st.Phase == Undoing {
		return ChildRefused{Step: in.Step, Reason: "child run " + in.Run.String() + " can't be undone: " + ErrPastPivot.Error()}.decide(s, moment{})
	}
	// If the child completed before it learned that it must turn back, it has not ended for its
	// parent.
	if st.Child != in.Run || st.Phase != Waiting && (st.Phase != Undoing || in.State == domain.RunIsCompleted) {
		return nil, ErrStale
	}
	return one(&domain.ChildEnded{Step: in.Step, Run: in.Run, State: in.State, Output: in.Output, Cause: in.Cause})
}

// ChildRefused reports that a child run can't be started, or can't be undone.
type ChildRefused struct {
	Step   string
	Reason string
}

func (in ChildRefused) decide(s *State, _ moment) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	if st.Phase != Waiting && st.Phase != Undoing {
		return nil, ErrStale
	}
	return one(&domain.StepFailed{Step: in.Step, Cause: domain.Failure{Kind: domain.FailurePermanent, Step: in.Step, Message: in.Reason}})
}
