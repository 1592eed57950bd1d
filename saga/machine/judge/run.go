package judge

import (
	"bytes"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// Run is what is known of a run after some of its events. It is not safe for concurrent use.
type Run struct {
	// Paused, PastPivot and TurnedBack are what the events say of the run as a whole.
	Paused, PastPivot, TurnedBack bool
	// Signals are the kept signals that no await has taken.
	Signals []domain.SignalReceived

	plan    *domain.Plan
	started bool
	end     domain.RunState
	ended   domain.RunState // the end that the run had before a late effect made it stuck
	cause   domain.Failure  // why it turned back
	cancel  bool
	steps   map[string]*Step
	order   []*Step
	seen    map[string]bool
	rounds  map[string][]*domain.Node // the steps of a plan node's rounds, by its path
	lost    map[string]map[int]bool   // the items that an each gave up, by its path
	places  map[string]*place
	at      time.Time
	broken  []string
}

// New returns the judge of a run of the plan, which is indexed.
func New(plan *domain.Plan) *Run {
	return &Run{plan: plan, steps: make(map[string]*Step), seen: make(map[string]bool), rounds: make(map[string][]*domain.Node),
		lost: make(map[string]map[int]bool), places: make(map[string]*place)}
}

// Take reads the next event of the run, and returns the rules that it breaks, a sentence each.
func (r *Run) Take(f domain.Fact) (broken []string) {
	r.broken, r.at = nil, f.Meta.At
	r.shift(time.Duration(f.Meta.Clock.Shift))
	switch e := f.Event.(type) {
	case *domain.RunStarted:
		r.rule(!r.started, "a run starts once")
		r.started = true
		return r.broken
	case *domain.DomainEvent, *domain.RunNoted, *domain.RunAssigned, *domain.RunSnoozed:
		return nil
	default:
		r.rule(r.started, "%s comes before the run's start", e.WireName())
	}
	r.ofRun(f.Event)
	r.ofAttempt(f.Event)
	r.ofStep(f.Event)
	return r.broken
}

// State is the run's state as people see it.
func (r *Run) State() domain.RunState {
	switch {
	case r.end != "":
		return r.end
	case slices.ContainsFunc(r.order, func(st *Step) bool { return st.Incident != "" }):
		return domain.RunIsStuck
	case r.TurnedBack:
		return domain.RunCompensating
	}
	return domain.RunRunning
}

// Steps returns the steps that events have named, in that order.
func (r *Run) Steps() []*Step { return r.order }

// Step returns the step with the path, nil if no event has named it.
func (r *Run) Step(path string) *Step { return r.steps[path] }

// shift moves the times of durations that are under way.
func (r *Run) shift(by time.Duration) {
	for _, st := range r.order {
		for dir, at := range st.retryAt {
			st.retryAt[dir] = at.Add(by)
		}
		if !st.instant && !st.due.IsZero() {
			st.due = st.due.Add(by)
		}
	}
}

// ofRun reads the events of the run as a whole.
func (r *Run) ofRun(e domain.Event) {
	switch e := e.(type) {
	case *domain.RunCompleted:
		r.mayComplete()
		r.end = domain.RunIsCompleted
	case *domain.RunCompensated:
		r.mayEndUndone(e.Left, false)
		r.end = domain.RunIsCompensated
	case *domain.RunCancelled:
		r.mayEndUndone(e.Left, true)
		r.end = domain.RunIsCancelled
	case *domain.RunAbandoned:
		r.rule(r.end == "", "an ended run is not abandoned")
		r.mayAbandon(e.Left)
		r.end = domain.RunIsAbandoned
		for _, st := range r.order {
			if !st.place.handler {
				clear(st.Flying)
				st.Incident, st.Waits = "", ""
			}
		}
	case *domain.RunTurnedBack:
		r.mayTurnBack()
		r.TurnedBack, r.cause, r.cancel, r.end = true, e.Cause, false, ""
		r.turned(r.order)
	case *domain.CancelRequested:
		r.rule(r.end == "" && !r.TurnedBack && !r.PastPivot, "a run that can't turn back takes no cancel")
		r.cancel = true
	case *domain.RunStuck:
		r.stuck(e)
	case *domain.RunPaused:
		r.rule(!r.Paused && r.end == "", "a run is paused once, and not after its end")
		r.Paused = true
	case *domain.RunResumed:
		r.rule(r.Paused, "only a paused run is resumed")
		r.Paused = false
	case *domain.SignalReceived:
		r.rule(!r.seen[e.ID], "signal %s counts once", e.ID)
		r.rule(r.end == "", "an ended run takes no signal")
		r.seen[e.ID] = true
		r.Signals = append(r.Signals, *e)
	}
}

func (r *Run) stuck(e *domain.RunStuck) {
	st := r.step(e.Step)
	r.rule(st.Incident == "", "step %s is stuck already", e.Step)
	r.rule(e.Incident != "", "an incident has a name")
	if e.Direction == domain.Undo {
		r.rule(r.back(st), "the undo of %s is stuck, but the step goes forward", e.Step)
	} else {
		r.rule(st.failed && !r.back(st), "%s is stuck going forward, but it has not failed for good there", e.Step)
	}
	if e.After != "" && r.end != "" {
		r.rule(e.After == r.end, "the run was %s, not %s", r.end, e.After)
		r.ended, r.end = r.end, ""
	}
	st.Incident, st.StuckIn = e.Incident, e.Direction
}

// turned has steps that are turned back wait for nothing but what is in flight.
func (r *Run) turned(steps []*Step) {
	for _, st := range steps {
		if st.place.handler || !r.back(st) {
			continue
		}
		if st.StuckIn != domain.Undo {
			st.Incident = ""
		}
		if st.Waits != "undo of child" {
			st.Waits = ""
		}
		r.leavesWhatNobodyUndoes(st)
	}
}

// ofStep reads the events of a step other than its attempts.
func (r *Run) ofStep(e domain.Event) {
	switch e := e.(type) {
	case *domain.StepFailed:
		st := r.step(e.Step)
		st.failed, st.Waits = true, ""
	case *domain.StepIgnored:
		st := r.goesOn(e.Step)
		r.rule(st.failed && st.place.node.Rule == domain.RuleIgnore, "step %s is ignored, but it has not failed, or its failure counts", e.Step)
		st.Forward = "ignored"
	case *domain.ItemFailed:
		r.itemFailed(e)
	case *domain.StepRetried:
		st := r.personSettles(e.Step, e.Direction)
		st.given, st.failed = true, false
	case *domain.StepResolved:
		r.resolved(e)
	case *domain.BranchChosen:
		st := r.goesOn(e.Step)
		st.branch = &e.Branch
		if e.Branch < 0 {
			st.Forward = "done"
		}
	case *domain.ItemsListed:
		st := r.goesOn(e.Step)
		if e.Offset == 0 {
			st.items = 0
		}
		r.rule(e.Offset == st.items, "the parts of a list follow each other: %s has %d items, and the next part begins at %d", e.Step, st.items, e.Offset)
		st.items += len(e.Items)
		st.listed = e.Last
	case *domain.ValueComputed:
		r.done(r.goesOn(e.Step), e.Value)
	case *domain.StepsPlanned:
		st := r.goesOn(e.Step)
		if e.Done || e.Steps == nil {
			r.done(st, e.Output)
			return
		}
		r.rounds[e.Step] = append(r.rounds[e.Step], e.Steps)
		r.rule(e.Round == len(r.rounds[e.Step]), "round %d of %s follows round %d", e.Round, e.Step, len(r.rounds[e.Step])-1)
	case *domain.PivotPassed:
		r.rule(!r.cancel, "a run that is to be cancelled passes no pivot")
		r.done(r.goesOn(e.Step), nil)
		r.PastPivot, r.cancel = true, false
	case *domain.TimerSet:
		st := r.goesOn(e.Step)
		st.due, st.instant, st.Waits = e.Due, e.For == 0, "sleep"
	case *domain.TimerFired:
		st := r.goesOn(e.Step)
		r.rule(st.Waits == "sleep", "step %s does not sleep", e.Step)
		r.rule(!r.at.Before(st.due), "step %s sleeps until %s", e.Step, st.due)
		r.done(st, nil)
	case *domain.AwaitOpened:
		st := r.goesOn(e.Step)
		if st.Waits = "signal " + e.Signal; e.Event != "" {
			st.Waits = "event " + e.Event
		}
	case *domain.AwaitMet:
		r.awaitMet(e)
	case *domain.ChildStarted, *domain.ChildTurnedBack, *domain.ChildEnded:
		r.ofChild(e)
	}
}

func (r *Run) itemFailed(e *domain.ItemFailed) {
	st := r.goesOn(e.Step)
	r.rule(e.Item >= 0 && e.Item < st.items, "%s has %d items, no item %d", e.Step, st.items, e.Item)
	if r.lost[e.Step] == nil {
		r.lost[e.Step] = make(map[int]bool)
	}
	r.rule(!r.lost[e.Step][e.Item], "item %d of %s fails once", e.Item, e.Step)
	r.lost[e.Step][e.Item] = true
	r.rule(len(r.lost[e.Step]) <= st.place.node.Tolerate, "%s tolerates %d failed items", e.Step, st.place.node.Tolerate)
	r.turned(r.order)
}

// personSettles requires that a step is stuck in the direction, and closes its incident.
func (r *Run) personSettles(path string, dir domain.Direction) *Step {
	st := r.step(path)
	r.rule(st.Incident != "" && (st.StuckIn == dir || dir != domain.Undo && st.StuckIn != domain.Undo), "a person settles %s (%s), which is not stuck there", path, dir)
	st.Incident = ""
	return st
}

func (r *Run) resolved(e *domain.StepResolved) {
	st := r.personSettles(e.Step, e.Direction)
	switch {
	case e.Direction == domain.Undo:
		st.Left, st.undone = true, true
	case e.How == domain.ResolveSubstitute:
		r.done(st, e.Output)
		if st.byHand = st.place.hasSteps(); !st.byHand {
			r.takesEffect(st)
		}
		r.cannotReturn(st)
	default:
		st.Forward, st.Effect = "skipped", NoEffect
	}
}

func (r *Run) awaitMet(e *domain.AwaitMet) {
	st := r.goesOn(e.Step)
	r.rule(st.Waits != "" && st.Waits != "sleep", "step %s awaits nothing", e.Step)
	spec := st.place.node.Await
	if spec != nil && spec.Signal != "" && e.By != "default" {
		i := slices.IndexFunc(r.Signals, func(s domain.SignalReceived) bool { return s.Signal == spec.Signal })
		r.rule(i >= 0 && r.Signals[i].ID == e.By && bytes.Equal(r.Signals[i].Value, e.Value), "step %s takes signal %s, which is not the first kept one", e.Step, e.By)
		if i >= 0 {
			r.Signals = slices.Delete(r.Signals, i, i+1)
		}
	}
	if spec != nil && spec.Event != "" {
		r.seen[e.By] = true
	}
	r.done(st, e.Value)
}

func (r *Run) ofChild(e domain.Event) {
	switch e := e.(type) {
	case *domain.ChildStarted:
		st := r.goesOn(e.Step)
		r.rule(st.Waits == "", "step %s has a child under way", e.Step)
		st.child, st.childIs, st.Waits, st.failed = e.Run, domain.RunRunning, "child", false
		st.Started[domain.Do]++
	case *domain.ChildTurnedBack:
		st := r.step(e.Step)
		r.rule(st.child == e.Run, "step %s has no child %s", e.Step, e.Run)
		r.mayUndo(st)
		st.Waits = "undo of child"
	case *domain.ChildEnded:
		st := r.step(e.Step)
		r.rule(st.child == e.Run && st.Waits != "", "step %s does not wait for child %s", e.Step, e.Run)
		back := st.Waits == "undo of child"
		st.childIs, st.Waits = e.State, ""
		switch {
		case back:
			st.undone, st.Effect, st.Left = true, NoEffect, st.Left || e.State == domain.RunIsAbandoned
		case e.State == domain.RunIsCompleted:
			r.done(st, e.Output)
			r.takesEffect(st)
			r.cannotReturn(st)
		default:
			st.failed = true
		}
	}
}

// leavesWhatNobodyUndoes notes that the effects of a child that a person closed stay, and so does
// what a person did in the place of steps or of a child.
func (r *Run) leavesWhatNobodyUndoes(st *Step) {
	if st.undone { // with the item of an each that failed, before the run turned back
		return
	}
	if st.byHand {
		st.Left, st.undone = true, true
	}
	byPerson := st.Forward == "done" && st.childIs != domain.RunIsCompleted && (st.child == domain.RunID{} || st.childIs.Ended())
	if st.place.node.Kind == domain.KindChild && (byPerson || st.childIs == domain.RunIsAbandoned) {
		st.Left, st.undone = true, true
	}
}

// goesOn returns a step that an event takes further forward, and holds it to what that needs.
func (r *Run) goesOn(path string) *Step {
	st := r.step(path)
	r.mayGoOn(st)
	return st
}
