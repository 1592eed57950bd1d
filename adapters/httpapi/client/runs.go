package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/outlook"
	"github.com/atonehq/atone/saga/rejected"
)

// Run returns a run's current state. Errors: [saga.ErrNotFound].
func (c *Client) Run(ctx context.Context, id domain.RunID) (wire.Run, error) {
	return get[wire.Run](ctx, c, "/runs/"+id.String(), nil)
}

// Named returns the run with the name: an id, the last 6 or more digits of one, or SAGA:KEY.
// Errors: [saga.ErrNotFound], and a problem that lists the candidates if the digits match several
// runs.
func (c *Client) Named(ctx context.Context, name string) (wire.Run, error) {
	return get[wire.Run](ctx, c, "/runs/"+segment(name), nil)
}

// StateAt returns a run as it was after the revision; [saga.Latest] means now.
func (c *Client) StateAt(ctx context.Context, id domain.RunID, revision int64) (wire.Run, error) {
	var at url.Values
	if revision >= 0 {
		at = url.Values{"at": {strconv.FormatInt(revision, 10)}}
	}
	return get[wire.Run](ctx, c, "/runs/"+id.String()+"/state", at)
}

// Why says what a run waits for.
func (c *Client) Why(ctx context.Context, id domain.RunID) (explain.Reason, error) {
	return get[explain.Reason](ctx, c, "/runs/"+id.String()+"/why", nil)
}

// PreviewCancel returns what cancelling a run would do now.
func (c *Client) PreviewCancel(ctx context.Context, id domain.RunID) (explain.Preview, error) {
	return get[explain.Preview](ctx, c, "/runs/"+id.String()+"/undo-preview", nil)
}

// Outlook returns what can still become of a run.
func (c *Client) Outlook(ctx context.Context, id domain.RunID) (outlook.Outlook, error) {
	return get[outlook.Outlook](ctx, c, "/runs/"+id.String()+"/outlook", nil)
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
	return c.SearchRuns(ctx, "", f)
}

// SearchRuns returns a page of the runs that match both a search, such as state:stuck
// label:tenant=acme, and the filter. Give each condition in only one of the two.
func (c *Client) SearchRuns(ctx context.Context, text string, f runs.Filter) (wire.Page[wire.RunItem], error) {
	q, err := runsQuery(text, &f)
	if err != nil {
		return wire.Page[wire.RunItem]{}, err
	}
	return get[wire.Page[wire.RunItem]](ctx, c, "/runs", c.lately(q))
}

// runsQuery writes a filter of runs as parameters.
func runsQuery(text string, f *runs.Filter) (url.Values, error) {
	if len(f.IDs) > 0 {
		return nil, errors.New("the API can't list runs by their ids: ask for each run")
	}
	q := pageQuery(f.From, f.To, f.Text, f.Ascending, f.Limit, f.Cursor, f.Fresh)
	addAll(q, "state", f.States)
	addAll(q, "saga", f.Sagas)
	for _, v := range f.Versions {
		q.Add("version", strconv.Itoa(v))
	}
	for k, v := range f.Labels {
		q.Add("label", k+"="+v)
	}
	addAll(q, "action", f.Actions)
	addText(q, "key", f.Key)
	addText(q, "q", searchOf(text, f))
	if f.Parent != (domain.RunID{}) {
		q.Set("parent", f.Parent.String())
	}
	addText(q, "sort", string(f.Sort))
	return q, nil
}

// searchOf adds the conditions that have no parameter of their own to the search.
func searchOf(text string, f *runs.Filter) string {
	parts := []string{text}
	for i := range f.Matches {
		parts = append(parts, search.Match(&f.Matches[i]))
	}
	if f.MinAttempts > 0 {
		parts = append(parts, fmt.Sprintf("attempts:>=%d", f.MinAttempts))
	}
	if f.MaxAttempts != nil {
		parts = append(parts, fmt.Sprintf("attempts:<=%d", *f.MaxAttempts))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// lately asks for the latest rows, where the client is to.
func (c *Client) lately(q url.Values) url.Values {
	if c.cfg.Latest && !q.Has("at_least") {
		q.Set("latest", "true")
	}
	return q
}

// Suggestions returns what can be typed next in a search.
func (c *Client) Suggestions(ctx context.Context, in search.List, text string) ([]wire.Suggestion, error) {
	return get[[]wire.Suggestion](ctx, c, "/search/suggestions", url.Values{"in": {string(in)}, "q": {text}})
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
	return c.SearchAudit(ctx, "", f)
}

// SearchAudit returns a page of the rows of the audit that match both a search and the filter.
func (c *Client) SearchAudit(ctx context.Context, text string, f audit.Filter) (wire.Page[wire.AuditRow], error) {
	return get[wire.Page[wire.AuditRow]](ctx, c, "/audit", c.lately(auditQuery(text, &f)))
}

// auditQuery writes a filter of the audit as parameters.
func auditQuery(text string, f *audit.Filter) url.Values {
	q := pageQuery(f.From, f.To, f.Text, f.Ascending, f.Limit, f.Cursor, f.Fresh)
	addText(q, "q", text)
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
	return q
}

// Rejected returns a page of the domain events that could not start their runs.
func (c *Client) Rejected(ctx context.Context, f rejected.Filter) (wire.RejectedEvents, error) {
	q := url.Values{"state": {string(cmp.Or(f.State, "all"))}}
	addAll(q, "id", f.IDs)
	addAll(q, "saga", f.Sagas)
	addText(q, "type", f.Type)
	addText(q, "cursor", f.Cursor)
	if f.Ascending {
		q.Set("ascending", "true")
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return get[wire.RejectedEvents](ctx, c, "/rejected-events", q)
}

// Incidents returns a page of incidents. The filter may select one state; otherwise it means all
// states. Awake, if set, leaves out incidents that are snoozed now.
func (c *Client) Incidents(ctx context.Context, f incidents.Filter) (wire.Page[wire.Incident], error) {
	return c.SearchIncidents(ctx, "", f)
}

// SearchIncidents returns a page of the incidents that match both a search and the filter.
func (c *Client) SearchIncidents(ctx context.Context, text string, f incidents.Filter) (wire.Page[wire.Incident], error) {
	q := pageQuery(f.From, f.To, f.Text, f.Ascending, f.Limit, f.Cursor, f.Fresh)
	addText(q, "q", text)
	state := "all"
	switch {
	case f.Open && !f.Resolved && !f.Retrying && !f.Snoozed:
		state = "open"
	case f.Retrying && !f.Open && !f.Resolved && !f.Snoozed:
		state = "retrying"
	case f.Resolved && !f.Open && !f.Retrying && !f.Snoozed:
		state = "resolved"
	case f.Snoozed && !f.Open && !f.Retrying && !f.Resolved:
		state = "snoozed"
	}
	q.Set("state", state)
	if f.Awake.IsZero() {
		q.Set("snoozed", "show")
	}
	addAll(q, "group", f.Groups)
	addAll(q, "assignee", f.Assignees)
	if f.Run != (domain.RunID{}) {
		q.Set("run", f.Run.String())
	}
	addAll(q, "saga", f.Sagas)
	addAll(q, "action", f.Actions)
	return get[wire.Page[wire.Incident]](ctx, c, "/incidents", c.lately(q))
}

// Incident returns one incident with its history. Errors: [projections.ErrNotFound].
func (c *Client) Incident(ctx context.Context, id string) (wire.IncidentDetails, error) {
	return get[wire.IncidentDetails](ctx, c, "/incidents/"+segment(id), nil)
}

// IncidentGroups returns a page of groups of incidents. With snoozed it includes snoozed groups.
func (c *Client) IncidentGroups(ctx context.Context, f incidents.GroupFilter, snoozed bool) (wire.Page[wire.IncidentGroup], error) {
	q := url.Values{}
	addText(q, "group", f.ID)
	if f.All {
		q.Set("state", "all")
	}
	addAll(q, "saga", f.Sagas)
	addText(q, "text", f.Text)
	addText(q, "sort", string(f.Sort))
	if snoozed {
		q.Set("snoozed", "show")
	}
	addInt(q, "limit", int64(f.Limit))
	addText(q, "cursor", f.Cursor)
	addFresh(q, f.Fresh)
	return get[wire.Page[wire.IncidentGroup]](ctx, c, "/incident-groups", c.lately(q))
}

// StatsQuery selects statistics.
type StatsQuery struct {
	// Saga and Action select one saga or action; empty selects all.
	Saga, Action string
	// Last selects the time up to now; 0 means all time.
	Last time.Duration
	// Points asks for the statistics of each bucket of time as well.
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

// Projections returns the state of the views.
func (c *Client) Projections(ctx context.Context) ([]wire.View, error) {
	return get[[]wire.View](ctx, c, "/projections", nil)
}

// Rebuild starts the rebuild of a view, which continues after the call.
func (c *Client) Rebuild(ctx context.Context, view string) (wire.View, error) {
	return post[wire.View](ctx, c, "/projections/"+segment(view)+"/rebuild", nil, false)
}

// Tokens lists all tokens.
func (c *Client) Tokens(ctx context.Context) ([]wire.Token, error) {
	return get[[]wire.Token](ctx, c, "/tokens", nil)
}

// CreateToken makes a token. The secret is returned only this time.
func (c *Client) CreateToken(ctx context.Context, t wire.NewToken) (wire.CreatedToken, error) {
	return post[wire.CreatedToken](ctx, c, "/tokens", t, false)
}

// RevokeToken ends a token at once.
func (c *Client) RevokeToken(ctx context.Context, name string) error {
	err := c.call(ctx, request{method: http.MethodDelete, path: "/tokens/" + segment(name)})
	return err
}

// Ready returns nil when the server can start runs and query its views.
func (c *Client) Ready(ctx context.Context) error {
	err := c.call(ctx, request{method: http.MethodGet, path: "/health/ready"})
	return err
}
