package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/rejected"
)

// Retry has the trigger of a rejected event look at it again, and starts the run that it asks for.
// Asked twice, it starts one run. An error says why there is none: the program has no such trigger,
// the trigger still fails or does not want the event, or the log has not got it any more. in may be
// nil, while nothing runs.
func (in *Inbox) Retry(ctx context.Context, r *rejected.Event) (domain.RunID, error) {
	if in == nil {
		return domain.RunID{}, domain.ErrNotRunning
	}
	none := fmt.Errorf("this program has no trigger that starts saga %s for events of type %s: ask one that has it", r.Saga, r.Type)
	for _, l := range in.lanes {
		if l.t.Saga != r.Saga || l.t.Type != r.Type {
			continue
		}
		e, err := in.find(ctx, r)
		if err != nil {
			return domain.RunID{}, err
		}
		if none = errors.New("the trigger does not want it any more: dismiss it"); !l.wants(e) {
			continue
		}
		run, wanted, err := l.again(ctx, e)
		if err != nil {
			return domain.RunID{}, errors.New(whyRejected(err))
		}
		if wanted {
			return run, nil
		}
	}
	return domain.RunID{}, none
}

// again asks the trigger once more about an event, and starts the run that it wants.
func (l *lane) again(ctx context.Context, e *domain.Recorded) (run domain.RunID, wanted bool, err error) {
	p := newPending(l.t.Saga, e)
	if wanted, err = l.ask(ctx, e, p); err == nil && wanted {
		p.ctx = ctx
		err = l.start(p)
	}
	return p.run, wanted, err
}

// find reads a rejected event from the log.
func (in *Inbox) find(ctx context.Context, r *rejected.Event) (*domain.Recorded, error) {
	for e, err := range in.Log.ReadStream(ctx, r.Stream, r.Revision) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.Stream, err)
		}
		if e.Revision == r.Revision && e.ID == r.Event {
			return &e, nil
		}
		break
	}
	return nil, fmt.Errorf("the log has no event %s at %d of %s any more: dismiss it", r.Event, r.Revision, r.Stream)
}
