package work

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
)

// Consumers returns the consumer of each action's messages. It returns an error if a middleware
// can't be applied.
func (w *Worker) Consumers(middleware []message.HandlerMiddleware) ([]Consumer, error) {
	handler, err := w.wrapped(middleware)
	if err != nil {
		return nil, err
	}
	all := make([]Consumer, 0, len(w.cfg.Actions))
	for _, name := range slices.Sorted(maps.Keys(w.cfg.Actions)) {
		all = append(all, Consumer{"action " + name, ActionTopic(w.cfg.Namespace, name), handler})
	}
	return all, nil
}

// handle runs the attempt of a message. It returns an error, which causes a redelivery, only if the
// attempt's outcome could not be made durable.
func (w *Worker) handle(m *message.Message) error {
	t, err := openMessage[Task](m)
	if err != nil {
		// Another delivery would not be readable either. Drop it: the attempt then times out,
		// visibly.
		w.cfg.Logger.Error("unreadable task dropped", "message", m.UUID, "error", err)
		return nil
	}
	if _, ok := w.cfg.Actions[t.Action]; !ok {
		return fmt.Errorf("no action %q in this worker", t.Action)
	}
	err = w.attempt(m.Context(), t, func() { entered(m) }, func(err error) { settle(m, w.concluded(m, err)) })
	return w.concluded(m, err)
}

// visit notes how far a message got through the middleware, in case the middleware fails.
type visit struct {
	entered bool // the handler was called
	done    bool // its outcome is durable
}

type visitKey struct{}

// entered notes that the handler is about to be called.
func entered(m *message.Message) {
	if v, ok := m.Context().Value(visitKey{}).(*visit); ok {
		v.entered = true
	}
}

// concluded notes whether the outcome was delivered, and returns the error.
func (w *Worker) concluded(m *message.Message, err error) error {
	if v, ok := m.Context().Value(visitKey{}).(*visit); ok && err == nil {
		v.done = true
	}
	return err
}

// settle acknowledges or refuses a message for a router whose goroutine has ended.
func settle(m *message.Message, err error) {
	if err == nil {
		m.Ack()
	} else {
		m.Nack()
	}
}

// wrapped puts the users' middleware around the handler, the first one outermost. A failure of the
// middleware affects only its message: an attempt with a durable outcome is over, whatever the
// middleware returns, and an attempt whose handler was not called because the middleware panicked
// has failed with nothing done.
func (w *Worker) wrapped(middleware []message.HandlerMiddleware) (message.NoPublishHandlerFunc, error) {
	if len(middleware) == 0 {
		return w.handle, nil
	}
	var inner message.HandlerFunc = func(m *message.Message) ([]*message.Message, error) { return nil, w.handle(m) }
	for i := len(middleware) - 1; i >= 0; i-- {
		next, err := applied(middleware[i], inner)
		if err != nil {
			return nil, fmt.Errorf("action middleware %d %w", i, err)
		}
		inner = next
	}
	return func(m *message.Message) (err error) {
		v, returned := &visit{}, false
		m.SetContext(context.WithValue(m.Context(), visitKey{}, v))
		defer func() {
			if returned {
				return
			}
			p := recover()
			bad := contain.Exit()
			if p != nil {
				bad = contain.Panic(p)
			}
			err = w.failedAround(m, v, bad)
			if p == nil { // the goroutine ends
				settle(m, err)
			}
		}()
		out, err := inner(m)
		returned = true
		if len(out) > 0 {
			w.cfg.Logger.Warn("middleware returns messages, which go nowhere: an action's handler publishes none", "message", m.UUID)
		}
		if err != nil && v.done {
			w.cfg.Logger.Warn("middleware failed after the attempt's outcome was recorded, which stands", "message", m.UUID, "error", err)
			return nil
		}
		return err
	}, nil
}

// applyPatience is how long a middleware may take to return its handler.
const applyPatience = time.Minute

// applied calls a middleware, which returns the handler that it makes of another.
func applied(m message.HandlerMiddleware, inner message.HandlerFunc) (message.HandlerFunc, error) {
	if m == nil {
		return nil, errors.New("is nil: leave it out")
	}
	h, err := contain.Call(applyPatience, func() (message.HandlerFunc, error) { return m(inner), nil })
	if err == nil && h == nil {
		err = errors.New("returns a nil handler")
	}
	return h, err
}

// failedAround handles middleware that panicked or ended its goroutine. An error causes a
// redelivery of the message.
func (w *Worker) failedAround(m *message.Message, v *visit, bad *contain.MisbehavedError) error {
	w.cfg.Logger.Error("middleware of an action "+bad.How, "message", m.UUID, "outcome_recorded", v.done, "stack", bad.Stack)
	if v.done {
		return nil
	}
	if v.entered {
		return bad
	}
	t, err := openMessage[Task](m)
	if err != nil {
		return nil //nolint:nilerr // another delivery would fail in the same way
	}
	r := t.report()
	r.Effect = domain.EffectNotDone
	r.Failure = &domain.Failure{Kind: domain.FailureRetryable, Step: t.Step, Type: bad.Kind, Stack: bad.Stack,
		Message: domain.ShortMessage("middleware before the handler, which was not called, " + bad.How)}
	if t.Direction == domain.Probe {
		r.Verdict = domain.Unknown
	}
	return w.deliver(context.WithoutCancel(m.Context()), r)
}
