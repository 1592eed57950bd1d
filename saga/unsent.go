package saga

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// unsent are the attempts whose start is durable and that the broker refuses. It is safe to use
// concurrently.
type unsent struct {
	mu  sync.Mutex
	why map[attemptID]string
}

func (u *unsent) set(id attemptID, why string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.why == nil {
		u.why = make(map[attemptID]string)
	}
	if why == "" {
		delete(u.why, id)
		return
	}
	u.why[id] = why
}

// Unsent says why an attempt was not handed to a worker yet, and is empty for one that was. It
// implements [machine.Surroundings].
func (c *Coordinator) Unsent(run domain.RunID, step string, dir domain.Direction, attempt int) string {
	c.unsent.mu.Lock()
	defer c.unsent.mu.Unlock()
	return c.unsent.why[attemptID{run, step, dir, attempt}]
}

// send hands a task to the worker in this process, or publishes it. If the broker refuses it, it is tried again in the background until it is
// accepted or the coordinator stops; then the attempt is taken up at the next start. One whose time
// is over before that was not an attempt: another one follows, and no retry is used up.
func (c *Coordinator) send(t *task) {
	if c.publish == nil {
		c.worker.begin(t)
		return
	}
	err := c.publishTask(t)
	if err == nil || c.life.Err() != nil {
		return
	}
	c.logger.Warn("attempt not accepted by the broker, trying again", "run", t.Run, "step", t.Step, "attempt", t.Attempt, "error", err)
	c.goBackground(func(ctx context.Context) {
		id := attemptID{t.Run, t.Step, t.Direction, t.Attempt}
		since := c.clock.Now()
		defer c.unsent.set(id, "")
		for delay := 50 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
			why := fmt.Sprintf("the broker has refused it since %s: %s", since.UTC().Format(time.RFC3339), domain.ShortMessage(err.Error()))
			c.unsent.set(id, why)
			wait := delay
			if !t.end.IsZero() {
				wait = min(delay, max(time.Until(t.end), 0))
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			if t.expired() {
				c.giveUpUnsent(ctx, t, why)
				return
			}
			if err = c.publishTask(t); err == nil {
				return
			}
		}
	})
}

// giveUpUnsent records that an attempt was none.
func (c *Coordinator) giveUpUnsent(ctx context.Context, t *task, why string) {
	err := c.submit(ctx, t.Run, machine.Unsent{Step: t.Step, Direction: t.Direction, Attempt: t.Attempt, Reason: why})
	if err != nil && ctx.Err() == nil {
		c.logger.Warn("attempt that the broker refused not given up, it will time out", "run", t.Run, "step", t.Step, "attempt", t.Attempt, "error", err)
	}
}
