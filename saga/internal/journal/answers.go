package journal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// answers is what is known of a log by its answers to appends. Reads say nothing: a cluster without
// a majority goes on serving them. It is safe to use concurrently.
type answers struct {
	mu       sync.Mutex
	inFlight int
	unclear  bool      // the last append that ended had no answer
	since    time.Time // since when there was no answer; zero while nobody waits for one
}

func (a *answers) began() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight++
	if a.since.IsZero() {
		a.since = time.Now()
	}
}

func (a *answers) ended(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	switch {
	case answered(err):
		a.unclear, a.since = false, time.Now()
	case !errors.Is(err, context.Canceled): // an append whose caller gave up says nothing
		a.unclear = true
	}
	if a.inFlight == 0 && !a.unclear {
		a.since = time.Time{}
	}
}

// answered reports whether an append's error is the log's own word.
func answered(err error) bool {
	if err == nil {
		return true
	}
	for _, word := range [...]error{domain.ErrConflict, domain.ErrTooLarge, domain.ErrStreamDeleted, domain.ErrAccessDenied} {
		if errors.Is(err, word) {
			return true
		}
	}
	return false
}

func (a *answers) silence() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since.IsZero() {
		return 0
	}
	return time.Since(a.since)
}
