package httpapi

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/atonehq/atone/adapters/httpapi/auth"
)

// streams counts the live streams that are open, in all and for each client, so that one client
// can't take every place.
type streams struct {
	limit, perClient int

	mu   sync.Mutex
	all  int
	open map[string]int // by client; none is kept that has no stream
}

func newStreams(limit, perClient int) *streams {
	return &streams{limit: limit, perClient: perClient, open: make(map[string]int)}
}

// take takes a place for the client, until release is called. Errors: [errStreams],
// [errOwnStreams].
func (s *streams) take(client string) (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all >= s.limit:
		return nil, errStreams
	case s.open[client] >= s.perClient:
		return nil, fmt.Errorf("%w: %d", errOwnStreams, s.perClient)
	}
	s.all++
	s.open[client]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.open[client]--; s.open[client] == 0 {
			delete(s.open, client)
		}
	}), nil
}

// clientOf names whom a stream is counted for: the token, or the address where the server asks for
// none.
func clientOf(r *http.Request) string {
	if id, ok := auth.IdentityOf(r.Context()); ok && !id.Open {
		return "token " + id.Name
	}
	return "address " + auth.AddressOf(r)
}
