package work

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/atonehq/atone/domain"
)

// deliver publishes an outcome, again and again. Through a broker it gives up after a while, and
// the handler is called again; a coordinator in this process takes it as long as both run.
func (w *Worker) deliver(ctx context.Context, r *Report) error {
	for delay, tries := 50*time.Millisecond, 1; ; delay, tries = min(2*delay, 5*time.Second), tries+1 {
		err := w.publish(ctx, r)
		if err == nil || errors.Is(err, domain.ErrNotRunning) || tries == deliverTries && w.cfg.Direct == nil {
			return err
		}
		w.cfg.Logger.Warn("outcome not accepted, trying again", "run", r.Run, "step", r.Step, "attempt", r.Attempt, "in", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-w.drained:
			return err
		}
	}
}

// deliverTries bounds how often an outcome is published, over about a minute.
const deliverTries = 18

// publish sends a report; it returns when that is durable. A coordinator in the same process takes
// it as it is: nobody reads a message that would be made of it.
func (w *Worker) publish(ctx context.Context, r *Report) error {
	if w.cfg.Direct != nil {
		if err := w.cfg.Direct(ctx, r); err != nil {
			return fmt.Errorf("report %s of %s: %w", r.Step, r.Run, err)
		}
		return nil
	}
	suffix := "/outcome"
	if r.Beat { // each is its own message, for brokers that drop repeats
		suffix = "/beat-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	topic := OutcomesTopic(w.cfg.Namespace)
	m, err := newMessage(ctx, messageID(topic, r.Log, domain.IdempotencyKey(r.Run, r.Step, r.Direction), r.Attempt, suffix), r)
	if err != nil {
		return err
	}
	if err := w.cfg.Outcomes.Publish(topic, m); err != nil {
		return fmt.Errorf("report %s of %s: %w", r.Step, r.Run, err)
	}
	return nil
}
