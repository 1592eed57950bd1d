package saga_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// ids returns the ids of the alerts that a sink took, in order.
func (s *sink) ids() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.taken {
		ids = append(ids, fmt.Sprint(a.Kind, " ", a.ID))
	}
	return ids
}

// alerting runs a coordinator that tells the sink, until stop is called.
func alerting(t *testing.T, log domain.Log, cfg saga.Config, to saga.AlertSink, sagas ...saga.AnySaga) (c *saga.Coordinator, stop func()) {
	t.Helper()
	cfg.Alerts = []saga.AlertSink{to}
	ctx, cancel := context.WithCancel(context.Background())
	c, ended := launch(t, ctx, log, cfg, sagas...)
	return c, func() { cancel(); require.NoError(t, <-ended) }
}

// stuckSaga gets stuck at its only step, which is past undoing.
func stuckSaga(r *rig) *saga.Saga[string, string] {
	a := r.act("a")
	r.fails("a", saga.Permanent(errModel), saga.Permanent(errModel), saga.Permanent(errModel), saga.Permanent(errModel), saga.Permanent(errModel))
	return saga.Define("stuck", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, a, in.In, saga.OnFail(saga.Ask))
	})
}

// waitsLong is a saga that waits for a signal, and is slow after an hour.
func waitsLong() *saga.Saga[string, string] {
	return saga.Define("long", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") }, saga.Slow(time.Hour))
}

// TestAlertsAreNotToldAgainAfterAnOrderlyRestart, although a run is pending that may still become
// slow. When it does there is one alert, before or after the restart.
func TestAlertsAreNotToldAgainAfterAnOrderlyRestart(t *testing.T) {
	t.Parallel()
	for _, pending := range []int{1, 60, 2_100} { // in each mark, in some, in parts
		t.Run(fmt.Sprint(pending), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memlog.New())
				stuck, long := stuckSaga(r), waitsLong()
				to := &sink{}
				c, stop := alerting(t, r.log, saga.Config{}, to, stuck, long)
				for range pending {
					start(t, c, long, "")
				}
				for range 3 {
					start(t, c, stuck, "")
				}
				ended := start(t, c, long, "")
				sleepABit()
				require.NoError(t, c.Signal(t.Context(), ended.ID, "go", "x"))
				require.Len(t, to.ids(), 3)
				stop()
				for range 2 {
					_, stop = alerting(t, r.log, saga.Config{}, to, stuck, long)
					sleepABit()
					require.Len(t, to.ids(), 3, "nothing is told again")
					stop()
				}
				_, stop = alerting(t, r.log, saga.Config{}, to, stuck, long)
				time.Sleep(time.Hour)
				require.Len(t, to.ids(), 3+pending)
				stop()
				_, stop = alerting(t, r.log, saga.Config{}, to, stuck, long)
				sleepABit()
				require.Len(t, to.ids(), 3+pending)
				stop()
				ids := to.ids()
				slices.Sort(ids)
				require.Len(t, slices.Compact(ids), 3+pending, "each is told once")
			})
		})
	}
}

// TestWhatWasResolvedMeanwhileIsNotTold when a sink takes alerts again.
func TestWhatWasResolvedMeanwhileIsNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		stuck, long := stuckSaga(r), waitsLong()
		ctx, cancel := context.WithCancel(context.Background())
		c, ended := launch(t, ctx, r.log, saga.Config{}, stuck, long) // tells nobody
		resolved, open, slow := start(t, c, stuck, ""), start(t, c, stuck, ""), start(t, c, long, "")
		time.Sleep(2 * time.Hour)
		require.NoError(t, c.Skip(t.Context(), resolved.ID, "", "done by hand"))
		require.NoError(t, c.Signal(t.Context(), slow.ID, "go", "x"))
		cancel()
		require.NoError(t, <-ended)
		to := &sink{}
		_, stop := alerting(t, r.log, saga.Config{}, to, stuck, long)
		sleepABit()
		stop()
		require.Len(t, to.taken, 1)
		require.Equal(t, open.ID, to.taken[0].Run)
	})
}

// mortal is the log of a node that dies with the log: the node's goroutines end with the test.
type mortal struct {
	domain.Log
	dead, over chan struct{}
}

func (m mortal) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	select {
	case <-m.dead:
		<-m.over
		return domain.Appended{}, domain.ErrClosed
	default:
	}
	return m.Log.Append(ctx, stream, expected, events...)
}

func (m mortal) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		for d, err := range m.Log.Subscribe(ctx, after, filter) {
			select {
			case <-m.dead:
				<-m.over
				return
			default:
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// TestOneNodeTellsAnAlertAndAnotherTakesOver from one that stops, and from one that dies.
func TestOneNodeTellsAnAlertAndAnotherTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		stuck := stuckSaga(r)
		sinks := map[string]*sink{"one": {}, "two": {}, "three": {}}
		told := func() (all []string, by []string) {
			for name, to := range sinks {
				if ids := to.ids(); len(ids) > 0 {
					all, by = append(all, ids...), append(by, name)
				}
			}
			slices.Sort(all)
			return all, by
		}
		stops, dead, over := map[string]func(){}, map[string]chan struct{}{}, make(chan struct{})
		nodes := map[string]*saga.Coordinator{}
		for name, to := range sinks {
			dead[name] = make(chan struct{})
			nodes[name], stops[name] = alerting(t, mortal{r.plain, dead[name], over}, saga.Config{Node: name, Shared: true, ShutdownTimeout: time.Second}, to, stuck)
		}
		sleepABit()
		someone := func() *saga.Coordinator { return nodes[slices.Sorted(maps.Keys(nodes))[0]] }
		start(t, someone(), stuck, "")
		start(t, someone(), stuck, "")
		sleepABit()
		all, by := told()
		require.Len(t, all, 2)
		require.Len(t, by, 1, "one node tells")

		stops[by[0]]() // an orderly stop: the next alert is told by another, soon
		delete(nodes, by[0])
		first := by[0]
		start(t, someone(), stuck, "")
		time.Sleep(5 * time.Second)
		all, by = told()
		require.Len(t, all, 3)
		require.Len(t, slices.Compact(all), 3)
		require.Len(t, by, 2)

		second := by[0]
		if second == first {
			second = by[1]
		}
		close(dead[second])
		delete(nodes, second)
		start(t, someone(), stuck, "")
		start(t, someone(), stuck, "")
		time.Sleep(20 * time.Second) // a node counts as dead after 10 s
		all, by = told()
		require.Len(t, by, 3)
		require.Len(t, slices.Compact(all), 5, "nothing was told twice, save what a node told and could not note")
		require.Len(t, all, 5)
		close(over)
		for name := range nodes {
			stops[name]()
		}
	})
}

// TestNodesThatShareALogTellEachIncidentOnce, over orderly restarts of one after the other and of
// all, and nothing of what was resolved meanwhile.
func TestNodesThatShareALogTellEachIncidentOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		stuck := stuckSaga(r)
		for range 3 {
			stuckSaga(r) // more failures
		}
		to := &sink{}
		names := []string{"one", "two", "three"}
		nodes, stops := map[string]*saga.Coordinator{}, map[string]func(){}
		run := func(name string) {
			nodes[name], stops[name] = alerting(t, r.log, saga.Config{Node: name, Shared: true, ShutdownTimeout: time.Second}, to, stuck)
		}
		told := func(n int, when string) {
			time.Sleep(20 * time.Second) // a node counts as dead after 10 s
			ids := to.ids()
			require.Len(t, ids, n, when)
			slices.Sort(ids)
			require.Len(t, slices.Compact(ids), n, when)
		}
		for _, name := range names {
			run(name)
		}
		sleepABit()
		first := start(t, nodes["two"], stuck, "")
		start(t, nodes["three"], stuck, "")
		told(2, "each once, though three nodes see them")
		require.NoError(t, nodes["one"].Retry(t.Context(), first.ID, "", "the bank is back"))
		told(3, "a retry that failed again is told, once")
		for i, name := range names {
			stops[name]()
			start(t, nodes[names[(i+1)%len(names)]], stuck, "")
			run(name)
			told(4+i, "restarts one after the other")
		}
		for _, name := range names {
			stops[name]()
		}

		ctx, cancel := context.WithCancel(context.Background())
		// tells nobody
		quiet, ended := launch(t, ctx, r.log, saga.Config{Node: "quiet", Shared: true}, stuck)
		resolved, open := start(t, quiet, stuck, ""), start(t, quiet, stuck, "")
		sleepABit()
		require.NoError(t, quiet.Skip(t.Context(), resolved.ID, "", "done by hand"))
		require.NoError(t, quiet.Skip(t.Context(), first.ID, "", "done by hand"))
		cancel()
		require.NoError(t, <-ended)
		for _, name := range names {
			run(name)
		}
		told(7, "only what is open, of what happened while nobody told")
		for _, name := range names {
			stops[name]()
		}
		require.Equal(t, open.ID, to.taken[6].Run)
	})
}

// TestWhatCannotBeReadHoldsNoAlertUp: alerts go on behind it, and a run that got stuck is told
// though nobody knows where.
func TestWhatCannotBeReadHoldsNoAlertUp(t *testing.T) {
	t.Parallel()
	events := unreadableEvents()
	events["started, no plan"] = domain.NewEvent{Type: "run.started.v1", Data: []byte(`{"saga":"x","version":1,"plan":"ab"}`), Metadata: []byte(`{}`)}
	events["started, no JSON"] = domain.NewEvent{Type: "run.started.v1", Data: []byte(`{"`), Metadata: []byte(`{}`)}
	for name, e := range events {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memlog.New())
				stuck, long := stuckSaga(r), waitsLong()
				to := &sink{}
				c, stop := alerting(t, r.log, saga.Config{}, to, stuck, long)
				bad := start(t, c, long, "")
				put(t, r.log, domain.RunStream(bad.ID), e)
				put(t, r.log, domain.RunStream(domain.NewRunID()), e)
				good := start(t, c, stuck, "")
				sleepABit()
				stop()
				var runs []domain.RunID
				for _, a := range to.taken {
					runs = append(runs, a.Run)
				}
				require.Contains(t, runs, good.ID)
				if e.Type == "run.stuck.v1" {
					require.Contains(t, runs, bad.ID)
				}
			})
		})
	}
}

// sinkFunc is a sink by a function.
type sinkFunc func(ctx context.Context, a saga.Alert) error

func (f sinkFunc) Alert(ctx context.Context, a saga.Alert) error { return f(ctx, a) }

// TestASinkThatMisbehavesIsToldAgain: it keeps no alert from other sinks, is never called twice at
// once, and does not end the process.
func TestASinkThatMisbehavesIsToldAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range kindsOfMisdeeds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memlog.New())
				stuck := stuckSaga(r)
				bad := misdeeds(t)[kind]
				inner, other := &sink{}, &sink{}
				var calls atomic.Int64 // the runner does not wait for a sink that hangs
				misbehaves := sinkFunc(func(ctx context.Context, a saga.Alert) error {
					if calls.Add(1) <= 2 {
						bad()
					}
					return inner.Alert(ctx, a)
				})
				ctx, cancel := context.WithCancel(context.Background())
				c, ended := launch(t, ctx, r.log, saga.Config{Alerts: []saga.AlertSink{misbehaves, other}}, stuck)
				start(t, c, stuck, "")
				start(t, c, stuck, "")
				time.Sleep(10 * time.Minute)
				require.Len(t, other.ids(), 2)
				if kind == "hang" {
					require.Len(t, c.AlertsHeldUp(), 1)
					require.EqualValues(t, 1, calls.Load())
				} else {
					require.Equal(t, other.ids(), inner.ids())
					require.Empty(t, c.AlertsHeldUp())
				}
				cancel()
				require.NoError(t, <-ended, "a sink that hangs does not hold up the stop")
			})
		})
	}
}

// TestOldPositionsOfAlertsAreHeeded: an alert that an older version sent is not sent again,
// although that version computed a position that the log does not have.
func TestOldPositionsOfAlertsAreHeeded(t *testing.T) {
	t.Parallel()
	for _, off := range []domain.Position{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, memlog.New())
			stuck := stuckSaga(r)
			ctx, cancel := context.WithCancel(context.Background())
			c, ended := launch(t, ctx, r.log, saga.Config{}, stuck)
			start(t, c, stuck, "")
			sleepABit()
			at := lastPosition(t, r.log) - off
			data, err := json.Marshal(map[string]any{"position": at, "sink": "*saga_test.sink"})
			require.NoError(t, err)
			put(t, r.log, "atone-alerts", domain.NewEvent{Type: "atone.alert_checkpoint.v1", Data: data})
			later := start(t, c, stuck, "")
			sleepABit()
			cancel()
			require.NoError(t, <-ended)
			to := &sink{}
			_, stop := alerting(t, r.log, saga.Config{}, to, stuck)
			sleepABit()
			stop()
			var runs []domain.RunID
			for _, a := range to.taken {
				runs = append(runs, a.Run)
			}
			require.Contains(t, runs, later.ID)
			require.Len(t, runs, 1+int(off), "nothing up to the position, though it is no record's")
		})
	}
}
