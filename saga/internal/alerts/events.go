package alerts

import (
	"context"

	"github.com/atonehq/atone/domain"
)

// event handles an event of a run, or a notice, and returns true if an alert was told.
func (r *runner) event(ctx context.Context, e *domain.Recorded) (told bool, err error) {
	if e.Stream == noticeStream {
		return r.notice(ctx, e)
	}
	run, ok := domain.RunOfStream(e.Stream)
	if !ok {
		return false, nil
	}
	switch e.Type {
	case "run.started.v1":
		return false, r.started(ctx, run, e)
	case "run.completed.v1", "run.compensated.v1", "run.cancelled.v1", "run.abandoned.v1":
		delete(r.slow, run)
		return false, nil
	case "run.stuck.v1", "run.turned_back.v1":
		if e.Position <= r.told {
			return false, nil // read again for the slow runs
		}
	default:
		return false, nil
	}
	alert, wanted := r.alertOf(run, e)
	if !wanted || alert.Kind == domain.AlertStuck && !r.a.Open(ctx, run, alert.ID) {
		return false, nil
	}
	if err := r.a.MayTell(); err != nil {
		return false, err
	}
	if started, err := r.a.Started(ctx, run); err == nil {
		alert.Saga, alert.Version = started.Saga, started.Version
	}
	return true, r.sink.tell(ctx, alert)
}

// notice tells what a node noticed.
func (r *runner) notice(ctx context.Context, e *domain.Recorded) (told bool, err error) {
	alert, err := noticeOf(e)
	if err != nil {
		r.warn(e, err)
	}
	if err != nil || e.Position <= r.told {
		return false, nil //nolint:nilerr // what can't be read is logged, and holds up no other alert
	}
	if err := r.a.MayTell(); err != nil {
		return false, err
	}
	return true, r.sink.tell(ctx, alert)
}

// alertOf makes the alert of a run that got stuck or turned back. Of a stuck run it is wanted even
// where the event can't be read.
func (r *runner) alertOf(run domain.RunID, e *domain.Recorded) (alert domain.Alert, wanted bool) {
	alert = domain.Alert{Run: run}
	f, err := domain.DecodeFact(e)
	if err != nil {
		r.warn(e, err)
		alert.ID, alert.Kind, alert.At = e.ID.String(), domain.AlertStuck, e.Created
		alert.Cause = &domain.Failure{Message: domain.ShortMessage("what the run is stuck at can't be read: " + err.Error())}
		return alert, e.Type == "run.stuck.v1"
	}
	alert.At = f.Meta.At
	switch e := f.Event.(type) {
	case *domain.RunStuck:
		alert.ID, alert.Kind, alert.Step, alert.Cause = e.Incident, domain.AlertStuck, e.Step, &e.Cause
		return alert, true
	case *domain.RunTurnedBack:
		alert.ID, alert.Kind, alert.Step, alert.Cause = run.String()+"/failed", domain.AlertFailed, e.Cause.Step, &e.Cause
		// A cancelled run, or a child whose parent turned back, was turned back on purpose.
		return alert, e.Cause.Kind != domain.FailureCancelled && e.Cause.Kind != domain.FailureParent
	}
	return alert, false
}
