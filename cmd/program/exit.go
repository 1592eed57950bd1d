package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/act"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/explore"
	"github.com/atonehq/atone/cmd/internal/offline"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/verify"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// Exit is a command's exit code. All codes are assigned here.
type Exit int

// The exit codes. Codes from ExitCompensated to ExitUnfinished are the state of the run that the
// command waited for.
const (
	ExitOK          Exit = 0
	ExitError       Exit = 1  // an error without a code of its own
	ExitUsage       Exit = 2  // the command line is wrong; nothing was done
	ExitCompensated Exit = 3  // the run failed and was undone
	ExitStuck       Exit = 4  // the run needs a person
	ExitCancelled   Exit = 5  // the run was cancelled and undone
	ExitAbandoned   Exit = 6  // a person closed the run with effects left
	ExitUnfinished  Exit = 7  // the run had not ended when --timeout was over; it goes on
	ExitNotFound    Exit = 8  // no such run, saga or action
	ExitRefused     Exit = 9  // the run's state, or its key, does not allow it
	ExitInUse       Exit = 10 // another process has the data directory
	ExitDenied      Exit = 11 // the server requires another token
	ExitTampered    Exit = 12 // the log is not as it was written
	ExitUnreachable Exit = 13 // the server does not answer, or is not ready
	ExitUnconfirmed Exit = 14 // the plan was shown and not confirmed; nothing was done
	ExitPartly      Exit = 15 // some runs of a bulk act refused
	ExitBroken      Exit = 16 // explore: a schedule breaks something
	ExitCut         Exit = 17 // explore: not everything was tried
	ExitNothing     Exit = 18 // explore: the program offers no exploration
	ExitStopped     Exit = 19 // a bulk act stopped after as many failures as --stop-after allows
	ExitInterrupted Exit = 130
)

var exitTexts = []struct {
	code Exit
	text string
}{
	{ExitOK, "done; if the command waited for a run, the run completed"},
	{ExitError, "an error without a code of its own"},
	{ExitUsage, "the command line is wrong; nothing was done"},
	{ExitCompensated, "the run failed and was undone"},
	{ExitStuck, "the run is stuck: it needs a person"},
	{ExitCancelled, "the run was cancelled and undone"},
	{ExitAbandoned, "the run was abandoned: a person closed it with effects left"},
	{ExitUnfinished, "the run had not ended when --timeout was over; it goes on"},
	{ExitNotFound, "no such run, saga or action"},
	{ExitRefused, "the state of the run, or its key, does not allow it"},
	{ExitInUse, "another process has the data directory open"},
	{ExitDenied, "the server requires a token, or one that allows more"},
	{ExitTampered, "audit verify: the log is not as it was written"},
	{ExitUnreachable, "the server does not answer, or is not ready"},
	{ExitUnconfirmed, "the plan was shown but not confirmed, and nothing was done: --yes confirms it"},
	{ExitPartly, "some runs of a bulk act refused; those that are stuck again are no error"},
	{ExitBroken, "explore: something is broken; the report has the shortest story"},
	{ExitCut, "explore: nothing is broken, but not everything was tried"},
	{ExitNothing, "explore: the program offers no exploration"},
	{ExitStopped, "a bulk act stopped after as many failures as --stop-after allows; some runs are left"},
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

// exitOfState has the codes for the state of the run that the command waited for.
var exitOfState = map[domain.RunState]Exit{
	domain.RunIsCompleted: ExitOK, domain.RunIsCompensated: ExitCompensated, domain.RunIsStuck: ExitStuck,
	domain.RunIsCancelled: ExitCancelled, domain.RunIsAbandoned: ExitAbandoned,
}

// exitOf returns the code for an error.
func exitOf(err error) Exit {
	var wrong console.UsageError
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	ending, over := domain.EndingOf(err)
	switch {
	case errors.As(err, &wrong), is(saga.ErrBadInput, machine.ErrBadOutput, machine.ErrNoOutput, projections.ErrBadCursor, domain.ErrBadPosition, auth.ErrBadToken, domain.ErrTooLarge):
		return ExitUsage
	case over:
		return exitOfState[ending.State]
	case is(act.ErrUnfinished):
		return ExitUnfinished
	case is(console.ErrUnconfirmed):
		return ExitUnconfirmed
	case is(act.ErrStopped):
		return ExitStopped
	case is(act.ErrSomeRefused):
		return ExitPartly
	case is(saga.ErrNotFound, saga.ErrUnknownSaga, saga.ErrUnknownAction, saga.ErrNoStep, projections.ErrNotFound, runner.ErrUnknownView, auth.ErrNoToken):
		return ExitNotFound
	case is(saga.ErrEnded, saga.ErrPastPivot, saga.ErrTurnedBack, saga.ErrNotStuck, saga.ErrNotEnded, saga.ErrHeld, saga.ErrNotHeld, saga.ErrKeyConflict, auth.ErrNameTaken):
		return ExitRefused
	case is(explore.ErrBroken):
		return ExitBroken
	case is(explore.ErrCut):
		return ExitCut
	case is(explore.ErrNothing):
		return ExitNothing
	case is(pebblelog.ErrLocked):
		return ExitInUse
	case is(offline.ErrTampered):
		return ExitTampered
	case is(context.Canceled):
		return ExitInterrupted
	}
	return exitOfServer(err)
}

// advice says what to do next about an error. It is empty if the error itself says so.
func advice(env *access.Env, err error) []console.Step {
	ending, _ := domain.EndingOf(err)
	var interrupted *act.InterruptedError
	var usage console.UsageError
	var bulk *act.BulkError
	command := func(words ...string) string { return env.Program.Name + " " + console.Words(words...) }
	say := func(why string) []console.Step { return []console.Step{{Why: why}} }
	do := func(why string, words ...string) []console.Step {
		return []console.Step{{Command: command(words...), Why: why}}
	}
	switch {
	case errors.Is(err, client.ErrMayBeDone):
		return env.DoubtOf().Steps
	case errors.As(err, &usage) && len(usage.Next) > 0:
		return usage.Next
	case exitOf(err) == ExitUsage:
		return do("explains the command line", append([]string{"help"}, env.Command...)...)
	case errors.Is(err, console.ErrUnconfirmed):
		return []console.Step{env.AgainStep("does it", "--yes")}
	case errors.As(err, &bulk):
		return nil // the command has said it
	case errors.Is(err, auth.ErrNameTaken):
		return say("revoke the token of that name, or choose another")
	case ending.State == domain.RunIsStuck:
		id := env.Typed(ending.Run)
		return append(do("tells more", "show", id),
			console.Step{Command: command("retry", id), Why: "once the cause is mended, or use resolve or abandon"})
	case ending.State == domain.RunIsCompensated:
		return append(do("shows more", "show", env.Typed(ending.Run)), say("mend the cause, then start the saga again with another key")...)
	case errors.Is(err, act.ErrUnfinished):
		return say("the run goes on while a server runs; wait longer with --timeout")
	case errors.Is(err, runner.ErrUnknownView):
		return do("lists the views", "projections", "status")
	case errors.Is(err, auth.ErrNoToken):
		return do("lists the tokens", "token", "list")
	case errors.Is(err, saga.ErrNotFound), errors.Is(err, projections.ErrNotFound):
		return append(do("lists the latest runs", "runs"), say("check the run's id and --data or --server; a run that was started with a key can be named SAGA:KEY")...)
	case errors.Is(err, saga.ErrUnknownSaga):
		return do("lists what can be run", "sagas")
	case errors.Is(err, saga.ErrUnknownAction):
		return do("lists what can be run", "actions")
	case errors.Is(err, saga.ErrNoStep):
		return do("lists the run's steps", "show", orRun(env))
	case errors.Is(err, saga.ErrNotStuck), errors.Is(err, saga.ErrNotEnded):
		return do("shows what it waits for", "why", orRun(env))
	case errors.Is(err, saga.ErrHeld), errors.Is(err, saga.ErrNotHeld):
		return do("lists the held actions", "holds")
	case errors.Is(err, saga.ErrKeyConflict):
		return do("shows the run that has the key; for another input use another key", "show", cmp.Or(env.TypedOnly(), "SAGA:KEY"))
	case errors.Is(err, saga.ErrEnded):
		return do("shows how it ended; there is nothing to do", "show", orRun(env))
	case errors.Is(err, saga.ErrPastPivot):
		return say("let the run go on, or abandon it")
	case errors.Is(err, saga.ErrTurnedBack):
		return do("shows what is undone so far", "show", orRun(env))
	case errors.Is(err, explore.ErrCut):
		return say("give it more with --budget or --for; of a schedule that was replayed, the saga may have changed")
	case errors.Is(err, explore.ErrNothing):
		return say("describe a world with explore.Of, and offer it in program.App.Explorations: docs/testing.md shows how")
	case errors.Is(err, pebblelog.ErrLocked):
		return say("if a server runs on the directory, talk to it with --server URL (or ATONE_SERVER), such as http://127.0.0.1:7070, or stop it; if another command does, wait a moment")
	case errors.Is(err, pebblelog.ErrFailed):
		return say("free space on the disk that holds --data, then try again: no acknowledged event is lost")
	case errors.Is(err, offline.ErrTampered):
		return say("keep the directory as it is, find out who could write to it, and compare it with a backup")
	case errors.Is(err, verify.ErrBadAnchor):
		return say("give the file exactly as audit anchor wrote it, and the key of the person who signed it")
	case errors.As(err, &interrupted):
		return do("shows its state", "show", env.Typed(interrupted.Run))
	case errors.Is(err, context.Canceled):
		return say("give the command again")
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return say("check that " + path.Path + " is the right path, that you may write there, and that the disk is not full")
	}
	if next := adviceOfServer(env, err); next != "" {
		return say(next)
	}
	return nil
}

// orRun returns the run of the command line, as it was typed, or a placeholder.
func orRun(env *access.Env) string {
	if run := env.TypedOnly(); run != "" {
		return run
	}
	return "RUN"
}
