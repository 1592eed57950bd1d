package saga_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

var errRefused = errors.New("refused")

// mood is what an attempt does to its caller: a number from 0 to 99 that is the same whenever this
// attempt is looked at.
func mood(ctx context.Context) uint32 {
	a := saga.AttemptOf(ctx)
	h := fnv.New32a()
	fmt.Fprint(h, a.Run, a.Step, a.Direction, a.Number)
	return h.Sum32() % 100
}

// pause takes a while, so that a kill may come in between.
func pause(ctx context.Context, n int) {
	select {
	case <-time.After(time.Duration(n%4) * time.Millisecond):
	case <-ctx.Done():
	}
}

// effect enters the do's effect in the ledger.
func (w *killWorld) effect(ctx context.Context, in job) {
	w.ledger.Write(ctx, killtest.Did, "")
	pause(ctx, in.N+1)
}

// nothing enters that the attempt did nothing, which its error is about to say.
func (w *killWorld) nothing(ctx context.Context) { w.ledger.Write(ctx, killtest.Nothing, "") }

// act makes an action whose handlers are as somebody in a hurry writes them: half of the attempts
// fail somehow, and where they do not say that nothing was done, every second one has had its
// effect.
func (w *killWorld) act(name string) *saga.Action[job, job] {
	return &saga.Action[job, job]{Name: name, Retry: tired, UndoRetry: killtest.Untiring,
		Do: func(ctx context.Context, in job) (job, error) {
			w.ledger.Write(ctx, killtest.Began, "")
			pause(ctx, in.N)
			return w.hurried(ctx, in, mood(ctx))
		},
		Undo: func(ctx context.Context, did saga.Did[job, job]) error {
			pause(ctx, did.Input.N)
			if ctx.Err() != nil {
				w.ledger.Write(ctx, killtest.CutShort, did.Key)
				return ctx.Err()
			}
			m := mood(ctx)
			if m < 80 {
				w.ledger.Write(ctx, killtest.Undid, did.Key)
				pause(ctx, did.Input.N+2)
			}
			switch {
			case m >= 70 && m < 90:
				return errors.New("the undo broke, before or after it was done")
			case m >= 90 || m == 69:
				panic("the undo broke")
			}
			return nil
		}}
}

// hurried does the work as the mood says.
func (w *killWorld) hurried(ctx context.Context, in job, m uint32) (job, error) {
	broke := errors.New("it broke")
	if m < 60 || m%2 == 0 && m < 92 || m >= 96 {
		w.effect(ctx, in)
	}
	switch {
	case m < 60:
		return in, nil
	case m < 72:
		return in, broke
	case m < 76:
		panic("it broke")
	case m < 78:
		runtime.Goexit()
	case m < 82:
		return in, saga.InDoubt(broke)
	case m < 86:
		return in, saga.RetryAfter(time.Millisecond, broke)
	case m < 92:
		return in, fmt.Errorf("put: %w", io.EOF)
	case m < 95:
		w.nothing(ctx)
		return in, saga.NothingDone(broke)
	case m < 96:
		w.nothing(ctx)
		return in, saga.Permanent(broke)
	case m < 98:
		in.Weight = math.NaN() // done, but the outcome can't be recorded
		return in, nil
	}
	return in, saga.InDoubt(saga.Permanent(broke))
}

// refusing makes an action that refuses a job that is to fail, sooner or later: some attempts
// before leave it in doubt.
func (w *killWorld) refusing(name string) *saga.Action[job, job] {
	a := w.act(name)
	a.Retry = killtest.Untiring
	do := a.Do
	a.Do = func(ctx context.Context, in job) (job, error) {
		m := mood(ctx)
		if !in.Fail || m >= 60 && m < 92 {
			return do(ctx, in)
		}
		w.ledger.Write(ctx, killtest.Began, "")
		pause(ctx, in.N)
		w.nothing(ctx)
		return in, saga.Permanent(errRefused)
	}
	return a
}

// probed gives an action a probe that knows, where it does not break, and few retries.
func (w *killWorld) probed(a *saga.Action[job, job]) *saga.Action[job, job] {
	a.Retry.MaxAttempts = 2
	a.Probe = func(ctx context.Context, in job) (saga.Probed[job], error) {
		pause(ctx, in.N)
		switch m := mood(ctx); {
		case m < 20:
			return saga.NotApplied[job](), errors.New("the probe broke")
		case m < 25:
			panic("the probe broke")
		case m < 50:
			return saga.Unknown[job](), nil
		}
		if w.ledger.Has(saga.AttemptOf(ctx).Key) {
			return saga.Applied(in), nil
		}
		w.ledger.Write(ctx, killtest.NotThere, "")
		return saga.NotApplied[job](), nil
	}
	return a
}

// cleanly makes an action that is tried once and fails cleanly: its plain errors mean that nothing
// was done, but for those of the connection, such as where the answer to a commit was lost.
func (w *killWorld) cleanly(a *saga.Action[job, job]) *saga.Action[job, job] {
	a.FailsCleanly, a.Retry = true, saga.Retry{MaxAttempts: 1}
	do := a.Do
	a.Do = func(ctx context.Context, in job) (job, error) {
		m := mood(ctx)
		if m < 60 || m >= 86 {
			return do(ctx, in)
		}
		w.ledger.Write(ctx, killtest.Began, "")
		pause(ctx, in.N)
		if m < 70 {
			w.nothing(ctx)
			return in, errors.New("the transaction was rolled back")
		}
		if m%2 == 0 {
			w.effect(ctx, in)
		}
		return in, fmt.Errorf("commit: %w", io.ErrUnexpectedEOF)
	}
	return a
}

// stubborn makes an action whose undo fails for good until a person has seen to it.
func (w *killWorld) stubborn(name string) *saga.Action[job, job] {
	a := w.act(name)
	a.UndoRetry = saga.Retry{MaxAttempts: 2, Initial: time.Millisecond}
	undo := a.Undo
	a.Undo = func(ctx context.Context, did saga.Did[job, job]) error {
		if !w.mended {
			return errors.New("the supplier takes nothing back")
		}
		return undo(ctx, did)
	}
	return a
}

// deaf makes an action that has its effect after its attempt was given up, and perhaps after its
// run has ended. It does so only in a process that is not killed: nobody learns what becomes of a
// handler that outlives its attempt and dies with its process.
func (w *killWorld) deaf(name string) *saga.Action[job, job] {
	a := w.act(name)
	a.Timeout, a.Retry = 10*time.Millisecond, saga.Retry{MaxAttempts: 2, Initial: time.Millisecond}
	do := a.Do
	a.Do = func(ctx context.Context, in job) (job, error) {
		if w.late {
			w.ledger.Write(ctx, killtest.Began, "")
			// Whatever its ctx says.
			time.Sleep(machine.Grace + time.Duration(20+mood(ctx))*time.Millisecond)
		}
		return do(ctx, in)
	}
	return a
}

// irreversible makes an action's effect one that stays.
func irreversible(a *saga.Action[job, job]) *saga.Action[job, job] {
	a.Undo, a.UndoRetry, a.Effect = nil, saga.Retry{}, saga.Irreversible
	return a
}
