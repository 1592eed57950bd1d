package projectiontest

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
)

// envChild tells a test binary that it is the process to be killed; its value names the store.
const envChild = "ATONE_TEST_PROJECT_INTO"

// ChildOf reports whether this process was started by [Killed], and the store that it is to project
// into. TestMain asks first.
func ChildOf() (store string, child bool) { return os.LookupEnv(envChild) }

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

// Child projects until it is killed, saying how far it came. It returns the exit code.
func Child(store projections.Store) int {
	ctx := context.Background()
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	log, last, err := killedLog(ctx)
	if err != nil {
		return fail(err)
	}
	r, err := runner.New(killedConfig(log, store))
	if err != nil {
		return fail(err)
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
			return fail(err)
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
// binary's TestMain must call [Child] when [ChildOf] says so.
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
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), envChild+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for range 1 + random.IntN(3) {
		if !lines.Scan() {
			break
		}
		_, err = fmt.Sscan(lines.Text(), &said)
		require.NoError(t, err)
	}
	time.Sleep(time.Duration(random.IntN(20_000)) * time.Microsecond) // anywhere between two words
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // it says "killed", as it should
	require.Positive(t, said, "the child did not get to work")
	return said
}
