package act

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/next"
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/look"
)

// waiting are the flags of commands that can wait for a run.
type waiting struct {
	wait    bool
	timeout time.Duration
	quiet   bool
	below   bool
}

func (w *waiting) addFlags(f *pflag.FlagSet, always bool) {
	if !always {
		f.BoolVarP(&w.wait, "wait", "w", false, "wait until the run has ended or is stuck, and show what happens")
	}
	w.wait = always
	f.Var((*console.Duration)(&w.timeout), "timeout", "how long to wait, such as 30s; without the flag, for ever")
	f.BoolVar(&w.below, "below", false, "end the wait, too, when a child run, or one further below, is stuck")
	f.BoolVarP(&w.quiet, "quiet", "q", false, "don't show what happens while waiting")
}

// await waits for the run, shows its events on standard error, and prints how it ended. Every end
// but completed is an error.
func await(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID, w waiting) error {
	waitCtx := ctx
	if w.timeout > 0 {
		var cancel context.CancelFunc
		waitCtx, cancel = context.WithTimeout(ctx, w.timeout)
		defer cancel()
	}
	if !env.JSON() {
		tellHeldUp(ctx, env, c, id)
	}
	follow, stopFollowing := context.WithCancel(waitCtx)
	defer stopFollowing()
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		if !w.quiet && !env.JSON() {
			showProgress(follow, env, c, id)
		}
	}()
	var how []look.WaitOption
	if w.below {
		how = append(how, saga.OrStuckBelow())
	}
	output, err := c.Wait(waitCtx, id, how...)
	ending, over := domain.EndingOf(err)
	ended := over && ending.State.Ended()
	if !ended {
		stopFollowing() // the run has not ended, so neither does its story
	}
	<-followed
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("run %s: %w after %v", id, ErrUnfinished, w.timeout)
	}
	if ctx.Err() != nil && !ended {
		return &InterruptedError{Run: id}
	}
	return errors.Join(printEnd(ctx, env, c, id, output, err), err)
}

// InterruptedError means that a person ended the wait for a run. The run goes on.
type InterruptedError struct{ Run domain.RunID }

// Error implements error.
func (e *InterruptedError) Error() string { return fmt.Sprintf("run %s goes on", e.Run) }

// Is reports that it was interrupted.
func (e *InterruptedError) Is(target error) bool { return target == context.Canceled }

// tellHeldUp prints, before a wait, why the run does not go on by itself: it is paused, one of its
// actions is held, or no program has its code.
func tellHeldUp(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID) {
	why, err := c.Why(ctx, id)
	if err != nil {
		return // the wait reports the error
	}
	switch why.WaitsFor {
	case explain.ForResume, explain.ForRelease, explain.ForProgram:
		// The wait itself matters more.
		_, _ = fmt.Fprintf(env.Err, "run %s waits, %s\n", env.Typed(id), console.Plain(why.Text))
	}
}

// ErrUnfinished means that the run had not ended when the time to wait was over.
var ErrUnfinished = errors.New("the run has not ended")

// showProgress writes the run's story as it happens.
func showProgress(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID) {
	p := tty.PaletteFor(env.Err)
	for row, err := range story.Follow(ctx, c, id) {
		if err != nil || story.Print(env.Err, p, &row) != nil {
			return // only the progress stops: the wait reports the error
		}
	}
}

// printEnd writes the result of a wait.
func printEnd(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID, output json.RawMessage, waited error) error {
	if !env.JSON() {
		if waited != nil {
			return nil //nolint:nilerr // the caller returns the error
		}
		_, err := fmt.Fprintln(env.Out, string(output))
		return err
	}
	r := wire.Result{Run: id, State: domain.RunIsCompleted, Output: output}
	var steps []console.Step
	if waited != nil {
		run, err := c.Run(context.WithoutCancel(ctx), id)
		if err != nil {
			return err
		}
		r.State, r.Output, r.Cause, r.Left = run.State, run.Output, run.Cause, run.Left
		if run.Why != nil {
			steps = next.For(env, run.Why)
		}
		if e, _ := domain.EndingOf(waited); e.State == domain.RunIsStuck {
			r.Step, r.Incident, r.Cause = e.Step, e.Incident, e.Cause
			if e.Run != id {
				r.Below = &e.Run
			}
		}
	}
	return env.PrintJSON(r, steps...)
}
