package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/domain"
)

// stepNames are the steps of the sign-up saga, in order, and their names on the board.
var stepNames = [...]string{"create-user", "send-welcome-email", "update-crm"}

// cell is the state of one step of a run, for the display.
type cell uint8

const (
	cellIdle cell = iota
	cellRunning
	cellDone
	cellWaiting // for its next attempt
	cellFailed
	cellUndoing
	cellUndone
)

// row is a run on the board.
type row struct {
	key, name string
	known     bool // the start was seen
	cells     [len(stepNames)]cell
	tries     [len(stepNames)]int // attempts of the direction under way
	inFlight  int                 // the number of attempts without outcome
	state     domain.RunState
}

// board is the state of the show, folded from the events of all runs.
type board struct {
	rows  []*row
	byRun map[domain.RunID]*row
	last  domain.Position
	began time.Time

	retries, lost, undos, events int
	ended, completed             int
}

func newBoard(all []person, began time.Time) *board {
	b := &board{byRun: make(map[domain.RunID]*row), began: began}
	for _, p := range all {
		r := &row{key: p.Key, name: p.Form.Name, state: domain.RunRunning}
		b.rows = append(b.rows, r)
		b.byRun[domain.RunIDForKey("signup", p.Key)] = r
	}
	return b
}

// inFlight counts the attempts that were started and have no outcome.
func (b *board) inFlight() int {
	n := 0
	for _, r := range b.rows {
		n += r.inFlight
	}
	return n
}

// unfinished counts the runs that were started and have not ended.
func (b *board) unfinished() int {
	n := 0
	for _, r := range b.rows {
		if r.known && !r.state.Ended() {
			n++
		}
	}
	return n
}

// apply folds one event and returns a line of text about it; empty if there is nothing to say. It
// ignores events that it has seen before and events of other runs.
func (b *board) apply(e *domain.Recorded) (string, error) {
	if e.Position <= b.last {
		return "", nil
	}
	b.last = e.Position
	id, ok := domain.RunOfStream(e.Stream)
	r := b.byRun[id]
	if !ok || r == nil {
		return "", nil
	}
	f, err := domain.DecodeFact(e)
	if err != nil {
		return "", err
	}
	b.events++
	return b.applyFact(r, f), nil
}

func (b *board) applyFact(r *row, f domain.Fact) string {
	switch e := f.Event.(type) {
	case *domain.RunStarted:
		r.known = true
	case *domain.AttemptStarted:
		r.inFlight++
		r.set(e.Step, pick(e.Direction == domain.Undo, cellUndoing, cellRunning), e.Attempt)
		if e.Direction == domain.Undo && e.Attempt == 1 {
			b.undos++
		}
	case *domain.AttemptSucceeded:
		r.inFlight--
		r.set(e.Step, pick(e.Direction == domain.Undo, cellUndone, cellDone), e.Attempt)
	case *domain.AttemptFailed:
		return b.failed(r, e, f.Meta.At)
	case *domain.RunTurnedBack:
		r.state = domain.RunCompensating
		return "turns back: " + e.Cause.String()
	case *domain.RunCompleted:
		b.end(r, domain.RunIsCompleted)
		return "completed"
	case *domain.RunCompensated:
		b.end(r, domain.RunIsCompensated)
		return "compensated: everything undone"
	case *domain.RunStuck:
		r.state = domain.RunIsStuck
		return "stuck at " + e.Step + ": " + e.Cause.Message
	}
	return ""
}

func (b *board) failed(r *row, e *domain.AttemptFailed, at time.Time) string {
	r.inFlight--
	if e.Cause.Kind == domain.FailureLost {
		b.lost++
	}
	undo := e.Direction == domain.Undo
	var what strings.Builder
	fmt.Fprintf(&what, "%s%s: attempt %d %s", pick(undo, "undo of ", ""), e.Step, e.Attempt, failureText(e.Cause))
	if e.RetryAt.IsZero() {
		r.set(e.Step, cellFailed, e.Attempt)
		return what.String() + "; for good"
	}
	b.retries++
	r.set(e.Step, pick(undo, cellUndoing, cellWaiting), e.Attempt)
	fmt.Fprintf(&what, "; again in %s", story.Short(e.RetryAt.Sub(at)))
	return what.String()
}

func (b *board) end(r *row, s domain.RunState) {
	r.state = s
	b.ended++
	if s == domain.RunIsCompleted {
		b.completed++
	}
}

func (r *row) set(step string, c cell, tries int) {
	for i, name := range stepNames {
		if name == step {
			r.cells[i], r.tries[i] = c, tries
		}
	}
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}

// failureText says in a few words how an attempt failed.
func failureText(f domain.Failure) string {
	doubt := pick(f.InDoubt, ": in doubt", "")
	switch f.Kind {
	case domain.FailureTimedOut:
		return "timed out" + doubt
	case domain.FailureLost:
		return "was lost with its process" + doubt
	}
	return "failed: " + f.Message
}
