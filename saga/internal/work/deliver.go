package work

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
)

// deliver publishes an outcome, and repeats that after failures. With a broker it gives up after a
// while, and the handler is called again; with a coordinator in this process it continues while
// both run.
func (w *Worker) deliver(ctx context.Context, r *Report) error {
	err := w.publish(ctx, r)
	if err == nil || errors.Is(err, domain.ErrNotRunning) {
		return err
	}
	tries := 1
	return again.Until(w.undrained, 50*time.Millisecond, 5*time.Second, func() error {
		if tries > 1 {
			err = w.publish(ctx, r)
		}
		if errors.Is(err, domain.ErrNotRunning) || tries == deliverTries && w.cfg.Direct == nil {
			return again.Final(err)
		}
		tries++
		return err
	}, func(err error, _ int, in time.Duration) {
		w.cfg.Logger.Warn("outcome not accepted, trying again", "run", r.Run, "step", r.Step, "attempt", r.Attempt, "in", in, "error", err)
	})
}

// deliverTries bounds how often an outcome is published, over about a minute.
const deliverTries = 18

// publish sends a report and returns when it is durable. A coordinator in the same process gets the
// report itself, without a message.
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
