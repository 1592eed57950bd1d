package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
)

func (s *Server) fresh(in params.Fresh) projections.Fresh {
	return projections.Fresh{AtLeast: domain.Position(in.AtLeast), Wait: s.wait(in.Within)}
}

// list is what operations that list rows have in common.
func list(id, path, tag, summary string) operation {
	return operation{id: id, method: http.MethodGet, path: path, tag: tag, summary: summary,
		scopes: []auth.Scope{auth.Read}, long: true}
}

func (s *Server) listOperations() {
	type runsInput struct {
		States   []domain.RunState `query:"state,explode" maxItems:"7" enum:"running,compensating,stuck,completed,compensated,cancelled,abandoned" doc:"In one of these states."`
		Sagas    []string          `query:"saga,explode" maxItems:"100" doc:"Of one of these sagas."`
		Versions []int             `query:"version,explode" maxItems:"100" doc:"Of one of these versions."`
		Labels   []string          `query:"label,explode" maxItems:"50" doc:"With all of these labels, each as name=value."`
		Action   string            `query:"action" maxLength:"100" doc:"That tried the action."`
		Key      string            `query:"key" maxLength:"500" doc:"With that caller's key."`
		Parent   uuid.UUID         `query:"parent" format:"uuid" doc:"The children of that run."`
		Sort     runs.Sort         `query:"sort" enum:"started,ended,wake" default:"started" doc:"By what the runs are sorted; ended and wake leave out those that have none."`
		params.Page
	}
	type runsOutput struct{ Body wire.Page[wire.RunItem] }
	register(s, list("list-runs", "/runs", "runs", "Runs by filter, newest first"), func(ctx context.Context, in *runsInput) (*runsOutput, error) {
		sagas, err := boundTo(ctx, in.Sagas)
		if err != nil {
			return nil, err
		}
		labels, err := labelsOf(in.Labels)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(in.Versions, func(v int) bool { return v < 1 }); i >= 0 {
			return nil, fmt.Errorf("%w: version %d does not exist: versions begin at 1", errBadQuery, in.Versions[i])
		}
		page, err := s.cfg.Views.Runs(ctx, runs.Filter{States: in.States, Sagas: sagas, Versions: in.Versions, Labels: labels,
			From: in.From.Time, To: in.To.Time, Action: in.Action, Text: in.Text, Key: in.Key, Parent: in.Parent, Sort: in.Sort,
			Ascending: in.Ascending, Limit: in.Limit, Cursor: in.Cursor, Fresh: s.fresh(in.Fresh)})
		if err != nil {
			return nil, err
		}
		now := s.cfg.Now()
		return &runsOutput{wire.RowsOf(page, func(r *runs.Row) wire.RunItem { return wire.RunItemOf(r, now) })}, nil
	})
	s.auditOperation()
	s.incidentOperation()
	s.statsOperation()
}

func (s *Server) auditOperation() {
	type auditInput struct {
		Run     uuid.UUID `query:"run" format:"uuid" doc:"Of that run."`
		Sagas   []string  `query:"saga,explode" maxItems:"100" doc:"Of one of these sagas."`
		Whats   []string  `query:"what,explode" maxItems:"50" doc:"One of these acts or outcomes, such as run.started."`
		Actions []string  `query:"action,explode" maxItems:"100" doc:"About one of these actions."`
		Actors  []string  `query:"actor,explode" maxItems:"100" doc:"By one of these actors."`
		Step    string    `query:"step" maxLength:"1000" doc:"About that step."`
		Failed  bool      `query:"failed" doc:"Only what has an error."`
		params.Page
	}
	type auditOutput struct {
		Body wire.Page[wire.AuditRow]
	}
	register(s, list("list-audit", "/audit", "audit", "Acts and outcomes across runs, newest first"), func(ctx context.Context, in *auditInput) (*auditOutput, error) {
		sagas, err := boundTo(ctx, in.Sagas)
		if err != nil {
			return nil, err
		}
		page, err := s.cfg.Views.Audit(ctx, audit.Filter{Run: in.Run, Sagas: sagas, Whats: in.Whats, Actions: in.Actions, Actors: in.Actors,
			Step: in.Step, From: in.From.Time, To: in.To.Time, Text: in.Text, HasError: in.Failed, Ascending: in.Ascending, Limit: in.Limit, Cursor: in.Cursor, Fresh: s.fresh(in.Fresh)})
		if err != nil {
			return nil, err
		}
		return &auditOutput{wire.RowsOf(page, wire.AuditRowOf)}, nil
	})
}

func (s *Server) incidentOperation() {
	type incidentsInput struct {
		State   string    `query:"state" enum:"open,resolved,all" default:"open" doc:"Which incidents."`
		Run     uuid.UUID `query:"run" format:"uuid" doc:"Of that run."`
		Sagas   []string  `query:"saga,explode" maxItems:"100" doc:"Of one of these sagas."`
		Actions []string  `query:"action,explode" maxItems:"100" doc:"About one of these actions."`
		params.Page
	}
	type incidentsOutput struct{ Body wire.Page[wire.Incident] }
	register(s, list("list-incidents", "/incidents", "incidents", "Incidents, newest first"), func(ctx context.Context, in *incidentsInput) (*incidentsOutput, error) {
		sagas, err := boundTo(ctx, in.Sagas)
		if err != nil {
			return nil, err
		}
		page, err := s.cfg.Views.Incidents(ctx, incidents.Filter{Open: in.State == "open", Resolved: in.State == "resolved", Run: in.Run, Sagas: sagas, Actions: in.Actions,
			From: in.From.Time, To: in.To.Time, Text: in.Text, Ascending: in.Ascending, Limit: in.Limit, Cursor: in.Cursor, Fresh: s.fresh(in.Fresh)})
		if err != nil {
			return nil, err
		}
		now := s.cfg.Now()
		return &incidentsOutput{wire.RowsOf(page, func(i *incidents.Row) wire.Incident { return wire.IncidentOf(i, now) })}, nil
	})
}

func (s *Server) statsOperation() {
	type statsInput struct {
		Saga   string          `query:"saga" maxLength:"100" doc:"Of that saga."`
		Action string          `query:"action" maxLength:"100" doc:"Of that action."`
		Last   params.Duration `query:"last" doc:"Only what happened in that time, such as 1h or 24h; all time when absent."`
		Points bool            `query:"points" doc:"Also bucket by bucket: by the minute within the last 2 hours, else by the hour."`
		params.Fresh
	}
	type statsOutput struct{ Body wire.Stats }
	register(s, list("get-stats", "/stats", "stats", "Counts, failure and retry rates and latencies for each saga and action"), func(ctx context.Context, in *statsInput) (*statsOutput, error) {
		f := stats.Filter{Saga: in.Saga, Action: in.Action, Fresh: s.fresh(in.Fresh)}
		switch last := in.Last.Duration; {
		case last < 0:
			return nil, fmt.Errorf("%w: last is negative", errBadQuery)
		case last > 0:
			f.Since = s.cfg.Now().Add(-last)
		}
		if in.Saga != "" {
			if err := allow(ctx, in.Saga); err != nil {
				return nil, err
			}
		}
		stats, err := s.cfg.Views.Stats(ctx, f)
		if err != nil {
			return nil, err
		}
		out := &statsOutput{wire.Stats{Stats: []wire.Stat{}}}
		for i := range stats {
			if caller(ctx).Covers(stats[i].Saga) {
				out.Body.Stats = append(out.Body.Stats, wire.StatOf(&stats[i]))
			}
		}
		if !in.Points {
			return out, nil
		}
		points, err := s.cfg.Views.StatsOver(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range points {
			if p := &points[i]; caller(ctx).Covers(p.Saga) {
				out.Body.Points = append(out.Body.Points, wire.StatPoint{Stat: wire.StatOf(&p.Row), From: p.From, Width: domain.Duration(p.Width)})
			}
		}
		return out, nil
	})
}
