package webui

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/webui/internal/choice"
	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/rejected"
)

// eventsPage is the browser of domain events.
type eventsPage struct {
	Type, Exact, Stream, Correlation, Since, Until string

	Rows  []eventRow
	Next  string
	First bool
	Bad   string
	// Empty stands in the place of the rows where there are none.
	Empty *empty.Page
}

type eventRow struct {
	Position    domain.Position
	Stream      string
	Revision    uint64
	ID          uuid.UUID
	Type        string
	At          time.Time
	Actor       string
	Correlation string
	// Run is set for an event that an action emitted.
	Run  *domain.RunID
	Data json.RawMessage
	// Led are the runs that the event started or woke.
	Led []audit.Row
	// Binary is the size of data that isn't JSON.
	Binary int
	// Missing says why the event could not be read.
	Missing string
}

// events lists domain events, newest first. A person bound to some sagas sees the events that runs
// of these sagas emitted.
func (h *handler) events(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	d := &eventsPage{Type: q.Get("type"), Exact: q.Get("exact"), Stream: q.Get("stream"), Correlation: q.Get("correlation"), Since: q.Get("since"), Until: q.Get("until"), First: q.Get("before") == ""}
	v := h.view(r, who, "events", "Domain events")
	f, bad := choice.Events(q, v.Now)
	f.Limit = h.cfg.PageSize
	asked := empty.Asked{Query: d.Type + d.Stream + d.Correlation + d.Since + d.Until, Older: !d.First}
	if bad != nil {
		d.Bad, asked.Bad = bad.Error(), []string{bad.Error()}
	} else if who.narrow(&f.Sagas) {
		page, err := h.cfg.Views.Events(r.Context(), f)
		if err = built(v, err); err != nil {
			return err
		}
		d.Next = page.Next
		if d.Rows, err = h.lookup().rows(r.Context(), who, page.Rows); err != nil {
			return err
		}
	}
	if err := built(v, h.led(r.Context(), who, d.Rows)); err != nil {
		return err
	}
	h.warn(r, v)
	if !d.First {
		v.Refresh = 0
	}
	if len(d.Rows) == 0 {
		asked.Behind = v.Behind
		d.Empty = h.program(r, who).Events(asked)
	}
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "events", v)
	return nil
}

// rows reads the events of the view's rows, and shows those that the person may see.
func (l *runLookup) rows(ctx context.Context, who Person, found []events.Row) (out []eventRow, err error) {
	list, err := events.Read(ctx, l.h.cfg.Log, found)
	for i := range list {
		e := &list[i]
		row, seen := eventRow{Position: e.Position, Stream: e.Stream, Revision: e.Revision, ID: e.ID, Type: e.Type, At: e.At, Correlation: e.Correlation, Missing: e.Why()}, who.sees(e.Saga)
		if id, ofRun := domain.RunOfStream(e.Stream); ofRun {
			row.Run = &id
		}
		if e.Recorded != nil {
			row, seen = l.row(ctx, who, e.Recorded)
		}
		if seen {
			out = append(out, row)
		}
	}
	return out, err
}

// led finds the runs that the events started or woke, as far as the person may see them. It asks
// the audit once for all.
func (h *handler) led(ctx context.Context, who Person, rows []eventRow) error {
	f := audit.Filter{Ascending: true, ByLog: true, Limit: 1000}
	at := map[string]*eventRow{}
	for i := range rows {
		f.Events = append(f.Events, rows[i].ID)
		at[rows[i].ID.String()] = &rows[i]
	}
	if len(rows) == 0 || !who.narrow(&f.Sagas) {
		return nil
	}
	page, err := h.cfg.Views.Audit(ctx, f)
	for _, r := range page.Rows {
		if e := at[r.Event]; e != nil {
			e.Led = append(e.Led, r)
		}
	}
	return err
}

// row shows an event without its secrets. It reports whether the person may see it.
func (l *runLookup) row(ctx context.Context, who Person, e *domain.Recorded) (eventRow, bool) {
	row := eventRow{Position: e.Position, Stream: e.Stream, Revision: e.Revision, ID: e.ID, Type: e.Type, At: e.Created}
	// Other programs have metadata in their own formats.
	if m, err := domain.DecodeMeta(e.Metadata); err == nil {
		row.Actor, row.Correlation = m.Actor, m.CorrelationID
		if !m.At.IsZero() {
			row.At = m.At
		}
	}
	fields, seen := secret.Fields(l.h.cfg.Coordinator.SecretFields(e.Type)), len(who.Sagas) == 0
	if id, ofRun := domain.RunOfStream(e.Stream); ofRun {
		of := l.of(ctx, id)
		fields, seen = append(fields, of.Secrets...), who.sees(of.Saga)
		row.Run = &id
	}
	if e.Binary {
		row.Binary = len(e.Data)
	} else {
		row.Data = secret.NewCloak(fields).Event(e)
	}
	return row, seen
}

// rejectedPage lists the events that could not start their runs.
type rejectedPage struct {
	State, Type, Saga string
	Sagas             []string
	Rows              []rejectedRow
	Next              string
	First             bool
	// Matched counts the events on all pages; Many says which of them one form acts on.
	Matched int
	Many    string
	// Empty stands in the place of the rows where there are none.
	Empty *empty.Page
	deskForm
}

type rejectedRow struct {
	rejected.Event
	// Payload is nil where the person may not see it, and where the log has lost it.
	Payload *eventRow
}

// Acts reports whether the person may act on what the page lists: what has started is done with.
func (d *rejectedPage) Acts(who show.Reader) bool {
	return who.Operate && d.State != string(rejected.Started)
}

// rejected lists rejected events.
func (h *handler) rejected(w http.ResponseWriter, r *http.Request, who Person) error {
	return h.showRejected(w, r, who, deskForm{}, http.StatusOK)
}

func (h *handler) showRejected(w http.ResponseWriter, r *http.Request, who Person, form deskForm, status int) error {
	ctx, q := r.Context(), r.URL.Query()
	v := h.view(r, who, "events", "Rejected events")
	v.Note = cmp.Or(form.Done, v.Note)
	d := &rejectedPage{State: cmp.Or(q.Get("state"), string(rejected.Open)), Type: q.Get("type"), Saga: q.Get("saga"), Sagas: h.sagaNames(who), First: q.Get("cursor") == "", deskForm: form}
	f := rejected.Filter{State: rejected.State(d.State), Type: d.Type, Limit: h.cfg.PageSize, Cursor: q.Get("cursor")}
	if d.Saga != "" {
		f.Sagas = []string{d.Saga}
	}
	if who.narrow(&f.Sagas) {
		page, err := h.cfg.Coordinator.Rejected().List(ctx, f)
		if err != nil {
			return err
		}
		d.Next, d.Matched, d.Many = page.Next, page.Matched, choice.Many(page.Matched)
		runs := h.lookup()
		for i := range page.Rows {
			d.Rows = append(d.Rows, rejectedRow{page.Rows[i], runs.payload(ctx, who, &page.Rows[i])})
		}
	}
	if v.D = d; form.Problem != "" || len(form.Failed) > 0 {
		v.Refresh = 0 // it would wipe the refusals
	}
	if len(d.Rows) == 0 {
		d.Empty = h.program(r, who).Rejected(d.State != string(rejected.Open) || d.Type+d.Saga != "")
	}
	h.templates.Render(w, r, status, "rejected", v)
	return nil
}

// payload reads a rejected event from the log. It is nil where that fails, or where the person may
// not see the event.
func (l *runLookup) payload(ctx context.Context, who Person, e *rejected.Event) *eventRow {
	for r, err := range l.h.cfg.Log.ReadStream(ctx, e.Stream, e.Revision) {
		if err == nil && r.ID == e.Event {
			if row, seen := l.row(ctx, who, &r); seen {
				return &row
			}
		}
		break
	}
	return nil
}

// settleRejected retries the chosen rejected events, or dismisses them.
func (h *handler) settleRejected(w http.ResponseWriter, r *http.Request, who Person) error {
	if !who.Operate {
		return errDenied
	}
	req := choice.Rejected(r.PostForm, r.URL.Query(), who.Sagas)
	form := deskForm{Reason: req.Reason, Chosen: make(map[string]bool)}
	for _, id := range req.IDs {
		form.Chosen[id] = true
	}
	req.DryRun = !r.PostForm.Has("sure")
	report, err := h.cfg.Coordinator.Rejected().Do(saga.WithActor(r.Context(), who.Name), &req)
	if errors.Is(err, domain.ErrBadInput) {
		form.Problem = err.Error()
		return h.unsettled(w, r, who, form, http.StatusUnprocessableEntity) // up: as on the desk
	}
	if err != nil {
		return err
	}
	if req.DryRun {
		v := h.view(r, who, "events", "Rejected events")
		v.Refresh, v.D = 0, choice.Confirmation(&req, &report)
		h.templates.Render(w, r, http.StatusOK, "rejected-sure", v)
		return nil
	}
	for i := range report.Results {
		if e := &report.Results[i]; e.Refused != "" && len(form.Failed) < maxRefusals {
			form.Failed = append(form.Failed, refusal{strings.TrimSpace(e.Type + " " + e.Stream), format.Clip(e.Refused, maxRefusal)})
		}
	}
	h.cfg.Logger.Info("rejected events settled", "act", req.Act, "done", report.Done, "refused", report.Failed, "actor", who.Name)
	note := choice.Outcome(req.Act, &report)
	if report.Failed > 0 {
		form.MoreFailed = report.Failed - len(form.Failed)
		form.Done = note + fmt.Sprintf(", %d refused.", report.Failed)
		return h.unsettled(w, r, who, form, http.StatusConflict) // up: as on the desk
	}
	show.GoTo(w, r, h.cfg.Base+"/rejected?"+r.URL.RawQuery, note+".")
	return nil
}
