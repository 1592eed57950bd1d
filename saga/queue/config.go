package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/atonehq/atone/saga/clock"
)

const (
	defaultCapacity     = 4096
	defaultInFlight     = 256
	defaultCloseTimeout = 30 * time.Second

	firstRedelivery = 50 * time.Millisecond
	lastRedelivery  = 10 * time.Second
)

// Config sets the bounds of a [Queue]. The zero value is ready to use.
type Config struct {
	// Capacity is how many messages may wait on one topic for one group, including those that wait
	// for redelivery. Publish blocks while that many wait. Up to InFlight nacked or returned
	// messages may come on top. Zero means 4096.
	Capacity int

	// InFlight is how many messages of one topic and group may be handed out and not
	// yet acked or nacked, over all subscriptions of that group. Zero means 256.
	InFlight int

	// InFlightOf gives a topic its own InFlight. It is called once for each topic and
	// group, with a lock held: it must not call the queue. Nil, and an answer of zero or
	// less, mean InFlight.
	InFlightOf func(topic string) int

	// RedeliveryDelay says how long a nacked message waits before it is delivered
	// again. attempt is the number of the delivery that was nacked, from 1. It is
	// called with a lock held: it must be quick and must not call the queue. An answer
	// of zero or less means at once, behind what already waits. Nil means
	// [DefaultRedeliveryDelay].
	RedeliveryDelay func(attempt int) time.Duration

	// CloseTimeout is how long a subscription that is closed, or whose context ended,
	// waits for the messages that it handed out. Those not settled by then are nacked
	// by the queue and go back to it, so that a late Ack reports false. Zero means 30 s.
	CloseTimeout time.Duration

	// Clock measures RedeliveryDelay; nil means this machine's. CloseTimeout is always measured by
	// the machine's.
	Clock clock.Clock

	// Logger is told of messages that had to be taken back or were dropped by a Close.
	// Nil discards.
	Logger *slog.Logger
}

// DefaultRedeliveryDelay doubles from 50 ms at the first attempt to 10 s, where it stays.
func DefaultRedeliveryDelay(attempt int) time.Duration {
	const enough = 8 // doublings that reach the last delay
	return min(firstRedelivery<<min(max(0, attempt-1), enough), lastRedelivery)
}

func (c *Config) setDefaults() {
	if c.Capacity == 0 {
		c.Capacity = defaultCapacity
	}
	if c.InFlight == 0 {
		c.InFlight = defaultInFlight
	}
	if c.RedeliveryDelay == nil {
		c.RedeliveryDelay = DefaultRedeliveryDelay
	}
	if c.CloseTimeout == 0 {
		c.CloseTimeout = defaultCloseTimeout
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Validate reports everything that is wrong with c, joined into one error.
func (c *Config) Validate() error {
	var errs []error
	if c.Capacity < 0 {
		errs = append(errs, fmt.Errorf("queue: Config.Capacity is %d: give a number of messages, or 0 for %d", c.Capacity, defaultCapacity))
	}
	if c.InFlight < 0 {
		errs = append(errs, fmt.Errorf("queue: Config.InFlight is %d: give a number of messages, or 0 for %d", c.InFlight, defaultInFlight))
	}
	if c.CloseTimeout < 0 {
		errs = append(errs, fmt.Errorf("queue: Config.CloseTimeout is %s: give a duration, or 0 for %s", c.CloseTimeout, defaultCloseTimeout))
	}
	return errors.Join(errs...)
}

func (c *Config) inFlightOf(topic string) int {
	if c.InFlightOf != nil {
		if n := c.InFlightOf(topic); n > 0 {
			return n
		}
	}
	return c.InFlight
}
