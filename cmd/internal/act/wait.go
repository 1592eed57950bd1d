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
	f.Var((*console.Duration)(&w.timeout), "timeout", "how long to wait, such as 30s; for ever without it")
	f.BoolVarP(&w.quiet, "quiet", "q", false, "don't show what happens while waiting")
}

// await waits for the run, showing what happens on standard error, and prints how it ended. Every
// end but completed is an error.
func await(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID, w waiting) error {
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
		if !w.quiet && !env.JSON() {
			showProgress(follow, env, c, id)
		}
	}()
	output, err := c.Wait(waitCtx, id)
	if err != nil && !saysEnded(err) {
		stopFollowing() // the run has not ended, so neither does its story
	}
	<-followed
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("run %s: %w after %v", id, ErrUnfinished, w.timeout)
	}
	return errors.Join(printEnd(ctx, env, c, id, output, err), err)
}

// ErrUnfinished means that the time to wait was over.
var ErrUnfinished = errors.New("the run has not ended")

// saysEnded reports whether the error of a wait tells an end of the run.
func saysEnded(err error) bool {
	var compensated *saga.CompensatedError
	var cancelled *saga.CancelledError
	var abandoned *saga.AbandonedError
	return errors.As(err, &compensated) || errors.As(err, &cancelled) || errors.As(err, &abandoned)
}

// showProgress writes the run's story as it happens.
func showProgress(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID) {
	p := tty.PaletteFor(env.Err)
	for row, err := range story.Follow(ctx, c, id) {
		if err != nil || story.Print(env.Err, p, &row) != nil {
			return // only the show is over: the wait tells what matters
		}
	}
}

// printEnd writes what a wait led to.
func printEnd(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID, output json.RawMessage, waited error) error {
	if !env.JSON() {
		if waited != nil {
			return nil //nolint:nilerr // the caller returns the error, which tells
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
	return env.PrintJSON(r)
}
