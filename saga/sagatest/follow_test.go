package sagatest_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// ownCoordinator runs a coordinator that is not a kit's, and returns what ends it.
func ownCoordinator(t *testing.T, log domain.Log, sagas ...saga.AnySaga) (*saga.Coordinator, func()) {
	t.Helper()
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.Register(sagas...))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	end := sync.OnceFunc(func() { stop(); require.NoError(t, <-ended) })
	t.Cleanup(end)
	<-c.Ready()
	return c, end
}

func TestARunOfAnotherCoordinatorIsFollowed(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		wait := saga.Define("wait", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Await[int](f, "go") })
		log := memlog.New()
		c, _ := ownCoordinator(t, log, wait)
		id := domain.RunIDForKey("wait", "k")
		go func() { _, _ = saga.Start(t.Context(), c, wait, 7, saga.Key("k")) }()

		require.Equal(t, "wait", sagatest.UntilOn(t, log, id, nil).Saga, "it begins meanwhile")
		v := sagatest.UntilOn(t, log, id, func(r explain.Run) bool { return len(r.Steps) == 1 })
		require.Equal(t, domain.RunRunning, v.State)
		go func() { _ = c.Signal(t.Context(), id, "go", 9) }()
		v = sagatest.UntilOn(t, log, id, func(r explain.Run) bool { return r.State.Ended() })
		require.Equal(t, "9", string(v.Output))
		e := sagatest.UntilRecorded(t, log, domain.RunPrefix, func(e domain.Recorded) bool { return e.Type == "await.opened.v1" })
		require.Equal(t, domain.RunStream(id), e.Stream)
	})
}

// TestWhatIsNeverRecordedIsSaid, with the story of the run that it was to come in. It is in a
// bubble, whose time passes.
func TestWhatIsNeverRecordedIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wait := saga.Define("wait", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Await[int](f, "go") })
		log := memlog.New()
		c, end := ownCoordinator(t, log, wait)
		run, err := saga.Start(t.Context(), c, wait, 7)
		require.NoError(t, err)
		sagatest.UntilOn(t, log, run.ID, func(r explain.Run) bool { return len(r.Steps) == 1 })
		end() // it would give signs of life for the bubble's day
		says := saysOf(t, func(t testing.TB) {
			sagatest.UntilOn(t, log, run.ID, func(r explain.Run) bool { return r.State.Ended() })
		})
		require.Contains(t, says, "of which the latest event is await.opened.v1: context deadline exceeded")
		require.Contains(t, says, "wait v1")
		says = saysOf(t, func(t testing.TB) { sagatest.UntilOn(t, log, domain.RunIDForKey("wait", "other"), nil) })
		require.Contains(t, says, "of which the latest event is nothing")
	})
}

// TestADeployGoesOnWithTheRuns: the next program has mended one action and dropped another.
func TestADeployGoesOnWithTheRuns(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		mail := &saga.Action[int, int]{Name: "mail", Effect: saga.NoEffect, Do: func(context.Context, int) (int, error) { return 0, errReal }}
		old := &saga.Action[int, int]{Name: "old", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return n, nil }}
		define := func(add func(context.Context, int) (int, error)) *saga.Saga[int, int] {
			action := &saga.Action[int, int]{Name: "add", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1}, Do: add}
			return saga.Define("sum", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
				sum := saga.Do(f, action, in.In, saga.OnFail(saga.Forward))
				return saga.Do(f, mail, sum.In)
			})
		}
		bad := define(func(context.Context, int) (int, error) { return 0, errReal })
		k := sagatest.New(t, bad)
		first := k.Coordinator()
		mails := sagatest.StandFor(k, mail).Return(5)
		run := sagatest.Start(k, bad, 1)
		run.Stuck()

		k.Deploy(sagatest.Setup{Sagas: []saga.AnySaga{define(func(_ context.Context, n int) (int, error) { return n + 1, nil })}})
		require.NotSame(t, first, k.Coordinator())
		run.Retry("", "mended")
		require.Equal(t, 5, run.Completed())
		require.Equal(t, 2, mails.Calls()[0].Input, "the stand-in is still there")

		says := saysOf(t, func(t testing.TB) {
			k := sagatest.NewWith(t, sagatest.Setup{Actions: []saga.AnyAction{old}})
			k.Deploy(sagatest.Setup{Actions: []saga.AnyAction{mail}})
			sagatest.StandFor(k, old)
		})
		require.Contains(t, says, `no saga or action of this kit uses the action "old"`)
	})
}

// TestWhatATestAppendsToTheLogIsHeeded as what the kit emits.
func TestWhatATestAppendsToTheLogIsHeeded(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		s := saga.Define("shipping", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Await[int](f, "sent") })
		k := sagatest.NewWith(t, sagatest.Setup{Triggers: []saga.AnyTrigger{&saga.Trigger[int, int]{Type: "paid", Saga: s}}})
		_, err := k.Log().Append(t.Context(), "shop", domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: "paid", Data: []byte("7")})
		require.NoError(t, err)
		require.Len(t, k.Runs(), 1)
		require.Equal(t, domain.RunStream(k.Runs()[0]), sagatest.UntilRecorded(t, k.Log(), domain.RunPrefix, func(e domain.Recorded) bool { return e.Type == "await.opened.v1" }).Stream)
	})
}
