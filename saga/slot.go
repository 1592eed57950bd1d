package saga

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
)

// slot bounds the attempts of one action: how many at once, and how many start in a second.
// A run that finds no place is queued and nudged when its turn has come; it holds a reservation
// from then until its next turn ends. It is safe to use concurrently.
type slot struct {
	action  string
	limit   int
	limiter *rate.Limiter // nil for no bound
	nudge   func(domain.RunID)

	mu       sync.Mutex
	used     int // attempts in flight and reservations
	waiting  []domain.RunID
	queued   map[domain.RunID]bool
	reserved map[domain.RunID]int
	timer    *time.Timer // set while the rate holds the queue up
	// holders are the attempts that have the places.
	holders map[attemptID]holder
}

func newSlot(code *definition.Action, otherwise int, nudge func(domain.RunID)) *slot {
	s := &slot{action: code.Spec.Name, limit: orElse(code.Concurrency, otherwise), nudge: nudge,
		queued: make(map[domain.RunID]bool), reserved: make(map[domain.RunID]int), holders: make(map[attemptID]holder)}
	if code.Rate > 0 {
		s.limiter = rate.NewLimiter(rate.Limit(code.Rate), orElse(code.Burst, int(min(math.Ceil(code.Rate), math.MaxInt32))))
	}
	return s
}

// acquire takes a place for the run, or queues it and returns false.
func (s *slot) acquire(run domain.RunID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.reserved[run]; n > 0 {
		s.unreserve(run, n)
		return true
	}
	if len(s.waiting) == 0 && s.used < s.limit && s.allow() {
		s.used++
		return true
	}
	if !s.queued[run] {
		s.queued[run] = true
		s.waiting = append(s.waiting, run)
	}
	return false
}

func (s *slot) unreserve(run domain.RunID, n int) {
	if n == 1 {
		delete(s.reserved, run)
	} else {
		s.reserved[run] = n - 1
	}
}

// allow asks the rate, and sees to it that the queue moves on when it allows more. Callers hold mu.
func (s *slot) allow() bool {
	if s.limiter == nil || s.limiter.Allow() {
		return true
	}
	if s.timer == nil {
		r := s.limiter.Reserve()
		delay := r.Delay()
		r.Cancel()
		s.timer = time.AfterFunc(delay, func() {
			s.mu.Lock()
			s.timer = nil
			next := s.grant()
			s.mu.Unlock()
			s.tell(next)
		})
	}
	return false
}

// release gives a place back.
func (s *slot) release() {
	s.mu.Lock()
	s.used--
	next := s.grant()
	s.mu.Unlock()
	s.tell(next)
}

// returnUnused gives back what was reserved for a run that did not need it.
func (s *slot) returnUnused(run domain.RunID) {
	s.mu.Lock()
	n := s.reserved[run]
	if n == 0 {
		s.mu.Unlock()
		return
	}
	delete(s.reserved, run)
	s.used -= n
	next := s.grant()
	s.mu.Unlock()
	s.tell(next)
}

// grant reserves free places for those who wait, first come first served. Callers hold mu.
func (s *slot) grant() (granted []domain.RunID) {
	for len(s.waiting) > 0 && s.used < s.limit && s.allow() {
		run := s.waiting[0]
		s.waiting = s.waiting[1:]
		delete(s.queued, run)
		s.used++
		s.reserved[run]++
		granted = append(granted, run)
	}
	return granted
}

func (s *slot) tell(runs []domain.RunID) {
	for _, r := range runs {
		s.nudge(r)
	}
}

// makeSlots makes the slots of every registered action.
func (c *Coordinator) makeSlots() {
	for name, code := range c.registry.Actions() {
		s := newSlot(code, c.cfg.ActionConcurrency, nil)
		s.nudge = func(run domain.RunID) {
			c.goBackground(func(ctx context.Context) {
				if err := c.submit(ctx, run, nil); err != nil && ctx.Err() == nil {
					c.logger.Warn("run could not take its turn", "run", run, "error", err)
				}
				s.returnUnused(run)
			})
		}
		c.slots[name] = s
	}
}
