package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// waiting are the flags of commands that can wait for a run.
type waiting struct {
	wait    bool
	timeout time.Duration
	quiet   bool
}

func (w *waiting) addFlags(f *pflag.FlagSet, always bool) {
	if !always {
		f.BoolVarP(&w.wait, "wait", "w", false, "wait until the run has ended or is stuck, and show what happens")
	}
	w.wait = always
	f.Var((*ageFlag)(&w.timeout), "timeout", "how long to wait, such as 30s; for ever without it")
	f.BoolVarP(&w.quiet, "quiet", "q", false, "don't show what happens while waiting")
}

// await waits for the run, showing what happens on standard error, and prints how it ended. Every end but
// completed is an error.
func (env *environment) await(ctx context.Context, c *client.Client, id domain.RunID, w waiting) error {
	waitCtx := ctx
	if w.timeout > 0 {
		var cancel context.CancelFunc
		waitCtx, cancel = context.WithTimeout(ctx, w.timeout)
		defer cancel()
	}
	follow, stopFollowing := context.WithCancel(waitCtx)
	defer stopFollowing()
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		if !w.quiet && !env.json() {
			env.showProgress(follow, c, id)
		}
	}()
	output, err := c.Wait(waitCtx, id)
	if err != nil && exitOf(err) != ExitCompensated && exitOf(err) != ExitCancelled && exitOf(err) != ExitAbandoned {
		stopFollowing() // the run has not ended, so neither does its story
	}
	<-followed
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("run %s: %w after %v", id, errUnfinished, w.timeout)
	}
	return errors.Join(env.printEnd(ctx, c, id, output, err), err)
}

// showProgress writes the run's story as it happens.
func (env *environment) showProgress(ctx context.Context, c *client.Client, id domain.RunID) {
	p := tty.PaletteFor(env.Err)
	for row, err := range followRun(ctx, c, id) {
		if err != nil || story.Print(env.Err, p, &row) != nil {
			return // only the show is over: the wait tells what matters
		}
	}
}

// printEnd writes what a wait led to.
func (env *environment) printEnd(ctx context.Context, c *client.Client, id domain.RunID, output json.RawMessage, waited error) error {
	if !env.json() {
		if waited != nil {
			return nil // the error tells
		}
		_, err := fmt.Fprintln(env.Out, string(output))
		return err
	}
	r := wire.Result{Run: id, State: domain.RunIsCompleted, Output: output}
	if waited != nil {
		run, err := c.Run(context.WithoutCancel(ctx), id)
		if err != nil {
			return err
		}
		r.State, r.Output, r.Cause, r.Left = run.State, run.Output, run.Cause, run.Left
		var stuck *saga.StuckError
		if errors.As(waited, &stuck) {
			r.Step, r.Incident, r.Cause = stuck.Step, stuck.Incident, stuck.Cause
		}
	}
	return env.printJSON(r)
}
