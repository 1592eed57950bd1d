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
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga/desk"
)

// incidentOperations adds incidents, their groups, and what people do about them.
func (s *Server) incidentOperations() {
	s.incidentList()
	s.incidentGroups()
	type incidentInput struct {
		ID uuid.UUID `path:"id" format:"uuid" doc:"The incident's id."`
		params.Fresh
	}
	type incidentOutput struct{ Body wire.IncidentDetails }
	one := list("get-incident", "/incidents/{id}", "incidents", "One incident, with what happened to it")
	one.errors = [][]int{notFound}
	register(s, one, func(ctx context.Context, in *incidentInput) (*incidentOutput, error) {
		page, err := s.cfg.Views.Incidents(ctx, incidents.Filter{ID: in.ID.String(), Fresh: s.fresh(in.Fresh)})
		if err != nil {
			return nil, err
		}
		if len(page.Rows) == 0 {
			return nil, projections.ErrNotFound
		}
		if err := allow(ctx, page.Rows[0].Saga); err != nil {
			return nil, err
		}
		history, err := s.cfg.Views.IncidentHistory(ctx, page.Rows[0].No, projections.Fresh{})
		return &incidentOutput{wire.IncidentDetails{Incident: wire.IncidentOf(&page.Rows[0], s.cfg.Now()), History: history}}, err
	})

	type actInput struct{ Body wire.IncidentAct }
	type actsOutput struct {
		params.Acted
		Body incidents.ActReport
	}
	register(s, operation{id: "act-on-incidents", method: http.MethodPost, path: "/incidents", tag: "incidents",
		summary: "Add a note to incidents, assign them, or snooze them", scopes: []auth.Scope{auth.Operate}, errors: [][]int{bodyErrors}, long: true},
		func(ctx context.Context, in *actInput) (*actsOutput, error) {
			if err := s.ready(); err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(ctx, s.cfg.MaxWait)
			defer cancel()
			acting := incidents.Acting{Desk: s.cfg.Coordinator.Desk(), Find: s.cfg.Views.Incidents, Groups: s.cfg.Views.IncidentGroups, Covers: caller(ctx).Covers}
			report, err := acting.Do(ctx, in.Body.Targets, desk.Act{Kind: in.Body.Act, Text: in.Body.Text, To: in.Body.To, Until: in.Body.Until})
			if err != nil {
				return nil, err
			}
			at, err := s.lastPosition(ctx, ofRuns)
			return &actsOutput{Acted: params.Acted{Position: uint64(at)}, Body: report}, err
		})
}

func (s *Server) incidentList() {
	type incidentsInput struct {
		Q         string   `query:"q" maxLength:"2000" doc:"A search, such as: action:charge-card state:resolved age:>2h declined. A condition is given in it or as a parameter of its own, not both."`
		State     string   `query:"state" enum:"open,retrying,resolved,snoozed,all" doc:"Which incidents; the open ones when absent, if q has no state. Retrying are those that a person retried, and that are open again if that fails; snoozed those that are not resolved and hidden now."`
		Run       string   `query:"run" maxLength:"700" doc:"Of that run: its id, the last 6 or more digits of it, or SAGA:KEY."`
		Sagas     []string `query:"saga,explode" maxItems:"100" doc:"Of one of these sagas."`
		Actions   []string `query:"action,explode" maxItems:"100" doc:"About one of these actions."`
		Groups    []string `query:"group,explode" maxItems:"100" doc:"Of one of these groups."`
		Assignees []string `query:"assignee,explode" maxItems:"100" doc:"That one of these people looks after."`
		params.Hidden
		params.Page
	}
	type incidentsOutput struct{ Body wire.Page[wire.Incident] }
	register(s, list("list-incidents", "/incidents", "incidents", "Incidents, newest first"), func(ctx context.Context, in *incidentsInput) (*incidentsOutput, error) {
		f, err := searched(ctx, s, search.Incidents, in.Q)
		if err != nil {
			return nil, err
		}
		var errs []error
		either(&errs, "group", &f.Groups, in.Groups)
		either(&errs, "assignee", &f.Assignees, in.Assignees)
		eitherState(&errs, &f, in.State)
		own := conditions{"run", &f.Run, &f.Sagas, &f.Actions, &f.Text, &f.From, &f.To}
		if err := s.narrow(ctx, errs, own, in.Run, in.Sagas, in.Actions, &in.Page); err != nil {
			return nil, err
		}
		f.Ascending, f.Limit, f.Cursor, f.Fresh = in.Ascending, in.Limit, in.Cursor, s.fresh(in.Fresh)
		now := s.cfg.Now()
		var snoozed map[string]desk.GroupSnooze
		// Who names a group or a run wants to see it.
		hide := f.Open && !f.Retrying && !f.Resolved && !f.Snoozed && in.Snoozed == "hide" && len(f.Groups) == 0 && f.Run == (domain.RunID{})
		if hide || f.Snoozed {
			groups, err := s.cfg.Coordinator.Desk().Groups(ctx)
			if err != nil {
				return nil, err
			}
			f.Doze(now, groups)
			if hide {
				f.Awake, snoozed = now, groups
			}
		}
		page, err := latest(ctx, s, &in.Fresh, &f.Fresh, func() (incidents.Page, error) { return s.cfg.Views.Incidents(ctx, f) })
		if err != nil {
			return nil, err
		}
		page.Rows = slices.DeleteFunc(page.Rows, func(r incidents.Row) bool { _, ok := snoozed[r.Group]; return ok })
		return &incidentsOutput{wire.RowsOf(page, func(i *incidents.Row) wire.Incident { return wire.IncidentOf(i, now) })}, nil
	})
}

// eitherState is either for the states of incidents, of which the open ones are meant when none is
// given.
func eitherState(errs *[]error, f *incidents.Filter, given string) {
	asked := f.HasState()
	switch {
	case asked && given != "" && given != "all":
		*errs = append(*errs, fmt.Errorf("%w: state is given twice: give it in q or as a parameter of its own", errBadQuery))
	case !asked:
		f.Open, f.Retrying, f.Resolved, f.Snoozed = given == "open" || given == "", given == "retrying", given == "resolved", given == "snoozed"
	}
}

func (s *Server) incidentGroups() {
	type groupsInput struct {
		Group string         `query:"group" maxLength:"16" doc:"The group with that id."`
		State string         `query:"state" enum:"open,all" default:"open" doc:"Whether groups are left out whose incidents are all resolved."`
		Sagas []string       `query:"saga,explode" maxItems:"100" doc:"Of one of these sagas."`
		Text  string         `query:"text" maxLength:"500" doc:"Words, or beginnings of words, that must all occur in the cause or the step's name."`
		Sort  incidents.Sort `query:"sort" enum:"count,last,first" default:"count" doc:"By the number of incidents, the latest arrival or the first; the largest or latest first."`
		Limit int            `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"The size of the page."`
		// Cursor is that of the page.
		Cursor string `query:"cursor" maxLength:"2000" doc:"Continues after an earlier page: its next."`
		params.Hidden
		params.Fresh
	}
	type groupsOutput struct {
		Body wire.Page[wire.IncidentGroup]
	}
	register(s, list("list-incident-groups", "/incident-groups", "incidents", "Incidents grouped by saga, step, direction and cause"), func(ctx context.Context, in *groupsInput) (*groupsOutput, error) {
		sagas, err := boundTo(ctx, in.Sagas)
		if err != nil {
			return nil, err
		}
		if err := s.exist(ctx, in.Sagas, nil); err != nil {
			return nil, err
		}
		now := s.cfg.Now()
		snoozed, err := s.cfg.Coordinator.Desk().Groups(ctx)
		if err != nil {
			return nil, err
		}
		f := incidents.GroupFilter{ID: in.Group, All: in.State == "all", Sagas: sagas, Text: in.Text, Sort: in.Sort,
			Limit: in.Limit, Cursor: in.Cursor, Now: now, Fresh: s.fresh(in.Fresh)}
		page, err := latest(ctx, s, &in.Fresh, &f.Fresh, func() (incidents.GroupPage, error) { return s.cfg.Views.IncidentGroups(ctx, f) })
		if err != nil {
			return nil, err
		}
		if in.Snoozed == "hide" && in.Group == "" {
			page.Rows = incidents.Hide(page.Rows, snoozed)
		}
		return &groupsOutput{wire.RowsOf(page, func(g *incidents.GroupRow) wire.IncidentGroup { return wire.IncidentGroupOf(g, snoozed, now) })}, nil
	})
}
