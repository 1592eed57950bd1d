package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
)

// definitionOperations tell which sagas and actions are registered here.
func (s *Server) definitionOperations() {
	read := []auth.Scope{auth.Read}
	type sagasOutput struct{ Body []wire.Saga }
	register(s, operation{id: "list-sagas", method: http.MethodGet, path: "/sagas", tag: "definitions", summary: "The registered sagas, with plans and diagrams", scopes: read},
		func(ctx context.Context, _ *struct{}) (*sagasOutput, error) {
			out := &sagasOutput{Body: []wire.Saga{}}
			for _, info := range s.cfg.Coordinator.Sagas() {
				if caller(ctx).Covers(info.Name) {
					told, err := s.sagaOf(ctx, info)
					if err != nil {
						return nil, err
					}
					out.Body = append(out.Body, told)
				}
			}
			return out, nil
		})

	type sagaInput struct {
		Name    string `path:"name" maxLength:"100" doc:"The saga's name."`
		Version int    `query:"version" minimum:"0" maximum:"1000000" doc:"The saga's version; the latest when absent."`
	}
	type sagaOutput struct{ Body wire.Saga }
	register(s, operation{id: "get-saga", method: http.MethodGet, path: "/sagas/{name}", tag: "definitions", summary: "One registered saga", scopes: read,
		errors: [][]int{notFound}},
		func(ctx context.Context, in *sagaInput) (*sagaOutput, error) {
			if err := allow(ctx, in.Name); err != nil {
				return nil, err
			}
			info, err := s.cfg.Coordinator.Saga(in.Name, in.Version)
			if err != nil {
				return nil, err
			}
			told, err := s.sagaOf(ctx, info)
			return &sagaOutput{told}, err
		})
	if s.cfg.Evidence != nil {
		s.explorationOperation()
	}

	type actionsOutput struct{ Body []saga.ActionInfo }
	register(s, operation{id: "list-actions", method: http.MethodGet, path: "/actions", tag: "definitions", summary: "The registered actions", scopes: read},
		func(ctx context.Context, _ *struct{}) (*actionsOutput, error) {
			return &actionsOutput{Body: s.actionsOf(caller(ctx))}, nil
		})
}

// actionsOf lists the actions that a caller may see.
func (s *Server) actionsOf(id auth.Identity) []saga.ActionInfo {
	out := []saga.ActionInfo{}
	for _, a := range s.cfg.Coordinator.Actions() {
		own := slices.DeleteFunc(slices.Clone(a.Sagas), func(name string) bool { return !id.Covers(name) })
		if id.Covers(a.Name) || len(own) > 0 {
			a.Sagas = own
			out = append(out, a)
		}
	}
	return out
}

func (s *Server) sagaOf(ctx context.Context, info saga.SagaInfo) (wire.Saga, error) {
	told := wire.Saga{SagaInfo: info, Mermaid: diagram.Mermaid(info.Plan)}
	if s.cfg.Evidence != nil {
		standing, err := s.cfg.Evidence.Standing(ctx, info.Name, info.Version, info.Hash)
		if err != nil {
			return wire.Saga{}, err
		}
		told.Explored = &standing
	}
	return told, nil
}

// explorationOperation records what an exploration found. The plan is compared with the one that is
// registered here; what else a result says, its caller states.
func (s *Server) explorationOperation() {
	type input struct {
		Name string `path:"name" maxLength:"100" doc:"The saga's name."`
		Body evidence.Exploration
	}
	type output struct{ Body evidence.Explored }
	register(s, operation{id: "record-exploration", method: http.MethodPost, path: "/sagas/{name}/explorations", tag: "definitions", summary: "Record what the exploration of a saga found",
		scopes: []auth.Scope{auth.Admin}, errors: [][]int{bodyErrors, notFound}}, func(ctx context.Context, in *input) (*output, error) {
		if err := allow(ctx, in.Name); err != nil {
			return nil, err
		}
		info, err := s.cfg.Coordinator.Saga(in.Name, in.Body.Version)
		if err != nil {
			return nil, err
		}
		done, err := s.cfg.Evidence.Record(ctx, in.Name, info.Hash, in.Body, caller(ctx).Name)
		return &output{done}, err
	})
}
