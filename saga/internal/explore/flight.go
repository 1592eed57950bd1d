package explore

import (
	"context"
	"strconv"
	"time"

	"github.com/atonehq/atone/saga/internal/explore/strand"
	"github.com/atonehq/atone/saga/internal/work"
)

// flight is an attempt that was started and has no outcome yet.
type flight struct {
	run  *run
	task *work.Task
	// name names the attempt in points, at its step and direction, kind what it is in the matrix.
	name, at, kind string

	silent bool         // no outcome will come
	report *work.Report // an outcome that is held back
	stray  bool
	edges  int  // crossed in this call
	plain  bool // nothing more goes wrong in this call
	asked  bool // people had their say

	// ctx is the context of its handler, and fate what became of the attempt at an edge.
	ctx  *clockContext
	fate Answer
	// strand is its goroutine, where the schedule puts it aside. dead means that its process died
	// meanwhile: its handler ends, and nobody hears of it.
	strand *strand.Strand
	dead   bool
}

// newFlight returns an attempt that a run has started.
func newFlight(r *run, t *work.Task) *flight {
	at := r.label + t.Step + " " + string(t.Direction)
	return &flight{run: r, task: t, at: at, name: at + " #" + strconv.Itoa(t.Attempt), kind: t.Action + " " + string(t.Direction)}
}

// overtaken reports whether the attempt was given up.
func (fl *flight) overtaken() bool {
	st := fl.run.s.Step(fl.task.Step)
	t := st.Tries(fl.task.Direction)
	return !t.Running || t.N != fl.task.Attempt
}

func (x *scene) drop(fl *flight) {
	for i, other := range x.flights {
		if other == fl {
			x.flights = append(x.flights[:i:i], x.flights[i+1:]...)
			return
		}
	}
}

// clockContext is the context of a handler: it ends when the scene says so.
type clockContext struct {
	context.Context
	due  time.Time
	done chan struct{}
	err  error
}

func newClockContext(due time.Time) *clockContext {
	return &clockContext{Context: context.Background(), due: due}
}

// Deadline implements context.Context.
func (c *clockContext) Deadline() (time.Time, bool) { return c.due, !c.due.IsZero() }

// Done implements context.Context.
func (c *clockContext) Done() <-chan struct{} {
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *clockContext) Err() error { return c.err }

// end lets the context's time be over.
func (c *clockContext) end() {
	if c.err == nil {
		c.err = context.DeadlineExceeded
		if c.done != nil {
			close(c.done)
		}
	}
}
