package acts

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

const (
	// maxKept is how many acts of a person are kept; the oldest are dropped.
	maxKept = 20
	// following is for how long runs are followed after an act.
	following = 10 * time.Minute
)

// Book has the acts of people. It is safe for concurrent use.
type Book struct {
	// wait waits until a run has ended or is stuck, and returns why it did not complete.
	wait func(ctx context.Context, run domain.RunID) error
	now  func() time.Time

	mu   sync.Mutex
	kept map[string][]*Act // by person, the newest first
}

// New returns an empty book. wait waits until a run has ended or is stuck, and returns why it did
// not complete.
func New(wait func(ctx context.Context, run domain.RunID) error, now func() time.Time) *Book {
	return &Book{wait: wait, now: now, kept: make(map[string][]*Act)}
}

// Act is something that a person did to runs. It is safe for concurrent use.
type Act struct {
	id, person string
	what       domain.BulkAct
	reason     string
	begun      time.Time
	ctx        context.Context //nolint:containedctx // an act outlives the request that began it
	stop       context.CancelFunc
	wait       func(ctx context.Context, run domain.RunID) error
	mu         sync.Mutex
	chosen     int
	rows       []row
	ended      bool
	stopped    bool
	err        error
}

// row is one run of an act.
type row struct {
	domain.BulkResult
	standing standing
	cause    string
}

// standing is how a run stands after an act on it.
type standing int

const (
	refused standing = iota
	goesOn
	done
	stuck
	unknown // it can't be followed
)

// Begin notes that the person does something to so many runs. ctx bounds the act and what follows
// from it; it is not that of a request.
func (b *Book) Begin(ctx context.Context, person string, what domain.BulkAct, reason string, runs int) *Act {
	a := &Act{id: uuid.NewString(), person: person, what: what, reason: reason, begun: b.now(), wait: b.wait, chosen: runs}
	a.ctx, a.stop = context.WithTimeout(ctx, following)
	b.mu.Lock()
	defer b.mu.Unlock()
	list := append([]*Act{a}, b.kept[person]...)
	for _, old := range list[min(maxKept, len(list)):] {
		old.stop()
	}
	b.kept[person] = list[:min(maxKept, len(list))]
	return a
}

// Do does the act, on a goroutine of its own, and notes its end. do calls [Act.Note] for each run.
// Its context does not end when the person dismisses the act. A panic ends the act, not the
// program.
func (a *Act) Do(do func(ctx context.Context) (stopped bool, err error)) {
	go func() {
		var stopped bool
		err := contained(func() (err error) {
			stopped, err = do(context.WithoutCancel(a.ctx))
			return err
		})
		a.End(stopped, err)
	}()
}

// contained calls f and returns its error; a panic is one.
func contained(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	return f()
}

// Note notes what happened to a run. One that the act was done to is followed.
func (a *Act) Note(r domain.BulkResult) {
	next := row{BulkResult: r, standing: refused}
	follows := r.Done && a.what != domain.BulkPause && a.what != domain.BulkAbandon
	switch {
	case follows:
		next.standing = goesOn
	case r.Done:
		next.standing, next.State = done, after[a.what]
	}
	a.mu.Lock()
	at := len(a.rows)
	a.rows = append(a.rows, next)
	a.mu.Unlock()
	if follows {
		go a.follow(at, r.Run)
	}
}

// after is how a run stands after an act of which nothing more comes.
var after = map[domain.BulkAct]domain.RunState{domain.BulkPause: "paused", domain.BulkAbandon: domain.RunIsAbandoned}

// follow waits until the run has ended or is stuck. A run that panics, hangs or is gone concerns
// its own row alone.
func (a *Act) follow(at int, run domain.RunID) {
	err := contained(func() error { return a.wait(a.ctx, run) })
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &a.rows[at]
	e, over := domain.EndingOf(err)
	if !over {
		if a.ctx.Err() == nil { // else nobody follows it any longer, and it goes on
			r.standing, r.cause = unknown, err.Error()
		}
		return
	}
	r.standing, r.State = done, e.State
	if e.State == domain.RunIsStuck {
		r.standing = stuck
		if e.Cause != nil {
			r.cause = e.Cause.Message
		}
	}
}

// End notes that nothing more is done: that it stopped after too many failures, or an error.
func (a *Act) End(stopped bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended, a.stopped, a.err = true, stopped, err
}

// find returns an act of the person, nil where there is none.
func (b *Book) find(person, id string) *Act {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.kept[person] {
		if a.id == id {
			return a
		}
	}
	return nil
}

// Dismiss forgets an act of the person. What it does goes on.
func (b *Book) Dismiss(person, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept[person] = slices.DeleteFunc(b.kept[person], func(a *Act) bool {
		if a.id == id {
			a.stop()
		}
		return a.id == id
	})
	if len(b.kept[person]) == 0 {
		delete(b.kept, person)
	}
}
