package webui

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
)

// past is the moment of a run's history that its page shows instead of now.
type past struct {
	// Revision is the last event that had happened at that moment. Last is the last event of the
	// stream now.
	Revision, Last uint64
	// Event is the event at Revision.
	Event story.Line
}

// Earlier is the event before this one, as the page's address takes it.
func (p *past) Earlier() string { return strconv.FormatUint(p.Revision-1, 10) }

// Later is the event after this one.
func (p *past) Later() string { return strconv.FormatUint(p.Revision+1, 10) }

// runAt reads from the address which run is meant, and which event is the last that the page shows.
func (h *handler) runAt(r *http.Request, who Person) (id domain.RunID, until uint64, err error) {
	if id, err = h.runParam(r, who); err == nil {
		until, err = momentParam(r)
	}
	return id, until, err
}

// momentParam reads from the address which event is the last that the page shows. Without the
// parameter the page shows all events.
func momentParam(r *http.Request) (uint64, error) {
	text := r.URL.Query().Get("at")
	if text == "" {
		return domain.End, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == domain.End {
		return 0, errNoPage
	}
	return n, nil
}

// lookBack returns the moment that the run was read up to, and the moments around it. Errors:
// errNoPage for an event that does not exist yet.
func (h *handler) lookBack(r *http.Request, t *told, until uint64) (*past, error) {
	p := &past{Revision: until}
	for e, err := range h.cfg.Log.ReadStreamBackward(r.Context(), domain.RunStream(t.id), domain.End) {
		if err != nil {
			return nil, fmt.Errorf("read the end of run %s: %w", t.id, err)
		}
		p.Last = e.Revision
		break
	}
	rows := story.Of(t.id, t.facts, t.plan.Secrets()).Lines
	if until > p.Last || len(rows) == 0 {
		return nil, fmt.Errorf("event %d of run %s: %w", until, t.id, errNoPage)
	}
	p.Event = rows[len(rows)-1]
	return p, nil
}
