package saga_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

var (
	soak     = flag.Duration("soak", 0, "how long TestKillNineSoak goes on killing; 0 means 50 kills")
	killSeed = flag.Uint64("killseed", 0, "the seed of TestKillNineSoak's delays; 0 picks one")
)

// killDir, in the environment, makes the test binary the victim of TestKillNineSoak.
const killDir = "ATONE_KILL_TEST_DIR"

// victim runs a coordinator on the directory's log, starts some runs, disturbs others, and goes on
// until it is killed; with the argument "finish" it ends when all runs have.
func victim(dir string) error {
	generation, err := strconv.Atoi(os.Getenv("ATONE_KILL_TEST_GENERATION"))
	if err != nil {
		return err
	}
	finish := os.Getenv("ATONE_KILL_TEST_FINISH") != ""
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	l, err := openLedger(dir)
	if err != nil {
		return err
	}
	acks, err := openLines(filepath.Join(dir, "acks"))
	if err != nil {
		return err
	}
	w := newKillWorld(l)
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler), CheckpointEvery: 500, SnapshotEvery: 15, CacheRuns: 20})
	if err != nil {
		return err
	}
	if err := c.Register(w.all...); err != nil {
		return err
	}
	fmt.Println("open")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	started := make(map[domain.RunID]*saga.Run[job])
	for i := range w.sagas {
		// This generation's runs, and the one's before: the same start twice is one run.
		for _, g := range []int{generation, generation - 1} {
			n := g*len(w.sagas) + i
			if g < 0 {
				continue
			}
			run, err := saga.Start(ctx, c, w.sagas[i], job{N: n, Fail: n%3 == 0}, saga.Key(fmt.Sprint("job ", n)))
			if err != nil {
				return fmt.Errorf("start %d: %w", n, err)
			}
			fmt.Fprintf(acks, "started %s %s %d\n", run.ID, w.sagas[i].Name(), n)
			if len(started) == 0 {
				fmt.Println("started")
			}
			started[run.ID] = run
			go disturb(ctx, c, acks, run, n)
		}
	}
	if !finish {
		return <-ended
	}
	deadline := time.Now().Add(time.Minute)
	for c.UnfinishedRuns() > 0 {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d runs do not end", c.UnfinishedRuns())
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	return errors.Join(<-ended, log.Close())
}

// disturb cancels some runs, signals others, and notes how they end.
func disturb(ctx context.Context, c *saga.Coordinator, acks *os.File, run *saga.Run[job], n int) {
	if n%7 == 3 {
		if err := c.Cancel(ctx, run.ID, "a test"); err == nil {
			fmt.Fprintf(acks, "cancelled %s\n", run.ID)
		}
	}
	if n%2 == 0 {
		_ = c.Signal(ctx, run.ID, "go", job{}, saga.SignalID("go"))
	}
	_, err := run.Wait(ctx)
	var comp *saga.Compensated
	var cancelled *saga.Cancelled
	switch {
	case err == nil:
		fmt.Fprintf(acks, "ended %s completed\n", run.ID)
	case errors.As(err, &comp):
		fmt.Fprintf(acks, "ended %s compensated\n", run.ID)
	case errors.As(err, &cancelled):
		fmt.Fprintf(acks, "ended %s cancelled\n", run.ID)
	}
}

// spawn starts a victim and returns when it has opened its log or, for every second one, started a run.
func spawn(t *testing.T, dir string, generation int, finish bool) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), killDir+"="+dir, "ATONE_KILL_TEST_GENERATION="+strconv.Itoa(generation))
	if finish {
		cmd.Env = append(cmd.Env, "ATONE_KILL_TEST_FINISH=1")
	}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	stderr := &strings.Builder{}
	cmd.Stderr = stderr
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(out)
	text, err := lines.ReadString('\n')
	if err == nil && generation%2 == 1 {
		_, err = lines.ReadString('\n')
	}
	if err != nil || text != "open\n" {
		_ = cmd.Wait()
		t.Fatalf("generation %d did not open its log: %q %v\n%s", generation, text, err, stderr)
	}
	return cmd, stderr
}

// TestKillNineSoak kills a process that runs mixed sagas on the embedded log with -9, at random
// instants, 50 times (or for as long as -soak says), lets the last one finish, and holds the log
// against the ledger of effects: rules 1, 6, 8, 12, 13 and 17.
func TestKillNineSoak(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -killseed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	began, kills := time.Now(), 0
	for ; kills < 50 || time.Since(began) < *soak; kills++ {
		cmd, stderr := spawn(t, dir, kills, false)
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond) // not for something: for the instant to be any
		require.NoError(t, cmd.Process.Kill())
		err := cmd.Wait()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, "signal: killed", exit.String(), "generation %d ended by itself: %s", kills, stderr)
	}
	cmd, stderr := spawn(t, dir, kills, true)
	require.NoError(t, cmd.Wait(), "%s", stderr)
	checkKilled(t, dir, kills+1)
}
