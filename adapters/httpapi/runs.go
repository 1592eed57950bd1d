package httpapi

import (
	"context"
	"errors"

	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/look"
	"github.com/atonehq/atone/saga/machine"
)

type runOutput struct{ Body wire.Run }

// runOperations look at one run: how it stands or stood, why it waits, what a cancel would do.
func (s *Server) runOperations() {
	register(s, readRun("get-run", "/runs/{id}", "Look at a run as it stands now"),
		func(ctx context.Context, in *params.Run) (*runOutput, error) {
			run, err := s.look(ctx, in.ID, saga.Latest)
			if err != nil {
				return nil, err
			}
			out := &runOutput{Body: wire.Run{RunView: run.View}}
			if !run.View.State.Ended() {
				out.Body.Waiting = run.Why(s.cfg.Coordinator.Now(), s.cfg.Coordinator).Text
			}
			return out, nil
		})

	type whyOutput struct{ Body wire.Why }
	register(s, readRun("why", "/runs/{id}/why", "Why is it waiting?"),
		func(ctx context.Context, in *params.Run) (*whyOutput, error) {
			run, err := s.look(ctx, in.ID, saga.Latest)
			if errors.Is(err, saga.ErrUnreadable) { // which is why it waits
				why, err := s.cfg.Coordinator.Why(ctx, in.ID)
				return &whyOutput{why}, err
			}
			if err != nil {
				return nil, err
			}
			return &whyOutput{run.Why(s.cfg.Coordinator.Now(), s.cfg.Coordinator)}, nil
		})

	type previewOutput struct{ Body machine.Preview }
	register(s, readRun("undo-preview", "/runs/{id}/undo-preview", "What cancelling the run would do now, step by step"),
		func(ctx context.Context, in *params.Run) (*previewOutput, error) {
			run, err := s.look(ctx, in.ID, saga.Latest)
			if err != nil {
				return nil, err
			}
			return &previewOutput{run.Undo(s.cfg.Coordinator.Now())}, nil
		})

	type stateInput struct {
		params.Run
		At int64 `query:"at" minimum:"-1" default:"-1" doc:"The revision after which the state is wanted; -1 for the latest."`
	}
	register(s, readRun("get-state", "/runs/{id}/state", "Look at a run as it was after a revision"),
		func(ctx context.Context, in *stateInput) (*runOutput, error) {
			run, err := s.look(ctx, in.ID, in.At)
			if err != nil {
				return nil, err
			}
			return &runOutput{Body: wire.Run{RunView: run.View}}, nil
		})
}

// look reads a run that the caller may see, as of one revision and without its secrets.
func (s *Server) look(ctx context.Context, id domain.RunID, revision int64) (*look.Run, error) {
	if err := s.allowRun(ctx, id); err != nil {
		return nil, err
	}
	state, err := s.cfg.Coordinator.FoldAt(ctx, id, revision)
	if err != nil {
		return nil, err
	}
	return look.At(state), nil
}
