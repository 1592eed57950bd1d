package machine

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// Tries returns the count of attempts of a direction, read-only. A handler's attempts count as do.
func (st *Step) Tries(dir domain.Direction) *Tries {
	switch dir {
	case domain.Undo:
		return &st.Undo
	case domain.Probe:
		return &st.Probe
	}
	return &st.Do
}

// Policy returns the policy of the step's latest attempt, else the plan's. The step has an action.
func (st *Step) Policy() domain.Policy {
	if st.InForce != nil {
		return *st.InForce
	}
	return st.Node.Action.Policy()
}

// moment is the time of a decision. policies, if set, returns those in force then: see [Under].
type moment struct {
	time.Time
	policies func(*Step) *domain.Policy
}

// policy returns the policy of the step's action that is in force.
func (now moment) policy(st *Step) domain.Policy {
	if now.policies != nil {
		if p := now.policies(st); p != nil {
			return *p
		}
	}
	return st.Policy()
}

// UndoOpen reports whether the step owes an undo that is not done.
func (st *Step) UndoOpen() bool { return st.Phase >= UndoDue && st.Phase <= UndoStuck }

// Direction returns the direction of the attempt that the step has in flight or starts next.
func (st *Step) Direction() domain.Direction {
	switch {
	case st.UndoOpen():
		return domain.Undo
	case st.Phase == Probing, st.Phase == ProbeBackoff:
		return domain.Probe
	}
	return st.forwardDirection()
}

// forwardDirection returns the direction of the step's attempts going forward.
func (st *Step) forwardDirection() domain.Direction {
	if st.Handler {
		return domain.Handler
	}
	return domain.Do
}

// doubts reports whether an attempt of that direction can leave an effect in doubt.
func (st *Step) doubts(dir domain.Direction) bool {
	return dir == domain.Do && !st.Handler && st.Node.Action != nil && st.Node.Action.Effect != domain.EffectNone
}

// CantUndo reports whether the step's effect can't be undone, and its author did not accept that.
func (st *Step) CantUndo() bool {
	return st.Node.Action != nil && st.Node.Action.Effect == domain.EffectIrreversible && st.Node.Accepted == ""
}

// canTurnBack reports whether the run may begin backward recovery now.
func (s *State) canTurnBack() bool { return s.mayTurnBack() && s.Irreversible() == nil }

// mayTurnBack reports whether the run may begin backward recovery as soon as no irreversible step
// is open: see [State.Irreversible].
func (s *State) mayTurnBack() bool {
	return s.root != nil && s.ended() == "" && !s.Turning && !s.PastPivot
}

// Irreversible returns a step whose irreversible effect may be about to happen, or may have
// happened: until that is known the run does not turn back.
func (s *State) Irreversible() *Step {
	if len(s.waits.irreversible) > 0 {
		return s.waits.irreversible[0]
	}
	return nil
}

// mayHappen reports whether a do that is not done may have taken effect, or still may.
func (st *Step) mayHappen() bool {
	switch st.Phase {
	case Running, ProbeDue, Probing, ProbeBackoff:
		return true
	case Ready, Backoff, Failed, Stuck:
		return st.InDoubt
	}
	return false
}

func one(e domain.Event) ([]domain.Event, error) { return []domain.Event{e}, nil }

func (s *State) find(path string) (*Step, error) {
	if st := s.steps[path]; st != nil {
		return st, nil
	}
	return nil, fmt.Errorf("%q: %w", path, ErrNoStep)
}

func (s *State) stuckEvent(st *Step, dir domain.Direction, cause domain.Failure) *domain.RunStuck {
	e := &domain.RunStuck{Incident: domain.IncidentID(s.Run, s.Incidents+1).String(), Step: st.Path, Direction: dir, Cause: cause, After: s.End}
	if e.Again = st.Retried != "" && st.RetriedIn == dir; e.Again {
		e.Incident = st.Retried
	}
	return e
}

// newStep makes the instance of a node under a parent.
func (s *State) newStep(node *domain.Node, parent *Step, sc *scope, index int) *Step {
	st := &Step{Node: node, parent: parent, scope: sc, index: index}
	if node.Name != "" {
		st.Path = sc.prefix + node.Name
		s.steps[st.Path] = st
	}
	return st
}

func (s *State) plannerNode(p *Step) *domain.Node {
	return &domain.Node{Name: domain.PlannerStep, Kind: domain.KindDo, Action: p.Node.Action, Rule: p.Node.Rule, Accepted: p.Node.Accepted,
		Key: p.Node.Key + "/*/" + domain.PlannerStep}
}

// collect returns an each's outputs in the order of its items, null where one failed.
func collect(each *Step) json.RawMessage {
	size := 2
	for _, k := range each.kids {
		size += len(k.Output) + 5
	}
	b := append(make([]byte, 0, size), '[')
	for i, k := range each.kids {
		if i > 0 {
			b = append(b, ',')
		}
		if len(k.Output) == 0 || k.Phase != Done {
			b = append(b, "null"...)
		} else {
			b = append(b, k.Output...)
		}
	}
	return append(b, ']')
}

func (s *State) newHandler(about *Step, path string, spec *domain.ActionSpec) *Step {
	node := &domain.Node{Name: domain.HandlerStep, Kind: domain.KindDo, Action: spec, Key: path}
	h := &Step{Path: path, Node: node, Handler: true, About: about, scope: s.root.scope}
	s.steps[path] = h
	s.handlers = append(s.handlers, h)
	return h
}
