package work

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/hands"
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
	// drained is closed when a worker that stops waits for outcomes no longer.
	drained chan struct{}
	// handling counts the attempts under way, until their outcomes are delivered.
	handling sync.WaitGroup
}

// Config is what a [Worker] is made of. Actions and Logger are required, and either Outcomes or
// Direct.
type Config struct {
	Actions map[string]*definition.Action
	Logger  *slog.Logger
	// Outcomes is where reports are published, on [OutcomesTopic]; publishing returns when the
	// broker has them for good.
	Outcomes  message.Publisher
	Namespace string
	// Direct takes reports where the coordinator is in the same process; it returns when they
	// are durable.
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
	return &Worker{cfg: cfg, around: newObserving(cfg.Observer, cfg.Logger), running: make(map[AttemptID]*handling), drained: make(chan struct{})}
}

// Begin runs an attempt on a goroutine of its own, without a message. The stopping worker refuses
// it, and may not get rid of its outcome any more; the attempt is then taken up after the restart.
func (w *Worker) Begin(t *Task) {
	told := func(err error) {
		if err != nil && !errors.Is(err, ErrShutdown) && !errors.Is(err, domain.ErrNotRunning) {
			w.cfg.Logger.Error("outcome not recorded: the attempt is taken up after the restart", "run", t.Run, "step", t.Step, "attempt", t.Attempt, "error", err)
		}
	}
	w.cfg.Hands.Go(func() { told(w.attempt(context.Background(), t, func() {}, told)) })
}

// Drain refuses new attempts, ends the contexts of the do attempts and waits for all handlers to
// return and for their outcomes to be durable, or for ctx. It is called once.
func (w *Worker) Drain(ctx context.Context) {
	defer close(w.drained)
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
	done := make(chan struct{})
	go func() { w.handling.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("handlers have not returned: they are left behind")
	}
}
