package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// Run returns a run as it stands now. Errors: [saga.ErrNotFound].
func (c *Client) Run(ctx context.Context, id domain.RunID) (wire.Run, error) {
	return get[wire.Run](ctx, c, "/runs/"+id.String(), nil)
}

// StateAt returns a run as it was after the revision; [saga.Latest] is now.
func (c *Client) StateAt(ctx context.Context, id domain.RunID, revision int64) (wire.Run, error) {
	return get[wire.Run](ctx, c, "/runs/"+id.String()+"/state", url.Values{"at": {strconv.FormatInt(revision, 10)}})
}

// Why says what a run waits for.
func (c *Client) Why(ctx context.Context, id domain.RunID) (machine.Reason, error) {
	return get[machine.Reason](ctx, c, "/runs/"+id.String()+"/why", nil)
}

// PreviewCancel tells what cancelling a run would do now.
func (c *Client) PreviewCancel(ctx context.Context, id domain.RunID) (machine.Preview, error) {
	return get[machine.Preview](ctx, c, "/runs/"+id.String()+"/undo-preview", nil)
}

// Diagram returns a run's plan as a Mermaid flowchart, coloured by state.
func (c *Client) Diagram(ctx context.Context, id domain.RunID) (string, error) {
	var text textWriter
	err := c.call(ctx, request{method: http.MethodGet, path: "/runs/" + id.String() + "/diagram", out: &text, again: true})
	return string(text), err
}

type textWriter []byte

// Write implements io.Writer.
func (t *textWriter) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	return len(p), nil
}

// Story returns the whole story of a run.
func (c *Client) Story(ctx context.Context, id domain.RunID) (*story.Story, error) {
	v, err := get[story.Story](ctx, c, "/runs/"+id.String()+"/audit", nil)
	return &v, err
}

// WriteStory writes the whole story of a run in a format.
func (c *Client) WriteStory(ctx context.Context, w io.Writer, id domain.RunID, format story.Format) error {
	err := c.call(ctx, request{method: http.MethodGet, path: "/runs/" + id.String() + "/audit", query: url.Values{"format": {string(format)}}, out: w})
	return err
}

// Events returns a page of a run's events from a revision on, oldest first.
func (c *Client) Events(ctx context.Context, id domain.RunID, from uint64, limit int) (wire.Page[wire.Event], error) {
	q := url.Values{"from": {strconv.FormatUint(from, 10)}}
	addInt(q, "limit", int64(limit))
	return get[wire.Page[wire.Event]](ctx, c, "/runs/"+id.String()+"/events", q)
}

// Runs returns a page of runs.
func (c *Client) Runs(ctx context.Context, f runs.Filter) (wire.Page[wire.RunItem], error) {
	q := pageQuery(f.From, f.To, f.Text, f.Ascending, f.Limit, f.Cursor, f.Fresh)
	addAll(q, "state", f.States)
	addAll(q, "saga", f.Sagas)
	for _, v := range f.Versions {
		q.Add("version", strconv.Itoa(v))
	}
	for k, v := range f.Labels {
		q.Add("label", k+"="+v)
	}
	addText(q, "action", f.Action)
	addText(q, "key", f.Key)
	if f.Parent != (domain.RunID{}) {
		q.Set("parent", f.Parent.String())
	}
	addText(q, "sort", string(f.Sort))
	return get[wire.Page[wire.RunItem]](ctx, c, "/runs", q)
}

func pageQuery(from, to time.Time, text string, ascending bool, limit int, cursor string, fresh projections.Fresh) url.Values {
	q := url.Values{}
	addTime(q, "from", from)
	addTime(q, "to", to)
	addText(q, "text", text)
	if ascending {
		q.Set("ascending", "true")
	}
	addInt(q, "limit", int64(limit))
	addText(q, "cursor", cursor)
	addFresh(q, fresh)
	return q
}

func addFresh(q url.Values, fresh projections.Fresh) {
	addInt(q, "at_least", int64(fresh.AtLeast))
	if fresh.Wait > 0 {
		q.Set("within", fresh.Wait.String())
	}
}

// Audit returns a page of the audit across runs.
func (c *Client) Audit(ctx context.Context, f audit.Filter) (wire.Page[wire.AuditRow], error) {
	q := pageQuery(f.From, f.To, f.Text, f.Ascending, f.Limit, f.Cursor, f.Fresh)
	if f.Run != (domain.RunID{}) {
		q.Set("run", f.Run.String())
	}
	addAll(q, "saga", f.Sagas)
	addAll(q, "what", f.Whats)
	addAll(q, "action", f.Actions)
	addAll(q, "actor", f.Actors)
	addText(q, "step", f.Step)
	if f.HasError {
		q.Set("failed", "true")
	}
	return get[wire.Page[wire.AuditRow]](ctx, c, "/audit", q)
}

// Incidents returns a page of incidents. Neither or both of Open and Resolved select all.
func (c *Client) Incidents(ctx context.Context, f incidents.Filter) (wire.Page[wire.Incident], error) {
	q := pageQuery(f.From, f.To, f.Text, f.Ascending, f.Limit, f.Cursor, f.Fresh)
	state := "all"
	switch {
	case f.Open && !f.Resolved:
		state = "open"
	case f.Resolved && !f.Open:
		state = "resolved"
	}
	q.Set("state", state)
	if f.Run != (domain.RunID{}) {
		q.Set("run", f.Run.String())
	}
	addAll(q, "saga", f.Sagas)
	addAll(q, "action", f.Actions)
	return get[wire.Page[wire.Incident]](ctx, c, "/incidents", q)
}

// StatsQuery selects statistics.
type StatsQuery struct {
	// Saga and Action select one; empty selects all.
	Saga, Action string
	// Last leaves out what happened longer ago; 0 takes all time.
	Last time.Duration
	// Points asks for the statistics bucket by bucket as well.
	Points bool
	projections.Fresh
}

// Stats returns statistics for each saga and action.
func (c *Client) Stats(ctx context.Context, f StatsQuery) (wire.Stats, error) {
	q := url.Values{}
	addText(q, "saga", f.Saga)
	addText(q, "action", f.Action)
	if f.Last > 0 {
		q.Set("last", f.Last.String())
	}
	if f.Points {
		q.Set("points", "true")
	}
	addFresh(q, f.Fresh)
	return get[wire.Stats](ctx, c, "/stats", q)
}

// Cancel turns a run back. Errors are those of [saga.Coordinator.Cancel].
func (c *Client) Cancel(ctx context.Context, id domain.RunID, reason string) error {
	return c.act(ctx, id, "cancel", wire.GivenReason{Reason: reason}, false)
}

// Pause keeps a run from starting anything new.
func (c *Client) Pause(ctx context.Context, id domain.RunID, reason string) error {
	return c.act(ctx, id, "pause", wire.GivenReason{Reason: reason}, true)
}

// Resume lets a paused run go on.
func (c *Client) Resume(ctx context.Context, id domain.RunID, reason string) error {
	return c.act(ctx, id, "resume", wire.GivenReason{Reason: reason}, true)
}

// Retry gives a stuck step, or with an empty step every stuck one, a new set of attempts.
func (c *Client) Retry(ctx context.Context, id domain.RunID, step, reason string) error {
	return c.act(ctx, id, "retry", wire.Retry{Step: step, Reason: reason}, false)
}

// Skip settles a stuck step, or every stuck one, as having no effect, or its undo as done.
func (c *Client) Skip(ctx context.Context, id domain.RunID, step, reason string) error {
	return c.act(ctx, id, "resolve", wire.Resolve{Step: step, How: domain.ResolveSkip, Reason: reason}, false)
}

// Substitute settles a stuck step as done with the given output.
func (c *Client) Substitute(ctx context.Context, id domain.RunID, step string, output json.RawMessage, reason string) error {
	return c.act(ctx, id, "resolve", wire.Resolve{Step: step, How: domain.ResolveSubstitute, Output: output, Reason: reason}, false)
}

// Abandon closes a run with its effects left.
func (c *Client) Abandon(ctx context.Context, id domain.RunID, reason string) error {
	return c.act(ctx, id, "abandon", wire.GivenReason{Reason: reason}, false)
}

// Signal delivers a named signal with a JSON payload. With an id it may be repeated.
func (c *Client) Signal(ctx context.Context, id domain.RunID, name string, payload json.RawMessage, signalID string) error {
	return c.act(ctx, id, "signal", wire.Signal{Name: name, Payload: payload, ID: signalID}, signalID != "")
}

func (c *Client) act(ctx context.Context, id domain.RunID, what string, body any, again bool) error {
	err := c.call(ctx, request{method: http.MethodPost, path: "/runs/" + id.String() + "/" + what, body: body, again: again})
	return err
}

// Bulk does one thing to many runs, or with DryRun tells to which it would be done.
func (c *Client) Bulk(ctx context.Context, b wire.Bulk) (saga.BulkReport, error) {
	return post[saga.BulkReport](ctx, c, "/bulk", b, b.DryRun)
}

// Emit appends a domain event. With an id it may be repeated.
func (c *Client) Emit(ctx context.Context, e wire.Emit) (saga.Emitted, error) {
	return post[saga.Emitted](ctx, c, "/events", e, e.ID != "")
}

// DomainEventsQuery selects domain events.
type DomainEventsQuery struct {
	// Before continues before a position; 0 begins at the end of the log.
	Before domain.Position
	Types  []string
	// Stream is the beginning of the streams' names.
	Stream string
	Limit  int
}

// DomainEvents returns a page of domain events, newest first.
func (c *Client) DomainEvents(ctx context.Context, f DomainEventsQuery) (wire.Page[wire.Event], error) {
	q := url.Values{}
	addInt(q, "before", int64(f.Before))
	addAll(q, "type", f.Types)
	addText(q, "stream", f.Stream)
	addInt(q, "limit", int64(f.Limit))
	return get[wire.Page[wire.Event]](ctx, c, "/events", q)
}

// Sagas lists the registered sagas.
func (c *Client) Sagas(ctx context.Context) ([]wire.Saga, error) {
	return get[[]wire.Saga](ctx, c, "/sagas", nil)
}

// Saga returns one registered saga; version 0 is the latest.
func (c *Client) Saga(ctx context.Context, name string, version int) (wire.Saga, error) {
	q := url.Values{}
	addInt(q, "version", int64(version))
	return get[wire.Saga](ctx, c, "/sagas/"+segment(name), q)
}

// Actions lists the registered actions.
func (c *Client) Actions(ctx context.Context) ([]saga.ActionInfo, error) {
	return get[[]saga.ActionInfo](ctx, c, "/actions", nil)
}

// Projections tells how the views fare.
func (c *Client) Projections(ctx context.Context) ([]wire.View, error) {
	return get[[]wire.View](ctx, c, "/projections", nil)
}

// Rebuild has a view built anew; it goes on after the call.
func (c *Client) Rebuild(ctx context.Context, view string) (wire.View, error) {
	return post[wire.View](ctx, c, "/projections/"+segment(view)+"/rebuild", nil, false)
}

// Tokens lists all tokens.
func (c *Client) Tokens(ctx context.Context) ([]wire.Token, error) {
	return get[[]wire.Token](ctx, c, "/tokens", nil)
}

// CreateToken makes a token. The secret is shown this once.
func (c *Client) CreateToken(ctx context.Context, t wire.NewToken) (wire.CreatedToken, error) {
	return post[wire.CreatedToken](ctx, c, "/tokens", t, false)
}

// RevokeToken ends a token at once.
func (c *Client) RevokeToken(ctx context.Context, name string) error {
	err := c.call(ctx, request{method: http.MethodDelete, path: "/tokens/" + segment(name)})
	return err
}

// Ready returns nil when the server can start runs and its views can be asked.
func (c *Client) Ready(ctx context.Context) error {
	err := c.call(ctx, request{method: http.MethodGet, path: "/health/ready"})
	return err
}
