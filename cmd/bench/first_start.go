package bench

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// Starts has two starts of a coordinator: the first on a log that others wrote, and the next one.
// For each it has the time until the coordinator was ready, and how many events of runs it read
// from the whole log.
type Starts struct {
	FirstSeconds  float64 `json:"first_seconds"`
	FirstRead     int64   `json:"first_read_events"`
	SecondSeconds float64 `json:"second_seconds"`
	SecondRead    int64   `json:"second_read_events"`
}

// waitingRuns is how many of the runs in the log have not ended.
const waitingRuns = 1_000

// runStarts measures starts on a log of o.Runs events: half belong to ended runs, half to another
// app.
func runStarts(ctx context.Context, o Options) (Result, error) {
	res := Result{Scenario: o.Scenario, Callers: orElse(o.Callers, 64), Runs: orElse(o.Runs, 1_000_000), Starts: map[string]Starts{}}
	dir, remove, err := dataDir(o.Data)
	if err != nil {
		return res, err
	}
	defer remove()
	engines := []engine{embedded, served}
	if o.Log != "" {
		engines = []engine{engine(o.Log)}
	}
	began, before := time.Now(), cpuTime()
	for i, e := range engines {
		s, err := measureStarts(ctx, filepath.Join(dir, itoa(i)), e, res.Callers, res.Runs)
		if err != nil {
			return res, err
		}
		res.Starts[e.name()] = s
	}
	res.Seconds, res.PeakRSS = time.Since(began).Seconds(), peakRSS()
	res.CPU = (cpuTime() - before).Seconds() / float64(res.Runs) * 1000
	return res, nil
}

func measureStarts(ctx context.Context, dir string, e engine, callers, events int) (s Starts, err error) {
	log, _, closeLog, err := embedded.open(dir)
	if err != nil {
		return s, err
	}
	if err := writeOthers(ctx, log, callers, events); err != nil {
		return s, errors.Join(err, closeLog())
	}
	if e != embedded {
		if err := closeLog(); err != nil {
			return s, err
		}
		if log, _, closeLog, err = e.open(dir); err != nil {
			return s, err
		}
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	if s.FirstSeconds, s.FirstRead, err = measureStart(ctx, log, e); err != nil {
		return s, err
	}
	s.SecondSeconds, s.SecondRead, err = measureStart(ctx, log, e)
	return s, err
}

// writeOthers starts runs that wait. Then it appends, as another program would, ended runs (one
// append each) and an app's own events.
func writeOthers(ctx context.Context, log domain.Log, callers, events int) error {
	sampler := &sampler{Log: log}
	c, stop, err := startCoordinator(ctx, sampler, embedded.config())
	if err != nil {
		return err
	}
	sampler.next.Store(true)
	err = runSignup(ctx, c)
	run := sampler.take()
	if err == nil {
		_, err = repeat(ctx, callers, min(waitingRuns, events), func(ctx context.Context) error {
			_, err := saga.Start(ctx, c, waiting, 1)
			return err
		})
	}
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	var batch []domain.NewEvent
	for _, b := range run {
		batch = append(batch, b...)
	}
	if _, err := repeat(ctx, callers, events/2/len(batch), func(ctx context.Context) error {
		own := make([]domain.NewEvent, len(batch))
		for i, e := range batch {
			own[i], own[i].ID = e, uuid.New()
		}
		_, err := log.Append(ctx, domain.RunStream(domain.NewRunID()), domain.NoStream, own...)
		return err
	}); err != nil {
		return err
	}
	return fillLog(ctx, log, events/2)
}

// measureStart starts a coordinator and stops it.
func measureStart(ctx context.Context, log domain.Log, e engine) (seconds float64, read int64, err error) {
	counted := &readCounter{Log: log}
	began := time.Now()
	_, stop, err := startCoordinator(ctx, counted, e.config())
	if err != nil {
		return 0, 0, err
	}
	seconds, read = time.Since(began).Seconds(), counted.read.Load()
	return seconds, read, stop()
}

// readCounter counts the events of runs that are read from the whole log.
type readCounter struct {
	domain.Log
	read atomic.Int64
}

func (l *readCounter) counts(e *domain.Recorded) {
	if e == nil {
		return
	}
	if _, ok := domain.RunOfStream(e.Stream); ok {
		l.read.Add(1)
	}
}

// Subscribe implements [domain.Log].
func (l *readCounter) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		for d, err := range l.Log.Subscribe(ctx, after, filter) {
			if l.counts(d.Event); !yield(d, err) {
				return
			}
		}
	}
}

// ReadAll implements [domain.Log].
func (l *readCounter) ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for e, err := range l.Log.ReadAll(ctx, after, filter) {
			if l.counts(&e); !yield(e, err) {
				return
			}
		}
	}
}
