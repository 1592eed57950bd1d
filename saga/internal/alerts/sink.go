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

// sink calls a sink that may panic, end its goroutine, hang or fail. Only this sink's alerts wait
// then.
type sink struct {
	a    *Alerts
	sink domain.AlertSink
	name string
}

const (
	// sinkLimit is the timeout of a sink's context.
	sinkLimit = time.Minute
	// stopPatience is how long a stop waits for a sink's call to end, and then again after it has
	// cancelled the context.
	stopPatience = 2 * time.Second
)

// tell sends an alert to the sink, with what people know its run by, again and again until the sink
// accepts it or ctx ends.
func (s *sink) tell(ctx context.Context, alert domain.Alert) error {
	if alert.Run != (domain.RunID{}) {
		if r, _, err := s.a.Started(ctx, alert.Run); err == nil {
			alert.Saga, alert.Version, alert.Key, alert.Labels, alert.Parent = r.Saga, r.Version, r.Key, r.Labels, r.Parent
		}
	}
	defer s.a.held.over(s.name)
	return again.Until(ctx, time.Second, time.Minute, func() error { return s.once(ctx, alert) },
		func(err error, _ int, in time.Duration) {
			s.a.held.note(s.name, time.Now())
			s.a.Logger.Warn("alert not taken, trying again", "alert", alert.ID, "sink", s.name, "in", in, "error", err)
		})
}

// once calls the sink. A stop gives the call some time to end. While the coordinator runs, once
// waits for a sink that ignores its context, because a sink is never called twice at once.
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

// heldUp notes, by sink, since when the sink has not accepted an alert. It is safe to use
// concurrently.
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
