package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// historyOperations read a run's events: its diagram and its story.
func (s *Server) historyOperations() {
	type diagramOutput struct {
		ContentType string `header:"Content-Type"`
		Body        []byte
	}
	o := readRun("get-diagram", "/runs/{id}/diagram", "A run's plan as a Mermaid flowchart, coloured by state")
	o.adjust = answers(s, map[string]typeOf{"text/plain": nil})
	register(s, o, func(ctx context.Context, in *params.Run) (*diagramOutput, error) {
		if err := s.allowRun(ctx, in.ID); err != nil {
			return nil, err
		}
		text, err := s.diagram(ctx, in.ID)
		return &diagramOutput{"text/plain; charset=utf-8", []byte(text)}, err
	})
	s.storyOperation()
}

// diagram draws a run's plan. A node that stands for many steps shows their most important phase.
func (s *Server) diagram(ctx context.Context, id domain.RunID) (string, error) {
	state, err := s.cfg.Coordinator.FoldAt(ctx, id, saga.Latest)
	if err != nil {
		return "", err
	}
	phases := make(map[string]machine.Phase)
	state.Steps(func(st *machine.Step) {
		if old, ok := phases[st.Node.Key]; !ok || telling(st.Phase) > telling(old) {
			phases[st.Node.Key] = st.Phase
		}
	})
	names := make(map[string]string, len(phases))
	for k, p := range phases {
		names[k] = p.String()
	}
	return diagram.MermaidColoured(state.Plan, names), nil
}

// telling orders phases by importance: steps that need a person come first, finished steps last.
func telling(p machine.Phase) int {
	switch p {
	case machine.Stuck, machine.UndoStuck:
		return 5
	case machine.Failed, machine.UndoFailed:
		return 4
	case machine.Done, machine.Skipped, machine.Ignored, machine.Undone, machine.Untouched, machine.Left:
		return 1
	case machine.Idle:
		return 0
	}
	return 3
}

// storyOperation returns a run's whole story.
func (s *Server) storyOperation() {
	type storyInput struct {
		params.Run
		Format story.Format `query:"format" enum:"json,ndjson,csv,text" default:"json" doc:"How the story is written."`
	}
	types := map[story.Format]string{story.FormatJSON: "application/json", story.FormatNDJSON: "application/x-ndjson",
		story.FormatCSV: "text/csv; charset=utf-8", story.FormatText: "text/plain; charset=utf-8"}
	o := readRun("get-audit", "/runs/{id}/audit", "A run's whole story in readable order, with durations and payloads")
	o.adjust = answers(s, map[string]typeOf{"application/json": typeOfStory, "application/x-ndjson": nil, "text/csv": nil, "text/plain": nil})
	register(s, o, func(ctx context.Context, in *storyInput) (*bodyOutput, error) {
		if err := s.allowRun(ctx, in.ID); err != nil {
			return nil, err
		}
		story, err := story.Tell(ctx, s.cfg.Log, in.ID)
		if err != nil {
			return nil, err
		}
		if why, err := s.cfg.Coordinator.Why(ctx, in.ID); err == nil {
			story.Standing = why.Standing
		}
		return &bodyOutput{func(hc huma.Context) {
			hc.SetHeader("Content-Type", types[in.Format])
			hc.SetStatus(http.StatusOK)
			_ = story.Write(hc.BodyWriter(), in.Format, nil) // the client may be gone
		}}, nil
	})
}
