package definition

import (
	"fmt"
	"time"

	"github.com/atonehq/atone/saga/internal/contain"
)

// attempt is a step's function to be tried during Define.
type attempt struct {
	at  *step
	run func(Scope)
}

// trial notes what a function reads that is tried.
type trial struct{ read []*Source }

// trialLimit is how long a function may take in its trial; one that takes longer hangs, or does
// what no expression should.
const trialLimit = 10 * time.Second

// tryAll tries every function and checks what it reads. That happens after the whole saga is built,
// so that a Ref assigned after the closure that reads it is told from one never assigned.
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

// try runs the function and returns what it read, also where it then panicked: made-up values may
// be more than the author's code can take.
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
