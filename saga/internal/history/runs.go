package history

import (
	"context"
	"log/slog"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/journal"
	"github.com/atonehq/atone/saga/machine"
)

// Runs reads the runs of a log. It is safe for concurrent use.
type Runs struct {
	log    journal.Log
	planOf PlanOf
	logger *slog.Logger
}

// NewRuns returns the runs of the log, whose plans planOf has.
func NewRuns(log journal.Log, planOf PlanOf, logger *slog.Logger) *Runs {
	return &Runs{log: log, planOf: planOf, logger: logger}
}

// Fold folds a run up to now, from its latest snapshot if it has one. Errors are those of [FoldAt].
func (r *Runs) Fold(ctx context.Context, id domain.RunID) (Folded, error) {
	f, err := r.loadSnapshot(ctx, id)
	if err != nil {
		r.logger.Warn("snapshot not used, folding the whole run", "run", id, "error", err)
		f = Folded{}
	}
	return f.goOn(ctx, r.log, r.planOf, id, Latest)
}

// At returns the state of a run as it was after the event with the revision. With [Latest] it reads
// only what came after the last snapshot. Errors are those of [FoldAt].
func (r *Runs) At(ctx context.Context, id domain.RunID, revision int64) (*machine.State, error) {
	if revision < 0 {
		f, err := r.Fold(ctx, id)
		return f.State, err
	}
	return FoldAt(ctx, r.log, r.planOf, id, revision)
}

// First reads how, and when, a run was started. Errors are those of [FoldAt].
func (r *Runs) First(ctx context.Context, id domain.RunID) (*domain.RunStarted, time.Time, error) {
	return First(ctx, r.log, id)
}

// Plan returns the plan with the hash that a run has. A plan that is missing, or can't be read,
// makes the run unreadable.
func (r *Runs) Plan(ctx context.Context, run domain.RunID, hash string) (*domain.Plan, error) {
	plan, err := r.planOf(ctx, hash)
	return plan, ofPlan(run, err)
}
