package work

import (
	"time"

	"github.com/atonehq/atone/saga/explain"
)

// holder is an attempt that has a place of its action.
type holder struct {
	since time.Time
	// gaveUp is when the attempt was given up although its handler had not returned.
	gaveUp time.Time
}

// Hold gives an acquired place to an attempt.
func (p *Places) Hold(id AttemptID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holders[id] = holder{since: now}
}

// GiveBackOf gives an attempt's place back.
func (p *Places) GiveBackOf(id AttemptID) {
	p.mu.Lock()
	delete(p.holders, id)
	p.mu.Unlock()
	p.GiveBack()
}

// GaveUp notes that an attempt was given up while its handler goes on, unless its place is free by
// now.
func (p *Places) GaveUp(id AttemptID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h, ok := p.holders[id]; ok {
		h.gaveUp = now
		p.holders[id] = h
	}
}

// Hanging returns the attempt if it was given up and its handler goes on; otherwise nil.
func (p *Places) Hanging(id AttemptID) *explain.Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.holders[id]
	if !ok || h.gaveUp.IsZero() {
		return nil
	}
	return h.place(id)
}

// Oldest returns the attempt that has had its place for longest, hanging ones first, or nil if a
// place is free.
func (p *Places) Oldest() *explain.Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used < p.limit {
		return nil
	}
	var first *explain.Place
	for id, h := range p.holders {
		if at := h.place(id); first == nil || before(at, first) {
			first = at
		}
	}
	return first
}

// before orders places: hanging attempts first, then by time.
func before(a, b *explain.Place) bool {
	if hangs := !a.GivenUp.IsZero(); hangs != !b.GivenUp.IsZero() {
		return hangs
	}
	return a.Since.Before(b.Since)
}

func (h holder) place(id AttemptID) *explain.Place {
	return &explain.Place{Run: id.Run, Step: id.Step, Direction: id.Direction, Attempt: id.Number, Since: h.since, GivenUp: h.gaveUp}
}
