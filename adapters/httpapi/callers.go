package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga"
)

// caller returns who makes the request.
func caller(ctx context.Context) auth.Identity {
	id, _ := auth.IdentityOf(ctx)
	return id
}

// allow checks that the caller's token is good for the saga.
func allow(ctx context.Context, name string) error {
	if id := caller(ctx); !id.Covers(name) {
		return problem(http.StatusForbidden, wire.ProblemForbidden, "token "+id.Name+" does not cover "+name+": ask for one that does")
	}
	return nil
}

// allowRun checks that the caller's token is good for the run's saga.
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

// allowAll checks that the caller's token is not bound to some sagas.
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

// wait bounds how long a caller may wait.
func (s *Server) wait(d params.Duration) time.Duration {
	return min(max(d.Duration, 0), s.cfg.MaxWait)
}

// boundTo narrows a filter on sagas to those that the caller's token is good for.
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
