package hands

import "sync"

// maxIdle bounds the goroutines that wait for work; further ones end when they have nothing to do.
const maxIdle = 512

// Pool runs each function on its own goroutine, as a go statement does, so no function waits for
// another. The zero value is ready to use; a nil Pool keeps no goroutines. All methods are safe to
// call concurrently.
type Pool struct {
	mu     sync.Mutex
	idle   []chan func() // inlets of the waiting goroutines; the last one has waited least
	closed bool
}

// Go runs f. A function that panics ends the process, as with a go statement; one that ends its
// goroutine (runtime.Goexit) takes that goroutine out of the pool.
func (p *Pool) Go(f func()) {
	if p == nil {
		go f()
		return
	}
	if inlet := p.take(); inlet != nil {
		inlet <- f
		return
	}
	go p.run(f)
}

// take returns the inlet of a goroutine that waits, or nil.
func (p *Pool) take() chan func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	inlet := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return inlet
}

// run runs f, and then further functions that this goroutine receives.
func (p *Pool) run(f func()) {
	inlet := make(chan func(), 1)
	for f != nil {
		f()
		if !p.rest(inlet) {
			return
		}
		f = <-inlet
	}
}

// rest makes a goroutine idle and waiting, unless there are enough of them or the pool is closed.
func (p *Pool) rest(inlet chan func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= maxIdle {
		return false
	}
	p.idle = append(p.idle, inlet)
	return true
}

// Close ends the goroutines that wait. Others end when their function has returned. Go still works
// afterwards, with a new goroutine for each function.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, inlet := range idle {
		inlet <- nil
	}
}
