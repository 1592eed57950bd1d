package follow

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// watchedLog counts the subscriptions.
type watchedLog struct {
	*memlog.Log
	subscribed atomic.Int64
}

func (l *watchedLog) Subscribe(ctx context.Context, after domain.Position, f domain.Filter) iter.Seq2[domain.Delivery, error] {
	l.subscribed.Add(1)
	return l.Log.Subscribe(ctx, after, f)
}

// grow appends n runs of one event.
func (l *watchedLog) grow(t *testing.T, n int) (last domain.Position) {
	for range n {
		stream := domain.RunStream(uuid.New())
		e, _ := domain.Seal(stream, 0, domain.ChainHash{}, &domain.RunPaused{Reason: "x"}, domain.Meta{At: time.Now()})
		at, err := l.Append(t.Context(), stream, domain.NoStream, e)
		require.NoError(t, err)
		last = at.Position
	}
	return last
}

// listening is a follower and what was taken from it.
type listening struct {
	*Follower
	taken  []domain.Position
	caught bool
}

// reach takes batches until one goes up to the position.
func (l *listening) reach(t *testing.T, p domain.Position) {
	for {
		b, err := l.Take(t.Context(), l.caught)
		require.NoError(t, err)
		for _, e := range b.Events {
			l.taken = append(l.taken, e.Position)
		}
		l.caught = l.caught || b.CaughtUp
		if b.To >= p {
			return
		}
	}
}

// world is a log and a hub for two views.
func world(t *testing.T) (log *watchedLog, listen func(from domain.Position) *listening, h *Hub) {
	log, listenAs, h := worldOf(t)
	return log, func(from domain.Position) *listening { return listenAs(from, true) }, h
}

// worldOf lets the caller say whether a view answers queries or is being built.
func worldOf(t *testing.T) (log *watchedLog, listen func(from domain.Position, live bool) *listening, h *Hub) {
	log = &watchedLog{Log: memlog.New()}
	all := domain.Filter{Prefixes: []string{domain.RunPrefix}}
	h = NewHub(log, all, 1, all, all)
	ctx, cancel := context.WithCancel(t.Context())
	var runs sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		runs.Wait() // who runs may still join, which must not be while the hub is waited for
		h.Wait()
	})
	return log, func(from domain.Position, live bool) *listening {
		l := &listening{Follower: h.Follow(Config{Filter: all, Batch: 2, Linger: -1, Live: live})}
		runs.Go(func() { l.Run(ctx, from) })
		return l
	}, h
}

func TestViewsThatStandTogetherReadTheLogOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, listen, _ := world(t)
		last := log.grow(t, 9)
		a, b := listen(0), listen(0)
		done := make(chan struct{})
		go func() { defer close(done); a.reach(t, last) }()
		b.reach(t, last)
		<-done
		require.Len(t, a.taken, 9)
		require.Equal(t, a.taken, b.taken)
		require.EqualValues(t, 1, log.subscribed.Load())
	})
}

func TestABusyViewIsLeftBehindAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, listen, h := world(t)
		last := log.grow(t, 9)
		quick, busy := listen(0), listen(0)
		quick.reach(t, last)
		require.Len(t, quick.taken, 9, "the busy view took nothing yet")
		busy.reach(t, last)
		require.Equal(t, quick.taken, busy.taken, "nothing is missing or comes twice")
		require.EqualValues(t, 2, log.subscribed.Load(), "it read by itself")

		synctest.Wait()
		h.mu.Lock()
		require.Len(t, h.open[0].followers, 2, "it came back")
		h.mu.Unlock()
		last = log.grow(t, 1)
		quick.reach(t, last)
		busy.reach(t, last)
		require.Equal(t, quick.taken, busy.taken)
		require.EqualValues(t, 2, log.subscribed.Load())
	})
}

func TestAViewThatIsBehindDoesNotHoldUpOneThatIsAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, listen, _ := world(t)
		middle := log.grow(t, 9)
		ahead, behind := listen(middle), listen(0)
		began := time.Now()
		last := log.grow(t, 1)
		ahead.reach(t, last)
		require.Equal(t, []domain.Position{last}, ahead.taken)
		require.Less(t, time.Since(began), patience, "by the test's own clock: it was not waited for")
		behind.reach(t, last)
		require.Len(t, behind.taken, 10)
	})
}

func TestViewsThatAreRebuiltTogetherReadTheLogOnceAndThenJoinTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, listen, h := worldOf(t)
		last := log.grow(t, 9)
		live := listen(0, true)
		live.reach(t, last)
		require.EqualValues(t, 1, log.subscribed.Load())
		a, b := listen(0, false), listen(0, false)
		done := make(chan struct{})
		go func() { defer close(done); a.reach(t, last) }()
		b.reach(t, last)
		<-done
		require.Len(t, a.taken, 9)
		require.Equal(t, a.taken, b.taken)
		require.EqualValues(t, 2, log.subscribed.Load(), "one pass for both that are built")

		next := log.grow(t, 1) // once they answer they are fed with the others
		live.reach(t, next)
		built := listen(next, true)
		synctest.Wait()
		h.mu.Lock()
		require.Len(t, h.open[0].followers, 2)
		h.mu.Unlock()
		last = log.grow(t, 1)
		built.reach(t, last)
		require.Equal(t, []domain.Position{last}, built.taken)
		require.EqualValues(t, 2, log.subscribed.Load())
	})
}

func TestAFollowerFailsWithTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, listen, _ := world(t)
		a, b := listen(0), listen(0)
		require.NoError(t, log.Close())
		for _, f := range []*listening{a, b} {
			for err := error(nil); err == nil; {
				_, err = f.Take(t.Context(), true)
			}
		}
	})
}
