package nodes

import (
	"sync"

	"github.com/atonehq/atone/domain"
)

// fullLink is how many calls one connection gets before the next is used: fewer than the 100 that
// servers take at once, but many, because calls on one connection share its writes to the network.
const fullLink = 64

// Pool is a growing number of links for calls of one kind. It is safe to use concurrently.
type Pool struct {
	Open  func() *Link
	Limit int // 0 is none

	mu     sync.Mutex
	links  []*Link
	next   int
	closed bool
}

// Pick chooses the link for an attempt (0, 1, 2 …) of a call: the first that is not full, or a new
// one, or, at the limit, the next in turn. A repeated attempt goes to the next link, as the first
// may be at fault.
func (p *Pool) Pick(attempt int) (*Link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, domain.ErrClosed
	}
	if attempt == 0 {
		for _, l := range p.links {
			if l.Busy.Load() < fullLink {
				return l, nil
			}
		}
	}
	if len(p.links) == 0 || attempt == 0 && (p.Limit == 0 || len(p.links) < p.Limit) {
		l := p.Open()
		p.links = append(p.links, l)
		return l, nil
	}
	p.next++
	return p.links[p.next%len(p.links)], nil
}

// Close closes the links for good.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, l := range p.links {
		l.Close()
	}
}
