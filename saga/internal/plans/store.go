package plans

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/journal"
)

// tries bounds how often a write is tried again after another process wrote first.
const tries = 50

// Defined and Registered are the wire names of the events in plan and saga streams.
const (
	Defined    = "plan.defined.v1"
	Registered = "saga.registered.v1"
)

// space is the namespace of the events' ids.
var space = domain.SystemSpace

// Store keeps plans in a log. It is safe for concurrent use.
type Store struct {
	journal  *journal.Journal
	registry *definition.Registry
	logger   *slog.Logger
	stored   sync.Map // *definition.Definition, whose plan the log has, to what it is in force
}

// NewStore returns a store of the plans of what is registered.
func NewStore(j *journal.Journal, r *definition.Registry, logger *slog.Logger) *Store {
	return &Store{journal: j, registry: r, logger: logger}
}

// Plan returns the plan with the hash, from the registry or from the log. It is shared: it must
// not be changed.
func (s *Store) Plan(ctx context.Context, hash string) (*domain.Plan, error) {
	if p := s.registry.Plan(hash); p != nil {
		return p, nil
	}
	p, err := Read(ctx, s.journal, hash)
	if err != nil {
		return nil, err
	}
	s.registry.Keep(p)
	return p, nil
}

// Publish stores the plans of everything registered (with whenRun it leaves that to
// [Store.Ensure]), and refuses a saga whose name and version the log knows with another plan. A
// saga whose versions in the log can't be read is refused when a run of it is started; the others
// go on.
func (s *Store) Publish(ctx context.Context, whenRun bool) error {
	var errs []error
	for _, d := range s.registry.All() {
		var err error
		if whenRun {
			_, _, err = s.knownVersion(ctx, d)
		} else {
			_, err = s.Ensure(ctx, d)
		}
		if errors.Is(err, domain.ErrUnreadable) {
			s.logger.Error("no run of a saga can be started; all others go on", "saga", d.Plan.Saga, "version", d.Plan.Version, "error", err)
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Ensure makes sure that the log has the plan of a definition, and lists it under the saga's
// version. It must return before a run is started, and returns the definition to start it with:
// where the log lists a plan that does the same ([domain.Plan.DoesTheSame]), that one holds.
func (s *Store) Ensure(ctx context.Context, d *definition.Definition) (*definition.Definition, error) {
	if own, ok := s.stored.Load(d); ok {
		return own.(*definition.Definition), nil
	}
	own, err := s.registerVersion(ctx, d)
	if err != nil {
		return nil, err
	}
	p := own.Plan
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if len(data) > domain.MaxAppendSize/2 {
		return nil, fmt.Errorf("the plan of %s v%d is %d bytes of JSON: split it into child sagas", p.Saga, p.Version, len(data))
	}
	e := domain.NewEvent{ID: uuid.NewSHA1(space, data), Type: Defined, Data: data}
	last := domain.NoStream
	for range tries {
		err = s.journal.Persevere(ctx, domain.PlanStream(p.Hash()), last, e)
		if errors.Is(err, domain.ErrConflict) {
			// Another process has stored it, or the log refuses for reasons of its own.
			_, last, err = find(ctx, s.journal, p.Hash())
		}
		if err == nil {
			err = s.storeSecrets(ctx, p)
		}
		if err == nil {
			err = s.storeTypes(ctx, own)
		}
		if err == nil {
			s.stored.Store(d, own)
			return own, nil
		}
		if ctx.Err() != nil || !errors.Is(err, ErrMissing) && !errors.Is(err, domain.ErrUnreadable) {
			break
		}
	}
	return nil, fmt.Errorf("store the plan of %s v%d: %w", p.Saga, p.Version, err)
}
