package saga_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/sagatest/badnet"
)

// TestBadNetworkSoak runs sagas whose handlers call an HTTP server and a mail server through a
// network that stalls, resets, half-opens and cuts, for some seconds, or for as long as -soak says.
// Then the network heals, every run ends, a person having settled those that are stuck with a
// cause, and no effect is lost, made twice under its key, or left behind: rules 7, 8, 9 and 11. A
// call that is said to have done nothing has done nothing.
func TestBadNetworkSoak(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -killseed %d", seed)
	there := newSupplier()
	web, mail := badly(t, there.serveHTTP(t), seed), badly(t, there.serveSMTP(t), seed+1)
	w := newBadnetWorld(web.Addr(), mail.Addr())
	t.Cleanup(w.plain.CloseIdleConnections)
	log := memlog.New()
	sagas := w.sagas()
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	for _, s := range sagas {
		require.NoError(t, c.Register(s))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()

	began := time.Now()
	runs := startBadly(t, c, sagas, max(*soak, 3*time.Second))
	web.Heal()
	mail.Heal()
	w.plain.CloseIdleConnections()
	stuck := settleAll(t, c, there, runs)
	cancel()
	require.NoError(t, <-ended)

	counts := map[domain.RunState]int{}
	for _, id := range runs {
		s := checkStream(t, log, id)
		require.True(t, s.End.Ended(), "run %s has not ended", id)
		counts[s.End]++
		there.check(t, s)
	}
	there.checkRest(t, w)
	require.NotZero(t, counts[domain.RunIsCompleted])
	require.NotZero(t, counts[domain.RunIsCompensated])
	for _, fault := range badnet.All {
		require.NotZero(t, web.Counts()[fault]+mail.Counts()[fault], "%s: the test tests nothing", fault)
	}
	t.Logf("%v: %d runs (%v), %d steps stuck and settled; HTTP connections: %v; mail connections: %v; requests that came too late: %d; errors said: %v",
		time.Since(began).Round(time.Millisecond), len(runs), counts, stuck, web.Counts(), mail.Counts(), there.late, w.said)
}

func badly(t *testing.T, target string, seed uint64) *badnet.Proxy {
	t.Helper()
	p, err := badnet.Start(badnet.Config{Target: target, Share: 0.5, Stall: 500 * time.Millisecond, Seed: seed})
	require.NoError(t, err)
	t.Cleanup(p.Stop)
	return p
}

// startBadly has a few starters start runs and wait for them, until the time is over, and enough
// were started.
func startBadly(t *testing.T, c *saga.Coordinator, sagas []*saga.Saga[parcel, parcel], d time.Duration) (ids []domain.RunID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var mu sync.Mutex
	var starters sync.WaitGroup
	for range 24 {
		starters.Go(func() {
			for {
				mu.Lock()
				n := len(ids)
				if ctx.Err() != nil && n >= 400 {
					mu.Unlock()
					return
				}
				run, err := saga.Start(t.Context(), c, sagas[n%len(sagas)], parcel{N: n, Fail: n%5 < 2})
				if err != nil {
					t.Error(err)
				} else {
					ids = append(ids, run.ID)
				}
				mu.Unlock()
				if err != nil {
					return
				}
				_, _ = run.Wait(ctx) // how it ended is read from the log
			}
		})
	}
	starters.Wait()
	return ids
}

// settleAll waits until all runs have ended. It is the person that a stuck run needs: it has undos
// and what is past the pivot tried again, and says of a letter in doubt whether it came.
func settleAll(t *testing.T, c *saga.Coordinator, there *supplier, runs []domain.RunID) (stuck int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, id := range runs {
		for {
			_, err := c.Wait(ctx, id)
			if !errors.As(err, new(*saga.StuckError)) {
				require.NoError(t, ctx.Err(), "run %s does not end", id)
				break
			}
			v, err := c.Describe(ctx, id)
			require.NoError(t, err)
			for _, st := range v.Steps {
				if st.Incident == "" {
					continue
				}
				stuck++
				require.NotNil(t, st.Cause, "%s of %s is stuck without a cause", st.Path, id)
				require.NotEmpty(t, st.Cause.Message)
				switch {
				case st.Phase == machine.UndoStuck, st.Action != "letter", v.Saga == "order":
					err = c.Retry(ctx, id, st.Path, "the network is well again")
				case there.mailed(domain.IdempotencyKey(id, st.Path, domain.Do)):
					err = c.Substitute(ctx, id, st.Path, []byte(`{}`), "it came")
				default:
					err = c.Skip(ctx, id, st.Path, "it never came")
				}
				if err != nil && !errors.Is(err, saga.ErrNotStuck) && !errors.Is(err, saga.ErrEnded) {
					require.NoError(t, err)
				}
			}
		}
	}
	return stuck
}

func (s *supplier) mailed(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails[key] > 0
}

// check holds a run's end to what the supplier has of it, and takes that away.
func (s *supplier) check(t *testing.T, state *machine.State) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	state.Steps(func(st *machine.Step) {
		if st.Node.Kind != domain.KindDo || st.Node.Action.Effect == domain.EffectNone {
			return
		}
		key := domain.IdempotencyKey(state.Run, st.Path, domain.Do)
		exists, want := s.there[key], 0
		if st.Node.Action.Effect == domain.EffectIrreversible {
			exists = min(s.mails[key], 1)
		}
		if state.End == domain.RunIsCompleted && st.Phase == machine.Done {
			want = 1
		}
		if exists != want {
			t.Errorf("run %s ended %s, %s is %s, its effect exists %d times", state.Run, state.End, st.Path, st.Phase, exists)
		}
		delete(s.there, key)
		delete(s.mails, key)
	})
}

// checkRest requires that nothing is left that no run accounts for, and that no call did what its
// error denied.
func (s *supplier) checkRest(t *testing.T, w *badnetWorld) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(t, s.there)
	require.Empty(t, s.mails)
	w.mu.Lock()
	defer w.mu.Unlock()
	for number, said := range w.denials {
		require.Empty(t, s.claimed[number], "request %d was said to have done nothing: %s", number, said)
	}
	require.NotZero(t, w.said[domain.EffectUnsaid])
	require.NotZero(t, w.said[domain.EffectInDoubt])
	require.NotZero(t, w.said[domain.EffectNotDone])
}
