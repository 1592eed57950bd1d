package alerts

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
	"github.com/atonehq/atone/saga/internal/contain"
)

// sink is a sink that may panic, end its goroutine, hang or refuse: its alerts wait then, and
// nothing else does.
type sink struct {
	a    *Alerts
	sink domain.AlertSink
	name string
}

const (
	// sinkLimit is the deadline of the context that a sink is given.
	sinkLimit = time.Minute
	// stopPatience is for how long a stop waits for a sink to end what it began, and then for it to
	// heed the end of its context.
	stopPatience = 2 * time.Second
)

// tell gives an alert to the sink, again and again until the sink has taken it, or ctx ends.
func (s *sink) tell(ctx context.Context, alert domain.Alert) error {
	defer s.a.held.over(s.name)
	return again.Until(ctx, time.Second, time.Minute, func() error { return s.once(ctx, alert) },
		func(err error, _ int, in time.Duration) {
			s.a.held.note(s.name, time.Now())
			s.a.Logger.Warn("alert not taken, trying again", "alert", alert.ID, "sink", s.name, "in", in, "error", err)
		})
}

// once calls the sink. A stop lets the sink end what it began, for a while. A sink that does not
// heed its context is waited for while the coordinator runs, because a sink is not called twice at
// once.
func (s *sink) once(ctx context.Context, alert domain.Alert) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), sinkLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := error(contain.Exit())
		defer func() {
			if p := recover(); p != nil {
				err = contain.Panic(p)
			}
			done <- err
		}()
		err = s.sink.Alert(within, alert)
	}()
	late := time.NewTicker(sinkLimit)
	defer late.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-late.C:
			s.a.held.note(s.name, time.Now().Add(-sinkLimit))
			s.a.Logger.Error("an alert sink does not return: its alerts wait", "alert", alert.ID, "sink", s.name, "limit", sinkLimit)
		case <-ctx.Done():
			select {
			case err := <-done:
				return err
			case <-time.After(stopPatience):
			}
			cancel()
			select {
			case err := <-done:
				return errors.Join(err, ctx.Err())
			case <-time.After(stopPatience):
				return ctx.Err()
			}
		}
	}
}

// heldUp is since when which sinks have not taken an alert. It is safe to use concurrently.
type heldUp struct {
	mu    sync.Mutex
	since map[string]time.Time
}

func (h *heldUp) note(sink string, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since == nil {
		h.since = make(map[string]time.Time)
	}
	if _, ok := h.since[sink]; !ok {
		h.since[sink] = since
	}
}

func (h *heldUp) over(sink string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.since, sink)
}

// list tells for how long each has not.
func (h *heldUp) list() map[string]time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make(map[string]time.Duration, len(h.since))
	for sink, since := range h.since {
		list[sink] = time.Since(since)
	}
	return list
}
