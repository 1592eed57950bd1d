package saga_test

import (
	"context"
	"iter"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// deadLog is a log whose coordinator died: nothing that it appends arrives any more.
type deadLog struct {
	domain.Log
	dead atomic.Bool
}

func (l *deadLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if l.dead.Load() {
		<-ctx.Done()
		return domain.Appended{}, ctx.Err()
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

func node(name string) saga.Config {
	return saga.Config{Node: name, Shared: true, NodeTimeout: 400 * time.Millisecond, TakeoverDelay: 50 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler), ShutdownTimeout: time.Second}
}

func TestNodesTakeOverFromOneThatDied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		var hold atomic.Bool
		hold.Store(true)
		entered := make(chan struct{}, 100)
		block := make(chan struct{})
		work := &saga.Action[int, int]{Name: "work", Undo: func(context.Context, saga.Did[int, int]) error { return nil }, Retry: fastRetry,
			Do: func(_ context.Context, n int) (int, error) {
				if hold.Load() {
					entered <- struct{}{}
					<-block
				}
				return n + 1, nil
			}}
		s := saga.Define("shared", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
			a := saga.Do(f, work, in.In)
			saga.Sleep(f, 20*time.Millisecond)
			return saga.Do(f, work, a.In, saga.Name("again"))
		})
		log := memlog.New()
		victimLog := &deadLog{Log: log}
		victim := begin(t, victimLog, node("victim"), s)
		t.Cleanup(func() { close(block) })
		second := begin(t, log, node("second"), s)
		third := begin(t, log, node("third"), s)

		var runs []*saga.Run[int]
		for i := range 20 {
			r, err := saga.Start(ctx, victim, s, i)
			require.NoError(t, err)
			runs = append(runs, r)
		}
		for range runs {
			<-entered
		}
		hold.Store(false)
		victimLog.dead.Store(true) // its handlers hang, and nothing it writes arrives
		for i, r := range runs {
			c := second
			if i%2 == 0 {
				c = third
			}
			wait, cancel := context.WithTimeout(ctx, time.Minute)
			n, err := saga.RunOf[int](c, r.ID).Wait(wait)
			cancel()
			if err != nil {
				for e := range log.ReadStream(ctx, domain.RunStream(r.ID), 0) {
					t.Logf("%d %s %s %s %s", e.Revision, e.Created.Format("05.000"), e.Type, e.Data, e.Metadata)
				}
			}
			require.NoError(t, err)
			require.Equal(t, i+2, n)
		}
	})
}

func TestWaiterOnOneNodeHearsOfTheEndOnAnother(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := saga.Define("signalled", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Await[int](f, "go") })
	log := memlog.New()
	a, b := begin(t, log, node("a"), s), begin(t, log, node("b"), s)
	run, err := saga.Start(ctx, a, s, 1)
	require.NoError(t, err)
	got := make(chan int, 1)
	go func() {
		n, err := run.Wait(ctx)
		if err == nil {
			got <- n
		}
	}()
	settled(t, log, run.ID, "await.opened.v1")
	require.NoError(t, b.Signal(ctx, run.ID, "go", 7))
	select {
	case n := <-got:
		require.Equal(t, 7, n)
	case <-time.After(time.Minute):
		t.Fatal("the waiter was not told")
	}
}

// laggingLog is a log whose subscriptions can be held up.
type laggingLog struct {
	domain.Log
	held chan struct{} // while it holds a word, deliveries wait
}

func (l *laggingLog) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		for d, err := range l.Log.Subscribe(ctx, after, filter) {
			select {
			case l.held <- struct{}{}:
				<-l.held
			case <-ctx.Done():
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// TestNodeThatLagsTakesNobodyForDead holds up what a node hears for longer than the node timeout:
// it must not take over a run whose handler is at work on the other.
func TestNodeThatLagsTakesNobodyForDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		var attempts atomic.Int64
		entered, goOn := make(chan struct{}, 10), make(chan struct{})
		work := &saga.Action[int, int]{Name: "work", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) {
			attempts.Add(1)
			entered <- struct{}{}
			<-goOn
			return n + 1, nil
		}}
		s := saga.Define("long", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, work, in.In) })
		log := memlog.New()
		lagging := &laggingLog{Log: log, held: make(chan struct{}, 1)}
		busy := begin(t, log, node("busy"), s)
		begin(t, lagging, node("lagging"), s)
		run, err := saga.Start(ctx, busy, s, 1)
		require.NoError(t, err)
		<-entered
		seen := uint64(0) // signs of life of the busy node
		more := func(n uint64) {
			sagatest.UntilRecorded(t, log, "atone-node-busy", func(e domain.Recorded) bool { return e.Revision >= seen+n })
			seen += n
		}
		more(5)
		lagging.held <- struct{}{}
		more(10) // two and a half node timeouts
		<-lagging.held
		more(10)
		close(goOn)
		n, err := run.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.EqualValues(t, 1, attempts.Load())
	})
}

// TestParentHearsOfTheChildThatADeadNodeEnded has a node die between a child's end and the report
// to the parent, which another node has in hand.
func TestParentHearsOfTheChildThatADeadNodeEnded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	child := saga.Define("child", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Await[int](f, "go") })
	parent := saga.Define("parent", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Child(f, child, in.In) })
	log := memlog.New()
	victimLog := &muteLog{Log: log, once: "child.ended.v1"}
	holder := begin(t, log, node("holder"), parent, child)
	victim := begin(t, victimLog, node("victim"), parent, child)
	run, err := saga.Start(ctx, holder, parent, 1)
	require.NoError(t, err)
	v := sagatest.UntilOn(t, log, run.ID, func(v explain.Run) bool { return len(v.Steps) == 1 && v.Steps[0].Child != nil })
	id := *v.Steps[0].Child
	settled(t, log, id, "await.opened.v1")
	require.NoError(t, victim.Signal(ctx, id, "go", 7))
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	n, err := run.Wait(wait)
	require.NoError(t, err)
	require.Equal(t, 7, n)
}

// muteLog is a log whose coordinator dies as it appends an event of a type: that and all later
// appends do not arrive.
type muteLog struct {
	domain.Log
	once string
	dead atomic.Bool
}

func (l *muteLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	for _, e := range events {
		if e.Type == l.once {
			l.dead.Store(true)
		}
	}
	if l.dead.Load() {
		<-ctx.Done()
		return domain.Appended{}, ctx.Err()
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

// TestRunThatOneNodeCannotDoIsDoneByAnother is a deployment in progress: a program that does not
// have the action takes up the run of one that had it, and a third that has it comes before, or
// after.
func TestRunThatOneNodeCannotDoIsDoneByAnother(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"there already": false, "comes later": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			log := memlog.New()
			work := &saga.Action[int, int]{Name: "new-work", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return n + 1, nil }}
			s := saga.Define("new-saga", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
				saga.Await[int](f, "go")
				return saga.Do(f, work, in.In)
			})
			first, stop := beginStoppable(t, log, node("first"), nil, s)
			run, err := saga.Start(ctx, first, s, 1)
			require.NoError(t, err)
			stop()
			old := begin(t, log, node("old"))
			var able *saga.Coordinator
			if !late {
				able = begin(t, log, node("able"), s)
			}
			require.NoError(t, old.Signal(ctx, run.ID, "go", 1))
			if late {
				v := sagatest.UntilOn(t, log, run.ID, func(v explain.Run) bool { return v.Blocked != "" })
				require.Contains(t, v.Blocked, "new-saga")
				able = begin(t, log, node("able"), s)
			}
			wait, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			n, err := saga.RunOf[int](able, run.ID).Wait(wait)
			require.NoError(t, err)
			require.Equal(t, 2, n)
		})
	}
}

// countsReads counts the reads of one stream.
type countsReads struct {
	domain.Log
	stream atomic.Value
	reads  atomic.Int32
}

func (l *countsReads) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	if stream == l.stream.Load() {
		l.reads.Add(1)
	}
	return l.Log.ReadStream(ctx, stream, from)
}

// TestRunOfADeadNodeIsLookedAfterOnce: a paused run that another node had in its hands is read when
// that is gone, and not again and again from then on.
func TestRunOfADeadNodeIsLookedAfterOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		s := saga.Define("pauses", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Await[string](f, "go")
			return saga.Do(f, r.act("a"), in.In)
		})
		ctx, stop := context.WithCancel(context.Background())
		one, ended := launch(t, ctx, r.plain, saga.Config{Node: "one", Shared: true}, s)
		run := start(t, one, s, "")
		require.NoError(t, one.Pause(t.Context(), run.ID, "wait"))
		require.NoError(t, one.Signal(t.Context(), run.ID, "go", "x"))
		log := &countsReads{Log: r.plain}
		log.stream.Store(domain.RunStream(run.ID))
		two := begin(t, log, saga.Config{Node: "two", Shared: true, CacheRuns: 1}, s)
		stop()
		require.NoError(t, <-ended)
		time.Sleep(time.Hour)
		require.LessOrEqual(t, log.reads.Load(), int32(3))
		require.NoError(t, two.Resume(t.Context(), run.ID, "go on"))
		_, err := two.Wait(t.Context(), run.ID)
		require.NoError(t, err)
	})
}
