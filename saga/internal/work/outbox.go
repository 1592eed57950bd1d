package work

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/cenkalti/backoff/v5"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/timers"
)

// Outbox publishes attempts as messages, to workers in this process or elsewhere. All methods are
// safe to call concurrently.
type Outbox struct {
	cfg OutboxConfig

	mu sync.Mutex
	// refused says why the broker refuses attempts whose start is durable.
	refused map[AttemptID]string
}

// OutboxConfig configures an [Outbox]. All fields but Namespace and Log are required.
type OutboxConfig struct {
	Publisher message.Publisher
	Namespace string
	// Log is the id of the runs' log; empty if only this process reads the messages.
	Log    string
	Logger *slog.Logger
	Clock  *timers.Clock
	// Life is the context of the messages.
	Life context.Context
	// Background runs a function until the coordinator stops, or does not run it once that has
	// stopped.
	Background func(func(context.Context)) bool
	// GiveUp records an attempt as uncounted, because its time was over before the broker accepted
	// it.
	GiveUp func(ctx context.Context, t *Task, why string)
}

// NewOutbox makes an outbox. It starts nothing.
func NewOutbox(cfg OutboxConfig) *Outbox {
	return &Outbox{cfg: cfg, refused: make(map[AttemptID]string)}
}

// Send publishes an attempt. If the broker refuses it, Send tries again in the background until the
// broker accepts it or the coordinator stops; the next start then takes the attempt up. If the
// attempt's time is over before, it does not count: another one follows, and no retry is used up.
func (o *Outbox) Send(t *Task) {
	err := o.publish(t)
	if err == nil || o.cfg.Life.Err() != nil {
		return
	}
	o.cfg.Logger.Warn("attempt not accepted by the broker, trying again", "run", t.Run, "step", t.Step, "attempt", t.Attempt, "error", err)
	o.cfg.Background(func(ctx context.Context) { o.sendAgain(ctx, t, err) })
}

// sendAgain publishes an attempt that the broker refused with err until it is accepted.
func (o *Outbox) sendAgain(ctx context.Context, t *Task, err error) {
	since := o.cfg.Clock.Now().UTC().Format(time.RFC3339)
	defer o.tell(t.ID(), "")
	pace := &backoff.ExponentialBackOff{InitialInterval: 50 * time.Millisecond, Multiplier: 2, MaxInterval: 5 * time.Second}
	for {
		why := fmt.Sprintf("the broker has refused it since %s: %s", since, domain.ShortMessage(err.Error()))
		o.tell(t.ID(), why)
		wait := pace.NextBackOff()
		if !t.End.IsZero() {
			wait = min(wait, max(o.cfg.Clock.Until(t.End), 0))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if t.Expired(o.cfg.Clock) {
			o.cfg.GiveUp(ctx, t, why)
			return
		}
		if err = o.publish(t); err == nil {
			return
		}
	}
}

// tell notes why the broker refuses an attempt; empty means that it no longer does.
func (o *Outbox) tell(id AttemptID, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if why == "" {
		delete(o.refused, id)
		return
	}
	o.refused[id] = why
}

// Refused says why the broker has not taken an attempt yet; it is empty for one that was taken.
func (o *Outbox) Refused(id AttemptID) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refused[id]
}

func (o *Outbox) publish(t *Task) error {
	sent := *t
	sent.Log = o.cfg.Log
	if sent.Sent = o.cfg.Clock.Steady(); !t.End.IsZero() {
		sent.Left = domain.Duration(t.End.Sub(sent.Sent))
	}
	topic := ActionTopic(o.cfg.Namespace, t.Action)
	m, err := newMessage(o.cfg.Life, messageID(topic, o.cfg.Log, t.Key, t.Attempt, ""), &sent)
	if err != nil {
		return err
	}
	m.Metadata.Set("atone-run", t.Run.String())
	m.Metadata.Set("atone-step", t.Step)
	m.Metadata.Set("Idempotency-Key", t.Key)
	if o.cfg.Log != "" {
		m.Metadata.Set("atone-log", o.cfg.Log)
	}
	if t.Trace != "" {
		m.Metadata.Set("traceparent", t.Trace)
	}
	return o.cfg.Publisher.Publish(topic, m)
}
