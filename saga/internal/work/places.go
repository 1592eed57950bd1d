package work

import (
	"cmp"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
)

// Places bounds the attempts of one action: how many at once, and how many start in a second. A run
// that finds no place is queued, and nudged when its turn has come; it holds a reservation from
// then until its next turn ends. All methods are safe to call concurrently.
type Places struct {
	action  string
	limit   int
	limiter *rate.Limiter // nil for no bound
	nudge   func(*Places, domain.RunID)

	mu       sync.Mutex
	used     int // attempts in flight and reservations
	waiting  []domain.RunID
	queued   map[domain.RunID]bool
	reserved map[domain.RunID]int
	timer    *time.Timer // set while the rate holds the queue up
	// holders are the attempts that have the places.
	holders map[AttemptID]holder
}

// NewPlaces makes the places of an action; otherwise is how many there are where the action does
// not say. nudge is called for a queued run for which a place is reserved; it must not block.
func NewPlaces(code *definition.Action, otherwise int, nudge func(*Places, domain.RunID)) *Places {
	p := &Places{action: code.Spec.Name, limit: cmp.Or(code.Concurrency, otherwise), nudge: nudge,
		queued: make(map[domain.RunID]bool), reserved: make(map[domain.RunID]int), holders: make(map[AttemptID]holder)}
	if code.Rate > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(code.Rate), cmp.Or(code.Burst, int(min(math.Ceil(code.Rate), math.MaxInt32))))
	}
	return p
}

// Action returns the action's name.
func (p *Places) Action() string { return p.action }

// Limit returns how many places there are.
func (p *Places) Limit() int { return p.limit }

// Acquire takes a place for the run, or queues the run and returns false. The place is to be held
// with Hold, or given back with Release.
func (p *Places) Acquire(run domain.RunID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.reserved[run]; n > 0 {
		if n == 1 {
			delete(p.reserved, run)
		} else {
			p.reserved[run] = n - 1
		}
		return true
	}
	if len(p.waiting) == 0 && p.used < p.limit && p.allow() {
		p.used++
		return true
	}
	if !p.queued[run] {
		p.queued[run] = true
		p.waiting = append(p.waiting, run)
	}
	return false
}

// Release gives a place back that no attempt holds.
func (p *Places) Release() {
	p.mu.Lock()
	p.used--
	next := p.grant()
	p.mu.Unlock()
	p.tell(next)
}

// ReturnUnused gives back what was reserved for a run that did not need it.
func (p *Places) ReturnUnused(run domain.RunID) {
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

// allow asks the rate, and sees to it that the queue moves on when it allows more. Callers hold mu.
func (p *Places) allow() bool {
	if p.limiter == nil || p.limiter.Allow() {
		return true
	}
	if p.timer == nil {
		r := p.limiter.Reserve()
		delay := r.Delay()
		r.Cancel()
		p.timer = time.AfterFunc(delay, func() {
			p.mu.Lock()
			p.timer = nil
			next := p.grant()
			p.mu.Unlock()
			p.tell(next)
		})
	}
	return false
}

// grant reserves free places for those who wait, first come first served. Callers hold mu.
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
	// InFlight counts the attempts without an outcome, and the places that are kept for runs
	// whose turn it is.
	InFlight int
	// Limit is how many may be in flight at once.
	Limit int
	// Hung counts the places of attempts that were given up and whose handlers have not
	// returned.
	Hung int
}

// Depth returns how much work there is.
func (p *Places) Depth() Depth {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Depth{Waiting: len(p.waiting), InFlight: p.used, Limit: p.limit, Hung: p.hung()}
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
