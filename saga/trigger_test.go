package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// beginWith is begin with triggers.
func beginWith(t testing.TB, log domain.Log, cfg saga.Config, triggers []saga.AnyTrigger, sagas ...saga.AnySaga) *saga.Coordinator {
	t.Helper()
	c, _ := beginStoppable(t, log, cfg, triggers, sagas...)
	return c
}

// beginStoppable returns a function that stops the coordinator before the test ends.
func beginStoppable(t testing.TB, log domain.Log, cfg saga.Config, triggers []saga.AnyTrigger, sagas ...saga.AnySaga) (*saga.Coordinator, func()) {
	t.Helper()
	cfg.Log = log
	c, err := saga.New(cfg)
	require.NoError(t, err)
	require.NoError(t, c.Register(sagas...))
	require.NoError(t, c.RegisterTriggers(triggers...))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(stop)
	<-c.Ready()
	return c, stop
}

func domainEvent(eventType, correlation string, payload any) domain.NewEvent {
	data, _ := json.Marshal(payload)
	meta, _ := json.Marshal(map[string]string{"$correlationId": correlation})
	return domain.NewEvent{ID: uuid.New(), Type: eventType, Data: data, Metadata: meta}
}

func TestEachEventStartsOneRunHoweverOftenItIsDelivered(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	ship := &saga.Action[order, order]{Name: "ship", Effect: saga.NoEffect, Do: func(_ context.Context, o order) (order, error) {
		calls.Add(1)
		return o, nil
	}}
	s := saga.Define("ship-order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[order] { return saga.Do(f, ship, in.In) })
	trigger := &saga.Trigger[order, order]{Type: "order-placed", StreamPrefix: "shop-", Saga: s,
		When: func(e saga.Event) bool { return e.Stream != "shop-closed" },
		Input: func(e saga.Event) (order, error) {
			var o order
			if err := json.Unmarshal(e.Data, &o); err != nil {
				return o, err
			}
			if o.ID == "bad" {
				return o, errors.New("no such order")
			}
			return order{o.ID + "!"}, nil
		}}
	log := memlog.New()
	ctx := t.Context()
	old := domainEvent("order-placed", "", order{"before the first start"})
	_, err := log.Append(ctx, "shop-1", domain.AnyRevision, old)
	require.NoError(t, err)
	c, stop := beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{trigger})

	placed := domainEvent("order-placed", "corr-7", order{"7"})
	_, err = log.Append(ctx, "shop-1", domain.AnyRevision, placed)
	require.NoError(t, err)
	for stream, e := range map[string]domain.NewEvent{
		"other-1": domainEvent("order-placed", "", order{"other stream"}), "shop-closed": domainEvent("order-placed", "", order{"not wanted"}),
		"shop-2": domainEvent("order-changed", "", order{"other type"}), "shop-3": domainEvent("order-placed", "", order{"bad"}),
	} {
		_, err := log.Append(ctx, stream, domain.AnyRevision, e)
		require.NoError(t, err)
	}
	id := domain.RunIDForEvent("ship-order", placed.ID)
	out, err := finishedLater[order](t, c, log, id)
	require.NoError(t, err)
	require.Equal(t, order{"7!"}, out)
	v, err := c.Describe(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "trigger order-placed", v.Actor)
	sagatest.UntilRecorded(t, log, "atone-rejected", func(e domain.Recorded) bool { return e.Type == "atone.event_rejected.v1" })
	eventually(t, func() bool { return c.EventsRejected()["trigger ship-order order-placed"] == 1 }, "and counted")
	sagatest.UntilRecorded(t, log, "atone-notices", func(e domain.Recorded) bool { // an alert
		return strings.Contains(string(e.Data), "can't start saga ship-order")
	})

	stop()
	// A second life delivers the events since the last saved position again.
	c2, _ := beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{trigger})
	next := domainEvent("order-placed", "", order{"8"})
	_, err = log.Append(ctx, "shop-1", domain.AnyRevision, next)
	require.NoError(t, err)
	_, err = finishedLater[order](t, c2, log, domain.RunIDForEvent("ship-order", next.ID))
	require.NoError(t, err)
	require.EqualValues(t, 2, calls.Load())
	for e, err := range log.ReadStream(ctx, domain.RunStream(id), 0) {
		require.NoError(t, err)
		m, err := domain.DecodeMeta(e.Metadata)
		require.NoError(t, err)
		require.Equal(t, "corr-7", m.CorrelationID)
		if e.Revision == 0 {
			require.Equal(t, placed.ID.String(), m.CausationID)
		}
	}
}

func awaiting() *saga.Saga[string, int] {
	prepare := &saga.Action[string, string]{Name: "prepare", Effect: saga.NoEffect, Do: func(_ context.Context, s string) (string, error) { return s, nil }}
	return saga.Define("await-payment", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[int] {
		id := saga.Do(f, prepare, in.In)
		return saga.AwaitEvent[int](f, "payment-made", id.In)
	})
}

func TestAwaitWakesOnItsDomainEventByCorrelation(t *testing.T) {
	t.Parallel()
	log, s, ctx := memlog.New(), awaiting(), t.Context()
	c, stop := beginStoppable(t, log, saga.Config{}, nil, s)
	early, err := saga.Start(ctx, c, s, "early")
	require.NoError(t, err)
	later, err := saga.Start(ctx, c, s, "later")
	require.NoError(t, err)
	waits := func(v explain.Run) bool { return len(v.Steps) == 2 && v.Steps[1].Phase.String() == "waiting" }
	sagatest.UntilOn(t, log, early.ID, waits)
	sagatest.UntilOn(t, log, later.ID, waits)
	_, err = log.Append(ctx, "payments", domain.AnyRevision, domainEvent("payment-made", "somebody else", 1), domainEvent("payment-made", "early", 2))
	require.NoError(t, err)
	n, err := early.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	stop()

	// The other one is woken after a restart, by an event that came while nobody ran.
	_, err = log.Append(ctx, "payments", domain.AnyRevision, domainEvent("payment-made", "later", 3))
	require.NoError(t, err)
	c2 := beginWith(t, log, saga.Config{}, nil, s)
	n, err = saga.RunOf[int](c2, later.ID).Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

func TestEventBetweenTheRunsStartAndItsAwaitIsNotMissed(t *testing.T) {
	t.Parallel()
	log, ctx := memlog.New(), t.Context()
	started, goOn := make(chan struct{}), make(chan struct{})
	hold := &saga.Action[string, string]{Name: "hold", Effect: saga.NoEffect, Do: func(_ context.Context, s string) (string, error) {
		close(started)
		<-goOn
		return s, nil
	}}
	s := saga.Define("await-late", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[int] {
		id := saga.Do(f, hold, in.In)
		first := saga.AwaitEvent[int](f, "payment-made", id.In, saga.Name("first"))
		second := saga.AwaitEvent[int](f, "payment-made", id.In, saga.Name("second"))
		return saga.Return(f, func(v saga.Scope) int { return 10*first.In(v) + second.In(v) })
	})
	c := beginWith(t, log, saga.Config{}, nil, s)
	_, err := log.Append(ctx, "payments", domain.AnyRevision, domainEvent("payment-made", "x", 9))
	require.NoError(t, err)
	run, err := saga.Start(ctx, c, s, "x")
	require.NoError(t, err)
	<-started
	_, err = log.Append(ctx, "payments", domain.AnyRevision, domainEvent("payment-made", "x", 4))
	require.NoError(t, err)
	close(goOn)
	// The first await takes the event.
	sagatest.UntilOn(t, log, run.ID, func(v explain.Run) bool { return len(v.Steps) == 3 })
	_, err = log.Append(ctx, "payments", domain.AnyRevision, domainEvent("payment-made", "x", 5))
	require.NoError(t, err)
	n, err := run.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, 45, n, "an event from before the start does not count, and none counts twice")
}

// TestEventBetweenATriggersEventAndTheRunsStartIsNotMissed has the event that a run will await come
// before the run has even started, but after the one that triggers it.
func TestEventBetweenATriggersEventAndTheRunsStartIsNotMissed(t *testing.T) {
	t.Parallel()
	log, s, ctx := memlog.New(), awaiting(), t.Context()
	trigger := &saga.Trigger[string, int]{Type: "order-placed", Saga: s}
	_, stop := beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{trigger})
	stop() // so that both events are there when the next life sees the first
	before, placed, paid := domainEvent("payment-made", "o1", 1), domainEvent("order-placed", "o1", "o1"), domainEvent("payment-made", "o1", 2)
	_, err := log.Append(ctx, "shop", domain.AnyRevision, before, placed, paid)
	require.NoError(t, err)
	c, _ := beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{trigger})
	id := domain.RunIDForEvent("await-payment", placed.ID)
	n, err := finishedLater[int](t, c, log, id)
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

// TestNodeWithoutATriggerDoesNotMoveItPastItsEvents is a deployment in progress: the old program,
// which does not know a trigger, saves its own position while the new one is down.
func TestNodeWithoutATriggerDoesNotMoveItPastItsEvents(t *testing.T) {
	t.Parallel()
	log, ctx := memlog.New(), t.Context()
	noop := &saga.Action[string, string]{Name: "noop", Effect: saga.NoEffect, Do: func(_ context.Context, s string) (string, error) { return s, nil }}
	define := func(name string) *saga.Saga[string, string] {
		return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Do(f, noop, in.In) })
	}
	older := &saga.Trigger[string, string]{Type: "old-event", Saga: define("older")}
	newer := &saga.Trigger[string, string]{Type: "new-event", Saga: define("newer")}
	_, stopNew := beginStoppable(t, log, node("new"), []saga.AnyTrigger{older, newer})
	stopNew()
	missed := domainEvent("new-event", "", "x")
	_, err := log.Append(ctx, "shop", domain.AnyRevision, missed)
	require.NoError(t, err)
	// The old program has another trigger for the first time, and saves a position behind the event
	// for it.
	other := &saga.Trigger[string, string]{Type: "other-event", Saga: define("other")}
	_, stopOld := beginStoppable(t, log, node("old"), []saga.AnyTrigger{older, other})
	stopOld()
	c, _ := beginStoppable(t, log, node("new"), []saga.AnyTrigger{older, newer})
	id := domain.RunIDForEvent("newer", missed.ID)
	_, err = finishedLater[string](t, c, log, id)
	require.NoError(t, err)
}

func TestEventsHaveTheSecretFieldsOfTheSagasThatTheyConcern(t *testing.T) {
	t.Parallel()
	type form struct {
		Email    string `json:"email"`
		Password string `json:"password" atone:"secret"`
	}
	type paid struct {
		Card string `json:"card" atone:"secret"`
	}
	join := saga.Define("join", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[string] { return saga.Await[string](f, "go") })
	pay := saga.Define("pay", 1, func(f *saga.Flow, _ saga.Ref[string]) saga.Ref[paid] {
		return saga.AwaitEvent[paid](f, "card-charged", func(v saga.Scope) string { return "c" })
	})
	c := beginWith(t, memlog.New(), saga.Config{}, []saga.AnyTrigger{&saga.Trigger[form, string]{Type: "asked", Saga: join}}, pay)
	require.Equal(t, []string{"password"}, c.SecretFields("asked"))
	require.Equal(t, []string{"card"}, c.SecretFields("card-charged"))
	require.Empty(t, c.SecretFields("other"))
}

// TestAnInputThatWouldComeBackChangedStartsNothing: a trigger's Input is a door like any other.
func TestAnInputThatWouldComeBackChangedStartsNothing(t *testing.T) {
	t.Parallel()
	log, ctx := memlog.New(), t.Context()
	noop := &saga.Action[string, string]{Name: "noop", Effect: saga.NoEffect, Do: func(_ context.Context, s string) (string, error) { return s, nil }}
	s := chain("changed", noop)
	trigger := &saga.Trigger[string, string]{Type: "placed", Saga: s, Input: func(saga.Event) (string, error) { return "id-\xff", nil }}
	c, _ := beginStoppable(t, log, saga.Config{}, []saga.AnyTrigger{trigger})
	e := domainEvent("placed", "", 1)
	_, err := log.Append(ctx, "shop", domain.AnyRevision, e)
	require.NoError(t, err)
	sagatest.UntilRecorded(t, log, "atone-rejected", func(r domain.Recorded) bool { return strings.Contains(string(r.Data), "UTF-8") })
	_, err = c.Describe(ctx, domain.RunIDForEvent("changed", e.ID))
	require.ErrorIs(t, err, saga.ErrNotFound)
}
