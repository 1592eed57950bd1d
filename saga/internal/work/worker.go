package work

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/clock"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/hands"
	"github.com/atonehq/atone/saga/internal/timers"
)

// Worker runs the handlers of actions. Attempts reach it from the coordinator in the same process
// ([Worker.Begin]), or as messages ([Worker.Consumers]). All methods are safe to call concurrently.
type Worker struct {
	cfg Config
	// around tells the observer; nil where there is none.
	around *observing
	// running holds the attempts whose handlers have not returned.
	mu      sync.Mutex
	running map[AttemptID]*handling
	closing bool
	transit transit
	// undrained ends when a stopping worker no longer waits for outcomes.
	undrained context.Context
	drained   context.CancelFunc
	// handling counts the attempts under way, until their outcomes are delivered.
	handling sync.WaitGroup
}

// Config configures a [Worker]. Actions and Logger are required, and either Outcomes or Direct.
type Config struct {
	Actions map[string]*definition.Action
	// Clock is the coordinator's; nil, where it is in another process, means this machine's.
	Clock  *timers.Clock
	Logger *slog.Logger
	// Outcomes publishes reports, on [OutcomesTopic]. Its Publish must return only when the broker
	// has stored them.
	Outcomes  message.Publisher
	Namespace string
	// Direct takes reports if the coordinator is in the same process; it returns when they are
	// durable.
	Direct func(context.Context, *Report) error
	// Observer is told of every attempt; may be nil.
	Observer Observer
	// Hands are the goroutines of attempts that come without a message; may be nil.
	Hands *hands.Pool
}

// Observer is told of attempts, for metrics and traces. Its methods are called concurrently.
type Observer interface {
	// AttemptBegan is called before a handler. The context that it returns is the handler's.
	AttemptBegan(ctx context.Context, a domain.Attempt) context.Context
	// AttemptEnded is called after it; failure is nil on success.
	AttemptEnded(ctx context.Context, a domain.Attempt, took time.Duration, failure *domain.Failure)
}

// AttemptID names an attempt.
type AttemptID struct {
	Run       domain.RunID
	Step      string
	Direction domain.Direction
	Number    int
}

// Causes with which a handler's context is cancelled; see context.Cause.
var (
	// ErrRunTurnedBack means that the run is being undone.
	ErrRunTurnedBack = errors.New("the run was turned back")
	// ErrShutdown means that the worker is stopping.
	ErrShutdown = errors.New("the worker is stopping")
)

// New makes a worker. It starts nothing.
func New(cfg Config) *Worker {
	if cfg.Clock == nil {
		cfg.Clock = timers.NewClock(clock.System{}, cfg.Logger)
	}
	w := &Worker{cfg: cfg, around: newObserving(cfg.Observer, cfg.Logger), running: make(map[AttemptID]*handling)}
	w.undrained, w.drained = context.WithCancel(context.Background())
	return w
}

// Begin runs an attempt on its own goroutine, without a message. A stopping worker refuses it, and
// may fail to deliver its outcome; the attempt is then taken up after the restart.
func (w *Worker) Begin(t *Task) {
	told := func(err error) {
		if err != nil && !errors.Is(err, ErrShutdown) && !errors.Is(err, domain.ErrNotRunning) {
			w.cfg.Logger.Error("outcome not recorded: the attempt is taken up after the restart", "run", t.Run, "step", t.Step, "attempt", t.Attempt, "error", err)
		}
	}
	w.cfg.Hands.Go(func() { told(w.attempt(context.Background(), t, func() {}, told)) })
}

// Rehearse calls the handler of an attempt in the caller's goroutine, then done with what the
// handler reports. Nothing is delivered, and no time bounds the call; the handler's attempt has the
// task's Due as its deadline. If the handler ends the goroutine, Rehearse calls done and does not
// return.
func (w *Worker) Rehearse(ctx context.Context, t *Task, beat func(json.RawMessage), done func(*Report)) {
	a := &attemptState{task: t, logger: w.cfg.Logger, clock: w.cfg.Clock, lastOut: w.cfg.Clock.Steady(), deadline: t.Due,
		beat: func(details json.RawMessage) error { beat(details); return nil }}
	r := t.report()
	defer func() { done(r) }()
	w.run(context.WithValue(ctx, attemptKey{}, a), w.cfg.Actions[t.Action], a, r)
}

// Drain refuses new attempts, cancels the do attempts, and waits until all handlers have returned
// and their outcomes are durable, or until ctx ends. Call it once.
func (w *Worker) Drain(ctx context.Context) {
	defer w.drained()
	w.mu.Lock()
	w.closing = true
	for id, h := range w.running {
		if id.Direction == domain.Do {
			h.cancel(ErrShutdown)
		}
	}
	w.mu.Unlock()
	_ = w.Wait(ctx)
}

// Wait waits for all handlers to return and their outcomes to be delivered, or for ctx.
func (w *Worker) Wait(ctx context.Context) error {
	return Within(ctx, func() error { w.handling.Wait(); return nil })
}

// Within calls f, which waits for handlers, and returns its error, or another one when ctx ends.
func Within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("handlers have not returned: they are left behind")
	}
}
