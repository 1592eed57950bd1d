package httpapi

import (
	"context"
	"errors"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/params"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/look"
	"github.com/atonehq/atone/saga/outlook"
)

type runOutput struct{ Body wire.Run }

// runOperations read one run: its state now or earlier, why it waits, what may become of it.
func (s *Server) runOperations() {
	type runInput struct {
		params.Run
		Undo bool `query:"undo" doc:"Also return what cancelling the run would do, as undo_preview."`
	}
	register(s, readRun("get-run", "/runs/{id}", "A run as it is now"),
		func(ctx context.Context, in *runInput) (*runOutput, error) {
			run, err := s.look(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			why := s.why(ctx, run)
			out := &runOutput{Body: wire.Run{Run: run.Run, Why: &why}}
			if !run.Run.State.Ended() {
				out.Body.Waiting = why.Text
			}
			if in.Undo {
				preview := run.Undo(s.cfg.Coordinator.Now())
				out.Body.Undo = &preview
			}
			out.Body.Again, err = s.cfg.Coordinator.StartedFrom(ctx, in.ID)
			return out, err
		})

	type whyOutput struct{ Body wire.Why }
	register(s, readRun("why", "/runs/{id}/why", "Why a run waits, and for what"),
		func(ctx context.Context, in *params.Run) (*whyOutput, error) {
			run, err := s.look(ctx, in.ID)
			if errors.Is(err, saga.ErrUnreadable) { // this is why the run waits
				why, err := s.cfg.Coordinator.Why(ctx, in.ID)
				return &whyOutput{why}, err
			}
			if err != nil {
				return nil, err
			}
			return &whyOutput{s.why(ctx, run)}, nil
		})

	type previewOutput struct{ Body explain.Preview }
	register(s, readRun("undo-preview", "/runs/{id}/undo-preview", "What cancelling the run would do now, step by step"),
		func(ctx context.Context, in *params.Run) (*previewOutput, error) {
			run, err := s.look(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &previewOutput{run.Undo(s.cfg.Coordinator.Now())}, nil
		})

	type outlookOutput struct{ Body outlook.Outlook }
	register(s, readRun("outlook", "/runs/{id}/outlook", "What can still become of a run: which acts lead to which ends"),
		func(ctx context.Context, in *params.Run) (*outlookOutput, error) {
			run, err := s.look(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &outlookOutput{run.Outlook(ctx, s.cfg.Coordinator.Now())}, nil
		})

	type stateInput struct {
		params.Run
		At params.Revision `query:"at" minimum:"0" doc:"The state after this revision; the latest when absent."`
	}
	register(s, readRun("get-state", "/runs/{id}/state", "A run as it was after a revision"),
		func(ctx context.Context, in *stateInput) (*runOutput, error) {
			if err := s.allowRun(ctx, in.ID); err != nil {
				return nil, err
			}
			state, err := s.cfg.Coordinator.FoldAt(ctx, in.ID, in.At.Or(saga.Latest))
			if err != nil {
				return nil, err
			}
			return &runOutput{Body: wire.Run{Run: look.At(state, nil).Run}}, nil
		})
}

// look returns a run as it is now, if the caller may see it.
func (s *Server) look(ctx context.Context, id domain.RunID) (*look.Look, error) {
	if err := s.allowRun(ctx, id); err != nil {
		return nil, err
	}
	l, err := s.cfg.Coordinator.Look(ctx, id)
	if err != nil {
		return nil, err
	}
	l.Sees = caller(ctx).Covers
	return l, nil
}

// why says what the run waits for, and what the caller can do.
func (s *Server) why(ctx context.Context, run *look.Look) wire.Why {
	why := run.Why(ctx, s.cfg.Coordinator.Now())
	who := caller(ctx)
	why.Levers = explain.Permit(why.Levers, who.Has(auth.Operate), who.Has(auth.Start, auth.Operate))
	return why
}
