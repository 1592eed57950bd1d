package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/held"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// controlInput has the run's id and the body of a lever.
type controlInput[B any] struct {
	ID   domain.RunID `path:"id" format:"uuid" doc:"The run's id."`
	Body B
}

// actOutput is the answer to an act without a body.
type actOutput struct{ params.Steered }

// control adds an operation on one run that answers 204.
func control[B any](s *Server, name, summary string, conflicts bool, scopes []auth.Scope, act func(ctx context.Context, id domain.RunID, b B) error) {
	errs := [][]int{bodyErrors, notFound}
	if conflicts {
		errs = append(errs, conflict)
	}
	register(s, operation{id: name + "-run", method: http.MethodPost, path: "/runs/{id}/" + name, tag: "control", summary: summary, scopes: scopes, errors: errs},
		func(ctx context.Context, in *controlInput[B]) (*actOutput, error) {
			if err := s.ready(); err != nil {
				return nil, err
			}
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			out := new(actOutput)
			if err := act(saga.OnUnchanged(ctx, out.Tell), in.ID, in.Body); err != nil {
				return nil, err
			}
			at, err := s.positionOf(ctx, in.ID)
			out.Position = uint64(at)
			return out, err
		})
}

func (s *Server) controlOperations() {
	c := s.cfg.Coordinator
	operate := []auth.Scope{auth.Operate}
	control(s, "cancel", "Turn a run back: undo what it did", true, operate, func(ctx context.Context, id domain.RunID, b wire.GivenReason) error {
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
	control(s, "resolve", "Settle stuck steps by hand", true, operate, func(ctx context.Context, id domain.RunID, b wire.Resolve) error {
		if b.How == domain.ResolveSubstitute {
			return c.Substitute(ctx, id, b.Step, b.Output, b.Reason)
		}
		return c.Skip(ctx, id, b.Step, b.Reason)
	})
	control(s, "abandon", "Close a run and leave its effects as they are", true, operate, func(ctx context.Context, id domain.RunID, b wire.RequiredReason) error {
		return c.Abandon(ctx, id, b.Reason)
	})
	control(s, "signal", "Send a run a signal", true, []auth.Scope{auth.Start, auth.Operate}, func(ctx context.Context, id domain.RunID, b wire.Signal) error {
		var opts []saga.SignalOption
		if b.ID != "" {
			opts = append(opts, saga.SignalID(b.ID))
		}
		if b.Keep {
			opts = append(opts, saga.Keep())
		}
		return c.Signal(ctx, id, b.Name, b.Payload, opts...)
	})

	s.holdOperations()
	type bulkInput struct{ Body wire.Bulk }
	type bulkOutput struct {
		params.Acted
		Body saga.BulkReport
	}
	register(s, operation{id: "bulk", method: http.MethodPost, path: "/bulk", tag: "control", summary: "Apply one act to many unfinished runs, or list the runs that it would apply to",
		scopes: operate, errors: [][]int{bodyErrors}, long: true},
		func(ctx context.Context, in *bulkInput) (*bulkOutput, error) {
			if err := s.ready(); err != nil {
				return nil, err
			}
			bounded, cancel := context.WithTimeout(ctx, s.cfg.MaxWait)
			defer cancel()
			req, none, err := s.bulkRequest(bounded, &in.Body)
			if err != nil {
				return nil, err
			}
			report := saga.BulkReport{DryRun: req.DryRun, Results: []saga.BulkResult{}}
			if !none {
				// What was done until the time was over is told: the caller goes on after it.
				report, err = c.Bulk(bounded, req)
				if err != nil && (ctx.Err() != nil || bounded.Err() == nil || len(report.Results) == 0) {
					return nil, err
				}
			}
			if err := s.labelled(ctx, report.Matched, in.Body.Filter.Labels); err != nil {
				return nil, err
			}
			at, err := s.lastPosition(ctx, ofRuns)
			return &bulkOutput{Acted: params.Acted{Position: uint64(at)}, Body: report}, err
		})
}

// holdOperations hold and release actions. A hold affects every saga that uses the action.
func (s *Server) holdOperations() {
	c := s.cfg.Coordinator
	type holdInput struct {
		Name string `path:"name" maxLength:"100" doc:"The action's name."`
		Body wire.HoldAction
	}
	type releaseInput struct {
		Name string `path:"name" maxLength:"100" doc:"The action's name."`
		Body wire.RequiredReason
	}
	type holdOutput struct{ Body wire.HeldAction }
	type holdsOutput struct{ Body []wire.HeldAction }
	act := func(ctx context.Context, do func(context.Context) (explain.Hold, error)) (*holdOutput, error) {
		if err := s.ready(); err != nil {
			return nil, err
		}
		if err := allowAll(ctx, "holding an action"); err != nil {
			return nil, err
		}
		h, err := do(ctx)
		return &holdOutput{s.holdOf(h)}, err
	}
	operate := []auth.Scope{auth.Operate}
	register(s, operation{id: "hold-action", method: http.MethodPost, path: "/actions/{name}/hold", tag: "control", summary: "Start no attempt of an action until it is released",
		scopes: operate, errors: [][]int{bodyErrors, notFound, conflict}}, func(ctx context.Context, in *holdInput) (*holdOutput, error) {
		return act(ctx, func(ctx context.Context) (explain.Hold, error) {
			return c.Hold(ctx, saga.HoldRequest{Action: in.Name, Undos: in.Body.Undos, Anyway: in.Body.Anyway, Reason: in.Body.Reason})
		})
	})
	register(s, operation{id: "release-action", method: http.MethodPost, path: "/actions/{name}/release", tag: "control", summary: "Let a held action start again",
		scopes: operate, errors: [][]int{bodyErrors, conflict}}, func(ctx context.Context, in *releaseInput) (*holdOutput, error) {
		return act(ctx, func(ctx context.Context) (explain.Hold, error) { return c.Release(ctx, in.Name, in.Body.Reason) })
	})
	register(s, operation{id: "list-holds", method: http.MethodGet, path: "/holds", tag: "definitions", summary: "The held actions", scopes: []auth.Scope{auth.Read}},
		func(ctx context.Context, _ *struct{}) (*holdsOutput, error) {
			if err := s.ready(); err != nil {
				return nil, err
			}
			out := &holdsOutput{Body: []wire.HeldAction{}}
			id := caller(ctx)
			waiting, err := held.Waiting(ctx, c, s.cfg.InProcess, s.cfg.Now(), s.cfg.Views.Runs)
			for _, h := range c.Holds() {
				if !id.Bound() || id.Covers(h.Action) || slices.ContainsFunc(s.actionsOf(id), func(a saga.ActionInfo) bool { return a.Name == h.Action }) {
					out.Body = append(out.Body, wire.HeldAction{Hold: h, Waiting: waiting[h.Action]})
				}
			}
			return out, err
		})
}

func (s *Server) holdOf(h explain.Hold) wire.HeldAction {
	return wire.HeldAction{Hold: h, Waiting: s.cfg.Coordinator.QueueDepths()[h.Action].Held}
}

// bulkRequest reads the request. none means that its search finds no run. A token that is limited
// to some sagas reaches only their runs, but that limit is not a condition: a filter without
// conditions still needs All.
func (s *Server) bulkRequest(ctx context.Context, b *wire.Bulk) (req saga.BulkRequest, none bool, err error) {
	f := b.Filter
	req = saga.BulkRequest{Act: b.Act, All: b.All, Reason: b.Reason, Output: b.Output, DryRun: b.DryRun, Limit: b.Limit, Rate: b.Rate, StopAfter: b.StopAfter,
		Filter: saga.BulkFilter{Sagas: f.Sagas, Version: f.Version, States: f.States, Labels: f.Labels, KeyPrefix: f.KeyPrefix,
			OlderThan: time.Duration(f.OlderThan), Action: f.Action}}
	for _, name := range f.Runs {
		id, err := s.named(ctx, name)
		if err != nil {
			return req, false, err
		}
		req.Filter.Runs = append(req.Filter.Runs, id)
	}
	searches := strings.TrimSpace(f.Q) != ""
	if b.After != "" {
		if req.After, err = s.named(ctx, b.After); err != nil {
			return req, false, err
		}
	}
	checked := req
	checked.All = checked.All || searches
	if err := checked.Validate(); err != nil {
		return req, false, err
	}
	sagas, err := boundTo(ctx, f.Sagas)
	if err != nil {
		return req, false, err
	}
	if err := s.exist(ctx, f.Sagas, given(f.Action)); err != nil {
		return req, false, err
	}
	if searches {
		if none, err = s.bulkSearch(ctx, f.Q, &req); none || err != nil {
			return req, none, err
		}
	}
	if req.Filter.Sagas = sagas; caller(ctx).Bound() {
		req.Within = caller(ctx).Sagas
	}
	return req, false, nil
}

// mostFound bounds the runs that a search selects for a bulk operation.
const mostFound = 100_000

// bulkSearch narrows a bulk request to the runs that its search finds. none means that the search
// finds no run.
func (s *Server) bulkSearch(ctx context.Context, q string, req *saga.BulkRequest) (none bool, err error) {
	f, err := searched(ctx, s, search.Runs, q)
	if err != nil {
		return false, err
	}
	if req.Filter.Action, err = search.StepsOf(&f, req.Act, req.Filter.Action); err != nil {
		return false, fmt.Errorf("%w: %w", errBadQuery, err)
	}
	if len(f.States) == 0 {
		f.States = runs.Unfinished
	}
	if f.Sagas, err = boundTo(ctx, f.Sagas); err != nil {
		return false, err
	}
	// The search must see runs as they are now, even if they changed a moment ago.
	if f.AtLeast, err = s.lastPosition(ctx, ofRuns); err != nil {
		return false, err
	}
	f.Wait = s.cfg.MaxWait
	found, err := s.findAll(ctx, f)
	if err != nil {
		return false, err
	}
	if len(req.Filter.Runs) > 0 {
		found = slices.DeleteFunc(found, func(id domain.RunID) bool { return !slices.Contains(req.Filter.Runs, id) })
	}
	req.Filter.Runs = found
	return len(found) == 0, nil
}

// findAll returns the runs that a filter selects, oldest first.
func (s *Server) findAll(ctx context.Context, f runs.Filter) (found []domain.RunID, err error) {
	f.Ascending, f.Limit = true, 1000
	for {
		page, err := s.cfg.Views.Runs(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page.Rows {
			found = append(found, page.Rows[i].ID)
		}
		if page.Next == "" {
			return found, nil
		}
		if len(found) >= mostFound {
			return nil, fmt.Errorf("%w: the search selects more than %d runs: narrow it", errBadQuery, mostFound)
		}
		f.Cursor = page.Next
	}
}
