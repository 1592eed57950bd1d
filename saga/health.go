package saga

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/cluster"
)

// ErrLogSilent means that the log has not answered appends for seconds. They wait and are tried again.
var ErrLogSilent = errors.New("the log does not answer")

// A log that is silent for tellSilence is told in the program's log and in the metrics; after refuseSilence the
// coordinator is not ready: an election in a cluster takes less.
const (
	tellSilence   = time.Second
	refuseSilence = 2 * time.Second
)

// failPatience bounds how long Run waits for handlers when the log takes no more appends.
const failPatience = 2 * time.Second

// logHealth is what is known of a log by its answers to appends. Reads say nothing: a cluster without a majority goes on
// serving them. It is safe to use concurrently.
type logHealth struct {
	// failed is why the log takes no more appends, nil while it does.
	failed atomic.Pointer[error]

	mu       sync.Mutex
	inFlight int
	unclear  bool      // the last append that ended had no answer
	since    time.Time // since when there was no answer; zero while nobody waits for one
}

// watchedLog notes how the log answers appends.
type watchedLog struct {
	Log
	health *logHealth
}

// Append implements [Log].
func (l watchedLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	l.health.began()
	done := false
	defer func() {
		if !done {
			l.health.ended(context.Canceled)
		}
	}()
	at, err := l.Log.Append(ctx, stream, expected, events...)
	done = true
	l.health.ended(err)
	return at, err
}

func (h *logHealth) began() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inFlight++
	if h.since.IsZero() {
		h.since = time.Now()
	}
}

func (h *logHealth) ended(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inFlight--
	switch {
	case answered(err):
		h.unclear, h.since = false, time.Now()
	case !errors.Is(err, context.Canceled): // whose caller gave up says nothing
		h.unclear = true
	}
	if h.inFlight == 0 && !h.unclear {
		h.since = time.Time{}
	}
}

// answered reports whether an append's error is the log's own word.
func answered(err error) bool {
	if err == nil {
		return true
	}
	for _, word := range [...]error{domain.ErrConflict, domain.ErrTooLarge, domain.ErrStreamDeleted, domain.ErrAccessDenied} {
		if errors.Is(err, word) {
			return true
		}
	}
	return false
}

// silence is for how long the log has not answered, 0 where it does or nobody asks.
func (h *logHealth) silence() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return 0
	}
	return time.Since(h.since)
}

// probeLog asks the log for an answer: an append without events writes nothing of ours.
func (c *Coordinator) probeLog(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, refuseSilence)
	defer stop()
	_, _ = c.log.Append(ctx, cluster.StreamPrefix+c.cfg.Node, domain.AnyRevision) // the log's health notes the answer
}

func (c *Coordinator) logFailed() bool { return c.health.failed.Load() != nil }

// LogSilence is for how long the log has not answered appends; 0 while it does, and while nobody appends. Nodes of a
// cluster append a sign of life every quarter of [Config.NodeTimeout].
func (c *Coordinator) LogSilence() time.Duration {
	silence := c.health.silence()
	if l, ok := c.cfg.Log.(domain.SilenceTeller); ok {
		silence = max(silence, l.Silence())
	}
	return silence
}

// Health returns nil while the coordinator takes orders, and else why not: it has not started, it stops
// ([ErrNotRunning]), its log takes no more appends ([domain.ErrFailed]), or does not answer them for two seconds
// ([ErrLogSilent]). It does not wait, and is what readiness is to be told by.
func (c *Coordinator) Health() error {
	if err := c.health.failed.Load(); err != nil {
		return *err
	}
	if c.state.Load() != stateRunning {
		return ErrNotRunning
	}
	if s := c.LogSilence(); s >= refuseSilence {
		return fmt.Errorf("%w: appends wait for %v", ErrLogSilent, s.Round(100*time.Millisecond))
	}
	return nil
}

// watchLog tells when the log falls silent, and when it answers again.
func (c *Coordinator) watchLog(ctx context.Context) {
	tick := time.NewTicker(tellSilence / 4)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch s := c.LogSilence(); {
		case s >= tellSilence && !told:
			told = true
			c.logger.Warn("the log does not answer: appends wait and are tried again", "for", s.Round(time.Millisecond))
		case s < tellSilence && told:
			told = false
			c.logger.Info("the log answers again")
		}
		if told { // nobody else may find out that it answers again
			c.probeLog(ctx)
		}
	}
}

// within calls f and waits for it no longer than that.
func within(patience time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(patience + time.Second) // f has a bound of its own
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errors.New("handlers have not returned: they are left behind")
	}
}
