package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/act"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/offline"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/verify"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// Exit is a command's exit code. This is the one place where they are given out.
type Exit int

// The exit codes. Codes from ExitCompensated to ExitUnfinished say how the run stands that the
// command waited for.
const (
	ExitOK          Exit = 0
	ExitError       Exit = 1  // whatever has no code of its own
	ExitUsage       Exit = 2  // the command line is wrong; nothing was done
	ExitCompensated Exit = 3  // the run failed and was undone
	ExitStuck       Exit = 4  // the run needs a person
	ExitCancelled   Exit = 5  // the run was cancelled and undone
	ExitAbandoned   Exit = 6  // a person closed the run with effects left
	ExitUnfinished  Exit = 7  // the time to wait was over; the run goes on
	ExitNotFound    Exit = 8  // no such run, saga or action
	ExitRefused     Exit = 9  // the run's state, or its key, does not allow it
	ExitInUse       Exit = 10 // another process has the data directory
	ExitDenied      Exit = 11 // the server wants another token
	ExitTampered    Exit = 12 // the log is not as it was written
	ExitUnreachable Exit = 13 // the server does not answer, or is not ready
	ExitInterrupted Exit = 130
)

var exitTexts = []struct {
	code Exit
	text string
}{
	{ExitOK, "done; of a run that was waited for: completed"},
	{ExitError, "an error that has no code of its own"},
	{ExitUsage, "the command line is wrong; nothing was done"},
	{ExitCompensated, "the run failed and was undone"},
	{ExitStuck, "the run is stuck: it needs a person"},
	{ExitCancelled, "the run was cancelled and undone"},
	{ExitAbandoned, "the run was abandoned: a person closed it with effects left"},
	{ExitUnfinished, "the time to wait was over; the run goes on"},
	{ExitNotFound, "no such run, saga or action"},
	{ExitRefused, "the state of the run, or its key, does not allow it"},
	{ExitInUse, "another process has the data directory open"},
	{ExitDenied, "the server wants a token, or one that allows more"},
	{ExitTampered, "audit verify: the log is not as it was written"},
	{ExitUnreachable, "the server does not answer, or is not ready"},
	{ExitInterrupted, "interrupted"},
}

func newExitCodesTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("The exit codes of all commands:\n\n")
	for _, e := range exitTexts {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.text)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: strings.TrimRight(b.String(), "\n")}
}

// exitOf returns the code for an error.
func exitOf(err error) Exit {
	var (
		wrong       console.UsageError
		compensated *saga.CompensatedError
		stuck       *saga.StuckError
		cancelled   *saga.CancelledError
		abandoned   *saga.AbandonedError
	)
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.As(err, &wrong), is(saga.ErrBadInput, machine.ErrBadOutput, machine.ErrNoOutput, projections.ErrBadCursor, domain.ErrBadPosition, auth.ErrBadToken, domain.ErrTooLarge):
		return ExitUsage
	case errors.As(err, &compensated):
		return ExitCompensated
	case errors.As(err, &stuck):
		return ExitStuck
	case errors.As(err, &cancelled):
		return ExitCancelled
	case errors.As(err, &abandoned):
		return ExitAbandoned
	case is(act.ErrUnfinished):
		return ExitUnfinished
	case is(saga.ErrNotFound, saga.ErrUnknownSaga, saga.ErrUnknownAction, saga.ErrNoStep, projections.ErrNotFound, runner.ErrUnknownView, auth.ErrNoToken):
		return ExitNotFound
	case is(saga.ErrEnded, saga.ErrPastPivot, saga.ErrTurnedBack, saga.ErrNotStuck, saga.ErrKeyConflict, auth.ErrNameTaken):
		return ExitRefused
	case is(pebblelog.ErrLocked):
		return ExitInUse
	case is(offline.ErrTampered):
		return ExitTampered
	case is(context.Canceled):
		return ExitInterrupted
	}
	return exitOfServer(err)
}

// advice says what to do next about an error, or nothing where the error says it itself.
func advice(env *access.Env, err error) string {
	var stuck *saga.StuckError
	var compensated *saga.CompensatedError
	name := env.Program.Name
	switch {
	case exitOf(err) == ExitUsage:
		return fmt.Sprintf("see `%s help`", name)
	case errors.Is(err, auth.ErrNameTaken):
		return "revoke the token of that name, or choose another"
	case errors.As(err, &stuck):
		return fmt.Sprintf("`%[1]s show %[2]s` tells more; mend the cause and `%[1]s retry %[2]s`, or use resolve or abandon", name, stuck.Run)
	case errors.As(err, &compensated):
		return fmt.Sprintf("`%s show %s` tells more; mend the cause and start it again, with another key", name, compensated.Run)
	case errors.Is(err, act.ErrUnfinished):
		return "it goes on while a server runs; wait longer with --timeout"
	case errors.Is(err, runner.ErrUnknownView):
		return fmt.Sprintf("`%s projections status` lists the views", name)
	case errors.Is(err, auth.ErrNoToken):
		return fmt.Sprintf("`%s token list` shows the tokens", name)
	case errors.Is(err, saga.ErrNotFound), errors.Is(err, projections.ErrNotFound):
		return "check the run's id and --data or --server; a run that was started with a key can be named SAGA:KEY"
	case errors.Is(err, saga.ErrUnknownSaga):
		return fmt.Sprintf("`%s sagas` lists what this program can run", name)
	case errors.Is(err, saga.ErrUnknownAction):
		return fmt.Sprintf("`%s actions` lists what this program can run", name)
	case errors.Is(err, saga.ErrNoStep):
		return fmt.Sprintf("`%s show RUN` lists the run's steps", name)
	case errors.Is(err, saga.ErrEnded):
		return "nothing: the run is over; `show` tells how it ended"
	case errors.Is(err, saga.ErrPastPivot):
		return "let it go on, or abandon it"
	case errors.Is(err, pebblelog.ErrLocked):
		return "if a server runs on it, talk to that with --server URL (or ATONE_SERVER), such as http://127.0.0.1:7070, or stop it; another command is soon done"
	case errors.Is(err, pebblelog.ErrFailed):
		return "free space on the disk that holds --data, then try again: nothing that was acknowledged is lost"
	case errors.Is(err, offline.ErrTampered):
		return "keep the directory as it is, find out who could write to it, and compare it with a backup"
	case errors.Is(err, verify.ErrBadAnchor):
		return "give the file as audit anchor wrote it, and the key of whoever signed it"
	}
	if errors.Is(err, context.Canceled) {
		return "it was interrupted: give the command again"
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return "check that " + path.Path + " is what you mean, that you may write there, and that the disk is not full"
	}
	return adviceOfServer(env, err)
}
