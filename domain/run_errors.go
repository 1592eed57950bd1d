package domain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
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
)

// CompensatedError is the error of a run that failed and was cleanly undone.
type CompensatedError struct {
	Run RunID
	// Cause is what failed; its Step says where.
	Cause *Failure
	// Left lists steps whose effect was knowingly left.
	Left []string
}

// Error implements error.
func (e *CompensatedError) Error() string {
	return fmt.Sprintf("run %s failed and was undone%s: %s", e.Run, leftText(e.Left), causeText(e.Cause))
}

// Unwrap returns the cause.
func (e *CompensatedError) Unwrap() error { return asError(e.Cause) }

// CancelledError is the error of a run that was cancelled and cleanly undone.
type CancelledError struct {
	Run   RunID
	Cause *Failure
	Left  []string
}

// Error implements error.
func (e *CancelledError) Error() string {
	return fmt.Sprintf("run %s was cancelled and undone%s: %s", e.Run, leftText(e.Left), causeText(e.Cause))
}

// Unwrap returns the cause.
func (e *CancelledError) Unwrap() error { return asError(e.Cause) }

// StuckError is the error of a run that needs a person. The run is not over: it goes on when
// it is retried, resolved or abandoned.
type StuckError struct {
	Run RunID
	// Step and Incident are those of the first stuck step.
	Step, Incident string
	Cause          *Failure
}

// Error implements error.
func (e *StuckError) Error() string {
	return fmt.Sprintf("run %s is stuck at %s (incident %s): %s", e.Run, e.Step, e.Incident, causeText(e.Cause))
}

// Unwrap returns the cause.
func (e *StuckError) Unwrap() error { return asError(e.Cause) }

// AbandonedError is the error of a run that a person closed with effects left.
type AbandonedError struct {
	Run  RunID
	Left []string
}

// Error implements error.
func (e *AbandonedError) Error() string {
	return fmt.Sprintf("run %s was abandoned%s", e.Run, leftText(e.Left))
}

// Ending is what a wait for a run says: how the run ended, or that it is stuck. [Ending.Err] makes
// the error of a wait of it, and [EndingOf] reads that error back.
type Ending struct {
	// Run is the run that ended or is stuck. A wait that also ends for runs below may name one of
	// these.
	Run RunID
	// State is one of the four ends, or [RunIsStuck].
	State RunState
	// Cause is why the run did not complete; an abandoned run has none.
	Cause *Failure
	// Left lists steps whose effect was left.
	Left []string
	// Step and Incident are those of the first stuck step.
	Step, Incident string
}

// Err returns the error of a wait for the run: a [*CompensatedError], a [*CancelledError], an
// [*AbandonedError] or a [*StuckError]. It is nil for a run that completed, and for one that goes
// on.
func (e *Ending) Err() error {
	switch e.State {
	case RunIsCompensated:
		return &CompensatedError{Run: e.Run, Cause: e.Cause, Left: e.Left}
	case RunIsCancelled:
		return &CancelledError{Run: e.Run, Cause: e.Cause, Left: e.Left}
	case RunIsAbandoned:
		return &AbandonedError{Run: e.Run, Left: e.Left}
	case RunIsStuck:
		return &StuckError{Run: e.Run, Step: e.Step, Incident: e.Incident, Cause: e.Cause}
	}
	return nil
}

// EndingOf reads the error of a wait for a run; errors that wrap such an error count. Without an
// error the run completed. ok is false if the error says something else: the run may go on.
func EndingOf(err error) (e Ending, ok bool) {
	var compensated *CompensatedError
	var cancelled *CancelledError
	var abandoned *AbandonedError
	var stuck *StuckError
	switch {
	case err == nil:
		return Ending{State: RunIsCompleted}, true
	case errors.As(err, &compensated):
		return Ending{Run: compensated.Run, State: RunIsCompensated, Cause: compensated.Cause, Left: compensated.Left}, true
	case errors.As(err, &cancelled):
		return Ending{Run: cancelled.Run, State: RunIsCancelled, Cause: cancelled.Cause, Left: cancelled.Left}, true
	case errors.As(err, &abandoned):
		return Ending{Run: abandoned.Run, State: RunIsAbandoned, Left: abandoned.Left}, true
	case errors.As(err, &stuck):
		return Ending{Run: stuck.Run, State: RunIsStuck, Cause: stuck.Cause, Step: stuck.Step, Incident: stuck.Incident}, true
	}
	return Ending{}, false
}

func leftText(left []string) string {
	if len(left) == 0 {
		return ""
	}
	return " (left behind: " + strings.Join(left, ", ") + ")"
}

func causeText(f *Failure) string {
	if f == nil {
		return "cause unknown"
	}
	return f.String()
}

func asError(f *Failure) error {
	if f == nil {
		return nil
	}
	return &FailureError{Failure: f}
}

// FailureError is a recorded failure as an error. The errors of runs that did not complete unwrap
// to it; errors.As finds it.
type FailureError struct{ Failure *Failure }

// Error implements error.
func (e *FailureError) Error() string { return e.Failure.String() }

// ErrUnreadable means that this program can't read a run, a plan or a saga's versions in the log: a
// newer program wrote them, they are damaged, or something else put them there. Only runs that
// depend on them wait.
var ErrUnreadable = errors.New("can't be read")

// UnreadableError says why a run can't be read; errors.Is reports true for [ErrUnreadable].
type UnreadableError struct {
	Run RunID
	Err error
}

// AlreadyError says that an act changes nothing: what it asks for is so already.
type AlreadyError string

// Error implements error.
func (e AlreadyError) Error() string { return string(e) }

type alreadyKey struct{}

// OnAlready returns a context in which a call that changes nothing, since what it asks for is so
// already, tells why. Such a call is no error, because a request may come twice.
func OnAlready(ctx context.Context, tell func(why string)) context.Context {
	return context.WithValue(ctx, alreadyKey{}, tell)
}

// TellAlready tells whoever asked with [OnAlready] that a call changed nothing.
func TellAlready(ctx context.Context, why string) {
	if tell, ok := ctx.Value(alreadyKey{}).(func(string)); ok {
		tell(why)
	}
}

// UnreadableRun is an unfinished run that a coordinator can't read.
type UnreadableRun struct {
	Run RunID `json:"run"`
	// Reason is a sentence, Since when it was found.
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("run %s can't be read and waits until a program that can read it starts: %v", e.Run, e.Err)
}

// Unwrap returns the reason.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Is reports true for [ErrUnreadable].
func (e *UnreadableError) Is(target error) bool { return target == ErrUnreadable }

// NoEndError means that a run past its pivot can't end, because its output can't be made: it is
// blocked.
type NoEndError struct{ Reason string }

// Error implements error.
func (e *NoEndError) Error() string { return e.Reason }
