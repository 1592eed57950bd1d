package saga_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// inTurn is a saga that waits for "go", then awaits a number of payments one after the other and
// returns them.
func inTurn(n int) *saga.Saga[string, []int] {
	return saga.Define("in-turn", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[[]int] {
		saga.Await[string](f, "go")
		var paid []saga.Ref[int]
		for i := range n {
			paid = append(paid, saga.AwaitEvent[int](f, "payment-made", in.In, saga.Name(fmt.Sprint("payment-", i))))
		}
		return saga.Return(f, func(v saga.Scope) (all []int) {
			for _, p := range paid {
				all = append(all, p.In(v))
			}
			return all
		})
	})
}

// oneStep is a saga that does one thing.
func oneStep(name string) *saga.Saga[string, string] {
	return chain(name, &saga.Action[string, string]{Name: name + "-step", Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return in, nil }})
}

func appendEvent(t *testing.T, log domain.Log, stream string, e ...domain.NewEvent) {
	t.Helper()
	_, err := log.Append(context.Background(), stream, domain.AnyRevision, e...)
	require.NoError(t, err)
}

// TestAwaitsInSequenceEachGetTheirOwnEventInOrder: events that come before their awaits are opened
// are all kept, before and after a restart, and none is taken twice.
func TestAwaitsInSequenceEachGetTheirOwnEventInOrder(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, s := memlog.New(), inTurn(4)
				c, stop := beginStoppable(t, log, saga.Config{}, nil, s)
				run := start(t, c, s, "x")
				other := start(t, c, s, "x") // takes the same events for itself
				appendEvent(t, log, "payments", domainEvent("payment-made", "x", 1), domainEvent("payment-made", "y", 0), domainEvent("payment-made", "x", 2))
				if restart {
					time.Sleep(time.Minute)
					stop()
					c, stop = beginStoppable(t, log, saga.Config{CacheRuns: 1}, nil, s)
				}
				require.NoError(t, c.Signal(t.Context(), run.ID, "go", "x"))
				time.Sleep(time.Minute)
				appendEvent(t, log, "payments", domainEvent("payment-made", "x", 3))
				if restart {
					time.Sleep(time.Minute)
					stop()
					c, _ = beginStoppable(t, log, saga.Config{CacheRuns: 1}, nil, s)
				}
				appendEvent(t, log, "payments", domainEvent("payment-made", "x", 4))
				require.NoError(t, c.Signal(t.Context(), other.ID, "go", "x"))
				for _, r := range []*saga.Run[[]int]{run, other} {
					out, err := finished(t, saga.RunOf[[]int](c, r.ID))
					require.NoError(t, err)
					require.Equal(t, []int{1, 2, 3, 4}, out)
				}
			})
		})
	}
}

// counted is a log that counts the events that are read.
type counted struct {
	domain.Log
	all, streams atomic.Int64
}

func (l *counted) ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for e, err := range l.Log.ReadAll(ctx, after, filter) {
			l.all.Add(1)
			if !yield(e, err) {
				return
			}
		}
	}
}

func (l *counted) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		if strings.HasPrefix(stream, domain.RunPrefix) {
			l.streams.Add(1)
		}
		for e, err := range l.Log.ReadStream(ctx, stream, from) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestOpenAwaitsAreRecoveredWithoutReadingTheirRuns: a start finds open awaits in the checkpoint,
// and the await of an old run does not have the log read from that run's beginning.
func TestOpenAwaitsAreRecoveredWithoutReadingTheirRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, s := memlog.New(), inTurn(2)
		plain := &counted{Log: log}
		c, stop := beginStoppable(t, log, saga.Config{CheckpointEvery: 100}, nil, s)
		var runs []*saga.Run[[]int]
		for i := range 300 {
			runs = append(runs, start(t, c, s, fmt.Sprint(i)))
			if i%2 == 0 {
				require.NoError(t, c.Signal(t.Context(), runs[i].ID, "go", ""))
			}
		}
		for i := range 5_000 {
			appendEvent(t, log, "noise", domainEvent("noise", "", i))
		}
		time.Sleep(time.Minute)
		stop()
		c, _ = beginStoppable(t, plain, saga.Config{CheckpointEvery: 100}, nil, s)
		time.Sleep(time.Minute)
		require.Zero(t, plain.streams.Load(), "no run is read before it has something to do")
		require.NoError(t, c.Signal(t.Context(), runs[1].ID, "go", ""))
		time.Sleep(time.Minute)
		for _, i := range []int{0, 1} {
			appendEvent(t, log, "payments", domainEvent("payment-made", fmt.Sprint(i), 1), domainEvent("payment-made", fmt.Sprint(i), 2))
			out, err := finished(t, saga.RunOf[[]int](c, runs[i].ID))
			require.NoError(t, err)
			require.Equal(t, []int{1, 2}, out)
		}
		require.Less(t, plain.all.Load(), int64(1_000), "events read in order through the log")
		require.Less(t, plain.streams.Load(), int64(20), "reads of runs")
	})
}

// TestMoreEarlyEventsThanMemoryHolds: events that nobody awaits yet are stored by their key where
// they are too many, and found there by an old run, in order, after a restart as well.
func TestMoreEarlyEventsThanMemoryHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("it appends 250,000 events")
	}
	t.Parallel()
	log, s := memlog.New(), inTurn(3)
	c, stop := beginStoppable(t, log, saga.Config{}, nil, s)
	run, late := start(t, c, s, "x"), start(t, c, s, "x")
	for i := range 3 {
		appendEvent(t, log, "payments", domainEvent("payment-made", "x", i))
		batch := make([]domain.NewEvent, 1000)
		for range 80 {
			for k := range batch {
				batch[k] = domainEvent("payment-made", uuid.NewString(), 0)
			}
			appendEvent(t, log, "payments", batch...)
		}
	}
	require.NoError(t, c.Signal(t.Context(), run.ID, "go", ""))
	out, err := finished(t, run)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2}, out)
	stored := func() (n int) {
		for _, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{"atone-inbox-"}}) {
			require.NoError(t, err)
			n++
		}
		return n
	}
	require.GreaterOrEqual(t, stored(), 40_000, "at most 200,000 are in memory")
	stop()
	c, _ = beginStoppable(t, log, saga.Config{}, nil, s)
	require.NoError(t, c.Signal(t.Context(), late.ID, "go", ""))
	out, err = finished(t, saga.RunOf[[]int](c, late.ID))
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2}, out)
}

// TestUnreadableBookkeepingIsPassedOver: a checkpoint of the triggers or of what is awaited that
// can't be read is passed over for the one before, or for the log.
func TestUnreadableBookkeepingIsPassedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, s := memlog.New(), inTurn(2)
		triggered := awaiting()
		trigger := &saga.Trigger[string, int]{Type: "order-placed", Saga: triggered}
		c, stop := beginStoppable(t, log, saga.Config{CheckpointEvery: 40}, []saga.AnyTrigger{trigger}, s)
		run := start(t, c, s, "x")
		appendEvent(t, log, "payments", domainEvent("payment-made", "x", 1))
		for i := range 100 {
			appendEvent(t, log, "shop", domainEvent("order-placed", "", fmt.Sprint("o", i)))
		}
		time.Sleep(time.Minute)
		stop()
		whole := 0
		for e, err := range log.ReadStream(t.Context(), "atone-inbox", 0) {
			require.NoError(t, err)
			require.Equal(t, "atone.inbox_checkpoint.v1", e.Type)
			whole++
		}
		require.NotZero(t, whole)
		for stream, kind := range map[string]string{"atone-inbox": "atone.inbox_checkpoint.v1", "atone-triggers": "atone.trigger_checkpoint.v1"} {
			for _, garbage := range []string{`{"position":"far"}`, `{`, `{"position":0,"last":true,"part":7,"runs":[]}`,
				`{"id":"6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e05","position":1,"part":3,"last":true}`} {
				appendEvent(t, log, stream, domain.NewEvent{ID: uuid.New(), Type: kind, Data: []byte(garbage)})
			}
		}
		placed := domainEvent("order-placed", "", "later")
		appendEvent(t, log, "shop", placed)
		c, _ = beginStoppable(t, log, saga.Config{CheckpointEvery: 40}, []saga.AnyTrigger{trigger}, s)
		require.NoError(t, c.Signal(t.Context(), run.ID, "go", ""))
		time.Sleep(time.Minute)
		appendEvent(t, log, "payments", domainEvent("payment-made", "x", 2), domainEvent("payment-made", "later", 7))
		out, err := finished(t, saga.RunOf[[]int](c, run.ID))
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, out)
		n, err := finished(t, saga.RunOf[int](c, domain.RunIDForEvent("await-payment", placed.ID)))
		require.NoError(t, err)
		require.Equal(t, 7, n)
	})
}

// TestNodesThatSaveAtOneMomentMixNothing: parts of two checkpoints of what is awaited stand among
// each other in the log.
func TestNodesThatSaveAtOneMomentMixNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, s := memlog.New(), inTurn(1)
		c, stop := beginStoppable(t, log, saga.Config{}, nil, s)
		run := start(t, c, s, "x")
		require.NoError(t, c.Signal(t.Context(), run.ID, "go", ""))
		time.Sleep(time.Minute)
		stop()
		var at domain.Position
		for e := range log.ReadAllBackward(t.Context(), domain.EndPosition, domain.Filter{}) {
			at = e.Position
			break
		}
		part := func(id uuid.UUID, part int, last bool, rest string) domain.NewEvent {
			return domain.NewEvent{ID: uuid.New(), Type: "atone.inbox_checkpoint.v1",
				Data: fmt.Appendf(nil, `{"id":"%s","position":%d,"part":%d,"last":%v%s}`, id, at, part, last, rest)}
		}
		types := `,"types":[{"name":"payment-made"}]`
		open := fmt.Sprintf(`,"runs":[{"run":"%s","from":1,"known":true,"open":[{"type":"payment-made","correlation":"x","step":"payment-0","opened":%d}]}]`, run.ID, at)
		whole, cut := uuid.New(), uuid.New()
		appendEvent(t, log, "atone-inbox", part(cut, 0, false, types), part(whole, 0, false, types), part(whole, 1, false, open), part(cut, 2, true, ""), part(whole, 2, true, ""))
		counting := &counted{Log: log}
		c, _ = beginStoppable(t, counting, saga.Config{}, nil, s)
		appendEvent(t, log, "payments", domainEvent("payment-made", "x", 5))
		out, err := finished(t, saga.RunOf[[]int](c, run.ID))
		require.NoError(t, err)
		require.Equal(t, []int{5}, out)
	})
}

// TestTriggerThatMisbehavesHoldsUpNobody: code of a trigger that panics, ends its goroutine or
// hangs is that trigger's trouble alone; other triggers and awaits go on.
func TestTriggerThatMisbehavesHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(<-chan struct{}){"panics": func(<-chan struct{}) { panic("x") },
		"exits": func(<-chan struct{}) { runtime.Goexit() }, "hangs": func(end <-chan struct{}) { <-end }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				defer close(end)
				log, s := memlog.New(), awaiting()
				in := oneStep("bad-input")
				when := oneStep("bad-when")
				good := oneStep("good")
				c := beginWith(t, log, saga.Config{}, []saga.AnyTrigger{
					&saga.Trigger[string, string]{Type: "order", Saga: in, Input: func(saga.Event) (string, error) { bad(end); return "", nil }},
					&saga.Trigger[string, string]{Type: "order", Saga: when, When: func(saga.Event) bool { bad(end); return true }},
					&saga.Trigger[string, string]{Type: "order", Saga: good}}, s)
				run := start(t, c, s, "x")
				var orders []domain.NewEvent
				for i := range 20 {
					orders = append(orders, domainEvent("order", "", fmt.Sprint(i)))
				}
				appendEvent(t, log, "shop", orders...)
				appendEvent(t, log, "payments", domainEvent("payment-made", "x", 3))
				began := time.Now()
				out, err := finished(t, run)
				require.NoError(t, err)
				require.Equal(t, 3, out)
				for _, e := range orders {
					_, err := finishedLater[string](t, c, log, domain.RunIDForEvent("good", e.ID))
					require.NoError(t, err)
				}
				require.Less(t, time.Since(began), time.Second)
			})
		})
	}
}

// TestATriggerThatDoesNotGetOnIsTold: by a gauge at once, and by one alert after a minute; both end
// when it gets on.
func TestATriggerThatDoesNotGetOnIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		log, alerts := memlog.New(), &alertList{}
		hangs := oneStep("hangs")
		c := beginWith(t, log, saga.Config{Alerts: []saga.AlertSink{alerts}}, []saga.AnyTrigger{
			&saga.Trigger[string, string]{Type: "order", Saga: hangs, Input: func(saga.Event) (string, error) { <-end; return "", nil }}})
		require.Empty(t, c.TriggersHeldUp())
		var orders []domain.NewEvent
		for i := range 6 {
			orders = append(orders, domainEvent("order", "", fmt.Sprint(i)))
		}
		appendEvent(t, log, "shop", orders...)
		time.Sleep(50 * time.Second) // four calls that hang, ten seconds each
		require.Contains(t, c.TriggersHeldUp(), "trigger hangs order")
		require.Empty(t, alerts.of(saga.AlertTrigger))
		time.Sleep(3 * time.Minute)
		require.Greater(t, c.TriggersHeldUp()["trigger hangs order"], 3*time.Minute)
		told := alerts.of(saga.AlertTrigger)
		require.Len(t, told, 1)
		require.Equal(t, "hangs", told[0].Saga)
		require.Contains(t, told[0].Cause.Message, "have not returned")
		close(end)
		time.Sleep(5 * time.Second)
		require.Empty(t, c.TriggersHeldUp())
	})
}

// TestTriggerWithoutAPlaceWaitsDurablyAndTheInboxGoesOn: all places are taken by runs that wait for
// their handlers, and one of them for an event in a second step; events for triggers do not keep it
// from being met, and start their runs when there are places again, also in a later life.
func TestTriggerWithoutAPlaceWaitsDurablyAndTheInboxGoesOn(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", kill), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := memlog.New()
				var gate atomic.Pointer[chan struct{}]
				open := make(chan struct{})
				gate.Store(&open)
				busy := &saga.Action[string, string]{Name: "busy", Effect: saga.NoEffect, Timeout: 1_000 * time.Hour, Do: func(ctx context.Context, in string) (string, error) {
					select {
					case <-*gate.Load():
					case <-ctx.Done():
					}
					return in, ctx.Err()
				}}
				holder := saga.Define("holder", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[int] {
					var paid saga.Ref[int]
					saga.Parallel(f,
						func(f *saga.Flow) { saga.Do(f, busy, in.In) },
						func(f *saga.Flow) { paid = saga.AwaitEvent[int](f, "payment-made", in.In) })
					return paid
				})
				placed := oneStep("placed")
				trigger := &saga.Trigger[string, string]{Type: "order", Saga: placed}
				cfg := saga.Config{MaxRuns: 1, ShutdownTimeout: time.Second}
				c, stop := beginStoppable(t, log, cfg, []saga.AnyTrigger{trigger}, holder)
				run := start(t, c, holder, "x")
				var orders []domain.NewEvent
				for i := range 2_500 { // more than wait in memory
					orders = append(orders, domainEvent("order", "", fmt.Sprint(i)))
				}
				appendEvent(t, log, "shop", orders...)
				time.Sleep(time.Minute)
				appendEvent(t, log, "payments", domainEvent("payment-made", "x", 3))
				time.Sleep(time.Minute)
				v, err := c.Describe(t.Context(), run.ID)
				require.NoError(t, err)
				require.Equal(t, "done", stepOf(v, "payment-made").Phase.String(), "the feed goes on")
				_, err = c.Describe(t.Context(), domain.RunIDForEvent("placed", orders[0].ID))
				require.ErrorIs(t, err, saga.ErrNotFound)
				if kill {
					stop()
					appendEvent(t, log, "shop", domainEvent("order", "", "y"))
					c, _ = beginStoppable(t, log, cfg, []saga.AnyTrigger{trigger}, holder)
					time.Sleep(time.Minute)
				}
				close(open)
				for _, e := range orders {
					sagatest.UntilOn(t, log, domain.RunIDForEvent("placed", e.ID), nil)
				}
				time.Sleep(time.Minute)
				require.Zero(t, c.ActiveRuns())
			})
		})
	}
}

func stepOf(v explain.Run, path string) (st explain.Step) {
	for _, s := range v.Steps {
		if s.Path == path {
			st = s
		}
	}
	return st
}

// refusing is a log that refuses appends to some streams.
type refusing struct {
	domain.Log
	mu      sync.Mutex
	streams map[string]bool
}

func (l *refusing) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	l.mu.Lock()
	refused := l.streams[stream]
	l.mu.Unlock()
	if refused {
		return domain.Appended{}, domain.ErrAccessDenied
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

// TestRunThatTakesNoEventHoldsUpNobody: a run to which nothing can be delivered, and an event whose
// run can't be started, are tried again by themselves, while a flood of events of both types goes
// on; they get on once they can.
func TestRunThatTakesNoEventHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &refusing{Log: memlog.New(), streams: map[string]bool{}}
		s := awaiting()
		placed := oneStep("placed")
		c := beginWith(t, log, saga.Config{}, []saga.AnyTrigger{&saga.Trigger[string, string]{Type: "order", Saga: placed}}, s)
		bad, good := start(t, c, s, "same"), start(t, c, s, "same")
		badOrder, goodOrder := domainEvent("order", "", "b"), domainEvent("order", "", "g")
		time.Sleep(time.Minute)
		log.mu.Lock()
		log.streams[domain.RunStream(bad.ID)], log.streams[domain.RunStream(domain.RunIDForEvent("placed", badOrder.ID))] = true, true
		log.mu.Unlock()
		appendEvent(t, log, "shop", badOrder)
		appendEvent(t, log, "payments", domainEvent("payment-made", "same", 1))
		for i := range 300 {
			appendEvent(t, log, "payments", domainEvent("payment-made", "same", i+2), domainEvent("order", "", fmt.Sprint(i)))
		}
		appendEvent(t, log, "shop", goodOrder)
		began := time.Now()
		out, err := finished(t, good)
		require.NoError(t, err)
		require.Equal(t, 1, out)
		sagatest.UntilOn(t, log, domain.RunIDForEvent("placed", goodOrder.ID), nil)
		require.Less(t, time.Since(began), time.Second)
		time.Sleep(time.Hour)
		log.mu.Lock()
		clear(log.streams)
		log.mu.Unlock()
		out, err = finished(t, bad)
		require.NoError(t, err)
		require.Equal(t, 1, out, "still the first")
		time.Sleep(time.Minute)
		_, err = c.Describe(t.Context(), domain.RunIDForEvent("placed", badOrder.ID))
		require.NoError(t, err)
	})
}

// TestEventsThatNobodyCanReadStopNothing: what an app appends by itself, and what stands in runs'
// streams, may be anything.
func TestEventsThatNobodyCanReadStopNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, s := memlog.New(), awaiting()
		c := beginWith(t, log, saga.Config{}, []saga.AnyTrigger{&saga.Trigger[string, int]{Type: "order", Saga: s}}, s)
		run := start(t, c, s, "x")
		time.Sleep(time.Minute)
		meta, err := json.Marshal(map[string]string{"$correlationId": "x"})
		require.NoError(t, err)
		for _, data := range []string{"", "{", "\xff\xfe", "1 2", strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), `"` + strings.Repeat("x", 600<<10) + `"`} {
			for _, kind := range []string{"payment-made", "order"} {
				if data != "" || kind == "order" {
					appendEvent(t, log, "payments", domain.NewEvent{ID: uuid.New(), Type: kind, Data: []byte(data), Metadata: meta, Binary: true})
				}
			}
			for _, kind := range []string{"await.opened.v1", "await.met.v1", "step.failed.v1", "run.started.v1"} {
				appendEvent(t, log, domain.RunStream(uuid.New()), domain.NewEvent{ID: uuid.New(), Type: kind, Data: []byte(data), Metadata: []byte(data[:min(len(data), 1000)])})
			}
		}
		appendEvent(t, log, "payments", domainEvent("payment-made", "x", 3))
		out, err := finished(t, run)
		require.NoError(t, err)
		require.Equal(t, 3, out)
	})
}

// TestNodesDeliverOnceAndTakeOver: where nodes share a log, the one in whose hands a run is
// delivers to it, and another one when that is gone; an event starts its run once.
func TestNodesDeliverOnceAndTakeOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, s := memlog.New(), inTurn(3)
		placed := oneStep("placed")
		trigger := &saga.Trigger[string, string]{Type: "order", Saga: placed}
		one, stop := beginStoppable(t, log, node("one"), []saga.AnyTrigger{trigger}, s)
		two := beginWith(t, log, node("two"), []saga.AnyTrigger{trigger}, s)
		time.Sleep(time.Minute)
		run := start(t, one, s, "x")
		require.NoError(t, one.Signal(t.Context(), run.ID, "go", ""))
		time.Sleep(time.Minute)
		conflicts := func() int64 { return one.Stats().Conflicts.Load() + two.Stats().Conflicts.Load() }
		before := conflicts()
		for i := range 50 {
			appendEvent(t, log, "payments", domainEvent("order", "", fmt.Sprint(i)))
		}
		appendEvent(t, log, "payments", domainEvent("payment-made", "x", 1))
		time.Sleep(time.Minute)
		require.Equal(t, before, conflicts(), "nobody does what another has done")
		require.Equal(t, int64(50), startsIn(t, log, "placed"))
		stop()
		order := domainEvent("order", "", "y")
		appendEvent(t, log, "payments", domainEvent("payment-made", "x", 2), order, domainEvent("payment-made", "x", 3))
		out, err := finished(t, saga.RunOf[[]int](two, run.ID))
		require.NoError(t, err)
		require.Equal(t, []int{1, 2, 3}, out)
		sagatest.UntilOn(t, log, domain.RunIDForEvent("placed", order.ID), nil)
		require.Equal(t, int64(51), startsIn(t, log, "placed"))
	})
}

func startsIn(t *testing.T, log domain.Log, name string) (n int64) {
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		if e.Type == "run.started.v1" && strings.Contains(string(e.Data), `"saga":"`+name+`"`) {
			n++
		}
	}
	return n
}

// TestWhatRanOutIsForgotten: nothing is kept of awaits that ran out, nor of runs that have ended.
func TestWhatRanOutIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		s := saga.Define("runs-out", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.AwaitEvent[string](f, "first", in.In, saga.Within(time.Second), saga.DefaultTo("none"))
			saga.AwaitEvent[string](f, "second", in.In, saga.Within(time.Second), saga.OnFail(saga.Ignore))
			return saga.Await[string](f, "go")
		})
		c := beginWith(t, log, saga.Config{CheckpointEvery: 40}, nil, s)
		for i := range 50 {
			start(t, c, s, fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		for i := range 100 {
			appendEvent(t, log, "payments", domainEvent("first", fmt.Sprint(i), i))
		}
		time.Sleep(time.Minute)
		last := ""
		for e, err := range log.ReadStream(t.Context(), "atone-inbox", 0) {
			require.NoError(t, err)
			last = string(e.Data)
		}
		require.Equal(t, 50, strings.Count(last, `"run":`), "the runs wait for a signal")
		require.NotContains(t, last, `"open"`)
	})
}
