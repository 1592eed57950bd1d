package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

// runOne starts a run and waits for its end.
type runOne func(ctx context.Context, c *saga.Coordinator) error

type scenario struct {
	callers, runs int
	one           runOne
	steps         int
	engine        engine
	views         bool // run views beside the runs
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
	if e, _ := domain.EndingOf(err); e.State != domain.RunIsCompensated {
		return fmt.Errorf("want the run compensated, got %v", err) //nolint:errorlint // it may be nil
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

// measureCeiling measures the log alone: the appends of as many runs, at the same concurrency.
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
	late   bool // also sample a run that began before
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
