package runs

import (
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// States that unfinished runs are in besides running, compensating or stuck. Filters take them like
// these.
const (
	// StatePaused: a person keeps the run from starting anything new.
	StatePaused domain.RunState = "paused"
	// StateBlocked: no program here can go on with the run: none has its code, or a worker for its
	// action, or can read it.
	StateBlocked domain.RunState = "blocked"
	// StateStuckBelow: a child run is stuck, or one below a child.
	StateStuckBelow domain.RunState = "stuck-below"
	// StateRetrying: an attempt failed, and the time of the next has not come.
	StateRetrying domain.RunState = "retrying"
	// StateWaiting: the run waits for a time, a signal, an event or a child, and nothing is in
	// flight.
	StateWaiting domain.RunState = "waiting"
	// StateWorking: an attempt is in flight, or the next is about to start.
	StateWorking domain.RunState = "working"
)

// Unfinished and Ended are the states of runs that have not ended, and of those that have.
// AllStates are these and the others that a filter takes, in the order in which lists offer them.
var (
	Unfinished = []domain.RunState{domain.RunRunning, domain.RunCompensating, domain.RunIsStuck}
	Ended      = []domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled, domain.RunIsAbandoned}
	AllStates  = slices.Concat(Unfinished,
		[]domain.RunState{StateStuckBelow, StateBlocked, StatePaused, StateRetrying, StateWaiting, StateWorking}, Ended)
)

// States returns every state that the run is in, first the one that people should see. A run that
// has ended is in one; another is running, compensating or stuck, and may be in more.
func (r *Row) States() []domain.RunState {
	if r.State.Ended() {
		return []domain.RunState{r.State}
	}
	var out []domain.RunState
	add := func(holds bool, s domain.RunState) {
		if holds {
			out = append(out, s)
		}
	}
	add(r.State == domain.RunIsStuck, domain.RunIsStuck)
	add(r.Paused != "", StatePaused)
	add(r.Blocked != "", StateBlocked)
	add(r.Below > 0, StateStuckBelow)
	var does domain.RunState
	if r.Paused == "" && r.Blocked == "" {
		does = r.does()
		add(does == StateRetrying || does == StateWaiting, does)
	}
	add(r.State != domain.RunIsStuck, r.State)
	add(does == StateWorking, does)
	return out
}

// does says what an unfinished run that is neither paused nor blocked does; it is empty where the
// run does nothing before a person comes.
func (r *Row) does() domain.RunState {
	has := func(kinds ...explain.For) bool {
		return slices.ContainsFunc(r.Steps, func(s Step) bool { return slices.Contains(kinds, s.WaitsFor) })
	}
	switch {
	case has(explain.ForRetry, explain.ForProbe):
		return StateRetrying
	case len(r.Steps) == 0 || has(explain.ForOutcome):
		return StateWorking
	case has(explain.ForTime, explain.ForSignal, explain.ForEvent, explain.ForChild):
		return StateWaiting
	}
	return ""
}

// below reports whether the run's parent is to be told that something below it is stuck.
func (r *Row) below() bool { return r.State == domain.RunIsStuck || r.Below > 0 && !r.State.Ended() }
