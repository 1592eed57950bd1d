package explore

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Edges is where handlers meet the world. Each call that goes through it is a point at which the
// world may answer otherwise. It is safe to use concurrently.
type Edges struct {
	mu sync.Mutex
	x  *scene
}

// Cross tells that a handler calls the other side, and returns what becomes of the call: [OK],
// [NeverLeft], [AnswerLost], [TimedOut], [TimedOutDone], [Died], [DiedDone], or one of the given
// further answers of the other side. After [AnswerLost], [TimedOutDone] and [DiedDone] the other
// side does what it was asked, and the caller gets an error all the same.
//
// what names the call for people. Outside of handlers every call goes through.
func (e *Edges) Cross(what string, further ...Answer) Answer {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.x
	if x == nil || x.calls == nil {
		return OK
	}
	fl := x.calls
	if a := fl.ended(); a != OK {
		return a
	}
	fl.edges++
	if fl.plain {
		// up: a second delivery is looked at from edge to edge
		x.again.sees(x, what)
		return OK
	}
	// up: edges are where handlers can be put aside
	if x.putAside(fl) {
		x.say("  before " + what + ", something else happens")
		e.mu.Unlock()
		fl.strand.Aside()
		e.mu.Lock()
		x.calls = fl
		if a := fl.ended(); a != OK {
			return a
		}
	}
	name := fmt.Sprintf("%s > %d", fl.name, fl.edges)
	key := fmt.Sprintf("%s > %d", fl.at, fl.edges)
	a, goesOn := x.goesOn(key, fl)
	if !goesOn {
		a = x.choose(name, x.edgeAnswers(fl, further), fl.kind+": "+strings.ReplaceAll(what, "\n", " "))
		x.keep(key, a)
	}
	x.say("  " + what + x.becomes(a.base()))
	switch a = a.base(); a {
	case Died, DiedDone:
		fl.fate = a
	case TimedOut, TimedOutDone:
		fl.fate = a
		if due := fl.task.Due; due.After(x.now) {
			x.now = due
		}
		fl.ctx.end()
	}
	return a
}

// ended returns how each call of a handler ends whose attempt has met its fate, [OK] for others.
func (fl *flight) ended() Answer {
	switch fl.fate {
	case Died, DiedDone:
		return Died // what comes after a death has no effect
	case TimedOut, TimedOutDone:
		return TimedOut
	}
	return OK
}

// Dead reports whether the process of the handler that is called has died: what it does has no
// effect.
func (e *Edges) Dead() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.x != nil && e.x.calls != nil && e.x.calls.ended() == Died
}

func (x *scene) becomes(a Answer) string {
	if a == OK {
		return ""
	}
	return ": " + string(a)
}

func (x *scene) edgeAnswers(fl *flight, further []Answer) []Answer {
	once := append([]Answer{NeverLeft, AnswerLost, TimedOut, TimedOutDone, Died, DiedDone}, further...)
	return extents(fl.left(), once...)
}

// Now is the scene's time, for worlds that keep times.
func (e *Edges) Now() (now time.Time) {
	if e.x != nil {
		now = e.x.now
	}
	return now
}
