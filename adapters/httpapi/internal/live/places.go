package live

import (
	"errors"
	"fmt"
	"sync"
)

// Errors of [Places.Take].
var (
	ErrFull = errors.New("too many live streams are open: close some, or try again later")
	// ErrOwnFull means that the client has as many streams open as one client may have.
	ErrOwnFull = errors.New("you have as many live streams open as one client may: close some")
)

// Places counts the open live streams, in all and for each client, so that one client can't take
// every place. It is safe for concurrent use.
type Places struct {
	limit, perClient int

	mu   sync.Mutex
	all  int
	open map[string]int // by client; clients without a stream are removed
}

// NewPlaces allows limit streams in all, and perClient for each client.
func NewPlaces(limit, perClient int) *Places {
	return &Places{limit: limit, perClient: perClient, open: make(map[string]int)}
}

// Take takes a place for the client. The caller must call release when the stream ends. Errors:
// [ErrFull], [ErrOwnFull].
func (p *Places) Take(client string) (release func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.all >= p.limit:
		return nil, ErrFull
	case p.open[client] >= p.perClient:
		return nil, fmt.Errorf("%w: %d", ErrOwnFull, p.perClient)
	}
	p.all++
	p.open[client]++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all--
		if p.open[client]--; p.open[client] == 0 {
			delete(p.open, client)
		}
	}), nil
}
