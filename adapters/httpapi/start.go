package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/look"
)

// optionsOf turns the parameters of a start into options.
func optionsOf(ctx context.Context, in *params.Start) ([]saga.StartOption, error) {
	var opts []saga.StartOption
	if in.Key != "" {
		opts = append(opts, saga.Key(in.Key))
	}
	labels, err := labelsOf(in.Labels)
	if err != nil {
		return nil, err
	}
	if len(labels) > 0 {
		opts = append(opts, saga.Labels(labels))
	}
	if !in.Deadline.IsZero() {
		opts = append(opts, saga.RunDeadline(in.Deadline.Time))
	}
	if tp := traceParent(ctx, in.TraceParent); tp != "" {
		opts = append(opts, saga.TraceParent(tp))
	}
	return opts, nil
}

// traceParent returns the trace of a new run: the span of the server's middleware or, if there is
// none, the caller's header. It ignores a malformed header, as W3C requires.
func traceParent(ctx context.Context, header string) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return fmt.Sprintf("00-%s-%s-%s", sc.TraceID(), sc.SpanID(), sc.TraceFlags())
	}
	p := strings.Split(header, "-")
	if len(p) != 4 || len(p[0]) != 2 || len(p[1]) != 32 || len(p[2]) != 16 || len(p[3]) != 2 || p[0] == "ff" {
		return ""
	}
	if _, err := trace.TraceIDFromHex(p[1]); err != nil {
		return ""
	}
	if _, err := trace.SpanIDFromHex(p[2]); err != nil {
		return ""
	}
	return header
}

// resultOutput is a run's state. The status is 200 if the run has ended or is stuck, and 202 while
// it is under way.
type resultOutput struct {
	Status   int
	Location string `header:"Location" doc:"The address of the run."`
	params.Acted
	Body wire.Result
}

func (s *Server) startOperations() {
	type sagaInput struct {
		Name    string `path:"name" maxLength:"100" doc:"The saga's name."`
		Version int    `query:"version" minimum:"0" maximum:"1000000" doc:"The saga's version; the latest when absent."`
		params.Start
	}
	type againInput struct {
		params.Run
		Wait  params.Duration `query:"wait" doc:"How long to wait for the new run's end, such as 30s; the server's limit applies."`
		Below bool            `query:"below" doc:"End the wait, too, when a run below the new run is stuck; below in the result then names it."`
		Body  wire.StartAgain
	}
	type actionInput struct {
		Name string `path:"name" maxLength:"100" doc:"The action's name."`
		params.Start
	}
	starts := [][]int{bodyErrors, notFound, conflict}
	register(s, operation{id: "start-run", method: http.MethodPost, path: "/sagas/{name}/runs", tag: "runs", summary: "Start a run of a saga",
		scopes: []auth.Scope{auth.Start}, errors: starts, status: http.StatusAccepted, adjust: alsoOK("start-run"), long: true},
		func(ctx context.Context, in *sagaInput) (*resultOutput, error) {
			return s.start(ctx, in.Name, &in.Start, func(ctx context.Context, opts []saga.StartOption) (domain.RunID, error) {
				return s.cfg.Coordinator.StartByName(ctx, in.Name, in.Version, in.Body, opts...)
			})
		})
	register(s, operation{id: "invoke-action", method: http.MethodPost, path: "/actions/{name}/invoke", tag: "runs", summary: "Run a single action as a run of its own",
		scopes: []auth.Scope{auth.Start}, errors: starts, status: http.StatusAccepted, adjust: alsoOK("invoke-action"), long: true},
		func(ctx context.Context, in *actionInput) (*resultOutput, error) {
			return s.start(ctx, in.Name, &in.Start, func(ctx context.Context, opts []saga.StartOption) (domain.RunID, error) {
				return s.cfg.Coordinator.InvokeByName(ctx, in.Name, in.Body, opts...)
			})
		})
	register(s, operation{id: "start-again", method: http.MethodPost, path: "/runs/{id}/start-again", tag: "runs", summary: "Start an ended run again, as a new run",
		scopes: []auth.Scope{auth.Start}, errors: starts, status: http.StatusAccepted, adjust: alsoOK("start-again"), long: true},
		func(ctx context.Context, in *againInput) (*resultOutput, error) {
			if err := s.ready(); err != nil {
				return nil, err
			}
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			bounded, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
			defer cancel()
			b := &in.Body
			id, err := s.cfg.Coordinator.StartAgain(bounded, in.ID, saga.Again{Input: b.Input, Key: b.Key, Version: b.Version, Labels: b.Labels})
			if err != nil {
				return nil, err
			}
			return s.await(ctx, id, s.wait(in.Wait), in.Below)
		})
	type resultInput struct {
		params.Run
		Wait  params.Duration `query:"wait" doc:"How long to wait for the run's end, such as 30s; the server's limit applies."`
		Below bool            `query:"below" doc:"End the wait, too, when a child run, or one further below, is stuck; below in the result then names it."`
	}
	register(s, operation{id: "get-result", method: http.MethodGet, path: "/runs/{id}/result", tag: "runs", summary: "Wait for a run's end and get its output",
		scopes: []auth.Scope{auth.Start}, errors: [][]int{notFound}, status: http.StatusAccepted, adjust: alsoOK("get-result"), long: true},
		func(ctx context.Context, in *resultInput) (*resultOutput, error) {
			if err := s.ready(); err != nil {
				return nil, err
			}
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			return s.await(ctx, in.ID, s.wait(in.Wait), in.Below)
		})
}

// start starts a run with begin, and waits for its end for as long as the caller asks.
func (s *Server) start(ctx context.Context, name string, in *params.Start, begin func(context.Context, []saga.StartOption) (domain.RunID, error)) (*resultOutput, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	if err := allow(ctx, name); err != nil {
		return nil, err
	}
	opts, err := optionsOf(ctx, in)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	id, err := begin(bounded, opts)
	if err != nil {
		return nil, err
	}
	return s.await(ctx, id, s.wait(in.Wait), in.Below)
}

// await waits at most the duration for a run to end, and returns the run's state.
func (s *Server) await(ctx context.Context, id domain.RunID, wait time.Duration, below bool) (*resultOutput, error) {
	out := &resultOutput{Status: http.StatusOK, Location: "/runs/" + id.String()}
	if wait > 0 {
		waiting, cancel := s.untilDrain(ctx)
		defer cancel()
		waiting, stop := context.WithTimeout(waiting, wait)
		defer stop()
		var how []look.WaitOption
		if below {
			how = append(how, saga.OrStuckBelow())
		}
		output, err := s.cfg.Coordinator.Wait(waiting, id, how...)
		if r, over := resultOf(id, output, err); over {
			if r.Below != nil && s.allowRun(ctx, *r.Below) != nil {
				r.Step, r.Incident, r.Cause = "", "", nil // the token does not cover its saga
			}
			out.Body = r
			return out, s.tellPosition(ctx, id, out)
		}
		if waiting.Err() == nil {
			return nil, err
		}
	}
	v, err := s.cfg.Coordinator.Describe(ctx, id)
	if err != nil {
		return nil, err
	}
	out.Body = wire.Result{Run: id, State: v.State, Output: v.Output, Cause: v.Cause, Left: v.Left}
	for _, st := range v.Steps {
		if v.State == domain.RunIsStuck && st.Incident != "" {
			out.Body.Step, out.Body.Incident, out.Body.Cause = st.Path, st.Incident, st.Cause
			break
		}
	}
	if !v.State.Ended() && v.State != domain.RunIsStuck {
		out.Status = http.StatusAccepted
	}
	return out, s.tellPosition(ctx, id, out)
}

// tellPosition adds the log position to a result.
func (s *Server) tellPosition(ctx context.Context, id domain.RunID, out *resultOutput) error {
	at, err := s.positionOf(ctx, id)
	out.Position, out.Body.Position = uint64(at), at
	return err
}

// resultOf turns the results of Wait into a body. over is false if the run is under way or unknown.
func resultOf(id domain.RunID, output json.RawMessage, err error) (r wire.Result, over bool) {
	e, over := domain.EndingOf(err)
	r = wire.Result{Run: id, State: e.State, Cause: e.Cause, Left: e.Left, Step: e.Step, Incident: e.Incident}
	if err == nil {
		r.Output = output
	}
	if e.State == domain.RunIsStuck && e.Run != id {
		r.State, r.Below = domain.RunRunning, &e.Run
	}
	return r, over
}
