package saga

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/cluster"
	"github.com/atonehq/atone/saga/internal/inbox"
	"github.com/atonehq/atone/saga/internal/recovery"
	"github.com/atonehq/atone/saga/machine"
)

// openInbox follows the log for domain events, and for what other coordinators do, if anything needs
// it. What is appended once it has returned is not missed.
func (c *Coordinator) openInbox(ctx context.Context, list *recovery.List) error {
	var triggers []inbox.Trigger
	for _, t := range c.triggers {
		triggers = append(triggers, inboxTrigger(t))
	}
	var read func(domain.Delivery)
	if c.cfg.Shared { // else recovery knows by what is appended here
		read = list.Follow
	}
	in := inbox.New(inbox.Config{
		Log: c.log, Logger: c.logger, Life: c.life, Go: c.goBackground, CheckpointEvery: c.cfg.CheckpointEvery, Width: c.cfg.RecoverConcurrency,
		Awaiting: c.registry.Awaited(), Triggers: triggers, Start: c.startTriggered, Deliver: c.deliver, Notify: c.notify,
		Shared: c.cfg.Shared, Delay: c.delay, OwnerOf: c.wakeups.OwnerOf, Heard: c.heard, Node: c.heardOfNode, Read: read,
	})
	c.inbox.Store(in)
	var unfinished []inbox.Unfinished
	list.Each(func(run domain.RunID, w domain.Wake) {
		unfinished = append(unfinished, inbox.Unfinished{Run: run, Waits: w.Events})
	})
	return in.Open(ctx, list.Position(), unfinished)
}

// inboxTrigger is a trigger without types.
func inboxTrigger(t AnyTrigger) inbox.Trigger {
	name, version := t.sagaOf().SagaName()
	return inbox.Trigger{Type: t.eventType(), StreamPrefix: t.streamPrefix(), Saga: name, Version: version,
		Ask: func(e *domain.Recorded) (inbox.Asked, error) {
			ev := eventOf(e)
			if !t.matches(&ev) {
				return inbox.Asked{}, nil
			}
			a, err := t.asks(&ev)
			return inbox.Asked{Wanted: true, Input: a.input, Key: a.key, Labels: a.labels}, err
		}}
}

// startTriggered starts the run that an event asks for. Where the event's run exists with another
// input, the trigger's code has changed since, and the run stays.
func (c *Coordinator) startTriggered(ctx context.Context, s *inbox.Start) (plan string, err error) {
	_, err = c.StartByName(WithActor(ctx, "trigger "+s.Trigger.Type), s.Saga, s.Version, s.Input, func(o *startOptions) {
		o.id, o.key, o.labels, o.trigger = s.Run, s.Key, s.Labels, &s.Trigger
		o.correlation, o.causation = s.Correlation, s.Trigger.Event
	})
	if err != nil && !errors.Is(err, ErrKeyConflict) {
		return "", err
	}
	if s.Key != "" { // an earlier event may have started it
		if v, err := c.Describe(ctx, s.Run); err != nil || v.State.Ended() {
			return "", err
		}
	}
	d, err := c.registry.Saga(s.Saga, s.Version)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	return d.Plan.Hash(), nil
}

// deliver tells a run of an event; over is true where the run takes no event any more.
func (c *Coordinator) deliver(ctx context.Context, run domain.RunID, seen machine.EventSeen) (over bool, err error) {
	err = c.do(ctx, run, &request{intent: seen, ctx: requestContext{actor: c.cfg.Node, causation: seen.ID}})
	return errors.Is(err, ErrNotFound) || isRefusal(err), err
}

// delay is how long after the others this node acts on a run.
func (c *Coordinator) delay(run domain.RunID, owner string) time.Duration {
	if !c.cfg.Shared {
		return 0
	}
	return c.cluster.Delay(run, owner)
}

// heardOfNode notes a node's sign of life.
func (c *Coordinator) heardOfNode(e *domain.Recorded) {
	if strings.HasPrefix(e.Stream, cluster.StreamPrefix) {
		c.cluster.Seen(e)
	}
}

// TriggersHeldUp tells for how long which triggers, by the saga and the type of event, have not got
// on: their code hangs, the runs that they start can't be started, or their events can't be read. One
// that does not get on for a minute is told as an alert ([AlertTrigger]). A trigger whose runs wait
// for a place among [Config.MaxRuns] gets on.
func (c *Coordinator) TriggersHeldUp() map[string]time.Duration {
	if in := c.inbox.Load(); in != nil {
		return in.HeldUp()
	}
	return nil
}
