package projectiontest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// childName is what [Killed] starts the test's binary as.
const childName = "project"

// Children returns what a test binary must be able to be, see [killtest.BeChild], for [Killed] to
// work. open opens the store of that name.
func Children(open func(name string) (projections.Store, error)) killtest.Children {
	return killtest.Children{childName: func(args []string) error {
		store, err := open(args[0])
		if err != nil {
			return err
		}
		return project(store)
	}}
}

// The runs that both processes make up: the log is a function of these.
const (
	killedSeed    = 77
	killedAppends = 600
	killedStep    = 50 // after so many events the child says that it is alive
)

func killedLog(ctx context.Context) (*memlog.Log, domain.Position, error) {
	log := memlog.New()
	last, err := NewRuns(killedSeed).Write(ctx, log, killedAppends)
	return log, last.Position, err
}

func killedConfig(log *memlog.Log, store projections.Store) runner.Config {
	return runner.Config{Source: log, Store: store, Batch: 7, Logger: slog.New(slog.DiscardHandler), Backoff: time.Millisecond, Views: views.All()}
}

// project projects until it is killed, saying how far it came.
func project(store projections.Store) error {
	ctx := context.Background()
	log, last, err := killedLog(ctx)
	if err != nil {
		return err
	}
	r, err := runner.New(killedConfig(log, store))
	if err != nil {
		return err
	}
	go func() { _ = r.Run(ctx) }() // it ends with the process
	go func() {
		for i := 0; ctx.Err() == nil; i++ { // so that kills fall into builds and swaps as well
			if err := r.Rebuild(ctx, []string{"runs", "incidents"}[i%2]); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	said := domain.Position(0)
	for {
		gens, err := store.Generations(ctx, "audit")
		if err != nil {
			return err
		}
		if n := len(gens); n > 0 && (said == 0 || gens[n-1].Position >= min(said+killedStep, last)) {
			said = max(1, gens[n-1].Position)
			fmt.Println(said)
		}
		time.Sleep(time.Millisecond) // this process has nobody to wait for but a database
	}
}

// Killed has a process project into the named store and kills it (SIGKILL) at random, again and
// again; then it finishes the work itself and compares with views that nobody disturbed. The test
// binary must be able to be one of [Children].
func Killed(t *testing.T, name string, open func() projections.Store, undisturbed projections.Store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	log, last, err := killedLog(t.Context())
	require.NoError(t, err)
	midway := 0
	for range 6 {
		if killOnce(t, name, random) < last {
			midway++
		}
	}
	require.Positive(t, midway, "no kill fell into the work")

	store := open()
	cfg := killedConfig(log, store)
	cfg.Logger = quiet(t)
	after := start(t, cfg)
	after.reach(t, last, builtin...)
	calm := start(t, runner.Config{Source: log, Store: undisturbed})
	calm.reach(t, last, builtin...)
	require.Equal(t, dumpAll(t, undisturbed), dumpAll(t, store))
}

// killOnce starts the child, kills it some time after it said a few words, and returns how far it
// had come by these.
func killOnce(t *testing.T, name string, random *rand.Rand) (said domain.Position) {
	t.Helper()
	child := killtest.Start(t, childName, name)
	for range 1 + random.IntN(3) {
		line, err := child.Line()
		require.NoError(t, err, "the child did not get to work: %s", child.Stderr())
		_, err = fmt.Sscan(line, &said)
		require.NoError(t, err)
	}
	time.Sleep(time.Duration(random.IntN(20_000)) * time.Microsecond) // anywhere between two words
	child.Kill(t)
	return said
}
