package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
)

// Cancel turns a run back. Errors are those of [saga.Coordinator.Cancel].
func (c *Client) Cancel(ctx context.Context, id domain.RunID, reason string) error {
	return c.act(ctx, id, "cancel", wire.GivenReason{Reason: reason}, false)
}

// Pause keeps a run from starting anything new. See [saga.OnUnchanged] for a run that is paused.
func (c *Client) Pause(ctx context.Context, id domain.RunID, reason string) error {
	return c.act(ctx, id, "pause", wire.GivenReason{Reason: reason}, true)
}

// Resume lets a paused run go on. See [saga.OnUnchanged] for a run that is not paused.
func (c *Client) Resume(ctx context.Context, id domain.RunID, reason string) error {
	return c.act(ctx, id, "resume", wire.GivenReason{Reason: reason}, true)
}

// Retry gives a stuck step, or with an empty step every stuck one, a new set of attempts.
func (c *Client) Retry(ctx context.Context, id domain.RunID, step, reason string) error {
	return c.act(ctx, id, "retry", wire.Retry{Step: step, Reason: reason}, false)
}

// Skip settles a stuck step, or with an empty step every stuck one, as if it had no effect or, if
// its undo is stuck, as if it were undone.
func (c *Client) Skip(ctx context.Context, id domain.RunID, step, reason string) error {
	return c.act(ctx, id, "resolve", wire.Resolve{Step: step, How: domain.ResolveSkip, Reason: reason}, false)
}

// Substitute settles a stuck step as if it had succeeded with the output.
func (c *Client) Substitute(ctx context.Context, id domain.RunID, step string, output json.RawMessage, reason string) error {
	return c.act(ctx, id, "resolve", wire.Resolve{Step: step, How: domain.ResolveSubstitute, Output: output, Reason: reason}, false)
}

// Abandon closes a run and leaves its effects as they are.
func (c *Client) Abandon(ctx context.Context, id domain.RunID, reason string) error {
	return c.act(ctx, id, "abandon", wire.GivenReason{Reason: reason}, false)
}

// Signal delivers a named signal with a JSON payload. With an id the call may be repeated safely.
func (c *Client) Signal(ctx context.Context, id domain.RunID, s wire.Signal) error {
	return c.act(ctx, id, "signal", s, s.ID != "")
}

func (c *Client) act(ctx context.Context, id domain.RunID, what string, body any, again bool) error {
	err := c.call(ctx, request{method: http.MethodPost, path: "/runs/" + id.String() + "/" + what, body: body, again: again})
	return err
}

// Hold stops an action until it is released. Errors are those of [saga.Coordinator.Hold].
func (c *Client) Hold(ctx context.Context, action string, how wire.HoldAction) (wire.HeldAction, error) {
	return post[wire.HeldAction](ctx, c, "/actions/"+segment(action)+"/hold", how, false)
}

// Release lets a held action start again, and returns the hold that ended.
func (c *Client) Release(ctx context.Context, action, reason string) (wire.HeldAction, error) {
	return post[wire.HeldAction](ctx, c, "/actions/"+segment(action)+"/release", wire.RequiredReason{Reason: reason}, false)
}

// RecordExploration records what the exploration of a saga found. Errors: those of
// [evidence.Evidence.Record], and [saga.ErrUnknownSaga].
func (c *Client) RecordExploration(ctx context.Context, name string, e evidence.Exploration) (evidence.Explored, error) {
	return post[evidence.Explored](ctx, c, "/sagas/"+segment(name)+"/explorations", e, false)
}

// Holds lists the actions that are held.
func (c *Client) Holds(ctx context.Context) ([]wire.HeldAction, error) {
	return get[[]wire.HeldAction](ctx, c, "/holds", nil)
}

// ActOnRejected retries rejected events, or dismisses them. It may be repeated safely.
func (c *Client) ActOnRejected(ctx context.Context, a wire.RejectedAct) (wire.RejectedReport, error) {
	return post[wire.RejectedReport](ctx, c, "/rejected-events", a, true)
}

// Bulk applies one act to many runs, or with DryRun lists the runs.
func (c *Client) Bulk(ctx context.Context, b wire.Bulk) (saga.BulkReport, error) {
	var report saga.BulkReport
	err := c.call(ctx, request{method: http.MethodPost, path: "/bulk", body: b, out: &report, again: b.DryRun, reads: b.DryRun})
	return report, err
}

// ActOnIncidents adds a note to incidents, assigns them, or snoozes them.
func (c *Client) ActOnIncidents(ctx context.Context, a wire.IncidentAct) (incidents.ActReport, error) {
	return post[incidents.ActReport](ctx, c, "/incidents", a, false)
}
