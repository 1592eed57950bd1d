package saga

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
)

// visit is how far a message got through the middleware, for when that fails.
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

// settle answers a message in the place of a router whose goroutine has ended.
func settle(m *message.Message, err error) {
	if err == nil {
		m.Ack()
	} else {
		m.Nack()
	}
}

// wrapped puts the users' middleware around the handler, the first outermost, and keeps what goes wrong in it to the
// one message: an attempt whose outcome is durable is over, whatever the middleware makes of it, and one whose
// handler was not called because the middleware panicked has failed with nothing done.
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
			w.logger.Warn("middleware returns messages, which go nowhere: an action's handler publishes none", "message", m.UUID)
		}
		if err != nil && v.done {
			w.logger.Warn("middleware failed after the attempt's outcome was recorded, which stands", "message", m.UUID, "error", err)
			return nil
		}
		return err
	}, nil
}

// applied calls a middleware, which returns the handler that it makes of another.
func applied(m message.HandlerMiddleware, inner message.HandlerFunc) (h message.HandlerFunc, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = contain.Panic(p)
		}
	}()
	if m == nil {
		return nil, errors.New("is nil: leave it out")
	}
	if h = m(inner); h == nil {
		return nil, errors.New("returns a nil handler")
	}
	return h, nil
}

// failedAround deals with middleware that panicked or ended its goroutine; an error has the message delivered again.
func (w *Worker) failedAround(m *message.Message, v *visit, bad *contain.MisbehavedError) error {
	w.logger.Error("middleware of an action "+bad.How, "message", m.UUID, "outcome_recorded", v.done, "stack", bad.Stack)
	if v.done {
		return nil
	}
	if v.entered {
		return bad
	}
	t, err := openMessage[task](m)
	if err != nil {
		return nil // it would not be read the next time either
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
