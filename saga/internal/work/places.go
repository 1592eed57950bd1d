package work

import (
	"cmp"
	"math"
	"sync"

	"golang.org/x/time/rate"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/timers"
)

// Places bounds the attempts of one action: how many run at once, and how many start in a second. A
// run that finds no free place is queued. When a place becomes free, it is reserved for the run and
// the run is nudged; the reservation lasts until the run's next turn ends. All methods are safe to
// call concurrently.
type Places struct {
	clock   *timers.Clock
	action  string
	limit   int
	limiter *rate.Limiter // nil for no bound
	nudge   func(*Places, domain.RunID)

	mu       sync.Mutex
	used     int // attempts in flight and reservations
	waiting  []domain.RunID
	queued   map[domain.RunID]bool
	reserved map[domain.RunID]int
	paced    bool // the queue waits for the rate, until an alarm
	// heldOthers and heldUndos mean that no undo, or nothing else, starts; held are the runs that
	// wait for that to end, in the order in which they came.
	heldOthers, heldUndos bool
	held                  []domain.RunID
	isHeld                map[domain.RunID]bool
	// holders are the attempts that have the places.
	holders map[AttemptID]holder
}

// NewPlaces makes the places of an action. otherwise is their number if the action sets none. nudge
// is called for a queued run when a place is reserved for it; it must not block.
func NewPlaces(clock *timers.Clock, code *definition.Action, otherwise int, nudge func(*Places, domain.RunID)) *Places {
	p := &Places{clock: clock, action: code.Spec.Name, limit: cmp.Or(code.Concurrency, otherwise), nudge: nudge,
		queued: make(map[domain.RunID]bool), isHeld: make(map[domain.RunID]bool), reserved: make(map[domain.RunID]int), holders: make(map[AttemptID]holder)}
	if code.Rate > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(code.Rate), cmp.Or(code.Burst, int(min(math.Ceil(code.Rate), math.MaxInt32))))
	}
	return p
}

// Action returns the action's name.
func (p *Places) Action() string { return p.action }

// Limit returns how many places there are.
func (p *Places) Limit() int { return p.limit }

// Got is what became of a wish for a place.
type Got uint8

// The answers of [Places.Acquire].
const (
	GotPlace Got = iota
	GotQueued
	// GotHeld means that a person holds the action.
	GotHeld
)

// Acquire takes a place for an undo of the run, or for another attempt, or queues the run: it is
// nudged when there is a place, or when the action is released. The caller must give the place to
// an attempt with Hold, or give it back with GiveBack.
func (p *Places) Acquire(run domain.RunID, undo bool) Got {
	p.mu.Lock()
	defer p.mu.Unlock()
	if undo && p.heldUndos || !undo && p.heldOthers {
		if !p.isHeld[run] {
			p.isHeld[run] = true
			p.held = append(p.held, run)
		}
		return GotHeld // a place that is reserved for the run goes back when its turn ends
	}
	if n := p.reserved[run]; n > 0 {
		if n == 1 {
			delete(p.reserved, run)
		} else {
			p.reserved[run] = n - 1
		}
		return GotPlace
	}
	if len(p.waiting) == 0 && p.used < p.limit && p.allow() {
		p.used++
		return GotPlace
	}
	p.queue(run)
	return GotQueued
}

// queue has a run wait for a place. Callers hold mu.
func (p *Places) queue(run domain.RunID) {
	if !p.queued[run] {
		p.queued[run] = true
		p.waiting = append(p.waiting, run)
	}
}

// SetHeld says whether undos of the action are held from now on, and whether all else is. What has
// started goes on. It returns the runs that are to take their turn, because what they wait for a
// place for may be held now: those that wait for another reason must not wait behind them.
func (p *Places) SetHeld(others, undos bool) (again []domain.RunID) {
	p.mu.Lock()
	more := others && !p.heldOthers || undos && !p.heldUndos
	less := !others && p.heldOthers || !undos && p.heldUndos
	p.heldOthers, p.heldUndos = others, undos
	if more {
		again, p.waiting = p.waiting, nil
		clear(p.queued)
	}
	if less {
		for _, run := range p.held {
			p.queue(run)
		}
		p.held = nil
		clear(p.isHeld)
	}
	next := p.grant()
	p.mu.Unlock()
	p.tell(next)
	return again
}

// GiveBack gives a place back that no attempt holds.
func (p *Places) GiveBack() {
	p.mu.Lock()
	p.used--
	next := p.grant()
	p.mu.Unlock()
	p.tell(next)
}

// GiveBackUnused gives back a run's unused reservations.
func (p *Places) GiveBackUnused(run domain.RunID) {
	p.mu.Lock()
	n := p.reserved[run]
	if n == 0 {
		p.mu.Unlock()
		return
	}
	delete(p.reserved, run)
	p.used -= n
	next := p.grant()
	p.mu.Unlock()
	p.tell(next)
}

// allow checks the rate and, if it is used up, sets an alarm that serves the queue when the rate
// allows more. Callers hold mu.
func (p *Places) allow() bool {
	if p.limiter == nil {
		return true
	}
	now := p.clock.Steady()
	if p.limiter.AllowN(now, 1) {
		return true
	}
	if !p.paced {
		p.paced = true
		r := p.limiter.ReserveN(now, 1)
		at := now.Add(r.DelayFrom(now))
		r.CancelAt(now)
		p.clock.At(at, p.allowMore)
	}
	return false
}

// allowMore serves the queue after the rate has held it up.
func (p *Places) allowMore() {
	p.mu.Lock()
	p.paced = false
	next := p.grant()
	p.mu.Unlock()
	p.tell(next)
}

// grant reserves free places for waiting runs, first come first served. Callers hold mu.
func (p *Places) grant() (granted []domain.RunID) {
	for len(p.waiting) > 0 && p.used < p.limit && p.allow() {
		run := p.waiting[0]
		p.waiting = p.waiting[1:]
		delete(p.queued, run)
		p.used++
		p.reserved[run]++
		granted = append(granted, run)
	}
	return granted
}

func (p *Places) tell(runs []domain.RunID) {
	for _, run := range runs {
		p.nudge(p, run)
	}
}

// Depth is how much work there is for an action.
type Depth struct {
	// Waiting counts the runs that wait for a free place.
	Waiting int
	// InFlight counts the attempts without an outcome, and the places that are kept for runs whose
	// turn it is.
	InFlight int
	// Held counts the runs that wait until the action is released.
	Held int
	// Limit is how many may be in flight at once.
	Limit int
	// Hung counts the places of attempts that were given up and whose handlers have not returned,
	// see Action.Concurrency.
	Hung int
}

// Depth returns how much work there is.
func (p *Places) Depth() Depth {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Depth{Waiting: len(p.waiting), Held: len(p.held), InFlight: p.used, Limit: p.limit, Hung: p.hung()}
}

// hung counts the places whose attempts were given up. Callers hold mu.
func (p *Places) hung() (n int) {
	for _, h := range p.holders {
		if !h.gaveUp.IsZero() {
			n++
		}
	}
	return n
}
