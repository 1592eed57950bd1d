package saga

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Errors that callers branch on, with errors.Is. They are the same values as those of the inner packages.
var (
	// ErrNotFound means that the log has no such run.
	ErrNotFound = domain.ErrNotFound
	// ErrUnknownAction and ErrUnknownSaga mean that nothing of that name is registered here.
	ErrUnknownAction = domain.ErrUnknownAction
	ErrUnknownSaga   = domain.ErrUnknownSaga
	// ErrKeyConflict means that the key was used before with another input.
	ErrKeyConflict = domain.ErrKeyConflict
	// ErrPlanChanged means that a registered name and version has another plan in the log.
	ErrPlanChanged = domain.ErrPlanChanged
	// ErrNotRunning means that the coordinator's Run is not running, or is stopping.
	ErrNotRunning = domain.ErrNotRunning
	// ErrBadInput means that an input does not fit its type; nothing was written.
	ErrBadInput = domain.ErrBadInput
	// ErrUnreadable means that this program can't read what the log holds of a run, a plan or a saga's versions: a newer
	// program wrote it, or it was damaged. Only what depends on it waits. For a run it is an [*UnreadableError].
	ErrUnreadable = domain.ErrUnreadable

	// ErrEnded, ErrPastPivot, ErrTurnedBack, ErrNoStep and ErrNotStuck refuse an operation on a run.
	ErrEnded      = machine.ErrEnded
	ErrPastPivot  = machine.ErrPastPivot
	ErrTurnedBack = machine.ErrTurnedBack
	ErrNoStep     = machine.ErrNoStep
	ErrNotStuck   = machine.ErrNotStuck
)

// The ways other than success in which a wait for a run ends.
type (
	// CompensatedError is the error of a run that failed and was cleanly undone: look at its Cause, mend that, start anew.
	CompensatedError = domain.CompensatedError
	// CancelledError is the error of a run that was cancelled and cleanly undone: nothing is left to do.
	CancelledError = domain.CancelledError
	// StuckError is the error of a run that needs a person. The run is not over: wait for it again once it was retried,
	// resolved or abandoned.
	StuckError = domain.StuckError
	// AbandonedError is the error of a run that a person closed with effects left: Left lists them.
	AbandonedError = domain.AbandonedError
	// UnreadableError says why this program can't read a run: start a program that can.
	UnreadableError = domain.UnreadableError
)
