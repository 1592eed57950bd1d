package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// Start says how a run is started. All of it may be zero.
type Start struct {
	By
	Key string
	// Once stands for a key where there is none; no run shows it.
	Once     string
	Labels   map[string]string
	Deadline time.Time
	Parent   *domain.ParentRef
	Trigger  *domain.TriggerRef
	// AgainOf is the ended run that is started again.
	AgainOf domain.RunID
	// ID is the run's id; zero means the id that follows from Key, or a new one.
	ID domain.RunID
	// Typed means that the input was a Go value of some type of the caller's. Other inputs must
	// have all that the schema of the saga's input requires.
	Typed bool
	// Then is decided in the same append as the start.
	Then machine.Intent
}

// check returns an error for what would not fit an event or an index.
func (s *Start) check() error {
	return errors.Join(
		accept.OptionalName("the key", s.Key, accept.MaxKey),
		accept.OptionalName("the id of a start", s.Once, accept.MaxKey),
		accept.OptionalName("the traceparent", s.Trace, accept.MaxKey),
		accept.OptionalName("the correlation id", s.Correlation, accept.MaxKey),
		accept.OptionalName("the causation id", s.Causation, accept.MaxKey),
		accept.Labels(s.Labels),
		accept.Time("the deadline", s.Deadline),
		accept.OptionalName("the actor", s.Actor, accept.MaxName),
	)
}

func (s *Start) runID(saga string) domain.RunID {
	switch {
	case s.ID != domain.RunID{}:
		return s.ID
	case s.Key != "":
		return domain.RunIDForKey(saga, s.Key)
	case s.Once != "":
		return domain.RunIDForKey(saga, "\x00"+s.Once) // no key begins so
	}
	return domain.NewRunID()
}

// withID calls use with the run's id and returns that id. If a run of the other kind has it, withID
// calls use again with the id that the key has for this kind alone: see [errOtherKind].
func (s *Start) withID(want *domain.RunStarted, use func(domain.RunID) error) (domain.RunID, error) {
	id := s.runID(want.Saga)
	err := use(id)
	if errors.Is(err, errOtherKind) {
		id = domain.RunIDForKeyOf(want.Version == 0, want.Saga, s.Key)
		err = use(id)
	}
	return id, err
}

// Start starts a run and returns when its start is durable. While MaxRuns runs are under way it
// waits. fits means that the input is known to be of the saga's type and readable.
//
// Errors: [domain.ErrBadInput], [domain.ErrKeyConflict], [domain.ErrNotRunning],
// [domain.ErrPlanChanged], ctx's, and the log's.
func (e *Engine) Start(ctx context.Context, d *definition.Definition, input json.RawMessage, fits bool, s Start) (domain.RunID, error) {
	name := d.Plan.Saga
	if !s.Typed || len(input) == 0 {
		if err := d.Input.Complete("input", input); err != nil {
			return domain.RunID{}, fmt.Errorf("%w: start %s: %w", domain.ErrBadInput, name, err)
		}
	}
	if len(input) == 0 {
		input = json.RawMessage("null")
	}
	if !fits {
		if err := e.checkInput(d, input); err != nil {
			return domain.RunID{}, err
		}
	}
	if err := e.about(d, input, &s); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: start %s: %w", domain.ErrBadInput, name, err)
	}
	if err := s.check(); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: start %s: %w", domain.ErrBadInput, name, err)
	}
	started := &domain.RunStarted{Saga: name, Version: d.Plan.Version, Plan: d.Plan.Hash(), Input: input, Key: s.Key,
		Labels: s.Labels, Parent: s.Parent, Trigger: s.Trigger, Deadline: s.Deadline, AgainOf: s.AgainOf}
	if started.Deadline.IsZero() && d.Plan.Deadline > 0 {
		started.Deadline, started.Within = e.cfg.Clock.Now().Add(time.Duration(d.Plan.Deadline)), d.Plan.Deadline
	}
	if err := e.cfg.Ready(ctx); err != nil {
		return domain.RunID{}, err
	}
	if !s.Deadline.IsZero() && !s.Deadline.After(e.cfg.Clock.Now()) {
		return e.startedBefore(ctx, started, &s)
	}
	d, err := e.cfg.Plans.Ensure(ctx, d)
	if err != nil {
		return domain.RunID{}, err
	}
	started.Plan = d.Plan.Hash()
	return s.withID(started, func(id domain.RunID) error { return e.begin(ctx, id, d, started, &s) })
}

// about adds the key and the labels that the saga says its runs have by their input. A run that has
// its id from elsewhere (a child, a trigger's) and one that is started again get no such key. It
// replaces a key that a client made up only to send the start again.
func (e *Engine) about(d *definition.Definition, input json.RawMessage, s *Start) error {
	if d.About == nil {
		return nil
	}
	about, err := contain.CallOn(e.cfg.Hands(), contain.ClosureLimit, func() (definition.About, error) { return d.About(input) })
	if err != nil {
		return secret.MaskError(d.Plan.Secrets(), input, err)
	}
	if (s.Key == "" || about.Key != "" && domain.KeyIsMadeUp(s.Key)) && s.ID == (domain.RunID{}) && s.AgainOf == (domain.RunID{}) {
		s.Key = about.Key
	}
	labels := make(map[string]string, len(about.Labels)+len(s.Labels))
	maps.Copy(labels, about.Labels)
	maps.Copy(labels, s.Labels)
	s.Labels = labels
	return nil
}

// checkInput refuses an input that can't be recorded or that the saga's code can't read.
func (e *Engine) checkInput(d *definition.Definition, input json.RawMessage) error {
	name := d.Plan.Saga
	if err := errors.Join(accept.Readable("the input of "+name, input), accept.Size("the input of "+name, input)); err != nil {
		return fmt.Errorf("%w: %w", domain.ErrBadInput, err)
	}
	if _, err := contain.CallOn(e.cfg.Hands(), contain.ClosureLimit, func() (any, error) { return nil, d.Input.Check(input) }); err != nil {
		return fmt.Errorf("%w: the input of %s: %w", domain.ErrBadInput, name, secret.MaskError(d.Plan.Secrets(), input, err))
	}
	return nil
}

// startedBefore returns the run that was started with the key earlier. A start whose deadline has
// passed only finds such a run: it makes none.
func (e *Engine) startedBefore(ctx context.Context, want *domain.RunStarted, s *Start) (domain.RunID, error) {
	if s.Key != "" {
		id, err := s.withID(want, func(id domain.RunID) error { return e.sameRun(ctx, id, want) })
		if !errors.Is(err, domain.ErrNotFound) {
			return id, err
		}
	}
	return domain.RunID{}, fmt.Errorf("%w: start %s: the deadline, %s, has passed: give a later one, or none", domain.ErrBadInput, want.Saga, s.Deadline.Format(time.RFC3339))
}

// begin admits a run and appends its start.
func (e *Engine) begin(ctx context.Context, id domain.RunID, d *definition.Definition, started *domain.RunStarted, s *Start) error {
	// A child shares the place of its parent: it must not wait for other runs to end.
	admitted := s.Parent == nil
	if admitted {
		if err := e.places.acquire(ctx, e.cfg.Life.Done(), id); err != nil {
			return err
		}
	}
	var err error
	for range turnTries {
		req := &request{start: started, intent: s.Then, plan: d, admitted: admitted,
			ctx: By{Actor: cmp.Or(s.Actor, e.cfg.Node), Trace: s.Trace, Correlation: cmp.Or(s.Correlation, id.String()), Causation: s.Causation}}
		err = e.do(ctx, id, req)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			if admitted {
				e.cfg.Go(func(context.Context) { e.giveBackIfFailed(id, req) })
			}
			return fmt.Errorf("start %s: it may yet become durable: start it again with its key to find out: %w", started.Saga, err)
		}
		if !errors.Is(err, domain.ErrConflict) && !errors.Is(err, errAlreadyStarted) {
			break
		}
		if err = e.sameRun(ctx, id, started); !errors.Is(err, domain.ErrNotFound) {
			break // such a run exists: err says whether it is the same one
		}
	}
	if admitted {
		e.places.giveBack(id)
	}
	return err
}

// giveBackIfFailed gives a run's place back if its start fails after its caller stopped waiting.
func (e *Engine) giveBackIfFailed(id domain.RunID, req *request) {
	<-req.done
	if req.err != nil {
		e.places.giveBack(id)
	}
}

// errOtherKind means that a saga's key names a run of the single action of the same name, or the
// other way round. Such keys shared one id until version 0.5; the run that came first keeps it.
var errOtherKind = errors.New("the key names a run of another kind")

// sameRun checks that a run that exists is the one that was to be started.
func (e *Engine) sameRun(ctx context.Context, id domain.RunID, want *domain.RunStarted) error {
	var saga string
	var version int
	var input json.RawMessage
	err := e.do(ctx, id, &request{read: func(s *machine.State) { saga, version, input = s.Start.Saga, s.Start.Version, s.Start.Input }})
	if err != nil {
		return err
	}
	if saga == want.Saga && want.Key != "" && (version == 0) != (want.Version == 0) {
		return errOtherKind
	}
	if saga != want.Saga || !payload.Same(input, want.Input) {
		return fmt.Errorf("%w: run %s (%s v%d) has it: use another key, or the same input", domain.ErrKeyConflict, id, saga, version)
	}
	return nil
}
