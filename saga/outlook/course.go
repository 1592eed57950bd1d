package outlook

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// course is one course of events: a state, and what led to it.
type course struct {
	s   *machine.State
	now time.Time
	// surprises counts the answers that deviate from a run in which everything succeeds.
	surprises int
	answers   []Answer
	depends   []string
	// silent are the steps that wait for what never comes.
	silent []string
	// then is what happens first when it is its turn.
	then func(*course) bool
	// moved means that the world answered anything.
	moved bool
	// blocked are the reasons why the run can't go on here.
	blocked []string
}

// wait has a course wait until those with fewer surprises were looked at.
func (x *search) wait(c *course, surprises int) {
	c.surprises = surprises
	for len(x.waiting) <= surprises {
		x.waiting = append(x.waiting, nil)
	}
	x.waiting[surprises] = append(x.waiting[surprises], c)
	x.copied += size(c.s)
}

const (
	// maxCopied bounds the steps of all states that wait, and with them the memory of a search.
	maxCopied = 60_000
	// copying is how much more it takes to copy a step than to look at it, and folding how much
	// more it takes to come to an event and fold it.
	copying, folding = 4, 10
)

// fork has a course go another way, too.
func (x *search) fork(c *course, surprises int, then func(*course) bool, answers ...Answer) {
	n := size(c.s)
	if x.full() || x.copied+n > maxCopied {
		x.missed = errMuch
		return
	}
	x.looked += copying * n
	x.wait(&course{s: c.s.Clone(), now: c.now, moved: true, depends: slices.Clip(c.depends), silent: slices.Clip(c.silent), then: then,
		answers: append(slices.Clip(c.answers), answers...)}, c.surprises+surprises)
}

// full reports whether no further courses are to wait: what is left of the search is for those
// that do.
func (x *search) full() bool { return 2*x.looked > x.most }

// size returns how many steps a state has, and one for the run itself.
func size(s *machine.State) int {
	n := 1
	s.Steps(func(*machine.Step) { n++ })
	return n
}

// isNew reports whether nobody was in that state before.
func (x *search) isNew(c *course) bool {
	x.states++
	x.looked += size(c.s)
	x.buf = c.s.Fingerprint(x.buf[:0])
	for _, path := range c.silent {
		x.buf = append(append(x.buf, 0), path...)
	}
	key := sha256.Sum256(x.buf)
	if x.seen[key] {
		return false
	}
	x.seen[key] = true
	return true
}

// decide has the machine decide on what happens, folds it, and reports whether anything did.
func (x *search) decide(c *course, in machine.Intent) bool {
	events, err := machine.Decide(c.s, machine.Under{Intent: in, Policy: x.q.Code.Policy}, c.now)
	if err != nil {
		return false
	}
	for _, e := range events {
		x.fold(c, e)
	}
	return len(events) > 0
}

func (x *search) fold(c *course, e domain.Event) {
	x.looked += folding
	c.s = machine.Evolve(c.s, domain.Fact{Event: e, Meta: domain.Meta{At: c.now}, Revision: uint64(c.s.Revision + 1)})
}

// until lets time pass up to an instant, and reports whether anything happened then.
func (x *search) until(c *course, at time.Time) bool {
	if at.After(c.now) {
		c.now = at
	}
	// The fates of attempts are the world's answers: none is given up because time passed.
	if x.decide(c, machine.Tick{Elsewhere: func(string) bool { return true }}) {
		return true
	}
	owes := false
	c.s.Todo(c.now, func(machine.Duty, *machine.Step) bool { owes = true; return false })
	return owes
}
