package saga

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/desk"
	"github.com/atonehq/atone/saga/internal/alerts"
	"github.com/atonehq/atone/saga/internal/cluster"
	"github.com/atonehq/atone/saga/internal/engine"
	"github.com/atonehq/atone/saga/internal/inbox"
	"github.com/atonehq/atone/saga/internal/journal"
	"github.com/atonehq/atone/saga/internal/recovery"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/rejected"
)

// ownLog notes what this coordinator appends to runs.
type ownLog struct {
	Log
	own *recovery.Own
}

// Append implements [Log].
func (l ownLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	return l.own.Append(ctx, l.Log, stream, expected, events...)
}

// Silence implements [domain.SilenceTeller].
func (l ownLog) Silence() time.Duration {
	if t, ok := l.Log.(domain.SilenceTeller); ok {
		return t.Silence()
	}
	return 0
}

// newRecovery gives the room of recovery what it needs.
func (c *Coordinator) newRecovery() *recovery.Recovery {
	return recovery.New(recovery.Config{
		Log: c.journal, Logger: c.logger, Own: &c.own, CheckpointEvery: c.cfg.CheckpointEvery, Width: c.cfg.RecoverConcurrency,
		Shared: c.cfg.Shared, Rank: func(key domain.RunID) int { return c.cluster.Rank(key, "") }, LogFailed: c.journal.HasFailed,
		TakeUp: c.engine.TakeUp,
		Go:     c.goBackground,
	})
}

// makeInbox makes the inbox. It follows nothing yet. read, if not nil, is told what it reads.
func (c *Coordinator) makeInbox(read func(domain.Delivery)) *inbox.Inbox {
	var triggers []inbox.Trigger
	for _, t := range c.triggers {
		triggers = append(triggers, inboxTrigger(t))
	}
	in := inbox.New(inbox.Config{
		Log: c.journal, Logger: c.logger, Life: c.life, Go: c.goBackground, CheckpointEvery: c.cfg.CheckpointEvery, Width: c.cfg.RecoverConcurrency,
		Awaiting: c.registry.Awaited(), Triggers: triggers, Start: c.startTriggered, Deliver: c.deliver, Notify: c.notify,
		Reject: c.rejected.Add, Mask: func(e *domain.Recorded, err error) error {
			return secret.MaskError(c.SecretFields(e.Type), e.Data, err)
		},
		Shared: c.cfg.Shared, Delay: c.delay, OwnerOf: c.wakeups.OwnerOf, Heard: c.heard, Node: c.heardOfOwn, Read: read, Stirred: c.stirred,
	})
	c.inbox.Store(in)
	return in
}

// openInbox follows the log for domain events, and for what other coordinators do, if anything
// needs it. It misses nothing that is appended after it has returned.
func (c *Coordinator) openInbox(ctx context.Context, list *recovery.List) error {
	var read func(domain.Delivery)
	if c.cfg.Shared { // else recovery knows it from this coordinator's own appends
		read = list.Follow
	}
	in := c.makeInbox(read)
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

// startTriggered starts the run that an event asks for, in the name of the person who retries a
// rejected event, or of the trigger. If that run exists with another input, the
// trigger's code has changed since: the run stays as it is.
func (c *Coordinator) startTriggered(ctx context.Context, s *inbox.Start) (plan string, err error) {
	_, err = c.StartByName(WithActor(ctx, cmp.Or(actorOf(ctx), "trigger "+s.Trigger.Type)), s.Saga, s.Version, s.Input, StartOption{func(o *engine.Start) {
		o.ID, o.Key, o.Labels, o.Trigger, o.Typed = s.Run, s.Key, s.Labels, &s.Trigger, true
		o.Correlation, o.Causation = s.Correlation, s.Trigger.Event
	}})
	if err != nil && !errors.Is(err, ErrKeyConflict) {
		return "", err
	}
	if s.Key != "" { // an earlier event may have started the run
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

// deliver tells a run of an event; over means that the run takes no more events.
func (c *Coordinator) deliver(ctx context.Context, run domain.RunID, seen machine.EventSeen) (over bool, err error) {
	by := c.self()
	by.Causation = seen.ID
	err = c.engine.Submit(ctx, run, seen, by)
	return errors.Is(err, ErrNotFound) || engine.IsRefusal(err), err
}

// delay returns how long this node waits for other nodes to act on a run first.
func (c *Coordinator) delay(run domain.RunID, owner string) time.Duration {
	if !c.cfg.Shared {
		return 0
	}
	return c.cluster.Delay(run, owner)
}

// heardOfOwn notes a node's sign of life, which actions are held, and which events were rejected.
func (c *Coordinator) heardOfOwn(e *domain.Recorded) {
	c.holds.Seen(e)
	c.rejected.Seen(e)
	if strings.HasPrefix(e.Stream, cluster.StreamPrefix) {
		c.cluster.Seen(e)
	}
}

// alive reports whether the attempts that a coordinator started may still be running. With a broker
// any worker may be running them, and their deadlines decide. With an in-process queue there is no
// worker but this one, unless the log is shared.
func (c *Coordinator) alive(incarnation string) bool {
	if c.cfg.Publisher != nil {
		return true
	}
	return c.cfg.Shared && c.cluster.Alive(incarnation)
}

// elsewhere reports whether another node that is alive has an attempt or a run. That node gives its
// attempts up by its own clock.
func (c *Coordinator) elsewhere(node string) bool {
	return c.cfg.Shared && node != "" && node != c.incarnation && c.cluster.Alive(node)
}

// heard takes the events of runs that came after this coordinator's start, if the log is shared. It
// updates the run in memory: waiters are told, and unwanted attempts are cancelled.
func (c *Coordinator) heard(run domain.RunID, e *domain.Recorded) {
	c.own.Heard()
	known, active := c.engine.Heard(run, int64(e.Revision))
	w := domain.WakeOf(e.Metadata)
	if w.Node == "" {
		c.heardOfBlock(run, e)
		return // not a block: an event in the middle of an append
	}
	if w.Node == c.incarnation {
		if w.Over() { // another node's older event may have come in between
			c.wakeups.SetAt(run, int64(e.Revision), w, c.clock.Read().Stepped, true)
		}
		return
	}
	c.cluster.Heard(w.Node)
	c.wakeups.SetAt(run, int64(e.Revision), w, c.cluster.AheadOfSteady(w.Node), true)
	if known && (active || w.State.Ended() || w.State == domain.RunIsStuck) {
		c.goBackground(func(ctx context.Context) {
			// On an error, whoever reads the run next sees the same.
			_ = c.engine.Submit(ctx, run, nil, c.self())
		})
	}
}

// heardOfBlock looks at a run that another node can't go on with: this node may have what the other
// lacks. If not, the run stays blocked, and nothing is written: otherwise the nodes would answer
// each other for ever.
func (c *Coordinator) heardOfBlock(run domain.RunID, e *domain.Recorded) {
	if e.Type != (*domain.RunBlocked)(nil).WireName() {
		return
	}
	if m, err := domain.DecodeMeta(e.Metadata); err == nil && m.Actor == c.cfg.Node {
		return
	}
	c.goBackground(func(ctx context.Context) { c.recovery.TakeUpOne(ctx, run, true) })
}

// newAlerts gives the room of alerts what it needs.
func (c *Coordinator) newAlerts() *alerts.Alerts {
	return alerts.New(alerts.Config{
		Log: c.journal, Logger: c.logger, Clock: c.clock,
		Persevere: func(ctx context.Context, stream string, expected domain.Expected, e domain.NewEvent) error {
			return c.journal.Persevere(ctx, stream, expected, e)
		},
		Shared: c.cfg.Shared, Incarnation: c.incarnation, Alive: c.cluster.Alive, ClaimEvery: c.cluster.Interval() / 2,
		MayTell: c.mayTellAlerts, LogFailed: c.journal.HasFailed, Unfinished: c.wakeups.Has,
		Started: c.runs.First, Plan: c.runs.Plan, Snoozed: c.desk.Groups,
		State: func(ctx context.Context, run domain.RunID) (*machine.State, error) {
			return c.runs.At(ctx, run, Latest)
		},
	})
}

// mayTellAlerts returns an error while other nodes may have given up this one unnoticed.
func (c *Coordinator) mayTellAlerts() error {
	if c.cfg.Shared && c.LogSilence() >= journal.RefuseSilence {
		return fmt.Errorf("%w: another node may tell the alerts", ErrLogSilent)
	}
	return nil
}

// notify has an alert told. It does not block: the alert is written to the log in the background.
func (c *Coordinator) notify(a Alert) {
	c.goBackground(func(ctx context.Context) { c.alerts.Notify(ctx, a) })
}

// newDesk gives the room of the desk what it needs.
func (c *Coordinator) newDesk() *desk.Desk {
	return desk.New(desk.Config{Log: c.journal, Now: c.clock.Now, Operate: c.operate, Actor: c.acting})
}

// acting returns the context's actor, or an error if its name can't be recorded.
func (c *Coordinator) acting(ctx context.Context) (string, error) {
	return cmp.Or(actorOf(ctx), c.cfg.Node), cmp.Or(checkActor(ctx), c.awaitReady(ctx))
}

// newRejected gives the list of rejected events what it needs.
func (c *Coordinator) newRejected() *rejected.Book {
	return rejected.New(rejected.Config{Log: c.journal, Logger: c.logger, Now: c.clock.Now, Actor: c.acting, Start: func(ctx context.Context, e *rejected.Event) (domain.RunID, error) {
		return c.inbox.Load().Retry(ctx, e)
	}})
}

// newEngine gives the room of the engine what it needs.
func (c *Coordinator) newEngine() *engine.Engine {
	return engine.New(engine.Config{
		Journal: c.journal, Plans: c.plans, Runs: c.runs, Registry: c.registry, Clock: c.clock, Wakeups: c.wakeups, Logger: c.logger,
		Node: c.cfg.Node, Incarnation: c.incarnation, Shared: c.cfg.Shared, OnDemand: c.cfg.OnDemand,
		MaxRuns: c.cfg.MaxRuns, CacheRuns: c.cfg.CacheRuns, ActionConcurrency: c.cfg.ActionConcurrency, SnapshotEvery: c.cfg.SnapshotEvery,
		Life: c.life, Go: c.goBackground, Hands: c.idleHands, Ready: c.awaitReady,
		Alive: c.alive, Elsewhere: c.elsewhere, Ahead: c.cluster.Ahead, Tell: c.notify,
	})
}
