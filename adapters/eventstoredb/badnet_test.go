package eventstoredb_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest/badnet"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// TestRunsOverABadNetworkToTheLog has a coordinator whose log is behind a network that stalls,
// resets, half-opens and cuts each of its connections, sooner or later, for some seconds, or for as
// long as -soak says. Then the network heals, all runs end, and their ends are compared with the
// ledger of effects. No start fails.
func TestRunsOverABadNetworkToTheLog(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -killseed %d", seed)
	dir := t.TempDir()
	served, direct := onDisk(t, filepath.Join(dir, "log"))
	proxy, err := badnet.Start(badnet.Config{Target: strings.TrimSuffix(strings.TrimPrefix(direct, "esdb://"), "?tls=false"),
		After: 16 << 10, Stall: 700 * time.Millisecond, Seed: seed})
	require.NoError(t, err)
	t.Cleanup(proxy.Stop)
	w, err := newSharedWorld(dir)
	require.NoError(t, err)
	told, err := killtest.OpenTold(dir)
	require.NoError(t, err)
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: "esdb://" + proxy.Addr() + "?tls=false&keepAliveInterval=10000&keepAliveTimeout=1000",
		Logger: silent, AttemptTimeout: 500 * time.Millisecond})
	require.NoError(t, err)
	c, err := saga.New(saga.Config{Log: log, Logger: silent, CheckpointEvery: 300, SnapshotEvery: 12, CacheRuns: 10})
	require.NoError(t, err)
	for _, s := range w.startable {
		require.NoError(t, c.Register(s))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	select {
	case <-c.Ready():
	case err := <-ended:
		require.NoError(t, err)
	}

	began := time.Now()
	random := rand.New(rand.NewPCG(seed, 3))
	d := max(*soak, 5*time.Second)
	runs := orderBadly(ctx, told, c, w, d)
	// so that connections without a fault, and those that nobody finds dead, come to an end
	for time.Since(began) < d {
		proxy.Worsen(1)
		// the network is bad for this long
		time.Sleep(time.Duration(200+random.IntN(1500)) * time.Millisecond)
	}
	proxy.Heal()
	runs.Wait()
	requireAllEnd(t, served, 0)
	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, log.Close())
	killtest.Check(t, served, dir)
	counts := proxy.Counts()
	t.Logf("%v, connections: %v", time.Since(began).Round(time.Millisecond), counts)
	bad := 0
	for fault, n := range counts {
		if fault != badnet.None {
			bad += n
		}
	}
	require.Greater(t, bad, 4, "the test tests nothing")
}

// orderBadly starts runs, some at once, until the time is over. It returns what waits for their
// ends.
func orderBadly(ctx context.Context, told *killtest.Told, c *saga.Coordinator, w *sharedWorld, d time.Duration) *sync.WaitGroup {
	var waiters sync.WaitGroup
	places, over := make(chan struct{}, 24), time.After(d)
	waiters.Go(func() {
		for n := 0; ; n++ {
			select {
			case places <- struct{}{}:
			case <-over:
				return
			}
			waiters.Go(func() {
				defer func() { <-places }()
				order(ctx, told, c, w.startable[n%len(w.startable)], n)
			})
		}
	})
	return &waiters
}
