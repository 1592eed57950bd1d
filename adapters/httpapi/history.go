package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// historyOperations look at what a run's events say: why it waits, what a cancel would do, how it was.
func (s *Server) historyOperations() {
	type whyOutput struct{ Body wire.Why }
	register(s, readRun("why", "/runs/{id}/why", "Why is it waiting?"),
		func(ctx context.Context, in *params.Run) (*whyOutput, error) {
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			r, err := s.cfg.Coordinator.Why(ctx, in.ID)
			return &whyOutput{r}, err
		})

	type previewOutput struct{ Body machine.Preview }
	register(s, readRun("undo-preview", "/runs/{id}/undo-preview", "What cancelling the run would do now, step by step"),
		func(ctx context.Context, in *params.Run) (*previewOutput, error) {
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			p, err := s.cfg.Coordinator.PreviewCancel(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			p, err = s.hidePreview(ctx, in.ID, p)
			return &previewOutput{p}, err
		})

	type stateInput struct {
		params.Run
		At int64 `query:"at" minimum:"-1" default:"-1" doc:"The revision after which the state is wanted; -1 for the latest."`
	}
	register(s, readRun("get-state", "/runs/{id}/state", "Look at a run as it was after a revision"),
		func(ctx context.Context, in *stateInput) (*runOutput, error) {
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			v, err := s.cfg.Coordinator.StateAt(ctx, in.ID, in.At)
			if err != nil {
				return nil, err
			}
			out := &runOutput{Body: wire.Run{RunView: v}}
			return out, s.redact(ctx, &out.Body.RunView)
		})

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

// hidePreview replaces what the run's saga marks as secret.
func (s *Server) hidePreview(ctx context.Context, id domain.RunID, p machine.Preview) (machine.Preview, error) {
	v, err := s.cfg.Coordinator.StateAt(ctx, id, saga.Latest)
	if err != nil {
		return machine.Preview{}, err
	}
	fields, err := s.secrets(ctx, v.Plan)
	if err != nil {
		return machine.Preview{}, err
	}
	return p.Hide(v.Cloak(fields)), nil
}

// diagram draws a run's plan. A node that stands for many steps has the phase that tells most.
func (s *Server) diagram(ctx context.Context, id domain.RunID) (string, error) {
	state, err := saga.FoldAt(ctx, s.cfg.Log, id, saga.Latest)
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

// telling orders phases for a node that stands for many steps: what needs a person first, what is
// over last.
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

// storyOperation tells a run's whole story.
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
		return &bodyOutput{func(hc huma.Context) {
			hc.SetHeader("Content-Type", types[in.Format])
			hc.SetStatus(http.StatusOK)
			_ = story.Write(hc.BodyWriter(), in.Format, nil) // the client may be gone
		}}, nil
	})
}
