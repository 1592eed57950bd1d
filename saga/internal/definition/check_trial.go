package definition

import (
	"fmt"
	"time"

	"github.com/atonehq/atone/saga/internal/contain"
)

// attempt is a step's function that is tried during Define.
type attempt struct {
	at  *step
	run func(Scope)
}

// trial notes what a function reads while it is tried.
type trial struct{ read []*Source }

// trialLimit is how long a function may take in its trial. A function that takes longer hangs, or
// does work that does not belong into an expression.
const trialLimit = 10 * time.Second

// tryAll tries every function and checks its reads. It runs after the whole saga is built, to
// distinguish a Ref that is assigned after the closure which reads it from one that is never
// assigned.
func (b *Builder) tryAll(limit time.Duration) {
	for _, a := range b.attempts {
		read, err := a.try(limit)
		if contain.Hung(err) {
			b.fail(a.at.key, "its function did not return within %v for made-up values (numbers are 1, lists have one element): it must not wait or loop for ever", limit)
			continue
		}
		if err != nil {
			b.untried = append(b.untried, Untried{Step: a.at.key, Panic: err.Error()})
		}
		told := map[*Source]bool{}
		for _, src := range read {
			if told[src] {
				continue
			}
			told[src] = true
			if src == nil {
				b.fail(a.at.key, "reads a Ref that no step made: assign it from the step that makes it")
			} else if why := src.hiddenFrom(a.at); why != "" {
				b.fail(a.at.key, "reads %s, %s", src.Path(), why)
			}
		}
	}
}

// try runs the function and returns its reads, even if it then panicked: the author's code may not
// handle made-up values.
func (a attempt) try(limit time.Duration) ([]*Source, error) {
	t := &trial{}
	_, err := contain.Call(limit, func() (any, error) {
		defer func() {
			if p := recover(); p != nil {
				panic(fmt.Sprintf("%v%s", p, panicSite()))
			}
		}()
		a.run(Scope{trial: t})
		return nil, nil
	})
	if contain.Hung(err) {
		return nil, err // the function may still be reading
	}
	return t.read, err
}
