package cli

import (
	"context"
	"iter"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// questions is what commands ask, and the levers that concern more than one run. Answers come
// redacted. A directory's views have caught up with the log when they answer; a server's may be behind by some
// milliseconds (see projections status).
type questions interface {
	Runs(ctx context.Context, f projections.RunFilter) (wire.Page[wire.RunItem], error)
	Audit(ctx context.Context, f projections.AuditFilter) (wire.Page[wire.AuditRow], error)
	Incidents(ctx context.Context, f projections.IncidentFilter) (wire.Page[wire.Incident], error)
	Stats(ctx context.Context, q client.StatsQuery) (wire.Stats, error)

	// Story tells everything that happened to a run.
	Story(ctx context.Context, id domain.RunID) (*projections.Story, error)
	// Events yields a run's events, oldest first.
	Events(ctx context.Context, id domain.RunID) iter.Seq2[wire.Event, error]
	// Why says what a run waits for.
	Why(ctx context.Context, id domain.RunID) (machine.Reason, error)
	// PreviewCancel says what cancelling a run would do now.
	PreviewCancel(ctx context.Context, id domain.RunID) (machine.Preview, error)

	Bulk(ctx context.Context, r saga.BulkRequest) (saga.BulkReport, error)
	Emit(ctx context.Context, e wire.Emit) (saga.Emitted, error)

	Projections(ctx context.Context) ([]wire.View, error)
	Rebuild(ctx context.Context, views ...string) ([]wire.View, error)

	Tokens(ctx context.Context) ([]wire.Token, error)
	CreateToken(ctx context.Context, t wire.NewToken) (wire.CreatedToken, error)
	RevokeToken(ctx context.Context, name string) error
}
