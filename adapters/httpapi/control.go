package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// controlInput is a run and what is wanted of it.
type controlInput[B any] struct {
	ID   domain.RunID `path:"id" format:"uuid" doc:"The run's id."`
	Body B
}

// control adds an operation on one run that answers 204.
func control[B any](s *Server, name, summary string, conflicts bool, scopes []auth.Scope, act func(ctx context.Context, id domain.RunID, b B) error) {
	errs := [][]int{bodyErrors, notFound}
	if conflicts {
		errs = append(errs, conflict)
	}
	register(s, operation{id: name + "-run", method: http.MethodPost, path: "/runs/{id}/" + name, tag: "control", summary: summary, scopes: scopes, errors: errs},
		func(ctx context.Context, in *controlInput[B]) (*struct{}, error) {
			if err := s.ready(); err != nil {
				return nil, err
			}
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			return nil, act(ctx, in.ID, in.Body)
		})
}

func (s *Server) controlOperations() {
	c := s.cfg.Coordinator
	operate := []auth.Scope{auth.Operate}
	control(s, "cancel", "Turn a run back: undo what was done", true, operate, func(ctx context.Context, id domain.RunID, b wire.GivenReason) error {
		return c.Cancel(ctx, id, b.Reason)
	})
	control(s, "pause", "Start nothing new in a run", true, operate, func(ctx context.Context, id domain.RunID, b wire.GivenReason) error {
		return c.Pause(ctx, id, b.Reason)
	})
	control(s, "resume", "Let a paused run go on", true, operate, func(ctx context.Context, id domain.RunID, b wire.GivenReason) error {
		return c.Resume(ctx, id, b.Reason)
	})
	control(s, "retry", "Give stuck steps new attempts", true, operate, func(ctx context.Context, id domain.RunID, b wire.Retry) error {
		return c.Retry(ctx, id, b.Step, b.Reason)
	})
	control(s, "resolve", "Settle stuck steps by a person's word", true, operate, func(ctx context.Context, id domain.RunID, b wire.Resolve) error {
		if b.How == domain.ResolveSubstitute {
			return c.Substitute(ctx, id, b.Step, b.Output, b.Reason)
		}
		return c.Skip(ctx, id, b.Step, b.Reason)
	})
	control(s, "abandon", "Close a run with its effects left", true, operate, func(ctx context.Context, id domain.RunID, b wire.RequiredReason) error {
		return c.Abandon(ctx, id, b.Reason)
	})
	control(s, "signal", "Send a run a signal", true, []auth.Scope{auth.Start, auth.Operate}, func(ctx context.Context, id domain.RunID, b wire.Signal) error {
		var opts []saga.SignalOption
		if b.ID != "" {
			opts = append(opts, saga.SignalID(b.ID))
		}
		return c.Signal(ctx, id, b.Name, b.Payload, opts...)
	})

	type bulkInput struct{ Body wire.Bulk }
	type bulkOutput struct{ Body saga.BulkReport }
	register(s, operation{id: "bulk", method: http.MethodPost, path: "/bulk", tag: "control", summary: "Do one thing to many unfinished runs, or tell to which it would be done",
		scopes: operate, errors: [][]int{bodyErrors}, long: true},
		func(ctx context.Context, in *bulkInput) (*bulkOutput, error) {
			if err := s.ready(); err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(ctx, s.cfg.MaxWait)
			defer cancel()
			req, err := bulkRequest(ctx, &in.Body)
			if err != nil {
				return nil, err
			}
			report, err := c.Bulk(ctx, req)
			return &bulkOutput{report}, err
		})
}

// bulkRequest reads what is asked for; a token that is bound to some sagas only reaches their runs.
// The token's sagas do not count as a condition: a filter without conditions needs All.
func bulkRequest(ctx context.Context, b *wire.Bulk) (saga.BulkRequest, error) {
	f := b.Filter
	req := saga.BulkRequest{Act: b.Act, All: b.All, Reason: b.Reason, Output: b.Output, DryRun: b.DryRun, Limit: b.Limit,
		Filter: saga.BulkFilter{Runs: f.Runs, Sagas: f.Sagas, Version: f.Version, States: f.States, Labels: f.Labels, KeyPrefix: f.KeyPrefix,
			OlderThan: time.Duration(f.OlderThan), Action: f.Action}}
	if err := req.Validate(); err != nil {
		return req, err
	}
	var err error
	req.Filter.Sagas, err = boundTo(ctx, f.Sagas)
	return req, err
}
