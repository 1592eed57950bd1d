package saga

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/cluster"
	"github.com/atonehq/atone/saga/internal/inbox"
	"github.com/atonehq/atone/saga/internal/recovery"
)

// feed follows the whole log for everything that happens in it: domain events start runs ([lane]) and wake runs that
// await them ([deliverer]), and where several coordinators share the log, this one hears of what the others do. The
// goroutine that reads does none of that work and waits for nothing but the log. How far each of them came is
// saved, and what they do may be done again.
type feed struct {
	c *Coordinator
	// awaiting are the event types that the sagas of each registered plan await, awaited all of them.
	awaiting  map[string][]string
	awaited   []string
	lanes     []*lane
	deliverer *deliverer
	// scanned is up to where the list of unfinished runs was read at the start, unfinished what it said.
	scanned    domain.Position
	unfinished []unfinishedRun
	// begins is from where on events concern runs that are still to be started: a trigger may stand behind scanned.
	begins     domain.Position
	complained time.Time // when an event was last complained about
	// changes counts what makes a position worth saving.
	changes atomic.Int64

	mu    sync.Mutex
	index *inbox.Index
	// known is up to where the index knew the log when this life began, seen up to where everything was read.
	known, seen domain.Position
	// live means that what was there at the start has been read. Until then awaits may look open that were met since.
	live bool
	// events counts those read since the index was saved.
	events int
	// leaving means that events are being stored under their keys; left is signalled when they are.
	leaving bool
	left    *sync.Cond
}

// unfinishedRun is a run that had not ended at the start; waits means that it awaited an event.
type unfinishedRun struct {
	id    domain.RunID
	waits bool
}

// startFeed follows the log if anything needs it. What is appended once it has returned is not missed.
func (c *Coordinator) startFeed(ctx context.Context, list *recovery.List) error {
	f := &feed{c: c, awaiting: c.registry.Awaited(), scanned: list.Position()}
	f.left = sync.NewCond(&f.mu)
	for _, types := range f.awaiting {
		f.awaited = append(f.awaited, types...)
	}
	slices.Sort(f.awaited)
	f.awaited = slices.Compact(f.awaited)
	f.index = inbox.New(f.awaited)
	if len(c.triggers) == 0 && len(f.awaited) == 0 && !c.cfg.Shared {
		return nil
	}
	for _, t := range c.triggers {
		f.lanes = append(f.lanes, newLane(f, t))
	}
	if err := f.loadTriggers(ctx); err != nil {
		return err
	}
	f.begins = f.scanned
	for _, l := range f.lanes {
		f.begins = min(f.begins, l.read)
	}
	if len(f.awaited) > 0 {
		list.Each(func(run domain.RunID, w domain.Wake) {
			f.unfinished = append(f.unfinished, unfinishedRun{run, w.Events})
		})
	}
	f.deliverer = newDeliverer(f)
	for _, l := range f.lanes {
		c.goBackground(l.run)
	}
	c.goBackground(f.follow)
	c.goBackground(f.keepSaved)
	if len(f.awaited) > 0 {
		f.deliverer.start()
	}
	return nil
}

// follow reads the log until ctx ends. Interruptions are logged and outlived.
func (f *feed) follow(ctx context.Context) {
	prepared := false
	for delay := 100 * time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 10*time.Second) {
		err := error(nil)
		if !prepared {
			err = f.prepare(ctx)
			prepared = err == nil
		}
		if prepared {
			began := time.Now()
			if err = f.read(ctx); time.Since(began) > time.Minute {
				delay = 100 * time.Millisecond
			}
		}
		if err != nil && ctx.Err() == nil {
			f.c.logger.Error("following the log was interrupted, going on", "in", delay, "error", err)
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

// prepare finds out from where on the log is to be read.
func (f *feed) prepare(ctx context.Context) error {
	began, index, position := time.Now(), f.index, f.scanned
	if len(f.awaited) > 0 {
		var err error
		if index, position, err = f.loadIndex(ctx); err != nil {
			return err
		}
		if index == nil {
			if index, position, err = f.beginIndex(ctx); err != nil {
				return err
			}
			f.saveSoon() // so that this is done once
		}
		f.c.logger.Info("awaits read", "runs", index.Known(), "events", index.Kept(), "took", time.Since(began))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index, f.known, f.unfinished = index, position, nil
	f.seen = min(position, f.scanned)
	return nil
}

// read follows the log from where it was read last.
func (f *feed) read(ctx context.Context) error {
	for d, err := range f.c.log.Subscribe(ctx, f.seen, domain.Filter{}) {
		if err != nil {
			return err
		}
		if d.Event != nil {
			f.take(d.Event)
		}
		f.mu.Lock()
		f.seen = d.Position
		if d.Event != nil {
			f.events++
		}
		if d.CaughtUp && !f.live {
			f.live = true
			for _, run := range f.index.Ready() {
				f.deliverer.schedule(run)
			}
		}
		f.mu.Unlock()
	}
	return ctx.Err()
}

// take notes what an event means.
func (f *feed) take(e *domain.Recorded) {
	run, isRun := domain.RunOfStream(e.Stream)
	switch {
	case isRun && domain.ReservedType(e.Type):
		if f.c.cfg.Shared && e.Position > f.scanned {
			f.c.heard(run, e)
		}
		f.takeRunEvent(run, e)
	case strings.HasPrefix(e.Stream, cluster.StreamPrefix):
		f.c.cluster.Seen(e)
	case isDomainEvent(e):
		for _, l := range f.lanes {
			l.push(e)
		}
		f.takeDomainEvent(e)
	}
}

// isDomainEvent reports whether an event is one that an app, or an action, emitted.
func isDomainEvent(e *domain.Recorded) bool {
	_, isRun := domain.RunOfStream(e.Stream)
	return !strings.HasPrefix(e.Type, "$") && !strings.HasPrefix(e.Stream, "$") &&
		(isRun && !domain.ReservedType(e.Type) || !isRun && !domain.ReservedStream(e.Stream))
}

// takeDomainEvent keeps an event that is awaited, now or perhaps later.
func (f *feed) takeDomainEvent(e *domain.Recorded) {
	if !f.index.Awaits(e.Type) || e.Position <= f.known {
		return
	}
	ev := eventOf(e)
	if ev.CorrelationID == "" {
		return
	}
	if err := errors.Join(accept.Size("its payload", e.Data), accept.Readable("its payload", e.Data)); err != nil {
		f.complain(&ev, err) // what an app appends by itself may be anything
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = e.Position // with the index, which may be saved at any moment
	f.changes.Add(1)
	waiting := f.index.Add(inbox.Key{Type: e.Type, Correlation: ev.CorrelationID},
		inbox.Event{ID: e.ID, Position: e.Position, Stream: e.Stream, Revision: e.Revision, Data: orNullJSON(e.Data)})
	if f.live {
		for _, run := range waiting {
			f.deliverer.schedule(run)
		}
	}
	f.makeRoom()
}

// planHash is the length of a plan's hash, in bytes of text.
const planHash = 64

// complain says, once a minute, that an event can be no await's output.
func (f *feed) complain(e *Event, err error) {
	if now := time.Now(); now.Sub(f.complained) > time.Minute {
		f.complained = now
		f.c.logger.Error("an event can't meet the awaits of its type", "event", e.ID, "type", e.Type, "stream", e.Stream, "error", err)
	}
}

// takeRunEvent notes what a run's event says of what it awaits.
func (f *feed) takeRunEvent(run domain.RunID, e *domain.Recorded) {
	if f.c.cfg.Shared && e.Revision == 0 {
		for _, l := range f.lanes {
			l.started(run)
		}
	}
	if len(f.awaited) == 0 || e.Position <= f.known {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = e.Position
	switch e.Type {
	case "run.started.v1":
		f.begun(run, e)
	case "await.opened.v1":
		var a domain.AwaitOpened
		if json.Unmarshal(e.Data, &a) == nil && a.Event != "" {
			if f.index.Open(run, inbox.Await{Key: inbox.Key{Type: a.Event, Correlation: a.Correlation}, Step: a.Step, Opened: e.Position}) && f.live {
				f.deliverer.schedule(run)
			}
		}
	case "await.met.v1":
		var a domain.AwaitMet
		if f.index.Waits(run) && json.Unmarshal(e.Data, &a) == nil { // else it was delivered from here
			f.index.Met(run, a.Step, a.By)
		}
	case "step.failed.v1":
		var s domain.StepFailed
		if f.index.Waits(run) && json.Unmarshal(e.Data, &s) == nil {
			f.index.Close(run, func(a inbox.Await) bool { return a.Step == s.Step })
		}
	}
	if !f.index.Knows(run) || !domain.HasWake(e.Metadata) {
		return // else it is in the middle of an append
	}
	switch w := domain.WakeOf(e.Metadata); {
	case w.Over():
		f.index.End(run)
	case !w.Events: // those that its turning back closed have no events of their own
		f.index.Close(run, func(inbox.Await) bool { return true })
	}
}

var planMember = []byte(`"plan":"`)

// begun makes a run known whose saga awaits events. The caller holds mu.
func (f *feed) begun(run domain.RunID, e *domain.Recorded) {
	// The plan stands before the input, which may be long: of other sagas it is not read.
	if _, after, _ := bytes.Cut(e.Data, planMember); len(after) < planHash || f.awaiting[string(after[:planHash])] == nil {
		return
	}
	var s struct {
		Plan    string `json:"plan"`
		Trigger *struct {
			Position domain.Position `json:"position"`
		} `json:"trigger"`
	}
	if json.Unmarshal(e.Data, &s) != nil || f.awaiting[s.Plan] == nil {
		return
	}
	from := e.Position
	if s.Trigger != nil && s.Trigger.Position > 0 {
		from = s.Trigger.Position
	}
	f.index.Begin(run, from, f.awaiting[s.Plan])
}
