package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/runs"
)

// Follow yields a run's events from a revision on, first the existing ones and then each new one,
// until the run has ended, ctx ends (the last error is then ctx.Err()) or the server refuses. If
// the connection breaks, it continues after the last event: none is missed and none comes twice.
func (c *Client) Follow(ctx context.Context, id domain.RunID, from uint64) iter.Seq2[wire.Event, error] {
	q := url.Values{"from": {strconv.FormatUint(from, 10)}}
	return follow(ctx, c, "/runs/"+id.String()+"/events", q, func(_ string, data []byte, e *wire.Event) (bool, error) {
		return true, json.Unmarshal(data, e)
	})
}

// RunsChange is news of a list of runs that is followed: exactly one field is set.
type RunsChange struct {
	// List is the list as it is; it comes first, and again after the connection was lost.
	List *wire.Page[wire.RunItem]
	// Run is a run of the list that is new or has changed.
	Run *wire.RunItem
	// Gone is a run that is no longer in the list.
	Gone domain.RunID
}

// FollowRuns yields a list of runs and then its changes, until ctx ends (the last error is then
// ctx.Err()) or the server refuses.
func (c *Client) FollowRuns(ctx context.Context, text string, f runs.Filter) iter.Seq2[RunsChange, error] {
	q, err := runsQuery(text, &f)
	if err != nil {
		return func(yield func(RunsChange, error) bool) { yield(RunsChange{}, err) }
	}
	q.Set("follow", "true")
	return follow(ctx, c, "/runs", q, func(kind string, data []byte, change *RunsChange) (bool, error) {
		switch kind {
		case "list":
			change.List = new(wire.Page[wire.RunItem])
			return true, json.Unmarshal(data, change.List)
		case "run":
			change.Run = new(wire.RunItem)
			return true, json.Unmarshal(data, change.Run)
		case "gone":
			var gone wire.Gone
			err := json.Unmarshal(data, &gone)
			change.Gone = gone.Run
			return true, err
		}
		return false, nil
	})
}

// FollowAudit yields acts and outcomes across runs from now on, as [Client.FollowRuns] does. If the
// connection breaks, it continues after the last one: none is missed and none comes twice.
func (c *Client) FollowAudit(ctx context.Context, text string, f audit.Filter) iter.Seq2[wire.AuditRow, error] {
	q := auditQuery(text, &f)
	q.Set("follow", "true")
	return follow(ctx, c, "/audit", q, func(kind string, data []byte, row *wire.AuditRow) (bool, error) {
		if kind != "act" {
			return false, nil
		}
		return true, json.Unmarshal(data, row)
	})
}
