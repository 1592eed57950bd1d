package saga

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/atonehq/atone/saga/internal/contain"
)

// tellable is a sink that may panic, end its goroutine, hang or refuse: its alerts wait then, and nothing else does.
type tellable struct {
	c    *Coordinator
	sink AlertSink
	name string
}

// alertLimit is the deadline of the context that a sink is given.
const alertLimit = time.Minute

// tell gives an alert to the sink, again and again until it has taken it.
func (t *tellable) tell(ctx context.Context, a Alert) error {
	defer t.c.heldUp.over(t.name)
	for delay := time.Second; ; delay = min(2*delay, time.Minute) {
		err := t.once(ctx, a)
		if err == nil || ctx.Err() != nil {
			return err
		}
		t.c.heldUp.note(t.name, time.Now())
		t.c.logger.Warn("alert not taken, trying again", "alert", a.ID, "sink", t.name, "in", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once calls the sink. A stop lets it end what it began, for a while; a sink that does not heed its context is waited
// for while the coordinator runs, because it is not to be called twice at once.
func (t *tellable) once(ctx context.Context, a Alert) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), alertLimit)
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
		err = t.sink.Alert(within, a)
	}()
	late := time.NewTicker(alertLimit)
	defer late.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-late.C:
			t.c.heldUp.note(t.name, time.Now().Add(-alertLimit))
			t.c.logger.Error("an alert sink does not return: its alerts wait", "alert", a.ID, "sink", t.name, "limit", alertLimit)
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

// AlertsHeldUp tells for how long which sinks, by their types, have not taken the alert that they are told.
func (c *Coordinator) AlertsHeldUp() map[string]time.Duration {
	c.heldUp.mu.Lock()
	defer c.heldUp.mu.Unlock()
	list := make(map[string]time.Duration, len(c.heldUp.since))
	for sink, since := range c.heldUp.since {
		list[sink] = time.Since(since)
	}
	return list
}
