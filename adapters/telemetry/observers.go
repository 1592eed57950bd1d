package telemetry

import (
	"context"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// Observers combines observers into one. It leaves out nil ones, and returns nil if none is left.
func Observers(list ...saga.Observer) saga.Observer {
	var all observers
	for _, o := range list {
		switch o := o.(type) {
		case nil:
		case *Tracing: // a disabled one is a nil pointer
			if o != nil {
				all = append(all, o)
			}
		case *Metrics:
			if o != nil {
				all = append(all, o)
			}
		default:
			all = append(all, o)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

type observers []saga.Observer

// AttemptBegan implements [saga.Observer].
func (o observers) AttemptBegan(ctx context.Context, a saga.Attempt) context.Context {
	for _, x := range o {
		ctx = x.AttemptBegan(ctx, a) //nolint:fatcontext // each observer adds to the context, once
	}
	return ctx
}

// AttemptEnded implements [saga.Observer].
func (o observers) AttemptEnded(ctx context.Context, a saga.Attempt, took time.Duration, failure *domain.Failure) {
	for i := len(o) - 1; i >= 0; i-- {
		o[i].AttemptEnded(ctx, a, took, failure)
	}
}
