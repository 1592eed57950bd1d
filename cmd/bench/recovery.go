package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// childEnv is set when the program restarts itself as the process that is to be killed. It holds
// the directory of the log.
const childEnv = "ATONE_BENCH_CHILD"

// childReady is the line that the child prints when its runs wait.
const childReady = "waiting"

// MaybeChild takes over the process if the bench started it to be killed. Call it first in main.
func MaybeChild() {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return
	}
	if err := child(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child starts runs that wait for a signal and hangs until it is killed.
func child(dir string) error {
	var runs, callers int
	if _, err := fmt.Sscanf(os.Getenv(childEnv+"_RUNS"), "%d/%d", &runs, &callers); err != nil {
		return err
	}
	ctx := context.Background()
	log, err := pebblelog.Open(dir, pebblelog.Config{Logger: quiet})
	if err != nil {
		return err
	}
	c, _, err := startCoordinator(ctx, log, embedded.config())
	if err != nil {
		return err
	}
	var mu sync.Mutex
	ids := make([]domain.RunID, 0, runs)
	if _, err := repeat(ctx, callers, runs, func(ctx context.Context) error {
		r, err := saga.Start(ctx, c, waiting, 1)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, r.ID)
		return nil
	}); err != nil {
		return err
	}
	for c.ActiveRuns() > 0 {
		time.Sleep(time.Millisecond)
	}
	w := bufio.NewWriter(os.Stdout)
	for _, id := range ids {
		fmt.Fprintln(w, id)
	}
	fmt.Fprintln(w, childReady)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // until killed
	return err
}

// runRecovery kills a process whose runs wait for a signal, restarts on its log, signals all and
// waits for all.
func runRecovery(ctx context.Context, o Options) (Result, error) {
	res := Result{Scenario: o.Scenario, Callers: o.Callers, Runs: o.Runs}
	if res.Callers == 0 {
		res.Callers = 64
	}
	if res.Runs == 0 {
		res.Runs = 2_000
	}
	dir, remove, err := dataDir(o.Data)
	if err != nil {
		return res, err
	}
	defer remove()
	logDir := filepath.Join(dir, "recovery", "log")
	ids, err := killedChild(ctx, logDir, res)
	if err != nil {
		return res, err
	}
	res.Disk = float64(dirSize(logDir)) / float64(res.Runs)

	before, began := cpuTime(), time.Now()
	log, err := pebblelog.Open(logDir, pebblelog.Config{Logger: quiet})
	if err != nil {
		return res, err
	}
	defer func() { _ = log.Close() }()
	sampler := &sampler{Log: log, late: true}
	sampler.next.Store(true)
	c, stop, err := startCoordinator(ctx, sampler, embedded.config())
	if err != nil {
		return res, err
	}
	res.ReadySeconds = time.Since(began).Seconds()
	next := make(chan domain.RunID, len(ids))
	for _, id := range ids {
		next <- id
	}
	latencies, err := repeat(ctx, res.Callers, res.Runs, func(ctx context.Context) error {
		id := <-next
		if err := c.Signal(ctx, id, "go", 1); err != nil {
			return err
		}
		_, err := c.Wait(ctx, id)
		return err
	})
	res.RecoverySeconds = time.Since(began).Seconds()
	res.Seconds = res.RecoverySeconds
	res.RunsPerSecond = float64(res.Runs) / res.Seconds
	res.CPU = (cpuTime() - before).Seconds() / float64(res.Runs) * 1000
	res.PeakRSS = peakRSS()
	res.P50, res.P95, res.P99 = percentile(latencies, 50), percentile(latencies, 95), percentile(latencies, 99)
	if err := errors.Join(err, stop()); err != nil {
		return res, err
	}
	return res, measureCeiling(ctx, filepath.Join(dir, "ceiling"), scenario{callers: res.Callers, runs: res.Runs}, sampler.take(), &res)
}

// killedChild starts the child, waits until its runs wait, and kills it with SIGKILL.
func killedChild(ctx context.Context, logDir string, res Result) ([]domain.RunID, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), childEnv+"="+logDir, fmt.Sprintf("%s_RUNS=%d/%d", childEnv, res.Runs, res.Callers))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ids := make([]domain.RunID, 0, res.Runs)
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != childReady {
		var id domain.RunID
		if err := id.UnmarshalText(lines.Bytes()); err != nil {
			return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		ids = append(ids, id)
	}
	if err := cmd.Process.Kill(); err != nil {
		return nil, err
	}
	_ = cmd.Wait() // its error says only that it was killed
	if len(ids) != res.Runs {
		return nil, fmt.Errorf("the child started %d of %d runs", len(ids), res.Runs)
	}
	return ids, nil
}
