package views

import (
	"context"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
)

// All returns atone's own views: runs, audit, incidents, stats and events.
func All() []projections.View {
	return []projections.View{runs.View(), audit.View(), incidents.View(), stats.View(), events.View()}
}

// Reader queries atone's own views. It is safe for concurrent use.
type Reader struct{ *projections.Reader }

// Of returns a reader of atone's own views over a reader of any views.
func Of(r *projections.Reader) Reader { return Reader{r} }

// Runs returns a page of runs, see [runs.Find].
func (r Reader) Runs(ctx context.Context, f runs.Filter) (runs.Page, error) {
	return runs.Find(ctx, r.Reader, f)
}

// Run returns one run, see [runs.Get].
func (r Reader) Run(ctx context.Context, id domain.RunID, fresh projections.Fresh) (*runs.Row, error) {
	return runs.Get(ctx, r.Reader, id, fresh)
}

// RunCounts counts runs by state, see [runs.Count].
func (r Reader) RunCounts(ctx context.Context, f runs.Filter) (map[domain.RunState]int, error) {
	return runs.Count(ctx, r.Reader, f)
}

// UnfinishedByVersion counts unfinished runs, see [runs.UnfinishedByVersion].
func (r Reader) UnfinishedByVersion(ctx context.Context) ([]runs.OfVersion, error) {
	return runs.UnfinishedByVersion(ctx, r.Reader)
}

// RunNames lists names that runs have, see [runs.Names].
func (r Reader) RunNames(ctx context.Context, of runs.Of, prefix string) ([]string, error) {
	return runs.Names(ctx, r.Reader, of, prefix)
}

// Audit returns a page of the audit, see [audit.Find].
func (r Reader) Audit(ctx context.Context, f audit.Filter) (audit.Page, error) {
	return audit.Find(ctx, r.Reader, f)
}

// Incidents returns a page of incidents, see [incidents.Find].
func (r Reader) Incidents(ctx context.Context, f incidents.Filter) (incidents.Page, error) {
	return incidents.Find(ctx, r.Reader, f)
}

// IncidentGroups returns a page of groups of incidents, see [incidents.Groups].
func (r Reader) IncidentGroups(ctx context.Context, f incidents.GroupFilter) (incidents.GroupPage, error) {
	return incidents.Groups(ctx, r.Reader, f)
}

// IncidentHistory returns what happened to an incident, see [incidents.History].
func (r Reader) IncidentHistory(ctx context.Context, no domain.Position, fresh projections.Fresh) ([]incidents.Entry, error) {
	return incidents.History(ctx, r.Reader, no, fresh)
}

// Stats returns sums over time, see [stats.Find].
func (r Reader) Stats(ctx context.Context, f stats.Filter) ([]stats.Row, error) {
	return stats.Find(ctx, r.Reader, f)
}

// StatsOver returns statistics bucket by bucket, see [stats.Over].
func (r Reader) StatsOver(ctx context.Context, f stats.Filter) ([]stats.Point, error) {
	return stats.Over(ctx, r.Reader, f)
}

// Events returns a page of domain events, see [events.Find].
func (r Reader) Events(ctx context.Context, f events.Filter) (events.Page, error) {
	return events.Find(ctx, r.Reader, f)
}
