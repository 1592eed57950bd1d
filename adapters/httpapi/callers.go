package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga"
)

// caller returns who makes the request.
func caller(ctx context.Context) auth.Identity {
	id, _ := auth.IdentityOf(ctx)
	return id
}

// allow checks that the caller's token covers the saga.
func allow(ctx context.Context, name string) error {
	if id := caller(ctx); !id.Covers(name) {
		return problem(http.StatusForbidden, wire.ProblemForbidden, "token "+id.Name+" does not cover "+name+": ask for one that does")
	}
	return nil
}

// allowRun checks that the caller's token covers the run's saga.
func (s *Server) allowRun(ctx context.Context, id domain.RunID) error {
	if !caller(ctx).Bound() {
		return nil
	}
	name, err := s.cfg.Coordinator.SagaOf(ctx, id)
	if err != nil {
		return err
	}
	return allow(ctx, name)
}

// named returns the run that a parameter names: by its id, the end of it, or SAGA:KEY. It is no run
// where the name is empty.
func (s *Server) named(ctx context.Context, name string) (domain.RunID, error) {
	if name == "" {
		return domain.RunID{}, nil
	}
	// up: the names that a search knows
	if err := s.names(ctx).CheckRun(name); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: %w", errBadQuery, err)
	}
	id, err := runs.Named(ctx, name, caller(ctx).Sagas, s.cfg.Views.Runs)
	if errors.Is(err, runs.ErrNoName) || errors.Is(err, runs.ErrAmbiguous) {
		err = fmt.Errorf("%w: %w", errBadQuery, err)
	}
	return id, err
}

// allowAll checks that the caller's token covers all sagas.
func allowAll(ctx context.Context, what string) error {
	if id := caller(ctx); id.Bound() {
		return problem(http.StatusForbidden, wire.ProblemForbidden, "token "+id.Name+" is bound to some sagas: "+what+" is about all of them")
	}
	return nil
}

// ready fails while no coordinator runs.
func (s *Server) ready() error {
	select {
	case <-s.cfg.Coordinator.Ready():
		return nil
	default:
		return saga.ErrNotRunning
	}
}

// wait limits the wait that a caller asks for to Config.MaxWait.
func (s *Server) wait(d params.Duration) time.Duration {
	return min(max(d.Duration, 0), s.cfg.MaxWait)
}

// boundTo narrows the sagas of a filter to those that the caller's token covers.
func boundTo(ctx context.Context, sagas []string) ([]string, error) {
	id := caller(ctx)
	if !id.Bound() {
		return sagas, nil
	}
	if len(sagas) == 0 {
		return id.Sagas, nil
	}
	for _, name := range sagas {
		if err := allow(ctx, name); err != nil {
			return nil, err
		}
	}
	return sagas, nil
}

// untilDrain returns a context that also ends when the server begins to stop.
func (s *Server) untilDrain(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.draining:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// clientOf returns whose limit on streams a request counts against: the token's or, without tokens,
// the address's.
func clientOf(r *http.Request) string {
	if id, ok := auth.IdentityOf(r.Context()); ok && !id.Open {
		return "token " + id.Name
	}
	return "address " + auth.AddressOf(r)
}

// positionOf returns the log position of a run's latest event.
func (s *Server) positionOf(ctx context.Context, id domain.RunID) (domain.Position, error) {
	for e, err := range s.cfg.Log.ReadStreamBackward(ctx, domain.RunStream(id), domain.End) {
		return e.Position, err
	}
	return 0, nil
}

// ofRuns selects the events of runs.
var ofRuns = domain.Filter{Prefixes: []string{domain.RunPrefix}}

// lastPosition returns the log position of the latest event that the filter selects.
func (s *Server) lastPosition(ctx context.Context, filter domain.Filter) (domain.Position, error) {
	for e, err := range s.cfg.Log.ReadAllBackward(ctx, domain.EndPosition, filter) {
		return e.Position, err
	}
	return 0, nil
}

// labelsOf reads labels given as name=value.
func labelsOf(list []string) (map[string]string, error) {
	labels := make(map[string]string, len(list))
	for _, l := range list {
		if err := accept.Label(labels, l); err != nil {
			return nil, fmt.Errorf("%w: %w", errBadQuery, err)
		}
	}
	return labels, nil
}
