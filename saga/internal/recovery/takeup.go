package recovery

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/domain"
)

// takeUpAgain is the delay after which a run that could not be taken up is tried again.
const takeUpAgain = 10 * time.Second

// TakeUpAll continues runs, a few at once, until ctx ends. Each run is loaded, continued, and may
// be evicted again, so memory does not grow with their number.
func (r *Recovery) TakeUpAll(ctx context.Context, runs []domain.RunID) {
	var all errgroup.Group
	all.SetLimit(r.Width)
	for _, run := range runs {
		if ctx.Err() != nil {
			break
		}
		all.Go(func() error { r.TakeUpOne(ctx, run, false); return nil })
	}
	_ = all.Wait() // failed runs are tried again later
}

// TakeUpOne continues a run that was under way when its coordinator died. If it fails, it tries
// again later, because nobody else would notice that the run's attempts are lost. heard is passed
// to [Config.TakeUp].
func (r *Recovery) TakeUpOne(ctx context.Context, run domain.RunID, heard bool) {
	err := r.TakeUp(ctx, run, heard)
	if err == nil || ctx.Err() != nil || errors.Is(err, domain.ErrUnreadable) {
		return
	}
	r.Logger.Error("run can't be taken up: it waits until it can", "run", run, "in", takeUpAgain, "error", err)
	if errors.Is(err, domain.ErrNotFound) {
		return
	}
	r.Go(func(ctx context.Context) {
		select {
		case <-time.After(takeUpAgain):
			r.TakeUpOne(ctx, run, false)
		case <-ctx.Done():
		}
	})
}
