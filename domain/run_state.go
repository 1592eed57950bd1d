package domain

// RunState is the state of a run, as people see it.
type RunState string

// The states of a run.
const (
	RunRunning       RunState = "running"
	RunCompensating  RunState = "compensating"
	RunIsStuck       RunState = "stuck"
	RunIsCompleted   RunState = "completed"
	RunIsCompensated RunState = "compensated"
	RunIsCancelled   RunState = "cancelled"
	RunIsAbandoned   RunState = "abandoned"
)

// Ended reports whether the state is one of the four ends.
func (s RunState) Ended() bool {
	switch s {
	case RunIsCompleted, RunIsCompensated, RunIsCancelled, RunIsAbandoned:
		return true
	}
	return false
}
