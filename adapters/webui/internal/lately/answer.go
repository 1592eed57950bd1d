package lately

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// every is how often a question is asked at most.
	every = 3 * time.Second
	// patience is how long a page waits for the answer to a question that it asks.
	patience = time.Second
)

// Answer is the latest answer to one question. Its zero value has the answer zero, and asks at the
// first call. It is safe for concurrent use.
type Answer[T any] struct {
	mu     sync.Mutex
	value  T
	asked  time.Time
	asking bool
}

var errNoAnswer = errors.New("the question panicked")

// Get returns the latest answer. If it is older than 3 s, Get asks again and waits for the answer,
// for at most a second. While one page asks, the others get the answer of before: they never wait
// for it. After an error the answer of before stands for another 3 s.
func (a *Answer[T]) Get(ctx context.Context, now time.Time, ask func(context.Context) (T, error)) (latest T) {
	a.mu.Lock()
	if a.asking || !a.asked.IsZero() && now.Sub(a.asked) < every {
		defer a.mu.Unlock()
		return a.value
	}
	a.asking = true
	a.mu.Unlock()
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	value, err := latest, errNoAnswer
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.asking = false
		if ctx.Err() == nil { // else the reader has left, and the next page asks
			a.asked = now
		}
		if err == nil {
			a.value = value
		}
		latest = a.value
	}()
	value, err = ask(within)
	return latest
}
