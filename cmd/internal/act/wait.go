package act

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
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
	from    uint64 // the revision from which on what happens is shown
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
	follow, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	shown := &progress{stop: stopFollowing, last: math.MaxUint64}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		if !w.quiet && !env.JSON() {
			shown.show(follow, env, c, id, w.from)
		}
	}()
	var how []look.WaitOption
	if w.below {
		how = append(how, saga.OrStuckBelow())
	}
	output, err := c.Wait(waitCtx, id, how...)
	ending, over := domain.EndingOf(err)
	ended := over && ending.State.Ended()
	if !ended { // neither does its story, which is shown up to here
		shown.end(ctx, c, id, err)
	}
	<-followed
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("run %s: %w after %v", id, ErrUnfinished, w.timeout)
	}
	if ctx.Err() != nil && !ended {
		interrupted := &InterruptedError{Run: id}
		if !env.Remote() {
			interrupted.Where = fmt.Sprintf("%s serve --data %s", env.Program.Name, console.Words(env.Data))
		}
		return interrupted
	}
	return errors.Join(printEnd(ctx, env, c, id, output, err), err)
}

// check refuses flags that mean nothing without --wait.
func (w *waiting) check(f *pflag.FlagSet) error {
	if w.wait {
		return nil
	}
	for _, name := range []string{"timeout", "below", "quiet"} {
		if f.Changed(name) {
			return console.UsageError{Err: fmt.Errorf("--%s is about the wait: give --wait, too", name)}
		}
	}
	return nil
}

// awaited notes from where on what happens to the run is to be shown, before the run is acted on.
func (w *waiting) awaited(ctx context.Context, c *client.Client, id domain.RunID) {
	if !w.wait {
		return
	}
	if run, err := c.Run(ctx, id); err == nil { // else the act says what is wrong
		w.from = uint64(run.Revision + 1) //nolint:gosec // it is at least -1
	}
}

// InterruptedError means that a person ended the wait for a run. The run goes on where a server
// does.
type InterruptedError struct {
	Run domain.RunID
	// Where is the server that is to be started for that; empty if one runs.
	Where string
}

// Error implements error.
func (e *InterruptedError) Error() string {
	if e.Where != "" {
		return fmt.Sprintf("run %s stands still now: it goes on while `%s` runs", e.Run, e.Where)
	}
	return fmt.Sprintf("run %s goes on", e.Run)
}

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

// progress is the story of a run as it is shown during a wait.
type progress struct {
	stop func()

	mu       sync.Mutex
	at, last uint64 // the revision that is to come, and the one at which the story ends
}

// show writes the run's story as it happens.
func (p *progress) show(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID, from uint64) {
	colours := tty.PaletteFor(env.Err)
	for row, err := range story.Follow(ctx, c, id, from) {
		row = row.In(env.Location())
		if err != nil || story.Print(env.Err, colours, &row) != nil {
			return // only the progress stops: the wait reports the error
		}
		p.mu.Lock()
		p.at = row.Revision + 1
		over := p.at > p.last
		p.mu.Unlock()
		if over {
			return
		}
	}
}

// patience is how long the end of a story may take to be shown.
const patience = 5 * time.Second

// end ends the story of a run that has not ended: of one that is stuck, once it is shown to its
// latest event.
func (p *progress) end(ctx context.Context, c *client.Client, id domain.RunID, waited error) {
	if e, _ := domain.EndingOf(waited); e.State != domain.RunIsStuck || ctx.Err() != nil {
		p.stop()
		return
	}
	time.AfterFunc(patience, p.stop)
	run, err := c.Run(ctx, id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = uint64(max(run.Revision, 0)) //nolint:gosec // it is not negative
	if err != nil || p.at > p.last {
		p.stop()
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
