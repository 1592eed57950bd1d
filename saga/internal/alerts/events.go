package alerts

import (
	"context"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/saga/machine"
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
	case "run.blocked.v1":
		return false, r.blockedEvent(ctx, run, e)
	case "run.stuck.v1", "run.turned_back.v1":
		if e.Position <= r.told {
			return false, nil // read again for the slow runs
		}
	default:
		return false, nil
	}
	alert, wanted := r.alertOf(run, e)
	if !wanted || alert.Kind == domain.AlertStuck && (!r.isOpen(ctx, run, alert.Incident) || r.isSnoozed(ctx, &alert)) {
		return false, nil
	}
	if err := r.a.MayTell(); err != nil {
		return false, err
	}
	return true, r.sink.tell(ctx, alert)
}

// isOpen reports whether an incident of a run is open. For a run that can't be read it returns
// true.
func (r *runner) isOpen(ctx context.Context, run domain.RunID, incident string) (open bool) {
	s, err := r.a.State(ctx, run)
	if err != nil || incident == "" {
		return true
	}
	s.StuckSteps(func(st *machine.Step) { open = open || st.Incident == incident })
	return open
}

// isSnoozed reports whether the incident belongs to a group that somebody snoozed. It returns false
// if that can't be read: an alert too many does less harm than one too few.
func (r *runner) isSnoozed(ctx context.Context, alert *domain.Alert) bool {
	started, _, err := r.a.Started(ctx, alert.Run)
	if err != nil || alert.Incident == "" {
		return false
	}
	groups, err := r.a.Snoozed(ctx)
	if err != nil {
		return false
	}
	g := cause.GroupOf(started.Saga, alert.Step, alert.Direction, alert.Cause)
	_, snoozed := groups[g.ID()]
	return snoozed
}

// notice tells what a node noticed.
func (r *runner) notice(ctx context.Context, e *domain.Recorded) (told bool, err error) {
	alert, err := noticeOf(e)
	if err != nil {
		r.warn(e, err)
	}
	if err != nil || e.Position <= r.told {
		return false, nil //nolint:nilerr // an unreadable event is logged and delays no other alert
	}
	if alert.Kind == domain.AlertBlocked && alert.Cause != nil { // a node can't read the run
		return false, r.isBlocked(ctx, alert.Run, alert.Cause.Message, alert.At)
	}
	if err := r.a.MayTell(); err != nil {
		return false, err
	}
	return true, r.sink.tell(ctx, alert)
}

// blockedEvent notes that a node can't go on with a run.
func (r *runner) blockedEvent(ctx context.Context, run domain.RunID, e *domain.Recorded) error {
	if e.Position <= r.told {
		return nil // the mark knows
	}
	f, err := domain.DecodeFact(e)
	if err != nil {
		r.warn(e, err)
		return nil
	}
	if blocked, ok := f.Event.(*domain.RunBlocked); ok {
		return r.isBlocked(ctx, run, blocked.Reason, f.Meta.At)
	}
	return nil
}

// alertOf makes the alert for a run that got stuck or turned back. A stuck run gets one even if the
// event can't be read.
func (r *runner) alertOf(run domain.RunID, e *domain.Recorded) (alert domain.Alert, wanted bool) {
	alert = domain.Alert{Run: run}
	f, err := domain.DecodeFact(e)
	if err != nil {
		r.warn(e, err)
		alert.ID, alert.Kind, alert.At = e.ID.String(), domain.AlertStuck, e.Created
		alert.Cause = &domain.Failure{Message: domain.ShortMessage("the event that says why the run is stuck can't be read: " + err.Error())}
		return alert, e.Type == "run.stuck.v1"
	}
	alert.At = f.Meta.At
	switch e := f.Event.(type) {
	case *domain.RunStuck:
		alert.ID, alert.Kind, alert.Step, alert.Cause = e.Incident, domain.AlertStuck, e.Step, &e.Cause
		if alert.Incident, alert.Direction, alert.Again = e.Incident, e.Direction, e.Again; e.Again {
			alert.ID += fmt.Sprint("/", f.Revision)
		}
		return alert, true
	case *domain.RunTurnedBack:
		alert.ID, alert.Kind, alert.Step, alert.Cause = run.String()+"/failed", domain.AlertFailed, e.Cause.Step, &e.Cause
		// A cancelled run, or a child whose parent turned back, was turned back on purpose.
		return alert, e.Cause.Kind != domain.FailureCancelled && e.Cause.Kind != domain.FailureParent
	}
	return alert, false
}
