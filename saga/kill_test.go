package saga_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
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
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

var (
	soak     = flag.Duration("soak", 0, "how long the soaks go on; 0 means 50 kills, and 3 s of a bad network")
	killSeed = flag.Uint64("killseed", 0, "the seed of the soaks' delays and faults; 0 picks one")
)

// ending is how a victim ends.
type ending string

const (
	killed   ending = ""        // by kill -9
	late     ending = "late"    // when its runs have ended, with handlers that go on after that
	allEnded ending = "settled" // when all runs have ended
)

// victim runs a coordinator on the directory's log, starts some runs, disturbs others, and goes on
// until it is killed; with another ending, until all runs have ended. Its arguments are the
// directory, its generation and its ending.
func victim(args []string) error {
	dir, end := args[0], ending(args[2])
	generation, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	l, err := killtest.OpenLedger(dir)
	if err != nil {
		return err
	}
	told, err := killtest.OpenTold(dir)
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
	started := false
	for i := range w.sagas {
		// This generation's runs, and the one's before: the same start twice is one run. More where
		// that is all.
		generations := []int{generation, generation - 1}
		if end == late {
			generations = append(generations, generation+2, generation+3, generation+4, generation+5)
		}
		for _, g := range generations {
			n := g*len(w.sagas) + i
			if g < 0 {
				continue
			}
			run, err := told.Start(ctx, c, w.sagas[i], n)
			if err != nil {
				return fmt.Errorf("start %d: %w", n, err)
			}
			if !started {
				started = true
				fmt.Println("started")
			}
			go told.Disturb(ctx, c, run, n)
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

// helpAll waits until every run has ended, and is the person that stuck ones need: it says of a
// step that may have happened what the ledger says, and has the rest tried again. A stuck run names
// its step, its incident and its cause.
func helpAll(ctx context.Context, c *saga.Coordinator, log saga.Log, l *killtest.Ledger) error {
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
func help(ctx context.Context, c *saga.Coordinator, l *killtest.Ledger, id domain.RunID) error {
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
		case l.Has(domain.IdempotencyKey(id, st.Path, domain.Do)):
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

// spawn starts a victim and returns when it has opened its log or, for every second one, started a
// run.
func spawn(t *testing.T, dir string, generation int, end ending) *killtest.Child {
	t.Helper()
	v := killtest.Start(t, "victim", dir, strconv.Itoa(generation), string(end))
	v.Says(t, "open")
	if generation%2 == 1 {
		v.Says(t, "started")
	}
	return v
}

// TestKillNineSoak kills a process that runs mixed sagas on the embedded log with -9, at random
// instants, 50 times (or for as long as -soak says), lets the last ones finish, and compares the
// log with the ledger of effects: rules 1, 6, 7, 8, 11, 12, 13 and 17. Its handlers fail as those
// of a hurried author do, and an error without a word has had the effect in half of the cases.
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
		v := spawn(t, dir, kills, killed)
		// The kill comes at a random instant.
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
		v.Kill(t)
	}
	// Whether a run gets stuck, and an effect comes late, is a matter of chance: it is tried again.
	var runs *killtest.Runs
	helped := 0
	for round := 0; round < 10 && (helped == 0 || runs.Undos == 0); round++ {
		for i, end := range []ending{late, allEnded} {
			v := spawn(t, dir, kills+2*round+i, end)
			v.End(t)
			helped += strings.Count(v.Stderr(), "helped ")
		}
		runs = afterKills(t, dir)
	}
	require.Positive(t, helped, "no run was stuck: the test tests nothing")
	t.Logf("%d kills, and a person helped %d times", kills, helped)
	require.GreaterOrEqual(t, len(runs.States), kills/2, "every second generation got somewhere")
	require.Positive(t, runs.Undos, "no undo was owed anew: the test tests nothing")
}

// afterKills compares the log with the ledger, when all runs have ended.
func afterKills(t *testing.T, dir string) *killtest.Runs {
	t.Helper()
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	runs := killtest.Check(t, log, dir)
	for id := range runs.States {
		checkStream(t, log, id)
	}
	return runs
}
