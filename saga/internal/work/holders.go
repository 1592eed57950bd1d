package work

import (
	"time"

	"github.com/atonehq/atone/saga/machine"
)

// holder is an attempt that has a place of its action.
type holder struct {
	since time.Time
	// gaveUp is when the attempt was given up, whose handler has not returned.
	gaveUp time.Time
}

// Hold notes that an attempt has a place that was acquired.
func (p *Places) Hold(id AttemptID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holders[id] = holder{since: now}
}

// Free gives an attempt's place back.
func (p *Places) Free(id AttemptID) {
	p.mu.Lock()
	delete(p.holders, id)
	p.mu.Unlock()
	p.Release()
}

// GaveUp notes that an attempt was given up whose handler goes on, unless its place is free by now.
func (p *Places) GaveUp(id AttemptID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h, ok := p.holders[id]; ok {
		h.gaveUp = now
		p.holders[id] = h
	}
}

// Hanging returns the attempt if its handler goes on though the attempt was given up, else nil.
func (p *Places) Hanging(id AttemptID) *machine.Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.holders[id]
	if !ok || h.gaveUp.IsZero() {
		return nil
	}
	return h.place(id)
}

// Oldest returns the attempt that has had a place for longest, one that hangs before all others, or
// nil if a place is free.
func (p *Places) Oldest() *machine.Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used < p.limit {
		return nil
	}
	var first *machine.Place
	for id, h := range p.holders {
		if at := h.place(id); first == nil || before(at, first) {
			first = at
		}
	}
	return first
}

// before orders places: those of attempts that hang first, then by their time.
func before(a, b *machine.Place) bool {
	if hangs := !a.GivenUp.IsZero(); hangs != !b.GivenUp.IsZero() {
		return hangs
	}
	return a.Since.Before(b.Since)
}

func (h holder) place(id AttemptID) *machine.Place {
	return &machine.Place{Run: id.Run, Step: id.Step, Direction: id.Direction, Attempt: id.Number, Since: h.since, GivenUp: h.gaveUp}
}
