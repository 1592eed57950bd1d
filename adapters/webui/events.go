package webui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/look"
)

// eventsPage is the browser of domain events.
type eventsPage struct {
	Type, Stream, Correlation string
	Rows                      []eventRow
	Next                      string
	First                     bool
	// Partly means that the search stopped before it had found a whole page, having looked at many
	// events.
	Partly  bool
	Scanned int
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
	// Binary is the size of data that isn't JSON.
	Binary int
}

// events lists domain events, newest first. A person bound to some sagas sees the events that runs
// of these sagas emitted.
func (h *handler) events(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	d := &eventsPage{Type: q.Get("type"), Stream: q.Get("stream"), Correlation: q.Get("correlation"), First: q.Get("before") == ""}
	before := domain.EndPosition
	if n, err := strconv.ParseUint(q.Get("before"), 10, 64); err == nil {
		before = domain.Position(n)
	}
	filter := domain.Filter{}
	if d.Stream != "" {
		filter.Prefixes = []string{d.Stream}
	}
	runs := h.lookup()
	for e, err := range h.cfg.Log.ReadAllBackward(r.Context(), before, filter) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		d.Scanned++
		if d.matches(&e) {
			row, ok := runs.row(r.Context(), who, &e)
			if ok && (d.Correlation == "" || row.Correlation == d.Correlation) {
				d.Rows = append(d.Rows, row)
			}
		}
		if d.Partly = d.Scanned >= h.cfg.ScanLimit; d.Partly || len(d.Rows) >= h.cfg.PageSize {
			d.Next = strconv.FormatUint(uint64(e.Position), 10)
			break
		}
	}
	v := h.view(r, who, "events", "Domain events")
	if !d.First {
		v.Refresh = 0
	}
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "events", v)
	return nil
}

// matches reports whether it is a domain event of the type asked for.
func (d *eventsPage) matches(e *domain.Recorded) bool {
	return look.IsOfAnApp(e) && strings.HasPrefix(e.Type, d.Type)
}

// row shows an event without its secrets. It reports whether the person may see it.
func (l *runLookup) row(ctx context.Context, who Person, e *domain.Recorded) (eventRow, bool) {
	row := eventRow{Position: e.Position, Stream: e.Stream, Revision: e.Revision, ID: e.ID, Type: e.Type, At: e.Created}
	// Events of other programs have metadata of their own.
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
