package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/hands"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/verdict"
)

// Worker runs the handlers of actions: it is one Watermill handler per action. A coordinator
// has one of its own; more can run in other processes, over a broker: make those with [NewWorker].
type Worker struct {
	cfg     WorkerConfig
	actions map[string]*definition.Action
	// outcomes is where reports are published; publishing returns when the broker has them.
	outcomes message.Publisher
	// direct takes reports where the coordinator is in the same process, and outcomes nil; it returns when they
	// are durable.
	direct func(context.Context, *report) error
	logger *slog.Logger
	// running holds the attempts whose handlers have not returned.
	mu      sync.Mutex
	running map[attemptID]*handling
	closing bool
	transit transit
	// drained is closed when a worker that stops waits for outcomes no longer.
	drained chan struct{}
	// hands are the goroutines of attempts that come without a message.
	hands *hands.Pool
	// handling counts the attempts under way, until their outcomes are delivered.
	handling sync.WaitGroup
	// around is told of every attempt, for metrics and traces; may be nil.
	around *observing
}

// attemptID names an attempt in a worker.
type attemptID struct {
	run  domain.RunID
	step string
	dir  domain.Direction
	n    int
}

// Causes with which a handler's context is cancelled; see context.Cause.
var (
	// ErrRunTurnedBack means that the run is being undone.
	ErrRunTurnedBack = errors.New("the run was turned back")
	// ErrShutdown means that the worker is stopping.
	ErrShutdown = errors.New("the worker is stopping")
)

// Observer is told of attempts. Its methods are called concurrently and must return quickly.
type Observer interface {
	// AttemptBegan is called before a handler. The context that it returns is the handler's.
	AttemptBegan(ctx context.Context, a Attempt) context.Context
	// AttemptEnded is called after it; failure is nil on success.
	AttemptEnded(ctx context.Context, a Attempt, took time.Duration, failure *domain.Failure)
}

func newWorker(actions map[string]*definition.Action, outcomes message.Publisher, logger *slog.Logger, around Observer, pool *hands.Pool) *Worker {
	return &Worker{hands: pool, actions: actions, outcomes: outcomes, logger: logger, around: newObserving(around, logger), running: make(map[attemptID]*handling), drained: make(chan struct{})}
}

// consumers returns what is called for the attempts of each action. The error is that a middleware can't be applied.
func (w *Worker) consumers(middleware []message.HandlerMiddleware) ([]consumer, error) {
	handler, err := w.wrapped(middleware)
	if err != nil {
		return nil, err
	}
	all := make([]consumer, 0, len(w.actions))
	for _, name := range slices.Sorted(maps.Keys(w.actions)) {
		all = append(all, consumer{"action " + name, ActionTopic(w.cfg.Namespace, name), handler})
	}
	return all, nil
}

// handle runs the attempt of a message. It returns an error, and so has the message redelivered, only if the
// attempt's outcome could not be made durable.
func (w *Worker) handle(m *message.Message) error {
	t, err := openMessage[task](m)
	if err != nil {
		// No later delivery will read better; dropping it lets the attempt time out, visibly.
		w.logger.Error("unreadable task dropped", "message", m.UUID, "error", err)
		return nil
	}
	if _, ok := w.actions[t.Action]; !ok {
		return fmt.Errorf("no action %q in this worker", t.Action)
	}
	err = w.attempt(m.Context(), t, func() { entered(m) }, func(err error) { settle(m, w.concluded(m, err)) })
	return w.concluded(m, err)
}

// begin runs an attempt without a message: its task comes from the coordinator in this process, which takes its
// outcome. One that the stopping worker refuses, or whose outcome it can't hand over any more, is taken up after the
// restart.
func (w *Worker) begin(t *task) {
	told := func(err error) {
		if err != nil && !errors.Is(err, ErrShutdown) && !errors.Is(err, ErrNotRunning) {
			w.logger.Error("outcome not recorded: the attempt is taken up after the restart", "run", t.Run, "step", t.Step, "attempt", t.Attempt, "error", err)
		}
	}
	w.hands.Go(func() { told(w.attempt(context.Background(), t, func() {}, told)) })
}

// attempt runs one attempt and delivers its outcome. It calls entered before the handler; gone takes the result where the
// handler ends the goroutine, so that attempt can't return it.
func (w *Worker) attempt(parent context.Context, t *task, entered func(), gone func(error)) error {
	a := &attemptState{task: t, logger: w.logger, lastOut: time.Now(), deadline: w.deadline(t)}
	if !a.deadline.IsZero() && time.Until(a.deadline) <= 0 {
		return w.deliver(detached(parent), t.uncalled())
	}
	ctx, stop, ok := w.context(parent, a)
	if !ok {
		return ErrShutdown
	}
	defer w.handling.Done()
	a.beat = func(details json.RawMessage) error {
		r := t.report()
		r.Beat, r.Details = true, details
		return w.publish(ctx, r)
	}
	r := t.report()
	conclude := func() error {
		down := errors.Is(context.Cause(ctx), ErrShutdown)
		stop()
		if r.Failure != nil && down {
			return ErrShutdown // cut short by us: the attempt is taken up again after the restart
		}
		return w.deliver(detached(parent), r)
	}
	returned := false
	defer func() {
		if !returned { // the handler ended this goroutine: nobody is left to return to
			gone(conclude())
		}
	}()
	entered()
	w.run(ctx, w.actions[t.Action], a, r)
	returned = true
	return conclude()
}

// deliver publishes an outcome, again and again. Through a broker it gives up after a while, and the handler is called
// again; a coordinator in this process takes it as long as both run.
func (w *Worker) deliver(ctx context.Context, r *report) error {
	for delay, tries := 50*time.Millisecond, 1; ; delay, tries = min(2*delay, 5*time.Second), tries+1 {
		err := w.publish(ctx, r)
		if err == nil || errors.Is(err, ErrNotRunning) || tries == deliverTries && w.direct == nil {
			return err
		}
		w.logger.Warn("outcome not accepted, trying again", "run", r.Run, "step", r.Step, "attempt", r.Attempt, "in", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-w.drained:
			return err
		}
	}
}

// deliverTries bounds how often an outcome is published, over about a minute.
const deliverTries = 18

// context makes the handler's context, and counts it in w.handling; it refuses once the worker stops. A do ends
// when its run turns back, or at shutdown; an undo, a probe and a failure handler only at their deadline.
func (w *Worker) context(parent context.Context, a *attemptState) (context.Context, func(), bool) {
	t := a.task
	ctx := context.WithValue(detached(parent), attemptKey{}, a)
	ctx, cancel := context.WithCancelCause(ctx)
	id := attemptID{t.Run, t.Step, t.Direction, t.Attempt}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		cancel(nil)
		return nil, nil, false
	}
	w.running[id] = &handling{cancel: cancel}
	w.handling.Add(1)
	stopTimer := context.CancelFunc(func() {})
	if !a.deadline.IsZero() {
		ctx, stopTimer = context.WithTimeout(ctx, time.Until(a.deadline))
	}
	return ctx, func() {
		stopTimer()
		cancel(nil)
		w.returned(id)
	}, true
}

// detached returns the context without its end, if it has one.
func detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// cancel ends the context of an attempt, if it runs here.
func (w *Worker) cancel(id attemptID, cause error) {
	w.mu.Lock()
	h := w.running[id]
	w.mu.Unlock()
	if h != nil {
		h.cancel(cause)
	}
}

// drain refuses new attempts, ends the contexts of the do attempts and waits for all handlers to
// return and for their outcomes to be durable, or for ctx. It is called once.
func (w *Worker) drain(ctx context.Context) {
	defer close(w.drained)
	w.mu.Lock()
	w.closing = true
	for id, h := range w.running {
		if id.dir == domain.Do {
			h.cancel(ErrShutdown)
		}
	}
	w.mu.Unlock()
	_ = w.wait(ctx)
}

// wait waits for all handlers to return and their outcomes to be delivered, or for ctx.
func (w *Worker) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { w.handling.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("handlers have not returned: they are left behind")
	}
}

// run calls the handler and turns what it returns, that it panics or that it ends its goroutine into a report.
func (w *Worker) run(ctx context.Context, code *definition.Action, a *attemptState, r *report) {
	t := a.task
	defer a.end()
	ctx, ended := w.around.began(ctx, AttemptOf(ctx))
	defer func() { ended(r.Failure) }()
	bad := contain.Exit()
	defer func() {
		if p := recover(); p != nil {
			bad = contain.Panic(p)
		}
		if bad != nil {
			r.Output, r.Emitted = nil, nil
			// This says nothing of the effect, which is in doubt.
			r.Failure = &domain.Failure{Kind: domain.FailureRetryable, Step: t.Step, Message: domain.ShortMessage("the handler " + bad.How), Type: bad.Kind, Stack: bad.Stack}
			r.said(domain.EffectInDoubt, code)
			if r.Direction == domain.Probe {
				r.Verdict = domain.Unknown
			}
		}
		r.Failure = maskAttempt(code, a, r.Failure)
	}()
	w.call(ctx, code, a, r)
	bad = nil
}

// call calls the handler and turns what it returns into a report.
func (w *Worker) call(ctx context.Context, code *definition.Action, a *attemptState, r *report) {
	t := a.task
	var err error
	permanent := code.Permanent
	switch t.Direction {
	case domain.Undo:
		if code.Undo == nil {
			err = Permanent(fmt.Errorf("action %s has no Undo in this program, but had one when the run was started: restore it", t.Action))
		} else {
			err = code.Undo(ctx, t.did())
		}
		permanent = code.UndoPermanent
	case domain.Probe:
		r.Verdict = domain.Unknown
		if code.Probe != nil {
			r.Verdict, r.Output, err = code.Probe(ctx, t.Input)
		}
	default:
		r.Output, err = code.Do(ctx, t.Input)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(r.Output) + a.size; err == nil && n > maxTogether {
		err = &payload.UnrecordableError{Err: fmt.Errorf("the output and the emitted events are %d bytes; at most %d fit one append: store them elsewhere and pass references", n, maxTogether)}
	}
	switch bad, done := err.(*payload.UnrecordableError); {
	case done:
		r.Output = nil
		r.Failure = &domain.Failure{Kind: domain.FailurePermanent, Step: t.Step, Message: domain.ShortMessage(bad.Error()), Type: verdict.TypeOf(bad.Err)}
		r.said(domain.EffectDone, code)
	case err != nil:
		r.Output = nil
		r.Failure = verdict.Failure(err, t.Step, permanent(err))
		r.said(verdict.EffectOf(err, code.FailsCleanly), code)
	default:
		r.Emitted, a.over = a.emitted, true
	}
}

// end refuses what the handler, or a goroutine that it left behind, emits from now on.
func (a *attemptState) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

// maxTogether bounds what is appended with an attempt's success, in bytes: its output and the events
// that it emitted. The rest of the append is for their envelopes.
const maxTogether = domain.MaxAppendSize - 64<<10

// publish sends a report; it returns when that is durable. A coordinator in the same process takes it as it is:
// nobody reads a message that would be made of it.
func (w *Worker) publish(ctx context.Context, r *report) error {
	if w.direct != nil {
		if err := w.direct(ctx, r); err != nil {
			return fmt.Errorf("report %s of %s: %w", r.Step, r.Run, err)
		}
		return nil
	}
	suffix := "/outcome"
	if r.Beat { // each is its own message, for brokers that drop repeats
		suffix = "/beat-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	topic := OutcomesTopic(w.cfg.Namespace)
	m, err := newMessage(ctx, messageID(topic, r.Log, domain.IdempotencyKey(r.Run, r.Step, r.Direction), r.Attempt, suffix), r)
	if err != nil {
		return err
	}
	if err := w.outcomes.Publish(topic, m); err != nil {
		return fmt.Errorf("report %s of %s: %w", r.Step, r.Run, err)
	}
	return nil
}
