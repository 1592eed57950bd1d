package afresh

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/machine"
)

// Request says how an ended run is started again. All of it may be zero.
type Request struct {
	// Input is the new run's input; empty for that of the old one.
	Input json.RawMessage
	// Key is the new run's key; empty for one that is made of the old run's. So a request that is
	// made twice starts one run, and another input needs another key.
	Key string
	// Version is that of the saga; 0 means the latest.
	Version int
	// Labels are the new run's; nil means those of the old one.
	Labels map[string]string
}

// Runs has the functions with which the package reads runs and starts them.
type Runs struct {
	Log   Log
	Now   func() time.Time
	Actor string
	// First reads how a run was started, At how it stands.
	First func(ctx context.Context, run domain.RunID) (*domain.RunStarted, time.Time, error)
	At    func(ctx context.Context, run domain.RunID, revision int64) (*machine.State, error)
	// Start starts the new run; everything in the request is set.
	Start func(ctx context.Context, old domain.RunID, started *domain.RunStarted, req *Request) (domain.RunID, error)
}

// ErrNotEnded means that only an ended run can be started again.
var ErrNotEnded = errors.New("the run has not ended")

// Start starts an ended run again and returns the new run. Errors: [ErrNotEnded],
// [domain.ErrNotFound], and those of Start.
func Start(ctx context.Context, runs *Runs, old domain.RunID, req Request) (domain.RunID, error) {
	started, _, err := runs.First(ctx, old)
	if err != nil {
		return domain.RunID{}, fmt.Errorf("start run %s again: %w", old, err)
	}
	s, err := runs.At(ctx, old, history.Latest)
	if err == nil && !s.Status().Ended() {
		err = fmt.Errorf("%w: it is %s: cancel it first, or start another one", ErrNotEnded, s.Status())
	}
	if err != nil {
		return domain.RunID{}, fmt.Errorf("start run %s again: %w", old, err)
	}
	if len(req.Input) == 0 {
		req.Input = started.Input
	}
	if req.Labels == nil {
		req.Labels = started.Labels
	}
	req.Key = cmp.Or(req.Key, KeyAfter(started.Key, old))
	id, err := runs.Start(ctx, old, started, &req)
	if err != nil {
		return id, fmt.Errorf("start run %s again: %w", old, err)
	}
	if err := link(ctx, runs, old, id); err != nil {
		return id, fmt.Errorf("run %s was started, but run %s does not say so yet: start it again in the same way: %w", id, old, err)
	}
	return id, nil
}

// suffix ends the key of a run that was started from another one.
const suffix = "~again"

// KeyAfter returns the key that a run gets which is started again without one.
func KeyAfter(key string, old domain.RunID) string {
	if key == "" || len(key)+len(suffix) > accept.MaxKey {
		key = old.String()
	}
	return key + suffix
}
