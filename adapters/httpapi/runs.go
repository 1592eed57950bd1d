package httpapi

import (
	"context"
	"net/http"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga"
)

// readRun is what operations that look at one run have in common.
func readRun(id, path, summary string) operation {
	return operation{id: id, method: http.MethodGet, path: path, tag: "runs", summary: summary,
		scopes: []auth.Scope{auth.Read}, errors: [][]int{notFound}}
}

type runOutput struct{ Body wire.Run }

func (s *Server) runOperations() {
	register(s, readRun("get-run", "/runs/{id}", "Look at a run as it stands now"),
		func(ctx context.Context, in *params.Run) (*runOutput, error) {
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			v, err := s.cfg.Coordinator.StateAt(ctx, in.ID, saga.Latest)
			if err != nil {
				return nil, err
			}
			out := &runOutput{Body: wire.Run{RunView: v}}
			if !v.State.Ended() {
				why, err := s.cfg.Coordinator.Why(ctx, in.ID)
				if err != nil {
					return nil, err
				}
				out.Body.Waiting = why.Text
			}
			return out, s.redact(ctx, &out.Body.RunView)
		})
}

// redact replaces what the run's saga marks as secret.
func (s *Server) redact(ctx context.Context, v *saga.RunView) error {
	fields, err := s.secrets(ctx, v.Plan)
	if err != nil {
		return err
	}
	*v = v.Hide(v.Cloak(fields))
	return nil
}

// secrets returns the secret fields of a plan.
func (s *Server) secrets(ctx context.Context, plan string) (secret.Fields, error) {
	p, err := s.cfg.Coordinator.Plan(ctx, plan)
	if err != nil {
		return nil, err
	}
	return p.Secrets(), nil
}
