package explain

import "github.com/atonehq/atone/domain"

// Standing is how a run stands, in a word that people use.
type Standing string

// How runs stand.
const (
	// Working: an attempt is in flight, or the coordinator has the next step to take.
	Working Standing = "working"
	// Waiting: for a time, a signal, an event, a child run, a place or a worker.
	Waiting Standing = "waiting"
	// Retrying: an attempt failed, and the next one has its time.
	Retrying Standing = "retrying"
	// Paused: until a person resumes it.
	Paused Standing = "paused"
	// Held: until a person releases its action.
	Held Standing = "held"
	// Blocked: no program at hand can go on with it.
	Blocked Standing = "blocked"
	// Stuck: a step needs a person.
	Stuck Standing = "stuck"
	// StuckBelow: a child run, or one further below, needs a person.
	StuckBelow Standing = "stuck-below"
	// Ended: nothing is left to do.
	Ended Standing = "ended"
)

// Shown is how a run in the state stands, in the word that lists of runs have for it.
func (s Standing) Shown(state domain.RunState) domain.RunState {
	switch s {
	case Working, Ended, Stuck, "":
		return state
	}
	return domain.RunState(s)
}

// needsPerson reports whether the run itself goes on only when a person has seen to it, or never.
func (s Standing) needsPerson() bool {
	return s == Stuck || s == Paused || s == Held || s == Blocked || s == Ended
}

// Standing returns how a run stands that waits for this.
func (f For) Standing() Standing {
	switch f {
	case ForPerson:
		return Stuck
	case ForRetry:
		return Retrying
	case ForPlace, ForWorker, ForTime, ForSignal, ForEvent, ForChild:
		return Waiting
	case ForResume:
		return Paused
	case ForRelease:
		return Held
	case ForProgram:
		return Blocked
	case "":
		return Ended
	}
	return Working
}
