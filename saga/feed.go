package saga

// This file is long because what a feed reads, remembers, saves and delivers is one protocol.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// feed follows the whole log: it starts runs for domain events, wakes runs that await them and,
// where several coordinators share the log, hears of what the others do. It is one
// goroutine; its position is saved, and what it does may be done again.
type feed struct {
	c    *Coordinator
	from domain.Position // where this life of the feed began
	// since is, for each interest, up to where events were handled before this life.
	since map[string]domain.Position
	// scanned is up to where the list of unfinished runs was read at the start.
	scanned domain.Position
	// awaited are the event types that registered sagas await.
	awaited map[string]bool
	// open are the runs that await an event, and from where on; entries may be stale.
	open map[awaitKey]map[domain.RunID]domain.Position
	// early keeps events that nobody awaited yet, for awaits that open later.
	early      map[awaitKey]earlyEvent
	earlyOrder []awaitKey

	seen  domain.Position // up to where everything was handled
	saved domain.Position
}

type awaitKey struct{ eventType, correlation string }

type earlyEvent struct {
	id    string
	value json.RawMessage
	at    domain.Position
}

// earlyEvents bounds how many events are kept for awaits that open later; an await that finds none
// reads the log since its run's start.
const earlyEvents = 100_000

// feedStream keeps the feed's position and the events whose trigger failed.
const feedStream = domain.SystemPrefix + "triggers"

const (
	feedCheckpointType = "atone.trigger_checkpoint.v1"
	triggerFailedType  = "atone.trigger_failed.v1"
)

// feedCheckpoint says that everything up to the position was handled that is one of the interests.
// Coordinators that share a log share the checkpoints; in the middle of a deployment one may know
// triggers that the other does not.
type feedCheckpoint struct {
	Position  domain.Position `json:"position"`
	Interests []string        `json:"interests"`
}

// interests are the triggers and awaits that this coordinator handles.
func (f *feed) interests() []string {
	var all []string
	for _, t := range f.c.triggers {
		all = append(all, triggerInterest(t))
	}
	for eventType := range f.awaited {
		all = append(all, awaitInterest(eventType))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func triggerInterest(t AnyTrigger) string {
	name, _ := t.sagaOf().SagaName()
	return "trigger " + name + " " + t.eventType()
}

func awaitInterest(eventType string) string { return "await " + eventType }

type triggerFailed struct {
	Stream string    `json:"stream"`
	Event  uuid.UUID `json:"event"`
	Type   string    `json:"type"`
	Saga   string    `json:"saga"`
	Error  string    `json:"error"`
}

// startFeed follows the log if anything needs it.
func (c *Coordinator) startFeed(ctx context.Context, u *unfinished) error {
	f := &feed{c: c, awaited: c.registry.awaitedTypes(), open: make(map[awaitKey]map[domain.RunID]domain.Position),
		early: make(map[awaitKey]earlyEvent), since: make(map[string]domain.Position), scanned: u.position}
	if len(c.triggers) == 0 && len(f.awaited) == 0 && !c.cfg.Shared {
		return nil
	}
	if err := f.load(ctx); err != nil {
		return err
	}
	for id, w := range u.runs {
		if w.Events {
			unknown := (*domain.UnknownEventError)(nil)
			if err := f.index(ctx, id); errors.As(err, &unknown) {
				c.logger.Error("run waits for a program that knows its events", "run", id, "error", err)
			} else if err != nil {
				return err
			}
		}
	}
	c.goBackground(func(ctx context.Context) {
		for delay := 100 * time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 10*time.Second) {
			if err := f.run(ctx); err != nil && ctx.Err() == nil {
				c.logger.Error("following the log was interrupted, going on", "in", delay, "error", err)
			}
			select {
			case <-time.After(delay):
			case <-ctx.Done():
			}
		}
	})
	return nil
}

// awaitedTypes returns the event types that the registered sagas await.
func (r *registry) awaitedTypes() map[string]bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	types := make(map[string]bool)
	for _, d := range r.byHash {
		d.plan.Root.Walk(func(n *domain.Node) {
			if n.Await != nil && n.Await.Event != "" {
				types[n.Await.Event] = true
			}
		})
	}
	return types
}

// checkpointsSearched bounds how far back an interest is looked for; at one every five seconds of
// activity, the longest absence is half a day of it.
const checkpointsSearched = 10_000

// load reads where the feed was, for each interest; a new one begins at the log's end.
func (f *feed) load(ctx context.Context) error {
	interests := f.interests()
	f.from = f.scanned
	if len(interests) == 0 {
		f.seen, f.saved = f.from, f.from
		return nil
	}
	missing, searched := len(interests), 0
	for e, err := range f.c.log.ReadStreamBackward(ctx, feedStream, domain.End) {
		if err != nil {
			return fmt.Errorf("read %s: %w", feedStream, err)
		}
		if e.Type != feedCheckpointType {
			continue
		}
		var p feedCheckpoint
		if err := json.Unmarshal(e.Data, &p); err != nil {
			return fmt.Errorf("read %s: %w", feedStream, err)
		}
		for _, i := range p.Interests {
			if _, known := f.since[i]; !known && slices.Contains(interests, i) {
				f.since[i] = p.Position
				f.from = min(f.from, p.Position)
				missing--
			}
		}
		if searched++; missing == 0 || searched == checkpointsSearched {
			break
		}
	}
	f.seen, f.saved = f.from, f.from
	if missing == 0 {
		return nil
	}
	end, err := f.end(ctx)
	if err != nil {
		return err
	}
	if missing == len(interests) {
		f.from, f.seen, f.saved = end, end, end
	}
	var begins []string
	for _, i := range interests {
		if _, known := f.since[i]; !known {
			f.since[i] = end
			begins = append(begins, i)
		}
	}
	return f.checkpoint(ctx, feedCheckpoint{Position: end, Interests: begins})
}

// save notes how far the feed came. An interest that began later than that is left as it is noted.
func (f *feed) save(ctx context.Context) error {
	p := feedCheckpoint{Position: f.seen}
	for _, i := range f.interests() {
		if f.since[i] <= f.seen {
			p.Interests = append(p.Interests, i)
		}
	}
	if len(p.Interests) > 0 {
		if err := f.checkpoint(ctx, p); err != nil {
			return err
		}
	}
	f.saved = f.seen
	return nil
}

func (f *feed) checkpoint(ctx context.Context, p feedCheckpoint) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if _, err := f.c.log.Append(ctx, feedStream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: feedCheckpointType, Data: data}); err != nil {
		return fmt.Errorf("save position: %w", err)
	}
	return nil
}

// end returns the position of the log's last event.
func (f *feed) end(ctx context.Context) (domain.Position, error) {
	for e, err := range f.c.log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{}) {
		if err != nil {
			return 0, fmt.Errorf("find the log's end: %w", err)
		}
		return e.Position, nil
	}
	return 0, nil
}

// index adds the open awaits of a run that was loaded at the start.
func (f *feed) index(ctx context.Context, id domain.RunID) error {
	l, err := f.c.fold(ctx, id)
	if err != nil {
		return err
	}
	started, err := f.startOf(ctx, id)
	if err != nil {
		return err
	}
	l.state.Awaits(func(st *machine.Step) { f.add(awaitKey{st.Event, st.Correlation}, id, started) })
	return nil
}

func (f *feed) add(k awaitKey, id domain.RunID, started domain.Position) {
	if f.open[k] == nil {
		f.open[k] = make(map[domain.RunID]domain.Position, 1)
	}
	f.open[k][id] = started
}

// feedSaveEvery is how often the position is saved while events come in.
const feedSaveEvery = 5 * time.Second

func (f *feed) run(ctx context.Context) error {
	lastSave := time.Now()
	for d, err := range f.c.log.Subscribe(ctx, f.seen, domain.Filter{}) {
		if err != nil {
			return err
		}
		mattered := false
		if d.Event != nil {
			if mattered, err = f.take(ctx, d.Event); err != nil {
				return err
			}
		}
		f.seen = d.Position
		if now := time.Now(); mattered && now.Sub(lastSave) > feedSaveEvery || f.seen > f.saved+1_000_000 {
			lastSave = now
			if err := f.save(ctx); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// take handles one event; mattered means that the position is worth saving.
func (f *feed) take(ctx context.Context, e *domain.Recorded) (mattered bool, err error) {
	run, isRun := domain.RunOfStream(e.Stream)
	switch {
	case isRun && domain.ReservedType(e.Type):
		if f.c.cfg.Shared && e.Position > f.scanned {
			f.c.heard(run, e)
		}
		if e.Type == "await.opened.v1" {
			return true, f.opened(ctx, run, e)
		}
		return false, nil
	case strings.HasPrefix(e.Stream, nodePrefix):
		f.c.cluster.seen(e)
		return false, nil
	case !isRun && domain.ReservedStream(e.Stream), strings.HasPrefix(e.Type, "$"), strings.HasPrefix(e.Stream, "$"):
		return false, nil
	}
	ev := eventOf(e)
	for _, t := range f.c.triggers {
		matches, err := f.matches(t, &ev)
		if err == nil && matches && ev.Position > f.since[triggerInterest(t)] {
			mattered = true
			err = f.start(ctx, t, &ev)
		}
		if errors.Is(err, ErrBadInput) {
			err = f.passOver(ctx, t, &ev, err)
		}
		if err != nil {
			return true, err
		}
	}
	if f.awaited[ev.Type] {
		return true, f.wake(ctx, &ev)
	}
	return mattered, nil
}

func eventOf(e *domain.Recorded) Event {
	m, err := domain.DecodeMeta(e.Metadata)
	if err != nil {
		m = domain.Meta{} // an app's own metadata need not be atone's
	}
	return Event{ID: e.ID, Type: e.Type, Stream: e.Stream, Data: e.Data, CorrelationID: m.CorrelationID,
		CausationID: m.CausationID, Position: e.Position, Created: e.Created}
}

// matches asks the trigger whether it wants the event. A panic of its code is an [ErrBadInput].
func (f *feed) matches(t AnyTrigger, e *Event) (bool, error) {
	matches, failure := guard("", func() (bool, error) { return t.matches(e), nil })
	if failure != nil {
		return false, fmt.Errorf("%w: %s", ErrBadInput, failure.Message)
	}
	return matches, nil
}

// start starts the run that an event asks for. Where that can't be for what the event holds, the error is an
// [ErrBadInput].
func (f *feed) start(ctx context.Context, t AnyTrigger, e *Event) error {
	name, version := t.sagaOf().SagaName()
	raw, err := f.inputFor(t, e)
	if err == nil {
		_, err = f.c.StartByName(WithActor(ctx, "trigger "+e.Type), name, version, raw, func(o *startOptions) {
			o.id = domain.RunIDForEvent(name, e.ID)
			o.trigger = &domain.TriggerRef{Stream: e.Stream, Event: e.ID.String(), Type: e.Type, Position: e.Position}
			o.correlation, o.causation = e.CorrelationID, e.ID.String()
		})
	}
	if errors.Is(err, ErrKeyConflict) {
		return nil // the run exists; the trigger's code has changed since
	}
	return err
}

// passOver records that an event can't start its run.
func (f *feed) passOver(ctx context.Context, t AnyTrigger, e *Event, err error) error {
	name, _ := t.sagaOf().SagaName()
	f.c.logger.Error("an event can't start its saga", "event", e.ID, "type", e.Type, "stream", e.Stream, "saga", name, "error", err)
	data, jsonErr := json.Marshal(triggerFailed{Stream: e.Stream, Event: e.ID, Type: e.Type, Saga: name, Error: err.Error()})
	if jsonErr != nil {
		return jsonErr
	}
	_, err = f.c.log.Append(ctx, feedStream, domain.AnyRevision,
		domain.NewEvent{ID: uuid.NewSHA1(planSpace, append(e.ID[:], name...)), Type: triggerFailedType, Data: data})
	return err
}

func (f *feed) inputFor(t AnyTrigger, e *Event) (json.RawMessage, error) {
	raw, failure := guard("", func() (json.RawMessage, error) { return t.input(e) })
	if failure != nil {
		return nil, fmt.Errorf("%w: %s", ErrBadInput, failure.Message)
	}
	return raw, nil
}
