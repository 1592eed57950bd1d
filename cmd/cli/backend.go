package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

// backend is what commands do to runs, wherever those are. The errors are package saga's.
type backend interface {
	// Start starts a run of a saga, or of a single action, and returns when its start is durable.
	Start(ctx context.Context, r startRequest) (domain.RunID, error)
	// Wait returns a run's output when it has completed; other ends are errors, see [saga.Run.Wait].
	Wait(ctx context.Context, id domain.RunID) (json.RawMessage, error)
	// Show tells how a run stands. Secrets are redacted.
	Show(ctx context.Context, id domain.RunID) (wire.Run, error)
	// Follow yields a run's story from its beginning, then what happens, until the run ends or ctx does.
	Follow(ctx context.Context, id domain.RunID) iter.Seq2[projections.StoryRow, error]
	// Act does what a person wants done to a run.
	Act(ctx context.Context, id domain.RunID, a act) error
	questions
	// Close ends the work; what was begun is recorded and goes on later.
	Close() error
}

// startRequest says what to start.
type startRequest struct {
	// Saga (with Version, 0 for the latest) or Action is set.
	Saga    string
	Version int
	Action  string
	Input   json.RawMessage
	Key     string
	Labels  map[string]string
}

func (r *startRequest) options() []saga.StartOption {
	var opts []saga.StartOption
	if r.Key != "" {
		opts = append(opts, saga.Key(r.Key))
	}
	if len(r.Labels) > 0 {
		opts = append(opts, saga.Labels(r.Labels))
	}
	return opts
}

// verb is what a person wants done to a run.
type verb string

const (
	verbCancel     verb = "cancel"
	verbPause      verb = "pause"
	verbResume     verb = "resume"
	verbRetry      verb = "retry"
	verbSkip       verb = "skip"
	verbSubstitute verb = "substitute"
	verbAbandon    verb = "abandon"
	verbSignal     verb = "signal"
)

// act is a verb with what it needs.
type act struct {
	verb verb
	// step is for retry, skip and substitute; empty means every stuck one.
	step string
	// reason is for all but signal.
	reason string
	// payload is the output to substitute, or the signal's.
	payload json.RawMessage
	// signal is the signal's name, and id makes it idempotent.
	signal, id string
}

// open opens the backend. The caller closes it.
func (env *environment) open(ctx context.Context) (backend, error) {
	c, err := env.client()
	if err != nil {
		return nil, err
	}
	if c != nil {
		return &remoteBackend{c}, nil
	}
	return openLocal(ctx, env)
}

// with opens the backend for f. The context that f gets names who acts.
func (env *environment) with(ctx context.Context, f func(ctx context.Context, b backend) error) error {
	b, err := env.open(ctx)
	if err != nil {
		return err
	}
	err = f(env.withActor(ctx), b)
	return errors.Join(err, b.Close())
}

// parseRun reads a run's id, or SAGA:KEY for a run that was started with a key.
func parseRun(s string) (domain.RunID, error) {
	if id, err := uuid.Parse(s); err == nil && len(s) == 36 {
		return id, nil
	}
	if name, key, ok := strings.Cut(s, ":"); ok && name != "" && key != "" {
		return domain.RunIDForKey(name, key), nil
	}
	return domain.RunID{}, usageError{fmt.Errorf("%q is no run: give its id, or SAGA:KEY", s)}
}
