package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Options says what to measure.
type Options struct {
	// Scenario is s1 to s6, e1, e2, p1 or p2.
	Scenario string
	// Log is the log of s1 to s4: empty for the embedded one, a connection string (esdb://…) for
	// EventStoreDB, "esdb" for atone's own EventStoreDB server over the embedded log, in this
	// process.
	Log string
	// Projections measures s1 to s4 with and without views running beside them.
	Projections bool
	// Callers start runs and wait for them, each one after the other; Runs is their number in all.
	// 0 means the scenario's own.
	Callers, Runs int
	// Data is the directory for logs and views; empty means a temporary one, removed at the end.
	Data string
	// Yes measures on a log that holds runs, to which the scenario's own are added.
	Yes bool
}

// runOne starts a run and waits for its end.
type runOne func(ctx context.Context, c *saga.Coordinator) error

type scenario struct {
	callers, runs int
	one           runOne
	steps         int
	engine        engine
	views         bool // run views beside
}

var scenarios = map[string]scenario{
	"s1": {callers: 64, runs: 50_000, one: runSignup},
	"s2": {callers: 1, runs: 2_000, one: runSignup},
	"s3": {callers: 64, runs: 15_000, one: runFailing},
	"s4": {callers: 8, runs: 1_000, one: runFanOut, steps: parallelSteps},
}

func runSignup(ctx context.Context, c *saga.Coordinator) error {
	r, err := saga.Start(ctx, c, signup, sampleForm())
	if err != nil {
		return err
	}
	_, err = r.Wait(ctx)
	return err
}

func runFailing(ctx context.Context, c *saga.Coordinator) error {
	r, err := saga.Start(ctx, c, failing, sampleForm())
	if err != nil {
		return err
	}
	_, err = r.Wait(ctx)
	var undone *saga.CompensatedError
	if !errors.As(err, &undone) {
		return fmt.Errorf("want the run compensated, got %v", err)
	}
	return nil
}

func runFanOut(ctx context.Context, c *saga.Coordinator) error {
	r, err := saga.Start(ctx, c, fanOut, 1)
	if err != nil {
		return err
	}
	_, err = r.Wait(ctx)
	return err
}

// Run measures a scenario.
func Run(ctx context.Context, o Options) (Result, error) {
	sc, ok := scenarios[o.Scenario]
	if !ok && (o.Log != "" || o.Projections) {
		return Result{}, errors.New("--log and --projections are for s1, s2, s3 and s4: leave them out")
	}
	if err := checkLogs(ctx, o); err != nil {
		return Result{}, err
	}
	if client, is := clientScenarios[o.Scenario]; is {
		return runClient(ctx, o, client)
	}
	switch {
	case o.Scenario == "s6":
		return runStarts(ctx, o)
	case o.Scenario == "s5":
		return runRecovery(ctx, o)
	case o.Scenario == "p1":
		return runRebuild(ctx, o)
	case o.Scenario == "p2":
		return runServedRebuild(ctx, o)
	case !ok:
		return Result{}, fmt.Errorf("unknown scenario %q: use s1, s2, s3, s4, s5, s6, e1, e2, p1 or p2", o.Scenario)
	}
	sc.callers, sc.runs, sc.engine = orElse(o.Callers, sc.callers), orElse(o.Runs, sc.runs), engine(o.Log)
	if o.Projections {
		return runWithViews(ctx, o, sc)
	}
	dir, remove, err := dataDir(o.Data)
	if err != nil {
		return Result{}, err
	}
	defer remove()
	res := Result{Scenario: o.Scenario, Callers: sc.callers, Runs: sc.runs, Log: sc.engine.name()}
	sample, err := measureRuns(ctx, filepath.Join(dir, "runs"), sc, &res)
	if err != nil {
		return res, err
	}
	return res, measureCeiling(ctx, filepath.Join(dir, "ceiling"), sc, sample, &res)
}

// orElse returns n, or the other where n is 0.
func orElse(n, other int) int {
	if n > 0 {
		return n
	}
	return other
}

func dataDir(dir string) (string, func(), error) {
	if dir != "" {
		return dir, func() {}, os.MkdirAll(dir, 0o755)
	}
	dir, err := os.MkdirTemp("", "atone-bench-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// measureRuns runs the scenario on a coordinator and returns the appends of one of its runs.
func measureRuns(ctx context.Context, dir string, sc scenario, res *Result) (sample [][]domain.NewEvent, err error) {
	log, _, closeLog, err := sc.engine.open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	sampler := &sampler{Log: log}
	c, stop, err := startCoordinator(ctx, sampler, sc.engine.config())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if !sc.views {
		err := res.measure(ctx, dir, sc, c, sampler)
		return sampler.take(), err
	}
	views, err := startViews(ctx, filepath.Join(dir, "views"), log, views.All()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, views.stop()) }()
	if err := res.measure(ctx, dir, sc, c, sampler); err != nil {
		return nil, err
	}
	began := time.Now()
	last, err := lastOfRuns(ctx, log)
	if err == nil {
		err = views.reach(ctx, last)
	}
	res.ViewsBehindSeconds = time.Since(began).Seconds()
	return sampler.take(), err
}

// measure warms up, has one run sampled, and fills in the result.
func (r *Result) measure(ctx context.Context, dir string, sc scenario, c *saga.Coordinator, sampler *sampler) error {
	one := func(ctx context.Context) error { return sc.one(ctx, c) }
	if _, err := repeat(ctx, sc.callers, min(sc.runs/10+1, 2000), one); err != nil {
		return err
	}
	sampler.next.Store(true)
	if err := one(ctx); err != nil {
		return err
	}
	logDir := filepath.Join(dir, "log")
	before, appends, events, disk := cpuTime(), c.Stats().Appends.Load(), c.Stats().Events.Load(), dirSize(logDir)
	began := time.Now()
	latencies, err := repeat(ctx, sc.callers, sc.runs, one)
	if err != nil {
		return err
	}
	r.Seconds = time.Since(began).Seconds()
	n := float64(sc.runs)
	r.RunsPerSecond = n / r.Seconds
	r.StepsPerSecond = r.RunsPerSecond * float64(sc.steps)
	r.CPU = (cpuTime() - before).Seconds() / n * 1000
	r.Appends = float64(c.Stats().Appends.Load()-appends) / n
	r.Events = float64(c.Stats().Events.Load()-events) / n
	r.Disk = float64(dirSize(logDir)-disk) / n
	r.PeakRSS = peakRSS()
	r.P50, r.P95, r.P99 = percentile(latencies, 50), percentile(latencies, 95), percentile(latencies, 99)
	return nil
}

func startCoordinator(ctx context.Context, log domain.Log, cfg saga.Config) (*saga.Coordinator, func() error, error) {
	cfg.Log = log
	c, err := saga.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := c.Register(signup, failing, fanOut, waiting); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop := func() error { cancel(); return <-ended }
	select {
	case <-c.Ready():
		return c, stop, nil
	case err := <-ended:
		cancel()
		return nil, nil, err
	}
}

// repeat has the callers do the runs and returns how long each took.
func repeat(ctx context.Context, callers, runs int, one func(context.Context) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	all := make([]time.Duration, runs)
	var wg sync.WaitGroup
	for range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= runs || ctx.Err() != nil {
					return
				}
				began := time.Now()
				if err := one(ctx); err != nil {
					cancel(err)
					return
				}
				all[i] = time.Since(began)
			}
		}()
	}
	wg.Wait()
	return all, context.Cause(ctx)
}

// measureCeiling has the log alone do the appends of as many runs at the same concurrency.
func measureCeiling(ctx context.Context, dir string, sc scenario, sample [][]domain.NewEvent, res *Result) (err error) {
	log, connection, closeLog, err := sc.engine.open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	var bare bareStreams
	defer func() { err = errors.Join(err, bare.remove(ctx, connection, sc.callers)) }()
	one := func(ctx context.Context) error { return replay(ctx, log, bare.next(), sample) }
	if _, err := repeat(ctx, sc.callers, min(sc.runs/10+1, 2000), one); err != nil {
		return err
	}
	began := time.Now()
	latencies, err := repeat(ctx, sc.callers, sc.runs, one)
	if err != nil {
		return err
	}
	res.Ceiling = float64(sc.runs) / time.Since(began).Seconds()
	res.Ratio = res.RunsPerSecond / res.Ceiling
	if sc.callers == 1 {
		res.FourAppends = percentile(latencies, 50) / float64(len(sample)) * 4
	}
	return nil
}

// replay appends the same batches to a stream that is new.
func replay(ctx context.Context, log domain.Log, stream string, sample [][]domain.NewEvent) error {
	expected := domain.NoStream
	for _, batch := range sample {
		events := make([]domain.NewEvent, len(batch))
		for i, e := range batch {
			events[i] = e
			events[i].ID = uuid.New()
		}
		at, err := log.Append(ctx, stream, expected, events...)
		if err != nil {
			return err
		}
		expected = domain.Expected(at.Revision)
	}
	return nil
}

// sampler notes the appends of one run.
type sampler struct {
	domain.Log
	next   atomic.Bool
	late   bool // take a run that exists
	mu     sync.Mutex
	stream string
	sample [][]domain.NewEvent
}

// Append implements [domain.Log].
func (s *sampler) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if (expected == domain.NoStream || s.late && strings.HasPrefix(stream, domain.RunPrefix)) && s.next.CompareAndSwap(true, false) {
		s.mu.Lock()
		s.stream = stream
		s.mu.Unlock()
	}
	s.mu.Lock()
	if s.stream == stream {
		s.sample = append(s.sample, events)
	}
	s.mu.Unlock()
	return s.Log.Append(ctx, stream, expected, events...)
}

func (s *sampler) take() [][]domain.NewEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sample
}

// dirSize returns the bytes in a directory's files.
func dirSize(dir string) int64 {
	var size int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files come and go while the log compacts
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}
