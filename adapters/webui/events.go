package webui

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/saga/look"
)

// eventsPage is the browser of domain events.
type eventsPage struct {
	Type, Stream, Correlation string
	Rows                      []eventRow
	Next                      string
	First                     bool
	// Partly means that the search stopped, after many events, before it had found a whole page.
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
	// Led are the runs that the event started or woke.
	Led []audit.Row
	// Binary is the size of data that isn't JSON.
	Binary int
}

// events lists domain events, newest first. A person bound to some sagas sees the events that runs
// of these sagas emitted.
func (h *handler) events(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	d := &eventsPage{Type: q.Get("type"), Stream: q.Get("stream"), Correlation: q.Get("correlation"), First: q.Get("before") == ""}
	from := readPlace(q.Get("before"))
	runs := h.lookup()
	for e, err := range h.domainEvents(r.Context(), d.Stream, from) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		d.Scanned++
		if e.Position < from.before && d.matches(&e) {
			row, ok := runs.row(r.Context(), who, &e)
			if ok && (d.Correlation == "" || row.Correlation == d.Correlation) {
				d.Rows = append(d.Rows, row)
			}
		}
		if d.Partly = d.Scanned >= h.cfg.ScanLimit; d.Partly || len(d.Rows) >= h.cfg.PageSize {
			d.Next = from.next(&e, d.Stream)
			break
		}
	}
	v := h.view(r, who, "events", "Domain events")
	if err := built(v, h.led(r.Context(), who, d.Rows)); err != nil {
		return err
	}
	if !d.First {
		v.Refresh = 0
	}
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "events", v)
	return nil
}

// place is where a page of events begins: before a position of the log and, where one stream is
// read, at a revision of it.
type place struct {
	before   domain.Position
	revision uint64
}

// readPlace reads a place from an address, where it is POSITION or POSITION-REVISION; anything else
// is the end.
func readPlace(text string) place {
	p := place{domain.EndPosition, domain.End}
	position, revision, _ := strings.Cut(text, "-")
	if n, err := strconv.ParseUint(position, 10, 64); err == nil {
		p.before = domain.Position(n)
	}
	if n, err := strconv.ParseUint(revision, 10, 64); err == nil {
		p.revision = n
	}
	return p
}

// next is the place, as in an address, of the page after the one that ends with that event. It is
// empty after the first event of the stream that is read.
func (p place) next(e *domain.Recorded, stream string) string {
	position := strconv.FormatUint(uint64(min(e.Position, p.before)), 10)
	switch {
	case e.Stream != stream:
		return position
	case e.Revision == 0:
		return ""
	}
	return position + "-" + strconv.FormatUint(e.Revision-1, 10)
}

// domainEvents reads events backward: those of the stream that is called so, by the log's own
// index, or of the streams that begin so, or all. Those of one stream may include newer ones than
// the place, if it has no revision.
func (h *handler) domainEvents(ctx context.Context, stream string, from place) iter.Seq2[domain.Recorded, error] {
	if stream == "" {
		return h.cfg.Log.ReadAllBackward(ctx, from.before, domain.Filter{})
	}
	return func(yield func(domain.Recorded, error) bool) {
		whole := false
		for e, err := range h.cfg.Log.ReadStreamBackward(ctx, stream, from.revision) {
			whole = whole || err == nil
			if !yield(e, err) || err != nil {
				return
			}
		}
		if whole {
			return
		}
		for e, err := range h.cfg.Log.ReadAllBackward(ctx, from.before, domain.Filter{Prefixes: []string{stream}}) {
			if !yield(e, err) {
				return
			}
		}
	}
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

// matches reports whether it is a domain event of the requested type.
func (d *eventsPage) matches(e *domain.Recorded) bool {
	return look.IsOfAnApp(e) && strings.HasPrefix(e.Type, d.Type)
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
