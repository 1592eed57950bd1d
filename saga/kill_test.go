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
	"github.com/atonehq/atone/saga/machine"
)

var (
	soak     = flag.Duration("soak", 0, "how long the soaks go on; 0 means 50 kills, and 3 s of a bad network")
	killSeed = flag.Uint64("killseed", 0, "the seed of the soaks' delays and faults; 0 picks one")
)

// killDir, in the environment, makes the test binary the victim of TestKillNineSoak.
const killDir = "ATONE_KILL_TEST_DIR"

// ending is how a victim ends.
type ending string

const (
	killed   ending = ""        // by kill -9
	late     ending = "late"    // when its runs have ended, with handlers that go on after that
	allEnded ending = "settled" // when all runs have ended
)

// victim runs a coordinator on the directory's log, starts some runs, disturbs others, and goes on
// until it is killed; with another ending, until all runs have ended.
func victim(dir string) error {
	generation, err := strconv.Atoi(os.Getenv("ATONE_KILL_TEST_GENERATION"))
	if err != nil {
		return err
	}
	end := ending(os.Getenv("ATONE_KILL_TEST_ENDING"))
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
	w := newKillWorld(l, end)
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
		// This generation's runs, and the one's before: the same start twice is one run. More where that is all.
		generations := []int{generation, generation - 1}
		if end == late {
			generations = append(generations, generation+2, generation+3, generation+4, generation+5)
		}
		for _, g := range generations {
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
	if end == killed {
		return <-ended
	}
	if err := helpAll(ctx, c, log, l); err != nil {
		return err
	}
	cancel()
	return errors.Join(<-ended, log.Close())
}

// helpAll waits until every run has ended, and is the person that stuck ones need: it says of a step that may have
// happened what the ledger says, and has the rest tried again. A stuck run names its step, its incident and its cause.
func helpAll(ctx context.Context, c *saga.Coordinator, log saga.Log, l *ledger) error {
	deadline := time.Now().Add(time.Minute)
	for ; c.UnfinishedRuns() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d runs do not end: %v", c.UnfinishedRuns(), c.RunStates())
		}
		if c.RunStates()[domain.RunIsStuck] == 0 {
			continue
		}
		for e, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
			if err != nil {
				return err
			}
			id, _ := domain.RunOfStream(e.Stream)
			if e.Revision != 0 {
				continue
			}
			if err := help(ctx, c, l, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// help settles the stuck steps of a run.
func help(ctx context.Context, c *saga.Coordinator, l *ledger, id domain.RunID) error {
	v, err := c.Describe(ctx, id)
	if err != nil || v.State != domain.RunIsStuck {
		return err
	}
	incidents := 0
	for _, st := range v.Steps {
		if st.Incident == "" {
			continue
		}
		incidents++
		if st.Cause == nil || st.Cause.Message == "" {
			return fmt.Errorf("run %s is stuck at %s without a cause", id, st.Path)
		}
		switch {
		case st.Phase == machine.UndoStuck || !st.InDoubt:
			err = c.Retry(ctx, id, st.Path, "mended")
		case l.has(domain.IdempotencyKey(id, st.Path, domain.Do)):
			err = c.Substitute(ctx, id, st.Path, []byte(`{}`), "it is there")
		default:
			err = c.Skip(ctx, id, st.Path, "it is not there")
		}
		if err != nil && !errors.Is(err, saga.ErrNotStuck) && !errors.Is(err, saga.ErrEnded) {
			return err
		}
		fmt.Fprintf(os.Stderr, "helped %s %s: %s\n", st.Phase, st.Path, st.Cause.Message)
	}
	if incidents == 0 {
		return fmt.Errorf("run %s is stuck, and no step says why", id)
	}
	return nil
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
	var comp *saga.CompensatedError
	var cancelled *saga.CancelledError
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
func spawn(t *testing.T, dir string, generation int, end ending) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), killDir+"="+dir, "ATONE_KILL_TEST_GENERATION="+strconv.Itoa(generation),
		"ATONE_KILL_TEST_ENDING="+string(end))
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
// instants, 50 times (or for as long as -soak says), lets the last ones finish, and holds the log
// against the ledger of effects: rules 1, 6, 7, 8, 11, 12, 13 and 17. Its handlers fail as those of a hurried
// author do, and an error without a word has had the effect in half of the cases.
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
		cmd, stderr := spawn(t, dir, kills, killed)
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond) // not for something: for the instant to be any
		require.NoError(t, cmd.Process.Kill())
		err := cmd.Wait()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, "signal: killed", exit.String(), "generation %d ended by itself: %s", kills, stderr)
	}
	helped := 0
	for i, end := range []ending{late, allEnded} {
		cmd, stderr := spawn(t, dir, kills+i, end)
		require.NoError(t, cmd.Wait(), "%s", stderr)
		helped += strings.Count(stderr.String(), "helped ")
	}
	require.Positive(t, helped, "no run was stuck: the test tests nothing")
	t.Logf("a person helped %d times", helped)
	checkKilled(t, dir, kills)
}
