package saga

import (
	"errors"
	"fmt"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Errors that callers branch on, with errors.Is.
var (
	// ErrNotFound means that the log has no such run.
	ErrNotFound = errors.New("no such run")
	// ErrUnknownAction and ErrUnknownSaga mean that nothing of that name is registered here.
	ErrUnknownAction = errors.New("unknown action")
	ErrUnknownSaga   = errors.New("unknown saga")
	// ErrKeyConflict means that the key was used before with another input.
	ErrKeyConflict = errors.New("key already used with another input")
	// ErrPlanChanged means that a registered name and version has another plan in the log.
	ErrPlanChanged = errors.New("the plan differs from the one registered under this version")
	// ErrNotRunning means that the coordinator's Run is not running, or is stopping.
	ErrNotRunning = errors.New("coordinator is not running")
	// ErrBadInput means that an input does not fit its type; nothing was written.
	ErrBadInput = errors.New("bad input")

	// ErrEnded, ErrPastPivot, ErrTurnedBack, ErrNoStep and ErrNotStuck refuse an operation on a run.
	ErrEnded      = machine.ErrEnded
	ErrPastPivot  = machine.ErrPastPivot
	ErrTurnedBack = machine.ErrTurnedBack
	ErrNoStep     = machine.ErrNoStep
	ErrNotStuck   = machine.ErrNotStuck
)

// Compensated is the error of a run that failed and was cleanly undone.
type Compensated struct {
	Run domain.RunID
	// Cause is what failed; its Step says where.
	Cause *domain.Failure
	// Left lists steps whose effect was knowingly left.
	Left []string
}

// Error implements error.
func (e *Compensated) Error() string {
	return fmt.Sprintf("run %s failed and was undone%s: %s", e.Run, leftText(e.Left), causeText(e.Cause))
}

// Unwrap returns the cause.
func (e *Compensated) Unwrap() error { return asError(e.Cause) }

// Cancelled is the error of a run that was cancelled and cleanly undone.
type Cancelled struct {
	Run   domain.RunID
	Cause *domain.Failure
	Left  []string
}

// Error implements error.
func (e *Cancelled) Error() string {
	return fmt.Sprintf("run %s was cancelled and undone%s: %s", e.Run, leftText(e.Left), causeText(e.Cause))
}

// Unwrap returns the cause.
func (e *Cancelled) Unwrap() error { return asError(e.Cause) }

// Stuck is the error of a run that needs a person. The run is not over: it goes on when
// it is retried, resolved or abandoned.
type Stuck struct {
	Run domain.RunID
	// Step and Incident are those of the first stuck step.
	Step, Incident string
	Cause          *domain.Failure
}

// Error implements error.
func (e *Stuck) Error() string {
	return fmt.Sprintf("run %s is stuck at %s (incident %s): %s", e.Run, e.Step, e.Incident, causeText(e.Cause))
}

// Unwrap returns the cause.
func (e *Stuck) Unwrap() error { return asError(e.Cause) }

// Abandoned is the error of a run that a person closed with effects left.
type Abandoned struct {
	Run  domain.RunID
	Left []string
}

// Error implements error.
func (e *Abandoned) Error() string {
	return fmt.Sprintf("run %s was abandoned%s", e.Run, leftText(e.Left))
}

func leftText(left []string) string {
	if len(left) == 0 {
		return ""
	}
	return " (left behind: " + strings.Join(left, ", ") + ")"
}

func causeText(f *domain.Failure) string {
	if f == nil {
		return "cause unknown"
	}
	return f.Error()
}

func asError(f *domain.Failure) error {
	if f == nil {
		return nil
	}
	return f
}
