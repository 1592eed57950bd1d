package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/projections/stats"
	"github.com/atonehq/atone/saga/look"
)

func (s *Server) fresh(in params.Fresh) projections.Fresh {
	return projections.Fresh{AtLeast: domain.Position(in.AtLeast), Wait: s.wait(in.Within)}
}

// latest asks a view as [params.Latest] does.
func latest[P any](ctx context.Context, s *Server, in *params.Fresh, fresh *projections.Fresh, ask func() (P, error)) (P, error) {
	return params.Latest(in, fresh, func() (domain.Position, error) { return s.lastPosition(ctx, ofRuns) }, ask)
}

// list returns the common parts of an operation that lists rows.
func list(id, path, tag, summary string) operation {
	return operation{id: id, method: http.MethodGet, path: path, tag: tag, summary: summary,
		scopes: []auth.Scope{auth.Read}, long: true}
}

func (s *Server) listOperations() {
	type runsInput struct {
		Q        string    `query:"q" maxLength:"2000" doc:"A search, such as: state:stuck saga:check* label:tenant=acme age:>2h text:\"card gone\". A condition is given in it or as a parameter of its own, not both."`
		Sagas    []string  `query:"saga,explode" maxItems:"100" doc:"Of one of these sagas."`
		Versions []int     `query:"version,explode" maxItems:"100" doc:"Of one of these versions."`
		Labels   []string  `query:"label,explode" maxItems:"50" doc:"With all of these labels, each as name=value."`
		Actions  []string  `query:"action,explode" maxItems:"100" doc:"That tried one of these actions."`
		Key      string    `query:"key" maxLength:"500" doc:"With that caller's key."`
		Parent   string    `query:"parent" maxLength:"700" doc:"The children of that run: its id, the last 6 or more digits of it, or SAGA:KEY."`
		Sort     runs.Sort `query:"sort" enum:"started,ended,wake" default:"started" doc:"The time to sort by; ended and wake leave out runs without such a time."`
		params.Runs
		params.Page
	}
	o := list("list-runs", "/runs", "runs", "Runs by filter, newest first; with ?follow as a live stream")
	o.adjust = followed[wire.RunItem](s)
	register(s, o, func(ctx context.Context, in *runsInput) (*bodyOutput, error) {
		f, err := searched(ctx, s, search.Runs, in.Q)
		if err != nil {
			return nil, err
		}
		if f.Labels, err = labelsOf(in.Labels); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(in.Versions, func(v int) bool { return v < 1 }); i >= 0 {
			return nil, fmt.Errorf("%w: version %d does not exist: versions begin at 1", errBadQuery, in.Versions[i])
		}
		var errs []error
		either(&errs, "state", &f.States, in.States)
		either(&errs, "version", &f.Versions, in.Versions)
		eitherOne(&errs, "key", &f.Key, in.Key)
		own := conditions{"parent", &f.Parent, &f.Sagas, &f.Actions, &f.Text, &f.From, &f.To}
		if err := s.narrow(ctx, errs, own, in.Parent, in.Sagas, in.Actions, &in.Page); err != nil {
			return nil, err
		}
		f.Sort, f.Ascending, f.Limit, f.Cursor, f.Fresh = in.Sort, in.Ascending, in.Limit, in.Cursor, s.fresh(in.Fresh)
		if in.Follow.Wants() {
			return s.followRuns(ctx, &in.Follow, f)
		}
		page, err := latest(ctx, s, &in.Fresh, &f.Fresh, func() (runs.Page, error) { return s.cfg.Views.Runs(ctx, f) })
		if err == nil {
			err = s.labelled(ctx, len(page.Rows), f.Labels)
		}
		if err != nil {
			return nil, err
		}
		item, err := s.runItems(ctx, page.Rows)
		if err != nil {
			return nil, err
		}
		return &bodyOutput{jsonBody(wire.RowsOf(page, item))}, nil
	})
	s.suggestOperation()
	s.auditOperation()
	s.statsOperation()
}

// runItems makes the bodies of the rows. An unfinished run says which held action it waits for, and
// which run below is stuck.
func (s *Server) runItems(ctx context.Context, rows []runs.Row) (func(*runs.Row) wire.RunItem, error) {
	if err := runs.LookBelow(ctx, rows, caller(ctx).Sagas, s.cfg.Views.Runs); err != nil {
		return nil, err
	}
	now, holds := s.cfg.Now(), s.cfg.Coordinator.Holds()
	return func(r *runs.Row) wire.RunItem {
		item := wire.RunItemOf(r, now)
		if r.Ended.IsZero() {
			why, held := look.HeldAt(ctx, s.cfg.Coordinator, r.ID, r.Plan, holds, now)
			if item.Held = held; held != nil {
				item.Waiting = why.Text
			}
		}
		return item
	}, nil
}

func (s *Server) auditOperation() {
	type auditInput struct {
		Q       string   `query:"q" maxLength:"2000" doc:"A search, such as: actor:kim what:run.paused since:2h. A condition is given in it or as a parameter of its own, not both."`
		Run     string   `query:"run" maxLength:"700" doc:"Of that run: its id, the last 6 or more digits of it, or SAGA:KEY."`
		Sagas   []string `query:"saga,explode" maxItems:"100" doc:"Of one of these sagas."`
		Whats   []string `query:"what,explode" maxItems:"50" doc:"One of these acts or outcomes, such as run.started."`
		Actions []string `query:"action,explode" maxItems:"100" doc:"About one of these actions."`
		Actors  []string `query:"actor,explode" maxItems:"100" doc:"By one of these actors."`
		Step    string   `query:"step" maxLength:"1000" doc:"About that step."`
		Failed  bool     `query:"failed" doc:"Only what has an error."`
		params.Page
		params.Follow
	}
	o := list("list-audit", "/audit", "audit", "Acts and outcomes across runs, newest first; with ?follow as a live stream of new ones")
	o.adjust = followed[wire.AuditRow](s)
	register(s, o, func(ctx context.Context, in *auditInput) (*bodyOutput, error) {
		f, err := searched(ctx, s, search.Audit, in.Q)
		if err != nil {
			return nil, err
		}
		var errs []error
		if err := search.CheckWhats(in.Whats...); err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", errBadQuery, err))
		}
		either(&errs, "what", &f.Whats, in.Whats)
		either(&errs, "actor", &f.Actors, in.Actors)
		eitherOne(&errs, "step", &f.Step, in.Step)
		own := conditions{"run", &f.Run, &f.Sagas, &f.Actions, &f.Text, &f.From, &f.To}
		if err := s.narrow(ctx, errs, own, in.Run, in.Sagas, in.Actions, &in.Page); err != nil {
			return nil, err
		}
		f.HasError, f.Ascending, f.Limit, f.Cursor, f.Fresh = in.Failed, in.Ascending, in.Limit, in.Cursor, s.fresh(in.Fresh)
		if in.Follow.Wants() {
			return s.followAudit(ctx, &in.Follow, f)
		}
		page, err := latest(ctx, s, &in.Fresh, &f.Fresh, func() (audit.Page, error) { return s.cfg.Views.Audit(ctx, f) })
		if err != nil {
			return nil, err
		}
		return &bodyOutput{jsonBody(wire.RowsOf(page, wire.AuditRowOf))}, nil
	})
}

func (s *Server) statsOperation() {
	type statsInput struct {
		Saga   string          `query:"saga" maxLength:"100" doc:"Of that saga."`
		Action string          `query:"action" maxLength:"100" doc:"Of that action."`
		Last   params.Duration `query:"last" doc:"Only this much time up to now, such as 1h or 24h; all time when absent."`
		Points bool            `query:"points" doc:"Also the statistics of each bucket of time: of each minute within the last 2 hours, else of each hour."`
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
		if err := s.exist(ctx, given(in.Saga), given(in.Action)); err != nil {
			return nil, err
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

// suggestOperation completes searches, for pages and shells.
func (s *Server) suggestOperation() {
	type suggestInput struct {
		In search.List `query:"in" enum:"runs,audit,incidents" default:"runs" doc:"Which list is searched."`
		Q  string      `query:"q" maxLength:"2000" doc:"The text up to the cursor."`
	}
	type suggestOutput struct{ Body []wire.Suggestion }
	register(s, list("suggest", "/search/suggestions", "runs", "What can be typed next in a search"), func(ctx context.Context, in *suggestInput) (*suggestOutput, error) {
		out := &suggestOutput{Body: []wire.Suggestion{}}
		for _, g := range search.Complete(in.Q, in.In, s.names(ctx)) {
			out.Body = append(out.Body, wire.Suggestion(g))
		}
		return out, nil
	})
}

// names returns the names that a search by the caller may contain.
func (s *Server) names(ctx context.Context) search.Names {
	var sagas, actions []string
	for _, d := range s.cfg.Coordinator.Sagas() {
		sagas = append(sagas, d.Name)
	}
	for _, a := range s.cfg.Coordinator.Actions() {
		actions = append(actions, a.Name)
	}
	ask := func(of runs.Of, prefix string) ([]string, error) { return s.cfg.Views.RunNames(ctx, of, prefix) }
	return search.Known(ask, sagas, actions, caller(ctx).Sagas)
}

// searched reads the parameter q of a list.
func searched[F any](ctx context.Context, s *Server, read func(text string, now time.Time, names search.Names) (F, error), q string) (F, error) {
	f, err := read(q, s.cfg.Now(), s.names(ctx))
	if err != nil {
		return f, fmt.Errorf("%w: %w", errBadQuery, err)
	}
	return f, nil
}

// exist refuses sagas and actions that do not exist, wherever they are given, in the words of a
// search.
func (s *Server) exist(ctx context.Context, sagas, actions []string) error {
	names := s.names(ctx)
	if err := errors.Join(names.CheckSagas(sagas...), names.CheckActions(actions...)); err != nil {
		return fmt.Errorf("%w: %w", errBadQuery, err)
	}
	return nil
}

// labelled refuses labels that no run has, where a search with them has found nothing.
func (s *Server) labelled(ctx context.Context, found int, labels map[string]string) error {
	if found > 0 || len(labels) == 0 {
		return nil
	}
	if err := s.names(ctx).CheckLabels(slices.Sorted(maps.Keys(labels))...); err != nil {
		return fmt.Errorf("%w: %w", errBadQuery, err)
	}
	return nil
}

// given is the list of a name, empty for none.
func given(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// either takes a condition from q or from its own parameter. It refuses both at once, because how
// they combine would not be obvious.
func either[T any](errs *[]error, name string, q *[]T, given []T) {
	switch {
	case len(given) == 0:
	case len(*q) > 0:
		*errs = append(*errs, fmt.Errorf("%w: %s is given twice: give it in q or as the parameter, not in both", errBadQuery, name))
	default:
		*q = given
	}
}

// eitherOne is either for a condition with one value.
func eitherOne[T comparable](errs *[]error, name string, q *T, given T) {
	var none T
	var list, one []T
	if *q != none {
		list = []T{*q}
	}
	if given != none {
		one = []T{given}
	}
	if either(errs, name, &list, one); len(list) > 0 {
		*q = list[0]
	}
}

// conditions are those that the filters of all searched lists have. The run has the name of its
// parameter.
type conditions struct {
	run            string
	id             *domain.RunID
	sagas, actions *[]string
	text           *string
	from, to       *time.Time
}

// narrow takes a list's conditions from q, which own has, or from parameters of their own, and
// leaves only sagas that the caller may see. The error says everything that is given twice; errs
// are those of the list's further conditions.
func (s *Server) narrow(ctx context.Context, errs []error, own conditions, run string, sagas, actions []string, p *params.Page) error {
	id, err := s.named(ctx, run)
	errs = append(errs, err)
	eitherOne(&errs, own.run, own.id, id)
	either(&errs, "saga", own.sagas, sagas)
	either(&errs, "action", own.actions, actions)
	eitherOne(&errs, "text", own.text, p.Text)
	eitherOne(&errs, "since", own.from, p.From.Time)
	eitherOne(&errs, "until", own.to, p.To.Time)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if *own.sagas, err = boundTo(ctx, *own.sagas); err != nil {
		return err
	}
	return s.exist(ctx, sagas, actions)
}
